"""What several maps side by side share: one scrubber, one set of tools, and where they disagree.

The maps (`latent_map` with a `GroupPlace`) and this element talk through events of the window:
playing, scrubbing, zooming, selecting and comparing never ask the server.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from pages.shared.latent_map import GroupPlace
from vade_core.map_page import join_modules
from vade_core.map_page import read_source as read_map_source

__all__ = ["ASSETS", "MAP_SOURCES", "SOURCES", "group_script", "map_group"]

ASSETS = Path(__file__).parents[2] / "assets" / "map_group"

# In the order of use: each file may import from the ones before it.
MAP_SOURCES = ("colouring.js", "panels.js", "snapshot.js", "player.js", "theme.js", "keys.js")
MAP_SOURCES += ("link.js", "drag_along.js")
SOURCES = ("disagree.js", "gallery.js", "side_by_side.js", "track.js", "group.js")


def map_group(
    places: Sequence[GroupPlace],
    *,
    key: str,
    shared: bool,
    noun: str,
    colour: str = "label",
    note: str = "",
) -> None:
    """Draw the scrubber, the tools and the gallery of a group of maps.

    The maps play from their beginning once all of them are there; where a person prefers less
    motion they rest on their last frames.

    Parameters
    ----------
    places : sequence of GroupPlace
        The maps' places in the group, in the order of the page.
    key : str
        The element's name on the page.
    shared : bool
        Whether the maps show the same samples. If not, only time is linked.
    noun : str
        What the samples are called, such as ``"digits"``.
    colour : str
        What the points are coloured by at first.
    note : str
        A sentence below.
    """
    data = {
        "group": places[0].group,
        "maps": [{"key": place.key} for place in places],
        "shared": shared,
        "noun": noun,
        "colour": colour,
        "note": note,
    }
    _component()(key=key, data=data, width="stretch")


def group_script() -> str:
    """The group's JavaScript as one module."""
    own = [_read(name) for name in SOURCES]
    return join_modules([read_map_source(name) for name in MAP_SOURCES] + own)


def _read(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


@functools.cache
def _component() -> Callable[..., Any]:
    return st.components.v2.component(
        "vade_explorer.map_group",
        html=_read("group.html"),
        css=_read("group.css"),
        js=group_script(),
    )
