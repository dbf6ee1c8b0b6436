"""The latent map: points that move from epoch to epoch on the graphics processor.

The frames go to the browser once, as raw bytes; playing, scrubbing, zooming and hovering never
ask the server. Raw bytes were measured against base64 in JSON and against Arrow; figures are
in `_message`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from vade_core.map_frames import MapFrames, pack
from vade_core.map_page import (
    ASSETS,
    COLOURINGS,
    SOURCES,
    join_modules,
    map_options,
    map_script,
)
from vade_core.map_page import read_source as _read

__all__ = [
    "ASSETS",
    "COLOURINGS",
    "SOURCES",
    "GroupPlace",
    "MapAnswer",
    "MapFrames",
    "join_modules",
    "latent_map",
    "map_preview",
]

# Frames that a live map sends again with the new ones: the browser skips a message when
# several arrive at once, and with this tail need not ask for it.
TAIL = 3


@dataclass(frozen=True, eq=False)
class MapAnswer:
    """What a person did on a latent map.

    Attributes
    ----------
    selected : np.ndarray
        (m,) int64, the selected points in ascending order; empty if none are.
    frame : int
        The frame on which the map rests. The last one until a person chooses another; it does
        not change while the map plays. -1 if there are no frames.
    """

    selected: np.ndarray
    frame: int


@dataclass(frozen=True)
class GroupPlace:
    """A map as one of several that are looked at side by side (pages/shared/map_group.py).

    Attributes
    ----------
    group : str
        The group's name on the page.
    key : str
        Which run it is, such as its id.
    sign, title, colour : str
        How the run is marked: a letter, its name, a hex colour.
    rows : sequence of int or None
        A number for each point; equal numbers in two maps are one sample. None where the maps
        share no samples: then only time is linked.
    """

    group: str
    key: str
    sign: str
    title: str
    colour: str
    rows: Sequence[int] | None = None

    def to_json(self) -> dict[str, Any]:
        """As an entry of the map's header."""
        rows = None if self.rows is None else [int(row) for row in self.rows]
        return {
            "name": self.group,
            "key": self.key,
            "sign": self.sign,
            "title": self.title,
            "colour": self.colour,
            "rows": rows,
        }


def latent_map(
    frames: MapFrames,
    *,
    key: str,
    height: int = 560,
    live: bool = False,
    colour: str = "label",
    autoplay: bool = False,
    force_canvas2d: bool = False,
    above: int = 0,
    curve: bool = True,
    name: str = "map",
    pace: float = 2.5,
    left_as: str | None = None,
    group: GroupPlace | None = None,
) -> MapAnswer:
    """Draw a latent map that plays, scrubs, zooms and answers.

    Parameters
    ----------
    frames : MapFrames
        All frames so far. In a live run only the new ones are sent.
    key : str
        The element's name on the page. Zoom, selection and place in time belong to it.
    height : int
        Height of the whole element with its controls, in CSS pixels, at least 360.
    live : bool
        Whether frames are still coming. A map that shows the last frame follows them.
    colour : str
        What the points are coloured by at first: one of `COLOURINGS`.
    autoplay : bool
        Whether the map plays from its first frame when it appears.
    force_canvas2d : bool
        Whether to draw without WebGL2 even where there is one.
    above : int
        Where it is not 0, the element is as high as the window less so many CSS pixels, which
        what stands above it needs, though not much higher than wide.
    curve : bool
        Whether the ACC curve and its marks are drawn under the scrubber.
    name : str
        What a saved picture's file name begins with.
    pace : float
        Frames a second at speed 1.
    left_as : str, optional
        The key of another map of the same frames: this one begins as that one was left, with its
        selection, its zoom and its place in time.
    group : GroupPlace, optional
        Makes it one of several maps: it has no controls of its own, follows the group's time, and
        tells Python neither of a selection nor of a frame.

    Returns
    -------
    MapAnswer
        The selected points and the frame shown.

    Raises
    ------
    ValueError
        If `colour` is not known.

    Notes
    -----
    A selection and a frame that comes to rest run the page, or its fragment, again. Put the
    map in a fragment with what depends on it.
    """
    if colour not in COLOURINGS:
        raise ValueError(f"No colouring {colour!r}; choose one of {', '.join(COLOURINGS)}.")
    options = map_options(
        key=left_as or key,
        height=max(360, int(height)),
        live=live,
        colour=colour,
        autoplay=autoplay,
        forceCanvas2d=force_canvas2d,
        above=int(above),
        curve=curve,
        name=name,
        pace=pace,
        group=None if group is None else group.to_json(),
    )
    state = st.session_state.get(key) or {}
    answer = _component()(
        key=key,
        data=_message(frames, live, options, _asked_for(state), f"{key}:sent"),
        width="stretch",
        on_selection_change=_do_nothing,
        on_frame_change=_do_nothing,
        on_need_change=_do_nothing,
    )
    return _answer(answer, frames)


def map_preview(frames: MapFrames, *, key: str, label: str, force_canvas2d: bool = False) -> None:
    """Draw a small latent map that plays over and over, with ACC and epoch in its frame.

    All previews of a page run in step, from the first frame to the last in the same time, and one
    pause button stops them all. Where a person prefers less motion they rest on the last frame.
    It takes no other clicks and no wheel, so that it can lie below a link.

    Parameters
    ----------
    frames : MapFrames
    key : str
        The element's name on the page.
    label : str
        What it shows, for those who cannot see it.
    force_canvas2d : bool
        Whether to draw without WebGL2 even where there is one.
    """
    options = map_options(
        key=key,
        height=0,
        above=0,
        live=False,
        colour="cluster" if frames.labels is None else "label",
        forceCanvas2d=force_canvas2d,
        curve=False,
        preview=True,
        label=label,
    )
    _component()(key=key, data=pack(frames, 0, options), width="stretch")


def _message(
    frames: MapFrames,
    live: bool,
    options: dict[str, Any],
    need: dict[str, Any] | None,
    note: str,
) -> bytes:
    """The bytes for the browser: everything, or in a live run only what it lacks.

    What was sent is noted in the session. A browser that has lost its frames, or missed a
    message, asks for all of them through the state `need`.

    Measured with 2,000 points, 40 frames and pictures of 28 x 28 (2.96 MB): raw bytes take
    0.2 ms to serialise and 1 ms to read in JavaScript; base64 in JSON takes 7 ms, a third more
    room and 195 ms; Arrow takes 3 ms and hands the page a table to unwrap. Packing itself takes
    10 ms. Streamlit sends an unchanged message only once.
    """
    run = (frames.run_digest(), frames.trust is None)
    sent = st.session_state.get(note) or {}
    stamp = (need or {}).get("stamp")
    first = 0
    if live and sent.get("run") == run and stamp == sent.get("stamp"):
        if frames.n_frames == sent["count"]:
            # The same message again: Streamlit knows it and does not transmit it.
            first = sent["first"]
        elif frames.n_frames > sent["count"]:
            first = max(0, sent["count"] - TAIL)
    st.session_state[note] = {
        "run": run,
        "count": frames.n_frames,
        "first": first,
        "stamp": stamp,
    }
    return pack(frames, first, options)


def _asked_for(state: Any) -> dict[str, Any] | None:
    need = state.get("need")
    return need if isinstance(need, dict) else None


def _answer(state: Any, frames: MapFrames) -> MapAnswer:
    """Check what the browser says: it may speak of an earlier run."""
    last = frames.n_frames - 1
    picked = state.get("selection") or []
    selected = np.unique(np.array([i for i in picked if isinstance(i, int)], dtype=np.int64))
    selected = selected[(selected >= 0) & (selected < frames.n_points)]
    frame = state.get("frame")
    chosen = isinstance(frame, int) and 0 <= frame <= last
    return MapAnswer(selected=selected, frame=frame if chosen else last)


def _do_nothing() -> None:
    """Streamlit keeps only those states that have a callback."""


@functools.cache
def _component() -> Callable[..., Any]:
    return st.components.v2.component(
        "vade_explorer.latent_map",
        html=_read("map.html"),
        css=_read("map.css"),
        js=map_script(),
    )
