"""Which runs the page on K shows: the data and model, those beside each other, the large one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from pages.shared.k_runs import KRun, group_words, open_k_run, run_for_each_k, shown_beside
from pages.shared.run_cards import plain_label
from pages.shared.run_choice import carry_run, come_with, keep_run, run_words
from pages.shared.run_settings import settings_query
from pages.shared.session import fail, put_into_link, query_run_id, take_from_link
from vade_core.data import DATASETS
from vade_core.runs import RunError

__all__ = [
    "TRAIN_PAGE",
    "choose_data",
    "choose_k",
    "chosen_beside",
    "draw_runs_beside",
    "draw_train_another",
    "opened",
]

Summary = dict[str, Any]
TRAIN_PAGE = "pages/train.py"
RUN, DATA, BESIDE = "hm-run", "hm-data", "hm-with"
MOST_BESIDE = 4
LARGEST_K = 1000


Groups = dict[str, list[Summary]]


def choose_data(groups: Groups, everything: Sequence[Summary]) -> dict[str, Summary]:
    """Draw the choice of data and model where there are several, and give its runs by id."""
    asked = query_run_id()
    owner = _group_of(asked, groups)
    if owner is not None and asked != st.session_state.get(f"{RUN}:link"):
        st.session_state[DATA] = owner
    elif owner is None and (home := _home_of(come_with(RUN), groups, everything)):
        st.session_state[DATA] = home
    if st.session_state.get(DATA) not in groups:
        st.session_state[DATA] = _richest(groups)
    chosen = st.session_state[DATA]
    if len(groups) > 1:
        words = group_words(list(groups))
        chosen = st.selectbox(
            "Data set and model",
            list(groups),
            key=DATA,
            format_func=words.__getitem__,
            label_visibility="collapsed",
            width=170 if max(map(len, words.values())) < 14 else 260,
            persist_state="session",
        )
    return {str(summary["id"]): summary for summary in groups[chosen]}


def _richest(groups: Groups) -> str:
    """The group with the most K's, which has the most to show; recorded runs before others."""
    return max(
        groups,
        key=lambda g: (len(run_for_each_k(groups[g])), sum(bool(s["recorded"]) for s in groups[g])),
    )


def _group_of(run_id: str | None, groups: Groups) -> str | None:
    return next((g for g, runs in groups.items() if run_id in {s["id"] for s in runs}), None)


def _home_of(run_id: str | None, groups: Groups, everything: Sequence[Summary]) -> str | None:
    """The group of a run; where its model is in none, the richest of its data set."""
    dataset = next((s["dataset"] for s in everything if s["id"] == run_id), None)
    same = {g: runs for g, runs in groups.items() if runs[0]["dataset"] == dataset}
    return _group_of(run_id, groups) or (_richest(same) if same else None)


def chosen_beside(known: dict[str, Summary], by_k: dict[int, Summary]) -> list[str]:
    """The runs that stand beside each other, from the link or from what was chosen before."""
    asked = st.query_params.get("with")
    if asked is not None and asked != st.session_state.get(f"{BESIDE}:link"):
        st.session_state[BESIDE] = asked.split(",")
    kept = [i for i in st.session_state.get(BESIDE) or [] if i in known][:MOST_BESIDE]
    st.session_state[BESIDE] = kept or shown_beside(by_k)
    return list(st.session_state[BESIDE])


def draw_runs_beside(known: dict[str, Summary], by_k: dict[int, Summary]) -> None:
    """Draw the choice of the runs that stand beside each other; a link carries it."""
    with st.popover("Runs", icon=":material/view_column:"):
        st.multiselect(
            "Beside each other",
            sorted(known, key=lambda i: (known[i]["clusters"], i)),
            key=BESIDE,
            format_func=lambda i: run_words(known[i]),
            max_selections=MOST_BESIDE,
            persist_state="session",
        )
        st.caption(
            "Runs of one model and data set. Where several have the same K, choose here which."
        )
    chosen = st.session_state[BESIDE]
    words = ",".join(chosen) if chosen and chosen != shown_beside(by_k) else None
    if words is None:
        st.query_params.pop("with", None)
    elif st.query_params.get("with") != words:
        st.query_params["with"] = words
    st.session_state[f"{BESIDE}:link"] = words


def choose_k(
    place: Any, known: dict[str, Summary], by_k: dict[int, Summary], beside: Sequence[str]
) -> str:
    """Draw the page's main control: every K that there is. Gives a run's id."""
    asked = query_run_id()
    kept = st.session_state.get(RUN)
    # What stands beside the others comes before what stands for its K.
    taken = {known[i]["clusters"] for i in beside}
    options = [*beside, *(str(s["id"]) for k, s in by_k.items() if k not in taken)]
    for wanted in (asked, kept):
        if wanted in known and wanted not in options:
            options.append(wanted)
    options.sort(key=lambda i: (known[i]["clusters"], i))
    carry_run(RUN, options)
    middle = sorted(beside, key=lambda i: known[i]["clusters"])[0]
    take_from_link(RUN, "run", middle, options)
    shared = [known[i]["clusters"] for i in options]
    with place:
        chosen = st.segmented_control(
            "Clusters, K",
            options,
            key=RUN,
            required=True,
            format_func=lambda i: k_words(known[i], shared),
            label_visibility="collapsed",
            persist_state="session",
        )
    put_into_link(RUN, "run", None)
    keep_run(RUN, chosen or middle)
    return chosen or middle


def k_words(summary: Summary, shared: Sequence[int]) -> str:
    """What the main control calls a run: its K, and more where several have it."""
    k = summary["clusters"]
    alone = list(shared).count(k) == 1
    return f"K = {k}" if alone else f"K = {k} · {plain_label(str(summary['title']))}"


def draw_train_another(summary: Summary, by_k: dict[int, Summary]) -> None:
    """Draw the way to Train with another K filled in."""
    with st.popover("Train another K", icon=":material/add_circle:"):
        if summary["dataset"] not in DATASETS:
            st.markdown("The Train page does not know this data set: train from the command line.")
            return
        free = next(k for k in (12, 8, 9, 11, 13, 20, *range(2, LARGEST_K)) if k not in by_k)
        k = st.number_input("K", 2, LARGEST_K, free, step=1, key="hm-other-k")
        st.caption("Data set, recipe and seed stay as they are in the run that is shown.")
        if st.button("Open Train", type="primary", key="hm-train"):
            run = opened({str(summary["id"]): summary}, [str(summary["id"])])
            for shown in run.values():
                st.switch_page(
                    TRAIN_PAGE, query_params=settings_query(shown.run.config) | {"k": str(int(k))}
                )


def opened(known: dict[str, Summary], wanted: Sequence[str]) -> dict[str, KRun]:
    """The runs of some ids that can be read; a sentence for each other one."""
    found = {}
    for run_id in dict.fromkeys(wanted):
        try:
            shown = open_k_run(known[run_id])
        except (RunError, OSError) as error:
            fail(str(error))
            continue
        if shown is not None:
            found[run_id] = shown
    return found
