"""The command line.

With ``--json`` standard output carries JSON alone; everything else goes to standard error. What a
person did wrong ends in one sentence and exit code 2.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vade_core.cli_options import SETTING_OPTIONS, Command, UsageError, parser
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit code: 0, 2 for a mistake, 130 when interrupted."""
    from vade_core.data import DataError

    try:
        options = parser(COMMANDS).parse_args(arguments)
        result: int = options.command(options)
        sys.stdout.flush()  # a full disk is told here and not when Python ends
        return result
    except (UsageError, RunError, DataError, ValueError, FloatingPointError) as error:
        print(f"vade_core: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader of a pipe had enough
        sys.stderr.close()
        return 0
    except OSError as error:  # a full disk, or a folder that cannot be written to
        print(f"vade_core: {_words_of(error)}", file=sys.stderr)
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 2


def _words_of(error: OSError) -> str:
    where = f"{error.filename} cannot be used: " if error.filename else ""
    return f"{where}{error.strerror or error}."


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
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder} is no folder: set VADE_RUNS to the one that holds the runs.")
    rows = list_runs([folder])
    for row in rows:
        if "error" in row:
            print(f"vade_core: {row['error']}", file=sys.stderr)
    _print_table(rows, options.json, ("id", "state", "model", "dataset", "clusters", "acc"))
    return 0


def _open(named: Path) -> Run:
    """The run of a folder, or of an id among the person's runs and the recorded ones."""
    if named.is_dir():
        return Run(named)
    if ID_PATTERN.fullmatch(str(named)):
        for root in (runs_root(), recorded_root()):
            if (root / named).is_dir():
                return Run(root / named)
        raise RunError(
            f"{named} is neither a folder nor a run in {runs_root()}, nor a recorded one: "
            "'python -m vade_core runs' lists what is there."
        )
    return Run(named)


def _train(options: argparse.Namespace) -> int:
    from vade_core.configure import UnknownSetting, configure
    from vade_core.recorder import create_run

    if options.dataset is not None and options.data is not None:
        raise UsageError("--data takes the place of --dataset: give one of them.")
    own = {name: getattr(options, name) for name in SETTING_OPTIONS}
    overrides: dict[str, Any] = own | dict(options.settings)
    try:
        config = configure(
            model=options.model,
            dataset=options.dataset or "mnist",
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
    except UnknownSetting as error:  # in the words that were typed
        if own.get(error.setting) is None:
            raise
        option = SETTING_OPTIONS[error.setting]
        raise UsageError(f"{error.title} has no {option}: leave it out.") from error
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
    more = f"; 'python -m vade_core resume {run.path}' goes on" if state == "interrupted" else ""
    print(f"{state}: {run.path}{more}", file=sys.stderr)
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
        if (moved := entry.get("renewed")) is not None:
            self._say(f"Before this epoch neighbours moved {100 * moved:.1f} % of what is held.\n")
        if why := entry.get("undone"):
            self._say(f"{why}\n")

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


COMMANDS: dict[str, Command] = {
    "datasets": _datasets,
    "models": _models,
    "runs": _runs,
    "papers": _papers,
    "train": _train,
    "resume": _resume,
    "evaluate": _evaluate,
    "export": _export,
    "remap": _remap,
    "record": _record,
}
