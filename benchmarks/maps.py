"""What each map of a run costs and keeps: seconds a frame, movement, 10-nearest-neighbour recall.

The latents are those of a run that is there, such as a recorded one. Its frames are mapped as the
worker maps them: the first from nothing, each later one from the map before. The map of the last
frame is also made from nothing, to tell what starting from the frame before costs in recall. With
``--training`` a training goes on beside it, as it does when the worker's maps are made.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

# Before numpy: a map is made on one thread, beside a training.
os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from vade_core.idle_threads import let_idle_threads_sleep  # noqa: E402

let_idle_threads_sleep()

import numpy as np  # noqa: E402
from arguments import Parser, positive  # noqa: E402
from machine import load_words, machine_load  # noqa: E402
from numpy.typing import NDArray  # noqa: E402

from vade_core.projection import LENSES, neighbour_recall  # noqa: E402
from vade_core.runs import Run, find_run, list_runs, recorded_root, runs_root  # noqa: E402

RUN = "vade-k10"
FRAMES = 6
# t-SNE at 2,000 points beside a training: seconds a frame, and the loss of recall, as a share.
SECONDS_GOAL = 1.0
RECALL_GOAL = 0.05


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line.

    Raises
    ------
    ValueError
        In one sentence, what is wrong with it.
    """
    parser = Parser(prog="maps", description=__doc__)
    parser.add_argument(
        "run", nargs="?", help=f"a run's folder or id (default: {RUN}, else the newest recorded)"
    )
    parser.add_argument("--lenses", nargs="+", default=list(LENSES), metavar="NAME")
    parser.add_argument(
        "--frames", type=positive, default=FRAMES, help=f"the last so many (default: {FRAMES})"
    )
    parser.add_argument(
        "--training", action="store_true", help="with a training beside it, on one thread"
    )
    parser.add_argument("--json", action="store_true", help="JSON alone on standard output")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.lenses if name not in LENSES]:
        raise ValueError(f"there is no map {unknown[0]!r}; there are: {', '.join(LENSES)}.")
    if options.frames < 2:
        raise ValueError("movement needs two frames at least: --frames 2 or more.")
    return options


def chosen_run(asked: str | None) -> Run:
    """The run that is asked for; by default a recorded one.

    Raises
    ------
    ValueError
        If there is none.
    """
    roots = [recorded_root(), runs_root()]
    if asked is not None:
        return Run(asked) if Path(asked).is_dir() else find_run(asked, roots)
    known = [s for s in list_runs(roots[:1]) if s["acc"] is not None]
    known.sort(key=lambda summary: summary["id"] != RUN)
    if not known:
        raise ValueError(f"there is no recorded run in {roots[0]}: name a run's folder.")
    return Run(known[0]["path"])


def moved(before: NDArray[Any], after: NDArray[Any]) -> float:
    """The median distance that points moved, as a share of the map's extent.

    The extent is the diagonal of the box around both maps.
    """
    both = np.concatenate([before, after])
    extent = float(np.linalg.norm(both.max(axis=0) - both.min(axis=0)))
    step = np.linalg.norm(after.astype(np.float64) - before, axis=1)
    return float(np.median(step) / extent) if extent else 0.0


def measure(lens: str, latents: Sequence[NDArray[Any]], seed: int) -> dict[str, Any]:
    """Map frames one after the other, and the last one from nothing.

    Parameters
    ----------
    lens : str
    latents : sequence of ndarray, each (n, J)
        Two frames at least.
    seed : int

    Returns
    -------
    dict
        ``first_seconds``, ``seconds`` a later frame (each), ``processor_seconds`` (each),
        ``movement`` and ``recall`` of each later frame; ``nothing_seconds`` and
        ``nothing_recall`` of the last one made from nothing.
    """
    function = LENSES[lens].function
    if lens == "umap":
        function(latents[0][:50], None, seed)  # its first call in a process compiles
        function(latents[0][:50], function(latents[0][:50], None, seed), seed)
    began = time.perf_counter()
    place = function(latents[0], None, seed)
    found: dict[str, Any] = {"lens": lens, "first_seconds": time.perf_counter() - began}
    names = ("seconds", "processor_seconds", "movement", "recall")
    rows: dict[str, list[float]] = {name: [] for name in names}
    for points in latents[1:]:
        wall, processor = time.perf_counter(), time.process_time()
        after = function(points, place, seed)
        rows["seconds"].append(time.perf_counter() - wall)
        rows["processor_seconds"].append(time.process_time() - processor)
        rows["movement"].append(moved(place, after))
        rows["recall"].append(float(neighbour_recall(points, after).mean()))
        place = after
    began = time.perf_counter()
    nothing = function(latents[-1], None, seed)
    found["nothing_seconds"] = time.perf_counter() - began
    found["nothing_recall"] = float(neighbour_recall(latents[-1], nothing).mean())
    return {**found, **rows}


@contextlib.contextmanager
def training_beside() -> Iterator[None]:
    """A training of its own that goes on for as long as this lasts, on one thread."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        words = ["-m", "vade_core", "train", "--preset", "short", "--maps", "", "--threads", "1"]
        words += ["--epochs", "100000", "--subset", "20000", "--pretrain-epochs", "100000"]
        child = subprocess.Popen(
            [sys.executable, *words, "--out", str(Path(folder) / "beside")],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            metrics = Path(folder) / "beside" / "metrics.jsonl"
            deadline = time.monotonic() + 120
            while not metrics.exists():
                if child.poll() is not None or time.monotonic() > deadline:
                    raise ValueError("the training beside it did not begin.")
                time.sleep(0.2)
            yield
        finally:
            child.terminate()
            try:
                child.wait(timeout=20)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def verdicts(row: Mapping[str, Any], points: int) -> list[str]:
    """Whether t-SNE meets its goals; nothing for the others."""
    if row["lens"] != "tsne":
        return []
    seconds, last = statistics.median(row["seconds"]), row["recall"][-1]
    loss = 1 - last / row["nothing_recall"] if row["nothing_recall"] else 0.0
    words = [
        f"t-SNE recall: {100 * loss:.1f} % below a map from nothing, goal at most "
        f"{100 * RECALL_GOAL:.0f} %: {'met' if loss <= RECALL_GOAL else 'missed'}."
    ]
    if points == 2000:
        met = "met" if seconds <= SECONDS_GOAL else "missed"
        words.append(
            f"t-SNE: {seconds:.2f} s a frame, goal at most {SECONDS_GOAL:.1f} s beside a training: "
            f"{met}."
        )
    return words


def table(result: Mapping[str, Any]) -> str:
    """The result as Markdown."""
    beside = "with a training beside it" if result["training"] else "no training beside it"
    lines = [
        f"{result['run']}: {result['points']:,} points of {result['dimensions']} dimensions, "
        f"{result['frames']} frames, {beside}. {load_words(result['load'])}",
        "",
        "| map | s a frame, median (range) | processor s | moved, % of extent | 10-NN recall | "
        "last frame | from nothing | s from nothing |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in result["maps"]:
        seconds = row["seconds"]
        cells = [
            LENSES[row["lens"]].title,
            f"{statistics.median(seconds):.2f} ({min(seconds):.2f}-{max(seconds):.2f})",
            f"{statistics.median(row['processor_seconds']):.2f}",
            f"{100 * statistics.median(row['movement']):.2f}",
            f"{statistics.mean(row['recall']):.3f}",
            f"{row['recall'][-1]:.3f}",
            f"{row['nothing_recall']:.3f}",
            f"{row['nothing_seconds']:.2f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    said = [words for row in result["maps"] for words in verdicts(row, result["points"])]
    return "\n".join([*lines, "", *said])


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; what is wrong is said in one sentence, with exit code 2."""
    try:
        options = parse(arguments)
        run = chosen_run(options.run)
        numbers = run.frame_numbers()[-options.frames :]
        if len(numbers) < 2:
            raise ValueError(f"{run.id} has {len(numbers)} frames: two are needed.")
        latents = [run.frame(number).latents for number in numbers]
        before = machine_load()
        with training_beside() if options.training else contextlib.nullcontext():
            rows = [measure(lens, latents, run.config.seed) for lens in options.lenses]
    except (ValueError, OSError) as error:
        print(f"maps: {error}", file=sys.stderr)
        return 2
    result = {
        **{"run": run.id, "points": len(latents[0]), "dimensions": latents[0].shape[1]},
        **{"frames": len(latents), "training": options.training},
        "load": {"before": before, "after": machine_load()},
        "maps": rows,
    }
    print(json.dumps(result, indent=1) if options.json else table(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
