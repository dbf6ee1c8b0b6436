"""What is known of a run's clusters without its networks: names, sizes, purity, real samples."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pages.shared.session import cached_frame, cached_metrics, cached_stage, is_supervised
from vade_core.colours import cluster_looks, text_on
from vade_core.generation import nearest_rows
from vade_core.models.base import LatentModel
from vade_core.runs import Frame, Run, RunError, Stage

__all__ = ["DIGIT_SETS", "Look", "StudioFacts", "class_names_of", "gather_facts", "last_frame"]

# Data sets whose classes are digits; those of any other are classes.
DIGIT_SETS = ("mnist", "digits")
NEAREST = 5
Line = dict[str, Any]


@dataclass(frozen=True)
class Look:
    """A cluster's name and colours, as on the map.

    Attributes
    ----------
    cluster : int
    name : str
        That of the class it is matched with, else its number, as c9.
    colour, ink : str
        Hex colours of the cluster, and of text on it.
    """

    cluster: int
    name: str
    colour: str
    ink: str


@dataclass(frozen=True, eq=False)
class StudioFacts:
    """What the studio shows of a run beside what its networks draw.

    Attributes
    ----------
    run_id, title : str
    own : bool
        Whether samples can be asked for by cluster.
    supervised, labelled : bool
    noun : str
        What a class is called: digit or class.
    class_names : list of str
    looks : list of Look
        Of the clusters of the mixture that assigns.
    weights : ndarray, shape (K,)
        pi.
    sizes : list of int or None
        Samples of each cluster when it was last measured.
    purities : list of float or None
        Share of the largest class in each cluster, on the stage set.
    nearest : ndarray of int64, shape (K, m)
        Positions within ``real`` of the samples nearest to each mean, the nearest first.
    real : ndarray, shape (r, h, w) of uint8 or (r, D) of float32, or None
    real_labels : list of str, or None
        Names of their classes.
    real_words : str
        What they were chosen from.
    limits : (float, float)
        The scale of samples that are no pictures.
    stage, frame : Stage and Frame, or None
    line : dict
        The line of metrics.jsonl that ``sizes`` are from.
    """

    run_id: str
    title: str
    own: bool
    supervised: bool
    labelled: bool
    noun: str
    class_names: list[str]
    looks: list[Look]
    weights: NDArray[np.float64]
    sizes: list[int | None]
    purities: list[float | None]
    nearest: NDArray[np.int64]
    real: NDArray[Any] | None
    real_labels: list[str] | None
    real_words: str
    limits: tuple[float, float]
    stage: Stage | None = None
    frame: Frame | None = None
    line: Line = field(default_factory=dict)


def class_names_of(run: Run, n_classes: int = 0) -> list[str]:
    """Names of the classes, at least ``n_classes`` of them; numbers where there are no names."""
    names = [str(name) for name in run.config.class_names or []]
    return names + [str(c) for c in range(len(names), n_classes)]


def gather_facts(run: Run, model: LatentModel) -> StudioFacts:
    """Read what a run's folder says of its clusters.

    Parameters
    ----------
    run : Run
    model : LatentModel
        Of the run's checkpoint.

    Raises
    ------
    RunError
        If a file cannot be read; the message names it.
    """
    log_weights, means, _ = (
        values.detach().cpu().numpy() for values in model.assigning_prior().components()
    )
    k = len(means)
    line = next((line for line in reversed(cached_metrics(run)) if line.get("sizes")), {})
    stage, frame = cached_stage(run), last_frame(run)
    if frame is not None and len(frame.latents) != len(stage.rows):
        frame = None
    supervised = is_supervised(run.config.model)
    nearest, real, labels, words = _nearest_samples(run, means, stage, frame)
    floats = stage.samples
    classes = 0 if stage.labels is None else int(stage.labels.max(initial=-1)) + 1
    digits = run.config.dataset in DIGIT_SETS and run.config.data_file is None
    return StudioFacts(
        run_id=run.id,
        title=run.title,
        own=model.prior_.n_clusters > 0,
        supervised=supervised,
        labelled=stage.labels is not None,
        noun="digit" if digits else "class",
        class_names=class_names_of(run, classes),
        looks=_looks(run, line, k, supervised),
        weights=np.exp(log_weights.astype(np.float64)),
        sizes=_listed(line.get("sizes"), k),
        purities=_purities(stage, frame, k),
        nearest=nearest,
        real=real,
        real_labels=labels,
        real_words=words,
        limits=(float(floats.min()), float(floats.max())) if floats.size else (0.0, 1.0),
        stage=stage,
        frame=frame,
        line=line,
    )


def last_frame(run: Run) -> Frame | None:
    """The newest frame that can be read and has clusters; None where there is none."""
    for number in reversed(run.frame_numbers()):
        try:
            frame = cached_frame(run, number)
        except RunError:
            continue
        if frame.clusters is not None and np.isfinite(frame.latents).all():
            return frame
    return None


def _looks(run: Run, line: Line, k: int, supervised: bool) -> list[Look]:
    matched = list(range(k)) if supervised else line.get("matched")
    _, looks = cluster_looks(run.config.class_names, matched, k)
    return [Look(c, name, colour, text_on(colour)) for c, (name, colour) in enumerate(looks)]


def _listed(values: Any, k: int) -> list[Any]:
    """The first k whole numbers of a list out of a file; None where there is none."""
    found = values if isinstance(values, list) else []
    known = [value if isinstance(value, int) else None for value in found[:k]]
    return known + [None] * (k - len(known))


def _purities(stage: Stage, frame: Frame | None, k: int) -> list[float | None]:
    if stage.labels is None or frame is None or frame.clusters is None:
        return [None] * k
    found: list[float | None] = []
    for c in range(k):
        inside = stage.labels[frame.clusters == c]
        found.append(float(np.bincount(inside).max() / len(inside)) if len(inside) else None)
    return found


def _nearest_samples(
    run: Run, means: NDArray[Any], stage: Stage, frame: Frame | None
) -> tuple[NDArray[np.int64], NDArray[Any] | None, list[str] | None, str]:
    """Positions, samples, their labels, and what they were chosen from."""
    k = len(means)
    nothing = np.zeros((k, 0), np.int64), None, None, ""
    if frame is None or frame.latents.shape[1] != means.shape[1] or not np.isfinite(means).all():
        return nothing
    total = len(stage.rows)
    if stage.pictures is not None:
        rows, words = np.arange(total), f"among the {total:,} samples on the maps"
    else:
        # Of samples that are no pictures only a few are kept in the run.
        rows, words = stage.shown, f"among the {len(stage.shown)} that the run keeps"
    if not len(rows):
        return nothing
    near = rows[nearest_rows(means, frame.latents[rows], NEAREST)]
    kept, places = np.unique(near, return_inverse=True)
    if stage.pictures is not None:
        real: NDArray[Any] = stage.pictures[kept]
    else:
        position = {int(row): i for i, row in enumerate(stage.shown)}
        real = stage.samples[[position[int(row)] for row in kept]]
    labels = None
    if stage.labels is not None:
        names = class_names_of(run, int(stage.labels.max(initial=-1)) + 1)
        labels = [names[label] for label in stage.labels[kept].tolist()]
    return places.reshape(near.shape).astype(np.int64), real, labels, words
