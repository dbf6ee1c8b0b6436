"""A frame's map made again with another seed: what moves without any learning.

The map is made from nothing, in a process of its own (:mod:`vade_core.map_jobs`), and kept as
``maps/NNNNN.LENS.seed-S.safetensors``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vade_core.map_jobs import Listener, MapJob, mark_of
from vade_core.projection import LENSES, movement, neighbour_recall, turned_onto
from vade_core.runs import Frame, Run, RunError

__all__ = ["MOST_SEED", "SEEDED", "OtherMap", "Remap", "remap"]

SEEDED = ("tsne", "umap")
"""The lenses whose maps depend on a seed."""

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


class Remap(MapJob):
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
        super().__init__(run, number, lens, f"seed-{seed}")
        self.seed = seed

    def command(self) -> list[str]:
        words = ["-m", "vade_core", "remap", str(self.run.path.resolve())]
        return [*words, "--frame", str(self.number), "--lens", self.lens, "--seed", str(self.seed)]

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
        own = frame.maps.get(self.lens)
        found = None if own is None else self._found(mark_of(frame, self.lens))
        if own is None or found is None:
            return None
        positions, recall = found.get("map"), found.get("recall")
        if positions is None or positions.shape != own.shape or not np.isfinite(positions).all():
            return None
        if recall is None or recall.shape != (1,):
            return None
        places = positions.astype(np.float32)
        return OtherMap(places, float(recall[0]), movement(own, places))

    def make(self, listener: Listener | None = None) -> OtherMap:
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
        return self._carry_out(self._make, listener)

    def _make(self, tell: Listener) -> OtherMap:
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
        self._keep(
            {
                "map": made.astype(np.float32),
                "recall": np.array([recall], dtype=np.float64),
                "of": mark_of(frame, self.lens),
            }
        )
        return OtherMap(made, recall, movement(own, made))


def remap(
    run: Run, number: int, lens: str, seed: int, listener: Listener | None = None
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
