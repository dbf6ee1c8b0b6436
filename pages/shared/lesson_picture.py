"""The pictures of the lesson that a person touches: all of it runs in the browser.

The server sends some samples with their posteriors, the mixtures, and what the answer shows. It
hears nothing while a slider moves; where the browser cannot have the networks, it decodes.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from pages.shared.exploration_message import pack_parts
from pages.shared.interpolation import ASSETS as SHARED_ASSETS
from pages.shared.interpolation import answered
from pages.shared.lesson_facts import Digits, digits_of, kind_colour, kinds_of, world_of
from pages.shared.lesson_link import act
from pages.shared.networks import SERVER_SENTENCE, cached_model, draw_networks, networks_script
from vade_core.colours import text_on
from vade_core.map_page import join_modules
from vade_core.runs import Run

__all__ = [
    "ASSETS",
    "SOURCES",
    "VIEWS",
    "draw_keys",
    "draw_picture",
    "picture_script",
    "turn_of_keys",
]

ASSETS = Path(__file__).parents[2] / "assets" / "lesson"
KEYS = "ls-keys"
VIEWS = ("latents", "cloud", "terms", "hills", "path")
"""The pictures, by the names that the browser knows."""

# What the page Interpolate has already: messages, mixtures, and who decodes.
SHARED = ("message.js", "mixture.js", "engine.js")
ANSWER = "answer.js"
# In the order of use: each file may import from the ones before it.
SOURCES = (
    "formulas.js",
    "parts.js",
    "latents_view.js",
    "cloud_view.js",
    "terms_view.js",
    "hills_view.js",
    "path_view.js",
    "lesson.js",
)


def draw_picture(run: Run, view: str, shown: bool, more: dict[str, Any] | None = None) -> None:
    """Draw the picture of a step.

    Parameters
    ----------
    run : Run
        With a checkpoint and frames.
    view : str
        One of `VIEWS`.
    shown : bool
        Whether the answer is shown.
    more : dict, optional
        JSON for this view.

    Raises
    ------
    RunError
        If the run cannot be read.
    """
    key = f"ls-{view}-{run.id}"
    digits = digits_of(run)
    digest = None if view == "terms" else draw_networks(run)
    message = picture_message(digits, view, shown, digest, repr(world_of(run)), more or {})
    answer = _component()(key=key, data=message, width="stretch", on_ask_change=act)
    if digest is None and view != "terms":
        if isinstance(asked := answer.get("ask"), dict):
            values = answered(asked, cached_model(run))
            if values is not None:
                header = {"number": str(asked.get("number"))}
                data = pack_parts(header, {"values": values.astype("<f4")})
                _answer_component()(key=f"{key}-answer", data=data, height=1)
        st.caption(SERVER_SENTENCE)


def picture_message(
    digits: Digits,
    view: str,
    shown: bool,
    digest: str | None,
    world: str,
    more: dict[str, Any],
) -> bytes:
    """Everything that the browser needs for a picture, as `pack_parts` packs it.

    Parameters
    ----------
    digits : Digits
    view, shown, more
        As for `draw_picture`.
    digest : str or None
        Of the networks; None where the server decodes.
    world : str
        Changes whenever `digits` does.
    """
    found = digits.found
    mark = hashlib.sha256(repr((world, digest, view)).encode()).hexdigest()[:16]
    order = sorted(range(found.n_clusters), key=lambda c: (found.looks[c][0].zfill(8), c))
    header = {
        "world": mark,
        "view": view,
        "shown": shown,
        "digest": digest,
        "latentDim": found.latent_dim,
        "nFeatures": found.n_features,
        "imageShape": found.shape,
        "low": found.limits[0],
        "high": found.limits[1],
        "names": digits.names,
        "colours": [kind_colour(found, kind) for kind in digits.kinds],
        "clusters": [
            {"name": name, "colour": colour, "ink": text_on(colour)} for name, colour in found.looks
        ],
        "order": order,
        **more,
    }
    parts: dict[str, NDArray[Any]] = {
        "samples": digits.samples.astype("<f4"),
        "mean": digits.mean.astype("<f4"),
        "logVariance": digits.log_variance.astype("<f4"),
    }
    mixture = found.prior if view == "hills" else found.assigning
    for name, values in zip(("logWeights", "means", "logVariances"), mixture, strict=True):
        parts[name] = values.astype("<f4")
    if view == "cloud":
        axes = widest(found.latents)
        kinds = kinds_of(found)
        known = np.unique(kinds).tolist()
        header["axes"] = axes
        header["ground"] = [kind_colour(found, kind) for kind in known]
        parts["ground"] = found.latents[:, axes].astype("<f4")
        parts["groundKinds"] = np.searchsorted(known, kinds).astype("<i2")
    return pack_parts(header, parts)


def widest(latents: NDArray[np.float32]) -> list[int]:
    """The two latents that differ most over some points; one of them twice where J = 1."""
    order = np.argsort(-latents.var(axis=0), kind="stable")
    return [int(order[0]), int(order[min(1, len(order) - 1)])]


def draw_keys(step: int, n_steps: int, on_turn: Callable[[], None]) -> None:
    """Let the arrow keys, a presenter's clicker and quick presses of buttons turn the pages.

    Each names the step that it leads to. So none is lost where several come while the server is
    still busy with the first.

    Parameters
    ----------
    step : int
        The one that is shown, 0 for the first.
    n_steps : int
    on_turn : callable
        Called before the page runs, when another step is wanted; `turn_of_keys` says which.
    """
    heard = (st.session_state.get(KEYS) or {}).get("turn") or {}
    data = {"step": step, "last": n_steps - 1, "heard": heard.get("number")}
    _keys_component()(key=KEYS, data=data, height=1, on_turn_change=on_turn)


def turn_of_keys() -> int | None:
    """The step that the keys asked for last, 0 for the first; None for none."""
    asked = (st.session_state.get(KEYS) or {}).get("turn")
    to = asked.get("to") if isinstance(asked, dict) else None
    return to if isinstance(to, int) and not isinstance(to, bool) else None


# --- The components -------------------------------------------------------------------------------


def _read(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


def _shared(name: str) -> str:
    return (SHARED_ASSETS / name).read_text(encoding="utf-8")


def picture_script() -> str:
    """The component's JavaScript as one module."""
    sources = [*map(_shared, SHARED), *map(_read, SOURCES)]
    return join_modules([networks_script(), *sources])


@functools.cache
def _component() -> Callable[..., Any]:
    return st.components.v2.component(
        "vade_explorer.lesson",
        html='<div class="ls"></div>',
        css=_read("lesson.css"),
        js=picture_script(),
    )


@functools.cache
def _answer_component() -> Callable[..., Any]:
    return st.components.v2.component(
        "vade_explorer.lesson_answer",
        html='<div class="ip-answer"></div>',
        js=join_modules([_shared("message.js"), _shared(ANSWER)]),
    )


@functools.cache
def _keys_component() -> Callable[..., Any]:
    return st.components.v2.component(
        "vade_explorer.lesson_keys", html='<div class="lk"></div>', js=_read("keys.js")
    )
