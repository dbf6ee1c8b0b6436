"""A run's frames made ready for the latent map: read, checked, and put into one row.

A frame that cannot be shown is left out and named; the others show all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vade_core.map_frames import MapFrames
from vade_core.projection import LENSES, neighbour_recall, place_means
from vade_core.runs import UNTRAINED, Frame, Run, RunConfig, RunError, Stage

__all__ = [
    "PHASES",
    "Piece",
    "RunFrames",
    "collect_frames",
    "frame_piece",
    "frame_title",
    "frame_trust",
    "lenses_of",
    "phase_title",
    "read_run_frames",
]

Line = Mapping[str, Any]

PHASES: dict[str, str] = {
    UNTRAINED: "Untrained",
    "pretrain": "Pretraining",
    "start": "Start",
    "clamped": "Clusters held",
    "free": "Clusters free",
    "train": "Training",
}
"""What the parts of a training are called."""

# Labels and clusters travel to the browser as bytes.
_MOST_KINDS = 255


@dataclass(frozen=True)
class RunFrames:
    """A run's frames on one map, and what was left out.

    Attributes
    ----------
    frames : MapFrames or None
        None where there is nothing to show.
    skipped : list of str
        A sentence for each frame that cannot be shown.
    numbers : list of int
        The number within the run of each frame that is shown.
    phases : list of str
        The phase of each frame that is shown, by its name in metrics.jsonl.
    """

    frames: MapFrames | None
    skipped: list[str]
    numbers: list[int] = field(default_factory=list)
    phases: list[str] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Piece:
    """What one frame gives to the map.

    Attributes
    ----------
    positions : ndarray, shape (n, 2)
    clusters : ndarray of int64, shape (n,), or None
        None before the model has clusters, and so for what follows.
    shares : ndarray of uint8, shape (n, K), or None
        Responsibilities; 255 is 1.
    confidence, entropy : ndarray of uint8, shape (n,), or None
        The largest responsibility; the entropy over log K.
    means : ndarray, shape (K, 2), or None
    ellipses : ndarray, shape (K, 2, 2), or None
        Covariances on the map, where they are exact.
    """

    positions: NDArray[np.float32]
    clusters: NDArray[np.int64] | None = None
    shares: NDArray[np.uint8] | None = None
    confidence: NDArray[np.uint8] | None = None
    entropy: NDArray[np.uint8] | None = None
    means: NDArray[np.float64] | None = None
    ellipses: NDArray[np.float64] | None = None


def phase_title(phase: str) -> str:
    """What a phase is called.

    Examples
    --------
    >>> phase_title("pretrain"), phase_title("annealed")
    ('Pretraining', 'Annealed')
    """
    return PHASES.get(phase, phase.replace("_", " ").capitalize())


def frame_title(line: Line) -> str:
    """What a frame is called, from its line of metrics.jsonl.

    Examples
    --------
    >>> frame_title({"phase": "train", "epoch": 3}), frame_title({"phase": "start", "epoch": 0})
    ('epoch 3', 'start')
    """
    name = phase_title(str(line["phase"])).lower()
    if not line.get("epoch"):
        return name
    epoch = f"epoch {line['epoch']}"
    return epoch if line["phase"] == "train" else f"{name}, {epoch}"


def lenses_of(run: Run) -> list[str]:
    """The maps that a run's frames hold and that have a name here.

    Raises
    ------
    RunError
        If the configuration cannot be read.
    """
    return [lens for lens in run.config.lenses if lens in LENSES]


def read_run_frames(run: Run, lens: str, trust: bool = False) -> RunFrames:
    """The frames of a run on one map, read from its folder.

    Parameters
    ----------
    run : Run
    lens : str
        A name in ``vade_core.projection.LENSES``.
    trust : bool
        Whether to work out each point's neighbour recall, some 20 ms a frame of 2,000 points.

    Raises
    ------
    RunError
        If configuration, metrics or stage set cannot be read.
    """

    def piece(number: int) -> Piece:
        return frame_piece(run, run.frame(number), lens)

    def recall(number: int) -> NDArray[np.uint8]:
        return frame_trust(run.frame(number), lens)

    numbers = run.frame_numbers()
    if not numbers:
        return RunFrames(None, [])
    return collect_frames(
        run, lens, run.metrics(), run.stage(), numbers, piece, recall if trust else None
    )


def collect_frames(
    run: Run,
    lens: str,
    lines: Sequence[Line],
    stage: Stage,
    numbers: Sequence[int],
    piece_of: Callable[[int], Piece],
    trust_of: Callable[[int], NDArray[np.uint8]] | None = None,
) -> RunFrames:
    """Put frames that are read one by one into one row.

    Parameters
    ----------
    run : Run
    lens : str
    lines : sequence of mapping
        Lines of metrics.jsonl.
    stage : Stage
    numbers : sequence of int
        Of the frames that are there.
    piece_of, trust_of : callable
        Give what `frame_piece` and `frame_trust` give for a number; a RunError of theirs leaves
        the frame out and becomes its sentence.

    Raises
    ------
    RunError
        If the configuration cannot be read.
    """
    by_number = {
        number if line.get("report") is None else int(line["report"]): line
        for number, line in enumerate(lines)
    }
    shown: list[int] = []
    pieces: list[Piece] = []
    trusts: list[NDArray[np.uint8]] = []
    skipped: list[str] = []
    for number in numbers:
        if number not in by_number:
            continue  # a frame is written before its line: the next look finds both
        try:
            piece = piece_of(number)
            if len(piece.positions) != len(stage.rows):
                raise RunError(f"{run.frame_path(number)} has another number of points.")
            if trust_of is not None:
                trusts.append(trust_of(number))
        except RunError as error:
            skipped.append(str(error))
        else:
            shown.append(number)
            pieces.append(piece)
    if not pieces:
        return RunFrames(None, skipped)
    kept = [by_number[number] for number in shown]
    trust = np.stack(trusts) if trust_of is not None else None
    frames = _joined(run.config, lens, stage, kept, pieces, trust)
    return RunFrames(frames, skipped, shown, [str(line["phase"]) for line in kept])


def _joined(
    config: RunConfig,
    lens: str,
    stage: Stage,
    lines: list[Line],
    parts: list[Piece],
    trust: NDArray[np.uint8] | None,
) -> MapFrames:
    labels = stage.labels
    if labels is not None and labels.size and not 0 <= labels.min() <= labels.max() < _MOST_KINDS:
        labels = None
    widths = [piece.shares.shape[1] for piece in parts if piece.shares is not None]
    k = max([config.clusters, *widths])
    n = len(stage.rows)
    clusters: dict[str, Any] = {}
    if k <= _MOST_KINDS:
        # A frame of the pretraining has no clusters yet: one grey heap, no means.
        clusters = {
            "clusters": np.stack([_or(p.clusters, np.zeros(n, np.int64)) for p in parts]),
            "confidence": np.stack([_or(p.confidence, np.zeros(n, np.uint8)) for p in parts]),
            "entropy": np.stack([_or(p.entropy, np.full(n, 255, np.uint8)) for p in parts]),
            "responsibilities": np.stack([_widened(p.shares, (n, k), 0) for p in parts]),
            "matched": np.stack([_matched(line, k) for line in lines]),
            "means": np.stack([_widened(p.means, (k, 2), np.nan) for p in parts]),
        }
        if any(p.ellipses is not None for p in parts):
            clusters["ellipses"] = np.stack(
                [_widened(p.ellipses, (k, 2, 2), np.nan) for p in parts]
            )
    return MapFrames(
        positions=np.stack([piece.positions for piece in parts]),
        epochs=[frame_title(line) for line in lines],
        phases=[phase_title(str(line["phase"])) for line in lines],
        accuracy=[line.get("acc") for line in lines],
        labels=labels,
        class_names=config.class_names,
        pictures=stage.pictures,
        caption=_caption(config, lens),
        total=config.n_samples,
        recall=_recall(lines, lens, trust),
        trust=trust,
        **clusters,
    )


def _caption(config: RunConfig, lens: str) -> str:
    title = LENSES[lens].title
    return f"{title}, perplexity 30, seed {config.seed}" if lens == "tsne" else title


def _recall(
    lines: list[Line], lens: str, trust: NDArray[np.uint8] | None
) -> list[float | None] | None:
    """The neighbour recall that the worker measured, where it did; else of what is known here."""
    found = [
        line["recall"].get(lens) if isinstance(line.get("recall"), dict) else None for line in lines
    ]
    if trust is not None:
        pairs = zip(found, trust.mean(axis=1) / 255, strict=True)
        found = [float(mean) if value is None else value for value, mean in pairs]
    return found if any(value is not None for value in found) else None


def _matched(line: Line, k: int) -> NDArray[np.int64]:
    given = line.get("matched")
    found = np.full(k, -1, dtype=np.int64)
    if isinstance(given, list):
        kept = [value if isinstance(value, int) else -1 for value in given[:k]]
        found[: len(kept)] = kept
    return found


def _or(values: NDArray[Any] | None, otherwise: NDArray[Any]) -> NDArray[Any]:
    return otherwise if values is None else values


def _widened(values: NDArray[Any] | None, shape: tuple[int, ...], fill: float) -> NDArray[Any]:
    dtype = np.uint8 if fill == 0 else np.float64
    found = np.full(shape, fill, dtype=dtype)
    if values is not None:
        found[tuple(slice(0, size) for size in values.shape)] = values
    return found


def frame_piece(run: Run, frame: Frame, lens: str) -> Piece:
    """One frame made ready for the map.

    Parameters
    ----------
    run : Run
        Whose frame it is; a sentence names its file.
    frame : Frame
    lens : str

    Raises
    ------
    RunError
        If the frame has no such map, or holds what cannot be.
    """
    where = run.frame_path(frame.number)
    positions = frame.maps.get(lens)
    if positions is None:
        raise RunError(f"{where} has no {lens} map.")
    if not np.isfinite(positions).all() or not np.isfinite(frame.latents).all():
        raise RunError(f"{where} holds numbers that are not finite.")
    found, clusters = frame.responsibilities, frame.clusters
    if found is None or clusters is None:
        return Piece(positions)
    if found.ndim != 2 or clusters.ndim != 1 or not np.isfinite(found).all():
        raise RunError(f"{where} holds responsibilities that cannot be.")
    gamma = found.astype(np.float64).clip(0, 1)
    k = gamma.shape[1]
    if clusters.size and not 0 <= clusters.min() <= clusters.max() < k:
        raise RunError(f"{where} holds clusters that cannot be.")
    entropy = -(gamma * np.log(np.maximum(gamma, 1e-12))).sum(axis=1) / np.log(max(k, 2))
    means, ellipses = _prior_on_map(frame, lens, positions, gamma)
    return Piece(
        positions,
        clusters,
        _as_bytes(gamma),
        _as_bytes(gamma.max(axis=1)),
        _as_bytes(entropy),
        means,
        ellipses,
    )


def frame_trust(frame: Frame, lens: str) -> NDArray[np.uint8]:
    """Each point's neighbour recall on a frame's map, (n,); 255 is 1.

    Raises
    ------
    RunError
        If it cannot be worked out.
    """
    try:
        return _as_bytes(neighbour_recall(frame.latents, frame.maps[lens]))
    except (KeyError, ValueError) as error:
        raise RunError(f"How far frame {frame.number} can be trusted is not known: {error}") from (
            error
        )


def _as_bytes(shares: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.rint(shares.clip(0, 1) * 255).astype(np.uint8)


def _prior_on_map(
    frame: Frame, lens: str, positions: NDArray[np.float32], gamma: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """Where the clusters' means stand, (K, 2), and their covariances, (K, 2, 2), where exact.

    PCA and the first two dimensions are linear maps: the prior itself can be drawn. On the
    others a mean stands amid the points that belong to it.
    """
    means, log_variances = frame.prior.get("means"), frame.prior.get("log_variances")
    linear = lens in ("pca", "first-two")
    fits = (
        means is not None
        and log_variances is not None
        and means.shape == log_variances.shape == (gamma.shape[1], frame.latents.shape[1])
        and bool(np.isfinite(means).all() and np.isfinite(log_variances).all())
    )
    if not (linear and fits):
        return place_means(frame.latents, positions, gamma), None
    assert means is not None
    assert log_variances is not None
    latents = frame.latents.astype(np.float64)
    known = np.column_stack([latents, np.ones(len(latents))])
    solution = np.linalg.lstsq(known, positions.astype(np.float64), rcond=None)[0]
    axes, offset = solution[:-1], solution[-1]
    spread = np.exp(log_variances.astype(np.float64))
    covariances = np.einsum("ji,kj,jl->kil", axes, spread, axes)
    return means.astype(np.float64) @ axes + offset, covariances
