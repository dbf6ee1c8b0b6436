"""What was measured, as the benchmarks and the recorded runs have left it.

Reads JSON alone. What is not there was not measured yet; a file that cannot be read costs its own
seed, and is named.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vade_core.papers_measures import CellData, Read
from vade_core.papers_tables import Source
from vade_core.runs import ASSETS, Run, RunError, find_run, recorded_root

__all__ = ["CELL_FORMAT", "RESULTS", "Measured", "Results", "read_cell", "written_cells"]

CELL_FORMAT = 1
RESULTS = ASSETS.parent / "benchmarks" / "results"
"""Where the benchmarks leave their cells: ``accuracy`` and ``papers``, by data set and row."""

_CURVES = ("val_loss", "nmi", "rand_index", "test_nmi", "test_rand_index", "cluster_kl")


def written_cells(folder: Path) -> Iterator[Path]:
    """The files of all cells below a folder, by data set, row and seed."""
    found = folder.glob("*/*/seed-*.json") if folder.is_dir() else iter(())
    yield from sorted(found, key=lambda path: (*path.parts[-3:-1], len(path.stem), path.stem))


def read_cell(path: Path) -> dict[str, Any]:
    """One cell.

    Raises
    ------
    ValueError
        If the file is none that this version can read.
    """
    try:
        cell = json.loads(path.read_text(encoding="utf-8"))
        if cell["format"] != CELL_FORMAT:
            raise ValueError("another format")
        shown = {"dataset": str, "row": str, "what": str, "seed": int, "scores": dict}
        if not all(isinstance(cell[name], kind) for name, kind in shown.items()):
            raise ValueError("an entry of the wrong kind")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} is no cell that this version can read ({error}): delete it, and it is "
            "computed again."
        ) from error
    found: dict[str, Any] = cell
    return found


@dataclass(frozen=True)
class Measured:
    """A figure over the seeds that there are.

    Attributes
    ----------
    mean : float
    sd : float or None
        Of a sample (n - 1); None of a single seed.
    values : tuple of float
    seeds : tuple of int
        The seed of each value.
    beside : float or None
        The mean of a second way of counting.
    device : str
        Where it was computed; several, where the seeds differ.
    seconds : float or None
        Of training, a seed, in the mean.
    source : Source
    """

    mean: float
    sd: float | None
    values: tuple[float, ...]
    seeds: tuple[int, ...]
    beside: float | None
    device: str
    seconds: float | None
    source: Source

    @property
    def n(self) -> int:
        """How many seeds there are."""
        return len(self.values)


class Results:
    """The results below a folder, each file read once.

    Parameters
    ----------
    folder : Path, optional
        Holds ``accuracy`` and ``papers``.
    recorded : Path, optional
        Holds the recorded runs.

    Attributes
    ----------
    problems : list of str
        A sentence for every file that could not be read.
    """

    def __init__(self, folder: Path | None = None, recorded: Path | None = None) -> None:
        self.folder = RESULTS if folder is None else folder
        self.recorded = recorded_root() if recorded is None else recorded
        self.problems: list[str] = []
        self._rows: dict[tuple[Source, str], list[CellData]] = {}

    def cells(self, source: Source, dataset: str) -> list[CellData]:
        """The cells of a row on a data set, by seed."""
        key = (source, dataset)
        if key not in self._rows:
            found = (
                self._of_recorded(source, dataset)
                if source.folder == "recorded"
                else self._of_files(self.folder / source.folder / dataset / source.row)
            )
            self._rows[key] = sorted(found, key=lambda cell: int(cell["seed"]))
        return self._rows[key]

    def measured(
        self, sources: Sequence[Source], dataset: str, read: Read, beside: Read | None = None
    ) -> Measured | None:
        """A figure from the first source that has one; None where none has."""
        for source in sources:
            found = [
                (cell, value)
                for cell in self.cells(source, dataset)
                if (value := read(cell)) is not None
            ]
            if found:
                return _measured(source, found, beside)
        return None

    def _of_files(self, folder: Path) -> list[CellData]:
        found: list[CellData] = []
        for path in sorted(folder.glob("seed-*.json")) if folder.is_dir() else ():
            try:
                found.append(read_cell(path))
            except ValueError as error:
                self.problems.append(str(error))
        return found

    def _of_recorded(self, source: Source, dataset: str) -> list[CellData]:
        try:
            run = find_run(source.what, [self.recorded])
            return [as_cell(run)] if run.config.dataset == dataset else []
        except RunError:
            return []


def _measured(
    source: Source, found: Sequence[tuple[CellData, float]], beside: Read | None
) -> Measured:
    values = [value for _, value in found]
    seconds = [float(s) for cell, _ in found if (s := (cell.get("seconds") or {}).get("total"))]
    second = [v for cell, _ in found if beside is not None and (v := beside(cell)) is not None]
    return Measured(
        statistics.fmean(values),
        statistics.stdev(values) if len(values) > 1 else None,
        tuple(values),
        tuple(int(cell["seed"]) for cell, _ in found),
        statistics.fmean(second) if second else None,
        " and ".join(dict.fromkeys(_device(cell.get("ran") or {}) for cell, _ in found)),
        statistics.fmean(seconds) if seconds else None,
        source,
    )


def _device(ran: CellData) -> str:
    """Where a cell ran, in a few words."""
    threads = ran.get("threads")
    parts = [
        "CPU" if ran.get("device") in (None, "cpu") else str(ran["device"]),
        f"{threads} thread{'' if threads == 1 else 's'}" if threads else "",
        str(ran.get("precision") or ""),
    ]
    return ", ".join(part for part in parts if part)


def as_cell(run: Run) -> dict[str, Any]:
    """What a recorded run knows, under the names that a cell has it under.

    Raises
    ------
    RunError
        If the run cannot be read.
    """
    from vade_core.evaluated import Evaluation

    config, lines = run.config, run.metrics()
    values = (Evaluation(run).find() or {}).get("values", {})
    return {
        "dataset": config.dataset,
        "seed": config.seed,
        "split": config.split,
        "parameters": config.parameters,
        "scores": {name: v for name, v in lines[-1].items() if not isinstance(v, (list, dict))}
        if lines
        else {},
        **{n: values.get(n) for n in ("knn_error", "silhouette", "calinski_harabasz")},
        "reconstruction": values.get("reconstruction"),
        "label_free": {"test": values.get("loss_terms")},
        "curve": _by_phase(lines, "acc"),
        "loss_curve": _by_phase(lines, "loss"),
        "curves": {name: _by_phase(lines, name) for name in _CURVES},
        "seconds": {
            **{phase: sum(values) for phase, values in _by_phase(lines, "seconds").items()},
            "total": lines[-1].get("elapsed") if lines else None,
        },
        "ran": {"device": "cpu", "threads": config.threads, "precision": config.precision},
    }


def _by_phase(lines: Sequence[dict[str, Any]], name: str) -> dict[str, list[float]]:
    """A number epoch by epoch, by phase."""
    found: dict[str, list[float]] = {}
    for line in lines:
        if isinstance(value := line.get(name), (int, float)):
            found.setdefault(str(line["phase"]), []).append(float(value))
    return found
