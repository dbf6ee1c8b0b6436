"""Clusters: what each cluster of a run has learnt to draw, and how well it agrees with the labels.

``?run=ID`` opens a run; ``&count=``, ``&temperature=``, ``&seed=`` and ``&order=gamma`` set the
studio, ``&part=asked-for`` leads to the distances. Nothing is trained here.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from pages.shared.density import draw_run_density
from pages.shared.front_door import enter_by_the_front_door
from pages.shared.networks import SERVER_SENTENCE, cached_model, draw_networks, has_model
from pages.shared.part_of_page import go_to_part, part
from pages.shared.run_choice import WIDE, choose_run, readable_summaries, say_no_runs
from pages.shared.run_map import commonest_classes
from pages.shared.session import fail, model_title, open_run, percent, tell_of_others
from pages.shared.studio import (
    Settings,
    draw_studio,
    settings_in_link,
    settings_of,
    studio_message,
    told_settings,
    words_of_settings,
)
from pages.shared.studio_acc import (
    acc_spec,
    count_all,
    counted_all,
    counts_csv,
    draw_acc,
    stage_counts,
)
from pages.shared.studio_distances import (
    GENERATED,
    NEAREST,
    Distances,
    distances_csv,
    distances_figure,
    distances_of,
    read_samples,
    sentence_about,
)
from pages.shared.studio_facts import StudioFacts, gather_facts
from pages.shared.studio_files import clusters_csv, samples_npz, served_by
from vade_core.colours import legend_of_numbers
from vade_core.data import DataError
from vade_core.models import MODELS
from vade_core.runs import RUNNING_STATES, Run, RunError

enter_by_the_front_door()

LINK_NAMES = ("count", "temperature", "seed", "order")


def main() -> None:
    """The chosen run's clusters, or why there are none."""
    st.html(WIDE)
    summaries = readable_summaries()
    if not summaries:
        say_no_runs("This page shows what the clusters of a run draw: train one first.")
        return
    with st.container(horizontal=True, vertical_alignment="center", key="cs-head"):
        run_id = choose_run(summaries, "cs-run", first=draws_by_cluster)
        run = open_run(run_id)
        if run is None:
            return
        try:
            live = run.status()["state"] in RUNNING_STATES
            if live:
                st.button("Look again", icon=":material/refresh:", key="cs-again")
        except (RunError, OSError) as error:
            fail(str(error))
            return
    try:
        draw_run(run, live)
    except (RunError, OSError) as error:
        fail(str(error))


def draws_by_cluster(summary: dict[str, Any]) -> bool:
    """Whether a run is what this page likes to open with: a finished model that sorts samples by
    a prior of its own, and was told no label."""
    entry = MODELS.get(summary["model"])
    if entry is None or entry.supervised or entry.baseline or not entry.own_clusters:
        return False
    return summary["acc"] is not None


def draw_run(run: Run, live: bool) -> None:
    """Everything about a run."""
    if not has_model(run):
        words = "Its clusters come with its first checkpoint." if live else "Train it to the end."
        st.info(f"This run has no trained model yet. {words}", icon=":material/hourglass_top:")
        return
    model = cached_model(run)
    facts = gather_facts(run, model)
    if facts.own and not facts.supervised and not facts.line:
        st.info(
            "This run has no clusters yet: they come when its pretraining is over.",
            icon=":material/hourglass_top:",
        )
        return
    if live:
        st.caption("This run still trains: here is its last checkpoint.")
    digest = draw_networks(run)
    if not facts.own:
        st.info(
            f"{model_title(run.config.model)} has one prior for everything: it cannot be asked for "
            "a cluster, so there are no rows to choose from.",
            icon=":material/info:",
        )
    note_beginning(run)
    draw_run_density(run, f"cs-density-{run.id}")
    draw_top(run.id, digest)
    draw_middle(run.id)
    draw_bottom(run.id)
    go_to_part()


def note_beginning(run: Run) -> None:
    """Note the settings with which a studio begins: those it was left with, else the link's.

    Only where the whole page runs: what a person moves later must not send the studio again.
    """
    begin, now = f"cs-begin-{run.id}", f"cs-now-{run.id}"
    if now in st.session_state:
        st.session_state[begin] = st.session_state[now]
    elif begin not in st.session_state:
        asked = {name: st.query_params.get(name) for name in LINK_NAMES}
        taken = settings_of(asked | {"sorted": asked["order"]})
        tell_of_others(asked, words_of_settings(taken))
        st.session_state[begin] = taken


@st.fragment
def draw_top(run_id: str, digest: str | None) -> None:
    """The studio and what can be taken away from it."""
    run = open_run(run_id)
    if run is None:
        return
    try:
        facts = gather_facts(run, cached_model(run))
        settings = draw_studio_of(run, facts, digest)
        draw_files(run, facts, settings)
        if facts.own:
            st.caption(words_about_rows(facts))
    except (RunError, OSError) as error:
        fail(str(error))


def words_about_rows(facts: StudioFacts) -> str:
    """What stands beside each row: the weight, the purity, and names such as c7."""
    said = ["π is the weight of a cluster in what samples are drawn from."]
    if any(purity is not None for purity in facts.purities):
        said.append(
            f"Pure: the share of its commonest {facts.noun}, among the samples on the maps."
        )
    names = [look.name for look in facts.looks]
    stage, frame, commonest = facts.stage, facts.frame, None
    if stage is not None and frame is not None and frame.clusters is not None:
        commonest = commonest_classes(stage.labels, frame.clusters, len(names), facts.class_names)
    said.append(legend_of_numbers(names, commonest, noun=facts.noun))
    return " ".join(said).strip()


def draw_studio_of(run: Run, facts: StudioFacts, digest: str | None) -> Settings:
    """The studio, with samples of the server's where the browser has no networks."""
    initial: Settings = st.session_state[f"cs-begin-{run.id}"]
    key, now = f"studio-{run.id}", f"cs-now-{run.id}"
    served = None
    if digest is None:
        st.caption(SERVER_SENTENCE)
        served = served_by(run, told_settings(key) or st.session_state.get(now, initial))
    told = draw_studio(studio_message(facts, digest, initial, served), key=key)
    if told is not None:
        st.session_state[now] = told
    settings: Settings = st.session_state.get(now, initial)
    words = settings_in_link(settings)
    for name in LINK_NAMES:
        if name in words:
            if st.query_params.get(name) != words[name]:
                st.query_params[name] = words[name]
        else:
            st.query_params.pop(name, None)
    return settings


def draw_files(run: Run, facts: StudioFacts, settings: Settings) -> None:
    """Downloads of the samples and of the clusters' figures."""
    with st.container(horizontal=True):
        st.download_button(
            "Samples as NPZ",
            lambda: samples_npz(cached_model(run), facts, settings),
            file_name=f"{run.id}-samples.npz",
            mime="application/octet-stream",
            icon=":material/download:",
            on_click="ignore",
            key=f"cs-npz-{run.id}",
            help="Samples, latents and γ, with this seed and temperature.",
        )
        st.download_button(
            "Clusters as CSV",
            lambda: clusters_csv(facts).encode(),
            file_name=f"{run.id}-clusters.csv",
            mime="text/csv",
            icon=":material/table:",
            on_click="ignore",
            key=f"cs-csv-{run.id}",
            help="Weight π, size and purity of each cluster.",
        )


@st.fragment
def draw_middle(run_id: str) -> None:
    """What ACC is, on this run."""
    run = open_run(run_id)
    if run is None:
        return
    st.subheader("What is ACC?", anchor=False)
    try:
        facts = gather_facts(run, cached_model(run))
        draw_matching(run, facts)
    except (RunError, OSError) as error:
        fail(str(error))


def draw_matching(run: Run, facts: StudioFacts) -> None:
    """The table of clusters against classes with its steps, or why there is none."""
    if not facts.labelled:
        st.info(
            "This data set has no labels: purity and ACC need them.", icon=":material/label_off:"
        )
        return
    counts = counted_all(run, facts) or stage_counts(run, facts)
    if counts is None:
        st.info(
            "The table begins with the first frame that has clusters.", icon=":material/grid_on:"
        )
        return
    if facts.supervised:
        st.caption(
            "This model was trained with the labels: it knows which class each of its clusters is."
        )
    elif not facts.own:
        st.caption("The clusters are those of a mixture that was fitted to the latents afterwards.")
    draw_acc(acc_spec(counts, facts.noun), key=f"acc-{run.id}")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button(
            "Table as CSV",
            lambda: counts_csv(counts).encode(),
            file_name=f"{run.id}-acc.csv",
            mime="text/csv",
            icon=":material/table:",
            on_click="ignore",
            key=f"cs-acc-csv-{run.id}",
        )
        if not counts.is_all and st.button(
            f"Count all {run.config.n_samples:,} samples",
            icon=":material/functions:",
            key=f"cs-all-{run.id}",
        ):
            with st.spinner("Sorting every sample …"):
                try:
                    count_all(run)
                except DataError as error:
                    fail(str(error))
                    return
            st.rerun(scope="fragment")
        st.caption(
            f"Counted: {counts.words}, ACC {percent(counts.accuracy)}."
            + (
                f" The run on all samples: {percent(counts.run_accuracy)}."
                if counts.run_accuracy is not None
                else ""
            )
        )


@st.fragment
def draw_bottom(run_id: str) -> None:
    """How near generated samples are to real ones."""
    run = open_run(run_id)
    if run is None:
        return
    with part("asked-for"):
        st.subheader("Does it draw what it is asked for?", anchor=False)
    try:
        facts = gather_facts(run, cached_model(run))
        found = distances_of(run, facts)
        if found is None:
            st.info(why_no_distances(run, facts), icon=":material/info:")
            return
        st.markdown(sentence_about(found))
        st.plotly_chart(
            distances_figure(found),
            key=f"cs-heat-{run.id}",
            config={"displaylogo": False, "modeBarButtonsToRemove": ["select2d", "lasso2d"]},
        )
        whose = "that the run keeps" if found.more else "on the maps"
        st.caption(
            f"{GENERATED} samples of each cluster at temperature 1: Euclidean distance to the "
            f"{NEAREST} nearest real ones of each {found.noun}, or as many as there are among the "
            f"{found.n_real:,} {whose}, averaged. Dark is near; a dark diagonal is good. "
            "After Czerwonski (2025)."
        )
        draw_distance_files(run, facts, found)
    except (RunError, OSError) as error:
        fail(str(error))


def draw_distance_files(run: Run, facts: StudioFacts, found: Distances) -> None:
    """The heat map's download, and the button for more real samples where there are more."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button(
            "Distances as CSV",
            lambda: distances_csv(found).encode(),
            file_name=f"{run.id}-distances.csv",
            mime="text/csv",
            icon=":material/table:",
            on_click="ignore",
            key=f"cs-heat-csv-{run.id}",
        )
        assert facts.stage is not None
        if found.more and st.button(
            f"Compare with the {len(facts.stage.rows):,} samples on the maps",
            icon=":material/functions:",
            key=f"cs-read-{run.id}",
            help="They are read from the data set: a run keeps few samples that are no pictures.",
        ):
            with st.spinner("Reading the samples …"):
                try:
                    read_samples(run, facts)
                except DataError as error:
                    fail(str(error))
                    return
            st.rerun(scope="fragment")


def why_no_distances(run: Run, facts: StudioFacts) -> str:
    """Why there is no heat map, in a sentence."""
    if not facts.own:
        return (
            f"{model_title(run.config.model)} cannot be asked for a cluster, so there is nothing "
            "to compare with what was asked for."
        )
    return "The heat map begins with the first frame that has clusters."


main()
