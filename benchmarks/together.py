"""Seconds an epoch of several trainings of VaDE: at once as one batched product, and in turn.

Of VaDE's own epochs on MNIST, with free clusters, from random weights: what the weights are makes
no difference to the time. The two ways take turns, and the fastest second epoch of each counts.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from vade_core.idle_threads import let_idle_threads_sleep  # noqa: E402

let_idle_threads_sleep()  # before torch is imported

from accuracy_processes import answered  # noqa: E402
from arguments import Parser, positive  # noqa: E402
from machine import load_words, machine_load  # noqa: E402

from vade_core.data import load  # noqa: E402
from vade_core.models import VaDE  # noqa: E402
from vade_core.together import Together  # noqa: E402
from vade_core.training import EpochReport, Training  # noqa: E402


def training(options: Any, seed: int) -> Training:
    """One, at its beginning."""
    return VaDE(
        hidden=tuple(options.hidden),
        pretraining="none",
        start="random",
        epochs=2,
        batch_size=options.batch,
        random_state=seed,
        device=options.device,
        precision=options.precision,
    ).stream(load("mnist").samples[: options.samples])


def trainings(options: Any) -> list[Training]:
    """One a seed."""
    return [training(options, seed) for seed in range(options.seeds)]


def seconds_of_second(reports: Sequence[EpochReport]) -> float:
    """Of all trainings, for their second epoch: in the first a graph is captured."""
    return sum(report.seconds for report in reports if report.epoch == 2)


def seconds(options: Any) -> dict[str, float]:
    """Of an epoch of all seeds, by way."""
    best = {"in turn": float("inf"), "at once": float("inf")}
    for _ in range(options.repeats):
        in_turn = [report for one in trainings(options) for report in one]
        together = [report for _, report in Together(trainings(options))]
        best["in turn"] = min(best["in turn"], seconds_of_second(in_turn))
        best["at once"] = min(best["at once"], seconds_of_second(together))
    return best


def answer(arguments: Sequence[str] | None) -> None:
    """Measure, and print."""
    parser = Parser(prog="together", description=__doc__)
    parser.add_argument("--seeds", type=positive, default=10, metavar="N")
    parser.add_argument("--samples", type=positive, default=70_000, metavar="N")
    parser.add_argument("--batch", type=positive, default=256, metavar="N")
    parser.add_argument("--hidden", type=positive, nargs="+", default=[500, 500, 2000])
    parser.add_argument("--repeats", type=positive, default=3, metavar="N")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--precision", default="auto", help="auto, fp32 or bf16")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    load_before = machine_load()
    found = seconds(options)
    first = training(options, 0)
    about = {
        "seeds": options.seeds,
        "samples": len(first.samples),
        "batch": first.batch_size,
        "hidden": options.hidden,
        "device": first.samples.device.type,
        "precision": first.precision,
        "load": {"before": load_before, "after": machine_load()},
    }
    ratio = found["in turn"] / found["at once"]
    if options.json:
        print(json.dumps({**about, "seconds": found, "ratio": ratio}, indent=1))
        return
    print(
        f"An epoch of {options.seeds} trainings, {about['samples']:,} samples, batch "
        f"{about['batch']}, on {about['device']}, {about['precision']}:\n"
        f"  in turn  {found['in turn']:8.3f} s\n"
        f"  at once  {found['at once']:8.3f} s, {ratio:.2f} times as fast\n"
        f"{load_words(about['load'])}"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; its exit code: 0, 2 for a mistake."""
    return answered("together", lambda: answer(arguments))


if __name__ == "__main__":
    sys.exit(main())
