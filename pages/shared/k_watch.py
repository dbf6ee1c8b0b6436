"""What goes on while runs of several K are looked at: runs at work, and the counting of samples."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import streamlit as st

from pages.shared.k_runs import KRun, Summary, count_all, has_clusters, still_uncounted
from pages.shared.session import stamp_of
from vade_core.runs import CHECKPOINT, METRICS, Run, RunError

__all__ = ["RunCounter", "counter", "pulse", "watch"]

# Seconds from one look at what goes on to the next.
LOOK_EVERY = 2


class RunCounter:
    """Counts runs beside the pages of this server, one after the other: no page waits for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def is_busy(self) -> bool:
        """Whether it counts."""
        return self._thread is not None and self._thread.is_alive()

    def start(self, runs: Sequence[KRun]) -> None:
        """Count some runs of `uncounted`, unless it counts already."""
        with self._lock:
            if self.is_busy():
                return
            # Models and notes are this server's: a process would have to load and hand them over.
            self._thread = threading.Thread(target=count_all, args=(list(runs),), daemon=True)
            self._thread.start()

    def wait(self) -> None:
        """Wait until it has ended."""
        if self._thread is not None:
            self._thread.join()


@st.cache_resource(show_spinner=False)
def counter() -> RunCounter:
    """The one counter of this server."""
    return RunCounter()


def pulse(runs: Sequence[Run]) -> tuple[Any, ...]:
    """What changes whenever runs that are shown have come further, or have ended."""
    found: list[Any] = []
    for run in runs:
        try:
            found.append((run.state, stamp_of(run.path / METRICS, run.path / CHECKPOINT)))
        except RunError as error:
            found.append(str(error))
    return tuple(found)


def watch(
    shown: Sequence[KRun],
    pending: Sequence[KRun],
    waiting: Sequence[Summary],
    asked: str | None,
) -> None:
    """Draw the page anew when there is more to see; all samples are counted meanwhile.

    The page stands on the screen with what the stage set says before anything slow begins.

    Parameters
    ----------
    shown : sequence of KRun
    pending : sequence of KRun
        Those of them to be counted.
    waiting : sequence of dict
        Summaries of runs at work that have no clusters yet.
    asked : str or None
        What the link asked for and could not be shown: what was said of it is said again.
    """
    live = [one.run for one in shown if one.live]
    if not (live or pending or waiting):
        return

    def seen() -> tuple[Any, ...]:
        return pulse(live), tuple(map(has_clusters, waiting))

    before, looks = seen(), [0]

    def look() -> None:
        looks[0] += 1
        if seen() != before or (pending and not still_uncounted(pending)):
            if asked is not None:
                st.query_params["run"] = asked
            st.rerun(scope="app")
        if pending:
            # Not at the first look: the browser is still fetching what it draws the page with.
            if looks[0] > 1:
                counter().start(still_uncounted(pending))
            most = max(one.run.config.n_samples for one in pending)
            st.caption(f"All {most:,} are being counted: the figures may change a little.")

    st.fragment(look, run_every=LOOK_EVERY)()
