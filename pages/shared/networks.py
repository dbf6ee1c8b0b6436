"""A run's networks on a page: sent to the browser once, where every component decodes with them.

A page calls `draw_networks` once for a run and hands the digest to its components. Their script
begins with `networks_script`, which gives them ``whenNetworks``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.shared.session import Stamp, stamp_of
from vade_core.map_page import join_modules
from vade_core.runs import CHECKPOINT, CONFIG, Run, RunError

if TYPE_CHECKING:
    from vade_core.models.base import LatentModel

__all__ = [
    "ASSETS",
    "LARGEST_MESSAGE",
    "SERVER_SENTENCE",
    "cached_model",
    "draw_networks",
    "has_model",
    "networks_script",
    "packed_networks",
]

ASSETS = Path(__file__).parents[2] / "assets" / "networks"
# In the order of use: each file may import from the ones before it.
SOURCES = ("noise.js", "kernel.js", "networks.js", "registry.js", "slices.js", "drawing.js")
# What a component may use of them.
PUBLIC = (
    *("whenNetworks", "registerNetworks", "Networks", "NewestDecode"),
    *("seededNormals", "drawGrey", "drawProfile"),
)
LARGEST_MESSAGE = 24 * 2**20
SERVER_SENTENCE = "The server decodes here: a change takes a moment longer."


def has_model(run: Run) -> bool:
    """Whether a run has left a checkpoint already."""
    return (run.path / CHECKPOINT).is_file()


def cached_model(run: Run, frame: int | None = None) -> LatentModel:
    """The model of a run's last checkpoint; shared between sessions, so never change it.

    Parameters
    ----------
    run : Run
    frame : int, optional
        Of an earlier frame, where the run kept its model.

    Raises
    ------
    RunError
        If there is no checkpoint, or it does not fit the run's configuration.
    """
    return _model(str(run.path), _stamp(run, frame), frame)


def packed_networks(
    run: Run, *, encoder: bool = False, frame: int | None = None
) -> tuple[str, bytes]:
    """Digest and bytes of a run's networks, as `vade_core.portable.pack_networks` makes them.

    Raises
    ------
    RunError
        As for `cached_model`, or if a browser cannot take these networks.
    """
    return _packed(str(run.path), _stamp(run, frame), encoder, frame)


def draw_networks(run: Run, *, encoder: bool = False, frame: int | None = None) -> str | None:
    """Bring a run's networks to the page; call it once a page and run, outside of fragments.

    Parameters
    ----------
    run : Run
        With a checkpoint.
    encoder : bool
        Whether the page encodes, too.
    frame : int, optional
        As for `cached_model`.

    Returns
    -------
    str or None
        The digest that ``whenNetworks`` takes. None where the server has to decode: the networks
        are larger than 24 MB, cannot be packed, or the link says ``?decode=server``. The page
        then says `SERVER_SENTENCE`.

    Raises
    ------
    RunError
        As for `cached_model`.
    """
    if st.query_params.get("decode") == "server":
        return None
    cached_model(run, frame)
    try:
        digest, packed = packed_networks(run, encoder=encoder, frame=frame)
    except RunError:
        return None
    if len(packed) > LARGEST_MESSAGE:
        return None
    _component()(key=f"networks-{digest}", data=packed, height=1)
    return digest


@functools.cache
def networks_script() -> str:
    """The JavaScript that a component puts before its own; it exports nothing.

    Top-level names are ``whenNetworks``, ``registerNetworks``, ``Networks``, ``NewestDecode``,
    ``seededNormals``, ``drawGrey`` and ``drawProfile``; all others stay hidden.
    """
    body = join_modules([(ASSETS / name).read_text(encoding="utf-8") for name in SOURCES])
    names = ", ".join(PUBLIC)
    return f"const {{ {names} }} = (() => {{\n{body}\nreturn {{ {names} }};\n}})();\n"


def _stamp(run: Run, frame: int | None) -> Stamp:
    weights = run.path / CHECKPOINT if frame is None else run.weights_path(frame)
    return stamp_of(weights, run.path / CONFIG)


@st.cache_resource(show_spinner=False, max_entries=6)
def _model(path: str, stamp: Stamp, frame: int | None) -> LatentModel:
    from vade_core.rebuild import load_model  # brings torch along

    return load_model(Run(path), frame)


@st.cache_resource(show_spinner=False, max_entries=6)
def _packed(path: str, stamp: Stamp, encoder: bool, frame: int | None) -> tuple[str, bytes]:
    from vade_core.portable import digest_of, pack_networks

    shape = Run(path).config.image_shape
    try:
        packed = pack_networks(_model(path, stamp, frame), encoder=encoder, image_shape=shape)
    except ValueError as error:
        raise RunError(str(error)) from error
    return digest_of(packed), packed


@functools.cache
def _component() -> Callable[..., Any]:
    own = (ASSETS / "component.js").read_text(encoding="utf-8")
    script = join_modules([networks_script(), own])
    return st.components.v2.component(
        "vade_explorer.networks", html='<div class="vn"></div>', js=script
    )
