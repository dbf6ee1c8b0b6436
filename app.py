"""The front door: page settings, navigation, and the lifetime of the job manager.

Run it with ``streamlit run app.py``.
"""

from __future__ import annotations

from pathlib import Path

from vade_core.idle_threads import let_idle_threads_sleep

let_idle_threads_sleep()  # before anything imports torch

import streamlit as st

from pages.shared.browser_history import keep_history_short
from pages.shared.front_door import come_in
from pages.shared.lasting_click import forget_clicks
from pages.shared.message_queue import mend_message_queue
from pages.shared.part_of_page import note_page
from pages.shared.present import draw_present
from pages.shared.quick_clicks import mend_quick_clicks

ASSETS = Path(__file__).parent / "assets"

# Without icons, so that all of them find room in a row at 1280 pixels.
PAGES = [
    st.Page("pages/start.py", title="Start", default=True),
    st.Page("pages/lesson.py", title="Lesson", url_path="lesson"),
    st.Page("pages/train.py", title="Train", url_path="train"),
    st.Page("pages/load.py", title="Load", url_path="load"),
    st.Page("pages/time-machine.py", title="Time machine", url_path="time-machine"),
    st.Page("pages/clusters.py", title="Clusters", url_path="clusters"),
    st.Page("pages/interpolate.py", title="Interpolate", url_path="interpolate"),
    st.Page("pages/compare.py", title="Compare", url_path="compare"),
    st.Page("pages/how-many-clusters.py", title="How many?", url_path="how-many-clusters"),
    st.Page("pages/papers.py", title="Papers", url_path="papers"),
]

mend_message_queue()
mend_quick_clicks()
st.set_page_config(
    page_title="VaDE Explorer",
    page_icon=str(ASSETS / "icon.svg"),
    layout="wide",
    menu_items={"About": "Train, watch and explore VaDE, VAE and Lambda-Hot."},
)
st.logo(str(ASSETS / "logo.svg"), size="large")
page = st.navigation(PAGES, position="top")
come_in()
note_page(page.url_path)
draw_present()
page.run()
forget_clicks()
keep_history_short()  # below the page, where it moves nothing

# Last, because it brings torch along: the page is on the screen by now. It takes up a queue that
# an earlier server left.
from pages.shared.session import job_manager

job_manager()
