"""Load: any run from a list with filters, or by a link (``?run=ID``), and all of it to see."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from pages.shared.front_door import enter_by_the_front_door
from pages.shared.run_actions import DELETED, draw_actions, draw_delete
from pages.shared.run_cards import (
    date_words,
    draw_cards,
    draw_supervised_badge,
    has_own_title,
    plain_label,
    state_words,
    subset_words,
    title_of,
    what_it_is,
)
from pages.shared.run_choice import keep_run, say_no_runs
from pages.shared.run_view import VIEWS, draw_summary
from pages.shared.session import (
    duration,
    fail,
    held_notes,
    is_recorded,
    is_supervised,
    model_title,
    open_run,
    put_into_link,
    query_run_id,
    read_summaries,
    roots,
    take_from_link,
)
from vade_core.runs import RUNNING_STATES, Run, RunError, find_run, runs_root

enter_by_the_front_door()

PAGE = "pages/load.py"
AT_FIRST = 12
ALL = "all"
ARRIVALS = "arrivals"  # held notes: how many archives came; the last one's run, or its refusal
ORDERS = {"newest": "Newest first", "best": "Best ACC first", "name": "By name"}
# Entry of a summary and of the address, title, words for a value.
FILTERS: tuple[tuple[str, str, Callable[[str], str]], ...] = (
    ("model", "Model", model_title),
    ("dataset", "Data set", str),
    ("state", "State", lambda state: state_words(state)[0]),
)

LIST_STYLE = """
<style>
@media (max-width: 1100px) {
  .st-key-load-filters [data-testid="stHorizontalBlock"] { flex-wrap: wrap; }
  .st-key-load-filters [data-testid="stColumn"] { flex: 1 1 9.5rem; min-width: 9.5rem; }
  .st-key-load-filters [data-testid="stColumn"]:first-child { flex-basis: 100%; }
}
</style>
"""

STYLE = """
<style>
.st-key-run-title h1 { padding: 0 .4rem 0 .2rem; font-size: 1.9rem; }
.st-key-to-time-machine a { border: 1px solid rgb(128 128 128 / 35%);
  border-radius: .5rem; padding: .45rem .9rem; }
.st-key-figures-load div:has(> [data-testid="stMetricDelta"]) { flex-wrap: wrap; row-gap: 0; }
</style>
"""


def main() -> None:
    """The opened run, or the list."""
    run_id = query_run_id()
    if run_id is None:
        draw_list()
    else:
        draw_opened(run_id)


# --- The list -----------------------------------------------------------------------------------


def draw_list() -> None:
    """All runs, with filters that a link carries."""
    st.html(LIST_STYLE)
    with st.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
    ):
        st.title("Runs", anchor=False, width="content")
        draw_upload()
    say_what_arrived()
    if gone := held_notes(DELETED).pop("title", None):
        st.success(f"{plain_label(gone)} was deleted.", icon=":material/delete:")
    summaries = read_summaries()
    if not summaries:
        say_no_runs("Train one, or bring one in that somebody gave you.")
        return
    shown = draw_filters(summaries)
    if not shown:
        st.info("No run fits these filters.", icon=":material/filter_alt_off:")
        return
    many = len(shown) > AT_FIRST and not st.session_state.get("show-all")
    draw_cards(shown[:AT_FIRST] if many else shown)
    if many:
        st.button(f"Show all {len(shown)}", on_click=_show_all)


def _show_all() -> None:
    st.session_state["show-all"] = True


def draw_filters(summaries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Draw the filters and apply them; a link carries them."""
    with st.container(key="load-filters"):
        places = st.columns([3, 2, 2, 2, 2])
    take_from_link("load-text", "find", "")
    text = places[0].text_input(
        "Find",
        key="load-text",
        placeholder="A word of its name or note",
        type="search",
        live=True,
        persist_state="session",
    )
    put_into_link("load-text", "find", "")
    kept = summaries
    for place, (name, title, words) in zip(places[1:], FILTERS, strict=False):
        found = sorted({str(s[name]) for s in summaries if s[name] is not None})
        choice = _choose(place, title, name, [ALL, *found], {ALL: "All"}.get, words)
        if choice != ALL:
            kept = [summary for summary in kept if str(summary[name]) == choice]
    order = _choose(places[4], "Order", "order", list(ORDERS), ORDERS.get, str)
    wanted = (text or "").casefold().split()
    kept = [summary for summary in kept if all(word in _searched(summary) for word in wanted)]
    if order == "best":
        kept.sort(key=lambda s: -1.0 if s["acc"] is None else s["acc"], reverse=True)
    elif order == "name":
        kept.sort(key=lambda s: title_of(s).casefold())
    return kept


def _choose(
    place: Any,
    title: str,
    name: str,
    options: list[str],
    special: Callable[[str], str | None],
    words: Callable[[str], str],
) -> str:
    """A choice that a link carries; its first option is the default."""
    key = f"load-{name}"
    take_from_link(key, name, options[0], options)
    chosen: str = place.selectbox(
        title,
        options,
        key=key,
        format_func=lambda option: special(option) or words(option),
        persist_state="session",
    )
    put_into_link(key, name, options[0])
    return chosen


def _searched(summary: dict[str, Any]) -> str:
    names = ("id", "title", "model", "dataset", "preset", "state", "note")
    return " ".join(str(summary.get(name) or "") for name in names).casefold()


def draw_upload() -> None:
    """A place to drop an archive into."""
    # New keys after each arrival close the pop-up, which would hide what is said below it, and
    # empty the field.
    arrivals = held_notes(ARRIVALS).get("count", 0)
    with st.popover("Bring a run in", icon=":material/upload:", key=f"bring-in-{arrivals}"):
        st.markdown(
            "A zip archive that somebody downloaded here or elsewhere. It is checked in full."
        )
        key = f"archive-{arrivals}"
        # Any type may be dropped: a wrong one is refused below, in our own words.
        st.file_uploader(
            "Archive of a run",
            key=key,
            on_change=_arrive,
            args=(key,),
            label_visibility="collapsed",
        )


def say_what_arrived() -> None:
    """Open a run that has just come in, or say why it was refused."""
    arrivals = held_notes(ARRIVALS)
    if sentence := arrivals.pop("refused", None):
        fail(sentence)
    if arrived := arrivals.pop("run", None):
        st.switch_page(PAGE, query_params={"run": arrived})


def _arrive(key: str) -> None:
    from vade_core.archive import ArchiveError, unpack

    file = st.session_state.get(key)
    if file is None:
        return
    arrivals = held_notes(ARRIVALS)
    try:
        arrivals["run"] = unpack(file, runs_root()).id
    except ArchiveError as error:
        arrivals["refused"] = refusal_words(file.name, str(error))
    arrivals["count"] = arrivals.get("count", 0) + 1


def refusal_words(name: str, why: str) -> str:
    """Why a file was not taken, and what to do."""
    if not name.casefold().endswith(".zip"):
        return (
            f"{plain_label(name)} is no archive of a run: choose a .zip file that Download on a "
            "run's page has made."
        )
    return f"{plain_label(name)} was not taken. {plain_label(why)}"


# --- An opened run ------------------------------------------------------------------------------


def draw_opened(run_id: str) -> None:
    """One run, with all that is known of it."""
    st.html(STYLE)
    # A click on a card of this very page leaves the browser's address as it was. Said anew, the
    # run gets into it, and Back leads to the list.
    st.query_params["run"] = run_id
    run = open_run(run_id)
    if run is None:
        draw_broken(run_id)
        return
    try:
        summary, status = run.summary(), run.status()
    except RunError as error:
        fail(str(error))
        draw_broken(run_id)
        return
    keep_run("load", run_id)
    state = status["state"]
    draw_title(run, summary, state)
    with st.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
    ):
        take_from_link("load-view", "view", "overview", VIEWS)
        view = (
            st.segmented_control(
                "View",
                list(VIEWS),
                required=True,
                key="load-view",
                format_func=lambda name: VIEWS[name][0],
                label_visibility="collapsed",
                persist_state="session",
            )
            or "overview"
        )
        put_into_link("load-view", "view", "overview")
        draw_actions(run, state)
    moving = state in (*RUNNING_STATES, "queued")
    st.fragment(draw_body, run_every=2 if moving else None)(run.id, view, state)


def draw_title(run: Run, summary: dict[str, Any], state: str) -> None:
    """What it is called, how it stands, what it is, and a person's note."""
    config = run.config
    word, colour = state_words(state)
    with st.container(horizontal=True, vertical_alignment="center", key="run-title"):
        draw_way_back()
        st.title(plain_label(title_of(summary)), anchor=False, width="content")
        st.badge(word, color=colour)  # type: ignore[arg-type]
        if is_supervised(config.model):
            draw_supervised_badge()
        if is_recorded(run):
            st.badge("Recorded", color="violet")
        facts = [
            what_it_is(summary) if has_own_title(summary) else "",
            subset_words(config.dataset, config.subset),
            f"K = {config.clusters}",
            f"preset {config.preset}",
            f"seed {config.seed}",
            date_words(config.created),
        ]
        st.markdown(plain_label(" · ".join(fact for fact in facts if fact)), width="content")
    try:
        note = run.note()["note"]
    except RunError as error:
        fail(str(error))
    else:
        if note:
            st.markdown(plain_label(note).replace("\n", "  \n"))


def draw_way_back() -> None:
    """Back to the list. A link to the page one is on would keep the run in the address."""
    if st.button("All runs", icon=":material/arrow_back:", type="tertiary", key="all-runs"):
        st.switch_page(PAGE)


def draw_body(run_id: str, view: str, state: str) -> None:
    """What changes while the run is trained."""
    try:
        run = find_run(run_id, roots())
        status = run.status()
        if status["state"] != state:
            st.rerun(scope="app")
        if status.get("error"):
            fail(str(status["error"]))
        elif state in (*RUNNING_STATES, "queued"):
            st.info(progress_words(status), icon=":material/hourglass_top:")
        draw_summary(run, status)
        VIEWS[view][1](run, state in RUNNING_STATES)
    except (RunError, OSError) as error:
        fail(str(error))


def progress_words(status: dict[str, Any]) -> str:
    """How far a training has come, in a sentence or two."""
    words = str(status.get("words") or "Waiting")
    if status.get("epochs"):
        words += f": {status.get('epoch', 0)} of {status['epochs']} epochs"
    left = status.get("eta_seconds")
    return f"{words}." if left is None else f"{words}. About {duration(left)} left."


def draw_broken(run_id: str) -> None:
    """The way back; a run that cannot be read can still be deleted, if it is a person's own."""
    draw_way_back()
    try:
        run = find_run(run_id, roots())
    except RunError:
        return
    if not is_recorded(run):
        draw_delete(run, "broken")


main()
