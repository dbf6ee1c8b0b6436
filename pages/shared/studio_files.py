"""What can be taken away from the cluster studio, and the studio where the server decodes."""

from __future__ import annotations

import csv
import io

import numpy as np
import streamlit as st

from pages.shared.digits import sample_rows
from pages.shared.networks import cached_model
from pages.shared.session import Stamp, stamp_of
from pages.shared.studio import DEFAULTS, MOST_SAMPLES, Settings, latents_of
from pages.shared.studio_facts import StudioFacts
from vade_core.models.base import LatentModel
from vade_core.runs import CHECKPOINT, CONFIG, Run

__all__ = ["clusters_csv", "draw_on_server", "samples_npz"]

# Width of a sample on the screen where the server decodes, in CSS pixels at most.
SIDE = 56


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


def draw_on_server(run: Run, facts: StudioFacts, initial: Settings) -> Settings:
    """The studio for a browser that has no networks: the same samples, decoded by the server."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        count = st.slider("Samples", 1, MOST_SAMPLES, initial["count"], key=f"cs-n-{run.id}")
        temperature = st.slider(
            "Temperature", 0.0, 2.0, float(initial["temperature"]), 0.05, key=f"cs-t-{run.id}"
        )
        seed = st.slider("Seed", 0, 999, initial["seed"], key=f"cs-s-{run.id}")
        by_gamma = facts.own and st.toggle("Sorted by γ", initial["sorted"], key=f"cs-o-{run.id}")
    settings = {**DEFAULTS, "count": count, "temperature": temperature, "seed": seed}
    settings["sorted"] = bool(by_gamma)
    stamp = stamp_of(run.path / CHECKPOINT, run.path / CONFIG)
    samples = _server_samples(str(run.path), stamp, count, temperature, seed, bool(by_gamma))
    names = [look.name for look in facts.looks] if facts.own else [""] * len(samples)
    rows = list(zip(names, samples, strict=True))
    shape = run.config.image_shape
    sample_rows(rows, shape, scale=max(1, SIDE // shape[1]) if shape else 1)
    return settings


@st.cache_data(show_spinner=False, max_entries=32)
def _server_samples(
    path: str, stamp: Stamp, count: int, temperature: float, seed: int, by_gamma: bool
) -> np.ndarray:
    model = cached_model(Run(path))
    settings = {"count": count, "temperature": temperature, "seed": seed, "sorted": by_gamma}
    latents, clusters = latents_of(model, settings)
    if by_gamma:
        for row, cluster in zip(latents, clusters.tolist(), strict=True):
            gamma = model.responsibilities(row)[:, cluster]
            row[:] = row[np.argsort(-gamma, kind="stable")]
    flat = model.decode(latents.reshape(-1, latents.shape[-1]))
    return np.asarray(flat).reshape(*latents.shape[:2], -1)
