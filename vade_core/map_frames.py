"""The frames of a latent map, and how they are packed for the browser."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

MAGIC = b"VMAP"
FORMAT = 1
LEVELS = 65535
NO_CLUSTER = 255


@dataclass(frozen=True, eq=False, kw_only=True)
class MapFrames:
    """A map of n points at F moments of a run, with what is known of each point.

    Only `positions`, `epochs`, `phases` and `accuracy` are needed. What is None is not drawn,
    and the colourings that need it are not offered. F may be 0 while a run has not yet
    written a frame.

    Attributes
    ----------
    positions : np.ndarray
        (F, n, 2) float, the map's coordinates.
    epochs : sequence of str or int
        F titles, such as ``"pretrain 3"``. A number is shown as ``"epoch 12"``.
    phases : sequence of str
        F names of the part of the training, such as ``"pretraining"``.
    accuracy : sequence of float or None
        F values of ACC in [0, 1]; None where there is none.
    labels : np.ndarray or None
        (n,) int, classes 0..254. For display only.
    class_names : sequence of str or None
        What the classes are called. Their numbers if None.
    clusters : np.ndarray or None
        (F, n) int, clusters 0..254; 255 for none, as in frames from before there were any.
        A point whose responsibilities are all 0 counts as having none, too.
    confidence : np.ndarray or None
        (F, n) uint8, the largest responsibility; 255 is 1.
    entropy : np.ndarray or None
        (F, n) uint8, the entropy of the responsibilities; 255 is log K.
    responsibilities : np.ndarray or None
        (F, n, K) uint8, or (n, K) for the last frame alone; 255 is 1.
    matched : np.ndarray or None
        (F, K) int, the class whose colour each cluster wears; -1 for none.
    means : np.ndarray or None
        (F, K, 2) float, where the means of the prior stand. NaN for none.
    ellipses : np.ndarray or None
        (F, K, 2, 2) float, covariances on the map, drawn at two standard deviations.
    pictures : np.ndarray or None
        (n, h, w) uint8, the grey pictures of the points.
    caption : str
        How the map was made, such as ``"t-SNE, perplexity 30, seed 0"``.
    total : int or None
        How many samples the points were drawn from. n if None.
    recall : sequence of float or None
        F values in [0, 1]: the mean share of the ten nearest neighbours in latent space that
        are among the ten nearest on the map.
    trust : np.ndarray or None
        (F, n) uint8, that share of each point; 255 is 1.

    Raises
    ------
    ValueError
        If a shape does not fit the others, or a number is out of range.
    """

    positions: np.ndarray
    epochs: Sequence[str | int]
    phases: Sequence[str]
    accuracy: Sequence[float | None]
    labels: np.ndarray | None = None
    class_names: Sequence[str] | None = None
    clusters: np.ndarray | None = None
    confidence: np.ndarray | None = None
    entropy: np.ndarray | None = None
    responsibilities: np.ndarray | None = None
    matched: np.ndarray | None = None
    means: np.ndarray | None = None
    ellipses: np.ndarray | None = None
    pictures: np.ndarray | None = None
    caption: str = ""
    total: int | None = None
    recall: Sequence[float | None] | None = None
    trust: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.positions.ndim != 3 or self.positions.shape[2] != 2:
            raise ValueError(
                f"positions has shape {self.positions.shape}; give (frames, points, 2)."
            )
        count, points = self.positions.shape[:2]
        if not np.isfinite(self.positions).all():
            raise ValueError("positions holds NaN or infinite numbers; give finite coordinates.")
        for name in ("epochs", "phases", "accuracy", "recall"):
            values = getattr(self, name)
            if values is not None and len(values) != count:
                raise ValueError(
                    f"{name} has {len(values)} entries; give one for each of the {count} frames."
                )
        for name in ("clusters", "confidence", "entropy", "trust"):
            self._check(name, (count, points))
        self._check("labels", (points,))
        self._check("matched", (count, None))
        self._check("means", (count, None, 2))
        self._check("ellipses", (count, None, 2, 2))
        self._check("pictures", (points, None, None))
        if self.responsibilities is not None and self.responsibilities.ndim == 2:
            self._check("responsibilities", (points, None))
        else:
            self._check("responsibilities", (count, points, None))
        for name, most in (("labels", NO_CLUSTER - 1), ("clusters", NO_CLUSTER)):
            values = getattr(self, name)
            if values is not None and values.size and not 0 <= values.min() <= values.max() <= most:
                raise ValueError(f"{name} must lie in 0..{most}; renumber them.")

    def _check(self, name: str, shape: tuple[int | None, ...]) -> None:
        values = getattr(self, name)
        if values is None:
            return
        fits = values.ndim == len(shape) and all(
            wanted is None or wanted == got
            for wanted, got in zip(shape, values.shape, strict=False)
        )
        if not fits:
            wanted_text = ", ".join("any" if size is None else str(size) for size in shape)
            raise ValueError(f"{name} has shape {values.shape}; give ({wanted_text}).")

    @property
    def n_frames(self) -> int:
        """Number of frames, F."""
        return int(self.positions.shape[0])

    @property
    def n_points(self) -> int:
        """Number of points, n."""
        return int(self.positions.shape[1])

    def assigned(self, i: int) -> np.ndarray | None:
        """Clusters of frame i, (n,) uint8, with `NO_CLUSTER` where there is none."""
        if self.clusters is None:
            return None
        clusters: np.ndarray = self.clusters[i].astype(np.uint8)
        if self.responsibilities is not None and self.responsibilities.ndim == 3:
            clusters[~self.responsibilities[i].any(axis=1)] = NO_CLUSTER
        return clusters

    def run_digest(self) -> str:
        """A name for these points and this run, the same however many frames there are yet.

        Returns
        -------
        str
            16 hex digits over the points' labels and pictures and the first frame.
        """
        digest = hashlib.blake2b(digest_size=8)
        digest.update(repr((self.n_points, self.total, self.class_names, self.caption)).encode())
        for values in (self.labels, self.pictures, self.positions[:1]):
            digest.update(b"-" if values is None else np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()


def pack(frames: MapFrames, first: int = 0, options: dict[str, Any] | None = None) -> bytes:
    """Pack frames as one message: a JSON header, then raw numbers, little-endian.

    Bytes 0-3 are ``VMAP``, 4-7 the format's number, 8-11 the header's length. The header names
    the offset and the length of every part, counted from its own end rounded up to 8. Each
    frame's positions are quantised to 65,535 steps over that frame's own box, so that a frame
    that leaves the box of the earlier ones does not change them.

    Parameters
    ----------
    frames : MapFrames
        All frames of the run so far.
    first : int
        Frames before this one are left out, and with them the pictures and labels, as the
        browser has them. 0 sends everything.
    options : dict, optional
        Further JSON entries for the header.

    Returns
    -------
    bytes
        The message. About 17 bytes a point and frame with K = 10, and h * w bytes a picture.
    """
    kept = slice(first, frames.n_frames)
    steps, boxes = _quantise(frames.positions[kept])
    parts: dict[str, np.ndarray] = {"positions": steps}
    clusters = [frames.assigned(i) for i in range(max(0, first - 1), frames.n_frames)]
    if frames.clusters is not None:
        parts["clusters"] = np.array(clusters[min(first, 1) :], np.uint8)
    for name in ("confidence", "entropy", "trust"):
        values = getattr(frames, name)
        if values is not None:
            parts[name] = values[kept].astype(np.uint8)
    shares, shares_first = frames.responsibilities, first
    if shares is not None and frames.n_frames > first:
        if shares.ndim == 2:
            shares, shares_first = shares[None], frames.n_frames - 1
        else:
            shares = shares[kept]
        parts["responsibilities"] = shares.astype(np.uint8)
    if first == 0:
        if frames.labels is not None:
            parts["labels"] = frames.labels.astype(np.uint8)
        if frames.pictures is not None:
            parts["pictures"] = frames.pictures.astype(np.uint8)

    directory, blobs, offset = {}, [], 0
    for name, values in parts.items():
        blob = values.tobytes()
        directory[name] = [offset, len(blob), list(values.shape)]
        blobs += [blob, bytes(-len(blob) % 8)]
        offset += len(blob) + len(blobs[-1])

    header = {
        **(options or {}),
        "run": frames.run_digest(),
        "count": frames.n_frames,
        "first": first,
        "points": frames.n_points,
        "total": frames.n_points if frames.total is None else frames.total,
        "caption": frames.caption,
        "hasLabels": frames.labels is not None,
        "classNames": None if frames.class_names is None else [str(c) for c in frames.class_names],
        "sharesFirst": shares_first,
        "frames": _describe(frames, kept, boxes, clusters),
        "parts": directory,
    }
    text = json.dumps(header, separators=(",", ":"), allow_nan=False).encode()
    text += b" " * ((4 - len(text)) % 8)
    return b"".join([MAGIC, struct.pack("<II", FORMAT, len(text)), text, *blobs])


def _quantise(positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions as steps (f, n, 2) uint16, and their boxes (f, 4): left, bottom, width, height."""
    count, points = positions.shape[:2]
    if count == 0 or points == 0:
        return np.zeros((count, points, 2), "<u2"), np.zeros((count, 4))
    low = positions.min(axis=1).astype(np.float64)
    extent = positions.max(axis=1) - low
    unit = np.where(extent > 0, extent, 1.0)
    steps = np.rint((positions - low[:, None]) / unit[:, None] * LEVELS).astype("<u2")
    return steps, np.concatenate([low, extent], axis=1)


def _describe(
    frames: MapFrames, kept: slice, boxes: np.ndarray, clusters: list[np.ndarray | None]
) -> list[dict[str, Any]]:
    """What the header says of each frame; `clusters` starts one frame earlier if there is one."""
    described = []
    for row, i in enumerate(range(kept.start, kept.stop)):
        epoch = frames.epochs[i]
        entry: dict[str, Any] = {
            "title": epoch if isinstance(epoch, str) else f"epoch {epoch}",
            "phase": frames.phases[i],
            "accuracy": _number(frames.accuracy[i]),
            "box": [_number(v) for v in boxes[row]],
        }
        if frames.recall is not None:
            entry["recall"] = _number(frames.recall[i])
        if frames.matched is not None:
            entry["matched"] = [int(v) for v in frames.matched[i]]
        if frames.means is not None:
            entry["means"] = [_number(v) for v in frames.means[i].ravel()]
        if frames.ellipses is not None:
            entry["ellipses"] = [_number(v) for v in frames.ellipses[i].ravel()]
        if i > 0:
            at = row + min(kept.start, 1)
            entry["reshuffled"] = _reshuffled(frames, i, clusters[at - 1], clusters[at])
        described.append(entry)
    return described


def _reshuffled(
    frames: MapFrames, i: int, before: np.ndarray | None, now: np.ndarray | None
) -> float | None:
    """Share of the points whose cluster in frame i stands for something else than before."""
    if before is None or now is None:
        return None
    both = (before != NO_CLUSTER) & (now != NO_CLUSTER)
    if not both.any():
        return None
    before, now = before[both].astype(int), now[both].astype(int)
    if frames.matched is not None:
        # Names of clusters may be dealt anew when a mixture is fitted again; classes may not.
        k = frames.matched.shape[1]
        meaning = np.where(frames.matched < 0, np.arange(k) + 1000, frames.matched)
        before, now = meaning[i - 1][before], meaning[i][now]
    return _number(np.mean(now != before))


def _number(value: Any) -> float | None:
    """A finite number rounded to six digits; None otherwise."""
    if value is None or not np.isfinite(value):
        return None
    return float(f"{float(value):.6g}")


def epoch_title(epoch: str | int) -> str:
    """What an entry of ``MapFrames.epochs`` is called."""
    return epoch if isinstance(epoch, str) else f"epoch {epoch}"
