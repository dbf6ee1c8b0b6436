"""Seconds an epoch of an autoencoder on MNIST, Adam's subnormal moments kept and set to 0.

Two trainings of VaDE's networks from one seed, in float32, an epoch of each in turn: what the
second one saves is what the processor loses on numbers below 1.2e-38.
"""

from __future__ import annotations

import json
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
from epoch_time import processor_words  # noqa: E402
from machine import load_words, machine_load  # noqa: E402

from vade_core import optimiser  # noqa: E402
from vade_core.data import load  # noqa: E402
from vade_core.models import VaDE  # noqa: E402
from vade_core.training import EpochReport  # noqa: E402

NEVER = 2**62


@contextmanager
def steps_between(steps: int) -> Iterator[None]:
    """Have Adam look for moments that are too small this often."""
    before = optimiser._STEPS_BETWEEN
    optimiser._STEPS_BETWEEN = steps
    try:
        yield
    finally:
        optimiser._STEPS_BETWEEN = before


def measure(samples: int, epochs: int) -> tuple[list[EpochReport], list[EpochReport]]:
    """The reports of the epochs: moments kept, and set to 0."""
    digits = load("mnist").samples[:samples]

    def pretraining() -> Iterator[EpochReport]:
        model = VaDE(
            n_clusters=10, pretraining="autoencoder", pretrain_epochs=epochs, start="gmm",
            epochs=1, precision="fp32", random_state=0, device="cpu",
        )  # fmt: skip
        return iter(model.stream(digits))

    ways = ((pretraining(), NEVER), (pretraining(), optimiser._STEPS_BETWEEN))
    found: tuple[list[EpochReport], list[EpochReport]] = ([], [])
    for _ in range(epochs):
        for (reports, steps), seen in zip(ways, found, strict=True):
            with steps_between(steps):
                seen.append(next(reports))
    return found


def answer(arguments: Sequence[str] | None) -> None:
    """Measure, and print."""
    parser = Parser(prog="subnormals", description=__doc__)
    parser.add_argument("--samples", type=positive, default=70_000, metavar="N")
    parser.add_argument("--epochs", type=positive, default=6, metavar="N")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    before = machine_load()
    kept, cleared = measure(options.samples, options.epochs)
    load = {"before": before, "after": machine_load()}
    rows = [
        {
            **{"epoch": one.epoch, "kept": one.seconds, "set_to_0": other.seconds},
            "same_loss": one.terms["loss"] == other.terms["loss"],
        }
        for one, other in zip(kept, cleared, strict=True)
    ]
    about = processor_words()
    if options.json:
        print(json.dumps({"processor": about, "epochs": rows, "load": load}, indent=1))
        return
    print(f"Seconds an epoch of the autoencoder in fp32, batch 256, on {about}:")
    print("  epoch    kept  set to 0   times  loss")
    for row in rows:
        print(
            f"  {row['epoch']:5}{row['kept']:8.2f}{row['set_to_0']:10.2f}"
            f"{row['kept'] / row['set_to_0']:8.2f}  {'the same' if row['same_loss'] else 'differs'}"
        )
    print(load_words(load))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; its exit code: 0, 2 for a mistake."""
    return answered("subnormals", lambda: answer(arguments))


if __name__ == "__main__":
    sys.exit(main())
