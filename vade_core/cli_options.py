"""What the command line takes: its commands, their options, and the checks on each value."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from vade_core.presets import DEFAULT_PRESET, PRESETS

Command = Callable[[argparse.Namespace], int]
# Of every command on one run.
_RUN: dict[str, Any] = {"type": Path, "help": "the run's folder, or its id"}

# Written out here, since the modules that know them bring scikit-learn along.
EXPORTS = ("html", "samples", "csv", "projector")
SEEDED_MAPS = ("tsne", "umap")

SETTING_OPTIONS: dict[str, str] = {
    "epochs": "--epochs",
    "latent_dim": "--latent",
    "hidden": "--hidden",
    "batch_size": "--batch",
    "strength": "--lambda",
    "pretrain_epochs": "--pretrain-epochs",
    "pretraining": "--pretraining",
    "start": "--start",
    "clamped_epochs": "--clamped",
}
"""Settings of models that have an option of their own."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see '{self.prog} --help')")


class _Defaults(argparse.ArgumentDefaultsHelpFormatter):
    """Shows the defaults that say something."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default is None or isinstance(action.default, bool):
            return action.help
        return super()._get_help_string(action)


class UsageError(ValueError):
    """Arguments that do not fit."""


def parser(commands: Mapping[str, Command]) -> argparse.ArgumentParser:
    """The parser of ``python -m vade_core``.

    Parameters
    ----------
    commands : mapping of str to callable
        What carries each command out. It is given the options, and gives the exit code.

    Returns
    -------
    ArgumentParser
        Raises :class:`UsageError` in place of leaving the program. Its options have the chosen
        ``command``.
    """
    whole = _Parser(
        prog="python -m vade_core",
        description="Train, resume, evaluate and export VaDE, VAE and Lambda-Hot models.",
    )
    every = whole.add_subparsers(title="commands", required=True, metavar="COMMAND")

    for name, words in (
        ("datasets", "list the data sets"),
        ("models", "list the models"),
        ("runs", "list the runs of a folder"),
    ):
        listing = every.add_parser(name, help=words, description=words.capitalize() + ".")
        listing.add_argument("--json", action="store_true", help="print a JSON list of objects")
        listing.set_defaults(command=commands[name])
        if name == "runs":
            listing.add_argument(
                "folder", nargs="?", type=Path, help="default: VADE_RUNS, or ./runs"
            )

    papers = every.add_parser(
        "papers",
        help="show what the papers report beside what is measured here",
        description="Show what the papers report beside what is measured here: mean and standard "
        "deviation over the seeds that there are, device, seconds, and the command that does it "
        "again. Computes nothing; benchmarks/papers.py does.",
    )
    papers.add_argument("--table", metavar="NAME", help="this one alone")
    form = papers.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object")
    form.add_argument("--markdown", action="store_true", help="print the tables as Markdown")
    papers.set_defaults(command=commands["papers"])

    train = every.add_parser(
        "train",
        help="train a model into a run folder",
        description="Train a model into a run folder. What is not given comes from the preset.",
        formatter_class=_Defaults,
    )
    _add_training_options(train)
    train.set_defaults(command=commands["train"])

    resume = every.add_parser(
        "resume",
        help="go on with a run from its last checkpoint",
        description="Go on with a run from its last checkpoint, to the same result as if it had "
        "never stopped. A finished run is left as it is.",
    )
    resume.add_argument("run", **_RUN)
    resume.set_defaults(command=commands["resume"])

    evaluate = every.add_parser(
        "evaluate",
        help="measure a run's final model",
        description="Measure a run's final model: clustering on all samples, and on the test part "
        "silhouette, Calinski-Harabasz, kNN error and reconstruction.",
    )
    evaluate.add_argument("run", **_RUN)
    evaluate.add_argument("--json", action="store_true", help="print one JSON object")
    evaluate.set_defaults(command=commands["evaluate"])

    export = every.add_parser(
        "export",
        help="write a run for other programs",
        description="Write a run for other programs: html, the time machine as one file that "
        "opens without Python or a network; samples, every sample as a table with its cluster, "
        "gamma and latents; csv, a frame as a table, of the samples that the map shows; projector, "
        "a frame as a zip for the Embedding Projector.",
    )
    export.add_argument("run", **_RUN)
    export.add_argument("--format", dest="form", choices=EXPORTS, default="html")
    export.add_argument("--out", type=Path, required=True, metavar="FILE", help="replaced if there")
    export.add_argument(
        "--lens", metavar="tsne", help="the map (default: all for html, the first one for csv)"
    )
    export.add_argument(
        "--frame", type=_whole, metavar="N", help="the frame, for csv and projector (default: last)"
    )
    export.set_defaults(command=commands["export"])

    again = every.add_parser(
        "remap",
        help="make a frame's map again with another seed",
        description="Make a frame's map again, from nothing, with another seed: what moves then "
        "moves without any learning. The map is kept beside the run's frames.",
    )
    again.add_argument("run", **_RUN)
    again.add_argument("--frame", type=_whole, metavar="N", help="default: the last")
    again.add_argument("--lens", choices=SEEDED_MAPS, default="tsne")
    again.add_argument("--seed", type=_seed, default=1)
    again.add_argument("--json", action="store_true", help="print one JSON object")
    again.set_defaults(command=commands["remap"])

    recording = every.add_parser(
        "record",
        help="make the recorded runs that come with the project",
        description="Make the recorded runs that come with the project, on all of MNIST unless "
        "--subset is given. What is there is kept; what was interrupted goes on.",
    )
    recording.add_argument("--only", nargs="+", metavar="ID", default=[], help="these alone")
    recording.add_argument("--list", action="store_true", help="say what is there, make nothing")
    recording.add_argument("--again", action="store_true", help="make those anew that are there")
    recording.add_argument(
        "--out", type=Path, metavar="DIR", help="default: VADE_RECORDED, or assets/runs"
    )
    recording.add_argument("--subset", type=_positive, metavar="N", help="for trials: N samples")
    recording.add_argument(
        "--epochs", type=_positive, metavar="E", help="for trials: E epochs, and E of pretraining"
    )
    recording.add_argument("--json", action="store_true", help="print a JSON list of objects")
    recording.set_defaults(command=commands["record"])
    return whole


def _add_training_options(train: argparse.ArgumentParser) -> None:
    train.add_argument("--model", default="vade", help="see 'python -m vade_core models'")
    train.add_argument(
        "--dataset", metavar="NAME", help="see 'python -m vade_core datasets' (default: mnist)"
    )
    train.add_argument(
        "--data",
        type=Path,
        metavar="FILE|FOLDER",
        help="train on your own data in place of --dataset: .npz (X, and y if there are labels), "
        ".csv, IDX, or a folder or zip of PNG or JPEG pictures",
    )
    train.add_argument(
        "--labels", type=Path, metavar="FILE", help="labels of --data: IDX, or one a line of text"
    )
    train.add_argument(
        "--label-column",
        metavar="NAME",
        help="the column of a .csv file that holds labels, if it is not label, y or class; without "
        "a header its number, from 1",
    )
    train.add_argument(
        "--clusters",
        type=_positive,
        metavar="K",
        help="number of clusters (default: the number of classes, or 10)",
    )
    train.add_argument(
        "--epochs", type=_positive, help="the model's own epochs, pretraining not counted"
    )
    train.add_argument("--seed", type=_seed, default=0, help="seed of every draw")
    train.add_argument("--preset", default=DEFAULT_PRESET, help=f"one of {', '.join(PRESETS)}")
    train.add_argument("--out", type=Path, metavar="DIR", help="the run's folder, empty or new")
    train.add_argument("--subset", type=_positive, metavar="N", help="train on N samples only")
    train.add_argument("--split", action="store_true", help="train on the train part alone")
    train.add_argument(
        "--latent", dest="latent_dim", type=_positive, metavar="J", help="latent dimensions"
    )
    train.add_argument("--hidden", type=_widths, metavar="500,500,2000", help="hidden widths")
    train.add_argument("--batch", dest="batch_size", type=_positive, metavar="N", help="batch size")
    train.add_argument("--lambda", dest="strength", type=float, help="Lambda-Hot's lambda")
    train.add_argument(
        "--pretrain-epochs", type=_whole, metavar="N", help="epochs of VaDE's pretraining"
    )
    train.add_argument(
        "--pretraining",
        metavar="NAME",
        help="VaDE's pretraining: autoencoder, stacked (layer by layer), vae or none",
    )
    train.add_argument(
        "--start",
        metavar="NAME",
        help="the mixture's start: graph, two-graphs, gmm, umap, kmeans or random",
    )
    train.add_argument(
        "--clamped",
        dest="clamped_epochs",
        type=_whole,
        metavar="N",
        help="hold the start's clusters for the first N epochs; 0 sets them free at once",
    )
    train.add_argument(
        "--maps", metavar="tsne,pca", default="tsne,pca", help="the maps made of every frame"
    )
    train.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        type=_setting,
        metavar="NAME=VALUE",
        help="any other setting of the model, such as beta=3; may be given several times",
    )
    train.add_argument(
        "--keep-weights",
        action="store_true",
        help="keep the model of every frame (7 MB each for MNIST), to ask it about earlier epochs",
    )
    train.add_argument(
        "--threads",
        type=partial(_between, 1, 256),
        help="processor threads (default: what torch takes)",
    )
    train.add_argument("--json", action="store_true", help="print the run's summary as JSON")


def _between(low: int, high: int, text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = low - 1
    if not low <= value <= high:
        raise argparse.ArgumentTypeError(
            f"{text[:40]!r} is not a whole number from {low} to {high}"
        )
    return value


_whole = partial(_between, 0, 1_000_000_000)
_positive = partial(_between, 1, 1_000_000_000)
_seed = partial(_between, 0, 2**32 - 1)


def _widths(text: str) -> list[int]:
    return [_positive(part.strip()) for part in text.split(",")]


def _setting(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not NAME=VALUE")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
