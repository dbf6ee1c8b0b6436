"""What the papers report, beside what is measured here: figures, each with its source."""

from __future__ import annotations

import functools
import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

__all__ = ["PaperFigure", "figures_of", "paper_figures"]

FILE = Path(__file__).with_name("papers_figures.json")


@dataclass(frozen=True)
class PaperFigure:
    """A figure that a paper reports.

    Attributes
    ----------
    measure : str
        Such as ``acc``; ``knn_error_3`` is the error of three neighbours.
    dataset, model : str
        As they are called here.
    method : str
        As the paper calls it.
    value : float
        Shares in [0, 1], nats a sample, seconds.
    short : str
        The paper in a word or two.
    source : str
        The paper in full.
    note : str
        How it was counted, where that differs or matters.
    """

    measure: str
    dataset: str
    model: str
    method: str
    value: float
    short: str
    source: str
    note: str


@functools.cache
def paper_figures() -> tuple[PaperFigure, ...]:
    """All figures of ``papers_figures.json``, in its order."""
    found = json.loads(FILE.read_text(encoding="utf-8"))
    papers = found["papers"]
    return tuple(
        PaperFigure(**{k: v for k, v in entry.items() if k != "paper"}, **papers[entry["paper"]])
        for entry in found["figures"]
    )


def figures_of(measure: str, dataset: str, models: Collection[str]) -> list[PaperFigure]:
    """The figures of a measure on a data set, of some models.

    Examples
    --------
    >>> [(f.method, f.value, f.short) for f in figures_of("acc", "mnist", ["vade"])]
    [('VaDE', 0.9446, 'VaDE paper')]
    """
    return [
        figure
        for figure in paper_figures()
        if (figure.measure, figure.dataset) == (measure, dataset) and figure.model in models
    ]
