"""What measures the papers' tables: cells of the accuracy benchmark, and recipes of their own.

The tables themselves, and which row measures which of their lines, are in
:mod:`vade_core.papers_tables`.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from accuracy_plan import Cell, Recipe

from vade_core.data import DATASETS
from vade_core.models import MODELS
from vade_core.papers_tables import STRENGTHS, TABLES, Line, Source

# One recipe for all of Wang's models: what the report leaves out is chosen once, for none of them.
WANG: dict[str, Any] = {
    "latent_dim": 20,  # Wang
    "epochs": 60,  # not in the report, like all below
    # A VAE's loss on MNIST: one layer of 1,000 beat 400, 500-500, 1000-1000 and 500-500-2000 after
    # 15 epochs (test part), and 2,000 beat 1,000 after 60 (last 10,000 of the train part). Deeper
    # networks leave more latents unused.
    "hidden": (2000,),
    "batch_size": 256,
    "learning_rate": 1e-3,
    # The last epochs settle: without a fall the loss of an image goes up and down by half a nat.
    "decay": 0.93,
    "decay_every": 1,
    "learning_rate_floor": 2e-5,
}
HOT = {**WANG, "strength": 5.0}  # Wang's lambda
ORBAY: dict[str, Any] = {"style_dim": 2, "epochs": 60}  # Orbay's w; the epochs are ours

RECIPES: dict[str, Recipe] = {
    "wang-vae": Recipe("VAE", "robust", WANG),
    "wang-beta-vae": Recipe("beta-VAE", "robust", {**WANG, "beta": 5.0}),  # Wang's beta
    "wang-cvae": Recipe("Conditional VAE", "robust", WANG),
    "wang-lambda-hot": Recipe("Lambda-Hot", "robust", HOT),
    # Deeper networks tell classes better, and leave more latents unused.
    "wang-lambda-hot-deep": Recipe(
        "Lambda-Hot, three hidden layers", "robust", {**HOT, "hidden": (500, 500, 2000)}
    ),
    "wang-lambda-hot-movable": Recipe("Lambda-Hot, movable centres", "robust", HOT),
    "wang-kmeans-vae": Recipe("K-means VAE", "robust", WANG),
    **{
        f"wang-lambda-{strength}": Recipe(
            f"Lambda-Hot, lambda = {strength}", "robust", {**WANG, "strength": float(strength)}
        )
        for strength in STRENGTHS
    },
    "czerwonski-vade": Recipe("VaDE, Czerwonski's recipe", "czerwonski"),
    "czerwonski-vae": Recipe("VAE, as long", "czerwonski"),
    "orbay-gmvae": Recipe("GMM-VAE", "robust", ORBAY),
    # About as many steps as on MNIST, of a seventh of the samples.
    "orbay-gmvae-synthetic": Recipe("GMM-VAE", "robust", {**ORBAY, "batch_size": 64}),
}
CLUSTERS = {name: 10 for name in RECIPES if name.startswith("orbay")}  # Orbay's K, on both sets
# What is measured beyond a cell of the accuracy benchmark, by the row's first word.
CLASSIFIERS = ("wang",)


@dataclass(frozen=True)
class PaperCell(Cell):
    """A cell of a recipe that only the papers' tables ask for."""

    script: ClassVar[str] = "papers_cell.py"

    @property
    def recipe(self) -> Recipe:
        return RECIPES[self.what]

    @property
    def row(self) -> str:
        """The recipe's name: whether the test part is kept out belongs to the recipe."""
        return self.what


@dataclass(frozen=True)
class Asked:
    """What a command asks for.

    Attributes
    ----------
    tables : sequence of str
    datasets, cells : sequence of str
        Of the tables; all of them where there are none.
    seeds : int or None
        None: as many as each line wants.
    first_seed : int
    options : dict
        Of every cell: device, precision, threads, and what makes it a trial.
    """

    tables: Sequence[str]
    datasets: Sequence[str] = ()
    cells: Sequence[str] = ()
    seeds: int | None = None
    first_seed: int = 0
    options: Mapping[str, Any] | None = None


def lines_of(asked: Asked) -> Iterator[tuple[str, str, Line]]:
    """Table, data set and line of everything that is asked for."""
    for name in asked.tables:
        table = TABLES[name]
        for dataset in asked.datasets or table.datasets:
            for line in table.lines(dataset):
                if not asked.cells or line.cell in asked.cells:
                    yield name, dataset, line


def computable(line: Line) -> Source:
    """The source of a line that cells are computed for: the first that is no recorded run."""
    return next(source for source in line.sources if source.folder != "recorded")


def planned(asked: Asked) -> tuple[list[Cell], list[str]]:
    """The cells that are to be there, seed by seed, and a sentence for each that cannot be.

    Returns
    -------
    cells : list of Cell
    left_out : list of str
        Models and data sets that this version does not have.
    """
    wanted: dict[tuple[str, Source], int] = {}
    left_out: dict[str, None] = {}
    for _, dataset, line in lines_of(asked):
        source = computable(line)
        if dataset not in DATASETS:
            left_out[f"There is no data set {dataset!r} yet: its cells are left out."] = None
        elif source.model not in MODELS:
            left_out[f"There is no model {source.model!r} yet: its cells are left out."] = None
        else:
            key = (dataset, source)
            wanted[key] = max(wanted.get(key, 0), asked.seeds or line.seeds)
    last = asked.first_seed + max(wanted.values(), default=0)
    cells = [
        _cell(dataset, source, seed, dict(asked.options or {}))
        for seed in range(asked.first_seed, last)
        for (dataset, source), seeds in wanted.items()
        if seed < asked.first_seed + seeds
    ]
    return cells, list(left_out)


def _cell(dataset: str, source: Source, seed: int, options: dict[str, Any]) -> Cell:
    changes = options.pop("changes", {})
    if changes:  # a trial; a baseline of the accuracy benchmark is made of VaDE's settings
        accepted = inspect.signature(MODELS[source.model].estimator).parameters
        changes = {name: value for name, value in changes.items() if name in accepted}
    kind = PaperCell if source.folder == "papers" else Cell
    return kind(
        dataset=dataset,
        what=source.what,
        seed=seed,
        split=source.split,
        model=source.model,
        clusters=CLUSTERS.get(source.what),
        changes=changes,
        **options,
    )


def folder_of(cell: Cell, folder: Path) -> Path:
    """Where a cell belongs below a folder of results or of work."""
    return folder / ("papers" if isinstance(cell, PaperCell) else "accuracy")
