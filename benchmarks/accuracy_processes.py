"""Cells in processes of their own: what is there is not computed again.

A cell (:class:`accuracy_plan.Cell`) leaves one file of JSON. A command that was killed goes on
where it was: with the cells that left none, and inside the one that it was killed in.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from accuracy_plan import Cell

from vade_core.idle_threads import let_idle_threads_sleep

Compute = Callable[[Cell, Path, Path], int]


def say(words: str) -> None:
    """Tell a person something."""
    print(words, file=sys.stderr, flush=True)


def compute(cell: Cell, results: Path, work: Path) -> int:
    """Run a cell's process; its exit code."""
    command = [
        *(sys.executable, str(Path(__file__).with_name(cell.script))),
        *(cell.to_json(), "--results", str(results), "--work", str(work), "--watched"),
    ]
    environment = dict(os.environ)
    let_idle_threads_sleep(environment)
    if cell.threads is not None:  # of those libraries that torch does not command, too
        environment["OMP_NUM_THREADS"] = str(cell.threads)
    # The pipe is never written to: the cell's process ends when this one, and so the pipe, does.
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=sys.stderr, env=environment)
    try:
        return child.wait()
    except KeyboardInterrupt:
        child.terminate()
        child.wait()
        raise


def run(
    wanted: Sequence[Cell], place: Callable[[Cell], tuple[Path, Path]], compute: Compute
) -> list[str]:
    """Compute the cells that are not there; the names of those that failed.

    Parameters
    ----------
    wanted : sequence of Cell
    place : callable
        From a cell to the folders of its results and of its work.
    compute : callable
        Runs one of them, see :func:`compute`.

    Raises
    ------
    KeyboardInterrupt
        If a cell's process was asked to end.
    """

    def is_there(cell: Cell) -> bool:
        return cell.file(place(cell)[0]).exists()

    missing = [cell for cell in wanted if not is_there(cell)]
    if len(missing) < len(wanted):
        say(f"{len(wanted) - len(missing)} of {len(wanted)} cells are there already.")
    failed = []
    for number, cell in enumerate(missing):
        if is_there(cell):
            continue
        say(f"{cell.place.as_posix()} ({number + 1} of {len(missing)})")
        results, work = place(cell)
        code = compute(cell, results, work)
        if code in (130, -signal.SIGINT, -signal.SIGTERM):
            raise KeyboardInterrupt
        if code:
            failed.append(cell.place.as_posix())
        still = {later.pretrained for later in missing[number + 1 :]}
        if cell.pretrained is not None and cell.pretrained not in still:
            shutil.rmtree(work / cell.pretrained, ignore_errors=True)
    return failed


def answered(program: str, command: Callable[[], None]) -> int:
    """Run a command; its exit code: 0, 2 for a mistake or a failed cell, 130 when interrupted."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        command()
    except BrokenPipeError:  # the reader of a pipe had enough
        sys.stderr.close()
    except KeyboardInterrupt:
        say(f"{program}: interrupted; the same command goes on from here.")
        return 130
    except (ValueError, OSError) as error:
        say(f"{program}: {' '.join(str(error).split())}")
        return 2
    return 0
