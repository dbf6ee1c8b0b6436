"""The curves of several runs laid over one another."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from pages.shared.compare_runs import Compared
from pages.shared.curves import SCORES, draw_spec
from pages.shared.part_of_page import part
from pages.shared.session import cached_metrics
from vade_core.runs import NOT_OWN

__all__ = ["CURVES", "draw_overlay", "overlay_spec"]

Line = Mapping[str, Any]

LOSS = "loss"
CURVES: dict[str, str] = {**{key: name for key, (name, _, _) in SCORES.items()}, LOSS: "Loss"}
"""What can be drawn: key in a line of metrics.jsonl, name."""

# Beside one another: ACC is drawn through, the others are dashed.
DASHES = {"acc": "", "nmi": "9 5", "rand_index": "3 4", LOSS: ""}


def overlay_spec(
    runs: Sequence[tuple[str, str, Sequence[Line]]], measures: Sequence[str]
) -> dict[str, Any]:
    """What the chart of some runs' curves shows, over the model's own epochs.

    Parameters
    ----------
    runs : sequence of (str, str, sequence of mapping)
        Name, colour, and lines of metrics.jsonl of each run.
    measures : sequence of str
        Of `CURVES`: the loss alone, or scores.

    Returns
    -------
    dict
        For `draw_spec`. Place 0 is the start, after any pretraining; place i is the i-th epoch of
        the model itself. A run that has reported once, its start, is a level line.
    """
    own = [(name, colour, *_own_lines(lines)) for name, colour, lines in runs]
    # One place is no line to draw on.
    length = max([1, *(len(lines) for *_, lines in own)])
    is_loss = LOSS in measures
    series = []
    for (name, colour, start, lines), (*_, all_lines) in zip(own, runs, strict=True):
        for measure in measures:
            first = None if is_loss else _number(start.get(measure))
            values = [first, *(_number(line.get(measure)) for line in lines)]
            if len(all_lines) == 1 and not lines:  # without epochs: one level throughout
                values = [first] * (length + 1)
            words = f"{name} {CURVES[measure]}" if len(measures) > 1 else name
            series.append(
                {
                    "name": words,
                    "colour": colour,
                    "dash": DASHES[measure],
                    "values": values + [None] * (length + 1 - len(values)),
                }
            )
    found = any(value is not None for one in series for value in one["values"])
    panel = {
        "title": "",
        "unit": "nats" if is_loss else "percent",
        "range": None if is_loss else [0, 1],
        "labels": "beside",
        "series": series if found else [],
        "rules": [],
        "marks": [],
        "empty": "" if found else _why_empty(is_loss),
    }
    return {
        "squeezed": 0,
        "ticks": list(range(length + 1)),
        "titles": ["start", *(f"epoch {i + 1}" for i in range(length))],
        "phases": [{"name": "", "first": 0, "last": length, "shaded": False}],
        "panels": [panel],
        "name": f"{' and '.join(CURVES[measure] for measure in measures)} of the runs by epoch",
    }


def _own_lines(lines: Sequence[Line]) -> tuple[Line, list[Line]]:
    """The start's line, empty where there was none, and those of the model's own epochs."""
    start = next((line for line in reversed(lines) if line["phase"] == "start"), {})
    return start, [line for line in lines if line["phase"] not in NOT_OWN]


def _number(value: Any) -> float | None:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value):
        return None
    return float(f"{value:.6g}")


def _why_empty(is_loss: bool) -> str:
    if is_loss:
        return "The losses begin with the first epoch of the model itself."
    return "No scores: they need labels, and clusters."


def draw_overlay(compared: Sequence[Compared]) -> None:
    """Draw the runs' curves in one chart, one colour a run, with the choice of what is drawn."""
    with part("curves", horizontal=True, vertical_alignment="center"):
        st.subheader("Curves", anchor=False, width="stretch")
        chosen = st.segmented_control(
            "Curves",
            list(CURVES),
            selection_mode="multi",
            default=["acc"],
            key="cmp-curves",
            format_func=CURVES.__getitem__,
            label_visibility="collapsed",
            persist_state="session",
        )
    runs = [(each.name, each.colour, cached_metrics(each.run)) for each in compared]
    scores = [measure for measure in CURVES if measure in chosen and measure != LOSS]
    ids = "-".join(each.run.id for each in compared)
    if scores:
        draw_spec(overlay_spec(runs, scores), f"cmp-scores-{ids}-{'-'.join(scores)}", 340)
    if LOSS in chosen:
        st.markdown("**Loss**, in nats a sample, as each model weighs its terms")
        draw_spec(overlay_spec(runs, [LOSS]), f"cmp-loss-{ids}", 300)
    if not chosen:
        st.info("Choose what is drawn.", icon=":material/show_chart:")
    words = "Over the epochs of the models themselves: pretraining is left out."
    if scores and any(line["phase"] == "start" for *_, lines in runs for line in lines):
        words += " With a start, the first point is of the clusters that it set."
    st.caption(words)
