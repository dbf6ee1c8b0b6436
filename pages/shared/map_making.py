"""Having a map made by a process of its own: one at a time, with its progress on the page."""

from __future__ import annotations

import atexit
import contextlib
import subprocess
import sys
import threading
from typing import Any

import streamlit as st

from pages.shared.session import fail
from vade_core.map_jobs import MapJob

__all__ = ["draw_making", "is_busy"]


class _Makers:
    """The processes that make maps for this server: one at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._of: str | None = None
        atexit.register(self.close)

    def start(self, task: MapJob) -> bool:
        """Start a process for a map; False if one is at work already."""
        from vade_core.jobs import worker_environment

        with self._lock:
            if self.is_busy() or task.is_running():
                return False
            self._process = subprocess.Popen(
                [sys.executable, *task.command()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                # One thread: it must not hold up a training that goes on beside it.
                env={**worker_environment(), "OMP_NUM_THREADS": "1"},
                start_new_session=True,
            )
            self._of = str(task.path)
            return True

    def is_busy(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def makes(self, task: MapJob) -> bool:
        """Whether the process at work makes this map."""
        return self.is_busy() and self._of == str(task.path)

    def failed(self, task: MapJob) -> bool:
        """Whether the last process was to make this map and ended badly."""
        code = None if self._process is None else self._process.poll()
        return self._of == str(task.path) and code not in (None, 0)

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=3)


@st.cache_resource(show_spinner=False)
def _makers() -> _Makers:
    return _Makers()


def is_busy() -> bool:
    """Whether this server is having a map made."""
    return _makers().is_busy()


def draw_making(task: MapJob, label: str, words: str, *, key: str, icon: str) -> None:
    """Draw the button that has a map made, or how far the making has come.

    Parameters
    ----------
    task : MapJob
        A map that is not there yet.
    label : str
        Of the button.
    words : str
        What stands below it: how long it takes.
    key, icon : str
        Of the button.
    """
    makers = _makers()
    if makers.makes(task) or task.is_running():
        draw_progress(task)
        return
    status: dict[str, Any] = task.status()
    if makers.failed(task) or status.get("error"):
        fail(f"The map could not be made: {status.get('error') or 'its process ended early'}")
    busy = makers.is_busy()
    if st.button(label, icon=icon, type="primary", key=key, disabled=busy):
        try:
            makers.start(task)
        except OSError as error:
            fail(f"The map could not be made: {error}")
            return
        # What is drawn depends on whether something is at work.
        st.rerun(scope="app")
    if busy:
        wait_for_others()
    else:
        st.caption(words)


@st.fragment(run_every=2)
def draw_progress(task: MapJob) -> None:
    """How far the making of a map has come; the page is drawn anew when it is over.

    Alone, so that a page which waits for it has time for what else is asked of it.
    """
    if not (_makers().makes(task) or task.is_running()):
        st.rerun(scope="app")
    status: dict[str, Any] = task.status()
    share = status.get("share")
    said = status.get("words") if "error" not in status else None
    st.progress(
        min(1.0, max(0.0, float(share))) if said and isinstance(share, (int, float)) else 0.0,
        f"{said or 'Starting'} …",
    )


@st.fragment(run_every=2)
def wait_for_others() -> None:
    """Say that another map is at work; the page is drawn anew when it is done."""
    if not is_busy():
        st.rerun(scope="app")
    st.caption("Another map is being made: this one can follow it.")
