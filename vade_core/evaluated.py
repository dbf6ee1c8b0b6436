"""What was measured of a run's final model, kept in a file, so that a page need not wait.

A recorded run carries it as ``evaluation.json``. Of any other it is made by a process of its own,
``python -m vade_core.evaluated RUN``, and kept beside a person's runs. It names the state of the
run that it was made of: a run that went on is measured anew.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vade_core.locks import FileLock, is_held
from vade_core.runs import CHECKPOINT, Run, RunError, read_json, runs_root

__all__ = [
    "EVALUATION",
    "MOST_SAMPLES",
    "Evaluation",
    "evaluate_run",
    "keep_evaluation",
]

EVALUATION = "evaluation.json"
ELSEWHERE = ".evaluations"  # no id begins with a dot: it is never taken for a run
MOST_SAMPLES = 70_000
"""Of a larger data set a seeded sample of so many is measured."""

FORMAT = 2  # 1 had no edge information
_NUMBERS = ("edge_information", "silhouette", "calinski_harabasz", "reconstruction")


def evaluate_run(run: Run) -> dict[str, Any]:
    """Measure a run's final model, with what it was measured of.

    Parameters
    ----------
    run : Run
        With a checkpoint.

    Returns
    -------
    dict
        ``format``; ``of``, the state of the run; ``samples``, how many were measured; ``counted``,
        on how many of them silhouette, Calinski-Harabasz, kNN error and reconstruction were, and
        ``part``, whether these are the ``test`` part or ``all``; ``values``, as
        `vade_core.evaluation.evaluate` gives them.

    Raises
    ------
    RunError, DataError
        If model or data cannot be read.
    """
    from vade_core.evaluation import evaluate
    from vade_core.rebuild import load_dataset, load_model

    of = _state_of(run)
    model = load_model(run)
    dataset = load_dataset(run.config)
    if dataset.n_samples > MOST_SAMPLES:
        dataset = dataset.subset(MOST_SAMPLES, seed=0)
    on_test = int(dataset.is_test.sum())
    return {
        "format": FORMAT,
        "of": of,
        "samples": dataset.n_samples,
        "counted": on_test or dataset.n_samples,
        "part": "test" if on_test else "all",
        "values": evaluate(model, dataset),
    }


def keep_evaluation(run: Run, folder: Path | None = None) -> Path:
    """Measure a run's final model and keep what was found.

    Parameters
    ----------
    run : Run
        With a checkpoint.
    folder : Path, optional
        Where ``evaluation.json`` goes, such as the run's own folder while it is being recorded.
        Beside a person's runs if None.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    RunError, DataError
        If model or data cannot be read, or another process is measuring this run.
    OSError
        If the file cannot be written.
    """
    from vade_core.recorder import write_json

    if folder is not None:
        write_json(folder / EVALUATION, evaluate_run(run))
        return folder / EVALUATION
    return Evaluation(run).make()


class Evaluation:
    """Where the evaluation of a run is kept, and how far it has come.

    Parameters
    ----------
    run : Run
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        place = runs_root() / ELSEWHERE
        self.path = place / f"{run.id}.json"
        self._status = place / f"{run.id}.status.json"
        self._lock = place / f"{run.id}.lock"

    def is_running(self) -> bool:
        """Whether a living process is measuring the run."""
        return is_held(self._lock)

    def problem(self) -> str | None:
        """Why the run could not be measured as it is now; None where nothing went wrong."""
        try:
            found = read_json(self._status)
            fits = isinstance(found, dict) and found.get("of") == _state_of(self.run)
        except RunError:
            return None
        return str(found.get("error")) if fits and found.get("error") else None

    def find(self) -> dict[str, Any] | None:
        """What was measured of the run as it is now, as `evaluate_run` gives it.

        Returns
        -------
        dict or None
            None where nothing was measured, the run has gone on since, or the file is none.
        """
        try:
            of = _state_of(self.run)
        except RunError:
            return None
        for path in (self.run.path / EVALUATION, self.path):
            try:
                found = _checked(read_json(path))
            except (RunError, ValueError, TypeError, KeyError):
                continue
            if found["of"] == of:
                return found
        return None

    def make(self) -> Path:
        """Measure the run and keep what was found; see `keep_evaluation`."""
        from vade_core.recorder import write_json

        self.path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self._lock) as lock:
            if not lock.acquire(patience=1.0):
                raise RunError(f"{self.run.id} is being measured by another process already.")
            try:
                write_json(self.path, evaluate_run(self.run))
            except Exception as error:
                sentence = " ".join(str(error).split()) or type(error).__name__
                write_json(self._status, {"of": _state_of(self.run), "error": sentence[:1000]})
                raise
            self._status.unlink(missing_ok=True)
        return self.path


def _state_of(run: Run) -> dict[str, Any]:
    """What tells this state of this run from any other."""
    has_weights = (run.path / CHECKPOINT).is_file()
    return {
        "created": run.config.created,
        "reports": len(run.metrics()),
        "weights": has_weights,
    }


def _checked(found: Any) -> dict[str, Any]:
    """An evaluation as it may be shown: known entries, finite numbers."""
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise ValueError("unknown format")
    values, errors = dict(found["values"]), dict(found["values"]["knn_error"])
    for name in _NUMBERS:
        values[name] = _number(values.get(name))
    values["knn_error"] = {str(k): _number(error) for k, error in errors.items()}
    return {
        "format": FORMAT,
        "of": dict(found["of"]),
        "samples": int(found["samples"]),
        "counted": int(found["counted"]),
        "part": "test" if found["part"] == "test" else "all",
        "values": values,
    }


def _number(value: Any) -> float | None:
    if value is None:
        return None
    number = float(value)
    return number if math.isfinite(number) else None


def main(arguments: Sequence[str]) -> int:
    """Measure some runs, one after the other; 0 if all could be, else 2."""
    from vade_core.data import DataError

    failed = 0
    for path in arguments:
        try:
            keep_evaluation(Run(path))
        except (RunError, DataError, ValueError, OSError) as error:
            print(f"{path}: {' '.join(str(error).split())}", file=sys.stderr)
            failed = 2
    return failed


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
