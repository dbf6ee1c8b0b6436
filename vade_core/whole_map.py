"""All samples of a run on one map, in place of the stage set's 2,000: after its last epoch.

The last epoch's map of the stage set is where it begins. Each sample is put among the samples of
the stage set that are nearest in the latent space; t-SNE and UMAP then go on from there, as from
the last frame to the next. PCA and the first two dimensions are linear: what maps the stage set
maps every sample.

``python -m vade_core.whole_map RUN --lens tsne`` makes one (:mod:`vade_core.map_jobs`).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vade_core.map_frames import MapFrames
from vade_core.map_jobs import Listener, MapJob, mark_of
from vade_core.projection import LENSES
from vade_core.run_frames import collect_frames, frame_piece
from vade_core.runs import Frame, Run, RunError, Stage, find_run, recorded_root, runs_root

if TYPE_CHECKING:
    from vade_core.data import Dataset

__all__ = ["LINEAR", "WholeMap", "WholeSet", "placed_near", "sampled_recall"]

LINEAR = ("pca", "first-two")
"""The lenses that are linear maps of the latents."""

NEIGHBOURS = 10
# Samples whose neighbours are looked up among all, to tell the map's recall to about 0.5 %.
RECALL_SAMPLES = 2000
# Rows that are encoded between two words of progress.
ROWS = 10_000
# Mean distance that weights in half precision may move the stage set's latents, of their spread.
SAME_EPOCH = 0.05
# Responsibilities that are sent to a browser, a byte each: above this they are left out.
MOST_SHARES = 4_000_000


@dataclass(frozen=True, eq=False)
class WholeSet:
    """All samples of a run with their map.

    Attributes
    ----------
    frame : Frame
        Of all samples, with one map and without reconstructions.
    labels : ndarray of int64, shape (n,), or None
    recall : float
        Mean 10-nearest-neighbour recall of 2,000 of the samples among all.
    """

    frame: Frame
    labels: NDArray[np.int64] | None
    recall: float

    def frames(self, run: Run, lens: str, lines: Sequence[dict[str, Any]]) -> MapFrames | None:
        """As one frame for the latent map; None where the run has no line of it.

        Parameters
        ----------
        run : Run
        lens : str
        lines : sequence of dict
            Of metrics.jsonl.

        Raises
        ------
        RunError
            If it holds what cannot be.
        """
        n = len(self.frame.latents)
        nothing = np.zeros((0, run.config.n_features), np.float32)
        stage = Stage(np.arange(n), self.labels, None, np.zeros(0, np.int64), nothing)

        def piece(number: int) -> Any:
            return frame_piece(run, self.frame, lens)

        frames = collect_frames(run, lens, lines, stage, [self.frame.number], piece).frames
        if frames is None:
            return None
        frames = replace(frames, caption=f"{frames.caption}, all samples", recall=[self.recall])
        shares = frames.responsibilities
        if shares is not None and shares.size > MOST_SHARES:
            frames = replace(frames, responsibilities=None)
        return frames


class WholeMap(MapJob):
    """Where the map of all samples is kept, and how far it has come.

    Parameters
    ----------
    run : Run
    lens : str
        A name in ``vade_core.projection.LENSES``.

    Raises
    ------
    RunError
        If there is no such lens, or the run has no frames yet.
    """

    def __init__(self, run: Run, lens: str) -> None:
        if lens not in LENSES:
            raise RunError(f"There is no map {lens[:40]!r}: choose from {', '.join(LENSES)}.")
        numbers = run.frame_numbers()
        if not numbers:
            raise RunError(f"{run.id} has no frames yet: there is nothing to map.")
        super().__init__(run, numbers[-1], lens, "all")

    def command(self) -> list[str]:
        words = ["-m", "vade_core.whole_map", str(self.run.path.resolve())]
        return [*words, "--lens", self.lens]

    def find(self, frame: Frame) -> WholeSet | None:
        """The map, if it was made from just this frame.

        Parameters
        ----------
        frame : Frame
            The run's last.
        """
        found = self._found(mark_of(frame, self.lens)) if self.lens in frame.maps else None
        if found is None or not {"latents", "map", "recall"} <= found.keys():
            return None
        latents, places = found["latents"], found["map"]
        n = len(latents)
        gamma, clusters, labels = (
            found.get(name) for name in ("responsibilities", "clusters", "labels")
        )
        fits = places.shape == (n, 2) and found["recall"].shape == (1,)
        if not fits or any(v is not None and len(v) != n for v in (gamma, clusters, labels)):
            return None
        whole = Frame(
            frame.number,
            latents.astype(np.float32),
            {self.lens: places.astype(np.float32)},
            None if gamma is None else gamma.astype(np.float32),
            None if clusters is None else clusters.astype(np.int64),
            frame.prior,
            np.zeros((0, 0), np.float32),
        )
        known = None if labels is None else labels.astype(np.int64)
        return WholeSet(whole, known, float(found["recall"][0]))

    def make(self, listener: Listener | None = None) -> None:
        """Make the map and keep it.

        Parameters
        ----------
        listener : callable, optional
            Told in words what is done, and the share of it that is.

        Raises
        ------
        RunError, DataError
            If the run has no weights that belong to its last frame, its data are gone, another
            process is making the map, or it cannot be kept. What is wrong is written down too.
        """
        self._carry_out(self._make, listener)

    def _make(self, tell: Listener) -> None:
        from vade_core.rebuild import load_dataset, load_model

        tell("Reading the model and its data", 0.0)
        frame, stage = self.run.frame(self.number), self.run.stage()
        own = frame.maps.get(self.lens)
        if own is None:
            raise RunError(f"{self.run.frame_path(self.number)} has no {self.lens} map.")
        model, dataset = load_model(self.run), load_dataset(self.run.config)
        latents = _encoded(model.transform, dataset, tell)
        here = latents[stage.rows]
        spread = float(np.linalg.norm(here - here.mean(axis=0), axis=1).mean())
        if np.linalg.norm(here - frame.latents, axis=1).mean() > SAME_EPOCH * spread:
            raise RunError(
                "The weights that were kept are of another epoch than the last map: train this "
                "run on, or to its end."
            )
        gamma = np.asarray(model.responsibilities(latents))
        made = self._mapped(latents, here, own, tell)
        tell("Counting the neighbours that it keeps", 0.95)
        content: dict[str, NDArray[Any]] = {
            "latents": latents.astype(np.float16),
            "map": made.astype(np.float32),
            "responsibilities": gamma.astype(np.float16),
            "clusters": gamma.argmax(axis=1).astype(np.int32),
            "recall": np.array([sampled_recall(latents, made, seed=self.run.config.seed)]),
            "of": mark_of(frame, self.lens),
        }
        if dataset.labels is not None:
            content["labels"] = dataset.labels.astype(np.int32)
        self._keep(content)

    def _mapped(
        self,
        latents: NDArray[Any],
        stage: NDArray[Any],
        stage_map: NDArray[np.float32],
        tell: Listener,
    ) -> NDArray[np.float32]:
        if self.lens in LINEAR:
            tell("Placing every sample", 0.3)
            return _as_the_stage(latents, stage, stage_map)
        lens, n = LENSES[self.lens], len(latents)
        tell(f"Placing {n:,} samples among the map's {len(stage):,}", 0.25)
        placed = placed_near(latents, stage, stage_map)
        tell(f"Looking for the neighbours of {n:,} samples", 0.3)
        more: dict[str, Any] = {}
        if self.lens == "tsne":
            words = f"Making a {lens.title} map of {n:,} samples"
            more["progress"] = lambda share: tell(words, 0.5 + 0.45 * share)
        return lens.function(latents, placed, self.run.config.seed, **more)


def _encoded(
    transform: Callable[[Any], NDArray[Any]], dataset: Dataset, tell: Listener
) -> NDArray[Any]:
    n, parts = dataset.n_samples, []
    for first in range(0, n, ROWS):
        tell(f"Encoding {n:,} samples", 0.05 + 0.2 * first / n)
        parts.append(transform(dataset.samples[first : first + ROWS]))
    return np.concatenate(parts)


def placed_near(
    latents: NDArray[Any], stage: NDArray[Any], stage_map: NDArray[Any], k: int = 5
) -> NDArray[np.float32]:
    """Put each sample amid the k nearest of some samples that have a place on a map.

    Parameters
    ----------
    latents : ndarray, shape (n, J)
    stage : ndarray, shape (m, J)
        Latents of the samples that have one.
    stage_map : ndarray, shape (m, 2)
    k : int

    Returns
    -------
    ndarray of float32, shape (n, 2)
        Means of the k places, weighted by one over the squared distance in the latent space; a
        sample of the stage set itself keeps its place.
    """
    from sklearn.neighbors import NearestNeighbors

    search = NearestNeighbors(n_neighbors=min(k, len(stage))).fit(stage)
    placed = np.empty((len(latents), 2), np.float32)
    for first in range(0, len(latents), ROWS):
        rows = slice(first, first + ROWS)
        distances, nearest = search.kneighbors(latents[rows])
        # Relative to the nearest, so that neither a distance of 0 nor a tiny one overflows.
        closest = np.maximum(distances[:, :1], 1e-9)
        weights = (closest / np.maximum(distances, closest)) ** 2
        weights[distances[:, 0] <= 1e-9, 1:] = 0
        weights /= weights.sum(axis=1, keepdims=True)
        placed[rows] = (weights[:, :, None] * stage_map[nearest]).sum(axis=1)
    return placed


def _as_the_stage(
    latents: NDArray[Any], stage: NDArray[Any], stage_map: NDArray[np.float32]
) -> NDArray[np.float32]:
    """What maps the stage set, which is affine, applied to all."""
    known = np.column_stack([stage.astype(np.float64), np.ones(len(stage))])
    solution = np.linalg.lstsq(known, stage_map.astype(np.float64), rcond=None)[0]
    return (latents @ solution[:-1] + solution[-1]).astype(np.float32)


def sampled_recall(
    latents: NDArray[Any], map_: NDArray[Any], seed: int = 0, samples: int = RECALL_SAMPLES
) -> float:
    """Mean 10-nearest-neighbour recall of some samples among all.

    Parameters
    ----------
    latents : ndarray, shape (n, J)
    map_ : ndarray, shape (n, 2)
    seed : int
        Of the draw.
    samples : int
        How many are drawn.
    """
    from sklearn.neighbors import NearestNeighbors

    n = len(latents)
    drawn = np.random.default_rng(seed).permutation(n)[:samples]
    k = min(NEIGHBOURS, n - 1)
    both = []
    for points in (latents, map_):
        found = NearestNeighbors(n_neighbors=k + 1).fit(points).kneighbors(points[drawn])[1]
        # A point that stands on others may not be the first of its own neighbours.
        both.append(
            [[i for i in row if i != own][:k] for own, row in zip(drawn, found, strict=True)]
        )
    kept = [len(set(a) & set(b)) for a, b in zip(*both, strict=True)]
    return float(np.mean(kept) / k)


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the map of all samples of a run; what is wrong is said in one line."""
    parser = argparse.ArgumentParser(prog="python -m vade_core.whole_map", description=__doc__)
    parser.add_argument("run", type=Path, help="the run's folder, or its id")
    parser.add_argument("--lens", choices=list(LENSES), default="tsne")
    options = parser.parse_args(arguments)
    try:
        folder: Path = options.run
        run = (
            Run(folder)
            if folder.is_dir()
            else find_run(str(folder), [runs_root(), recorded_root()])
        )
        task = WholeMap(run, options.lens)
        task.make(lambda words, share: print(f"{share:4.0%} {words}", file=sys.stderr))
    except (RunError, ValueError, OSError) as error:
        print(f"whole_map: {error}", file=sys.stderr)
        return 2
    print(f"kept: {task.path}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
