"""What can be taken away from the cluster studio, and what it is served where a browser cannot."""

from __future__ import annotations

import csv
import io
from typing import Any

import numpy as np
import streamlit as st

from pages.shared.networks import cached_model
from pages.shared.session import Stamp, stamp_of
from pages.shared.studio import DEFAULTS, Settings, latents_of, served_samples
from pages.shared.studio_facts import StudioFacts
from vade_core.models.base import LatentModel
from vade_core.runs import CHECKPOINT, CONFIG, Run

__all__ = ["clusters_csv", "samples_npz", "served_by"]


def samples_npz(model: LatentModel, facts: StudioFacts, settings: Settings) -> bytes:
    """The samples that the browser shows, decoded in full precision, in the order of their noise.

    Returns
    -------
    bytes
        A compressed NPZ: ``samples`` (rows, count, D), ``latents`` (rows, count, J),
        ``responsibilities`` (rows, count, K), ``cluster`` (rows; -1: no cluster was asked for),
        ``names`` (K), ``temperature`` and ``seed``. No objects: it opens with
        ``allow_pickle=False``.
    """
    latents, clusters = latents_of(model, settings)
    rows, count, width = latents.shape
    flat = latents.reshape(-1, width)
    file = io.BytesIO()
    np.savez_compressed(
        file,
        samples=model.decode(flat).reshape(rows, count, -1),
        latents=latents,
        responsibilities=model.responsibilities(flat).reshape(rows, count, -1),
        cluster=clusters,
        names=np.array([look.name for look in facts.looks], dtype=np.str_),
        temperature=np.float64(settings["temperature"]),
        seed=np.int64(settings["seed"]),
    )
    return file.getvalue()


def clusters_csv(facts: StudioFacts) -> str:
    """The clusters as CSV: number, name, weight pi, size and purity; what is not known is empty."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(("cluster", "name", "pi", "size", "purity"))
    for look in facts.looks:
        c = look.cluster
        size, purity = facts.sizes[c], facts.purities[c]
        writer.writerow(
            (
                f"c{c}",
                look.name,
                f"{facts.weights[c]:.6f}",
                "" if size is None else size,
                "" if purity is None else f"{purity:.6f}",
            )
        )
    return file.getvalue()


def served_by(run: Run, settings: Settings) -> dict[str, Any]:
    """What a browser without networks draws for some settings, decoded once."""
    stamp = stamp_of(run.path / CHECKPOINT, run.path / CONFIG)
    return _served(
        str(run.path), stamp, settings["count"], settings["temperature"], settings["seed"]
    )


@st.cache_data(show_spinner=False, max_entries=32)
def _served(path: str, stamp: Stamp, count: int, temperature: float, seed: int) -> dict[str, Any]:
    run = Run(path)
    settings = {**DEFAULTS, "count": count, "temperature": temperature, "seed": seed}
    return served_samples(cached_model(run), settings, run.config.image_shape)
