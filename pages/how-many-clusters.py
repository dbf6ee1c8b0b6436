"""How many clusters?: what a model makes of one data set with 7, 10, 14 or any other K.

``?run=ID`` opens a run large, ``&with=ID,ID`` chooses those that stand beside each other,
``&rows=real`` shows samples of the data instead of the model's own. Nothing is trained here.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from pages.shared.cluster_rows import (
    cluster_rows,
    draw_rows,
    generated,
    real_pictures,
    rows_png,
)
from pages.shared.k_metrics import draw_definitions, draw_table, scores_csv
from pages.shared.k_river import cluster_colours, colours_beside, k_river_spec
from pages.shared.k_runs import (
    KRun,
    chooses_k,
    data_key,
    group_words,
    has_clusters,
    open_k_run,
    run_for_each_k,
    same_points,
    shown_beside,
    uncounted,
)
from pages.shared.k_suggestion import draw_suggestion
from pages.shared.k_watch import watch
from pages.shared.k_words import THE_RULE, findings, headline, legend
from pages.shared.networks import cached_model, has_model
from pages.shared.river import draw_river
from pages.shared.run_cards import plain_label
from pages.shared.run_choice import carry_run, keep_run, readable_summaries, run_words
from pages.shared.run_settings import settings_query
from pages.shared.session import (
    fail,
    is_supervised,
    model_title,
    percent,
    put_into_link,
    query_run_id,
    take_from_link,
)
from vade_core.data import DATASETS
from vade_core.models import MODELS
from vade_core.runs import RUNNING_STATES, RunError

Summary = dict[str, Any]
TRAIN_PAGE = "pages/train.py"
RUN, DATA, BESIDE, ROWS = "hm-run", "hm-data", "hm-with", "hm-rows"
MOST_BESIDE = 4
LARGEST_K = 1000
MOST_WORDS = 12
MOST_ROWS = 40
ROW_KINDS = {"generated": "Drawn by the model", "real": "From the data"}

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
.st-key-hm-table [data-testid="stMarkdownContainer"] { overflow-x: auto; }
@media (max-width: 1100px) {
  .st-key-hm-table td, .st-key-hm-table th { padding: .4rem .35rem; }
}
</style>
"""


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
        known = choose_data(groups)
        by_k = run_for_each_k(list(known.values()))
        beside = chosen_beside(known, by_k)
        place = st.container(width="content")
        draw_choice_of_runs(known, by_k)
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


def choose_data(groups: dict[str, list[Summary]]) -> dict[str, Summary]:
    """Draw the choice of data and model where there are several, and give its runs by id."""
    asked = query_run_id()
    owner = next((g for g, runs in groups.items() if asked in {s["id"] for s in runs}), None)
    if owner is not None and asked != st.session_state.get(f"{RUN}:link"):
        st.session_state[DATA] = owner
    # The one with the most K's has the most to show; recorded runs before others.
    usual = max(
        groups,
        key=lambda g: (len(run_for_each_k(groups[g])), sum(bool(s["recorded"]) for s in groups[g])),
    )
    if st.session_state.get(DATA) not in groups:
        st.session_state[DATA] = usual
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


def chosen_beside(known: dict[str, Summary], by_k: dict[int, Summary]) -> list[str]:
    """The runs that stand beside each other, from the link or from what was chosen before."""
    asked = st.query_params.get("with")
    if asked is not None and asked != st.session_state.get(f"{BESIDE}:link"):
        st.session_state[BESIDE] = asked.split(",")
    kept = [i for i in st.session_state.get(BESIDE) or [] if i in known][:MOST_BESIDE]
    st.session_state[BESIDE] = kept or shown_beside(by_k)
    return list(st.session_state[BESIDE])


def draw_choice_of_runs(known: dict[str, Summary], by_k: dict[int, Summary]) -> None:
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


def draw_large_rows(shown: KRun) -> None:
    """The rows of a run with their controls and downloads."""
    kinds = kinds_of_rows(shown)
    if not kinds:
        st.info("This run keeps no pictures, and no model that draws samples of its clusters.")
        return
    temperature, seed = 1.0, 0
    with st.container(horizontal=True, vertical_alignment="center"):
        kind = kinds[0]
        if len(kinds) > 1:
            take_from_link(ROWS, "rows", "generated", kinds)
            kind = (
                st.segmented_control(
                    "Samples",
                    kinds,
                    key=ROWS,
                    required=True,
                    format_func=ROW_KINDS.__getitem__,
                    label_visibility="collapsed",
                    persist_state="session",
                )
                or kind
            )
            put_into_link(ROWS, "rows", "generated")
        if kind == "generated":
            with st.popover("Noise", icon=":material/casino:"):
                temperature = st.slider(
                    "Temperature", 0.0, 2.0, 1.0, 0.1, key="hm-temperature",
                    help="Factor on each cluster's standard deviation. 0 is its mean.",
                )  # fmt: skip
                seed = int(st.number_input("Seed", 0, 2**31 - 1, 0, step=1, key="hm-seed"))
                st.caption("Every cluster gets the same noise: a column has one handwriting.")
        downloads = st.container(horizontal=True, width="content")
    try:
        samples = samples_of(shown, kind, temperature, seed)
    except (RunError, ValueError, NotImplementedError) as error:
        fail(str(error))
        return
    rows = cluster_rows(shown, samples)
    shape = shown.run.config.image_shape
    draw_rows(rows[:MOST_ROWS], shape)
    if len(rows) > MOST_ROWS:
        st.caption(f"{MOST_ROWS} of {len(rows)} clusters; the downloads hold all of them.")
    name = f"{shown.run.id}-k{shown.k}-{kind}"
    with downloads:
        if shape is not None:
            st.download_button(
                "PNG",
                lambda: rows_png(rows, shape, f"{shown.title}, K = {shown.k}"),
                file_name=f"{name}.png",
                mime="image/png",
                icon=":material/image:",
                on_click="ignore",
                key="hm-png",
            )
        st.download_button(
            "NPZ",
            lambda: samples_npz(shown, samples),
            file_name=f"{name}.npz",
            mime="application/octet-stream",
            icon=":material/data_array:",
            on_click="ignore",
            key="hm-npz",
        )


def kinds_of_rows(shown: KRun) -> list[str]:
    """Which of `ROW_KINDS` a run has."""
    there = {"generated": draws_clusters(shown), "real": shown.stage.pictures is not None}
    return [kind for kind, has in there.items() if has]


def draws_clusters(shown: KRun) -> bool:
    """Whether samples of a run's clusters can be drawn from its model."""
    if not has_model(shown.run):
        return False
    try:
        return cached_model(shown.run).prior_.n_clusters == shown.k
    except RunError:
        return True  # said where they would be drawn


def samples_of(
    shown: KRun, kind: str, temperature: float = 1.0, seed: int = 0
) -> list[NDArray[Any]]:
    """Samples of each cluster, of one of `ROW_KINDS`."""
    if kind == "real":
        return list(real_pictures(shown))
    return list(generated(shown.run, temperature=temperature, seed=seed))


def samples_npz(shown: KRun, samples: Sequence[Any]) -> bytes:
    """The samples of the rows and the cluster of each, as NPZ."""
    content = io.BytesIO()
    clusters = np.concatenate([np.full(len(s), c) for c, s in enumerate(samples)])
    flat = [np.asarray(s).reshape(len(s), -1) for s in samples if len(s)]
    np.savez_compressed(content, samples=np.concatenate(flat), clusters=clusters)
    return content.getvalue()


def draw_beside(side: Sequence[KRun]) -> None:
    """Some runs side by side, small."""
    if len(side) < 2:
        st.caption("Only one K is there: train another one to see them side by side.")
        return
    st.subheader("Side by side", anchor=False)
    kind = st.session_state.get(ROWS, "generated")
    colours = colours_beside(side) if len(same_points(side)) == len(side) else None
    for place, shown in zip(st.columns(len(side), gap="medium"), side, strict=True):
        with place:
            accuracy = shown.scores.get("acc")
            score = "" if accuracy is None else f" · ACC {percent(accuracy)}"
            st.markdown(f"**K = {shown.k}**{score}")
            own = cluster_colours(shown) if colours is None else colours[side.index(shown)]
            try:
                there = kinds_of_rows(shown)
                if not there:
                    st.caption("No samples yet.")
                    continue
                samples = samples_of(shown, kind if kind in there else there[0])
            except (RunError, ValueError, NotImplementedError) as error:
                fail(str(error))
                continue
            rows = cluster_rows(shown, samples, own)
            draw_rows(rows[:MOST_ROWS], shown.run.config.image_shape, small=True)


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
