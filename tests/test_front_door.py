"""A new server's first visitors go through app.py, whatever page their links name."""

from __future__ import annotations

from pathlib import Path

import pytest
import streamlit as st
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner import script_runner
from streamlit.testing.v1 import AppTest

from pages.shared import session

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("another_was_quicker", [False, True])
def test_a_page_that_is_asked_for_first_goes_through_the_front_door(
    another_was_quicker: bool, runs_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight: list[str] = []
    layouts: list[str] = []
    to_page, configured = script_runner._mpa_v1, st.set_page_config

    def go_straight(main_script: str) -> None:
        straight.append(main_script)
        if another_was_quicker:  # a visitor of the same moment has been through app.py by now
            PagesManager.uses_pages_directory = False
        to_page(main_script)

    monkeypatch.setattr(script_runner, "_mpa_v1", go_straight)
    monkeypatch.setattr(
        st,
        "set_page_config",
        lambda **named: (layouts.append(named["layout"]), configured(**named)),
    )
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    app.switch_page("pages/papers.py")
    app.run()
    session.job_manager().close()
    assert not app.exception
    assert len(straight) == 1  # Streamlit did go straight to the page
    assert layouts == ["wide"]
    assert app.title[0].value.startswith("What the papers report")
