"""A curve over K that looks at no label, and what it suggests, with how sure that is."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from pages.shared.k_runs import KRun
from pages.shared.k_words import kinds_word
from pages.shared.session import Stamp, cached_frame, cached_metrics, fail, joined, stamp_of
from vade_core.k_curve import DRAWN, NEAR, KCurve, modularity_curve
from vade_core.runs import Run, RunError

__all__ = ["curve_csv", "draw_suggestion", "frame_before_clusters", "suggestion_words"]

COLOUR, DRAWS_COLOUR = "#1578c4", "#8b8f98"


def frame_before_clusters(run: Run) -> int | None:
    """The last frame of the pretraining, which was told no K; None where there is none.

    Raises
    ------
    RunError
        If the metrics cannot be read.
    """
    lines = {int(line.get("report", i)): line for i, line in enumerate(cached_metrics(run))}
    found = [n for n in run.frame_numbers() if lines.get(n, {}).get("phase") == "pretrain"]
    return found[-1] if found else None


@st.cache_resource(show_spinner=False)
def _curves() -> dict[tuple[str, int, Stamp], KCurve]:
    """Curves that were computed, by run and frame; small, so nothing is dropped."""
    return {}


def draw_suggestion(shown: KRun) -> None:
    """Draw the curve where it is known, else a button that computes it."""
    try:
        number = frame_before_clusters(shown.run)
        told = number is None
        number = shown.frame.number if number is None else number
        latents = cached_frame(shown.run, number).latents
    except RunError as error:
        fail(str(error))
        return
    st.markdown(
        "Join every sample to its nearest others in latent space, cut that graph into K clusters, "
        "and look how many more edges run within them than chance would give: its *modularity*. "
        "It rises while cuts follow gaps, and falls once they go through crowds."
    )
    if told:
        st.markdown(
            f"This run kept no pretraining, so its latents may have been told K = {shown.k}. Then "
            "the curve cannot be trusted: it tends to give back the K that went in."
        )
    key = (str(shown.run.path), number, stamp_of(shown.run.frame_path(number)))
    curve = _curves().get(key)
    if curve is None:
        place = st.empty()
        if not place.button(
            f"Suggest a K from {len(latents):,} latents",
            icon=":material/lightbulb:",
            key="hm-suggest",
            help="It takes some seconds, once.",
        ):
            return
        curve = _computed(latents, place)
        if curve is None:
            return
        _curves()[key] = curve
        # Not to be drawn over what takes its place.
        place.empty()
    left, right = st.columns([3, 2], gap="medium", vertical_alignment="center")
    with left:
        _draw_curve(curve)
    with right:
        for sentence in suggestion_words(curve, told, shown.k):
            st.markdown(sentence)
        if names := shown.names:
            st.caption(f"People tell {len(names)} {kinds_word(names)} apart here.")
        st.download_button(
            "Curve as CSV",
            curve_csv(curve),
            file_name=f"{shown.run.id}-modularity.csv",
            mime="text/csv",
            icon=":material/table:",
            on_click="ignore",
            key="hm-curve-csv",
        )


def _computed(latents: NDArray[np.float32], place: Any) -> KCurve | None:
    bar = place.progress(0.0, "Cutting the graph …")
    try:
        return modularity_curve(latents, progress=bar.progress)
    except ValueError as error:
        place.empty()
        fail(str(error))
        return None


def suggestion_words(curve: KCurve, told: bool, k: int) -> list[str]:
    """What a curve suggests and how sure that is, a paragraph each.

    Parameters
    ----------
    curve : KCurve
    told : bool
        Whether the latents come from a model that had clusters already.
    k : int
        How many it had.
    """
    low, high = curve.near
    height = float(curve.modularity.max())
    where = "this run's latents" if told else "the pretraining's latents, before any cluster"
    # What most draws say counts as well: they may not agree with all samples together.
    usual = Counter(curve.peaks).most_common(1)[0][0] if curve.peaks else curve.best
    also = "" if usual == curve.best else f", or {usual}"
    words = [f"#### It suggests K = {curve.best}{also}"]
    said = f"The highest modularity, {height:.3f}, from {curve.n_samples:,} of {where}."
    if curve.at_the_end:
        said += f" It still rises at K = {curve.best}, the largest that was tried."
    elif low < high:
        said += f" K = {low} to {high} come within {100 * NEAR:.0f} % of it."
    words.append(said)
    peaks = Counter(curve.peaks)
    if curve.peaks:
        each = [f"at {at} in {times}" for at, times in sorted(peaks.items())]
        words.append(
            f"Of {len(curve.peaks)} draws of {100 * DRAWN:.0f} % of the samples, the peak is "
            f"{joined(each)}. They share one training: another one may say something else."
        )
    words.append(
        "Modularity likes clusters of one size, and overlooks small ones. It says what lies "
        "apart here, and not how many kinds of things people see."
    )
    return words


def curve_csv(curve: KCurve) -> str:
    """A curve as CSV: K, modularity on all samples and on each draw."""
    head = ["k", "modularity", *(f"draw_{i + 1}" for i in range(len(curve.drawn)))]
    lines = [",".join(head)]
    for i, k in enumerate(curve.ks.tolist()):
        numbers = [curve.modularity[i], *curve.drawn[:, i]]
        lines.append(",".join([str(k), *(f"{value:.6f}" for value in numbers)]))
    return "\n".join(lines) + "\n"


def _draw_curve(curve: KCurve) -> None:
    points = [
        {
            "K": int(k),
            "modularity": round(float(curve.modularity[i]), 4),
            "low": float(curve.drawn[:, i].min()) if len(curve.drawn) else None,
            "high": float(curve.drawn[:, i].max()) if len(curve.drawn) else None,
            "best": int(k) == curve.best,
        }
        for i, k in enumerate(curve.ks.tolist())
    ]
    x = {"field": "K", "type": "quantitative", "axis": {"tickMinStep": 1, "grid": False}}
    y = {"field": "modularity", "type": "quantitative", "scale": {"zero": False}}
    spec = {
        "height": 340,
        "layer": [
            {
                "mark": {"type": "area", "color": DRAWS_COLOUR, "opacity": 0.3},
                "encoding": {
                    "x": x,
                    "y": {**y, "field": "low", "title": "Modularity"},
                    "y2": {"field": "high"},
                },
            },
            {
                "mark": {"type": "line", "color": COLOUR, "strokeWidth": 3},
                "encoding": {"x": x, "y": y},
            },
            {
                "mark": {"type": "point", "filled": True, "opacity": 1},
                "encoding": {
                    "x": x,
                    "y": y,
                    "size": {"condition": {"test": "datum.best", "value": 260}, "value": 55},
                    "color": {
                        "condition": {"test": "datum.best", "value": "#e8720c"},
                        "value": COLOUR,
                    },
                    "tooltip": [
                        {"field": "K", "type": "quantitative"},
                        {"field": "modularity", "type": "quantitative", "format": ".4f"},
                    ],
                },
            },
            {
                "transform": [{"filter": "datum.best"}],
                "mark": {"type": "text", "dy": -18, "fontSize": 18, "fontWeight": 700,
                         "color": "#e8720c"},
                "encoding": {"x": x, "y": y, "text": {"field": "K"}},
            },
        ],
        "config": {"axis": {"labelFontSize": 15, "titleFontSize": 16}},
    }  # fmt: skip
    words = f"Modularity for each K; the highest is at K = {curve.best}."
    st.vega_lite_chart(pd.DataFrame(points), spec, width="stretch", key="hm-curve", alt=words)
