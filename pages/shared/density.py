"""Data of one value a sample, or two: their density instead of pictures.

One value: a histogram of the data, and over it the density of what a model rebuilds or draws. Two
values: points. How many features there are decides, never the name of the data.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st
from numpy.typing import NDArray

from pages.shared.networks import cached_model
from pages.shared.session import Stamp, cached_metrics, cached_stage, fail, stamp_of
from vade_core.colours import PALETTE, cluster_looks
from vade_core.runs import CHECKPOINT, CONFIG, Run, RunConfig, RunError

__all__ = ["Part", "density_of", "draw_density", "draw_run_density", "has_few_values", "run_parts"]

Values = NDArray[Any]
# Name, samples (m, D), share of the whole, colour (None: the next of the palette).
Part = tuple[str, Values, float, str | None]

MOST_VALUES = 2
BINS = 120
# Samples that a run draws: enough for a smooth curve, few enough for a slow computer.
DRAWN = 4000
FEWEST = 100
SHOWN_POINTS = 1500
GREY = "rgba(128, 136, 146, .45)"
HEIGHT = 340
CAPTION = (
    "Grey: the data. Drawn are the means that the decoder gives; the noise that the model adds to "
    "them is left out."
)


def has_few_values(config: RunConfig) -> bool:
    """Whether a run's samples are shown by their density: no pictures, one value or two each."""
    return config.image_shape is None and config.n_features <= MOST_VALUES


def density_of(values: Values, edges: Values) -> NDArray[np.float64]:
    """The density of numbers in the middle of bins: a histogram, smoothed by one bin's width.

    Parameters
    ----------
    values : ndarray, shape (m,)
    edges : ndarray, shape (bins + 1,)
        Evenly spaced.

    Returns
    -------
    ndarray, shape (bins,)
        Integrates to the share of the numbers that lies between the edges.

    Examples
    --------
    >>> round(float(density_of(np.zeros(9), np.linspace(-3, 3, 61)).sum() * 0.1), 6)
    1.0
    """
    width = edges[1] - edges[0]
    counts = np.histogram(values, edges)[0] / (max(1, len(values)) * width)
    kernel = np.exp(-0.5 * np.arange(-4, 5) ** 2.0)
    kernel /= kernel.sum()
    # At the ends the kernel is folded back, so that nothing is lost.
    padded = np.pad(counts, 4, mode="symmetric")
    return np.convolve(padded, kernel, mode="valid")


def draw_density(data: Values, parts: Sequence[Part], key: str, caption: str = "") -> None:
    """Draw data and, over them, parts of what a model gives.

    Parameters
    ----------
    data : ndarray, shape (n, 1) or (n, 2)
    parts : sequence of Part
        Their densities are drawn by their share of the whole.
    key : str
        The element's name on the page.
    caption : str
    """
    figure = _curves(data, parts) if data.shape[1] == 1 else _points(data, parts)
    figure.update_layout(
        height=HEIGHT,
        margin={"l": 20, "r": 20, "t": 10, "b": 20},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "font": {"size": 15}},
        bargap=0,
        hovermode="closest",
    )
    figure.update_xaxes(tickfont={"size": 15}, title={"font": {"size": 16}})
    figure.update_yaxes(tickfont={"size": 15}, title={"font": {"size": 16}})
    st.plotly_chart(figure, key=key, config={"displayModeBar": False})
    if caption:
        st.caption(caption)


def _finite(values: Values) -> NDArray[np.float64]:
    found = np.asarray(values, dtype=np.float64)
    return found[np.isfinite(found).all(axis=1)]


def _curves(data: Values, parts: Sequence[Part]) -> go.Figure:
    known = _finite(data)[:, 0]
    low, high = (known.min(), known.max()) if len(known) else (0.0, 1.0)
    room = 0.08 * ((high - low) or 1.0)
    edges = np.linspace(low - room, high + room, BINS + 1)
    middles = (edges[1:] + edges[:-1]) / 2
    wide = edges[::2]
    figure = go.Figure(
        go.Bar(
            x=(wide[1:] + wide[:-1]) / 2,
            y=np.histogram(known, wide)[0] / (max(1, len(known)) * (wide[1] - wide[0])),
            marker={"color": GREY, "line": {"width": 0}},
            name="Data",
            hovertemplate="%{x:.2f}: %{y:.3f}<extra>Data</extra>",
        )
    )
    drawn = [share * density_of(_finite(values)[:, 0], edges) for _, values, share, _ in parts]
    least = 0.002 * max((float(each.max()) for each in drawn), default=0.0)
    for i, (name, _, _, colour) in enumerate(parts):
        figure.add_scatter(
            x=middles,
            # Many curves on the axis would hide each other there, and the data.
            y=np.where(drawn[i] < least, np.nan, drawn[i]) if len(parts) > 1 else drawn[i],
            mode="lines",
            line={"color": colour or PALETTE[i % len(PALETTE)], "width": 3},
            name=name,
            hovertemplate=f"%{{x:.2f}}: %{{y:.3f}}<extra>{name}</extra>",
        )
    figure.update_xaxes(title={"text": "Value"})
    figure.update_yaxes(title={"text": "Density"}, rangemode="tozero")
    return figure


def _points(data: Values, parts: Sequence[Part]) -> go.Figure:
    figure = go.Figure()
    drawn = [("Data", data, 1.0, GREY), *parts]
    for i, (name, values, share, colour) in enumerate(drawn):
        most = max(1, round(SHOWN_POINTS * share))
        shown = _finite(values)
        shown = shown[:: max(1, len(shown) // most)]
        figure.add_scatter(
            x=shown[:, 0],
            y=shown[:, 1],
            mode="markers",
            marker={"color": colour or PALETTE[(i - 1) % len(PALETTE)], "size": 5},
            name=name,
        )
    figure.update_xaxes(title={"text": "First value"})
    figure.update_yaxes(title={"text": "Second value"})
    return figure


def draw_run_density(run: Run, key: str, seed: int = 0) -> None:
    """Draw a run's data and the density of what its model draws, cluster by cluster; nothing for
    data of more values.

    Parameters
    ----------
    run : Run
        With a checkpoint and a stage set.
    key : str
        The element's name on the page.
    seed : int
        Of the model's samples.
    """
    if not has_few_values(run.config):
        return
    try:
        stage, parts = cached_stage(run), run_parts(run, seed)
    except RunError as error:
        fail(str(error))
        return
    except (ValueError, NotImplementedError) as error:
        st.info(str(error) or "This model draws no samples.", icon=":material/casino:")
        return
    draw_density(stage.samples, parts, key, CAPTION)


def run_parts(run: Run, seed: int = 0) -> list[Part]:
    """What a run's model draws: a part a cluster by its weight, or one where it has none.

    Raises
    ------
    RunError
        If there is no model that can be read.
    ValueError, NotImplementedError
        If it is one that draws no samples.
    """
    return _run_parts(str(run.path), stamp_of(run.path / CHECKPOINT, run.path / CONFIG), seed)


@st.cache_resource(show_spinner=False, max_entries=16)
def _run_parts(path: str, stamp: Stamp, seed: int) -> list[Part]:
    run = Run(path)
    model = cached_model(run)
    k = model.prior_.n_clusters
    if not k:
        return [("Samples of the model", model.sample(DRAWN, random_state=seed), 1.0, None)]
    weights = np.exp(model.prior_.components()[0].detach().cpu().numpy().astype(np.float64))
    weights /= weights.sum()
    lines = cached_metrics(run)
    matched = lines[-1].get("matched") if lines else None
    _, looks = cluster_looks(run.config.class_names, matched, k)
    each = max(FEWEST, DRAWN // k)
    # In one go: a network takes many samples almost as fast as few.
    latents = [model.sample_latents(each, cluster=c, random_state=seed * k + c) for c in range(k)]
    values = model.decode(np.concatenate(latents)).reshape(k, each, -1)
    # From left to right where that can be said, so that the legend follows the curves.
    order = np.argsort(values[:, :, 0].mean(axis=1), kind="stable")
    return [(looks[c][0], values[c], float(weights[c]), looks[c][1]) for c in order]
