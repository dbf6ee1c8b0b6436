"""Seconds from nothing to a label-free ACC of 94.46 %, the VaDE paper's figure, on all of MNIST.

The clock starts when the process is started: imports, reading the data and UMAP's compilation
count (numba gets an empty cache). At the end of each of VaDE's own epochs its `predict`, in fp32,
is held against the labels, and that check is all that the labels are used for; its own time does
not count. ClustPy's VaDE, with its defaults, goes under the same clock, and is given up on at
some multiple of our time.
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
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from vade_core.idle_threads import let_idle_threads_sleep  # noqa: E402

let_idle_threads_sleep()  # inherited by every process here

from arguments import Parser, positive, settings  # noqa: E402

from vade_core.data import DATASETS, load  # noqa: E402
from vade_core.presets import PRESETS  # noqa: E402

TARGET = 94.46
# Seconds on two cores, by preset and precision.
GOALS = {
    "robust": {"bf16": 90.0, "fp32": 180.0},
    "class": {"bf16": 45.0, "fp32": 90.0},
}
PHASES = {
    "imports": "imports",
    "data": "data",
    "networks": "networks",
    "pretrain": "pretraining",
    "start": "start",
    "clamped": "clusters held",
    "free": "free",
    "train": "VaDE",
}


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(prog="time_to_accuracy", description=__doc__)
    default = [name for name in GOALS if name in PRESETS]
    parser.add_argument(
        "--presets", nargs="+", default=default, metavar="NAME", help=f"default: {default}"
    )
    parser.add_argument("--precision", default="auto", choices=("auto", "fp32", "bf16"))
    parser.add_argument("--repeats", type=positive, default=1, help="each with a seed of its own")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--target", type=float, default=TARGET, help=f"in percent ({TARGET})")
    parser.add_argument("--no-clustpy", action="store_true", help="leave ClustPy out")
    parser.add_argument(
        "--give-up", type=float, default=5.0, metavar="TIMES", help="on ClustPy (default: 5)"
    )
    parser.add_argument("--venv", type=Path, help="ClustPy's (default: in the cache folder)")
    parser.add_argument("--json", action="store_true", help="JSON alone on standard output")
    trial = parser.add_argument_group("trials", "whose figures are none")
    trial.add_argument("--dataset", default="mnist")
    trial.add_argument(
        "--changes", type=settings, default={}, metavar="JSON", help="settings of VaDE"
    )
    trial.add_argument(
        "--clustpy-changes", type=settings, default={}, metavar="JSON", help="of ClustPy's"
    )
    options = parser.parse_args(arguments)
    for name in options.presets:
        if name not in PRESETS:
            raise ValueError(f"there is no preset {name!r}; there are: {', '.join(PRESETS)}.")
    if options.dataset not in DATASETS:
        raise ValueError(f"there is no data set {options.dataset!r}.")
    if not 0 < options.target <= 100 or options.give_up <= 0:
        raise ValueError("--target must be a percentage, and --give-up above 0.")
    return options


def say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def follow(
    command: Sequence[str], request: Mapping[str, Any], limit: float | None
) -> list[dict[str, Any]]:
    """Start a process, and the clock with it; the lines that it answers with.

    Parameters
    ----------
    command : sequence of str
        The request is put at its end, as JSON.
    request : mapping
    limit : float, optional
        Seconds on the clock after which the process is ended.

    Raises
    ------
    ValueError
        If it ended by itself, and not well.
    """
    lines: list[dict[str, Any]] = []
    given_up = False
    with tempfile.TemporaryDirectory() as cache, tempfile.TemporaryFile("w+") as log:
        began = time.time()
        child = subprocess.Popen(
            [*command, json.dumps({**request, "began": began})],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**os.environ, "NUMBA_CACHE_DIR": cache, "TQDM_DISABLE": "1"},
        )
        reader = threading.Thread(target=_read, args=(child, lines), daemon=True)
        reader.start()
        try:
            while reader.is_alive():
                reader.join(0.1)
                excluded = lines[-1].get("excluded", 0.0) if lines else 0.0
                if limit is not None and time.time() - began - excluded > limit:
                    given_up = True
                    break
        finally:
            if child.poll() is None and reader.is_alive():
                child.kill()
            child.wait()
            reader.join(5.0)
        if child.returncode and not given_up:
            log.seek(0)
            said = log.read().strip().splitlines()
            raise ValueError(f"a training ended early: {said[-1] if said else 'it said nothing'}")
    return lines


def _read(child: subprocess.Popen[str], lines: list[dict[str, Any]]) -> None:
    assert child.stdout is not None
    for line in child.stdout:
        lines.append(json.loads(line))


def ours(options: argparse.Namespace, preset: str, seed: int) -> dict[str, Any]:
    """One training of ours."""
    request = {
        **{"preset": preset, "seed": seed, "precision": options.precision},
        **{"dataset": options.dataset, "target": options.target / 100},
        "changes": options.changes,
    }
    child = Path(__file__).with_name("time_to_accuracy_run.py")
    lines = follow([sys.executable, str(child)], request, None)
    return {"preset": preset, "seed": seed, **lines[-1], "curve": _curve(lines)}


def clustpys(options: argparse.Namespace, limit: float, scratch: Path) -> dict[str, Any]:
    """ClustPy's VaDE under the same clock, up to a limit."""
    import numpy as np
    from clustpy_venv import environment_folder, make_environment, python_of

    folder = environment_folder(options.venv)
    make_environment(folder)
    dataset = load(options.dataset)
    np.save(scratch / "samples.npy", dataset.samples)
    np.save(scratch / "labels.npy", dataset.labels)
    request = {
        **{"samples": str(scratch / "samples.npy"), "labels": str(scratch / "labels.npy")},
        **{"seed": options.first_seed, "target": options.target / 100},
        "changes": options.clustpy_changes,
    }
    child = Path(__file__).with_name("clustpy_accuracy.py")
    lines = follow([str(python_of(folder)), "-I", str(child)], request, limit)
    about: dict[str, Any] = next((line for line in lines if "versions" in line), {})
    epochs = [line for line in lines if line.get("epochs") is not None]
    reached = bool(lines and lines[-1].get("reached"))
    ended = bool(lines and lines[-1].get("ended"))
    return {
        "reached": reached,
        "given_up": not ended,
        "seconds": lines[-1]["clock"] if ended else limit,
        "last": epochs[-1] if epochs else None,
        "versions": about.get("versions"),
        "threads": about.get("threads"),
        "curve": _curve(lines),
    }


def _curve(lines: Sequence[Mapping[str, Any]]) -> list[list[float]]:
    """Seconds and ACC after each epoch that has one."""
    return [
        [round(line["clock"], 2), round(line["acc"], 4)]
        for line in lines
        if "phase" in line and line.get("acc") is not None
    ]


# -- tables -----------------------------------------------------------------------------------


def tables(result: Mapping[str, Any]) -> str:
    """The result as Markdown."""
    about = result["about"]
    runs = result["runs"]
    phases = [phase for phase in PHASES if any(phase in run["seconds"] for run in runs)]
    header = [
        *("preset", "seed", "precision"),
        *(PHASES[phase] for phase in phases),
        *("total s", "ACC %", "VaDE's epochs", "peak MiB"),
    ]
    rows = [header, ["---", *["---:"] * (len(header) - 1)]]
    for run in runs:
        seconds = [f"{run['seconds'].get(phase, 0.0):.1f}" for phase in phases]
        acc = "-" if run["acc"] is None else f"{100 * run['acc']:.2f}"
        total = f"{run['total']:.1f}" + ("" if run["reached"] else ", not reached")
        peak = "-" if run["peak_rss_mib"] is None else f"{run['peak_rss_mib']:.0f}"
        rows.append(
            [run["preset"], str(run["seed"]), run["precision"], *seconds, total, acc]
            + [str(run["vade_epochs"]), peak]
        )
    lines = [
        f"Seconds to an ACC of {result['target']:.2f} % on {about['dataset']}, {about['system']}, "
        f"{about['cores']} cores, {runs[0]['threads']} threads, torch {runs[0]['torch']}, "
        f"commit {runs[0]['commit']}.",
        "",
        *("| " + " | ".join(row) + " |" for row in rows),
        "",
        *(verdict(row) for row in result["presets"]),
    ]
    if result["clustpy"] is not None:
        lines.append(clustpy_words(result))
    lines += ["", __doc__.split("\n\n", 1)[1].replace("\n", " ").strip()]
    return "\n".join(lines)


def verdict(row: Mapping[str, Any]) -> str:
    """A preset's median, and whether it is what was aimed for."""
    words = f"- {row['preset']}: "
    if row["median"] is None:
        return words + f"reached in {row['reached']} of {row['runs']} runs only."
    words += f"{row['median']:.1f} s (median of {row['runs']}, {row['lowest']:.1f}"
    words += f" to {row['highest']:.1f})"
    if row["goal"] is not None:
        words += f", {row['goal']:.0f} s wanted on two cores with {row['precision']}: "
        words += "met" if row["median"] <= row["goal"] else "MISSED"
    return words + "."


def clustpy_words(result: Mapping[str, Any]) -> str:
    """How ClustPy fared."""
    found = result["clustpy"]
    if found.get("error"):
        return f"- ClustPy's VaDE: not measured. {found['error']}"
    where = reached_by(found["last"])
    times = ", ".join(
        f"{found['seconds'] / row['median']:.1f} times {row['preset']}"
        for row in result["presets"]
        if row["median"] is not None
    )
    if found["reached"]:
        return f"- ClustPy's VaDE: {found['seconds']:.1f} s: {times}."
    if found["given_up"]:
        return f"- ClustPy's VaDE: given up on at {found['seconds']:.0f} s ({times}), {where}."
    return f"- ClustPy's VaDE: not reached in {found['seconds']:.0f} s ({times}), {where}."


def reached_by(last: Mapping[str, Any] | None) -> str:
    """Where a training was at its last word."""
    if last is None:
        return "before its first epoch"
    if last["phase"] == "start":
        return "after its pretraining"
    kind = "pretraining" if last["phase"] == "pretrain" else "training"
    words = f"after epoch {last['epoch']} of {last['epochs']} of its {kind}"
    return words if last.get("acc") is None else f"{words}, at {100 * last['acc']:.2f} %"


def summarise(
    runs: Sequence[Mapping[str, Any]], preset: str, *, trial: bool = False
) -> dict[str, Any]:
    """Median and range of a preset's runs; None where one of them did not get there."""
    of_preset = [run for run in runs if run["preset"] == preset]
    totals = [run["total"] for run in of_preset if run["reached"]]
    complete = len(totals) == len(of_preset)
    precision = of_preset[0]["precision"]
    return {
        "preset": preset,
        "precision": precision,
        "runs": len(of_preset),
        "reached": len(totals),
        "median": statistics.median(totals) if complete else None,
        "lowest": min(totals) if complete else None,
        "highest": max(totals) if complete else None,
        "goal": None if trial else GOALS.get(preset, {}).get(precision),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; its exit code."""
    try:
        options = parse(arguments)
        presets = list(dict.fromkeys(options.presets))
        runs = []
        for repeat in range(options.repeats):
            for preset in presets:  # they take turns, so that a busy machine hurts all alike
                seed = options.first_seed + repeat
                say(f"{preset}, seed {seed} ({len(runs) + 1} of {len(presets) * options.repeats})")
                runs.append(ours(options, preset, seed))
                words = "reached" if runs[-1]["reached"] else "not reached"
                say(f"  {runs[-1]['total']:.1f} s, {words}")
        trial = bool(options.dataset != "mnist" or options.changes or options.target != TARGET)
        rows = [summarise(runs, preset, trial=trial) for preset in presets]
        clustpy: dict[str, Any] | None = None
        if not options.no_clustpy:
            from clustpy_venv import NoClustPy

            limit = options.give_up * max(run["total"] for run in runs)
            say(f"ClustPy's VaDE, for at most {limit:.0f} s")
            with tempfile.TemporaryDirectory() as scratch:
                try:
                    clustpy = clustpys(options, limit, Path(scratch))
                except NoClustPy as error:
                    clustpy = {"error": str(error)}
        result = {
            "about": {
                "dataset": options.dataset,
                "system": f"{platform.system()} {platform.machine()}",
                "cores": os.cpu_count(),
                "changes": options.changes,
            },
            "target": options.target,
            "runs": runs,
            "presets": rows,
            "clustpy": clustpy,
        }
        print(json.dumps(result, indent=1) if options.json else tables(result))
    except KeyboardInterrupt:
        return 130
    except (ValueError, OSError) as error:
        say(f"time_to_accuracy: {' '.join(str(error).split())}")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
