"""Every visit goes through app.py, its navigation and its settings, whatever page it asks for."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner import get_script_run_ctx


def enter_by_the_front_door() -> None:
    """Start again from app.py where Streamlit went straight to a page; its first statement.

    Until `st.navigation` has been called once, Streamlit takes a folder named "pages" for its
    older kind of app: a link such as ``/load?run=ID`` that is among the first that a new server is
    asked for would run that page alone. Several visitors may come at once, so each run looks at
    itself, and not at the server's flag, which the quickest of them has changed.
    """
    if _past_the_front_door():
        PagesManager.uses_pages_directory = False
        st.rerun()


def _past_the_front_door() -> bool:
    """Whether this run is the older kind's: only that one lists app.py among the pages."""
    context = get_script_run_ctx(suppress_warning=True)
    if context is None:
        return False
    pages = context.pages_manager.get_pages().values()
    main = str(Path(context.pages_manager.main_script_path).resolve())
    return len(pages) > 1 and any(page["script_path"] == main for page in pages)
