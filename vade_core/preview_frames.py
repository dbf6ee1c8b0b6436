"""A run's map for a small picture that only plays: read from the frame files alone.

The first page shows such pictures before torch, scikit-learn or UMAP are there, so nothing here
may import them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vade_core.map_frames import NO_CLUSTER, MapFrames
from vade_core.runs import Frame, Run, RunError

__all__ = ["preview_frames", "short_title"]

Line = Mapping[str, Any]


def preview_frames(run: Run, lens: str = "tsne") -> MapFrames:
    """The frames of a run with what a preview draws: points, labels, where the clusters stand.

    A cluster stands at the median of its points, which costs less than the latent map's own
    marks. A frame that cannot be read is left out; the time machine says which one it is.

    Parameters
    ----------
    run : Run
    lens : str

    Raises
    ------
    RunError
        If configuration, metrics or stage set cannot be read, or no frame has such a map.
    """
    config, stage = run.config, run.stage()
    lines = {line.get("report", number): line for number, line in enumerate(run.metrics())}
    n, k = len(stage.rows), config.clusters
    frames: list[Frame] = []
    for number in run.frame_numbers():
        try:
            frame = run.frame(number)
        except RunError:
            continue
        if number in lines and _fits(frame, lens, n, k):
            frames.append(frame)
    if not frames:
        raise RunError(f"{run.id} has no {lens} map that can be shown.")
    kept = [lines[frame.number] for frame in frames]
    places = np.stack([frame.maps[lens] for frame in frames])
    clusters = np.stack(
        [np.full(n, NO_CLUSTER) if f.clusters is None else f.clusters for f in frames]
    )
    labels = stage.labels
    if labels is not None and not 0 <= labels.min() <= labels.max() < NO_CLUSTER:
        labels = None
    return MapFrames(
        positions=places,
        epochs=[short_title(line) for line in kept],
        phases=[str(line["phase"]) for line in kept],
        accuracy=[line.get("acc") for line in kept],
        labels=labels,
        class_names=config.class_names,
        clusters=clusters,
        matched=np.stack([_matched(line, k) for line in kept]),
        means=np.stack([_medians(*pair, k) for pair in zip(places, clusters, strict=True)]),
        caption=f"t-SNE, perplexity 30, seed {config.seed}" if lens == "tsne" else lens.upper(),
        total=config.n_samples,
    )


def short_title(line: Line) -> str:
    """What a moment is called where there is little room.

    Examples
    --------
    >>> short_title({"phase": "pretrain", "epoch": 3}), short_title({"phase": "start"})
    ('pretraining', 'start')
    >>> short_title({"phase": "free", "epoch": 12, "epochs": 60})
    'epoch 12 of 60'
    """
    if line["phase"] == "pretrain":
        return "pretraining"
    if not line.get("epoch"):
        return str(line["phase"])
    return f"epoch {line['epoch']} of {line['epochs']}"


def _fits(frame: Frame, lens: str, n: int, k: int) -> bool:
    places, clusters = frame.maps.get(lens), frame.clusters
    if places is None or len(places) != n or not np.isfinite(places).all():
        return False
    return k < NO_CLUSTER and (clusters is None or bool(0 <= clusters.min() <= clusters.max() < k))


def _matched(line: Line, k: int) -> NDArray[np.int64]:
    given: Sequence[Any] = line.get("matched") or ()
    found = np.full(k, -1, dtype=np.int64)
    for cluster, label in enumerate(given[:k]):
        found[cluster] = label if isinstance(label, int) else -1
    return found


def _medians(places: NDArray[np.float32], clusters: NDArray[np.int64], k: int) -> NDArray[Any]:
    found = np.full((k, 2), np.nan)
    for cluster in np.unique(clusters[clusters < k]):
        found[cluster] = np.median(places[clusters == cluster], axis=0)
    return found
