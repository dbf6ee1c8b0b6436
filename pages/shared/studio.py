"""The cluster studio: what each cluster of a run draws, with sliders that never ask the server.

The run's networks come by `pages.shared.networks`; what is here tells the browser the rest: the
clusters' names and colours, their sizes, and the real samples nearest to their means.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from pages.shared.networks import networks_script
from pages.shared.studio_facts import Look, StudioFacts
from vade_core.map_page import join_modules
from vade_core.models.base import LatentModel

__all__ = [
    "DEFAULTS",
    "MOST_SAMPLES",
    "VAE_ROWS",
    "Settings",
    "draw_studio",
    "latents_of",
    "packed_values",
    "served_samples",
    "settings_in_link",
    "settings_of",
    "studio_message",
    "told_settings",
    "words_of_settings",
]

ASSETS = Path(__file__).parents[2] / "assets" / "studio"
Settings = dict[str, Any]

DEFAULTS: Settings = {"count": 10, "temperature": 1.0, "seed": 0, "sorted": False}
MOST_SAMPLES, LARGEST_TEMPERATURE, LARGEST_SEED = 20, 2.0, 999
# Rows of samples of a prior that has no clusters.
VAE_ROWS = 10
# Of a sample that is no picture, as assets/networks/drawing.js draws it.
MOST_CORNERS = 200
# In the order of use: each file may import from the ones before it.
SOURCES = ("picture.js", "card.js", "source.js", "studio.js")


def settings_of(found: Any) -> Settings:
    """Settings within their limits, out of what a browser or a link says; defaults for the rest.

    Parameters
    ----------
    found : object
        A mapping of ``count``, ``temperature``, ``seed`` and ``sorted``, or anything else.

    Returns
    -------
    dict

    Examples
    --------
    >>> settings_of({"count": "30", "temperature": "warm", "sorted": True})
    {'count': 20, 'temperature': 1.0, 'seed': 0, 'sorted': True}
    """
    given = found if isinstance(found, dict) else {}
    return {
        "count": int(_within(given.get("count"), 1, MOST_SAMPLES, DEFAULTS["count"])),
        "temperature": round(
            _within(given.get("temperature"), 0, LARGEST_TEMPERATURE, DEFAULTS["temperature"]), 2
        ),
        "seed": int(_within(given.get("seed"), 0, LARGEST_SEED, DEFAULTS["seed"])),
        "sorted": given.get("sorted") in (True, "gamma"),
    }


def _within(value: Any, low: float, high: float, otherwise: float) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return otherwise
    return min(max(number, low), high) if np.isfinite(number) else otherwise


def settings_in_link(settings: Settings) -> dict[str, str]:
    """What the address carries of some settings: those that are not the usual ones.

    Examples
    --------
    >>> settings_in_link({"count": 10, "temperature": 0.5, "seed": 0, "sorted": True})
    {'temperature': '0.5', 'order': 'gamma'}
    """
    usual = words_of_settings(DEFAULTS)
    return {
        name: words for name, words in words_of_settings(settings).items() if words != usual[name]
    }


def words_of_settings(settings: Settings) -> dict[str, str]:
    """Settings in the words of a link.

    Examples
    --------
    >>> words_of_settings({"count": 10, "temperature": 0.5, "seed": 0, "sorted": False})
    {'count': '10', 'temperature': '0.5', 'seed': '0', 'order': 'drawn'}
    """
    numbers = {name: f"{settings[name]:g}" for name in ("count", "temperature", "seed")}
    return numbers | {"order": "gamma" if settings["sorted"] else "drawn"}


def latents_of(
    model: LatentModel, settings: Settings
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The latents that the browser draws for some settings, in the order of their noise.

    Parameters
    ----------
    model : LatentModel
    settings : dict
        Of `settings_of`.

    Returns
    -------
    latents : ndarray of float32, shape (rows, count, J)
    clusters : ndarray of int64, shape (rows,)
        The cluster that each row asks for; -1 where the prior has none.
    """
    from vade_core.portable import seeded_normals

    if not model.prior_.gaussian:
        return _drawn_exactly(model, settings)
    _, means, log_variances = (
        values.detach().cpu().numpy().astype(np.float32) for values in model.prior_.components()
    )
    count, width = settings["count"], means.shape[1]
    own = model.prior_.n_clusters > 0
    drawn = count if own else VAE_ROWS * count
    noise = seeded_normals(settings["seed"], drawn, width)
    spread = np.float32(settings["temperature"]) * np.exp(0.5 * log_variances)
    if own:
        latents = means[:, None] + spread[:, None] * noise
        return latents, np.arange(len(means), dtype=np.int64)
    latents = (means + spread * noise).reshape(VAE_ROWS, count, width)
    return latents, np.full(VAE_ROWS, -1, dtype=np.int64)


def _drawn_exactly(
    model: LatentModel, settings: Settings
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The same from a prior that is no mixture of Gaussians: the server draws, and decodes."""
    count, clusters = settings["count"], model.prior_.n_clusters
    how = {"temperature": settings["temperature"], "random_state": settings["seed"]}
    if clusters:
        rows = [model.sample_latents(count, cluster=c, **how) for c in range(clusters)]
        return np.stack(rows).astype(np.float32), np.arange(clusters, dtype=np.int64)
    drawn = model.sample_latents(VAE_ROWS * count, **how).astype(np.float32)
    return drawn.reshape(VAE_ROWS, count, -1), np.full(VAE_ROWS, -1, dtype=np.int64)


def served_samples(
    model: LatentModel, settings: Settings, shape: Sequence[int] | None
) -> dict[str, Any]:
    """What a browser without networks draws for some settings: samples, decoded by the server.

    Parameters
    ----------
    model : LatentModel
    settings : dict
        Of `settings_of`.
    shape : sequence of two int, or None
        Of the pictures; None where samples are none.

    Returns
    -------
    dict
        ``samples`` (rows, count) and ``means`` (rows) as `packed_values` gives them, ``gamma``
        (rows, count, K) as float32 in base64, ``k``, ``shape``, and ``for``: the count, the
        temperature and the seed.
    """
    latents, _ = latents_of(model, settings)
    flat = latents.reshape(-1, latents.shape[-1])
    _, means, _ = model.prior_.components()
    gamma = model.responsibilities(flat).astype("<f4")
    return {
        "for": {name: settings[name] for name in ("count", "temperature", "seed")},
        "shape": None if shape is None else list(shape),
        "k": int(gamma.shape[1]),
        "gamma": base64.b64encode(np.ascontiguousarray(gamma).tobytes()).decode(),
        "samples": packed_values(model.decode(flat), shape),
        "means": packed_values(model.decode(means.detach().cpu().numpy()), shape),
    }


def packed_values(values: NDArray[Any], shape: Sequence[int] | None) -> dict[str, Any]:
    """Samples (n, D) no finer than they are drawn: grey levels, or the corners of a line."""
    if shape is not None:
        grey = np.nan_to_num(np.asarray(values, np.float64), nan=0.0).clip(0, 1)
        packed: NDArray[Any] = np.rint(grey * 255).astype(np.uint8)
    else:
        packed = np.asarray(values, np.float64)
        if packed.shape[1] > MOST_CORNERS:
            first = np.arange(MOST_CORNERS) * packed.shape[1] // MOST_CORNERS
            many = np.diff(np.append(first, packed.shape[1]))
            packed = np.add.reduceat(packed, first, axis=1) / many
        packed = packed.astype("<f4")
    return {
        "kind": "grey" if shape is not None else "floats",
        "count": len(packed),
        "length": int(packed.shape[1]),
        "bytes": base64.b64encode(np.ascontiguousarray(packed).tobytes()).decode(),
    }


def studio_message(
    facts: StudioFacts,
    digest: str | None,
    initial: Settings,
    served: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """What the browser needs beside the networks.

    Parameters
    ----------
    facts : StudioFacts
    digest : str or None
        Of the networks; None where the server decodes.
    initial : dict
        The settings to begin with.
    served : dict, optional
        Of `served_samples`, where the server decodes.

    Returns
    -------
    dict
        As JSON holds it; ``stamp`` changes with everything but the settings and what is served.
    """
    message: dict[str, Any] = {
        "digest": digest,
        "own": facts.own,
        "looks": [look_of(look) for look in facts.looks],
        "rows": [_row(facts, look) for look in facts.looks] if facts.own else [],
        # Digits in their order, as people look for them; clusters without one come last.
        "order": [look.cluster for look in sorted(facts.looks, key=_place)],
        "nearest": _nearest(facts, whole=digest is not None),
        "limits": list(facts.limits),
        "noun": facts.noun,
        "real": facts.real_words,
        "file": f"{facts.run_id}-clusters.png",
        "title": facts.title,
    }
    text = json.dumps(message, sort_keys=True)
    stamp = hashlib.sha256(text.encode()).hexdigest()[:16]
    return message | {"stamp": stamp, "initial": initial, "served": served}


def look_of(look: Look) -> dict[str, Any]:
    """A cluster's name and colours as JSON holds them."""
    return {
        "cluster": look.cluster,
        "name": look.name,
        "number": f"c{look.cluster}",
        "colour": look.colour,
        "ink": look.ink,
    }


def _place(look: Look) -> tuple[bool, tuple[bool, float, str], int]:
    number = look.name.isdecimal()
    name = (not number, float(look.name) if number else 0.0, look.name)
    return look.name == f"c{look.cluster}", name, look.cluster


def _row(facts: StudioFacts, look: Look) -> dict[str, Any]:
    c = look.cluster
    size, purity = facts.sizes[c], facts.purities[c]
    weight = f"weight π {_share(facts.weights[c])}"
    held = [] if size is None else ["empty" if size == 0 else f"{size:,}"]
    if purity is not None:
        # Unlike the size it is of the stage set, as a rule some hundred samples a cluster.
        sign = "" if _on_map(facts) else "≈ "
        held.append(f"{sign}{100 * purity:.0f} % pure")
    words = [weight] + ([] if size is None else [f"{size:,} samples"])
    if purity is not None:
        words.append(f"{_share(purity)} of those on the map of one {facts.noun}")
    return {
        **look_of(look),
        "lines": [f"π {_share(facts.weights[c])}", *([", ".join(held)] if held else [])],
        "words": ", ".join(words),
        "nearest": facts.nearest[c].tolist(),
    }


def _on_map(facts: StudioFacts) -> bool:
    """Whether the map holds all samples, so that what is counted there is counted of all."""
    found = None if facts.frame is None else facts.frame.clusters
    return found is not None and len(found) == sum(size or 0 for size in facts.sizes)


def _share(value: float) -> str:
    return f"{100 * value:.1f} %"


def _nearest(facts: StudioFacts, whole: bool) -> dict[str, Any] | None:
    """The real samples that some row shows, each once: rows speak of them by position."""
    if facts.real is None or not len(facts.real):
        return None
    values = facts.real
    if values.dtype != np.uint8 and not whole:
        return packed_values(values, None) | {"labels": facts.real_labels}
    grey = values.dtype == np.uint8
    packed = values if grey else values.astype("<f4")
    return {
        "kind": "grey" if grey else "floats",
        "count": len(values),
        "bytes": base64.b64encode(np.ascontiguousarray(packed).tobytes()).decode(),
        "labels": facts.real_labels,
    }


def told_settings(key: str) -> Settings | None:
    """The settings that a person has chosen in a studio, before it is drawn again."""
    found = (st.session_state.get(key) or {}).get("settings")
    return settings_of(found) if isinstance(found, dict) else None


def draw_studio(message: dict[str, Any], key: str) -> Settings | None:
    """Draw the studio.

    Parameters
    ----------
    message : dict
        Of `studio_message`.
    key : str
        The element's name on the page.

    Returns
    -------
    dict or None
        The settings once a person has let go of a slider; None until then.
    """
    state = _component()(key=key, data=message, width="stretch", on_settings_change=_do_nothing)
    found = state.get("settings")
    return settings_of(found) if isinstance(found, dict) else None


def _do_nothing() -> None:
    """Streamlit keeps only those states that have a callback."""


@functools.cache
def _component() -> Callable[..., Any]:
    return st.components.v2.component(
        "vade_explorer.studio",
        html=_read("studio.html"),
        css=_read("studio.css"),
        js=join_modules([networks_script(), *_sources(SOURCES)]),
    )


def _sources(names: Sequence[str]) -> list[str]:
    return [_read(name) for name in names]


def _read(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")
