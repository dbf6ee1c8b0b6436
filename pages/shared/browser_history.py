"""Back leads to the page before, with one press, however much was moved on this one.

Streamlit makes an entry of the browser's history of every change of the address, also of those
that a page makes by itself. Only app.py calls `keep_history_short`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

__all__ = ["keep_history_short"]

SCRIPT = Path(__file__).parents[2] / "assets" / "browser_history" / "history.js"


def keep_history_short() -> None:
    """Let only another page, run or step be an entry; call it on every run, after the page."""
    _component()(key="browser-history", height=1)


@functools.cache
def _component() -> Callable[..., Any]:
    return st.components.v2.component(
        "vade_explorer.browser_history",
        html="<i></i>",
        js=SCRIPT.read_text(encoding="utf-8"),
    )
