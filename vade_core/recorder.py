"""Writing a run folder: one writer at a time, and never a half-written file.

The first line of metrics.jsonl, of the phase ``untrained``, is of the networks as their seed made
them: there are no clusters and no losses yet.

A line of metrics.jsonl carries ``report`` (its number), ``epoch``, ``epochs``, ``phase``,
``stage``, ``seconds`` (of the training alone), ``elapsed`` (since the run began, pauses and
interruptions left out), ``acc``, ``nmi``, ``rand_index``, ``ari``, ``purity`` and the same of the
test part as ``test_...`` (null where there are no labels or no clusters yet), ``val_loss``, and
the named loss terms in nats a sample. Scores are always those of the model's own clusters.

Where a mixture was started, the line of the phase ``start`` also says what the start found on the
samples that were trained on: ``method``, ``cluster_sizes``, its own measure if it has one (as
``log_likelihood`` in nats a sample) and the scores of its clusters as ``start_acc``, ``start_nmi``
and so on. From there on ``start_agreement`` is the share of these samples, in [0, 1], that are in
the cluster that the start gave them; it needs no labels. Where held clusters are renewed, the line
of the first epoch with new ones has ``renewed``, the share of these samples that were moved.
"""

from __future__ import annotations

import json
import math
import os
import platform
import re
import shutil
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
import safetensors.torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from torch import Tensor

from vade_core.locks import FileLock
from vade_core.runs import (
    CHECKPOINT,
    CONFIG,
    CONTROL,
    FRAMES,
    ID_PATTERN,
    ID_WORDS,
    LOCK,
    METRICS,
    MOST_OF_NOTE,
    MOST_OF_TITLE,
    NOTE,
    STAGE,
    STATUS,
    WEIGHTS,
    Frame,
    Run,
    RunConfig,
    RunError,
    Stage,
    is_recorded,
    read_json,
)
from vade_core.training import Position

COMMANDS = ("pause", "resume", "step", "stop")


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file as a whole, so that no reader and no crash ever sees half of it."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            if os.name != "nt":  # others may read it, as any other file of this person's
                os.fchmod(descriptor, 0o666 & ~_umask())
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _replace(Path(name), path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _replace(source: Path, target: Path) -> None:
    # Windows refuses to replace a file that somebody is reading at this moment.
    for attempt in range(50):
        try:
            source.replace(target)
            return
        except PermissionError:
            if attempt == 49:
                raise
            time.sleep(0.02)


def plain(value: Any) -> Any:
    """Numbers and lists as JSON knows them; NaN and infinities become null."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(item) for item in value]
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    return value


def write_json(path: Path, content: Any) -> None:
    """Write JSON atomically."""
    text = json.dumps(plain(content), ensure_ascii=False, allow_nan=False)
    write_atomically(path, text.encode())


def library_versions() -> dict[str, str]:
    """Versions of what computes: Python and the libraries."""
    found = {"python": platform.python_version()}
    for name in ("torch", "numpy", "scikit-learn", "openTSNE", "umap-learn"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def create_run(root: Path, config: RunConfig, path: Path | None = None) -> Run:
    """Make the folder of a new run, in the state ``queued``.

    Parameters
    ----------
    root : Path
        Where to make it, under an id of its own.
    config : RunConfig
    path : Path, optional
        The folder itself, in place of ``root``; it must be missing or empty.

    Raises
    ------
    RunError
        If the folder cannot be made or is not empty.
    """
    folder = root if path is None else path
    now = datetime.now(UTC)
    # To the microsecond: of what a class starts within one second, the first is trained first.
    config.created = now.isoformat(timespec="microseconds")
    config.versions = library_versions()
    try:
        if path is None:
            root.mkdir(parents=True, exist_ok=True)
            words = f"{config.model}-{config.dataset}-k{config.clusters}-{now:%Y%m%d-%H%M%S}"
            stem = re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")[:70]
            folder, attempt = root / stem, 1
            while True:
                try:
                    folder.mkdir()
                    break
                except FileExistsError:
                    attempt += 1
                    folder = root / f"{stem}-{attempt}"
        else:
            if not ID_PATTERN.fullmatch(name := folder.resolve().name):
                raise RunError(f"{name!r} cannot be a run's folder: {ID_WORDS}. Name another.")
            folder.mkdir(parents=True, exist_ok=True)
            if any(folder.iterdir()):
                raise RunError(
                    f"{folder} is not empty: choose another folder, or go on with "
                    f"'python -m vade_core resume {folder}'."
                )
        (folder / FRAMES).mkdir()
        (folder / LOCK).touch()
        write_json(folder / CONFIG, config.to_json())
        write_json(folder / STATUS, {"state": "queued", "words": "Waiting", "updated": time.time()})
    except OSError as error:
        raise RunError(
            f"The run folder {folder} cannot be made: {error.strerror or error}."
        ) from error
    return Run(folder)


def _refuse_recorded(run: Run) -> None:
    if is_recorded(run.path):
        raise RunError(
            f"{run.id} is a recorded run, which is never changed: train a copy of its settings."
        )


def write_note(run: Run, *, title: str, note: str) -> None:
    """Keep a person's title and note of a run, as far as they may be long."""
    _refuse_recorded(run)
    kept = {"title": title.strip()[:MOST_OF_TITLE], "note": note.strip()[:MOST_OF_NOTE]}
    write_json(run.path / NOTE, kept)


def delete_run(run: Run) -> None:
    """Remove a run for good; refused while a worker trains into it."""
    if not ID_PATTERN.fullmatch(run.id):
        raise RunError(f"{run.path} is not a run's folder.")
    _refuse_recorded(run)
    with FileLock(run.path / LOCK) as lock:
        if not lock.acquire(patience=0.5):
            raise RunError(f"{run.id} is being trained: stop it before you delete it.")
        # Renamed first: what disappears from the list disappears at once and as a whole.
        doomed = run.path.with_name(f".deleted-{run.id}-{time.time_ns()}")
        if os.name == "nt":  # an open file keeps its folder from being renamed there
            lock.release()
        run.path.rename(doomed)
    shutil.rmtree(doomed, ignore_errors=True)


def send(run: Run, command: str) -> None:
    """Ask the worker of a run to ``pause``, ``resume``, ``step`` or ``stop``.

    A stop is the last word: what is asked of the worker after it, before it has ended, is dropped.
    """
    if command not in COMMANDS:
        raise RunError(f"A run can be asked to {', '.join(COMMANDS)}, not to {command!r}.")
    before, steps = _asked(run)
    if before == "stop" and run.has_worker():
        return
    steps += command == "step"
    write_json(run.path / CONTROL, {"command": command, "asked": time.time_ns(), "steps": steps})


def command_asked(run: Run) -> str | None:
    """The last command that was asked of a run and not yet forgotten, followed or not."""
    return _asked(run)[0]


def forget_command(run: Run) -> None:
    """Begin anew where a run goes on; how many steps were asked for is kept."""
    command, steps = _asked(run)
    if command is not None:
        write_json(run.path / CONTROL, {"command": None, "steps": steps})


def steps_asked(run: Run) -> int:
    """How many single steps were ever asked of a run, made or not."""
    return _asked(run)[1]


def _asked(run: Run) -> tuple[str | None, int]:
    """Command and number of steps in control.json; nothing where it cannot be read."""
    try:
        found = read_json(run.path / CONTROL)
    except RunError:
        return None, 0
    if not isinstance(found, dict):
        return None, 0
    command, steps = found.get("command"), found.get("steps")
    return command if command in COMMANDS else None, steps if isinstance(steps, int) else 0


class Recorder:
    """The one writer of a run folder; it holds the folder's lock until it is closed.

    Parameters
    ----------
    run : Run

    Raises
    ------
    RunError
        If another process is writing already, or the run is a recorded one.
    """

    def __init__(self, run: Run) -> None:
        _refuse_recorded(run)
        self.run = run
        self._lock = FileLock(run.path / LOCK)
        if not self._lock.acquire(patience=2.0):
            raise RunError(f"{run.path} is being trained by another process already.")
        (run.path / FRAMES).mkdir(exist_ok=True)
        for stray in run.path.glob("**/.writing-*"):
            stray.unlink(missing_ok=True)

    def close(self) -> None:
        """Release the folder."""
        self._lock.release()

    def config(self, config: RunConfig) -> None:
        """Keep the configuration with what the start decided."""
        write_json(self.run.path / CONFIG, config.to_json())

    def status(self, state: str, words: str, **more: Any) -> None:
        """Say what is going on."""
        write_json(
            self.run.path / STATUS,
            {"state": state, "words": words, "pid": os.getpid(), "updated": time.time(), **more},
        )

    def line(self, entry: Mapping[str, Any]) -> None:
        """Append an epoch's line to metrics.jsonl, on the disk before this returns."""
        text = json.dumps(plain(dict(entry)), allow_nan=False) + "\n"
        with (self.run.path / METRICS).open("a", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())

    def stage(self, stage: Stage) -> None:
        """Keep the stage set."""
        content: dict[str, NDArray[Any]] = {
            "rows": stage.rows.astype(np.int64),
            "shown": stage.shown.astype(np.int64),
            "samples": stage.samples.astype(np.float16),
        }
        if stage.labels is not None:
            content["labels"] = stage.labels.astype(np.int32)
        if stage.pictures is not None:
            content["pictures"] = np.ascontiguousarray(stage.pictures)
        write_atomically(self.run.path / STAGE, safetensors.numpy.save(content))

    def frame(self, frame: Frame) -> None:
        """Keep a frame; the maps in full precision, since the next map starts from them."""
        content: dict[str, NDArray[Any]] = {
            "latents": frame.latents.astype(np.float16),
            "reconstructions": frame.reconstructions.astype(np.float16),
            **{f"map.{lens}": place.astype(np.float32) for lens, place in frame.maps.items()},
            **{f"prior.{name}": value.astype(np.float32) for name, value in frame.prior.items()},
        }
        if frame.responsibilities is not None and frame.clusters is not None:
            content["responsibilities"] = frame.responsibilities.astype(np.float16)
            content["clusters"] = frame.clusters.astype(np.int32)
        content = {name: np.ascontiguousarray(value) for name, value in content.items()}
        write_atomically(self.run.frame_path(frame.number), safetensors.numpy.save(content))

    def weights(self, number: int, model: Mapping[str, Tensor]) -> None:
        """Keep the model of a frame, its networks in half precision."""
        (self.run.path / WEIGHTS).mkdir(exist_ok=True)
        content = {
            f"model.{name}": halved(name, value).detach().contiguous()
            for name, value in model.items()
        }
        write_atomically(self.run.weights_path(number), safetensors.torch.save(content))

    def checkpoint(
        self,
        model: Mapping[str, Tensor],
        optimiser: Mapping[str, Tensor],
        position: Position,
        reports: int,
        elapsed: float,
    ) -> None:
        """Replace the checkpoint: weights, Adam's moments, how far the run has come."""
        import torch

        content = {
            **{f"model.{name}": value for name, value in model.items()},
            **{f"optimiser.{name}": value.cpu() for name, value in optimiser.items()},
            "position": torch.tensor([position.stage, position.epochs_done, reports]),
            "elapsed": torch.tensor(elapsed, dtype=torch.float64),
        }
        content = {name: value.detach().contiguous() for name, value in content.items()}
        write_atomically(self.run.path / CHECKPOINT, safetensors.torch.save(content))

    def rewind(self, reports: int) -> None:
        """Drop lines and frames that the checkpoint does not know of."""
        path = self.run.path / METRICS
        if path.exists():
            kept = path.read_bytes().split(b"\n")[:-1][:reports]
            write_atomically(path, b"".join(line + b"\n" for line in kept))
        for number in self.run.frame_numbers():
            if number >= reports:
                self.run.frame_path(number).unlink()
        for number in self.run.weights_numbers():
            if number >= reports:
                self.run.weights_path(number).unlink()


def halved(name: str, value: Tensor) -> Tensor:
    """One of a model's tensors as it is kept for looking, not for training on.

    Networks in half precision, numbers of clusters in 16 bits; a prior weighs nothing and stays as
    it is.
    """
    if name.startswith("networks."):
        return value.half()
    if name in ("start.clusters", "held.clusters") and value.numel() and int(value.max()) < 2**15:
        return value.short()
    return value


def read_weights(path: Path) -> dict[str, Tensor]:
    """A model's tensors by name, as :meth:`Recorder.weights` kept them.

    Raises
    ------
    RunError
        If the file is missing, or is no such file.
    """
    return _part(_loaded(path, "the run kept no model of that epoch"), "model.")


def _loaded(path: Path, missing: str) -> dict[str, Tensor]:
    """A safetensors file's tensors; where there is no file, the error says what that means."""
    try:
        return dict(safetensors.torch.load(path.read_bytes()))
    except FileNotFoundError:
        raise RunError(f"{path} is missing: {missing}.") from None
    except (OSError, SafetensorError, ValueError) as error:
        raise RunError(f"{path} is truncated or no safetensors file: {error}.") from error


class Checkpoint:
    """A checkpoint as it was read.

    Attributes
    ----------
    model, optimiser : dict of str to Tensor
    position : Position
    reports : int
        Lines of metrics.jsonl that belong to it.
    elapsed : float
        Seconds that the run had taken.
    """

    def __init__(self, run: Run) -> None:
        path = run.path / CHECKPOINT
        found = _loaded(path, "this run has no trained model yet")
        if "position" not in found or found["position"].numel() != 3:
            raise RunError(f"{path} is not a checkpoint: it holds no position.")
        stage, done, self.reports = (int(value) for value in found["position"])
        self.position = Position(stage, done)
        self.elapsed = float(found["elapsed"]) if "elapsed" in found else 0.0
        self.model = _part(found, "model.")
        self.optimiser = _part(found, "optimiser.")


def _part(found: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): value for name, value in found.items() if name.startswith(prefix)
    }
