"""The command line.

With ``--json`` standard output carries JSON alone; everything else goes to standard error. What a
person did wrong ends in one sentence and exit code 2.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from vade_core.presets import DEFAULT_PRESET, PRESETS
from vade_core.runs import (
    ID_PATTERN,
    UNTRAINED,
    Run,
    RunError,
    is_recorded,
    list_runs,
    recorded_root,
    runs_root,
)

# Written out here, since the modules that know them bring scikit-learn along.
EXPORTS = ("html", "csv", "projector")
SEEDED_MAPS = ("tsne", "umap")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise _UsageError(f"{message} (see '{self.prog} --help')")


class _Defaults(argparse.ArgumentDefaultsHelpFormatter):
    """Shows the defaults that say something."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default is None or isinstance(action.default, bool):
            return action.help
        return super()._get_help_string(action)


class _UsageError(ValueError):
    """Arguments that do not fit."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit code: 0, 2 for a mistake, 130 when interrupted."""
    from vade_core.data import DataError

    try:
        options = _parser().parse_args(arguments)
        result: int = options.command(options)
        return result
    except (_UsageError, RunError, DataError, ValueError, FloatingPointError) as error:
        print(f"vade_core: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader of a pipe had enough
        sys.stderr.close()
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m vade_core",
        description="Train, resume, evaluate and export VaDE, VAE and Lambda-Hot models.",
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    for name, words, command in (
        ("datasets", "list the data sets", _datasets),
        ("models", "list the models", _models),
        ("runs", "list the runs of a folder", _runs),
    ):
        listing = commands.add_parser(name, help=words, description=words.capitalize() + ".")
        listing.add_argument("--json", action="store_true", help="print a JSON list of objects")
        listing.set_defaults(command=command)
        if name == "runs":
            listing.add_argument(
                "folder", nargs="?", type=Path, help="default: VADE_RUNS, or ./runs"
            )

    papers = commands.add_parser(
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
    papers.set_defaults(command=_papers)

    train = commands.add_parser(
        "train",
        help="train a model into a run folder",
        description="Train a model into a run folder. What is not given comes from the preset.",
        formatter_class=_Defaults,
    )
    _add_training_options(train)
    train.set_defaults(command=_train)

    resume = commands.add_parser(
        "resume",
        help="go on with a run from its last checkpoint",
        description="Go on with a run from its last checkpoint, to the same result as if it had "
        "never stopped. A finished run is left as it is.",
    )
    resume.add_argument("run", type=Path, help="the run's folder, or its id")
    resume.set_defaults(command=_resume)

    evaluate = commands.add_parser(
        "evaluate",
        help="measure a run's final model",
        description="Measure a run's final model: clustering on all samples, and on the test part "
        "silhouette, Calinski-Harabasz, kNN error and reconstruction.",
    )
    evaluate.add_argument("run", type=Path, help="the run's folder, or its id")
    evaluate.add_argument("--json", action="store_true", help="print one JSON object")
    evaluate.set_defaults(command=_evaluate)

    export = commands.add_parser(
        "export",
        help="write a run for other programs",
        description="Write a run for other programs: html, the time machine as one file that "
        "opens without Python or a network; csv, a frame as a table; projector, a frame as a zip "
        "for the Embedding Projector.",
    )
    export.add_argument("run", type=Path, help="the run's folder, or its id")
    export.add_argument("--format", dest="form", choices=EXPORTS, default="html")
    export.add_argument("--out", type=Path, required=True, metavar="FILE", help="replaced if there")
    export.add_argument(
        "--lens", metavar="tsne", help="the map (default: all for html, the first one for csv)"
    )
    export.add_argument(
        "--frame", type=_whole, metavar="N", help="the frame, for csv and projector (default: last)"
    )
    export.set_defaults(command=_export)

    again = commands.add_parser(
        "remap",
        help="make a frame's map again with another seed",
        description="Make a frame's map again, from nothing, with another seed: what moves then "
        "moves without any learning. The map is kept beside the run's frames.",
    )
    again.add_argument("run", type=Path, help="the run's folder, or its id")
    again.add_argument("--frame", type=_whole, metavar="N", help="default: the last")
    again.add_argument("--lens", choices=SEEDED_MAPS, default="tsne")
    again.add_argument("--seed", type=_seed, default=1)
    again.add_argument("--json", action="store_true", help="print one JSON object")
    again.set_defaults(command=_remap)

    recording = commands.add_parser(
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
    recording.set_defaults(command=_record)
    return parser


def _add_training_options(train: argparse.ArgumentParser) -> None:
    train.add_argument("--model", default="vade", help="see 'python -m vade_core models'")
    train.add_argument("--dataset", default="mnist", help="see 'python -m vade_core datasets'")
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
    train.add_argument("--latent", type=_positive, metavar="J", help="latent dimensions")
    train.add_argument("--hidden", type=_widths, metavar="500,500,2000", help="hidden widths")
    train.add_argument("--batch", type=_positive, help="batch size")
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
        "--start", metavar="NAME", help="the mixture's start, such as umap, gmm, kmeans or random"
    )
    train.add_argument(
        "--clamped",
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
        "--threads", type=_positive, help="processor threads (default: what torch takes)"
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


def _datasets(options: argparse.Namespace) -> int:
    from vade_core.data import DATASETS

    rows = [
        {
            "name": entry.name,
            "summary": entry.summary,
            "samples": entry.n_samples,
            "features": entry.n_features,
            "classes": entry.n_classes,
            "likelihood": entry.likelihood,
            "source": entry.source,
            "licence": entry.licence,
        }
        for entry in DATASETS.values()
    ]
    _print_table(rows, options.json, ("name", "samples", "features", "classes", "summary"))
    return 0


def _models(options: argparse.Namespace) -> int:
    from vade_core.models import MODELS

    rows = [
        {
            "name": entry.name,
            "title": entry.title,
            "supervised": entry.supervised,
            "own_clusters": entry.own_clusters,
            "baseline": entry.baseline,
            "summary": entry.summary,
            "source": entry.source,
        }
        for entry in MODELS.values()
    ]
    _print_table(rows, options.json, ("name", "supervised", "baseline", "summary", "source"))
    return 0


def _runs(options: argparse.Namespace) -> int:
    folder = options.folder if options.folder is not None else runs_root()
    if options.folder is not None and not folder.is_dir():
        raise RunError(f"{folder} is no folder: name the one that holds the runs.")
    rows = list_runs([folder])
    for row in rows:
        if "error" in row:
            print(f"vade_core: {row['error']}", file=sys.stderr)
    _print_table(rows, options.json, ("id", "state", "model", "dataset", "clusters", "acc"))
    return 0


def _open(named: Path) -> Run:
    """The run of a folder, or of an id among the person's runs and the recorded ones."""
    if not named.is_dir() and ID_PATTERN.fullmatch(str(named)):
        for root in (runs_root(), recorded_root()):
            if (root / named).is_dir():
                return Run(root / named)
    return Run(named)


def _train(options: argparse.Namespace) -> int:
    from vade_core.configure import configure
    from vade_core.recorder import create_run

    overrides: dict[str, Any] = {
        "epochs": options.epochs,
        "latent_dim": options.latent,
        "hidden": options.hidden,
        "batch_size": options.batch,
        "strength": options.strength,
        "pretrain_epochs": options.pretrain_epochs,
        "pretraining": options.pretraining,
        "start": options.start,
        "clamped_epochs": options.clamped,
        **dict(options.settings),
    }
    config = configure(
        model=options.model,
        dataset=options.dataset,
        data_file=options.data,
        labels_file=options.labels,
        label_column=options.label_column,
        clusters=options.clusters,
        seed=options.seed,
        preset=options.preset,
        subset=options.subset,
        split=options.split,
        lenses=[lens for lens in options.maps.split(",") if lens],
        keep_weights=options.keep_weights,
        overrides={name: value for name, value in overrides.items() if value is not None},
        progress=lambda words: print(words, file=sys.stderr),
    )
    config.threads = options.threads
    run = create_run(runs_root(), config, options.out)
    return _work(run.path, as_json=options.json)


def _resume(options: argparse.Namespace) -> int:
    run = _open(options.run)
    if is_recorded(run.path):
        raise RunError(
            f"{run.id} is a recorded run, which is never changed: train anew with its settings, or "
            "go on with a copy that 'Make it mine' makes on its page."
        )
    if run.status()["state"] == "finished":
        print(f"{run.path} is finished: there is nothing to do.", file=sys.stderr)
        return 0
    return _work(run.path)


def _work(path: Path, as_json: bool = False) -> int:
    run = Run(path)
    state = _watched(run)
    print(f"{state}: {run.path}", file=sys.stderr)
    if as_json:
        print(json.dumps(run.summary()))
    return 130 if state == "interrupted" else 0


def _watched(run: Run) -> str:
    """Train a run with its progress on standard error; the state that it reached."""
    from vade_core.worker import Worker

    show = _Progress(run)
    state = Worker(run, listener=show.line, progress=show.share).work()
    show.end()
    return state


class _Progress:
    """A progress bar with the time left on a terminal; a line an epoch elsewhere."""

    def __init__(self, run: Any) -> None:
        self._run = run
        self._shown = 0.0
        self._terminal = sys.stderr.isatty()

    def share(self, share: float) -> None:
        now = time.monotonic()
        if not self._terminal or now - self._shown < 0.2:
            return
        self._shown = now
        status = self._run.status()
        done, total = status.get("past_epochs", 0), max(1, status.get("total_epochs", 1))
        whole = min(1.0, (done + share) / total)
        bar = "#" * round(30 * whole)
        left = status.get("eta_seconds")
        words = f"{status['words']}, epoch {status.get('epoch', 0) + 1}/{status.get('epochs', 0)}"
        time_left = "" if left is None else f", {left / 60:.1f} min left"
        self._say(f"\r[{bar:<30}] {words}{time_left}\033[K")

    def line(self, entry: dict[str, Any]) -> None:
        if entry["phase"] == UNTRAINED:
            return  # there is nothing to tell yet
        parts = [f"{entry['phase']} {entry['epoch']}/{entry['epochs']}"]
        if "loss" in entry:
            parts.append(f"loss {entry['loss']:.2f}")
        for name in ("acc", "nmi", "rand_index"):
            if entry.get(name) is not None:
                parts.append(f"{name} {entry[name]:.4f}")
        parts.append(f"{entry['seconds']:.1f} s")
        start = "\r\033[K" if self._terminal else ""
        self._say(start + "  ".join(parts) + "\n")

    def _say(self, text: str) -> None:
        # Whoever read along may have left (``| head``): the training does not end for that.
        with contextlib.suppress(OSError):
            print(text, end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        if self._terminal:
            self._say("\r\033[K")


def _evaluate(options: argparse.Namespace) -> int:
    from vade_core.evaluation import evaluate
    from vade_core.rebuild import load_dataset, load_model

    run = _open(options.run)
    model = load_model(run)
    state, lines = run.status()["state"], run.metrics()
    if state != "finished":
        reached = f"{lines[-1]['phase']} epoch {lines[-1]['epoch']}" if lines else "nothing"
        print(f"This run is {state}; measured is what it reached: {reached}.", file=sys.stderr)
    found = evaluate(model, load_dataset(run.config))
    if options.json:
        print(json.dumps(found))
        return 0
    for name, value in found.items():
        if isinstance(value, dict):
            value = "  ".join(f"{key}: {_shown(item)}" for key, item in value.items())
        print(f"{name:20} {_shown(value)}")
    return 0


def _export(options: argparse.Namespace) -> int:
    from vade_core.exports import export_run, write_export

    run = _open(options.run)
    content = export_run(run, options.form, lens=options.lens, number=options.frame)
    write_export(options.out, content)
    print(f"{options.out}: {len(content):,} bytes", file=sys.stderr)
    return 0


def _remap(options: argparse.Namespace) -> int:
    from vade_core.remap import Remap

    run = _open(options.run)
    numbers = run.frame_numbers()
    if not numbers:
        raise RunError(f"{run.id} has no frames yet: there is nothing to map.")
    number = numbers[-1] if options.frame is None else options.frame
    terminal = sys.stderr.isatty()

    def listener(words: str, share: float) -> None:
        if terminal:
            bar = "#" * round(30 * share)
            print(f"\r[{bar:<30}] {words}\033[K", end="", file=sys.stderr, flush=True)

    task = Remap(run, number, options.lens, options.seed)
    found = task.make(listener)
    if terminal:
        print("\r\033[K", end="", file=sys.stderr, flush=True)
    print(f"kept: {task.path}", file=sys.stderr)
    told = {"moved": found.moved, "recall": found.recall}
    if options.json:
        print(json.dumps({**told, "path": str(task.path)}))
    else:
        for name, value in told.items():
            print(f"{name:20} {value:.4f}")
    return 0


def _record(options: argparse.Namespace) -> int:
    from vade_core import record

    chosen = record.recordings_named(options.only)
    out = options.out if options.out is not None else recorded_root()
    if not options.list:
        try:
            record.record(
                chosen,
                out,
                train=_watched,
                again=options.again,
                subset=options.subset,
                epochs=options.epochs,
                say=lambda words: print(words, file=sys.stderr),
            )
        except record.Interrupted as interrupted:
            print(interrupted, file=sys.stderr)
            return 130
    rows = record.recordings_there(out, chosen)
    if options.json:
        print(json.dumps(rows))
        return 0
    sizes = {"weights": "weights", "stage": "stage set", "frames_bytes": "all frames",
             "bytes": "together"}  # fmt: skip
    table = [
        {
            **row,
            "frames": row["frames"] if row["there"] else "not there",
            **{words: f"{row[name] / record.MB:.1f} MB" for name, words in sizes.items()},
        }
        for row in rows
    ]
    _print_table(table, False, ("id", "frames", "acc", *sizes.values()))
    print(
        f"All of assets: {record.total_size(out) / record.MB:.1f} of at most "
        f"{record.BUDGET / record.MB:.0f} MB."
    )
    return 0


def _papers(options: argparse.Namespace) -> int:
    from vade_core.papers import glance, paper_tables
    from vade_core.papers_text import as_json, glance_words, table_markdown, table_text

    tables = paper_tables([] if options.table is None else [options.table])
    if options.json:
        print(json.dumps(as_json(tables)))
        return 0
    if options.markdown:
        print("\n\n".join(table_markdown(table) for table in tables if table.cells))
        return 0
    parts = [table_text(table) for table in tables]
    if options.table is None:
        parts.insert(0, glance_words(glance(tables)))
    print("\n\n".join(parts))
    return 0


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _print_table(rows: list[dict[str, Any]], as_json: bool, columns: Sequence[str]) -> None:
    if as_json:
        print(json.dumps(rows))
        return
    if not rows:
        print("There are none.", file=sys.stderr)
        return
    table = [list(columns), *([_shown(row.get(name)) for name in columns] for row in rows)]
    widths = [max(len(line[i]) for line in table) for i in range(len(columns))]
    for line in table:
        cells = (text.ljust(width) for text, width in zip(line, widths, strict=True))
        print("  ".join(cells).rstrip())
