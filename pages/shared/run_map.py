"""The map of a run: its frames, read from the run folder, on the latent map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from pages.shared.latent_map import MapAnswer, MapFrames, latent_map
from pages.shared.session import Stamp, cached_frame, cached_metrics, cached_stage, fail, stamp_of
from vade_core.colours import cluster_looks, legend_of_numbers
from vade_core.map_frames import NO_CLUSTER
from vade_core.projection import LENSES
from vade_core.run_frames import (
    Piece,
    RunFrames,
    collect_frames,
    frame_piece,
    frame_trust,
    lenses_of,
)
from vade_core.runs import CONFIG, METRICS, STAGE, Run, RunError

__all__ = [
    "MAP_TO_COME",
    "SELECTED_ON",
    "RunFrames",
    "cluster_words",
    "commonest_classes",
    "draw_run_map",
    "lenses_of",
    "map_frames",
    "read_frames",
    "say_skipped",
    "selected_here_or_before",
    "selected_on",
]

MAP_TO_COME = "The map comes in a moment. It begins with the untrained networks."

RECALL = "10-NN recall: the share of a point's ten nearest neighbours that the map keeps."

# Session state: the points that a person selected last, and on which map.
SELECTED_ON = "selected-on"


def map_frames(run: Run, lens: str) -> MapFrames | None:
    """The frames of a run on one map; None where there is none.

    Parameters
    ----------
    run : Run
    lens : str
        A name in ``vade_core.projection.LENSES``.

    Returns
    -------
    MapFrames or None

    Raises
    ------
    RunError
        If configuration, metrics or stage set cannot be read.
    """
    return read_frames(run, lens).frames


def read_frames(run: Run, lens: str, trust: bool = False) -> RunFrames:
    """The frames of a run on one map, and a sentence for each that cannot be shown.

    Parameters
    ----------
    run, lens
        As for `map_frames`.
    trust : bool
        Whether each point's neighbour recall is wanted: 20 ms a frame at the first look.

    Raises
    ------
    RunError
        If configuration, metrics or stage set cannot be read.
    """
    files = [run.path / CONFIG, run.path / METRICS, run.path / STAGE]
    files += [run.frame_path(number) for number in run.frame_numbers()]
    return _frames(str(run.path), lens, trust, stamp_of(*files))


@st.cache_resource(show_spinner=False, max_entries=8)
def _frames(path: str, lens: str, trust: bool, stamp: Stamp) -> RunFrames:
    run = Run(path)
    numbers = run.frame_numbers()
    if not numbers:
        return RunFrames(None, [])

    def piece_of(number: int) -> Piece:
        return _piece(path, number, lens, stamp_of(run.frame_path(number)))

    def trust_of(number: int) -> NDArray[np.uint8]:
        return _trust(path, number, lens, stamp_of(run.frame_path(number)))

    lines, stage = cached_metrics(run), cached_stage(run)
    return collect_frames(run, lens, lines, stage, numbers, piece_of, trust_of if trust else None)


@st.cache_resource(show_spinner=False, max_entries=400)
def _piece(path: str, number: int, lens: str, stamp: Stamp) -> Piece:
    """One frame made ready for the map; read and worked out once."""
    run = Run(path)
    return frame_piece(run, cached_frame(run, number), lens)


@st.cache_resource(show_spinner=False, max_entries=2000)
def _trust(path: str, number: int, lens: str, stamp: Stamp) -> NDArray[np.uint8]:
    return frame_trust(cached_frame(Run(path), number), lens)


def draw_run_map(
    run: Run, key: str, live: bool = False, height: int = 620, title: str = ""
) -> MapAnswer | None:
    """Draw a run's map with a choice of lenses; a sentence where there is nothing to draw.

    Parameters
    ----------
    run : Run
    key : str
        The map's name on the page. Zoom, selection and place in time belong to it.
    live : bool
        Whether frames are still coming.
    height : int
        In CSS pixels.
    title : str
        A heading, on one line with the lenses.

    Returns
    -------
    MapAnswer or None
        What a person selected; None where nothing is drawn.
    """
    with st.container(horizontal=True, vertical_alignment="center"):
        if title:
            st.subheader(title, width="stretch")
        try:
            lens = _chosen_lens(run, key)
        except RunError as error:
            fail(str(error))
            return None
    if lens is None:
        st.info("This run was made without maps.", icon=":material/map:")
        return None
    try:
        found = read_frames(run, lens)
    except RunError as error:
        fail(str(error))
        return None
    answer = None
    if found.frames is not None:
        answer = latent_map(
            found.frames,
            key=(own := f"{key}-{lens}"),
            height=height,
            live=live,
            colour="cluster" if found.frames.labels is None else "label",
        )
        _note_selection(run.id, lens, own, answer)
        st.caption(f"{LENSES[lens].words} {RECALL}")
        if words := cluster_words(found.frames, answer.frame):
            st.caption(words)
    elif not found.skipped:
        words = MAP_TO_COME if live else "This run has no frames."
        st.info(words, icon=":material/map:")
    say_skipped(found)
    return answer


def _note_selection(run_id: str, lens: str, key: str, answer: MapAnswer) -> None:
    """Keep in mind which points are selected, and on which map: the time machine shows them."""
    if len(answer.selected):
        points = answer.selected.tolist()
        st.session_state[SELECTED_ON] = {"run": run_id, "lens": lens, "key": key, "points": points}
    elif (st.session_state.get(SELECTED_ON) or {}).get("key") == key:
        st.session_state.pop(SELECTED_ON)


def selected_on(run_id: str) -> dict[str, Any]:
    """The ``key``, ``lens`` and ``points`` of a map of a run on which points were selected.

    Empty where none are.
    """
    noted: dict[str, Any] = st.session_state.get(SELECTED_ON) or {}
    return noted if noted.get("run") == run_id else {}


def selected_here_or_before(run_id: str, answer: MapAnswer) -> NDArray[np.int64]:
    """The points selected on a map; those that another page's map brought, until some are."""
    noted = selected_on(run_id)
    if len(answer.selected):
        if noted:
            noted["told"] = True  # from now on this map alone decides
        return answer.selected
    if noted.get("told"):
        return answer.selected
    return np.array(noted.get("points", []), dtype=np.int64)


def cluster_words(frames: MapFrames, i: int) -> str:
    """Which cluster is meant by which name of the legend, in a frame; empty without clusters.

    A cluster goes by the class that it is matched with, any other by its number, as c9. More
    clusters than there are colours wear some of them twice; that is said too.
    """
    assigned = frames.assigned(i) if frames.n_frames else None
    if assigned is None or frames.matched is None or (assigned == NO_CLUSTER).all():
        return ""
    matched = [int(code) for code in frames.matched[i]]
    classes, looks = cluster_looks(frames.class_names, matched, len(matched))
    names = [name for name, _ in looks]
    pairs = sorted((code, cluster) for cluster, code in enumerate(matched) if code >= 0)
    said = []
    if pairs:
        code, cluster = pairs[0]
        goes = [f"{classes[code]} is c{cluster} (cluster number {cluster})"]
        goes += [f"{classes[code]} is c{cluster}" for code, cluster in pairs[1:]]
        said.append(f"A cluster goes by the class it is matched with: {', '.join(goes)}.")
    commonest = commonest_classes(frames.labels, assigned, len(names), classes)
    said.append(legend_of_numbers(names, commonest))
    wearers: dict[str, list[str]] = {}
    for cluster in [c for _, c in pairs] + [c for c, code in enumerate(matched) if code < 0]:
        wearers.setdefault(looks[cluster][1], []).append(names[cluster])
    twice = [" and ".join(who) for who in wearers.values() if len(who) > 1]
    said.append(f"Of one colour: {', '.join(twice)}." if twice else "")
    return " ".join(sentence for sentence in said if sentence)


def commonest_classes(
    labels: NDArray[np.integer[Any]] | None,
    clusters: NDArray[np.integer[Any]],
    k: int,
    names: Sequence[str],
) -> list[str | None] | None:
    """The name of the class that each of k clusters holds most of; None for an empty one.

    None for all where there are no labels.
    """
    if labels is None:
        return None
    found: list[str | None] = []
    for c in range(k):
        inside = labels[clusters == c]
        most = int(np.bincount(inside).argmax()) if len(inside) else -1
        found.append(str(most) if most >= len(names) else names[most] if most >= 0 else None)
    return found


def say_skipped(found: RunFrames) -> None:
    """Say on the page which frames cannot be shown, if there are any."""
    if found.skipped:
        more = len(found.skipped) - 1
        also = f" So it is with {more} more." if more else ""
        st.warning(f"{found.skipped[0]} The frame is left out.{also}", icon=":material/warning:")


def _chosen_lens(run: Run, key: str) -> str | None:
    """The lens that a person chose, the run's first until then; None where it has none."""
    lenses = lenses_of(run)
    if len(lenses) < 2:
        return lenses[0] if lenses else None
    chosen = st.segmented_control(
        "Map",
        lenses,
        default=lenses[0],
        required=True,
        format_func=lambda name: LENSES[name].title,
        key=f"{key}-lens",
        label_visibility="collapsed",
        persist_state="session",
    )
    return chosen or lenses[0]
