"""What the browser says before it has heard what the page changed.

A request carries the state of every widget, and the address, as the browser had them when it was
sent. Two clicks in quick succession make two requests, and the second one leaves before the page
has answered the first: it repeats the values from before. Such late words are no person's wish.
"""

from __future__ import annotations

import time
from typing import Any

import streamlit as st

__all__ = ["change", "first_value", "forget", "lags", "put_right", "write_down"]

# Seconds from a change until a browser has surely heard of it. A person may mean the old value
# after that, so it cannot be long.
LATE = 1.5


def write_down(name: str, value: Any) -> None:
    """Remember what the browser has been told, or has said, of a thing such as the address."""
    said = st.session_state.get(f"{name}:said", [])
    if not said or said[-1] != value:
        st.session_state[f"{name}:said"] = [*said, value]


def lags(name: str, value: Any) -> bool:
    """Whether the browser repeats an earlier value, since it has not heard of the newest one.

    What it repeats it has heard: values from before that are no longer late.
    """
    said = st.session_state.get(f"{name}:said", [])
    if value not in said:
        return False
    left = said[said.index(value) :]
    st.session_state[f"{name}:said"] = left
    return len(left) > 1


def change(key: str, value: Any) -> None:
    """Give a widget's state another value; call it before the widget."""
    state = st.session_state
    state[f"{key}:stands"] = value
    if key in state and state[key] != value:
        state[f"{key}:before"] = (state[key], time.monotonic())
    state[key] = value


def first_value(key: str, value: Any) -> Any:
    """Let a widget show a value, and nothing else; call it right before the widget.

    A state that is set goes to the browser and undoes a click that came meanwhile, so it is set
    only where it has to change, and again while the message may still have been overtaken by the
    next one.

    Returns
    -------
    object
        What the widget is to begin with where the browser does not know it yet; None where its
        state says so.
    """
    state = st.session_state
    state[f"{key}:stands"] = value
    if key not in state or (state[key] == value and not _is_recent(key)):
        return value
    change(key, value)
    return None


def put_right(key: str, ever: bool = False) -> bool:
    """Take back what late words did to a widget's state; call it before the widget.

    Parameters
    ----------
    key : str
    ever : bool
        Whether any value but the one that the page gave it is late, at any time: so it is with a
        widget that is not on the page.

    Returns
    -------
    bool
        Whether they were late.
    """
    state, stands = st.session_state, f"{key}:stands"
    if not ever and not _is_recent(key):
        forget(key)
    if stands not in state or state.get(key) == state[stands]:
        return False
    if not ever and state.get(key) != state[f"{key}:before"][0]:
        return False
    state[key] = state[stands]
    return True


def forget(key: str) -> None:
    """Forget what the page has made of a widget's state: somebody else has set it."""
    st.session_state.pop(f"{key}:stands", None)


def _is_recent(key: str) -> bool:
    before = st.session_state.get(f"{key}:before")
    return before is not None and time.monotonic() - before[1] < LATE
