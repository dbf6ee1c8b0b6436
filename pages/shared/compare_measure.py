"""The table on the page: what is known at once, what is still being measured, taken away as CSV."""

from __future__ import annotations

import atexit
import contextlib
import subprocess
import sys
import threading
from collections.abc import Sequence

import streamlit as st

from pages.shared.compare_runs import Compared, finds_clusters, listed
from pages.shared.compare_table import counted_words, table_csv, table_html, table_rows
from pages.shared.networks import has_model
from pages.shared.session import fail, is_supervised, read_summaries
from vade_core.evaluated import Evaluation
from vade_core.runs import at_work
from vade_core.same_points import same_data

__all__ = ["draw_table", "is_measuring"]


class _Measurers:
    """The process that measures runs for this server: one at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._tried: set[tuple[str, int]] = set()
        atexit.register(self.close)

    def is_busy(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, runs: Sequence[Compared], again: bool = False) -> bool:
        """Start a process for some runs; False if one is at work, or all were tried before."""
        from vade_core.jobs import worker_environment

        with self._lock:
            if self.is_busy():
                return False
            marks = {(str(each.run.path), len(each.run.metrics())): each for each in runs}
            wanted = [each for mark, each in marks.items() if again or mark not in self._tried]
            if not wanted:
                return False
            self._tried.update(marks)
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "vade_core.evaluated"),
                    *(str(each.run.path.resolve()) for each in wanted),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                # One thread: it must not hold up a training that goes on beside it.
                env={**worker_environment(), "OMP_NUM_THREADS": "1"},
                start_new_session=True,
            )
            return True

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=3)


@st.cache_resource(show_spinner=False)
def _measurers() -> _Measurers:
    return _Measurers()


def is_measuring() -> bool:
    """Whether this server is having runs measured."""
    return _measurers().is_busy()


def draw_table(compared: Sequence[Compared]) -> None:
    """Draw the table; what is not there yet is measured in a process of its own, and filled in.

    Call it within a fragment that comes again while `is_measuring`.
    """
    tasks = [Evaluation(each.run) for each in compared]
    evaluations = [task.find() for task in tasks]
    missing = [
        (each, task)
        for each, task, found in zip(compared, tasks, evaluations, strict=True)
        if found is None
    ]
    can = [(each, task) for each, task in missing if has_model(each.run) and not each.live]
    able = [each for each, _ in can]
    unmeasured = [each for each, _ in missing if each not in able]
    # Nothing more will be known of a run that ended without a checkpoint.
    known = [
        {"values": {}} if each in unmeasured and not each.live else found
        for each, found in zip(compared, evaluations, strict=True)
    ]
    rows = table_rows(compared, known)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader("Measures", anchor=False, width="stretch")
        st.download_button(
            "CSV",
            table_csv(compared, rows),
            file_name=f"compare-{'-'.join(each.run.id for each in compared)}.csv",
            mime="text/csv",
            icon=":material/download:",
            key="cmp-csv",
            on_click="ignore",
        )
    place = st.container()
    with st.container(key="cmp-measuring"):
        _draw_measuring(able, [task for _, task in can])
    measuring = is_measuring() and bool(can)
    place.html(table_html(compared, rows, "measuring …" if measuring else "not measured"))
    _draw_notes(compared, unmeasured, any(row.papers for row in rows))
    if words := counted_words(compared, evaluations):
        st.caption(words)


def _draw_measuring(runs: Sequence[Compared], tasks: Sequence[Evaluation]) -> None:
    """Start what is to be measured, or say why it is not."""
    if not runs:
        return
    measurers = _measurers()
    if measurers.is_busy() or any(task.is_running() for task in tasks):
        st.caption("The rest is being measured, in a process of its own: it is filled in here.")
        return
    problems = [
        (each, problem)
        for each, task in zip(runs, tasks, strict=True)
        if (problem := task.problem()) is not None
    ]
    for each, problem in problems:
        fail(f"{each.title} could not be measured: {problem}")
    training = bool(at_work(read_summaries())[0])
    untried = not problems and not training
    if untried and measurers.start(runs):
        st.rerun(scope="app")  # what is drawn depends on whether something is at work
    if st.button("Measure the rest", icon=":material/straighten:", key="cmp-measure"):
        try:
            measurers.start(runs, again=True)
        except OSError as error:
            fail(f"The runs could not be measured: {error}")
            return
        st.rerun(scope="app")
    if training:
        st.caption("A training is at work: the rest is measured when you ask for it.")


def _draw_notes(
    compared: Sequence[Compared], unmeasured: Sequence[Compared], has_papers: bool
) -> None:
    """What must be known to read the table aright."""
    best = "better" if len(compared) == 2 else "best"
    words = [f"★ marks the {best} one; ↑ more is better, ↓ less is."]
    configs = [each.run.config for each in compared]
    told = [each.title for each in compared if is_supervised(each.run.config.model)]
    if not same_data(configs):
        words = [f"These runs are of different data sets: none is marked as the {best} one."]
    elif told and len(told) < len(compared):
        words.append(f"{listed(told)} was told the labels and takes no part in that.")
    if unlabelled := [e.title for e in compared if e.run.config.labelled is False]:
        verb = "has" if len(unlabelled) == 1 else "have"
        words.append(f"{listed(unlabelled)} {verb} no labels: most measures need them.")
    if len({config.clusters for config in configs}) > 1:
        words.append(
            "The numbers of clusters differ: a cluster without a class of its own counts as wrong "
            "in ACC."
        )
    if borrowed := [e.title for e in compared if not finds_clusters(e.run.config.model)]:
        verb = "has no clusters" if len(borrowed) == 1 else "have no clusters"
        words.append(
            f"{listed(borrowed)} {verb} of its own: those that are scored are a mixture's, fitted "
            "to the latents afterwards."
            if len(borrowed) == 1
            else f"{listed(borrowed)} {verb} of their own: those that are scored are mixtures', "
            "fitted to the latents afterwards."
        )
    live = [each.title for each in unmeasured if each.live]
    bare = [each.title for each in unmeasured if not each.live]
    if live:
        verb = "is" if len(live) == 1 else "are"
        words.append(f"{listed(live)} {verb} still in training: the rest is measured afterwards.")
    if bare:
        verb = "has" if len(bare) == 1 else "have"
        words.append(f"{listed(bare)} {verb} no checkpoint: the rest cannot be measured.")
    if has_papers:
        words.append(
            "The papers' figures have protocols of their own: point at one for its source."
        )
    st.caption(" ".join(words))
