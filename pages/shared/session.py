"""What every page shares: the job manager, the runs and their files, read once and kept.

A run's files are read again only when they have changed on the disk. Nothing large is ever
hashed, and the session state holds ids alone.
"""

from __future__ import annotations

import atexit
import json
import math
import threading
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from vade_core.runs import (
    BASELINE,
    CONFIG,
    METRICS,
    NOTE,
    RUNNING_STATES,
    STAGE,
    STATUS,
    Frame,
    Run,
    RunConfig,
    RunError,
    Stage,
    find_run,
    read_json,
    recorded_root,
    run_folders,
    runs_root,
    summarise,
)

if TYPE_CHECKING:
    from vade_core.jobs import JobManager

ERROR_ICON = ":material/error:"
Stamp = tuple[tuple[int, int], ...]


# --- The job manager ----------------------------------------------------------------------------


def job_manager() -> JobManager:
    """The server's one job manager, started at the first call and closed with the server."""
    return _job_manager(str(runs_root().resolve()))


@st.cache_resource(show_spinner=False)
def _job_manager(root: str) -> JobManager:
    # Imported here: it brings torch along, and the first page should not wait for that.
    from vade_core.jobs import JobManager

    manager = JobManager(Path(root))
    atexit.register(manager.close)
    return manager


def start_once(**asked: Any) -> str:
    """Queue a new run, unless one with the same configuration trains or waits already.

    Parameters
    ----------
    **asked
        For ``vade_core.configure.configure``.

    Returns
    -------
    str
        The id of the run that was queued, or of the one that is there.

    Raises
    ------
    DataError, ValueError, OSError
        In one sentence, what is wrong.
    """
    from vade_core.configure import configure  # brings torch along

    manager = job_manager()
    config = configure(**asked)
    # Held while looking and adding: clicks in two windows make one run.
    with _start_lock():
        for root in run_folders(manager.root):
            run = Run(root)
            try:
                busy = run.state in ("queued", *RUNNING_STATES)
                if busy and _asked_for(run.config) == _asked_for(config):
                    return run.id
            except (RunError, TypeError, AttributeError):
                continue  # a broken run is none of this one's
        return manager.submit(config).id


def _asked_for(config: RunConfig) -> dict[str, Any]:
    """A configuration without what its start decides, as JSON would hold it."""
    decided = {"created", "versions", "precision", "threads"}
    found = {name: v for name, v in config.to_json().items() if name not in decided}
    return dict(json.loads(json.dumps(found)))


@st.cache_resource(show_spinner=False)
def _start_lock() -> threading.Lock:
    return threading.Lock()


# --- Finding and opening runs -------------------------------------------------------------------


def roots() -> list[Path]:
    """The folders that runs live in: a person's own first, then the recorded ones."""
    return [runs_root(), recorded_root()]


def is_recorded(run: Run) -> bool:
    """Whether a run came with the project; such a run is never changed."""
    return run.path.resolve().parent == recorded_root().resolve()


def query_run_id() -> str | None:
    """The run that the address names (``?run=ID``), or None."""
    return st.query_params.get("run") or None


def open_run(run_id: str) -> Run | None:
    """The run of an id, readable; where it is not, a sentence on the page and None.

    Parameters
    ----------
    run_id : str
        From a link, so it may be anything.
    """
    try:
        run = find_run(run_id, roots())
        run.config, run.status()
    except RunError as error:
        fail(str(error))
        return None
    return run


# --- Links that carry a page's state ------------------------------------------------------------
# Streamlit's own bind="query-params" does not let a page be left for another with a link of its
# own: what a widget is bound to cannot be cleared.


def take_from_link(key: str, name: str, default: Any, known: Collection[str] | None = None) -> None:
    """Bring a widget into the state that the address asks for; call it before the widget.

    Parameters
    ----------
    key : str
        The widget's, with ``persist_state="session"``.
    name : str
        In the address.
    default : object
        What the widget shows where neither the address nor the session says anything.
    known : collection of str, optional
        What the address may ask for; anything else counts as nothing.
    """
    asked = st.query_params.get(name)
    if asked is not None and known is not None and asked not in known:
        if name != "run":  # of which the page itself tells
            tell_left_out(name)
        asked = None
    if asked is not None and asked != st.session_state.get(f"{key}:link"):
        st.session_state[key] = asked
    elif key not in st.session_state or (
        known is not None and st.session_state[key] not in {default, *known}
    ):
        st.session_state[key] = default


def tell_left_out(name: str) -> None:
    """Tell that the link asks for something that there is not."""
    st.toast(f"The link's {name} is none that there is here: another one is taken.")


def tell_of_others(asked: Mapping[str, str | None], taken: Mapping[str, str]) -> None:
    """Tell of each value that a link asks for, where another one is taken.

    Parameters
    ----------
    asked : mapping of str to str or None
        By the names in the address; None where it says nothing.
    taken : mapping of str to str
        What the page took, in the words of the address.
    """
    for name, value in asked.items():
        if value is not None and not _alike(value, taken[name]):
            tell_left_out(name)


def _alike(one: str, other: str) -> bool:
    """Whether two words say the same, as texts or as numbers: 0.50 and 0.5 do."""
    try:
        return one == other or math.isclose(float(one), float(other), abs_tol=1e-3)
    except ValueError:
        return False


def held_notes(name: str) -> dict[str, Any]:
    """A dictionary of this session: fetched before slow work, written to after it.

    Each use of ``st.session_state`` is a place where Streamlit breaks a script or a callback off
    for a click that has come meanwhile: the work would be done and nothing would know of it. What
    is written into this dictionary is written.
    """
    notes: dict[str, Any] = st.session_state.setdefault(name, {})
    return notes


def put_into_link(key: str, name: str, default: Any) -> None:
    """Let the address carry a widget's state, unless it is the default; call it afterwards."""
    value = st.session_state.get(key)
    if value in (default, None, ""):
        st.query_params.pop(name, None)
        value = None
    elif st.query_params.get(name) != value:
        st.query_params[name] = value
    st.session_state[f"{key}:link"] = value


# --- Reading, cached by what is on the disk -----------------------------------------------------


def stamp_of(*paths: Path) -> Stamp:
    """What changes whenever one of some files does: its time and its size, zeros if missing."""
    found = []
    for path in paths:
        try:
            state = path.stat()
            found.append((state.st_mtime_ns, state.st_size))
        except OSError:
            found.append((0, 0))
    return tuple(found)


def cached_metrics(run: Run) -> list[dict[str, Any]]:
    """The lines of a run's metrics.jsonl; shared between sessions, so never change them.

    Raises
    ------
    RunError
        If the file cannot be read; the message names it.
    """
    return _metrics(str(run.path), stamp_of(run.path / METRICS))


@st.cache_resource(show_spinner=False, max_entries=64)
def _metrics(path: str, stamp: Stamp) -> list[dict[str, Any]]:
    return Run(path).metrics()


def cached_stage(run: Run) -> Stage:
    """A run's stage set; shared between sessions, so never change it.

    Raises
    ------
    RunError
        If it is missing or cannot be read; the message names the file.
    """
    return _stage(str(run.path), stamp_of(run.path / STAGE))


@st.cache_resource(show_spinner=False, max_entries=16)
def _stage(path: str, stamp: Stamp) -> Stage:
    return Run(path).stage()


def cached_frame(run: Run, number: int) -> Frame:
    """One frame of a run; shared between sessions, so never change it.

    Parameters
    ----------
    run : Run
    number : int
        Of ``run.frame_numbers()``.

    Raises
    ------
    RunError
        If it is missing or cannot be read; the message names the file.
    """
    return _frame(str(run.path), number, stamp_of(run.frame_path(number)))


@st.cache_resource(show_spinner=False, max_entries=200)
def _frame(path: str, number: int, stamp: Stamp) -> Frame:
    return Run(path).frame(number)


def cached_baseline(run: Run) -> dict[str, Any] | None:
    """What simpler methods reach on the same data, such as ``{"kmeans": {"acc": ...}}``.

    None where it was not measured, as on data without labels, or cannot be read.
    """
    return _baseline(str(run.path / BASELINE), stamp_of(run.path / BASELINE))


@st.cache_resource(show_spinner=False, max_entries=64)
def _baseline(path: str, stamp: Stamp) -> dict[str, Any] | None:
    try:
        found = read_json(Path(path))
    except RunError:
        return None
    return found if isinstance(found, dict) else None


def read_summaries() -> list[dict[str, Any]]:
    """Summaries of all runs, newest first, as ``vade_core.runs.list_runs`` gives them.

    Each also says ``recorded``: whether it came with the project. A run that cannot be read has
    the state ``broken`` and an ``error``.
    """
    found, seen = [], set()
    for root in roots():
        for folder in run_folders(root):
            if folder.name in seen:
                continue  # find_run opens the first of that name
            seen.add(folder.name)
            files = [folder / name for name in (CONFIG, STATUS, NOTE, METRICS)]
            summary = dict(_summary(str(folder), stamp_of(*files), _is_trained(folder)))
            summary["recorded"] = root == recorded_root()
            found.append(summary)
    return sorted(found, key=lambda summary: str(summary["created"] or ""), reverse=True)


def _is_trained(folder: Path) -> bool:
    # A worker that dies changes no file: the lock alone tells.
    try:
        return Run(folder).has_worker()
    except RunError:
        return False


@st.cache_resource(show_spinner=False, max_entries=2000)
def _summary(path: str, stamp: Stamp, trained: bool) -> dict[str, Any]:
    found = summarise(Path(path))
    try:
        return found | {"subset": Run(path).config.subset}
    except RunError:
        return found | {"subset": None}


# --- Words --------------------------------------------------------------------------------------


def fail(sentence: str) -> None:
    """Say on the page what is wrong."""
    st.error(sentence, icon=ERROR_ICON)


def joined(words: Sequence[str]) -> str:
    """Words in a row.

    Examples
    --------
    >>> joined(["3", "5", "8"]), joined(["4", "9"]), joined(["1"])
    ('3, 5 and 8', '4 and 9', '1')
    """
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def percent(share: float | None) -> str:
    """A share in [0, 1] as a percentage with one decimal; a dash where there is none.

    Examples
    --------
    >>> percent(0.9446), percent(None)
    ('94.5 %', '–')
    """
    return "–" if share is None else f"{100 * share:.1f} %"


def duration(seconds: float | None) -> str:
    """Seconds in words, as short as they can be understood; a dash where there are none.

    Examples
    --------
    >>> duration(8.2), duration(75), duration(3700), duration(None)
    ('8 s', '1 min 15 s', '1 h 2 min', '–')
    """
    if seconds is None:
        return "–"
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 600:
        minutes, rest = divmod(whole, 60)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(round(whole / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def is_supervised(name: str | None) -> bool:
    """Whether a model learns from labels; one that is not registered counts as not."""
    from vade_core.models import MODELS

    return name in MODELS and MODELS[name].supervised


def model_title(name: str | None) -> str:
    """What people call a model; the name itself where it is not registered."""
    from vade_core.models import MODELS  # brings torch along

    return MODELS[name].title if name in MODELS else str(name or "–")
