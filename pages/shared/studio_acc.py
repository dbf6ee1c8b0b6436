"""What is ACC? The table of clusters against classes, and the matching step by step."""

from __future__ import annotations

import csv
import functools
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from pages.shared.networks import cached_model
from pages.shared.session import Stamp, percent, stamp_of
from pages.shared.studio_facts import StudioFacts, class_names_of
from vade_core import metrics
from vade_core.colours import colour_of, text_on
from vade_core.runs import CHECKPOINT, CONFIG, Run, RunError

__all__ = [
    "Counts",
    "acc_spec",
    "count_all",
    "counted_all",
    "counts_csv",
    "draw_acc",
    "stage_counts",
]

ASSETS = Path(__file__).parents[2] / "assets" / "studio"
MOST_NAMED = 14


@dataclass(frozen=True, eq=False)
class Counts:
    """How many samples of each class are in each cluster, and how they are matched.

    Attributes
    ----------
    table : ndarray of int64, shape (K, C)
        Row = cluster, column = class.
    names : list of str
        Of the classes.
    matched : ndarray of int64, shape (K,)
        Class of each cluster; -1 where it has none.
    accuracy : float
    words : str
        What was counted.
    run_accuracy : float or None
        What the run's last line says of all samples.
    is_all : bool
        Whether all samples were counted.
    supervised : bool
        Whether the model learnt from the labels.
    """

    table: NDArray[np.int64]
    names: list[str]
    matched: NDArray[np.int64]
    accuracy: float
    words: str
    run_accuracy: float | None
    is_all: bool
    supervised: bool = False


def _counts(
    run: Run,
    facts: StudioFacts,
    labels: NDArray[np.int64],
    clusters: NDArray[np.int64],
    words: str,
    is_all: bool,
) -> Counts:
    k = len(facts.looks)
    found = metrics.contingency(labels, clusters, k)
    names = class_names_of(run, len(found))
    table = np.zeros((k, len(names)), dtype=np.int64)
    table[:, : len(found)] = found.T
    acc = facts.line.get("acc")
    return Counts(
        table=table,
        names=names,
        matched=metrics.matching(labels, clusters, k),
        accuracy=metrics.accuracy(labels, clusters),
        words=words,
        run_accuracy=float(acc) if isinstance(acc, float | int) else None,
        is_all=is_all,
        supervised=facts.supervised,
    )


def stage_counts(run: Run, facts: StudioFacts) -> Counts | None:
    """The counts on the stage set, from the newest frame; None without labels or clusters.

    Raises
    ------
    RunError
        If the frame's clusters are none that the run can have.
    """
    stage, frame = facts.stage, facts.frame
    if stage is None or stage.labels is None or frame is None or frame.clusters is None:
        return None
    if not len(stage.labels):
        return None
    total = len(stage.rows)
    is_all = total == run.config.n_samples
    words = f"all {total:,} samples" if is_all else f"the {total:,} samples on the maps"
    try:
        return _counts(run, facts, stage.labels, frame.clusters, words, is_all)
    except ValueError as error:
        raise RunError(f"{run.frame_path(frame.number)}: {error}") from error


@st.cache_resource(show_spinner=False)
def _counted() -> dict[tuple[str, Stamp], tuple[NDArray[np.int64], NDArray[np.int64]]]:
    return {}


def _key(run: Run) -> tuple[str, Stamp]:
    return str(run.path), stamp_of(run.path / CHECKPOINT, run.path / CONFIG)


def counted_all(run: Run, facts: StudioFacts) -> Counts | None:
    """The counts on all samples if somebody has had them counted; None else."""
    found = _counted().get(_key(run))
    if found is None:
        return None
    return _counts(run, facts, *found, f"all {len(found[0]):,} samples", is_all=True)


def count_all(run: Run) -> None:
    """Sort every sample of the run's data set with its model: 70,000 digits take some seconds.

    Raises
    ------
    DataError
        If the data set is gone or is not what it was.
    RunError
        If the model cannot be read, or the data set has no labels.
    """
    from vade_core.rebuild import load_dataset

    model, dataset = cached_model(run), load_dataset(run.config)
    if dataset.labels is None:
        raise RunError(f"{run.config.dataset} has no labels: there is nothing to count.")
    gamma = model.responsibilities(model.latents(dataset.samples))
    known = _counted()
    if len(known) >= 8:  # two arrays of a data set's length each
        known.pop(next(iter(known)))
    known[_key(run)] = dataset.labels, gamma.argmax(axis=1).astype(np.int64)


def counts_csv(counts: Counts) -> str:
    """The table as CSV: a line a cluster with its size, its class and the counts."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["cluster", "size", "matched", *counts.names])
    for c, row in enumerate(counts.table.tolist()):
        code = int(counts.matched[c])
        writer.writerow([f"c{c}", sum(row), counts.names[code] if code >= 0 else "", *row])
    return file.getvalue()


def acc_spec(counts: Counts, noun: str) -> dict[str, Any]:
    """What the drawing of the matching needs: the table, and each step with its words.

    Parameters
    ----------
    counts : Counts
    noun : str
        What a class is called: digit or class.

    Returns
    -------
    dict
        ``rows``, ``columns``, ``table``; ``best`` and ``matched``: for each cluster a column or
        -1; ``wanted``: for each column the clusters whose best it is; ``steps``: each a ``title``
        and ``words``; ``sum`` and ``total``.
    """
    table, matched = counts.table, counts.matched
    filled = table.sum(axis=1) > 0
    best = np.where(filled, table.argmax(axis=1), -1)
    wanted = [np.flatnonzero(best == column).tolist() for column in range(table.shape[1])]
    total = int(table.sum())
    cells = [int(table[c, m]) for c, m in enumerate(matched.tolist()) if m >= 0]
    return {
        "rows": [f"c{c}" for c in range(len(table))],
        "columns": [
            {"name": name, "colour": colour_of(c), "ink": text_on(colour_of(c))}
            for c, name in enumerate(counts.names)
        ],
        "table": table.tolist(),
        "best": best.tolist(),
        "matched": matched.tolist(),
        "wanted": wanted,
        "noun": noun,
        "sum": sum(cells),
        "total": total,
        "steps": [
            {"title": "Count", "words": _count_words(counts, noun)},
            {"title": "What each cluster wants", "words": _wish_words(counts, best, noun)},
            {"title": "Conflicts", "words": _conflict_words(counts, wanted, noun)},
            {"title": "The matching", "words": _matching_words(counts, best, noun)},
            {"title": "ACC", "words": _sum_words(counts, cells, total)},
        ],
    }


def _plural(noun: str) -> str:
    return "classes" if noun == "class" else f"{noun}s"


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _clusters(numbers: Sequence[int]) -> str:
    return _listed([f"c{c}" for c in numbers])


def _count_words(counts: Counts, noun: str) -> list[str]:
    seen = "learnt from" if counts.supervised else "never saw"
    return [
        f"A row is a cluster, a column a {noun}. A cell says how many samples of that {noun} "
        f"went into that cluster. c0 is cluster number 0: it has no {noun} yet.",
        f"Counted: {counts.words}. The model {seen} the labels that name the columns.",
    ]


def _wish_words(counts: Counts, best: NDArray[np.int64], noun: str) -> list[str]:
    found = [f"Each cluster wants the {noun} of which it holds most."]
    if len(best) <= MOST_NAMED:
        wishes = [f"c{c} wants {counts.names[b]}" for c, b in enumerate(best.tolist()) if b >= 0]
        found.append(f"{', '.join(wishes)}.")
    empty = np.flatnonzero(best < 0).tolist()
    if empty:
        are = "is empty and wants" if len(empty) == 1 else "are empty and want"
        found.append(f"{_clusters(empty)} {are} nothing.")
    return found


def _conflict_words(counts: Counts, wanted: Sequence[Sequence[int]], noun: str) -> list[str]:
    found = [f"A {noun} may go to one cluster only, and a cluster may have one {noun} only."]
    torn = [(counts.names[i], who) for i, who in enumerate(wanted) if len(who) > 1]
    left = [counts.names[i] for i, who in enumerate(wanted) if not who]
    found += [f"{name} is wanted by {_clusters(who)}." for name, who in torn]
    if not torn:
        found.append(f"No {noun} is wanted twice: the wishes come true.")
    if left:
        found.append(f"Nobody wants {_listed(left)}.")
    return found


def _matching_words(counts: Counts, best: NDArray[np.int64], noun: str) -> list[str]:
    table, matched, names = counts.table, counts.matched, counts.names
    found = [
        "The assignment algorithm (Hungarian method) looks for the pairs that hold the most "
        "samples together."
    ]
    changed = [
        f"c{c} wanted {names[b]} and gets {names[m]}."
        for c, (b, m) in enumerate(zip(best.tolist(), matched.tolist(), strict=True))
        if b >= 0 and m >= 0 and b != m
    ]
    found += changed[:MOST_NAMED]
    without = [c for c in np.flatnonzero(matched < 0).tolist() if best[c] >= 0]
    clusters, classes = table.shape
    if without:
        why = (
            f"There are {clusters} clusters for {classes} {_plural(noun)}: "
            if clusters > classes
            else ""
        )
        gets = "gets" if len(without) == 1 else "get"
        found.append(f"{why}{_clusters(without)} {gets} none, and all their samples count wrong.")
    left = [names[i] for i in range(classes) if i not in matched.tolist() and table[:, i].any()]
    if left:
        why = (
            f"There are only {clusters} clusters for {classes} {_plural(noun)}: "
            if clusters < classes
            else ""
        )
        goes = "goes" if len(left) == 1 else "go"
        found.append(f"{why}{_listed(left)} {goes} without a cluster.")
    if not changed and not without and not left:
        found.append("Here it finds just the wishes.")
    return found


def _sum_words(counts: Counts, cells: Sequence[int], total: int) -> list[str]:
    added = " + ".join(f"{cell:,}" for cell in cells) if len(cells) <= MOST_NAMED else "Together"
    found = [
        f"The matched cells add up: {added} = {sum(cells):,}.",
        f"{sum(cells):,} of {total:,} are right: ACC = {percent(counts.accuracy)}.",
    ]
    own = counts.run_accuracy
    if own is not None:
        if not counts.is_all:
            found.append(f"On all samples the run measured {percent(own)}.")
        elif percent(own) == percent(counts.accuracy):
            found.append("That is the ACC of the run, measured on the same samples.")
        else:
            found.append(f"While it trained, in lower precision, the run measured {percent(own)}.")
    return found


def draw_acc(spec: dict[str, Any], key: str) -> None:
    """Draw the table with its steps.

    Parameters
    ----------
    spec : dict
        Of `acc_spec`.
    key : str
        The element's name on the page.
    """
    _component()(key=key, data=spec, width="stretch")


@functools.cache
def _component() -> Callable[..., Any]:
    html, css, js = (
        (ASSETS / name).read_text(encoding="utf-8") for name in ("acc.html", "acc.css", "acc.js")
    )
    return st.components.v2.component("vade_explorer.acc", html=html, css=css, js=js)
