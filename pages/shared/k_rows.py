"""Samples of a run's clusters, a row a cluster: large with controls, or small beside others."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from pages.shared.cluster_rows import (
    cluster_rows,
    draw_rows,
    generated,
    real_pictures,
    rows_png,
)
from pages.shared.k_river import cluster_colours, colours_beside
from pages.shared.k_runs import KRun, same_points
from pages.shared.networks import cached_model, has_model
from pages.shared.session import fail, percent, put_into_link, take_from_link
from vade_core.runs import RunError

__all__ = ["draw_beside", "draw_large_rows"]

ROWS = "hm-rows"
MOST_ROWS = 40
ROW_KINDS = {"generated": "Drawn by the model", "real": "From the data"}


def draw_large_rows(shown: KRun) -> None:
    """The rows of a run with their controls and downloads."""
    kinds = kinds_of_rows(shown)
    if not kinds:
        st.info("This run keeps no pictures, and no model that draws samples of its clusters.")
        return
    temperature, seed = 1.0, 0
    with st.container(horizontal=True, vertical_alignment="center"):
        kind = kinds[0]
        if len(kinds) > 1:
            take_from_link(ROWS, "rows", "generated", kinds)
            kind = (
                st.segmented_control(
                    "Samples",
                    kinds,
                    key=ROWS,
                    required=True,
                    format_func=ROW_KINDS.__getitem__,
                    label_visibility="collapsed",
                    persist_state="session",
                )
                or kind
            )
            put_into_link(ROWS, "rows", "generated")
        if kind == "generated":
            with st.popover("Noise", icon=":material/casino:"):
                temperature = st.slider(
                    "Temperature", 0.0, 2.0, 1.0, 0.1, key="hm-temperature",
                    help="Factor on each cluster's standard deviation. 0 is its mean.",
                )  # fmt: skip
                seed = int(st.number_input("Seed", 0, 2**31 - 1, 0, step=1, key="hm-seed"))
                st.caption("Every cluster gets the same noise: a column has one handwriting.")
        downloads = st.container(horizontal=True, width="content")
    try:
        samples = samples_of(shown, kind, temperature, seed)
    except (RunError, ValueError, NotImplementedError) as error:
        fail(str(error))
        return
    rows = cluster_rows(shown, samples)
    shape = shown.run.config.image_shape
    draw_rows(rows[:MOST_ROWS], shape)
    if len(rows) > MOST_ROWS:
        st.caption(f"{MOST_ROWS} of {len(rows)} clusters; the downloads hold all of them.")
    name = f"{shown.run.id}-k{shown.k}-{kind}"
    with downloads:
        if shape is not None:
            st.download_button(
                "PNG",
                lambda: rows_png(rows, shape, f"{shown.title}, K = {shown.k}"),
                file_name=f"{name}.png",
                mime="image/png",
                icon=":material/image:",
                on_click="ignore",
                key="hm-png",
            )
        st.download_button(
            "NPZ",
            lambda: samples_npz(shown, samples),
            file_name=f"{name}.npz",
            mime="application/octet-stream",
            icon=":material/data_array:",
            on_click="ignore",
            key="hm-npz",
        )


def kinds_of_rows(shown: KRun) -> list[str]:
    """Which of `ROW_KINDS` a run has."""
    there = {"generated": draws_clusters(shown), "real": shown.stage.pictures is not None}
    return [kind for kind, has in there.items() if has]


def draws_clusters(shown: KRun) -> bool:
    """Whether samples of a run's clusters can be drawn from its model."""
    if not has_model(shown.run):
        return False
    try:
        return cached_model(shown.run).prior_.n_clusters == shown.k
    except RunError:
        return True  # said where they would be drawn


def samples_of(
    shown: KRun, kind: str, temperature: float = 1.0, seed: int = 0
) -> list[NDArray[Any]]:
    """Samples of each cluster, of one of `ROW_KINDS`."""
    if kind == "real":
        return list(real_pictures(shown))
    return list(generated(shown.run, temperature=temperature, seed=seed))


def samples_npz(shown: KRun, samples: Sequence[Any]) -> bytes:
    """The samples of the rows and the cluster of each, as NPZ."""
    content = io.BytesIO()
    clusters = np.concatenate([np.full(len(s), c) for c, s in enumerate(samples)])
    flat = [np.asarray(s).reshape(len(s), -1) for s in samples if len(s)]
    np.savez_compressed(content, samples=np.concatenate(flat), clusters=clusters)
    return content.getvalue()


def draw_beside(side: Sequence[KRun]) -> None:
    """Some runs side by side, small."""
    if len(side) < 2:
        st.caption("Only one K is there: train another one to see them side by side.")
        return
    st.subheader("Side by side", anchor=False)
    kind = st.session_state.get(ROWS, "generated")
    colours = colours_beside(side) if len(same_points(side)) == len(side) else None
    for place, shown in zip(st.columns(len(side), gap="medium"), side, strict=True):
        with place:
            accuracy = shown.scores.get("acc")
            score = "" if accuracy is None else f" · ACC {percent(accuracy)}"
            st.markdown(f"**K = {shown.k}**{score}")
            own = cluster_colours(shown) if colours is None else colours[side.index(shown)]
            try:
                there = kinds_of_rows(shown)
                if not there:
                    st.caption("No samples yet.")
                    continue
                samples = samples_of(shown, kind if kind in there else there[0])
            except (RunError, ValueError, NotImplementedError) as error:
                fail(str(error))
                continue
            rows = cluster_rows(shown, samples, own)
            draw_rows(rows[:MOST_ROWS], shown.run.config.image_shape, small=True)
