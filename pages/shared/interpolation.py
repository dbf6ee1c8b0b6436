"""The component of the page Interpolate: all of it runs in the browser.

The server hears of what is chosen, for the link and the download, and never while a slider or the
pointer moves. Where the browser cannot have the networks, it asks the server to decode.
"""

from __future__ import annotations

import base64
import binascii
import functools
import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from pages.shared.exploration import Exploration
from pages.shared.exploration_choice import Choice, checked_choice
from pages.shared.exploration_message import pack_message, pack_parts
from pages.shared.networks import networks_script
from vade_core.latent_paths import between_four, path
from vade_core.map_page import join_modules

if TYPE_CHECKING:
    from vade_core.models.base import LatentModel

__all__ = ["ASSETS", "SOURCES", "draw_interpolation", "interpolation_script", "path_npz"]

ASSETS = Path(__file__).parents[2] / "assets" / "interpolate"
# In the order of use: each file may import from the ones before it.
SOURCES = (
    "message.js",
    "mixture.js",
    "paths.js",
    "centring.js",
    "engine.js",
    "world.js",
    "parts.js",
    "charts.js",
    "words.js",
    "path_view.js",
    "grid_views.js",
    "sliders_view.js",
    "draw_view.js",
    "small_map.js",
    "picker.js",
    "interpolate.js",
)
ANSWER = "answer.js"  # of the element that brings what the server decoded
# Latents that the server decodes at a time, and steps of a path that is taken away.
MOST_ASKED = 4096
STEPS_TAKEN = 101
SIDE_TAKEN = 9


def draw_interpolation(
    found: Exploration,
    start: Choice,
    model: LatentModel,
    *,
    digest: str | None,
    world: str,
    key: str,
) -> Choice:
    """Draw the page's component.

    Parameters
    ----------
    found : Exploration
    start : Choice
        What is shown at first; another one replaces what a person chose.
    model : LatentModel
        Decodes where the browser cannot.
    digest : str or None
        Of the networks that are on the page; None where the server decodes.
    world : str
        Changes whenever `found` does.
    key : str
        The element's name on the page.

    Returns
    -------
    Choice
        What is chosen now.
    """
    message, mark = pack_message(found, start, digest, world)
    answer = _component()(
        key=key,
        data=message,
        width="stretch",
        on_choice_change=_do_nothing,
        on_ask_change=_do_nothing,
    )
    if digest is None and isinstance(asked := answer.get("ask"), dict):
        _draw_answer(asked, model, f"{key}-answer")
    told = answer.get("choice")
    if not isinstance(told, dict) or told.get("start") != mark:
        return start
    return checked_choice(told, found, start)


def _do_nothing() -> None:
    """Streamlit keeps only those states that have a callback."""


def _draw_answer(asked: dict[str, Any], model: LatentModel, key: str) -> None:
    """Decode or encode what the browser asked for and send it there."""
    values = answered(asked, model)
    if values is None:
        return
    header = {"number": str(asked.get("number"))}
    message = pack_parts(header, {"values": values.astype("<f4")})
    _answer_component()(key=key, data=message, height=1)


def answered(asked: dict[str, Any], model: LatentModel) -> NDArray[np.float32] | None:
    """What a question of the browser asks for; None where it makes no sense.

    Parameters
    ----------
    asked : dict
        ``kind``: decode or encode; ``n``: how many rows; ``values``: float32, base64 with - and _.
    model : LatentModel

    Returns
    -------
    ndarray of float32 or None
        Means of p(x|z), (n, D), or posterior means, (n, J).
    """
    text, n = asked.get("values"), asked.get("n")
    if not isinstance(text, str) or not isinstance(n, int) or not 0 < n <= MOST_ASKED:
        return None
    try:
        content = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        rows = np.frombuffer(content, "<f4").reshape(n, -1)
    except (ValueError, binascii.Error):
        return None
    encodes = asked.get("kind") == "encode"
    width = model.n_features_in_ if encodes else model.latent_size
    if rows.shape[1] != width or not np.isfinite(rows).all():
        return None
    return np.asarray(model.latents(rows) if encodes else model.decode(rows), np.float32)


def path_npz(found: Exploration, choice: Choice, model: LatentModel) -> bytes:
    """The path and the grid that are chosen, as an NPZ file.

    Parameters
    ----------
    found : Exploration
    choice : Choice
    model : LatentModel

    Returns
    -------
    bytes
        ``at`` (101,), ``latents`` (101, J), ``samples`` (101, D, or h x w), ``responsibilities``
        (101, K), ``log_prior`` (101,) in nats; the same of the four-corner grid, row by row, as
        ``grid_latents`` and ``grid_samples`` (81); and ``way``, ``a``, ``b`` as text.
    """
    at = np.linspace(0, 1, STEPS_TAKEN)
    a, b = found.latent(choice.a), found.latent(choice.b)
    latents = path(a, b, choice.way, at, found.assigning)
    grid = between_four([found.latent(code) for code in choice.corners], SIDE_TAKEN)
    tail = found.shape or (found.n_features,)
    file = io.BytesIO()
    np.savez_compressed(
        file,
        at=at,
        latents=latents,
        samples=model.decode(latents.astype(np.float32)).reshape(-1, *tail),
        responsibilities=np.exp(_log_shares(latents, *found.assigning)),
        log_prior=_log_density(latents, *found.prior),
        grid_latents=grid,
        grid_samples=model.decode(grid.astype(np.float32)).reshape(-1, *tail),
        way=np.array(choice.way),
        a=np.array(choice.a),
        b=np.array(choice.b),
    )
    return file.getvalue()


Values = NDArray[np.float64]


def _log_shares(z: Values, weights: Values, means: Values, variances: Values) -> Values:
    import torch

    from vade_core.mixture import log_responsibilities

    tensors = [torch.from_numpy(values) for values in (z, weights, means, variances)]
    return np.asarray(log_responsibilities(*tensors).numpy(), np.float64)


def _log_density(z: Values, weights: Values, means: Values, variances: Values) -> Values:
    import torch

    from vade_core.mixture import log_marginal

    tensors = [torch.from_numpy(values) for values in (z, weights, means, variances)]
    return np.asarray(log_marginal(*tensors).numpy(), np.float64)


# --- The component --------------------------------------------------------------------------------


def _read(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


def interpolation_script() -> str:
    """The component's JavaScript as one module."""
    return join_modules([networks_script(), *(_read(name) for name in SOURCES)])


@functools.cache
def _component() -> Callable[..., Any]:
    return st.components.v2.component(
        "vade_explorer.interpolate",
        html='<div class="ip"></div>',
        css=_read("interpolate.css"),
        js=interpolation_script(),
    )


@functools.cache
def _answer_component() -> Callable[..., Any]:
    return st.components.v2.component(
        "vade_explorer.interpolate_answer",
        html='<div class="ip-answer"></div>',
        js=join_modules([_read("message.js"), _read(ANSWER)]),
    )
