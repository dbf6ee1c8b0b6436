"""Train: choose what to train, start it, and watch it learn.

The page only reads the run folder. It may be reloaded, left, or opened twice: the training goes
on in a process of its own. A link carries the settings (``/train?model=vade&k=7``) and the run
that is shown (``&run=ID``); whatever a model's constructor accepts goes by its own name.
"""

from __future__ import annotations

import streamlit as st

from pages.shared.front_door import enter_by_the_front_door
from pages.shared.part_of_page import lead_to
from pages.shared.run_choice import keep_run
from pages.shared.session import fail
from pages.shared.stages import plan_brief, planned_stages
from pages.shared.train_settings import (
    draw_settings,
    draw_start,
    jobs,
    planned,
    shown_id,
    take_over_link,
    write_link,
)
from pages.shared.training_view import draw_live, queue_mood, queue_words

enter_by_the_front_door()

NARROW = 860  # pixels of a window: up to them there is no room for settings beside results
STYLE = """
<style>
[data-testid="stMainBlockContainer"] { padding-left: 1rem; padding-right: 2rem;
  padding-bottom: .8rem; }
.st-key-train-panels { display: grid; align-items: start; gap: 1.5rem 2rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, max(400px, 34%)), 1fr)); }
.st-key-train-panels > :nth-child(2) { grid-row: span 2; }
/* Beside the results and not in Streamlit's sidebar, for which the navigation would make room. */
.st-key-train-page { flex-wrap: nowrap; align-items: flex-start; }
[data-testid="stLayoutWrapper"]:has(> .st-key-train-settings) { position: sticky; top: 5.2rem;
  flex-shrink: 0; }
.st-key-train-settings { max-height: calc(100vh - 6rem); overflow-y: auto; scroll-padding: 5rem 0;
  padding: .7rem 1rem; border-radius: .5rem;
  background-image: linear-gradient(color-mix(in srgb, currentColor 6%, transparent) 0 0); }
/* Start and what stands against it stay in sight, however far the settings are scrolled: above
   them, and so on a ground of its own. */
[data-testid="stApp"] :has(.st-key-train-place) { background-color: inherit; }
.st-key-train-settings :has(.st-key-train-place) { background-image: inherit; }
[data-testid="stLayoutWrapper"]:has(> .st-key-train-place) { position: sticky; top: -.7rem;
  bottom: -.7rem; z-index: 2; padding: .5rem 0 .7rem; margin: -.5rem 0 -.7rem; }
/* So do the commands for what trains, above the map. */
.st-key-train-page :has(.st-key-train-head) { background-color: inherit; }
[data-testid="stLayoutWrapper"]:has(> .st-key-train-head) { position: sticky; top: 3.75rem;
  z-index: 50; padding: .3rem 0; margin: -.3rem 0; }
/* Where there is no room beside them, what trains comes first; where nothing does, they do. */
@media (max-width: NARROW) {
  .st-key-train-page { flex-direction: column-reverse; }
  .st-key-train-page:has(.st-key-train-nothing) { flex-direction: column; }
  .st-key-train-page > div, .st-key-train-settings { width: 100% !important; }
  .st-key-train-settings { max-height: none; }
}
@media (max-width: 640px) {
  .st-key-train-head { gap: .4rem; }
  .st-key-train-head h2 { font-size: 1.25rem; }
  .st-key-train-head button { padding: .25rem .6rem; }
}
.st-key-train-start button { padding: .7rem 1rem; }
.st-key-train-start button p { font-size: 1.3rem; font-weight: 600; }
@media (max-height: 780px) {
  .st-key-train-settings, .st-key-train-settings [data-testid="stVerticalBlock"] { gap: .3rem; }
  .st-key-train-settings { padding-top: .4rem; padding-bottom: .4rem; }
  [data-testid="stLayoutWrapper"]:has(> .st-key-train-place) { padding: .3rem 0 .7rem;
    margin: -.3rem 0 -.7rem; }
  .st-key-train-start button { padding: .4rem 1rem; }
  .st-key-train-settings [data-testid="stMarkdown"]:has(h4) { margin-bottom: .5rem; }
}
[data-testid="stStatusWidget"] { display: none; }
.st-key-train-words p { font-size: 1.15rem; }
</style>
""".replace("NARROW", f"{NARROW}px")


st.html(STYLE)
# What is always there comes first and in one order: the part that renews itself keeps its place
# on the page, whatever a full run has to say around it.
with st.container(key="train-page", horizontal=True, gap="medium"):
    settings = st.container(key="train-settings", width=300)
    with st.container(key="train-results", width="stretch"):
        said, live = st.container(key="train-said"), st.container(key="train-live")
problems = take_over_link()
with settings:
    place, asked, reasons = draw_settings()
    starts = draw_start(place, asked)
    with place:
        for reason in reasons:
            fail(reason)
        working = jobs()
        mood = queue_mood(*working)
        if words := queue_words(mood):
            st.caption(words)
with said:
    for problem in problems:
        st.warning(problem, icon=":material/link_off:")
shown = st.session_state["train-run"] = shown_id(*working)
write_link(shown)
# Once: whoever comes back from looking at another run goes on with that one.
if shown and shown != st.session_state.get("train-kept"):
    st.session_state["train-kept"] = shown
    keep_run("train", shown)
plan = planned(asked)
if shown and asked and (words := plan_brief(asked["model"], plan)):
    with place:  # what is shown beside it are the stages of another run
        st.caption(f"Next: {words}")
if starts:
    lead_to("train-results", f"start {starts}", below=NARROW)
with live:
    # At rest it still looks now and then: somebody else may start a run.
    stages = planned_stages(asked["model"], plan) if asked else []
    st.fragment(draw_live, run_every=1 if mood else 5)(mood, stages)
