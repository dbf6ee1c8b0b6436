"""A button whose click is answered whatever is clicked right after it, and once.

A click comes with the first of the page's runs that follow it, and never again. Another one that
is made while the page is drawn breaks that run off, perhaps before it has come to the button. So a
click is written down before anything is drawn (callbacks are not broken off, see
:mod:`pages.shared.quick_clicks`), and stays so until it is answered, or until a page has been drawn
to its end that has no such button any more. Only app.py calls `forget_clicks`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import streamlit as st

from pages.shared.session import held_notes

__all__ = ["Click", "forget_clicks", "lasting_button"]

Wish = TypeVar("Wish")
Answer = TypeVar("Answer")

# A click that was not answered within so many seconds is not answered any more.
PATIENCE = 15
# A click for the same within so many seconds of an answer is the second one of a double click.
SAME_WISH = 1.0
# Held notes: when each button was clicked and what for, by its key, until that is answered.
CLICKS = "clicks"


@dataclass(frozen=True)
class Click(Generic[Wish]):
    """A click that waits for its answer, and what it asks for."""

    key: str
    wish: Wish
    waiting: dict[str, Any]
    notes: dict[str, Any]

    def answered(self, answer: Callable[[Wish], Answer]) -> Answer | None:
        """Answer it, once, however often the button was hit in one go.

        Parameters
        ----------
        answer : callable
            Told the wish. It draws nothing and asks nothing of the session, so nothing breaks it
            off.

        Returns
        -------
        object or None
            What ``answer`` returned, now or for the same wish just before; None where another of
            the page's runs has answered.
        """
        notes = self.notes
        with notes.setdefault("turn", threading.Lock()):
            if self.waiting.pop(self.key, None) is None:
                return None
            wish, when, found = notes.get("answered", (None, 0.0, None))
            if wish == self.wish and time.monotonic() - when <= SAME_WISH:
                return found
            found = answer(self.wish)
            # Counted from the end, since an answer may take its time; from an answer alone, or
            # whoever goes on clicking would never have another one.
            notes["answered"] = (self.wish, time.monotonic(), found)
            return found


def lasting_button(
    label: str, wish: Wish | None, *, key: str, place: Any = st, **options: Any
) -> Click[Wish] | None:
    """Draw a button.

    Parameters
    ----------
    label : str
    wish : object, optional
        What a click asks for now, comparable. Where the click's own run of the page was broken
        off, it is what the button was drawn with when it was clicked. None: it cannot be clicked.
    key : str
        Its own on the page.
    place : container
    **options
        As for ``st.button``.

    Returns
    -------
    Click or None
        The one that waits for an answer; None if none does.
    """
    waiting, notes = held_notes(CLICKS), held_notes(f"{key}:answered")
    pressed = place.button(
        label,
        key=key,
        disabled=wish is None,
        on_click=_write_down,
        args=(waiting, key, wish),
        **options,
    )
    if (click := waiting.get(key)) is None:
        return None
    when, wished = click
    if pressed:
        wished = wish
    if wished is None or time.monotonic() - when > PATIENCE:
        waiting.pop(key, None)
        return None
    return Click(key, wished, waiting, notes)


def forget_clicks() -> None:
    """Forget what waits for an answer: the page has been drawn, and none came.

    The second click of a double click may wait for a button that is gone since the first one's
    answer. Were the button drawn again later, it would be pressed without a hand.
    """
    held_notes(CLICKS).clear()


def _write_down(waiting: dict[str, Any], key: str, wish: Any) -> None:
    waiting[key] = (time.monotonic(), wish)
