"""The latent map as a page: its script and style, and a file of its own that needs nothing else.

The same JavaScript draws the map in the app (pages/shared/latent_map.py) and in an exported file.
"""

from __future__ import annotations

import base64
import gzip
import html
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vade_core.colours import PALETTE, RAMP, RIGHT, UNKNOWN, WRONG, text_on
from vade_core.map_frames import MapFrames, pack

__all__ = ["COLOURINGS", "MapView", "join_modules", "map_options", "map_script", "page_html"]

COLOURINGS = ("label", "cluster", "right", "confidence", "entropy", "trust")
"""What the points can be coloured by."""

ASSETS = Path(__file__).resolve().parent.parent / "assets" / "latent_map"

# In the order of use: each file may import from the ones before it.
SOURCES = (
    "store.js",
    "view.js",
    "colouring.js",
    "renderer_webgl.js",
    "renderer_canvas.js",
    "names.js",
    "overlay.js",
    "drag_along.js",
    "scrubber.js",
    "panels.js",
    "snapshot.js",
    "gestures.js",
    "player.js",
    "theme.js",
    "keys.js",
    "link.js",
    "map.js",
)
# Only the file of its own needs these.
PAGE, PAGE_SCRIPT, PAGE_STYLE = "page.html", "page.js", "page.css"
PAGE_ASSETS = ASSETS.parent / "map_page"


@dataclass(frozen=True, eq=False)
class MapView:
    """One map of a page.

    Attributes
    ----------
    title : str
        What its button says.
    words : str
        What the map shows, in a sentence or two.
    frames : MapFrames
    """

    title: str
    words: str
    frames: MapFrames


def read_source(name: str) -> str:
    """The text of one of the map's files."""
    return (ASSETS / name).read_text(encoding="utf-8")


def map_script() -> str:
    """The map's JavaScript as one module."""
    return join_modules([read_source(name) for name in SOURCES])


def map_options(**options: Any) -> dict[str, Any]:
    """Entries of a message's header that say how the map looks, and further ones."""
    return {
        **options,
        "palette": PALETTE,
        "textOn": [text_on(colour) for colour in PALETTE],
        "ramp": RAMP,
        "right": RIGHT,
        "wrong": WRONG,
        "unknown": UNKNOWN,
    }


def join_modules(sources: list[str]) -> str:
    """Join ES modules into one: the component takes a single string.

    Imports of files nearby are dropped, and of the exports only ``export default`` stays. So
    no two files may use one name at their top level.

    Parameters
    ----------
    sources : list of str
        The files' contents, each after those that it imports.

    Returns
    -------
    str
        One module.
    """
    joined = "\n".join(sources)
    joined = re.sub(r'^import [^;]*? from "\.\.?/[^"]+";\n', "", joined, flags=re.MULTILINE)
    return re.sub(r"^export (?!default)", "", joined, flags=re.MULTILINE)


def page_html(title: str, facts: str, views: Sequence[MapView], name: str = "map") -> str:
    """A page with the maps of a run that opens from a disk, without a server or a network.

    Parameters
    ----------
    title : str
        The heading.
    facts : str
        A line below it.
    views : sequence of MapView
        The maps, one a button; the first is shown.
    name : str
        What a saved picture's file name begins with.

    Returns
    -------
    str
        HTML with script, style and frames inside. The frames are compressed; a browser unpacks
        them (DecompressionStream: Chrome 80, Firefox 113, Safari 16.4 or later).

    Raises
    ------
    ValueError
        If there is no view.
    """
    if not views:
        raise ValueError("There is no map to show: give at least one view.")
    described = []
    for i, view in enumerate(views):
        colour = "cluster" if view.frames.labels is None else "label"
        options = map_options(
            key="map", height=420, above=0, live=False, colour=colour, autoplay=i == 0, name=name
        )
        message = gzip.compress(pack(view.frames, options=options), 6, mtime=0)
        packed = base64.b64encode(message).decode()
        described.append({"title": view.title, "words": view.words, "frames": packed})
    script = map_script() + "\n" + _page_source(PAGE_SCRIPT)
    parts = {
        "title": html.escape(title),
        "facts": html.escape(facts),
        "style": read_source("map.css") + _page_source(PAGE_STYLE),
        "map": read_source("map.html"),
        # A closing tag within a string would end the script.
        "views": json.dumps(described).replace("<", "\\u003c"),
        "script": script.replace("</script", "<\\/script"),
    }
    page = _page_source(PAGE)
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], page)


def _page_source(name: str) -> str:
    return (PAGE_ASSETS / name).read_text(encoding="utf-8")
