"""Time machine: a run's map through all its epochs, large, with what it is made of.

``?run=ID`` opens a run, ``&lens=umap`` a map of it. Nothing is trained here; a map of all samples
and one with another seed are made by processes of their own.
"""

from __future__ import annotations

from collections.abc import Collection

import streamlit as st

from pages.shared.exports import draw_exports
from pages.shared.front_door import enter_by_the_front_door
from pages.shared.gallery import draw_gallery
from pages.shared.latent_map import latent_map
from pages.shared.other_seed import draw_other_seed
from pages.shared.river import draw_river, river_spec, sentence_about, usual_moments
from pages.shared.run_choice import (
    WIDE,
    choose_run,
    readable_summaries,
    run_in_hand,
    say_no_runs,
)
from pages.shared.run_map import (
    MAP_TO_COME,
    SELECTED_ON,
    cluster_words,
    lenses_of,
    read_frames,
    say_skipped,
    selected_here_or_before,
    selected_on,
)
from pages.shared.session import (
    cached_metrics,
    fail,
    open_run,
    percent,
    put_into_link,
    query_run_id,
    roots,
    take_from_link,
)
from pages.shared.stages import has_epochs, meanings_of, stages_line, stages_of
from pages.shared.whole_map import draw_whole_map
from vade_core.projection import LENSES
from vade_core.run_frames import RunFrames
from vade_core.runs import RUNNING_STATES, Run, RunError, find_run

enter_by_the_front_door()

# What stands above the map and must stay below it, in CSS pixels of the window.
ABOVE = 160
LEAST_HEIGHT = 520
MOST_MOMENTS = 8


def main() -> None:
    """The chosen run's time machine, or why there is none."""
    st.html(WIDE)
    summaries = readable_summaries()
    if not summaries:
        say_no_runs("The time machine travels through the epochs of a run: train one first.")
        return
    with st.container(horizontal=True, vertical_alignment="center", key="tm-head"):
        begin_where_selected({str(summary["id"]) for summary in summaries})
        run_id = choose_run(summaries, "tm-run")
        run = open_run(run_id)
        if run is None:
            return
        try:
            lens = choose_lens(run)
        except RunError as error:
            fail(str(error))
            return
    if lens is None:
        st.info("This run was made without maps.", icon=":material/map:")
        return
    moving = is_moving(run)
    st.fragment(draw_body, run_every=1 if moving else None)(run_id, lens, moving)


def begin_where_selected(known: Collection[str]) -> None:
    """Open the run and the map on which a person has just selected points, if none are asked for.

    Once: from then on the choice here counts, and so does a run that was looked at since.
    """
    noted = st.session_state.get(SELECTED_ON) or {}
    if noted.get("taken") or noted.get("run") not in known:
        return
    if run_in_hand() not in (None, noted["run"]):
        return
    if query_run_id() in (None, noted["run"]):
        noted["taken"] = True
        st.session_state["tm-run"] = noted["run"]
        if "lens" not in st.query_params:
            st.session_state["tm-lens"] = noted["lens"]


def choose_lens(run: Run) -> str | None:
    """Draw the choice of a map; a link carries it."""
    lenses = lenses_of(run)
    if not lenses:
        return None
    lens = lenses[0]
    if len(lenses) > 1:
        take_from_link("tm-lens", "lens", lenses[0], lenses)
        lens = (
            st.segmented_control(
                "Map",
                lenses,
                required=True,
                key="tm-lens",
                format_func=lambda name: LENSES[name].title,
                label_visibility="collapsed",
                persist_state="session",
            )
            or lens
        )
        put_into_link("tm-lens", "lens", lenses[0])
    else:
        st.query_params.pop("lens", None)
    return lens


def is_moving(run: Run) -> bool:
    """Whether a run changes without anybody's doing."""
    return run.status()["state"] in (*RUNNING_STATES, "queued")


def draw_body(run_id: str, lens: str, moving: bool) -> None:
    """The map and everything that depends on it."""
    try:
        run = find_run(run_id, roots())
        if is_moving(run) != moving:
            st.rerun(scope="app")
        draw_machine(run, lens)
    except (RunError, OSError) as error:
        fail(str(error))


def draw_machine(run: Run, lens: str) -> None:
    """The big map with the selected points, the river, and the map of another seed."""
    live = run.status()["state"] in RUNNING_STATES
    by_trust = bool(st.session_state.get("tm-trust"))
    found = read_frames(run, lens, trust=by_trust)
    frames = found.frames
    if frames is None:
        if not found.skipped:
            words = MAP_TO_COME if live else "This run has no frames."
            st.info(words, icon=":material/map:")
        say_skipped(found)
        return
    usual = "cluster" if frames.labels is None else "label"
    noted = selected_on(run.id)
    left, right = st.columns([7, 3], gap="medium")
    with left:
        answer = latent_map(
            frames,
            key=f"tm-{run.id}",
            height=LEAST_HEIGHT,
            above=ABOVE,
            live=live,
            colour="trust" if by_trust else usual,
            autoplay=not live,
            name=run.id,
            left_as=noted["key"] if noted.get("lens") == lens else None,
        )
        stages = stages_of(run.config, cached_metrics(run), run.status())
        if words := stages_line(stages):
            st.caption(words, help=meanings_of(stages) or None)
        if words := cluster_words(frames, answer.frame):
            st.caption(words)
        say_skipped(found)
    with right:
        selected = selected_here_or_before(run.id, answer)
        draw_gallery(frames, selected, answer.frame)
        if len(selected) and not len(answer.selected):
            st.caption("Selected on the page before. Select points here to look at others.")
        draw_trust(found, lens, answer.frame)
        title = str(frames.epochs[answer.frame])
        draw_exports(run, lens, found.numbers[answer.frame], title)
    draw_clusters(run, found)
    st.subheader(f"All {run.config.n_samples:,} points", anchor=False)
    draw_whole_map(run, lens, found, live)
    st.subheader("The same latents, another seed", anchor=False)
    draw_other_seed(run, lens, found, answer.frame)


def draw_trust(found: RunFrames, lens: str, i: int) -> None:
    """How far the frame that is shown can be trusted."""
    assert found.frames is not None
    frames = found.frames
    st.subheader("How far to trust it", anchor=False)
    st.markdown(LENSES[lens].words)
    if frames.recall is not None and frames.recall[i] is not None:
        share = percent(frames.recall[i])
        title = frames.epochs[i]
        st.markdown(
            f"**{share}** of the ten nearest neighbours in latent space are among the ten "
            f"nearest on this map, {title}. This is its 10-NN recall."
        )
    st.toggle(
        "Colour the points by it",
        key="tm-trust",
        persist_state="session",
        help="Blue points keep their neighbours. Around orange ones the map misleads.",
    )


def draw_clusters(run: Run, found: RunFrames) -> None:
    """The river of assignments over some epochs."""
    assert found.frames is not None
    frames = found.frames
    st.subheader("Clusters through time", anchor=False)
    usual = usual_moments(frames, found.phases)
    if len(usual) < 2:
        words = "The river begins with the second epoch that has clusters."
        if not has_epochs(run.config) and run.state == "finished":
            words = "This model sorts in one step: its clusters have no way through time."
        st.info(words)
        return
    known = [i for i in range(frames.n_frames) if i >= usual[0]]
    titles = {found.numbers[i]: str(frames.epochs[i]) for i in known}
    places = {found.numbers[i]: i for i in known}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        # By the frames' numbers: places shift where a frame cannot be read any more.
        key = f"tm-moments-{run.id}"
        follow_usual(key, [found.numbers[i] for i in usual], titles)
        chosen = st.multiselect(
            "Epochs",
            list(titles),
            format_func=titles.__getitem__,
            max_selections=MOST_MOMENTS,
            key=key,
            width="stretch",
            persist_state="session",
        )
        labels = frames.labels is not None and st.toggle(
            "Labels at the end", key="tm-labels", persist_state="session"
        )
    moments = sorted(places[number] for number in chosen)
    if not moments or len(moments) + labels < 2:
        st.info("Choose at least two epochs.", icon=":material/water:")
        return
    spec = river_spec(frames, moments, labels=labels)
    draw_river(spec, key=f"tm-river-{run.id}")
    st.caption(
        " ".join(
            [
                "A column is an epoch, a bar a cluster, a stream the points that went from one to "
                "the other. A cluster wears the colour of the class it is matched with."
                if frames.matched is not None and (frames.matched >= 0).any()
                else "A column is an epoch, a bar a cluster, a stream the points that went from "
                "one to the other.",
                sentence_about(spec),
            ]
        )
    )


def follow_usual(key: str, usual: list[int], known: Collection[int]) -> None:
    """Let a choice of epochs follow a run that goes on, until a person chooses."""
    before, now = st.session_state.get(f"{key}:usual"), st.session_state.get(key)
    if now is None or now == before:
        st.session_state[key] = usual
    elif any(number not in known for number in now):
        st.session_state[key] = [number for number in now if number in known]
    st.session_state[f"{key}:usual"] = usual


main()
