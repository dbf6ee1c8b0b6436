"""What the papers report, beside what is measured here: figures, each with its source.

Reported figures stand in ``papers_figures.json``, and why a measured one is worse in
``papers_reasons.json``. Every measured one is read from the results of the benchmarks and from
the recorded runs: nothing of that is typed in.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from vade_core.papers_measured import Measured, Results
from vade_core.papers_measures import MEASURES, CellData, Measure
from vade_core.papers_tables import TABLES, Line, Picture, Table
from vade_core.runs import RunError, find_run, recorded_root, runs_root

__all__ = [
    "Glance",
    "PaperFigure",
    "PaperTable",
    "Shown",
    "TableCell",
    "curves_of",
    "figures_of",
    "glance",
    "paper_figures",
    "paper_table",
    "paper_tables",
    "reported_figures",
]

FILE = Path(__file__).with_name("papers_figures.json")
REASONS = Path(__file__).with_name("papers_reasons.json")
# What a finished run is held against on the pages.
OF_RUNS = (
    *("acc", "nmi", "rand_index", "silhouette", "calinski_harabasz", "reconstruction", "seconds"),
    *("knn_error_3", "knn_error_5", "knn_error_10"),
)


# -- What is reported -------------------------------------------------------------------------


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
    also : tuple of str
        Further models that it may be held against.
    aim : float or None
        What this software aims for, where that is more.
    """

    measure: str
    dataset: str
    model: str
    method: str
    value: float
    short: str
    source: str
    note: str
    also: tuple[str, ...] = ()
    aim: float | None = None


@functools.cache
def reported_figures() -> tuple[PaperFigure, ...]:
    """All figures of ``papers_figures.json``, in its order."""
    found = _figures_file()
    return tuple(
        PaperFigure(
            **{k: v for k, v in entry.items() if k not in ("paper", "also")},
            also=tuple(entry.get("also", ())),
            **found["papers"][entry["paper"]],
        )
        for entry in found["figures"]
    )


def paper_figures() -> tuple[PaperFigure, ...]:
    """The figures that a run can be held against: of models and data sets that there are."""
    from vade_core.data import DATASETS
    from vade_core.models import MODELS

    return tuple(
        figure
        for figure in reported_figures()
        if figure.measure in OF_RUNS and figure.model in MODELS and figure.dataset in DATASETS
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
        if (figure.measure, figure.dataset) == (measure, dataset)
        and any(name in models for name in (figure.model, *figure.also))
    ]


@functools.cache
def _figures_file() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


@functools.cache
def _reasons() -> Mapping[str, Mapping[str, str]]:
    """By table and ``DATASET/CELL/MEASURE``: why a figure is worse."""
    found: dict[str, dict[str, str]] = json.loads(REASONS.read_text(encoding="utf-8"))
    return found


# -- Beside what is measured ------------------------------------------------------------------


@dataclass(frozen=True)
class TableCell:
    """A figure that is reported, measured, or both.

    Attributes
    ----------
    table, dataset : str
    line : Line
    measure : Measure
    reported : PaperFigure or None
    measured : Measured or None
        None where it was not measured yet.
    better : bool or None
        Whether the measured mean reaches the reported figure; None where there is nothing to
        compare.
    reason : str
        Why it is worse; empty where it is not, or where nobody knows.
    command : str
        What measures it again.
    """

    table: str
    dataset: str
    line: Line
    measure: Measure
    reported: PaperFigure | None
    measured: Measured | None
    better: bool | None
    reason: str
    command: str

    @property
    def counted(self) -> bool:
        """Whether its figure is one of those to be reached."""
        return self.reported is not None and self.line.counted and self.measure.better != "neither"

    @property
    def state(self) -> str:
        """``reached``, ``not reached``, ``measured`` (nothing to compare) or ``not measured``."""
        if self.measured is None:
            return "not measured"
        if self.better is None or not self.counted:
            return "measured"
        return "reached" if self.better else "not reached"


@dataclass(frozen=True)
class Shown:
    """A figure of a paper, and the runs that show it.

    Attributes
    ----------
    picture : Picture
    there, missing : tuple of str
        Ids of its runs.
    """

    picture: Picture
    there: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def query(self) -> dict[str, str]:
        """The parameters of the page's link."""
        return {self.picture.parameter: ",".join(self.there), **dict(self.picture.more)}

    @property
    def link(self) -> str:
        """The page's address with its parameters; empty where no run is there."""
        return f"/{self.picture.page}?{urlencode(self.query, safe=',')}" if self.there else ""

    @property
    def command(self) -> str:
        """What records the runs."""
        return f"python -m vade_core record --only {' '.join(self.picture.runs)}"


@dataclass(frozen=True)
class PaperTable:
    """A table of a paper with everything that is known of it.

    Attributes
    ----------
    name, title, words : str
    short, source : str
        The paper in a word or two, and in full.
    cells : tuple of TableCell
    pictures : tuple of Shown
    command : str
        What measures all of it again; empty where there is nothing to measure.
    problems : tuple of str
        A sentence for every result that could not be read.
    """

    name: str
    title: str
    words: str
    short: str
    source: str
    cells: tuple[TableCell, ...]
    pictures: tuple[Shown, ...]
    command: str
    problems: tuple[str, ...] = field(default=())


def paper_tables(
    names: Sequence[str] = (),
    *,
    results: Path | None = None,
    recorded: Path | None = None,
    dataset: str | None = None,
) -> list[PaperTable]:
    """The tables of the papers, each figure beside what is measured.

    Parameters
    ----------
    names : sequence of str, optional
        Of :data:`vade_core.papers_tables.TABLES`; all of them by default.
    results : Path, optional
        The folder that holds ``accuracy`` and ``papers``; by default ``benchmarks/results``.
    recorded : Path, optional
        The folder of the recorded runs.
    dataset : str, optional
        This one alone. One that no paper reports on has lines without reported figures.

    Raises
    ------
    ValueError
        If there is no such table.
    """
    for name in names:
        if name not in TABLES:
            raise ValueError(f"There is no table {name!r}; there are: {', '.join(TABLES)}.")
    found = Results(results, recorded)
    return [_table(TABLES[name], found, dataset) for name in names or TABLES]


def paper_table(name: str, **given: Any) -> PaperTable:
    """One table; see :func:`paper_tables`."""
    return paper_tables([name], **given)[0]


def _table(table: Table, results: Results, dataset: str | None) -> PaperTable:
    known = len(results.problems)
    datasets = table.datasets if dataset is None or not table.datasets else (dataset,)
    cells = tuple(
        _cell(table, name, line, results) for name in datasets for line in table.lines(name)
    )
    paper = _figures_file()["papers"][table.paper]
    return PaperTable(
        table.name,
        table.title,
        table.words,
        paper["short"],
        paper["source"],
        cells,
        tuple(_shown(picture, results.recorded) for picture in table.pictures),
        f"python benchmarks/papers.py --table {table.name}" if cells else "",
        tuple(results.problems[known:]),
    )


def _cell(table: Table, dataset: str, line: Line, results: Results) -> TableCell:
    measure = MEASURES[line.measure]
    reported = _reported(line, dataset)
    second = None if line.beside is None else line.beside[1]
    measured = results.measured(line.sources, dataset, measure.read, second)
    better = None
    if measured is not None and reported is not None:
        better = measure.is_reached(measured.mean, reported.value)
    why = _reasons().get(table.name, {}).get(f"{dataset}/{line.key}", "")
    command = f"python benchmarks/papers.py --table {table.name} --dataset {dataset}"
    command += f" --cell {line.cell}"
    if measured is not None and measured.source.folder == "recorded":
        command = f"python -m vade_core record --only {measured.source.what}"
    return TableCell(
        table.name,
        dataset,
        line,
        measure,
        reported,
        measured,
        better,
        why if better is False else "",
        command,
    )


def _reported(line: Line, dataset: str) -> PaperFigure | None:
    wanted = (line.figure or line.measure, dataset, line.method)
    return next((f for f in reported_figures() if (f.measure, f.dataset, f.method) == wanted), None)


def _shown(picture: Picture, recorded: Path) -> Shown:
    def is_there(run_id: str) -> bool:
        try:
            find_run(run_id, [runs_root(), recorded or recorded_root()]).config  # noqa: B018
        except RunError:
            return False
        return True

    there = tuple(run_id for run_id in picture.runs if is_there(run_id))
    return Shown(picture, there, tuple(r for r in picture.runs if r not in there))


def curves_of(
    cell: TableCell, *, results: Path | None = None, recorded: Path | None = None
) -> CellData | None:
    """The first seed that a figure was measured by, with its curves; None where there is none."""
    if cell.measured is None:
        return None
    found = Results(results, recorded).cells(cell.measured.source, cell.dataset)
    return found[0] if found else None


# -- At a glance ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Glance:
    """How many of the reported figures are reached.

    Attributes
    ----------
    reached, not_reached, not_measured : int
        A figure is reached where one of the recipes that are held against it reaches it.
    """

    reached: int
    not_reached: int
    not_measured: int

    @property
    def figures(self) -> int:
        """All of them."""
        return self.reached + self.not_reached + self.not_measured


def glance(tables: Sequence[PaperTable]) -> Glance:
    """Count the reported figures of some tables by what became of them.

    Examples
    --------
    >>> glance([]).figures
    0
    """
    states: dict[int, set[str]] = {}
    for table in tables:
        for cell in table.cells:
            if cell.counted:
                states.setdefault(id(cell.reported), set()).add(cell.state)
    reached = sum("reached" in found for found in states.values())
    missed = sum("not reached" in found and "reached" not in found for found in states.values())
    return Glance(reached, missed, len(states) - reached - missed)
