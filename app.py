"""The front door: page settings, navigation, and the lifetime of the job manager.

Run it with ``streamlit run app.py``.
"""

from __future__ import annotations

import os
from pathlib import Path

# Before anything imports torch: OpenMP's threads must not spin against other processes.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

import streamlit as st

from pages.shared.present import draw_present

ASSETS = Path(__file__).parent / "assets"

PAGES = [
    st.Page("pages/start.py", title="Start", icon=":material/home:", default=True),
    st.Page("pages/train.py", title="Train", icon=":material/play_circle:", url_path="train"),
    st.Page("pages/load.py", title="Load", icon=":material/folder_open:", url_path="load"),
    st.Page(
        "pages/time-machine.py",
        title="Time machine",
        icon=":material/history:",
        url_path="time-machine",
    ),
    st.Page(
        "pages/clusters.py", title="Clusters", icon=":material/grid_view:", url_path="clusters"
    ),
    st.Page(
        "pages/interpolate.py",
        title="Interpolate",
        icon=":material/timeline:",
        url_path="interpolate",
    ),
    st.Page(
        "pages/how-many-clusters.py",
        title="How many clusters?",
        icon=":material/filter_7:",
        url_path="how-many-clusters",
    ),
    st.Page("pages/compare.py", title="Compare", icon=":material/compare:", url_path="compare"),
    st.Page("pages/lesson.py", title="Lesson", icon=":material/school:", url_path="lesson"),
]

st.set_page_config(
    page_title="VaDE Explorer",
    page_icon=str(ASSETS / "icon.svg"),
    layout="wide",
    menu_items={"About": "Train, watch and explore VaDE, VAE and Lambda-Hot."},
)
st.logo(str(ASSETS / "logo.svg"), size="large")
page = st.navigation(PAGES, position="top")
draw_present()
page.run()

# Last, because it brings torch along: the page is on the screen by now. It takes up a queue that
# an earlier server left.
from pages.shared.session import job_manager  # noqa: E402

job_manager()
