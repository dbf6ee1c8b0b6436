"""The points that a person picked on a map: their pictures, and how many there are of each kind."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from vade_core.colours import UNKNOWN, WRONG, cluster_looks, colour_of, text_on
from vade_core.map_frames import NO_CLUSTER, MapFrames
from vade_core.png import png_of

MOST_PICTURES = 84

STYLE = """
<style>
.vg-kind { display: flex; flex-wrap: wrap; gap: 6px 10px; align-items: center; margin: 0 0 8px; }
.vg-kind b { min-width: 4.1em; font-weight: 600; }
.vg-chip { display: inline-flex; align-items: center; gap: 6px;
  font-variant-numeric: tabular-nums; }
.vg-chip i { font-style: normal; font-weight: 700; min-width: 26px; padding: 0 6px;
  border-radius: 6px; text-align: center; line-height: 25px; }
.vg-pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(40px, 1fr));
  gap: 5px; }
.vg-pictures img { width: 100%; image-rendering: pixelated; border-radius: 4px;
  border-bottom: 4px solid var(--vg-mark); display: block; }
.vg-note { opacity: .75; margin-top: 6px; font-size: 16px; }
</style>
"""

__all__ = ["draw_gallery", "gallery_html", "kinds_of"]

Kind = tuple[str, str, int]


def kinds_of(frames: MapFrames, selected: NDArray[np.int64], frame: int) -> dict[str, list[Kind]]:
    """How many of some points there are of each label and each cluster.

    Parameters
    ----------
    frames : MapFrames
    selected : ndarray of int64
        The points.
    frame : int
        Whose clusters.

    Returns
    -------
    dict of str to list of (str, str, int)
        For ``Label`` and ``Cluster``, as far as they are known: name, colour and count of each
        kind, the largest first.
    """
    found: dict[str, list[Kind]] = {}
    if frames.labels is not None:
        labels = frames.labels[selected].astype(int)
        found["Label"] = _counted(labels, [(_name(frames, c), colour_of(c)) for c in labels])
    assigned = frames.assigned(frame)
    if assigned is not None:
        clusters = assigned[selected].astype(int)
        cluster_look = _looks(frames, frame)
        found["Cluster"] = _counted(clusters, [cluster_look[c] for c in clusters])
    return found


def _counted(values: NDArray[np.int64], looks: Sequence[tuple[str, str]]) -> list[Kind]:
    kinds, first, many = np.unique(values, return_index=True, return_counts=True)
    order = np.argsort(-many, kind="stable")
    return [(*looks[first[o]], int(many[o])) for o in order] if len(kinds) else []


def _name(frames: MapFrames, code: int) -> str:
    names = frames.class_names or []
    return str(names[code]) if code < len(names) else str(code)


def _looks(frames: MapFrames, frame: int) -> list[tuple[str, str]]:
    """Name and colour of every cluster that a point can be in, as on the map."""
    matched = None if frames.matched is None else [int(code) for code in frames.matched[frame]]
    _, looks = cluster_looks(frames.class_names, matched, NO_CLUSTER)
    return [*looks, ("none yet", UNKNOWN)]


def gallery_html(frames: MapFrames, selected: NDArray[np.int64], frame: int) -> str:
    """The HTML of `draw_gallery`."""
    parts = [STYLE]
    for title, kinds in kinds_of(frames, selected, frame).items():
        chips = "".join(
            f'<span class="vg-chip"><i style="background:{colour};color:{text_on(colour)}">'
            f"{html.escape(name)}</i>{count:,}</span>"
            for name, colour, count in kinds
        )
        parts.append(f'<div class="vg-kind"><b>{title}</b>{chips}</div>')
    if frames.pictures is None:
        parts.append('<div class="vg-note">These samples are no pictures.</div>')
        return "".join(parts)
    shown, wrong = _shown(frames, selected, frame)
    images = []
    for i in shown.tolist():
        address = base64.b64encode(png_of(frames.pictures[i])).decode()
        mark = WRONG if i in wrong else "transparent"
        images.append(
            f'<img alt="" title="{html.escape(_words(frames, i, frame, i in wrong))}" '
            f'src="data:image/png;base64,{address}" style="--vg-mark:{mark}">'
        )
    parts.append(f'<div class="vg-pictures">{"".join(images)}</div>')
    notes = []
    if len(shown) < len(selected):
        notes.append(f"{len(shown)} of {len(selected):,} pictures, evenly chosen.")
    if wrong:
        notes.append("Underlined: the cluster's class is not the point's own.")
    if notes:
        parts.append(f'<div class="vg-note">{" ".join(notes)}</div>')
    return "".join(parts)


def _shown(
    frames: MapFrames, selected: NDArray[np.int64], frame: int
) -> tuple[NDArray[np.int64], set[int]]:
    """The points whose pictures are drawn, label by label, and those that are wrong."""
    order = selected
    wrong: set[int] = set()
    assigned = frames.assigned(frame)
    if frames.labels is not None:
        order = selected[np.argsort(frames.labels[selected], kind="stable")]
        if assigned is not None and frames.matched is not None:
            has = selected[assigned[selected] != NO_CLUSTER]
            classes = frames.matched[frame][assigned[has]]
            wrong = set(has[classes != frames.labels[has]].tolist())
    if len(order) > MOST_PICTURES:
        order = order[np.linspace(0, len(order) - 1, MOST_PICTURES).astype(int)]
    return order, wrong & set(order.tolist())


def _words(frames: MapFrames, i: int, frame: int, is_wrong: bool) -> str:
    words = [f"point {i:,}"]
    if frames.labels is not None:
        words.append(f"label {_name(frames, int(frames.labels[i]))}")
    assigned = frames.assigned(frame)
    if assigned is not None:
        words.append(f"cluster {_looks(frames, frame)[assigned[i]][0]}")
    return ", ".join(words) + (", wrong" if is_wrong else "")


def draw_gallery(frames: MapFrames, selected: NDArray[np.int64], frame: int) -> None:
    """Draw the selected points' pictures, with counts by label and by cluster.

    Parameters
    ----------
    frames : MapFrames
    selected : ndarray of int64
        From ``MapAnswer.selected``; none are told how to select some.
    frame : int
        From ``MapAnswer.frame``: the clusters are this frame's.
    """
    count = len(selected)
    if not count:
        st.subheader("Selected points", anchor=False)
        st.markdown(
            "Draw a **Lasso** or a **Box** around points on the map; with a mouse, hold Shift and "
            "drag. Their pictures and counts appear here."
        )
        return
    st.subheader(f"{count:,} selected point{'' if count == 1 else 's'}", anchor=False)
    st.html(gallery_html(frames, selected, frame))
