"""The maps of several runs side by side, with one scrubber."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from pages.shared.compare_runs import (
    HEAD_STYLE,
    Compared,
    head_html,
    head_words,
    lines_of_words,
    listed,
    noun_of,
)
from pages.shared.compare_words import explained
from pages.shared.latent_map import GroupPlace, latent_map
from pages.shared.map_group import map_group
from pages.shared.run_map import MAP_TO_COME, lenses_of, read_frames, say_skipped
from pages.shared.session import cached_stage, fail, put_into_link, take_from_link
from vade_core.projection import LENSES
from vade_core.run_frames import RunFrames
from vade_core.runs import RunError
from vade_core.same_points import common_points, same_data, same_points

__all__ = ["choose_common_lens", "draw_maps", "linked_points"]

GROUP = "compare"
# What stands above the maps, and the scrubber below them, in CSS pixels of the window.
ABOVE = 335
LINE = 22  # that the sentences over the maps take more
LEAST_HEIGHT = 360
TWO_ROWS_HEIGHT = 380


def choose_common_lens(compared: Sequence[Compared]) -> str | None:
    """Draw the choice of a map that all the runs have; a link carries it.

    Raises
    ------
    RunError
        If a configuration cannot be read.
    """
    first, *others = (lenses_of(each.run) for each in compared)
    lenses = [lens for lens in first if all(lens in other for other in others)]
    if not lenses:
        st.query_params.pop("lens", None)
        return None
    take_from_link("cmp-lens", "lens", lenses[0], lenses)
    lens = st.segmented_control(
        "Map",
        lenses,
        required=True,
        key="cmp-lens",
        format_func=lambda name: LENSES[name].title,
        label_visibility="collapsed",
        persist_state="session",
    )
    put_into_link("cmp-lens", "lens", lenses[0])
    return lens or lenses[0]


def linked_points(compared: Sequence[Compared]) -> tuple[list[Any], str, str]:
    """Which points of the runs' maps are the same samples, and what is to be said of it.

    Returns
    -------
    list of (ndarray of int64 or None)
        By run: a number for each point, equal numbers for one sample; None where none is shared.
    str
        A sentence where something is not as usual, else empty.
    str
        What is said in place of the disagreement where nothing is shared, else empty.

    Raises
    ------
    RunError
        If a stage set cannot be read.
    """
    configs = [each.run.config for each in compared]
    if not same_data(configs):
        words = "These runs are of different data sets: their maps share time alone."
        return [None] * len(compared), "", words
    stages = [cached_stage(each.run) for each in compared]
    names = same_points(list(zip(configs, stages, strict=True)))
    common = [] if names is None else common_points(names)
    if names is None or not len(common):
        words = "No sample stands on all of these maps: they share time alone."
        return [None] * len(compared), "", words
    most = max(len(own) for own in names)
    if len(common) < most:
        words = f"{len(common):,} of {most:,} points stand on all maps; only they are compared."
        return list(names), words, ""
    return list(names), "", ""


def draw_maps(compared: Sequence[Compared], lens: str) -> None:
    """Draw the maps beside one another, what they share below them."""
    st.html(HEAD_STYLE)
    try:
        rows, words, apart = linked_points(compared)
    except RunError as error:
        fail(str(error))
        return
    found = [_frames_of(each, lens) for each in compared]
    places = [
        GroupPlace(GROUP, each.run.id, each.sign, each.title, each.colour, own)
        for each, own in zip(compared, rows, strict=True)
    ]
    labelled = all(f is not None and f.frames is not None and f.frames.labels is not None
                   for f in found)  # fmt: skip
    colour = "label" if labelled else "cluster"
    across = 2 if len(compared) == 4 else len(compared)
    said = head_words(compared)
    lines = lines_of_words(said, across)
    above = 0 if len(compared) == 4 else ABOVE + (lines - 1) * LINE
    columns = []
    for first in range(0, len(compared), across):
        columns += st.columns(across, gap="small")[: len(compared) - first]
    drawn = []
    for i, (column, each) in enumerate(zip(columns, compared, strict=True)):
        with column:
            st.html(head_html(each, said[i], lines))
            if _draw_map(each, found[i], places[i], colour, above):
                drawn.append(places[i])
    if not drawn:
        return
    time = (
        "Time runs as a share of each run's own frames: all begin and end together."
        if len(drawn) > 1
        else ""
    )
    if not words and not labelled and not apart and len(drawn) > 1:
        words = "Without labels, clusters are paired by the samples that they share."
    maps = [f.frames for f in found if f is not None and f.frames is not None]
    map_group(
        drawn,
        key="cmp-group",
        shared=not apart and len(drawn) > 1,
        noun=noun_of(compared),
        colour=colour,
        note=" ".join(part for part in (apart, time, words, *explained(maps)) if part),
    )


def _frames_of(each: Compared, lens: str) -> RunFrames | None:
    try:
        return read_frames(each.run, lens)
    except (RunError, OSError) as error:
        fail(str(error))
        return None


def _draw_map(
    each: Compared, found: RunFrames | None, place: GroupPlace, colour: str, above: int
) -> bool:
    """Draw one map; False where there is nothing to draw, and that is said.

    `above` is what stands above it in the window; 0 where the maps take two rows.
    """
    if found is None:
        return False
    if found.frames is None:
        if not found.skipped:
            words = MAP_TO_COME if each.live else "It has no frames."
            st.info(words, icon=":material/map:")
        say_skipped(found)
        return False
    latent_map(
        found.frames,
        key=f"cmp-{each.run.id}",
        height=LEAST_HEIGHT if above else TWO_ROWS_HEIGHT,
        above=above,
        live=each.live,
        colour=colour,
        curve=False,
        name=each.run.id,
        group=place,
    )
    say_skipped(found)
    return True


def no_lens_words(compared: Sequence[Compared]) -> str:
    """Why there are no maps side by side."""
    names = listed([each.title for each in compared])
    return f"{names} have no map in common: train with the same maps to see them side by side."
