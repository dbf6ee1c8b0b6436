"""The papers' curves beside measured ones, epoch by epoch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from vade_core.colours import PALETTE, UNKNOWN
from vade_core.papers import PaperTable, TableCell, curves_of
from vade_core.papers_measures import CellData, cluster_term, own_epochs

__all__ = ["CURVES", "curve_spec"]

Spec = dict[str, Any]
DASHES = ("", "9 5", "3 4")


def _with_curves(table: PaperTable) -> dict[str, tuple[TableCell, CellData]]:
    """Title: a figure of each recipe and data set that was measured, and its first seed."""
    found: dict[str, tuple[TableCell, CellData]] = {}
    several = len({cell.dataset for cell in table.cells}) > 1
    for cell in table.cells:
        title = f"{cell.line.title}, {cell.dataset}" if several else cell.line.title
        if title not in found and (data := curves_of(cell)) is not None:
            found[title] = cell, data
    return found


def _series(name: str, values: Sequence[float | None], place: int) -> Spec:
    return {
        "name": name,
        "colour": PALETTE[place % len(PALETTE)],
        "dash": DASHES[place % len(DASHES)],
        "values": list(values),
    }


def _spec(panels: Sequence[Spec], name: str) -> Spec | None:
    """A chart of panels over the epochs; None where no panel has a curve."""
    drawn = [panel for panel in panels if panel["series"]]
    if not drawn:
        return None
    length = max(len(series["values"]) for panel in drawn for series in panel["series"])
    for panel in drawn:
        for series in panel["series"]:
            series["values"] += [None] * (length - len(series["values"]))
    return {
        "squeezed": 0,
        "ticks": list(range(length)),
        "titles": ["start", *(f"epoch {i}" for i in range(1, length))],
        "phases": [{"name": "", "first": 0, "last": length - 1, "shaded": False}],
        "panels": drawn,
        "name": name,
    }


def _panel(title: str, unit: str, series: list[Spec], rules: list[Spec]) -> Spec:
    return {
        "title": title,
        "unit": unit,
        "range": [0, 1] if unit == "percent" else None,
        "labels": "title" if title else "beside",
        "series": series,
        "rules": rules,
        "marks": [],
        "empty": "",
    }


def acc_spec(table: PaperTable) -> Spec | None:
    """ACC by epoch, measured and reported; the reported points are joined."""
    series = []
    for place, (title, (_, cell)) in enumerate(_with_curves(table).items()):
        start = (cell.get("curve") or {}).get("start") or [None]
        series.append(_series(title, [start[-1], *own_epochs(cell.get("curve"))], place))
    if not series:
        return None
    told: dict[int, float] = {}
    for each in table.cells:
        epoch = each.measure.key.removeprefix("acc_at_")
        if each.reported is not None and epoch.isdecimal():
            told[int(epoch)] = each.reported.value
    if told:
        # Joined, since single points among curves look like a curve that broke off.
        epochs = range(max(told) + 1)
        joined = np.interp(epochs, sorted(told), [told[i] for i in sorted(told)])
        series.append({**_series("reported", [float(v) for v in joined], 0), "colour": UNKNOWN})
    return _spec([_panel("", "percent", series, [])], "ACC by epoch")


def czerwonski_spec(table: PaperTable) -> Spec | None:
    """Validation loss, Rand index and NMI of the test part by epoch."""
    names = {
        "val_loss": ("Validation loss, nats", "nats"),
        "test_rand_index": ("Rand index, test part", "percent"),
        "test_nmi": ("NMI, test part", "percent"),
    }
    found = _with_curves(table)
    panels = []
    for name, (title, unit) in names.items():
        series = [
            _series(words, [None, *values], place)
            for place, (words, (_, cell)) in enumerate(found.items())
            if (values := own_epochs((cell.get("curves") or {}).get(name)))
        ]
        key = name.removeprefix("test_")
        aims = {c.reported.value for c in table.cells if c.measure.key == key and c.reported}
        rules = [
            {"name": "reported", "short": "reported", "value": value, "colour": UNKNOWN}
            for value in sorted(aims)
        ]
        panels.append(_panel(title, unit, series, rules))
    return _spec(panels, "Validation loss, Rand index and NMI by epoch")


def orbay_spec(table: PaperTable) -> Spec | None:
    """The cluster term by epoch, with the threshold below which it is ignored."""
    series, rules = [], {}
    for place, (title, (_, cell)) in enumerate(_with_curves(table).items()):
        found = cluster_term(cell)
        if found is None:
            continue
        values, threshold = found
        series.append(_series(title, [None, *values], place))
        words = {"name": f"threshold {threshold:g} nats", "short": f"threshold {threshold:g}"}
        rules[threshold] = {**words, "value": threshold, "colour": UNKNOWN}
    return _spec([_panel("", "nats", series, list(rules.values()))], "Cluster term by epoch, nats")


CURVES: Mapping[str, Callable[[PaperTable], Spec | None]] = {
    "vade-curve": acc_spec,
    "czerwonski": czerwonski_spec,
    "orbay": orbay_spec,
}
"""Tables that have curves, by name."""


def curve_spec(table: PaperTable) -> Spec | None:
    """What the chart of a table shows, for `pages.shared.curves.draw_spec`.

    None where the table has no curves, or nothing was measured yet.
    """
    return CURVES[table.name](table) if table.name in CURVES else None
