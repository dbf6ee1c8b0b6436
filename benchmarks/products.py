"""Seconds an epoch of VaDE in float32, its matrix products by MKL and by oneDNN.

Of VaDE's own epochs on MNIST, with free clusters, from random weights. The two libraries take
turns, and the median of the repeats counts.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from vade_core.idle_threads import let_idle_threads_sleep  # noqa: E402

let_idle_threads_sleep()  # before torch is imported

from accuracy_processes import answered  # noqa: E402
from arguments import Parser, positive  # noqa: E402
from epoch_time import our_epochs, part_of_epoch, processor_words  # noqa: E402
from machine import load_words, machine_load  # noqa: E402

from vade_core.data import load  # noqa: E402
from vade_core.products import onednn_gains  # noqa: E402

LIBRARIES = ("mkl", "onednn")


@contextmanager
def products_by(library: str) -> Iterator[None]:
    """Have this library multiply, whatever the rule says."""
    before = os.environ.get("VADE_PRODUCTS")
    os.environ["VADE_PRODUCTS"] = library
    onednn_gains.cache_clear()
    try:
        yield
    finally:
        del os.environ["VADE_PRODUCTS"]
        if before is not None:
            os.environ["VADE_PRODUCTS"] = before
        onednn_gains.cache_clear()


def measure(samples: int, batch: int, repeats: int) -> dict[str, list[float]]:
    """Seconds of each repeat, by library."""
    digits = load("mnist").samples[: part_of_epoch(samples, batch)]
    epochs = {}
    for library in LIBRARIES:
        with products_by(library):
            epochs[library] = our_epochs(digits, batch, "fp32", repeats)
    found: dict[str, list[float]] = {library: [] for library in LIBRARIES}
    for _ in range(repeats):
        for library in LIBRARIES:
            with products_by(library):
                found[library].append(epochs[library]())
    return found


def answer(arguments: Sequence[str] | None) -> None:
    """Measure, and print."""
    parser = Parser(prog="products", description=__doc__)
    parser.add_argument("--samples", type=positive, default=70_000, metavar="N")
    parser.add_argument("--batch", type=positive, default=256, metavar="N")
    parser.add_argument("--repeats", type=positive, default=4, metavar="N")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    load_before = machine_load()
    found = measure(options.samples, options.batch, options.repeats)
    medians = {library: statistics.median(seconds) for library, seconds in found.items()}
    ratios = [mkl / onednn for mkl, onednn in zip(*found.values(), strict=True)]
    about = {
        "samples": part_of_epoch(options.samples, options.batch),
        "batch": options.batch,
        "processor": processor_words(),
        "chosen": "onednn" if onednn_gains() else "mkl",
        "load": {"before": load_before, "after": machine_load()},
    }
    if options.json:
        print(json.dumps({**about, "seconds": found, "ratios": ratios}, indent=1))
        return
    print(
        f"An epoch of VaDE in fp32, {about['samples']:,} samples, batch {about['batch']}, on "
        f"{about['processor']}:\n"
        f"  MKL     {medians['mkl']:7.2f} s\n"
        f"  oneDNN  {medians['onednn']:7.2f} s, {statistics.median(ratios):.2f} times as fast "
        f"({min(ratios):.2f}-{max(ratios):.2f})\n"
        f"{load_words(about['load'])}"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; its exit code: 0, 2 for a mistake."""
    return answered("products", lambda: answer(arguments))


if __name__ == "__main__":
    sys.exit(main())
