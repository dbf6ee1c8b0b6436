"""Runs of one model and data set that differ in K: which there are, and what is in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from pages.shared.networks import cached_model, has_model
from pages.shared.run_cards import title_of
from pages.shared.session import (
    Stamp,
    cached_frame,
    cached_metrics,
    cached_stage,
    model_title,
    open_run,
    stamp_of,
)
from vade_core.data import DataError, Dataset
from vade_core.granularity import Census, census, scores
from vade_core.models import MODELS
from vade_core.rebuild import load_dataset
from vade_core.runs import (
    CHECKPOINT,
    CONFIG,
    RUNNING_STATES,
    Frame,
    Run,
    RunConfig,
    RunError,
    Stage,
)
from vade_core.samples import Samples

__all__ = [
    "KRun",
    "chooses_k",
    "count_all",
    "data_key",
    "group_words",
    "has_clusters",
    "names_of_classes",
    "open_k_run",
    "run_for_each_k",
    "same_points",
    "shown_beside",
    "still_uncounted",
    "uncounted",
]

Summary = dict[str, Any]
# The paper's figure 6, and the number of digits.
USUAL = (7, 10, 14)
MOST_BESIDE = 3


@dataclass(frozen=True, eq=False)
class KRun:
    """A run with what its final clusters hold.

    Attributes
    ----------
    run : Run
    title : str
        What people call it.
    k : int
    stage : Stage
    frame : Frame
        The last one that has clusters.
    line : mapping
        Its line in metrics.jsonl.
    counted : Census
    on_all : bool
        Whether all samples were counted, and not the stage set alone.
    why_not : str
        A sentence where all of them cannot be counted; empty where they can or were.
    scores : dict of str to float
        Of ``counted``; empty without labels.
    live : bool
        Whether it is still being trained.
    """

    run: Run
    title: str
    k: int
    stage: Stage
    frame: Frame
    line: dict[str, Any]
    counted: Census
    on_all: bool
    why_not: str
    scores: dict[str, float]
    live: bool

    @property
    def clusters(self) -> NDArray[np.int64]:
        """Clusters of the stage set, (n,)."""
        assert self.frame.clusters is not None
        return self.frame.clusters

    @property
    def names(self) -> list[str]:
        """What its classes are called; empty without labels."""
        return names_of_classes(self)


# --- Which runs ---------------------------------------------------------------------------------


def chooses_k(summary: Summary) -> bool:
    """Whether a run's model finds clusters of its own, as many as it is asked for."""
    entry = MODELS.get(str(summary["model"]))
    return entry is not None and entry.own_clusters and not entry.supervised


def has_clusters(summary: Summary) -> bool:
    """Whether a run has come as far as to have clusters."""
    try:
        lines = cached_metrics(Run(Path(summary["path"])))
    except RunError:
        return False
    return any(line.get("sizes") for line in reversed(lines))


def data_key(summary: Summary) -> str:
    """What tells a run's data set and model from others, whatever part of it was trained on."""
    try:
        digest = Run(Path(summary["path"])).config.data_sha256
    except RunError:
        digest = None
    data = f"{summary['dataset']}:{digest[:12]}" if digest else str(summary["dataset"])
    return f"{summary['model']}|{data}"


def group_words(keys: Collection[str]) -> dict[str, str]:
    """What people call the runs of each `data_key`: the data, and the model where it tells apart.

    Examples
    --------
    >>> group_words(["vade|mnist", "vade|digits:0a1b"])
    {'vade|mnist': 'mnist', 'vade|digits:0a1b': 'digits'}
    """
    parts = {key: key.partition("|") for key in keys}
    data = {key: rest.partition(":")[0] for key, (_, _, rest) in parts.items()}
    words = data
    if len({model for model, _, _ in parts.values()}) > 1:
        words = {key: f"{model_title(parts[key][0])}, {data[key]}" for key in keys}
    # A choice comes back from the browser by its words: no two may be alike.
    often = Counter(words.values())
    return {k: f"{w} ({parts[k][2][-6:]})" if often[w] > 1 else w for k, w in words.items()}


def run_for_each_k(summaries: Sequence[Summary]) -> dict[int, Summary]:
    """The run that stands for each K, by K.

    The recorded one that was made for it comes first; then runs that have ended, on the whole
    data set, by the recipe that holds clusters together; then the newest. Scores have no say.
    """
    found: dict[int, Summary] = {}
    for summary in sorted(summaries, key=_preference):
        found.setdefault(int(summary["clusters"]), summary)
    return dict(sorted(found.items()))


def _preference(summary: Summary) -> tuple[bool, bool, bool, bool]:
    """Lower comes first; the sort keeps the order of the list, newest first, between equals."""
    made_for_it = summary.get("recorded") and summary["id"] == f"vade-k{summary['clusters']}"
    return (
        not made_for_it,
        summary["state"] in (*RUNNING_STATES, "queued"),
        summary.get("subset") is not None,
        summary["preset"] not in ("robust", "class"),
    )


def shown_beside(by_k: dict[int, Summary]) -> list[str]:
    """The runs that stand side by side unless a person chooses: 7, 10 and 14, or what there is."""
    ks = [k for k in USUAL if k in by_k]
    rest = [k for k in by_k if k not in ks]
    # The ends first: they differ most.
    for k in [*rest[:1], *rest[:0:-1]]:
        if len(ks) < MOST_BESIDE:
            ks.append(k)
    return [str(by_k[k]["id"]) for k in sorted(ks)]


# --- What is in them ----------------------------------------------------------------------------


def open_k_run(summary: Summary) -> KRun | None:
    """A run with its clusters counted: on all samples where that was done, else on the stage set.

    None, and a sentence on the page, where it cannot be read.

    Raises
    ------
    RunError
        If metrics, stage set or the last frame with clusters cannot be read.
    """
    run = open_run(str(summary["id"]))
    if run is None:
        return None
    stage, lines = cached_stage(run), cached_metrics(run)
    by_number = {int(line.get("report", i)): line for i, line in enumerate(lines)}
    for number in reversed(run.frame_numbers()):
        frame = cached_frame(run, number)
        if frame.clusters is not None:
            break
    else:
        raise RunError(f"{run.id} has no clusters yet: its pretraining comes first.")
    k = run.config.clusters
    if frame.clusters.max(initial=0) >= k:
        raise RunError(f"{run.frame_path(number)} has more clusters than the run's K = {k}.")
    answer = _counts().get(_count_key(run))
    on_all = isinstance(answer, Census)
    counted = answer if isinstance(answer, Census) else _stage_census(run, number)
    return KRun(
        run=run,
        title=title_of(summary),
        k=k,
        stage=stage,
        frame=frame,
        line=by_number.get(number, lines[-1] if lines else {}),
        counted=counted,
        on_all=on_all,
        why_not=answer if isinstance(answer, str) else "",
        scores={} if counted.table is None else scores(counted.table),
        live=summary["state"] in RUNNING_STATES,
    )


def names_of_classes(shown: KRun) -> list[str]:
    """What a run's classes are called, by their numbers; empty without labels."""
    table = shown.counted.table
    if table is None:
        return []
    names = [str(name) for name in shown.run.config.class_names or []]
    return names + [str(c) for c in range(len(names), len(table))]


def same_points(runs: Sequence[KRun]) -> list[KRun]:
    """The most of some runs whose stage sets are the same samples."""
    groups: list[list[KRun]] = []
    for shown in runs:
        for group in groups:
            if _same(shown, group[0]):
                group.append(shown)
                break
        else:
            groups.append([shown])
    return max(groups, key=len, default=[])


def _same(one: KRun, other: KRun) -> bool:
    return (
        _part(one) == _part(other)
        and np.array_equal(one.stage.rows, other.stage.rows)
        and (one.stage.labels is None) == (other.stage.labels is None)
    )


def _part(shown: KRun) -> tuple[Any, ...]:
    config = shown.run.config
    # Another seed draws another part.
    return config.n_samples, config.subset, config.seed if config.subset is not None else None


def _stage_census(run: Run, number: int) -> Census:
    return _counted_stage(str(run.path), number, stamp_of(run.frame_path(number)))


@st.cache_resource(show_spinner=False, max_entries=32)
def _counted_stage(path: str, number: int, stamp: Stamp) -> Census:
    run = Run(path)
    stage, frame, config = cached_stage(run), cached_frame(run, number), run.config
    pictures = stage.pictures
    flat = None if pictures is None else pictures.reshape(len(pictures), -1)
    shape = None if pictures is None else (pictures.shape[1], pictures.shape[2])
    assert frame.clusters is not None
    return _census_of(config, frame.clusters, stage.labels, flat, shape)


def _census_of(
    config: RunConfig,
    clusters: NDArray[np.int64],
    labels: NDArray[np.int64] | None,
    samples: Samples | None,
    shape: tuple[int, int] | None,
) -> Census:
    classes = len(config.class_names) if config.class_names and labels is not None else None
    return census(clusters, config.clusters, labels, samples, shape, classes)


# --- All samples --------------------------------------------------------------------------------


@st.cache_resource(show_spinner=False)
def _counts() -> dict[tuple[str, Stamp], Census | str]:
    """What was counted on all samples, or why that cannot be; small, so nothing is dropped."""
    return {}


def _count_key(run: Run) -> tuple[str, Stamp]:
    return str(run.path), stamp_of(run.path / CHECKPOINT, run.path / CONFIG)


def uncounted(runs: Sequence[KRun]) -> list[KRun]:
    """Those of some runs whose samples have not all been counted, but can be.

    A run in training is left alone: its checkpoint would be another one at once.
    """
    return [
        shown
        for shown in runs
        if not shown.on_all and not shown.why_not and not shown.live and has_model(shown.run)
    ]


def still_uncounted(runs: Sequence[KRun]) -> list[KRun]:
    """Those of some runs that have not been counted since."""
    known = _counts()
    return [shown for shown in runs if _count_key(shown.run) not in known]


def count_all(runs: Collection[KRun]) -> None:
    """Count all samples of some runs, by the final models' own clusters; 2 s for 70,000 digits.

    Parameters
    ----------
    runs : collection of KRun
        Of `uncounted`.
    """
    loaded: dict[str, Dataset] = {}
    for shown in runs:
        key = _count_key(shown.run)
        try:
            _counts()[key] = _count(shown.run, loaded)
        except (DataError, RunError, ValueError, NotImplementedError, OSError) as error:
            _counts()[key] = str(error) or type(error).__name__


def _count(run: Run, loaded: dict[str, Dataset]) -> Census:
    config = run.config
    which = f"{config.dataset} {config.data_sha256} {config.subset} {config.seed}"
    if which not in loaded:
        # One at a time: a large data set twice is too much.
        loaded.clear()
        loaded[which] = load_dataset(config)
    data = loaded[which]
    if data.n_samples != config.n_samples or data.n_features != config.n_features:
        raise DataError(f"The data set {config.dataset} is not what it was when this run began.")
    model = cached_model(run)
    gamma = model.responsibilities(model.latents(data.samples))
    clusters = gamma.argmax(axis=1).astype(np.int64)
    return _census_of(config, clusters, data.labels, data.samples, data.image_shape)
