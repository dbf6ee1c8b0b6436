"""The map of a run: its frames, read from the run folder, on the latent map."""

from __future__ import annotations

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from pages.shared.latent_map import MapAnswer, MapFrames, latent_map
from pages.shared.session import Stamp, cached_frame, cached_metrics, cached_stage, fail, stamp_of
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

__all__ = ["RunFrames", "draw_run_map", "lenses_of", "map_frames", "read_frames", "say_skipped"]


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
            key=f"{key}-{lens}",
            height=height,
            live=live,
            colour="cluster" if found.frames.labels is None else "label",
        )
        st.caption(LENSES[lens].words)
    elif not found.skipped:
        words = "The map begins with the first epoch." if live else "This run has no frames."
        st.info(words, icon=":material/map:")
    say_skipped(found)
    return answer


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
