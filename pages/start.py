"""Start: what this is, recorded runs playing, one button to train, and the latest runs.

It opens while torch, scikit-learn and UMAP are not there yet: nothing here may import them.
"""

from __future__ import annotations

import streamlit as st

from pages.shared.front_door import enter_by_the_front_door
from pages.shared.lasting_click import Click, lasting_button
from pages.shared.previews import draw_previews, opening_runs
from pages.shared.run_cards import draw_cards
from pages.shared.session import fail, read_summaries, start_once
from vade_core.runs import BROKEN

enter_by_the_front_door()

SHOWN = 8
RECORD = "python -m vade_core record"

STYLE = """
<style>
.vx-hero h1 { padding: 0; margin: 0 0 .5rem 0; font-size: 2.5rem; line-height: 1.12; }
.vx-hero p { font-size: 1.2rem; line-height: 1.45; margin: 0; max-width: 64rem; }
.st-key-start-train button { padding: .85rem 1.7rem; }
.st-key-start-train button p { font-size: 1.3rem; font-weight: 600; }
.st-key-start-load button { padding: .85rem 1.3rem; }
.st-key-start-load button p { font-size: 1.15rem; }
</style>
"""

HERO = """
<div class="vx-hero">
<h1>Watch a network sort digits nobody named</h1>
<p>VaDE learns to draw handwritten digits and, in the same breath, to tell them apart. It is
never told which digit is which: ten clusters form in its latent space, epoch by epoch.</p>
</div>
"""


def begin(click: Click[dict[str, str]]) -> None:
    """Train, or go to where the same is trained already."""
    try:
        run_id = click.answered(lambda asked: start_once(**asked))
    except (ValueError, OSError) as error:
        fail(str(error))
        return
    if run_id:
        st.switch_page("pages/train.py", query_params={"run": run_id})


st.html(STYLE)
st.html(HERO)
with st.container(horizontal=True, vertical_alignment="center"):
    click = lasting_button(
        "Train VaDE on MNIST",
        {"model": "vade", "dataset": "mnist"},
        key="start-train",
        type="primary",
        icon=":material/play_arrow:",
    )
    if click:
        begin(click)
    if st.button("All runs", icon=":material/folder_open:", key="start-load"):
        st.switch_page("pages/load.py")

summaries = read_summaries()
readable = [summary for summary in summaries if summary["state"] != BROKEN]
own = [summary for summary in readable if not summary["recorded"]]
recorded = [summary for summary in readable if summary["recorded"]]
playing = opening_runs(recorded)
others = [summary for summary in recorded if summary not in playing]

if playing:
    draw_previews(playing)
else:
    with st.container(border=True):
        st.markdown("#### No recorded runs here")
        st.markdown("Recorded runs play on this page. One command makes them, in an hour or more:")
        st.code(RECORD, language=None)
if own:
    st.subheader("Your latest runs")
    draw_cards(own[:SHOWN])
if others:
    st.subheader("More recorded runs")
    draw_cards(others[:SHOWN])
if not readable:
    with st.container(border=True):
        st.markdown("#### No runs yet")
        st.markdown(
            "Your first one will appear here while it trains. VaDE on all 70,000 digits takes "
            "minutes on two processor cores; the small digits take seconds."
        )
hidden = max(0, len(own) - SHOWN) + max(0, len(others) - SHOWN)
broken = len(summaries) - len(readable)
if hidden or broken:
    words = [f"{hidden} more" if hidden else "", f"{broken} unreadable" if broken else ""]
    st.caption(f"Under All runs: {' and '.join(part for part in words if part)}.")
