"""Trains a VaDE from nothing until its own clusters are accurate enough; time_to_accuracy.py
starts it, and tells it when that was: the clock has been running since.

Answers with lines of JSON: one after each epoch, the last with ``"ended": true``.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

# The clock of the process that started this one, to the first line here; then a steady one.
_request: dict[str, Any] = json.loads(sys.argv[1])
_launch = time.time() - _request["began"]
_first = time.perf_counter()


class Clock:
    """Seconds since the process was started, checks left out, and where they went."""

    def __init__(self) -> None:
        self.excluded = 0.0
        self.seconds: dict[str, float] = {}
        self._marked = 0.0

    @property
    def now(self) -> float:
        return _launch + time.perf_counter() - _first - self.excluded

    def mark(self, phase: str) -> None:
        """What has passed since the last mark belongs to this phase."""
        now = self.now
        self.seconds[phase] = self.seconds.get(phase, 0.0) + now - self._marked
        self._marked = now


def main() -> int:
    clock = Clock()
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    import torch

    from vade_core.data import load
    from vade_core.models import VaDE
    from vade_core.presets import PRESETS

    clock.mark("imports")
    dataset = load(_request["dataset"])
    clock.mark("data")
    parameters = {
        **PRESETS[_request["preset"]].of("vade", dataset.n_samples),
        **_request["changes"],
        "n_clusters": dataset.n_classes,
        "random_state": _request["seed"],
        "precision": _request["precision"],
        "device": "cpu",
    }
    model = VaDE(**parameters)
    training = model.stream(dataset.samples)
    clock.mark("networks")

    from vade_core.metrics import accuracy  # scikit-learn is here already

    acc: float | None = None
    epochs = 0
    for report in training:
        clock.mark(report.phase)
        if report.phase in ("pretrain", "start"):
            acc = None
        else:
            epochs += 1
            began = time.perf_counter()
            acc = accuracy(dataset.labels, model.predict(dataset.samples))
            clock.excluded += time.perf_counter() - began
        line = {
            **{"phase": report.phase, "epoch": report.epoch, "epochs": report.epochs},
            **{"clock": clock.now, "acc": acc, "excluded": clock.excluded},
        }
        print(json.dumps(line), flush=True)
        if acc is not None and acc >= _request["target"]:
            break

    from accuracy_runs import commit, peak_rss_mib

    total = sum(clock.seconds.values())
    last = {
        "ended": True,
        "reached": acc is not None and acc >= _request["target"],
        "acc": acc,
        "vade_epochs": epochs,
        "total": total,
        "seconds": clock.seconds,
        "excluded": clock.excluded,
        "precision": model.precision_,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "peak_rss_mib": peak_rss_mib(),
        "commit": commit(),
    }
    print(json.dumps(last), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
