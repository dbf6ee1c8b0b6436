"""A map that a process of its own makes and keeps: where it is kept, and how far it has come.

The maps of a run lie beside its frames, in ``maps``. Those of a recorded run, which is never
changed, go into a folder of the person's own runs. A file lock, which the operating system
releases however its holder ends, tells whether a map is still being made.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from vade_core.locks import FileLock, is_held
from vade_core.runs import Frame, Run, RunError, is_recorded, read_json, read_tensors, runs_root

__all__ = ["Listener", "MapJob", "maps_folder", "mark_of"]

Listener = Callable[[str, float], None]
"""Told in words what is done, and the share of it that is, 0 to 1."""

Made = TypeVar("Made")

MAPS = "maps"
ELSEWHERE = ".maps"  # no id begins with a dot: it is never taken for a run
# Seconds between two notes of how far it has come.
NOTE_EVERY = 0.3


class MapJob:
    """One map of a run that can be made, is being made, or is there.

    Parameters
    ----------
    run : Run
    number : int
        Of the frame, of ``run.frame_numbers()``.
    lens : str
    kind : str
        What sets this map apart from others of that frame; a part of its file's name.

    Attributes
    ----------
    path : Path
        Where the map is kept once it is made.
    """

    def __init__(self, run: Run, number: int, lens: str, kind: str) -> None:
        self.run, self.number, self.lens = run, number, lens
        stem = f"{number:05d}.{lens}.{kind}"
        folder = maps_folder(run)
        self.path = folder / f"{stem}.safetensors"
        self._status = folder / f"{stem}.json"
        self._lock = folder / f"{stem}.lock"

    def command(self) -> list[str]:
        """What follows the name of the Python interpreter to make this map in a process."""
        raise NotImplementedError

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

    def _carry_out(self, work: Callable[[Listener], Made], listener: Listener | None) -> Made:
        """Do the work under the lock, and write down how far it has come or what went wrong."""
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
                    made = work(self._teller(listener))
                except Exception as error:
                    sentence = " ".join(str(error).split()) or type(error).__name__
                    self._say("Failed", 0.0, error=sentence[:1000])
                    raise
                self._say("Finished", 1.0)
        except OSError as error:
            raise RunError(f"{self.path} cannot be written: {error.strerror or error}.") from error
        if listener is not None:
            listener("Finished", 1.0)
        return made

    def _teller(self, listener: Listener | None) -> Listener:
        noted: tuple[str, float] = ("", 0.0)

        def tell(words: str, share: float) -> None:
            nonlocal noted
            now = time.monotonic()
            if listener is not None:
                listener(words, share)
            if words != noted[0] or now - noted[1] > NOTE_EVERY:
                noted = (words, now)
                self._say(words, share)

        return tell

    def _found(self, mark: NDArray[np.uint8]) -> dict[str, NDArray[Any]] | None:
        """The tensors of the map, if they can be read and carry this mark."""
        try:
            found = read_tensors(self.path)
        except RunError:
            return None
        given = found.get("of")
        return found if given is not None and given.tolist() == mark.tolist() else None

    def _keep(self, content: Mapping[str, NDArray[Any]]) -> None:
        from safetensors.numpy import save

        from vade_core.recorder import write_atomically

        write_atomically(
            self.path, save({name: np.ascontiguousarray(v) for name, v in content.items()})
        )

    def _say(self, words: str, share: float, **more: Any) -> None:
        from vade_core.recorder import write_json

        write_json(self._status, {"words": words, "share": round(share, 3), **more})


def maps_folder(run: Run) -> Path:
    """Where the further maps of a run are kept."""
    return runs_root() / ELSEWHERE / run.id if is_recorded(run.path) else run.path / MAPS


def mark_of(frame: Frame, lens: str) -> NDArray[np.uint8]:
    """What tells a frame's latents and map from any other's, 16 bytes."""
    digest = hashlib.blake2b(digest_size=16)
    for values in (frame.latents, frame.maps[lens]):
        digest.update(np.ascontiguousarray(values).tobytes())
    return np.frombuffer(digest.digest(), np.uint8).copy()
