"""Clusters through time: which points went from which cluster to which, over chosen epochs.

The counting is done here, the drawing in the browser (assets/river). Colours follow the matched
class, so that a cluster keeps its colour when its number changes.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from pages.shared.session import percent
from vade_core.colours import UNKNOWN, colour_of, text_on
from vade_core.map_frames import NO_CLUSTER, MapFrames, epoch_title
from vade_core.map_page import join_modules

ASSETS = Path(__file__).parents[2] / "assets"

__all__ = ["draw_river", "river_spec", "sentence_about", "usual_moments"]

Codes = NDArray[np.int64]
_NONE = -1


@dataclass(frozen=True, eq=False)
class _Moment:
    """A column: for each point a code, and for each code a name and the words of the cluster."""

    title: str
    note: str
    codes: Codes
    names: dict[int, str]
    kind: str


def usual_moments(frames: MapFrames, phases: Sequence[str]) -> list[int]:
    """The frames that a river shows unless a person chooses: start, early, middle, end.

    Parameters
    ----------
    frames : MapFrames
    phases : sequence of str
        Of the frames, by their names in metrics.jsonl.

    Returns
    -------
    list of int
        Up to four frames that have clusters, in order. Early is the end of the clamping where
        there was one, else an eighth of the way.
    """
    known = [i for i in range(frames.n_frames) if _has_clusters(frames, i)]
    if len(known) < 2:
        return known
    clamped = [i for i in known if phases[i] == "clamped"]
    early = clamped[-1] if clamped else known[max(1, len(known) // 8)]
    left = [i for i in known if i > early]
    middle = left[(len(left) - 1) // 2] if left else early
    return sorted({known[0], early, middle, known[-1]})


def _has_clusters(frames: MapFrames, i: int) -> bool:
    assigned = frames.assigned(i)
    return assigned is not None and bool((assigned != NO_CLUSTER).any())


def river_spec(
    frames: MapFrames, moments: Sequence[int], *, labels: bool = False
) -> dict[str, Any]:
    """What the drawing needs: columns of clusters, and streams between neighbouring columns.

    Parameters
    ----------
    frames : MapFrames
    moments : sequence of int
        Frames, in order.
    labels : bool
        Whether a last column shows the labels.

    Returns
    -------
    dict
        ``columns``: each a ``kind`` (cluster or label), a ``title``, a ``note`` and ``nodes`` with
        ``code`` (what the colour stands for), ``name``, ``colour``, ``ink``, ``count`` and
        ``words``. ``flows``: for each pair of neighbours a list of ``from``, ``to`` (places among
        the nodes), ``count`` and ``words``. ``height`` in CSS pixels, ``label`` in words.
    """
    columns = _columns(frames, moments)
    if labels and frames.labels is not None:
        names = _class_names(frames)
        codes = frames.labels.astype(np.int64)
        known = {c: _class_name(names, c) for c in np.unique(codes).tolist()}
        columns.append(_Moment("Labels", "what people say", codes, known, "label"))
    drawn = [_draw_column(column, frames) for column in columns]
    flows = [_flows(a, b) for a, b in itertools.pairwise(columns)]
    titles = ", ".join(column.title for column in columns)
    return {
        "columns": drawn,
        "flows": flows,
        "height": max(520, 60 + 40 * max((len(c["nodes"]) for c in drawn), default=0)),
        "label": f"Which points are in which cluster: {titles}.",
    }


def _columns(frames: MapFrames, moments: Sequence[int]) -> list[_Moment]:
    names = _class_names(frames)
    matched = frames.matched
    named = matched is not None and bool((matched >= 0).any())
    last: Codes | None = None
    found = []
    # From the end: without labels a cluster wears the colour of the one that it becomes.
    for i in reversed(moments):
        assigned = frames.assigned(i)
        if assigned is None:
            continue
        k = int(assigned[assigned != NO_CLUSTER].max(initial=0)) + 1
        wears = np.full(max(k, 0 if matched is None else matched.shape[1]), _NONE, np.int64)
        if named and matched is not None:
            wears[: matched.shape[1]] = matched[i]
        elif last is not None:
            wears = _followed(assigned, last, len(wears))
        base = len(names) if named else int(wears.max(initial=_NONE)) + 1
        alone = wears < 0
        wears[alone] = base + np.flatnonzero(alone)
        codes = np.full(len(assigned), _NONE, np.int64)
        has = assigned != NO_CLUSTER
        codes[has] = wears[assigned[has]]
        known = {
            int(code): _class_name(names, int(code))
            if named and code < len(names)
            else f"c{cluster if named else code}"
            for cluster, code in enumerate(wears)
        }
        known[_NONE] = "none"
        accuracy = frames.accuracy[i]
        note = "" if accuracy is None else f"ACC {percent(accuracy)}"
        found.append(_Moment(epoch_title(frames.epochs[i]), note, codes, known, "cluster"))
        last = codes
    return found[::-1]


def _followed(assigned: NDArray[np.uint8], later: Codes, k: int) -> Codes:
    """For each cluster the code, one to one, that most of its points have later; -1 for none."""
    from vade_core.metrics import matching

    both = (assigned != NO_CLUSTER) & (later != _NONE)
    if not both.any():
        return np.full(k, _NONE, np.int64)
    return np.asarray(matching(later[both], assigned[both].astype(np.int64), k), np.int64)


def _draw_column(column: _Moment, frames: MapFrames) -> dict[str, Any]:
    nodes = []
    for code, count in _counts(column.codes):
        colour = UNKNOWN if code == _NONE else colour_of(code)
        name = column.names[code]
        words = [f"{_said(column, code)}: {_points(count)}"]
        if column.kind == "cluster" and frames.labels is not None:
            inside = frames.labels[column.codes == code]
            names = _class_names(frames)
            kinds, many = np.unique(inside, return_counts=True)
            order = np.argsort(-many, kind="stable")[:3]
            holds = [f"{many[o]} × {_class_name(names, int(kinds[o]))}" for o in order]
            words.append(f"Labels: {', '.join(holds)}{', …' if len(kinds) > 3 else ''}")
        nodes.append(
            {
                "code": code,
                "name": name,
                "colour": colour,
                "ink": text_on(colour),
                "count": count,
                "words": "\n".join(words),
            }
        )
    return {
        "kind": column.kind,
        "title": column.title,
        "note": column.note,
        "nodes": nodes,
    }


def _flows(a: _Moment, b: _Moment) -> list[dict[str, Any]]:
    left, right = _counts(a.codes), _counts(b.codes)
    of_left = {code: i for i, (code, _) in enumerate(left)}
    of_right = {code: i for i, (code, _) in enumerate(right)}
    pairs, many = np.unique(np.stack([a.codes, b.codes]), axis=1, return_counts=True)
    sizes = dict(left)
    found = []
    for (before, after), count in zip(pairs.T.tolist(), many.tolist(), strict=True):
        source, share = _said(a, before), percent(count / sizes[before])
        words = f"{_points(count)}\nfrom {source} to {_said(b, after)}: {share} of {source}"
        pair = {"from": of_left[before], "to": of_right[after]}
        found.append({**pair, "count": count, "words": words})
    return found


def _counts(codes: Codes) -> list[tuple[int, int]]:
    """Codes and how many points have each, in the order of the codes, those of none last."""
    kinds, many = np.unique(codes, return_counts=True)
    pairs = list(zip(kinds.tolist(), many.tolist(), strict=True))
    return [p for p in pairs if p[0] != _NONE] + [p for p in pairs if p[0] == _NONE]


def _said(column: _Moment, code: int) -> str:
    if code == _NONE:
        return f"no cluster at {column.title}"
    if column.kind == "label":
        return f"label {column.names[code]}"
    return f"cluster {column.names[code]} at {column.title}"


def _points(count: int) -> str:
    return f"{count:,} point{'' if count == 1 else 's'}"


def _class_names(frames: MapFrames) -> list[str]:
    names = [str(name) for name in frames.class_names or []]
    most = len(names)
    for values in (frames.labels, frames.matched):
        if values is not None and values.size:
            most = max(most, int(values.max()) + 1)
    return names + [str(c) for c in range(len(names), most)]


def _class_name(names: Sequence[str], code: int) -> str:
    return names[code] if 0 <= code < len(names) else str(code)


def sentence_about(spec: dict[str, Any]) -> str:
    """How many points changed from column to column, in words; empty for a single column.

    A cluster that keeps its points and is matched with another class changes all of them.
    """
    parts = []
    columns = spec["columns"]
    for c, flows in enumerate(spec["flows"]):
        if columns[c + 1]["kind"] == "label":
            continue
        left, right = columns[c]["nodes"], columns[c + 1]["nodes"]
        total = sum(flow["count"] for flow in flows)
        moved = sum(f["count"] for f in flows if left[f["from"]]["code"] != right[f["to"]]["code"])
        pair = f"{columns[c]['title']} → {columns[c + 1]['title']}"
        parts.append(f"{pair}: {moved:,} ({percent(moved / max(1, total))})")
    return f"Points that changed their colour: {'; '.join(parts)}." if parts else ""


def draw_river(spec: dict[str, Any], key: str) -> None:
    """Draw a river.

    Parameters
    ----------
    spec : dict
        Of `river_spec`.
    key : str
        Its name on the page.
    """
    _component()(key=key, data=spec, width="stretch")


@functools.cache
def _component() -> Callable[..., Any]:
    drawing, css, js = (
        (ASSETS / name).read_text(encoding="utf-8")
        for name in ("drawing/svg.js", "river/river.css", "river/river.js")
    )
    return st.components.v2.component(
        "vade_explorer.river", html=_HTML, css=css, js=join_modules([drawing, js])
    )


_HTML = '<div class="rv"><svg role="list"></svg><div class="rv-card" hidden></div></div>'
