"""Seconds an epoch of VaDE: this project's, ClustPy's, and the matrix products alone.

One epoch is the 70,000 digits of MNIST through 784-500-500-2000-10 and back. The three take
turns, repeat by repeat, so that a busy machine hurts all alike.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from vade_core.idle_threads import let_idle_threads_sleep  # noqa: E402

let_idle_threads_sleep()  # before torch is imported, and inherited by ClustPy's process

import numpy as np  # noqa: E402
import torch  # noqa: E402
from clustpy_venv import NoClustPy, environment_folder, make_environment, python_of  # noqa: E402

from vade_core.data import load  # noqa: E402
from vade_core.models import VaDE  # noqa: E402
from vade_core.products import processor  # noqa: E402
from vade_core.training import Training, fastest_precision  # noqa: E402

EPOCH_SAMPLES = 70_000
HIDDEN = (500, 500, 2000)
LATENT = 10
CLUSTERS = 10
WARM_UP_BATCHES = 5
# Times as fast as ClustPy at this batch size.
GOAL_BATCH = 256
GOALS = {"bf16": 2.8, "fp32": 1.1}
CPU_FLAGS = (
    "avx2",
    "avx512f",
    "avx512_bf16",
    "amx_tile",
    "amx_bf16",
    "asimd",
    "sve",
    "bf16",
)


def fail(sentence: str) -> NoReturn:
    print(f"epoch_time: {sentence}", file=sys.stderr)
    raise SystemExit(2)


def say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


# -- what is measured -----------------------------------------------------------------------


@dataclass
class Contender:
    """One of what takes turns.

    Attributes
    ----------
    who : {"vade_core", "clustpy", "products"}
    precision : {"fp32", "bf16"}
    batch : int
    run : callable
        Runs once and gives its seconds.
    scale : float
        What brings these seconds to a whole epoch.
    seconds : list of float
        Seconds an epoch, one a repeat.
    """

    who: str
    precision: str
    batch: int
    run: Callable[[], float]
    scale: float
    seconds: list[float] = field(default_factory=list)


def part_of_epoch(samples: int, batch: int) -> int:
    """How many samples to run: whole batches, unless it is the whole epoch."""
    if samples >= EPOCH_SAMPLES:
        return EPOCH_SAMPLES
    return max(1, round(samples / batch)) * batch


def our_training(samples: np.ndarray, batch: int, precision: str, epochs: int) -> Training:
    """This project's training from a random start, no pretraining, nothing else changed."""
    model = VaDE(
        n_clusters=CLUSTERS,
        latent_dim=LATENT,
        hidden=HIDDEN,
        pretraining="none",
        start="random",
        epochs=epochs,
        batch_size=batch,
        random_state=0,
        device="cpu",
        precision=precision,
    )
    return model.stream(samples)


def our_epochs(
    samples: np.ndarray, batch: int, precision: str, repeats: int
) -> Callable[[], float]:
    for _ in our_training(samples[: batch * WARM_UP_BATCHES], batch, precision, 1):
        pass
    reports = iter(our_training(samples, batch, precision, repeats))
    return lambda: next(reports).seconds


def product_shapes() -> list[tuple[int, int, bool]]:
    """Of each layer: values in, values out, and whether its input has a gradient."""
    into, out = (784, *HIDDEN), (LATENT, *reversed(HIDDEN), 784)
    encoder = [(a, b, a != 784) for a, b in pairwise(into)]
    heads = [(HIDDEN[-1], LATENT, True)] * 2
    decoder = [(a, b, True) for a, b in pairwise(out)]
    return encoder + heads + decoder


def flops_a_sample() -> int:
    """Multiplications and additions, forward and backward."""
    return sum(2 * a * b * (3 if gradient else 2) for a, b, gradient in product_shapes())


def products(batch: int, precision: str, n_batches: int) -> Callable[[], float]:
    """The matrix products of an epoch and nothing else, in the shapes that autograd gives them."""
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    generator = torch.Generator().manual_seed(0)

    def values(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator).to(dtype)

    layers = [
        (values(batch, a), values(b, a), values(batch, b), gradient)
        for a, b, gradient in product_shapes()
    ]

    @torch.inference_mode()
    def run(times: int = n_batches) -> float:
        began = time.perf_counter()
        for _ in range(times):
            for x, weight, incoming, gradient in layers:
                torch.mm(x, weight.t())
                torch.mm(incoming.t(), x)
                if gradient:
                    torch.mm(incoming, weight)
        return time.perf_counter() - began

    run(WARM_UP_BATCHES)
    return run


# -- ClustPy, in an environment of its own ----------------------------------------------------


class ClustPy:
    """ClustPy's process, asked for one epoch at a time; idle in between.

    Parameters
    ----------
    folder : Path
        Its virtual environment.
    samples : Path
        A .npy of the digits; the process's messages go into a file beside it.
    """

    def __init__(self, folder: Path, samples: Path) -> None:
        child = Path(__file__).with_name("clustpy_epoch.py")
        self._log = samples.with_suffix(".log")
        with self._log.open("w", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                [str(python_of(folder)), "-I", str(child), str(samples)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, "TQDM_DISABLE": "1"},
            )
        self.about = self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            said = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            fail(f"ClustPy's process ended: {said[-1] if said else 'it said nothing'}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def seconds(self, batch: int, samples: int) -> float:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"batch": batch, "samples": samples}) + "\n")
        self._process.stdin.flush()
        return float(self._answer()["seconds"])

    def epochs(self, batch: int, samples: int) -> Callable[[], float]:
        self.seconds(batch, batch * WARM_UP_BATCHES)
        return lambda: self.seconds(batch, samples)

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


# -- the measurement --------------------------------------------------------------------------


def contenders(
    digits: np.ndarray,
    samples: int,
    batches: Sequence[int],
    repeats: int,
    precisions: Sequence[str],
    clustpy: ClustPy | None,
) -> Iterator[Contender]:
    """Warmed up, in the order in which they take turns."""
    for batch in batches:
        n = part_of_epoch(samples, batch)
        scale = EPOCH_SAMPLES / n
        n_batches = max(1, round(n / batch))
        for precision in precisions:
            ours = our_epochs(digits[:n], batch, precision, repeats)
            yield Contender("vade_core", precision, batch, ours, scale)
        if clustpy is not None:
            yield Contender("clustpy", "fp32", batch, clustpy.epochs(batch, n), scale)
        for precision in precisions:
            alone = products(batch, precision, n_batches)
            share = EPOCH_SAMPLES / (n_batches * batch)
            yield Contender("products", precision, batch, alone, share)


def measure(turns: Sequence[Contender], repeats: int) -> None:
    began = time.perf_counter()
    for repeat in range(repeats):
        for contender in turns:
            contender.seconds.append(contender.run() * contender.scale)
        passed = time.perf_counter() - began
        left = passed / (repeat + 1) * (repeats - repeat - 1)
        say(f"Repeat {repeat + 1} of {repeats} done, about {left:.0f} s left.")


def ratio(numerator: Contender, denominator: Contender) -> dict[str, float]:
    """Median and range of the ratios of one repeat: neighbours in time share the disturbance."""
    each = [a / b for a, b in zip(numerator.seconds, denominator.seconds, strict=True)]
    return {"median": statistics.median(each), "lowest": min(each), "highest": max(each)}


def compare(turns: Sequence[Contender]) -> list[dict[str, Any]]:
    by = {(c.who, c.precision, c.batch): c for c in turns}
    rows = []
    for ours in (c for c in turns if c.who == "vade_core"):
        row: dict[str, Any] = {"batch": ours.batch, "precision": ours.precision}
        theirs = by.get(("clustpy", "fp32", ours.batch))
        if theirs is not None:
            row["times_as_fast_as_clustpy"] = ratio(theirs, ours)
            if ours.batch == GOAL_BATCH:
                goal = GOALS[ours.precision]
                row["goal"] = goal
                row["goal_met"] = row["times_as_fast_as_clustpy"]["median"] >= goal
        alone = by["products", ours.precision, ours.batch]
        row["times_the_products_alone"] = ratio(ours, alone)
        rows.append(row)
    return rows


def cpu_features() -> list[str]:
    """The flags that matter to these products, where the system tells; else torch's own word."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return [torch.backends.cpu.get_cpu_capability().lower()]
    lines = [line for line in text.splitlines() if line.lower().startswith(("flags", "features"))]
    present = set(lines[0].split()) if lines else set()
    return [flag for flag in CPU_FLAGS if flag in present]


def processor_words() -> str:
    """Who made the processor, and those flags."""
    return f"{processor().split(':')[-1].strip()}, {' '.join(cpu_features())}"


def about(clustpy: ClustPy | None, precisions: Sequence[str]) -> dict[str, Any]:
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gomp_spincount": os.environ["GOMP_SPINCOUNT"],
        "cpu_features": cpu_features(),
        "bf16_pays": "bf16" in precisions,
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
        },
        "clustpy": None if clustpy is None else clustpy.about,
    }


def tables(result: Mapping[str, Any]) -> str:
    facts = result["about"]
    lines = [
        f"{facts['system']}, {facts['cores']} cores, {facts['threads']} threads, "
        f"GOMP_SPINCOUNT={facts['gomp_spincount']}, CPU: {' '.join(facts['cpu_features'])}",
        "vade_core with " + ", ".join(f"{k} {v}" for k, v in facts["versions"].items()),
    ]
    if facts["clustpy"]:
        versions = facts["clustpy"]["versions"]
        lines.append(
            f"ClustPy {versions['clustpy']} with "
            + ", ".join(f"{k} {v}" for k, v in versions.items() if k != "clustpy")
            + f"; {facts['clustpy']['threads']} threads"
        )
    if not facts["bf16_pays"]:
        lines.append("bf16 is not faster than fp32 on this CPU: not measured.")
    timed = (
        "whole epochs"
        if result["samples"] >= EPOCH_SAMPLES
        else f"about {result['samples']:,} samples in whole batches, scaled up to an epoch"
    )
    lines += [
        f"An epoch: {EPOCH_SAMPLES:,} samples, {result['tflop_an_epoch']:.2f} TFLOP in products. "
        f"Timed: {timed}; medians of {result['repeats']} repeats, lowest and highest.",
        "",
        f"{'what':<24}{'batch':>7}{'s/epoch':>10}{'range':>16}",
    ]
    names = {"vade_core": "VaDE", "clustpy": "ClustPy's VaDE", "products": "products alone"}
    for row in result["seconds"]:
        name = f"{names[row['who']]}, {row['precision']}"
        spread = f"{row['lowest']:.2f}-{row['highest']:.2f}"
        lines.append(f"{name:<24}{row['batch']:>7}{row['median']:>10.2f}{spread:>16}")
    lines += ["", "Ratios are medians of each repeat's own, with their range."]
    for row in result["ratios"]:
        line = f"VaDE, {row['precision']}, batch {row['batch']}: "
        if "times_as_fast_as_clustpy" in row:
            line += f"{spelled(row['times_as_fast_as_clustpy'])} times as fast as ClustPy"
            if "goal" in row:
                line += f" (goal {row['goal']}: {'met' if row['goal_met'] else 'MISSED'})"
            line += "; "
        line += f"{spelled(row['times_the_products_alone'])} times the products alone"
        lines.append(line)
    return "\n".join(lines)


def spelled(values: Mapping[str, float]) -> str:
    return f"{values['median']:.3f} ({values['lowest']:.2f}-{values['highest']:.2f})"


def positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="epoch_time",
        description="Seconds an epoch of VaDE on MNIST: this project's, ClustPy's, and the "
        "matrix products alone.",
    )
    parser.add_argument(
        "--samples",
        type=positive,
        default=EPOCH_SAMPLES,
        help="time a part of the epoch, in whole batches, and scale up (default: all 70,000)",
    )
    parser.add_argument(
        "--batch", type=positive, nargs="+", default=[256, 100], help="default: 256 100"
    )
    parser.add_argument("--repeats", type=positive, default=3, help="default: 3")
    parser.add_argument("--json", action="store_true", help="JSON alone on standard output")
    parser.add_argument("--skip-clustpy", action="store_true", help="leave ClustPy out")
    parser.add_argument(
        "--venv",
        type=Path,
        help="folder of ClustPy's virtual environment (default: in the platform's cache folder)",
    )
    options = parser.parse_args(arguments)
    if max(options.batch) * WARM_UP_BATCHES > EPOCH_SAMPLES:
        parser.error(f"--batch may be at most {EPOCH_SAMPLES // WARM_UP_BATCHES}.")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    batches = list(dict.fromkeys(options.batch))
    digits = np.random.default_rng(0).permutation(load("mnist").samples)
    clustpy = None
    with tempfile.TemporaryDirectory() as scratch:
        try:
            if not options.skip_clustpy:
                folder = environment_folder(options.venv)
                try:
                    make_environment(folder)
                except NoClustPy as error:
                    fail(f"{error} Leave ClustPy out with --skip-clustpy.")
                exchanged = Path(scratch) / "digits.npy"
                np.save(exchanged, digits)
                clustpy = ClustPy(folder, exchanged)
            fast = fastest_precision(torch.device("cpu"), (HIDDEN[2], HIDDEN[1]), GOAL_BATCH)
            precisions = ["bf16", "fp32"] if fast == "bf16" else ["fp32"]
            say("Warming up ...")
            turns = list(
                contenders(digits, options.samples, batches, options.repeats, precisions, clustpy)
            )
            measure(turns, options.repeats)
            result = {
                "about": about(clustpy, precisions),
                "samples": min(options.samples, EPOCH_SAMPLES),
                "epoch_samples": EPOCH_SAMPLES,
                "tflop_an_epoch": flops_a_sample() * EPOCH_SAMPLES / 1e12,
                "repeats": options.repeats,
                "seconds": [
                    {
                        "who": c.who,
                        "precision": c.precision,
                        "batch": c.batch,
                        "median": statistics.median(c.seconds),
                        "lowest": min(c.seconds),
                        "highest": max(c.seconds),
                        "each": c.seconds,
                    }
                    for c in turns
                ],
                "ratios": compare(turns),
            }
        finally:
            if clustpy is not None:
                clustpy.close()
    print(json.dumps(result, indent=2) if options.json else tables(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
