"""What there is to measure: a cell is one recipe on one data set with one seed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from vade_core.models import MODELS
from vade_core.papers_measured import CELL_FORMAT, read_cell, written_cells
from vade_core.presets import PRESETS, scaled

RESULTS = Path(__file__).resolve().parent / "results" / "accuracy"
FORMAT = CELL_FORMAT
REFERENCE = "robust"  # which the study takes apart


@dataclass(frozen=True)
class Recipe:
    """How a cell is computed.

    Attributes
    ----------
    title : str
        For tables.
    preset : str
    changes : dict
        Constructor parameters that differ from the preset's.
    as_preset : dict
        The same as a preset has them, for data of MNIST's size: batch and pretraining follow the
        number of samples (:func:`vade_core.presets.scaled`).
    baseline : bool
        Whether no VaDE is trained.
    """

    title: str
    preset: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    as_preset: Mapping[str, Any] = field(default_factory=dict)
    baseline: bool = False

    def of(self, parameters: Mapping[str, Any], n_samples: int) -> dict[str, Any]:
        """The preset's parameters, for so many samples, as this recipe changes them."""
        scaling = scaled(self.as_preset, n_samples) if self.as_preset else {}
        return {**parameters, **scaling, **self.changes}


def _baseline(title: str, model: str, changes: Mapping[str, str]) -> Recipe:
    """A mixture on pretrained latents, with the pretraining that the preset gives this model."""
    own = {
        "pretrain_learning_rate": 1e-3,
        "pretrain_warm_up": 0,
        **PRESETS[REFERENCE].parameters[model],
    }
    return Recipe(title, REFERENCE, changes, own, baseline=True)


BASELINES: dict[str, Recipe] = {
    "gmm": Recipe("GMM on the data", REFERENCE, baseline=True),
    "ae-gmm": _baseline("AE+GMM", "ae-gmm", {"start": "gmm"}),
    "ae-kmeans": _baseline("AE+k-means", "ae-kmeans", {"start": "kmeans"}),
    "vae-gmm": _baseline("VAE+GMM", "vae-gmm", {"pretraining": "vae", "start": "gmm"}),
    "ae-umap-gmm": _baseline("AE+UMAP+GMM", "ae-gmm", {"start": "umap"}),
    "ae-graph": _baseline("AE+graph", "ae-gmm", {"start": "graph"}),
}

# One switch each. Labels by EM instead of gamma need no training of their own: every cell of a
# VaDE has them, and the tables take them from there.
STUDY: dict[str, Recipe] = {
    f"{REFERENCE}-no-kl": Recipe("without the KL term", REFERENCE, {"kl_weight": 0.0}),
    f"{REFERENCE}-no-pretraining": Recipe(
        "without pretraining", REFERENCE, {"pretraining": "none"}
    ),
    # The guard counts from where the held epochs end: without them there is none.
    f"{REFERENCE}-no-clamping": Recipe(
        "without clamping, and so without the guard", REFERENCE, {"clamped_epochs": 0}
    ),
    f"{REFERENCE}-gmm-start": Recipe("GMM instead of the graph", REFERENCE, {"start": "gmm"}),
    f"{REFERENCE}-umap-start": Recipe("UMAP instead of the graph", REFERENCE, {"start": "umap"}),
    f"{REFERENCE}-two-graphs": Recipe(
        "two graphs instead of the graph", REFERENCE, {"start": "two-graphs"}
    ),
    f"{REFERENCE}-no-agreement": Recipe(
        "what is held not learnt", REFERENCE, {"agreement_weight": 0.0}
    ),
    f"{REFERENCE}-not-renewed": Recipe("what is held not renewed", REFERENCE, {"renew_every": 0}),
    f"{REFERENCE}-whole-reconstruction": Recipe(
        "the whole reconstruction, not 0.35 of it", REFERENCE, {"reconstruction_weight": 1.0}
    ),
    f"{REFERENCE}-unguarded": Recipe("free to leave its start", REFERENCE, {"most_leaving": None}),
    # What `robust` was before: its cells are its own, with all that differs.
    f"{REFERENCE}-longer": Recipe(
        "the recipe before: 20 + 30 epochs, nothing learnt or renewed, 0.25 of the reconstruction",
        REFERENCE,
        as_preset={
            "pretrain_epochs": 20,
            "pretrain_learning_rate": 1e-3,
            "pretrain_warm_up": 0,
            "epochs": 30,
            "clamped_epochs": 15,
            "decay": 0.9,
            "agreement_weight": 0.0,
            "renew_every": 0,
            "reconstruction_weight": 0.25,
        },
    ),
}


def recipes(model: str = "vade") -> dict[str, Recipe]:
    """All that can be asked for, by the name of its cells."""
    if model != "vade":
        return {
            f"{model}-{name}": Recipe(f"{MODELS[model].title}, `{name}`", name) for name in PRESETS
        }
    presets = {name: Recipe(f"VaDE, `{name}`", name) for name in PRESETS}
    return {**presets, **STUDY, **BASELINES}


@dataclass(frozen=True)
class Cell:
    """One measurement, computed in a process of its own.

    Attributes
    ----------
    dataset : str
        A registered data set, or the stem of a person's own file.
    what : str
        The recipe's name, see :func:`recipes`.
    seed : int
    split : bool
        Whether the test part is kept out of training.
    model : str
    data_file : str or None
    clusters : int or None
        K where it is not the number of classes.
    subset : int or None
        For trials: train on so many samples.
    changes : dict
        For trials: further constructor parameters.
    device : str
    precision : str
    threads : int or None
    """

    script: ClassVar[str] = "accuracy_cell.py"  # of this folder: what computes it

    dataset: str
    what: str
    seed: int
    split: bool = False
    model: str = "vade"
    data_file: str | None = None
    clusters: int | None = None
    subset: int | None = None
    changes: dict[str, Any] = field(default_factory=dict)
    device: str = "auto"
    precision: str = "auto"
    threads: int | None = None

    @property
    def recipe(self) -> Recipe:
        return recipes(self.model)[self.what]

    @property
    def row(self) -> str:
        """The name of its row: recipe, K where it was asked for, and the split."""
        k = "" if self.clusters is None else f"-k{self.clusters}"
        return f"{self.what}{k}{'-split' if self.split else ''}"

    @property
    def pretrained(self) -> Path | None:
        """Where the networks lie that it shares with other baselines of its seed; None: nowhere."""
        if not self.recipe.baseline or "start" not in self.recipe.changes:
            return None
        pretraining = self.recipe.changes.get("pretraining", "preset")
        row = self.row.removeprefix(self.what)
        return Path(self.dataset) / "pretrained" / f"{pretraining}{row}-seed-{self.seed}"

    @property
    def place(self) -> Path:
        """Where it lies, within a folder of results or of work."""
        return Path(self.dataset) / self.row / f"seed-{self.seed}"

    def file(self, results: Path) -> Path:
        """The file that it leaves."""
        return results / self.place.with_suffix(".json")

    def to_json(self) -> str:
        """For the process that computes it."""
        return json.dumps(asdict(self))


def read_cells(results: Path, datasets: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """The cells below a folder.

    Raises
    ------
    ValueError
        If a file is none that this version can read.
    """
    return [
        read_cell(path)
        for path in written_cells(results)
        if datasets is None or path.parts[-3] in datasets
    ]
