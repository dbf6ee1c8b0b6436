"""Computes one cell of the accuracy benchmark; accuracy.py starts it, once for each cell.

A process of its own, so that a crash touches no other cell and the peak of memory is this
cell's alone. What has epochs is trained in a run folder below the work folder: a killed cell
goes on from its last epoch, and the folder goes when the cell is done.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from vade_core.idle_threads import let_idle_threads_sleep

let_idle_threads_sleep()  # before torch is imported

from accuracy_plan import FORMAT, Cell
from accuracy_runs import Attempts, Further, Interrupted, measured_run, say

from vade_core.locks import FileLock
from vade_core.recorder import library_versions, plain, write_atomically


def compute(cell: Cell, work: Path) -> dict[str, Any]:
    """Train and measure one cell; see :func:`compute_with`."""
    return compute_with(cell, work)


def compute_with(cell: Cell, work: Path, further: Further | None = None) -> dict[str, Any]:
    """Train and measure one cell.

    Parameters
    ----------
    cell : Cell
    work : Path
        Below it lies the cell's own work folder.
    further : callable, optional
        Measures more of a trained model; a baseline has none.

    Raises
    ------
    Interrupted
        If the training was asked to end.
    """
    folder = work / cell.place
    attempts = Attempts(folder / "attempts.json")
    if cell.recipe.baseline:
        from accuracy_baselines import measured_baseline

        found = measured_baseline(cell, work, attempts)
    else:
        found = measured_run(cell, folder, attempts, further)
    return {
        "format": FORMAT,
        "dataset": cell.dataset,
        "row": cell.row,
        "what": cell.what,
        "model": cell.model,
        "seed": cell.seed,
        "split": cell.split,
        **found,
        "attempts": len(attempts.all),
        "commit": attempts.all[-1]["commit"],
        "commits": attempts.commits,
        "versions": library_versions(),
    }


def end_with_parent() -> None:
    """Ask this process to end when the one that started it is gone: its pipe then closes."""

    def wait() -> None:
        os.read(sys.stdin.fileno(), 1)  # not through a buffer, whose lock would outlive this thread
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()


def as_text(content: Mapping[str, Any]) -> str:
    """JSON with a line for each entry, so that two cells can be compared line by line."""
    lines = [
        f"{json.dumps(name)}: {json.dumps(value, ensure_ascii=False, allow_nan=False)}"
        for name, value in plain(dict(content)).items()
    ]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def main(of: type[Cell] = Cell, compute: Callable[[Any, Path], dict[str, Any]] = compute) -> int:
    """Compute the cell of the command line; the exit code: 0, 2 for a failure, 130 if interrupted.

    Parameters
    ----------
    of : type
        The kind of cell.
    compute : callable
        Computes it in a folder of work.
    """
    parser = argparse.ArgumentParser(description="Computes one cell; accuracy.py starts it.")
    parser.add_argument("cell", help="JSON")
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--watched", action="store_true", help="end when standard input closes")
    options = parser.parse_args()
    if options.watched:
        end_with_parent()
    cell = of(**json.loads(options.cell))
    target, folder = cell.file(options.results), options.work / cell.place
    try:
        folder.mkdir(parents=True, exist_ok=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock")) as lock:
            if not lock.acquire(patience=5.0):
                say("Another process computes this cell: it is left to that one.")
                return 0
            if not target.exists():  # the other process may just have written it
                found = compute(cell, options.work)
                write_atomically(target, as_text(found).encode())
            shutil.rmtree(folder, ignore_errors=True)
    except (Interrupted, KeyboardInterrupt):
        return 130
    except (ValueError, OSError, ArithmeticError, MemoryError, RuntimeError) as error:
        print(f"accuracy: {' '.join(str(error).split()) or type(error).__name__}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
