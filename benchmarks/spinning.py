"""Seconds an epoch of VaDE in float32 by how long OpenMP's idle threads spin before they sleep.

Of VaDE's own epochs on MNIST, with free clusters, from random weights, each in a process of its
own, quiet and beside one busy process. The lengths take turns, and the median of the repeats
counts. 300,000 turns are GNU OpenMP's own.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from accuracy_processes import answered  # noqa: E402
from arguments import Parser, positive  # noqa: E402
from machine import load_words, machine_load  # noqa: E402

OWN = 300_000
EPOCH = """
import sys
from epoch_time import load, our_epochs
print(our_epochs(load("mnist").samples[: int(sys.argv[1])], 256, "fp32", 1)())
"""


@contextlib.contextmanager
def busy_process() -> Iterator[None]:
    """Something that takes all of a core."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def seconds_of_an_epoch(spins: int, samples: int) -> float:
    """In a process of its own, as the length is read when torch is imported."""
    places = os.pathsep.join((str(ROOT), str(Path(__file__).parent)))
    done = subprocess.run(
        [sys.executable, "-c", EPOCH, str(samples)],
        env={**os.environ, "GOMP_SPINCOUNT": str(spins), "PYTHONPATH": places},
        stdout=subprocess.PIPE,
        text=True,
    )
    if done.returncode:
        raise ValueError("an epoch ended early; what it said stands above.")
    return float(done.stdout)


def answer(arguments: Sequence[str] | None) -> None:
    """Measure, and print."""
    parser = Parser(prog="spinning", description=__doc__)
    parser.add_argument("--spins", type=positive, nargs="+", default=[1_000, 5_000], metavar="N")
    parser.add_argument("--samples", type=positive, default=35_000, metavar="N")
    parser.add_argument("--repeats", type=positive, default=3, metavar="N")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    lengths = [*options.spins, OWN]
    before = machine_load()
    found: dict[str, dict[int, list[float]]] = {}
    neighbours = {"alone": contextlib.nullcontext(), "beside a busy process": busy_process()}
    for words, neighbour in neighbours.items():
        found[words] = {spins: [] for spins in lengths}
        with neighbour:
            for _ in range(options.repeats):
                for spins in lengths:
                    found[words][spins].append(seconds_of_an_epoch(spins, options.samples))
    load = {"before": before, "after": machine_load()}
    if options.json:
        print(json.dumps({"samples": options.samples, "seconds": found, "load": load}, indent=1))
        return
    print(f"Seconds for {options.samples:,} samples, batch 256, fp32, median (range):")
    for words, by_length in found.items():
        for spins, seconds in by_length.items():
            times = [one / own for one, own in zip(seconds, by_length[OWN], strict=True)]
            print(
                f"  {words:<22}{spins:>8,} turns {statistics.median(seconds):7.2f} "
                f"({min(seconds):.2f}-{max(seconds):.2f}), {statistics.median(times):.2f} "
                "times OpenMP's own"
            )
    print(load_words(load))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; its exit code: 0, 2 for a mistake."""
    return answered("spinning", lambda: answer(arguments))


if __name__ == "__main__":
    sys.exit(main())
