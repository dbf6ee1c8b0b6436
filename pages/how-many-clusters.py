"""How many clusters?: what a model makes of one data set with 7, 10, 14 or any other K.

``?run=ID`` opens a run large, ``&with=ID,ID`` chooses those that stand beside each other,
``&rows=real`` shows samples of the data instead of the model's own. Nothing is trained here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from pages.shared.front_door import enter_by_the_front_door
from pages.shared.k_choice import (
    TRAIN_PAGE,
    choose_data,
    choose_k,
    chosen_beside,
    draw_runs_beside,
    draw_train_another,
    opened,
)
from pages.shared.k_metrics import draw_definitions, draw_table, scores_csv
from pages.shared.k_river import k_river_spec
from pages.shared.k_rows import draw_beside, draw_large_rows
from pages.shared.k_runs import (
    KRun,
    chooses_k,
    data_key,
    has_clusters,
    run_for_each_k,
    same_points,
    uncounted,
)
from pages.shared.k_suggestion import draw_suggestion
from pages.shared.k_watch import watch
from pages.shared.k_words import THE_RULE, findings, headline, legend
from pages.shared.river import draw_river
from pages.shared.run_cards import plain_label
from pages.shared.run_choice import readable_summaries
from pages.shared.session import (
    is_supervised,
    model_title,
    query_run_id,
)
from pages.shared.wide_table import wide_table_style
from vade_core.models import MODELS
from vade_core.runs import RUNNING_STATES

enter_by_the_front_door()

Summary = dict[str, Any]
MOST_WORDS = 12

STYLE = """
<style>
[data-testid="stMainBlockContainer"] { padding-left: 2rem; padding-right: 2rem; }
[data-testid="stStatusWidget"] { display: none; }
/* What stands there stays readable while the page is drawn anew. */
[data-testid="stElementContainer"][data-stale="true"] { opacity: 1; }
.st-key-hm-run button { min-width: 4rem; padding: .45rem 1rem; }
.st-key-hm-run button p { font-size: 1.25rem; font-weight: 650; }
.st-key-hm-findings li { margin-bottom: .35rem; }
.st-key-hm-table table { font-variant-numeric: tabular-nums; }
@media (max-width: 1100px) {
  .st-key-hm-table td, .st-key-hm-table th { padding: .4rem .35rem; }
}
</style>
""" + wide_table_style('.st-key-hm-table [data-testid="stMarkdownContainer"]')


def main() -> None:
    """The page, or why there is nothing to show."""
    st.html(STYLE)
    asked = query_run_id()
    everything = readable_summaries()
    able = [summary for summary in everything if chooses_k(summary)]
    ready = [summary for summary in able if has_clusters(summary)]
    say_of_others(everything, able, ready)
    waiting = [s for s in able if s not in ready and s["state"] in RUNNING_STATES]
    if not ready:
        draw_nothing(able)
        watch([], [], waiting, asked)
        return
    groups: dict[str, list[Summary]] = {}
    for summary in ready:
        groups.setdefault(data_key(summary), []).append(summary)
    with st.container(horizontal=True, vertical_alignment="center", key="hm-head"):
        known = choose_data(groups, everything)
        by_k = run_for_each_k(list(known.values()))
        beside = chosen_beside(known, by_k)
        place = st.container(width="content")
        draw_runs_beside(known, by_k)
        large = choose_k(place, known, by_k, beside)
        draw_train_another(known[large], by_k)
    runs = opened(known, [large, *beside])
    if large not in runs:
        return
    main_run = runs[large]
    side = sorted((runs[i] for i in beside if i in runs), key=lambda shown: shown.k)
    news = draw_large(main_run)
    draw_beside(side)
    together = side if main_run.run.id in beside else [*side, main_run]
    together = sorted(together, key=lambda shown: shown.k)
    draw_rivers(side)
    draw_scores(together)
    st.subheader("Which K without labels?", anchor=False)
    draw_suggestion(main_run)
    with news:
        watch(together, uncounted(together), waiting, None if asked in known else asked)


# --- Which runs ---------------------------------------------------------------------------------


def say_of_others(
    everything: Sequence[Summary], able: Sequence[Summary], ready: Sequence[Summary]
) -> None:
    """Say why a run that the link asks for is not shown, where it can be opened."""
    asked = query_run_id()
    summary = next((s for s in everything if s["id"] == asked), None)
    if summary is None or summary in ready:
        return
    title = model_title(summary["model"])
    if summary in able:
        words = "This run has no clusters yet: they come after its pretraining."
    elif is_supervised(summary["model"]):
        words = f"{title} is told the classes, so its K is their number: nobody chooses it."
    else:
        words = f"{title} has no clusters of its own: a mixture sorts its latents afterwards."
    if ready:
        words += " Shown are runs that find clusters of their own."
    st.info(words, icon=":material/filter_7:")


def draw_nothing(able: Sequence[Summary]) -> None:
    """Say that there is nothing to look at yet, and where to get it."""
    with st.container(border=True):
        if able:
            st.markdown("#### No clusters yet")
            st.markdown("Clusters come after the pretraining: look again when it has ended.")
        else:
            st.markdown("#### No runs yet")
            usual = next(
                entry.title for name, entry in MODELS.items() if chooses_k({"model": name})
            )
            st.markdown(
                "This page lays runs of different K side by side, of a model that finds clusters "
                f"of its own, such as {usual}: train one first."
            )
        st.page_link(TRAIN_PAGE, label="Train", icon=":material/play_circle:")


# --- What is drawn ------------------------------------------------------------------------------


def draw_large(shown: KRun) -> Any:
    """One run large: its rows, and what became of the classes. Gives the place for news below."""
    names = [plain_label(name) for name in shown.names]
    st.markdown(f"#### {headline(shown.counted, names)}")
    left, right = st.columns([2, 1], gap="medium")
    with left:
        draw_large_rows(shown)
    with right, st.container(key="hm-findings"):
        pictured = shown.run.config.image_shape is not None
        words = findings(shown.counted, names, measured=pictured)
        if len(words) > MOST_WORDS:
            more = len(words) - MOST_WORDS
            words = [*words[:MOST_WORDS], f"{more} more like these."]
        if words:
            st.markdown(f"**At K = {shown.k}**\n\n" + "\n".join(f"- {said}" for said in words))
        elif shown.names:
            st.markdown("Every class has a cluster of its own, and no cluster is shared.")
        notes = [legend(shown.counted, names)]
        if shown.names:
            notes.append(THE_RULE)
        if shown.names and not pictured:
            notes.append("These samples are no pictures, so what sets parts apart is not measured.")
        of = "all" if shown.on_all else "a fixed sample of"
        notes.append(f"Counted on {of} {shown.counted.n_samples:,} samples.")
        if shown.why_not:
            notes.append(f"All of them could not be counted: {shown.why_not}")
        if shown.live:
            notes.append("It is still being trained: this is its last frame.")
        st.caption(" ".join(note for note in notes if note))
        return st.container()


def draw_rivers(side: Sequence[KRun]) -> None:
    """Where each class goes as K grows, on the points that the runs share."""
    shared = same_points(side)
    if len(shared) < 2 and not (shared and shared[0].stage.labels is not None):
        return
    labelled = shared[0].stage.labels is not None
    start = "From labels to clusters" if labelled else "From K to K"
    st.subheader(start, anchor=False)
    draw_river(k_river_spec(shared), key="hm-river")
    words = (
        f"The same {len(shared[0].clusters):,} samples in every column. A bar is a cluster and "
        "wears the colour of its commonest class. It goes by the class that it is matched with "
        "and those that share it, or by its number, as c3, where it is matched with none."
        if labelled
        else f"The same {len(shared[0].clusters):,} samples in every column."
    )
    if left := [shown for shown in side if shown not in shared]:
        named = ", ".join(f"K = {shown.k}" for shown in left)
        words += (
            f" Not in it: {named}. Another part of the data was drawn there, so its points are "
            "others."
        )
    st.caption(words)


def draw_scores(runs: Sequence[KRun]) -> None:
    """The scores of the runs, and how they are defined."""
    st.subheader("What the scores say when K is not the number of classes", anchor=False)
    with st.container(key="hm-table"):
        draw_table(runs)
    st.download_button(
        "Table as CSV",
        scores_csv(runs),
        file_name="how-many-clusters.csv",
        mime="text/csv",
        icon=":material/table:",
        on_click="ignore",
        key="hm-csv",
    )
    if any(shown.names for shown in runs):
        draw_definitions()


main()
