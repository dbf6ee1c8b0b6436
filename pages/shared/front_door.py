"""Every visit goes through app.py, its navigation and its settings, whatever page it asks for."""

from __future__ import annotations

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

ENTERED = "entered"


def come_in() -> None:
    """Note that this session has come through app.py, which says so."""
    st.session_state[ENTERED] = True


def enter_by_the_front_door() -> None:
    """Start again from app.py where Streamlit went straight to a page; its first statement.

    Until `st.navigation` has been called once, Streamlit takes a folder named "pages" for its
    older kind of app: a link such as ``/load?run=ID`` that is among the first that a new server is
    asked for would run that page alone. Several visitors may come at once, so each session is
    asked for itself: the server's flag has been changed by the quickest of them.
    """
    if not st.session_state.get(ENTERED):
        come_in()  # or in any case not twice
        PagesManager.uses_pages_directory = False
        st.rerun()
