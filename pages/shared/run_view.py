"""The views of an opened run: its map and scores, its losses, reconstructions and settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd
import streamlit as st

from pages.shared.curves import draw_losses, draw_scores
from pages.shared.density import Part, draw_density, draw_run_density, has_few_values
from pages.shared.digits import sample_rows
from pages.shared.figures import (
    Figure,
    draw_figures,
    figures_without_labels,
    points_between,
    purity_words,
    score_figures,
    words_about_k,
    words_about_start,
)
from pages.shared.networks import has_model
from pages.shared.run_map import draw_run_map
from pages.shared.run_settings import settings_rows
from pages.shared.session import (
    cached_baseline,
    cached_frame,
    cached_metrics,
    cached_stage,
    duration,
    fail,
    is_supervised,
    percent,
)
from pages.shared.stages import SCORES, draw_stages, has_epochs, start_agreement
from pages.shared.verdict import verdict
from vade_core.runs import NOT_OWN, UNTRAINED, Run, RunError

TIME_MACHINE = "pages/time-machine.py"
TITLES = {"rand_index": "Rand index"}


def draw_summary(run: Run, status: dict[str, Any]) -> None:
    """The figures that a run is known by, each with its distance from k-means.

    Parameters
    ----------
    run : Run
    status : dict
        Of ``run.status()``.
    """
    lines = cached_metrics(run)
    last = next((line for line in reversed(lines) if line.get("acc") is not None), {})
    kmeans = (cached_baseline(run) or {}).get("kmeans") or {}
    if is_supervised(run.config.model):
        kmeans = {}  # who is told the labels is no match for who is not
    if run.config.labelled:
        figures = [
            replace(
                figure,
                title=TITLES.get(key, figure.title),
                delta=_points(last.get(key), kmeans.get(key)),
                against="against k-means",
            )
            for key, figure in zip(SCORES, score_figures(lines, last), strict=True)
        ]
        test = last.get("test_acc")
        part = "not trained on" if run.config.split else "trained on as well"
        figures.append(
            Figure("ACC, test part", percent(test), None if test is None else part, plain=True)
        )
    else:
        figures = figures_without_labels(lines)
    own = sum(line["phase"] not in NOT_OWN for line in lines)
    before = sum(line["phase"] == "pretrain" for line in lines)
    after = f"after {before} of pretraining" if before else None
    if own or before or has_epochs(run.config):
        figures.append(Figure("Epochs", str(own), after, plain=True))
    elapsed = lines[-1].get("elapsed") if lines else status.get("elapsed")
    figures.append(Figure("Time", duration(elapsed)))
    draw_figures(figures, "load")
    if words := words_about_start(run.config, lines):
        st.caption(words)
    draw_stages(run.config, lines, status)
    ended = status["state"] in ("finished", "stopped")
    if ended and (wrong := verdict(run.config, lines, cached_baseline(run))):
        st.warning(wrong, icon=":material/report:")
    classes, purity = run.config.class_names, last.get("purity")
    if classes is not None and len(classes) != run.config.clusters and purity is not None:
        st.caption(words_about_k(run.config.clusters, len(classes)) + purity_words(purity))


def _points(value: Any, other: Any) -> str | None:
    return None if value is None or other is None else f"{points_between(value, other)} points"


def draw_overview(run: Run, live: bool) -> None:
    """The latent map beside the scores."""
    left, right = st.columns([6, 5], gap="medium")
    with left:
        _section(lambda: _map(run, live))
    with right:
        _section(lambda: _scores(run, height=430, key=f"scores-{run.id}"))


def _map(run: Run, live: bool) -> None:
    """The map; what is selected on it can be looked at in the time machine."""
    answer = draw_run_map(run, key=f"map-{run.id}", live=live)
    if answer is not None and len(answer.selected):
        st.page_link(
            TIME_MACHINE,
            label=f"{len(answer.selected):,} selected. See their digits in the Time machine",
            icon=":material/history:",
            query_params={"run": run.id},
        )


def draw_curves(run: Run, live: bool) -> None:
    """The scores and the loss in its named terms."""
    _section(lambda: _scores(run, height=430, key=f"scores-wide-{run.id}"))
    parameters = run.config.parameters
    _section(
        lambda: draw_losses(cached_metrics(run), key=f"losses-{run.id}", parameters=parameters)
    )


def _scores(run: Run, height: int, key: str) -> None:
    lines = cached_metrics(run)
    tested = any(line.get("test_acc") is not None for line in lines)
    part = "all"
    if tested:
        part = (
            st.segmented_control(
                "Scores of",
                ["all", "test"],
                default="all",
                required=True,
                key=f"{key}-part",
                format_func={"all": "All samples", "test": "Test part"}.__getitem__,
                label_visibility="collapsed",
            )
            or "all"
        )
    draw_scores(lines, cached_baseline(run), key=f"{key}-{part}", height=height, part=part)
    from vade_core.models import MODELS  # brings torch along

    entry = MODELS.get(run.config.model)
    if entry is not None and not entry.own_clusters:
        st.caption(
            f"{entry.title} has no clusters of its own: these are those of a mixture that was "
            "fitted to its latents after each epoch."
        )
    if lines and run.config.labelled is False:
        words = "This data set has no labels: ACC, NMI and the Rand index need them."
        if start_agreement(lines[-1]) is not None:
            words += " Drawn is the share of samples in the cluster that the start gave them."
        st.caption(words)
    elif (classes := run.config.class_names) and len(classes) != run.config.clusters:
        st.caption(
            f"K is {run.config.clusters}, the classes are {len(classes)}: each cluster is matched "
            "with at most one class, and points of unmatched clusters count as wrong."
        )


def draw_reconstructions(run: Run, live: bool) -> None:
    """Some samples beside what the model makes of them."""
    _section(lambda: _reconstructions(run))


def _reconstructions(run: Run) -> None:
    numbers = run.frame_numbers()
    if not numbers:
        st.info("Reconstructions come with the first frame.", icon=":material/hourglass_top:")
        return
    titles = {line.get("report"): _epoch_words(line) for line in cached_metrics(run)}
    chosen = numbers[-1]
    if len(numbers) > 1:
        chosen = st.select_slider(
            "After",
            numbers,
            value=numbers[-1],
            key=f"reconstructions-{run.id}",
            format_func=lambda number: titles.get(number, f"report {number}"),
        )
    stage, frame = cached_stage(run), cached_frame(run, chosen)
    if has_few_values(run.config):
        parts: list[Part] = [("Decoded", frame.reconstructions, 1.0, None)]
        draw_density(stage.samples, parts, f"density-{run.id}", "Grey: the data.")
        if has_model(run):
            st.markdown("What the trained model draws by itself:")
            draw_run_density(run, f"drawn-{run.id}")
        return
    for first in range(0, min(len(stage.samples), len(frame.reconstructions)), 10):
        part = slice(first, first + 10)
        rows = [("Originals", stage.samples[part]), ("Decoded", frame.reconstructions[part])]
        sample_rows(rows, run.config.image_shape)


def _epoch_words(line: dict[str, Any]) -> str:
    # What stands after the word "after".
    names = {UNTRAINED: "no training", "pretrain": "pretraining", "start": "the start"}
    name = names.get(line["phase"], "")
    if line["phase"] in (UNTRAINED, "start"):
        return name
    return f"{name} epoch {line['epoch']}".strip()


def draw_settings(run: Run, live: bool) -> None:
    """Every setting as a table, and where the folder is."""
    rows = settings_rows(run.config)
    half = -(-len(rows) // 2)
    places = st.columns(2, gap="large")
    for place, part in zip(places, (rows[:half], rows[half:]), strict=True):
        frame = pd.DataFrame(part, columns=["Setting", "Value"]).set_index("Setting")
        place.table(frame, border="horizontal")
    st.caption(f"The run's name is {run.id}.")


# As a link names them: what people call them, what draws them.
VIEWS: dict[str, tuple[str, Callable[[Run, bool], None]]] = {
    "overview": ("Overview", draw_overview),
    "curves": ("Curves", draw_curves),
    "reconstructions": ("Reconstructions", draw_reconstructions),
    "settings": ("Settings", draw_settings),
}


def _section(draw: Callable[[], None]) -> None:
    """Draw one part of a page; a file that cannot be read costs that part alone."""
    try:
        draw()
    except (RunError, OSError) as error:
        fail(str(error))
