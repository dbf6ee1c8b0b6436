"""Present mode: ``?mode=present`` on any page, for a projector.

It hides Streamlit's header and the controls that an audience has no use for, and enlarges the
type. It goes along from page to page until a person leaves it. Only app.py calls `draw_present`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

__all__ = ["MODE", "begin_presenting", "draw_present", "leave_presenting", "presenting"]

ASSETS = Path(__file__).parents[2] / "assets" / "present"
MODE, PRESENT = "mode", "present"
STATE = "presenting"
LEFT = "presenting-left"

# What is hidden, but for what stands in a container of the lesson or of this file.
HIDDEN = (
    *("stButton", "stDownloadButton", "stLinkButton", "stPopover", "stSelectbox", "stMultiSelect"),
    *("stTextInput", "stTextArea", "stNumberInput", "stFileUploader", "stForm", "stExpander"),
    *("stDateInput", "stTimeInput", "stAlertDismiss"),
)
KEPT = '[class*="st-key-ls-"], [class*="st-key-present"]'

_HIDDEN_CONTROLS = ", ".join(f'[data-testid="{name}"]:not(:is({KEPT}) *)' for name in HIDDEN)
STYLE = f"""
<style>
html {{ font-size: clamp(16px, min(1.45vw, 2.3vh), 40px) !important; }}
[data-testid="stHeader"], [data-testid="stToolbar"], [data-testid="stDecoration"],
[data-testid="stStatusWidget"], [data-testid="stLogo"],
[data-testid="stLayoutWrapper"]:has(> .st-key-train-settings),
{_HIDDEN_CONTROLS} {{ display: none !important; }}
[data-testid="stMainBlockContainer"] {{ max-width: none; padding: 1rem 2rem 1rem !important; }}
.st-key-present {{ position: fixed; z-index: 1000; top: .35rem; right: .6rem;
  width: auto !important; }}
.st-key-present-leave button {{ min-height: 0; padding: 0 .4rem; opacity: .55; }}
.st-key-present-leave button:hover, .st-key-present-leave button:focus-visible {{ opacity: 1; }}
.st-key-present-leave button p {{ font-size: .8rem; }}
</style>
"""


def presenting() -> bool:
    """Whether the page is shown in present mode."""
    return bool(st.session_state.get(STATE))


def begin_presenting() -> None:
    """Go into present mode; for a button's callback."""
    st.session_state[STATE], st.session_state[LEFT] = True, False
    st.query_params[MODE] = PRESENT


def leave_presenting() -> None:
    """Leave present mode; for a button's callback."""
    st.session_state[STATE], st.session_state[LEFT] = False, True
    st.query_params.pop(MODE, None)


def draw_present() -> None:
    """Draw what present mode needs, if it is on; call it on every run, before the page.

    The link turns it on. The session keeps it, since a page that is switched to begins with a
    link of its own.
    """
    asked = st.query_params.get(MODE) == PRESENT
    if st.session_state.get(LEFT):
        # A request that was under way still carries the address of before.
        st.query_params.pop(MODE, None)
        st.session_state[LEFT] = asked
    elif asked:
        st.session_state[STATE] = True
    elif presenting():
        st.query_params[MODE] = PRESENT
    # Empty it takes no room, and the page's own elements keep their places.
    with st.container(key="present"):
        if not presenting():
            return
        # Within the page: styles that st.html sends beside it are lost where a fragment sends some.
        st.markdown(STYLE, unsafe_allow_html=True)
        st.button(
            "Leave",
            key="present-leave",
            type="tertiary",
            on_click=leave_presenting,
            help="Back to the controls (Escape)",
        )
        _component()(key="present-keys", height=1)


@functools.cache
def _component() -> Callable[..., Any]:
    return st.components.v2.component(
        "vade_explorer.present",
        html='<div class="vp"></div>',
        js=(ASSETS / "present.js").read_text(encoding="utf-8"),
    )
