"""Interpolate: what lies between two digits, in latent space and in the prior's eyes.

``?run=ID`` opens a run; ``a``, ``b``, ``way``, ``t`` and others in the link are what is chosen.
Nothing is trained here, and the browser decodes.
"""

from __future__ import annotations

import hashlib

import streamlit as st

from pages.shared.density import draw_run_density
from pages.shared.exploration import Exploration, earlier_frames, explore, line_of
from pages.shared.exploration_choice import (
    Choice,
    checked_choice,
    choice_from_link,
    link_of_choice,
    usual_choice,
    words_of_choice,
)
from pages.shared.exploration_message import why_no_drawing
from pages.shared.front_door import enter_by_the_front_door
from pages.shared.interpolation import draw_interpolation, path_npz
from pages.shared.networks import SERVER_SENTENCE, cached_model, draw_networks, has_model
from pages.shared.run_choice import WIDE, choose_run, readable_summaries, say_no_runs
from pages.shared.run_map import commonest_classes
from pages.shared.session import fail, held_notes, open_run, stamp_of, tell_of_others
from vade_core.colours import legend_of_numbers
from vade_core.run_frames import frame_title
from vade_core.runs import CHECKPOINT, CONFIG, RUNNING_STATES, STAGE, Run, RunError

enter_by_the_front_door()

STARTS = "ip-starts"  # held notes: what the component began with, and what the link said, by run


def main() -> None:
    """The chosen run's latent space, or why there is none."""
    st.html(WIDE)
    summaries = readable_summaries()
    if not summaries:
        say_no_runs("There is nothing to interpolate between: train a run first.")
        return
    head = st.container(horizontal=True, vertical_alignment="center", key="ip-head")
    with head:
        run = open_run(choose_run(summaries, "ip-run"))
    if run is None:
        return
    try:
        draw_page(run, head)
    except (RunError, OSError) as error:
        fail(str(error))


def draw_page(run: Run, head: st.delta_generator.DeltaGenerator) -> None:
    """The component, the download and what has to be said of this run."""
    live = run.status()["state"] in RUNNING_STATES
    if not has_model(run):
        words = "It appears here with its first checkpoint." if live else "It left no checkpoint."
        st.info(f"This run has no trained model yet. {words}", icon=":material/hourglass_empty:")
        return
    frame = chosen_frame(run)
    world = world_of(run, frame)
    found = explored(run, world, frame)
    if found is None:
        st.info("This run has no frames, so there are no digits to choose.", icon=":material/map:")
        return
    model = cached_model(run, frame)
    digest = draw_networks(run, encoder=found.box is not None, frame=frame)
    usual = usual_of(found, world)
    choice = draw_interpolation(
        found,
        starting_choice(run, found, usual),
        model,
        digest=digest,
        world=world,
        key=f"ip-{run.id}",
    )
    keep_in_link(run, choice, usual)
    draw_run_density(run, f"ip-density-{run.id}")
    with head:
        st.download_button(
            "NPZ",
            lambda: path_npz(found, choice, model),
            file_name=f"{run.id}-path.npz",
            mime="application/zip",
            icon=":material/download:",
            on_click="ignore",
            key="ip-npz",
            help="Latents, samples, p(c|z) and log p(z) along the path from A to B, and the grid "
            "between the four corners. The address of this page carries what you chose.",
        )
    for sentence in sentences_about(found, live=live, in_browser=digest is not None):
        st.caption(sentence)


def chosen_frame(run: Run) -> int | None:
    """The epoch to look at, of a run that kept its models; None for the last one.

    The link carries it as ``frame``.
    """
    earlier = earlier_frames(run)
    if not earlier:
        return None
    options = [*earlier, run.frame_numbers()[-1]]
    key = f"ip-frame-{run.id}"
    if st.session_state.get(key) not in options:
        asked = st.query_params.get("frame")
        wanted = next((number for number in options if str(number) == asked), options[-1])
        tell_of_others({"frame": asked}, {"frame": str(wanted)})
        st.session_state[key] = wanted
    chosen = st.select_slider(
        "Epoch",
        options,
        format_func=lambda number: frame_title(line_of(run, number)),
        key=key,
        help="This run kept its networks at every frame. Choose an earlier epoch: the same digits, "
        "and a digit you have drawn, are shown as the model saw them then.",
    )
    if chosen == options[-1]:
        st.query_params.pop("frame", None)
        return None
    st.query_params["frame"] = str(chosen)
    return chosen


def world_of(run: Run, frame: int | None) -> str:
    """What changes whenever anything that the page shows of a run does."""
    numbers = run.frame_numbers() if frame is None else [frame]
    last = numbers[-1] if numbers else -1
    files = [run.path / name for name in (CONFIG, CHECKPOINT, STAGE)]
    # A frame is written before its line of the metrics: what the line says is not known at once.
    told = bool(line_of(run, last))
    stamp = stamp_of(*files, run.frame_path(last))
    return hashlib.sha256(repr((str(run.path), last, told, stamp)).encode()).hexdigest()


@st.cache_resource(show_spinner=False, max_entries=6)
def explored(_run: Run, world: str, frame: int | None) -> Exploration | None:
    """What `explore` gives, read once."""
    return explore(_run, frame)


@st.cache_resource(show_spinner=False, max_entries=6)
def usual_of(_found: Exploration, world: str) -> Choice:
    """What the page opens with, worked out once."""
    return usual_choice(_found)


def starting_choice(run: Run, found: Exploration, usual: Choice) -> Choice:
    """What the component begins with: what the link asks for, until the link asks for more.

    The link follows what a person chooses; only one that somebody else wrote replaces it. One that
    asks for nothing is the navigation's: then it goes on as the page was left.
    """
    asked = choice_from_link(st.query_params)
    notes = held_notes(STARTS)
    written_here = any(each.get("link") == asked for each in notes.values())  # of another run
    note = notes.setdefault(run.id, {})
    if "start" not in note or (note.get("link") is not None and asked != note["link"]):
        note["start"] = asked or note.get("link") or {}
        if not written_here:
            said = {name: st.query_params[name] for name in asked}
            tell_of_others(said, words_of_choice(checked_choice(asked, found, usual)))
    return checked_choice(note["start"], found, usual)


def keep_in_link(run: Run, choice: Choice, usual: Choice) -> None:
    """Let the address carry what is chosen, unless it is what the page opens with."""
    for name, value in link_of_choice(choice, usual).items():
        if value is None:
            st.query_params.pop(name, None)
        elif st.query_params.get(name) != value:
            st.query_params[name] = value
    held_notes(STARTS)[run.id]["link"] = choice_from_link(st.query_params)


def words_about_names(found: Exploration) -> str:
    """What a name such as c7 means here; empty where every cluster goes by a class."""
    names = [name for name, _ in found.looks]
    commonest = None
    if found.clusters is not None:
        commonest = commonest_classes(found.labels, found.clusters, len(names), found.class_names)
    return legend_of_numbers(names, commonest)


def sentences_about(found: Exploration, *, live: bool, in_browser: bool) -> list[str]:
    """What a person has to know of this run."""
    said = []
    if not found.gaussian:
        said.append(
            "No mixture of Gaussians is this model's prior: in the density and in p(c|z), "
            "Gaussians with the means and variances of its clusters stand in for one."
            if found.own_clusters
            else "No Gaussian is this model's prior: in the density, one with its mean and "
            "variances stands in for it."
        )
    if not found.own_clusters:
        prior = "The prior of this model is one Gaussian: it" if found.gaussian else "Its prior"
        said.append(
            f"{prior} has no p(c|z) of its own. Clusters are those of a mixture that was fitted to "
            "its latents afterwards."
        )
    if found.shape is None:
        said.append(
            "These samples are no pictures: each is a line of its values, and real ones are shown "
            "as decoded from their latents."
        )
    elif words := why_no_drawing(found):
        said.append(words)
    if live:
        said.append(
            f"This run still trains: the map is of {found.title}, the networks are those of its "
            "last checkpoint."
        )
    if words := words_about_names(found):
        said.append(words)
    if not in_browser:
        said.append(SERVER_SENTENCE)
    return said


main()
