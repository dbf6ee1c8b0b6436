"""The choice of a run in a page's head; a link carries it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Any

import streamlit as st

from pages.shared.run_cards import date_words, title_of
from pages.shared.session import (
    open_run,
    percent,
    put_into_link,
    query_run_id,
    read_summaries,
    take_from_link,
)
from vade_core.record import RECORDINGS
from vade_core.runs import BROKEN, RUNNING_STATES

__all__ = [
    "WIDE",
    "carry_run",
    "choose_run",
    "come_with",
    "keep_run",
    "list_words",
    "readable_summaries",
    "run_in_hand",
    "run_words",
    "say_no_runs",
]

Summary = dict[str, Any]

# Session state: the run that a person looked at last, and the choice it was made with.
IN_HAND = "run-in-hand"

WIDE = """
<style>
[data-testid="stMainBlockContainer"] { padding-left: 2rem; padding-right: 2rem; }
[data-testid="stStatusWidget"] { display: none; }
</style>
"""
"""The style of a page that wants the window's whole width, and no running sign above its maps."""


def say_no_runs(words: str) -> None:
    """Say that there is no run yet, what the page would do with one, and lead to Train."""
    with st.container(border=True):
        st.markdown("#### No runs yet")
        st.markdown(words)
        st.page_link("pages/train.py", label="Train", icon=":material/play_circle:")


def readable_summaries() -> list[Summary]:
    """Summaries of the runs that can be opened: a person's own, newest first, then the recorded.

    Where the link asks for a run that is not among them, the page says what is wrong with it.
    """
    found = [summary for summary in read_summaries() if summary["state"] != BROKEN]
    asked = query_run_id()
    if asked is not None and asked not in {summary["id"] for summary in found}:
        open_run(asked)
        if found:
            st.caption("What follows is another run.")
    places = {recording.id: place for place, recording in enumerate(RECORDINGS)}
    own = [summary for summary in found if not summary["recorded"]]
    recorded = [summary for summary in found if summary["recorded"]]
    return own + sorted(recorded, key=lambda one: places.get(str(one["id"]), len(places)))


def choose_run(
    summaries: Sequence[Summary],
    key: str,
    *,
    first: Callable[[Summary], bool] = lambda summary: summary["acc"] is not None,
    width: int = 520,
) -> str:
    """Draw the choice of a run.

    Parameters
    ----------
    summaries : sequence of dict
        Of `readable_summaries`, one at least.
    key : str
        The element's name on the page.
    first : callable
        Tells whether a page likes to open with a run: the first such one is chosen until a person
        or the link chooses another.
    width : int
        In CSS pixels.

    Returns
    -------
    str
        Its id.
    """
    known = {str(summary["id"]): summary for summary in summaries}
    usual = next((run_id for run_id, summary in known.items() if first(summary)), next(iter(known)))
    carry_run(key, known)
    take_from_link(key, "run", usual, known)
    words = list_words(summaries)
    chosen: str = st.selectbox(
        "Run",
        list(known),
        key=key,
        format_func=words.__getitem__,
        label_visibility="collapsed",
        width=width,
        persist_state="session",
    )
    put_into_link(key, "run", None)
    keep_run(key, chosen)
    return chosen


def carry_run(key: str, known: Collection[str]) -> None:
    """Bring the run that another page showed last into a choice; call it before `take_from_link`.

    The navigation leaves the address of the page before behind. A link that asks for a run wins.

    Parameters
    ----------
    key : str
        Of the choice.
    known : collection of str
        The ids among which the choice is.
    """
    run_id = come_with(key)
    if run_id in known and query_run_id() not in known:
        st.session_state[key] = run_id


def come_with(key: str) -> str | None:
    """The run that another page showed last; None where the choice's own page showed one since.

    Parameters
    ----------
    key : str
        Of the choice.
    """
    run_id, chosen_with = st.session_state.get(IN_HAND, (None, key))
    return None if chosen_with == key else run_id


def keep_run(key: str, run_id: str) -> None:
    """Keep in mind which run is looked at, for the pages that a person goes to next.

    Parameters
    ----------
    key : str
        Of the choice that it was made with, or of the page that opened it.
    run_id : str
    """
    st.session_state[IN_HAND] = (run_id, key)


def run_in_hand() -> str | None:
    """The run that a person looked at last on any page; None at first."""
    found: str | None = st.session_state.get(IN_HAND, (None, ""))[0]
    return found


def list_words(summaries: Sequence[Summary]) -> dict[str, str]:
    """What each run is called in a list, by its id: no two alike.

    A choice comes back from the browser by these words, so that they must tell runs apart.
    """
    words = {str(summary["id"]): run_words(summary) for summary in summaries}
    often = Counter(words.values())
    return {i: f"{text} · {i}" if often[text] > 1 else text for i, text in words.items()}


def run_words(summary: Summary) -> str:
    """What a run is, in a line of a list.

    ACC is left out while it changes: the words of a choice may not.
    """
    moving = summary["state"] in (*RUNNING_STATES, "queued")
    known = summary["acc"] is not None and not moving
    words = [
        title_of(summary),
        f"K = {summary['clusters']}",
        f"ACC {percent(summary['acc'])}" if known else "",
        "recorded" if summary.get("recorded") else date_words(summary["created"]),
    ]
    return " · ".join(word for word in words if word)
