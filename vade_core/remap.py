"""A frame's map made again with another seed: what moves without any learning.

The map is made from nothing, in a process of its own, and kept in a file of its own beside the
frames: ``maps/NNNNN.LENS.seed-S.safetensors``. The maps of a recorded run, which is never
changed, go into a folder of the person's own runs. A file lock, which the operating system
releases however its holder ends, tells whether the map is still being made.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vade_core.locks import FileLock, is_held
from vade_core.projection import LENSES, movement, neighbour_recall, turned_onto
from vade_core.runs import Frame, Run, RunError, read_json, read_tensors, recorded_root, runs_root

__all__ = ["SEEDED", "OtherMap", "Remap", "remap"]

SEEDED = ("tsne", "umap")
"""The lenses whose maps depend on a seed."""

MAPS = "maps"
ELSEWHERE = ".maps"  # no id begins with a dot: it is never taken for a run
MOST_SEED = 2**32 - 1


@dataclass(frozen=True, eq=False)
class OtherMap:
    """A map of a frame's latents that was made with another seed.

    Attributes
    ----------
    positions : ndarray of float32, shape (n, 2)
        Turned onto the run's own map and of its spread.
    recall : float
        Mean 10-nearest-neighbour recall, as of the run's own map.
    moved : float
        How far points stand from where the run's own map has them: `projection.movement`.
    """

    positions: NDArray[np.float32]
    recall: float
    moved: float


class Remap:
    """Where the other map of a frame is kept, and how far it has come.

    Parameters
    ----------
    run : Run
    number : int
        Of ``run.frame_numbers()``.
    lens : str
        One of `SEEDED`.
    seed : int

    Raises
    ------
    RunError
        If the lens has no seed, or the seed is none.
    """

    def __init__(self, run: Run, number: int, lens: str, seed: int) -> None:
        if lens not in SEEDED:
            known = " or ".join(SEEDED)
            raise RunError(f"A {lens[:40]!r} map does not depend on a seed: choose {known}.")
        if not 0 <= seed <= MOST_SEED:
            raise RunError(f"The seed is {seed}: choose one from 0 to {MOST_SEED}.")
        self.run, self.number, self.lens, self.seed = run, number, lens, seed
        stem = f"{number:05d}.{lens}.seed-{seed}"
        folder = maps_folder(run)
        self.path = folder / f"{stem}.safetensors"
        self._status = folder / f"{stem}.json"
        self._lock = folder / f"{stem}.lock"

    def is_running(self) -> bool:
        """Whether a living process is making the map."""
        return is_held(self._lock)

    def status(self) -> dict[str, Any]:
        """What was last written down: ``words``, ``share`` (0 to 1), and ``error`` if it failed.

        Empty where nothing was.
        """
        try:
            found = read_json(self._status)
        except RunError:
            return {}
        return found if isinstance(found, dict) else {}

    def find(self, frame: Frame) -> OtherMap | None:
        """The map, if it was made of just this frame.

        Parameters
        ----------
        frame : Frame
            With the run's own map.

        Returns
        -------
        OtherMap or None
            None where it was not made, was made of other latents (a run that went back to its
            last checkpoint writes frames anew), or cannot be read.
        """
        try:
            found = read_tensors(self.path)
        except RunError:
            return None
        positions, mark = found.get("map"), found.get("of")
        own = frame.maps.get(self.lens)
        if positions is None or mark is None or own is None or positions.shape != own.shape:
            return None
        if mark.tolist() != _mark(frame, self.lens).tolist() or not np.isfinite(positions).all():
            return None
        recall = found.get("recall")
        if recall is None or recall.shape != (1,):
            return None
        places = positions.astype(np.float32)
        return OtherMap(places, float(recall[0]), movement(own, places))

    def make(self, listener: Callable[[str, float], None] | None = None) -> OtherMap:
        """Make the map and keep it.

        Parameters
        ----------
        listener : callable, optional
            Told in words what is done, and the share of it that is.

        Raises
        ------
        RunError
            If the frame cannot be read, has no such map, another process is making it, or it
            cannot be kept. What is wrong is written down too.
        """
        if self.number not in self.run.frame_numbers():
            raise RunError(f"{self.run.id} has no frame {self.number}.")
        try:
            if self.run.path not in self.path.parents:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            else:  # a run that was deleted meanwhile must not come back as an empty folder
                self.path.parent.mkdir(exist_ok=True)
            with FileLock(self._lock) as lock:
                if not lock.acquire(patience=1.0):
                    raise RunError(f"{self.path.name} is being made by another process already.")
                try:
                    return self._make(listener)
                except Exception as error:
                    sentence = " ".join(str(error).split()) or type(error).__name__
                    self._say("Failed", 0.0, error=sentence[:1000])
                    raise
        except OSError as error:
            raise RunError(f"{self.path} cannot be written: {error.strerror or error}.") from error

    def _make(self, listener: Callable[[str, float], None] | None) -> OtherMap:
        said = 0.0

        def tell(words: str, share: float) -> None:
            nonlocal said
            now = time.monotonic()
            if listener is not None:
                listener(words, share)
            if now - said > 0.3 or not share:
                said = now
                self._say(words, share)

        lens = LENSES[self.lens]
        tell("Reading the frame", 0.0)
        frame = self.run.frame(self.number)
        own = frame.maps.get(self.lens)
        if own is None:
            raise RunError(f"{self.run.frame_path(self.number)} has no {self.lens} map.")
        words = f"Making a {lens.title} map of {len(own):,} points"
        more: dict[str, Any] = {}
        if self.lens == "tsne":
            more["progress"] = lambda share: tell(words, 0.9 * share)
        tell(words, 0.0)
        made = turned_onto(lens.function(frame.latents, None, self.seed, **more), own)
        tell("Counting the neighbours that it keeps", 0.95)
        recall = float(neighbour_recall(frame.latents, made).mean())
        self._keep(frame, made, recall)
        self._say("Finished", 1.0)
        if listener is not None:
            listener("Finished", 1.0)
        return OtherMap(made, recall, movement(own, made))

    def _keep(self, frame: Frame, made: NDArray[np.float32], recall: float) -> None:
        from safetensors.numpy import save

        from vade_core.recorder import write_atomically

        content: dict[str, NDArray[Any]] = {
            "map": np.ascontiguousarray(made, dtype=np.float32),
            "recall": np.array([recall], dtype=np.float64),
            "of": _mark(frame, self.lens),
        }
        write_atomically(self.path, save(content))

    def _say(self, words: str, share: float, **more: Any) -> None:
        from vade_core.recorder import write_json

        write_json(self._status, {"words": words, "share": round(share, 3), **more})


def maps_folder(run: Run) -> Path:
    """Where the other maps of a run are kept."""
    if run.path.resolve().parent == recorded_root().resolve():
        return runs_root() / ELSEWHERE / run.id
    return run.path / MAPS


def remap(
    run: Run,
    number: int,
    lens: str,
    seed: int,
    listener: Callable[[str, float], None] | None = None,
) -> OtherMap:
    """Make a frame's map again, from nothing, with another seed, and keep it.

    Parameters
    ----------
    run, number, lens, seed
        As for `Remap`.
    listener : callable, optional
        As for `Remap.make`.

    Raises
    ------
    RunError
        As `Remap` and `Remap.make`.
    """
    return Remap(run, number, lens, seed).make(listener)


def _mark(frame: Frame, lens: str) -> NDArray[np.uint8]:
    """What tells a frame's latents and map from any other's, 16 bytes."""
    digest = hashlib.blake2b(digest_size=16)
    for values in (frame.latents, frame.maps[lens]):
        digest.update(np.ascontiguousarray(values).tobytes())
    return np.frombuffer(digest.digest(), np.uint8).copy()
