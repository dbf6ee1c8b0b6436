"""A button that counts its clicks in the browser.

Clicks on Streamlit's own button that come faster than a page is drawn become one. This one says
how often it was hit in all, so that none is lost: four quick clicks are four epochs.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import streamlit as st

from pages.shared.session import held_notes

__all__ = ["new_clicks", "step_button"]

# More at once are no clicks of a person.
MOST = 100


def step_button(label: str, key: str, on_clicks: Callable[[int], None]) -> None:
    """Draw the button.

    Parameters
    ----------
    label : str
    key : str
        Its name on the page.
    on_clicks : callable
        Told how many clicks are new, before the page is drawn again.
    """

    def take() -> None:
        told = (st.session_state.get(key) or {}).get("clicks")
        if count := new_clicks(told, note := held_notes(f"{key}:taken")):
            note.update(told)
            on_clicks(count)

    _component()(key=key, data={"label": label}, width="content", on_clicks_change=take)


def new_clicks(told: Any, taken: dict[str, Any]) -> int:
    """How many clicks have not been taken yet.

    Parameters
    ----------
    told : object
        What the browser says: ``{"page": ..., "count": ...}``; a reload begins a new page.
    taken : dict
        The same, as it was last taken; empty at first.

    Examples
    --------
    >>> new_clicks({"page": "a", "count": 5}, {"page": "a", "count": 3})
    2
    >>> new_clicks({"page": "b", "count": 1}, {"page": "a", "count": 3})
    1
    """
    if not isinstance(told, dict) or not isinstance(told.get("count"), int):
        return 0
    before = taken.get("count", 0) if taken.get("page") == told.get("page") else 0
    return min(max(0, told["count"] - before), MOST)


@functools.cache
def _component() -> Callable[..., Any]:
    return st.components.v2.component("vade_explorer.step", html=_HTML, css=_CSS, js=_JS)


_HTML = """
<button type="button"><svg viewBox="0 0 24 24" aria-hidden="true">
<path d="M6 6v12l8.5-6zM16 6h2v12h-2z"/></svg><span></span></button>
"""

_CSS = """
button { display: inline-flex; align-items: center; gap: .5rem; min-height: 2.5rem; margin: 0;
  padding: .25rem .75rem; border: 1px solid var(--st-border-color, rgb(128 128 128 / 35%));
  border-radius: var(--st-button-radius, .5rem); background: var(--st-background-color, #fff);
  color: var(--st-text-color, #31333f); font: 400 .9rem/1.6 var(--st-font, sans-serif);
  white-space: nowrap; cursor: pointer; }
button:hover { border-color: var(--st-primary-color, #1578c4);
  color: var(--st-primary-color, #1578c4); }
button:active { background: var(--st-primary-color, #1578c4); color: #fff; }
button:focus-visible { outline: 3px solid var(--st-primary-color, #1578c4); outline-offset: 1px; }
svg { width: 1.25rem; height: 1.25rem; fill: currentColor; }
"""

_JS = """
const page = crypto.getRandomValues(new Uint32Array(2)).join("-");
let count = 0;

export default function showStep({ parentElement, data, setStateValue }) {
  const button = parentElement.querySelector("button");
  const label = button.querySelector("span");
  if (label.textContent !== data.label) label.textContent = data.label;
  button.onclick = () => {
    count += 1;
    setStateValue("clicks", { page, count });
  };
}
"""
