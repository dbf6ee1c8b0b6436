"""A finished run made small enough to ship: fewer frames, rounded and compressed, half weights.

Of a run of VaDE on MNIST, half-precision weights take 6.7 MB, the stage set's 2,000 pictures
0.4 MB (1.6 MB uncompressed) and a frame with three maps about 0.08 MB.
"""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
import safetensors.torch
import torch
from numpy.typing import NDArray

from vade_core import metrics
from vade_core.archive_checks import checked_status
from vade_core.projection import LENSES, Map, neighbour_recall
from vade_core.rebuild import load_dataset, load_model
from vade_core.recorder import Checkpoint, halved, write_atomically, write_json
from vade_core.runs import (
    BASELINE,
    CHECKPOINT,
    CONFIG,
    FRAMES,
    METRICS,
    NOTE,
    STAGE,
    STATUS,
    UNTRAINED,
    Frame,
    Run,
    RunConfig,
    RunError,
)

__all__ = ["Fidelity", "chosen_frames", "fidelity", "slim"]

# The sorting comes after the pretraining.
PRETRAINING_SHARE = 0.25
FRAME_WORDS = ("frame", "frame_of_step", "recall")  # what a line says of its frame
# A map goes to the browser in so many steps: finer ones would be kept for nobody.
MAP_STEPS = 65_536
Line = Mapping[str, Any]


@dataclass(frozen=True)
class Fidelity:
    """What half precision did to a model.

    Attributes
    ----------
    changed : float
        Share of all samples whose cluster is another one now.
    acc_before, acc : float or None
        ACC of the run's last line, and of the half-precision weights; None without labels.
    n_samples : int
    """

    changed: float
    acc_before: float | None
    acc: float | None
    n_samples: int

    @property
    def holds(self) -> bool:
        """Whether ACC is what it was within 0.01 %, or within one sample of few."""
        allowed = max(1e-4, 1.5 / self.n_samples)
        if self.acc is None or self.acc_before is None:
            return self.changed <= allowed
        return abs(self.acc - self.acc_before) <= allowed


def chosen_frames(lines: Sequence[Line], there: Sequence[int], wanted: int) -> list[int]:
    """Which frames of a run to keep.

    The first and the last frame of all and the last of every part (what was before any training,
    a layer's pretraining, the start, the clamped epochs, the free ones) are kept. Of the others,
    pretraining gets a quarter at most, and every part a share that grows with the root of its
    length. Within a part they stand at the squares of equal steps: early epochs change the most.

    Parameters
    ----------
    lines : sequence of mapping
        Of metrics.jsonl, with ``stage`` and ``phase``.
    there : sequence of int
        Numbers of the frames that are there, a line's number each.
    wanted : int
        How many to keep, at least 2; one more where the first part would have but its last, and
        more where there are more parts than that.

    Returns
    -------
    list of int
        In order; all of them where there are no more than wanted.

    Examples
    --------
    >>> lines = [{"stage": 0, "phase": "train"}] * 100
    >>> chosen_frames(lines, range(100), 8)
    [0, 5, 13, 24, 38, 55, 76, 99]
    """
    known = [number for number in there if number < len(lines)]
    if len(known) <= wanted:
        return known
    parts: list[list[int]] = []
    for number in known:
        if parts and _part(lines[parts[-1][-1]]) == _part(lines[number]):
            parts[-1].append(number)
        else:
            parts.append([number])
    early_phases = (UNTRAINED, "pretrain")
    before = [part for part in parts if lines[part[0]]["phase"] in early_phases]
    after = [part for part in parts if lines[part[0]]["phase"] not in early_phases]
    early = sum(map(len, before))
    if after:
        early = min(early, max(len(before), round(wanted * PRETRAINING_SHARE)))
    kept: list[int] = []
    for group, share in ((before, early), (after, wanted - early)):
        for part, count in zip(group, _shared_out(group, share), strict=True):
            kept += [part[place] for place in _squares(len(part), count)]
    kept.sort()
    if len(parts[0]) > 1 and kept[0] == parts[0][-1]:
        kept.insert(0, known[0])
    kept[0] = known[0]
    return kept


def _part(line: Line) -> tuple[Any, Any]:
    return line.get("stage"), line["phase"]


def _shared_out(parts: Sequence[Sequence[int]], wanted: int) -> list[int]:
    """How many frames each part gets: by the root of its length, one at least."""
    counts = [1] * len(parts)
    while sum(counts) < wanted:
        open_ = [i for i, part in enumerate(parts) if counts[i] < len(part)]
        if not open_:
            break
        # To whom it means the most (Webster's way of sharing out seats).
        neediest = max(open_, key=lambda i: math.sqrt(len(parts[i])) / (2 * counts[i] + 1))
        counts[neediest] += 1
    return counts


def _squares(length: int, count: int) -> list[int]:
    """``count`` places in 0..length-1, the last among them, ever further apart."""
    places: list[int] = []
    for i in range(1, count + 1):
        square = round(length * (i / count) ** 2) - 1
        places.append(max(square, places[-1] + 1 if places else 0))
    return places


def slim(
    run: Run,
    target: Path,
    *,
    frames: int,
    lenses: Sequence[str],
    note: Mapping[str, str],
    layout: Mapping[str, Map],
    say: Callable[[str], None] = lambda words: None,
) -> Run:
    """Write a small copy of a finished run, complete for everything but going on to the bit.

    Parameters
    ----------
    run : Run
        With a frame an epoch. It needs no maps: they are made here, one from the other.
    target : Path
        An empty folder.
    frames : int
        How many frames to keep, see `chosen_frames`.
    lenses : sequence of str
        The maps to make of each.
    note : mapping
        ``title`` and ``note``.
    layout : mapping of str to ndarray
        What the first maps start from, see `vade_core.layout.first_layout`.
    say : callable, optional
        Told what is being done.

    Returns
    -------
    Run
        The copy.

    Raises
    ------
    RunError
        If the run is not finished or cannot be read.
    """
    status = run.status()
    if status["state"] != "finished":
        raise RunError(f"{run.path} is {status['state']}: only a finished run can be recorded.")
    config = RunConfig.from_json(run.config.to_json(), run.path / CONFIG)
    config.lenses, config.max_frames, config.data_file = list(lenses), frames, None
    config.keep_weights = False
    write_json(target / CONFIG, config.to_json())
    write_json(target / STATUS, checked_status(status))
    write_json(target / NOTE, dict(note))
    if (run.path / BASELINE).exists():
        write_atomically(target / BASELINE, (run.path / BASELINE).read_bytes())
    write_atomically(target / STAGE, _zipped((run.path / STAGE).read_bytes()))
    _halve(run, target)

    lines = run.metrics()
    kept = chosen_frames(lines, run.frame_numbers(), frames)
    (target / FRAMES).mkdir()
    maps: Mapping[str, Map] = layout
    recalls: dict[int, dict[str, float]] = {}
    say(f"making the maps of {len(kept)} frames")
    for number in kept:
        frame = run.frame(number)
        maps = {
            lens: LENSES[lens].function(frame.latents, maps.get(lens), config.seed)
            for lens in lenses
        }
        recalls[number] = {
            lens: float(neighbour_recall(frame.latents, map_).mean()) for lens, map_ in maps.items()
        }
        path = target / FRAMES / run.frame_path(number).name
        write_atomically(path, _zipped(_rounded(frame, maps)))
    _write_lines(target, lines, recalls)
    return Run(target)


def _write_lines(target: Path, lines: Sequence[Line], recalls: Mapping[int, Any]) -> None:
    text = ""
    for number, line in enumerate(lines):
        entry = {name: value for name, value in line.items() if name not in FRAME_WORDS}
        if number in recalls:
            entry |= {"frame": True, "recall": recalls[number]}
        text += json.dumps(entry, allow_nan=False) + "\n"
    write_atomically(target / METRICS, text.encode())


def _zipped(content: bytes) -> bytes:
    return gzip.compress(content, 9, mtime=0)  # without a date: equal runs make equal files


def _rounded(frame: Frame, maps: Mapping[str, Map]) -> bytes:
    """A frame as a safetensors file of numbers that compress well."""
    content: dict[str, NDArray[Any]] = {
        "latents": frame.latents.astype(np.float16),
        "reconstructions": _levels(frame.reconstructions),
        **{f"map.{lens}": _stepped(map_) for lens, map_ in maps.items()},
        **{f"prior.{name}": value.astype(np.float32) for name, value in frame.prior.items()},
    }
    if frame.responsibilities is not None and frame.clusters is not None:
        content["responsibilities"] = _levels(frame.responsibilities)
        content["clusters"] = frame.clusters.astype(np.int32)
    return safetensors.numpy.save(
        {name: np.ascontiguousarray(value) for name, value in content.items()}
    )


def _levels(shares: NDArray[np.float32]) -> NDArray[np.float16]:
    """Shares and grey levels in 255 steps, as they are drawn; other numbers in half precision."""
    inside = shares.size and shares.min() >= 0 and shares.max() <= 1
    return (np.rint(shares * 255) / 255 if inside else shares).astype(np.float16)


def _stepped(map_: Map) -> NDArray[np.float32]:
    """A map in steps of a power of two, at least as fine as those that the browser gets."""
    extent = float(np.ptp(map_, axis=0).max())
    if not extent > 0:
        return map_
    step = 2.0 ** math.floor(math.log2(extent / MAP_STEPS))
    return (np.rint(map_ / step) * step).astype(np.float32)


def _halve(run: Run, target: Path) -> None:
    """What is learnt, without what Adam needs; the networks in half precision."""
    checkpoint = Checkpoint(run)
    content: dict[str, torch.Tensor] = {}
    for name, value in checkpoint.model.items():
        content[f"model.{name}"] = halved(name, value)
    position = checkpoint.position
    content["position"] = torch.tensor([position.stage, position.epochs_done, checkpoint.reports])
    content["elapsed"] = torch.tensor(checkpoint.elapsed, dtype=torch.float64)
    content = {name: value.detach().contiguous() for name, value in content.items()}
    write_atomically(target / CHECKPOINT, safetensors.torch.save(content))


def fidelity(run: Run, slimmed: Run) -> Fidelity:
    """Compare the predictions of a run's weights with those of its small copy, on all samples.

    Raises
    ------
    RunError, DataError
        If model or data cannot be read.
    """
    dataset = load_dataset(run.config)
    clusters = []
    for each in (run, slimmed):
        model = load_model(each)
        gamma = model.responsibilities(model.latents(dataset.samples))
        clusters.append(gamma.argmax(axis=1).astype(np.int64))
    changed = float((clusters[0] != clusters[1]).mean())
    acc = before = None
    if dataset.labels is not None:
        lines = run.metrics()
        before = next((line["acc"] for line in lines[::-1] if line.get("acc") is not None), None)
        acc = float(metrics.clustering_scores(dataset.labels, clusters[1])["acc"])
    return Fidelity(changed, before, acc, dataset.n_samples)
