"""A training to watch: what it does in words, its controls, curves, map and reconstructions."""

from __future__ import annotations

from typing import Any

import streamlit as st

from pages.shared.curves import draw_losses, draw_scores
from pages.shared.digits import sample_rows
from pages.shared.run_map import draw_run_map
from pages.shared.session import (
    cached_baseline,
    cached_frame,
    cached_metrics,
    cached_stage,
    duration,
    fail,
    job_manager,
    model_title,
    open_run,
    percent,
)
from pages.shared.train_settings import jobs, shown_id, words_about_k
from vade_core.models import MODELS
from vade_core.runs import RUNNING_STATES, Run, RunError


def draw_live(watching: bool) -> None:
    """The shown run and the queue; drawn again every second while something is going on."""
    active, queued = jobs()
    if watching != bool(active or queued):
        st.rerun()  # a beginning or an end, here or elsewhere: once more as a whole
    run_id = shown_id(active, queued)
    if run_id is None:
        _draw_nothing_yet()
        return
    others = [summary for summary in [*active, *queued] if summary["id"] != run_id]
    run = open_run(run_id)
    try:
        if run is not None:
            _draw_head(run, [summary["id"] for summary in queued])
        _draw_others(others)
        if run is not None:
            _draw_panels(run)
    except (RunError, OSError) as error:
        fail(str(error))


def _draw_nothing_yet() -> None:
    st.header("Train a model")
    with st.container(key="train-words"):
        st.markdown(
            "Choose a model and press **Start**. The curves and the map begin with the first "
            "epoch.  \nTraining goes on if you leave or reload this page."
        )


def _draw_head(run: Run, queue: list[str]) -> None:
    status, config, lines = run.status(), run.config, cached_metrics(run)
    state = status["state"]
    going = state in RUNNING_STATES
    with st.container(horizontal=True, vertical_alignment="center"):
        st.header(
            f"{model_title(config.model)} on {config.dataset}, K = {config.clusters}",
            width="stretch",
        )
        _draw_controls(run, state)
    with st.container(key="train-words"):
        st.markdown(words_of(status, queue, run.id))
    if state == "failed":
        fail(str(status.get("error") or "It failed without a word."))
    if state == "queued" and not lines:
        return
    if going:
        past, total = int(status.get("past_epochs") or 0), int(status.get("total_epochs") or 0)
        st.progress(min(1.0, past / total) if total else 0.0)
    last: dict[str, Any] = next(
        (line for line in reversed(lines) if line.get("acc") is not None), {}
    )
    facts = {
        "ACC": percent(last.get("acc")),
        "NMI": percent(last.get("nmi")),
        "RI": percent(last.get("rand_index")),
        "Epochs done": str(sum(bool(line.get("epoch")) for line in lines)),
    }
    if going:
        facts["Time left"] = duration(status.get("eta_seconds"))
    else:
        facts["Time taken"] = duration(status.get("elapsed"))
    for column, (name, value) in zip(st.columns(len(facts)), facts.items(), strict=True):
        column.metric(name, value)
    for note in notes_about(config, MODELS.get(config.model)):
        st.markdown(note)


def _draw_others(others: list[dict[str, Any]]) -> None:
    """Other runs that train or wait, one line each."""
    for summary in others:
        run_id, waits = summary["id"], summary["state"] == "queued"
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            what = f"{model_title(summary['model'])} on {summary['dataset']}"
            st.markdown(
                f"**{'Waiting' if waits else 'Training now'}:** {what}, "
                f"K = {summary['clusters']}, seed {summary['seed']}",
                width="stretch",
            )
            if st.button("Show", key=f"train-show-{run_id}"):
                st.session_state["train-run"] = run_id
                st.rerun()
            if waits and st.button("Take out", icon=":material/close:", key=f"train-out-{run_id}"):
                _ask(Run(summary["path"]), "stop")
                st.rerun()


def _draw_panels(run: Run) -> None:
    """Scores and losses beside the map; one below the other where it is narrow."""
    lines, state = cached_metrics(run), run.state
    going = state in RUNNING_STATES
    if not (lines or going):
        return
    with st.container(key="train-panels"):
        with st.container():
            _draw_scores(run, lines)
        with st.container():
            draw_run_map(run, key=f"train-map-{run.id}", live=going, title="Latent space")
            _draw_reconstructions(run, lines)
        with st.container():
            draw_losses(lines, key=f"train-losses-{run.id}", parameters=run.config.parameters)


def _draw_controls(run: Run, state: str) -> None:
    commands: list[tuple[str, str, str]] = []
    if state == "running":
        commands.append(("pause", "Pause", ":material/pause:"))
    if state == "paused":
        commands.append(("resume", "Resume", ":material/play_arrow:"))
    if state in RUNNING_STATES:
        commands.append(("step", "Step one epoch", ":material/skip_next:"))
        commands.append(("stop", "Stop", ":material/stop:"))
    if state == "queued":
        commands.append(("stop", "Take out of the queue", ":material/close:"))
    for command, label, icon in commands:
        if st.button(label, icon=icon, key=f"train-{command}"):
            _ask(run, command)
    if state in ("stopped", "interrupted") and st.button(
        "Go on", icon=":material/play_arrow:", key="train-go-on"
    ):
        try:
            job_manager().resume(run)
            st.rerun()
        except (RunError, OSError) as error:
            fail(str(error))
    if state not in (*RUNNING_STATES, "queued"):
        st.page_link(
            "pages/load.py",
            label="Open this run",
            icon=":material/folder_open:",
            query_params={"run": run.id},
        )


def _ask(run: Run, command: str) -> None:
    try:
        job_manager().send(run, command)
    except (RunError, OSError) as error:
        fail(str(error))


def words_of(status: dict[str, Any], queue: list[str], run_id: str) -> str:
    """What is going on, in a sentence or two."""
    state, words = status["state"], str(status.get("words") or "")
    if state == "queued":
        before = queue.index(run_id) if run_id in queue else 0
        others = f", behind {before} other{'s' if before > 1 else ''}" if before else ""
        return f"Waiting for its turn{others}."
    if state == "finished":
        return "Finished. The run is kept: open it to explore, or start another."
    if state == "stopped":
        return "Stopped. What was learnt is kept, and it can go on from here."
    if state == "interrupted":
        return "Interrupted: its process ended. It can go on from its last epoch."
    if state == "failed":
        return "Failed."
    epoch, epochs = status.get("epoch"), status.get("epochs")
    if not status.get("phase"):
        said = f"{words}."
    elif epochs:
        said = f"{words}: epoch {min(int(epoch or 0) + 1, epochs)} of {epochs}."
    else:
        said = f"{words}."
    if status.get("phase") == "pretrain":
        said += " The map shows its latents; clusters come later."
    return f"**Paused.** {said}" if state == "paused" else said


def notes_about(config: Any, entry: Any) -> list[str]:
    """What a person must know to read the scores of this run."""
    notes = []
    if entry is not None and entry.supervised:
        notes.append(
            f"{entry.title} learns from the labels: do not hold its scores against those "
            "of models that never see them."
        )
    elif entry is not None and not entry.own_clusters:
        notes.append(
            f"{entry.title} has no clusters of its own: a mixture of {config.clusters} "
            "Gaussians, fitted to its latents after each epoch, gives them."
        )
    if not config.labelled:
        notes.append(
            "These data have no labels: ACC, NMI, RI, the k-means line and colours by "
            "class need them. The loss does not."
        )
    elif config.class_names is not None and len(config.class_names) != config.clusters:
        notes.append(words_about_k(config.clusters, len(config.class_names)))
    return notes


def _draw_scores(run: Run, lines: list[dict[str, Any]]) -> None:
    part = "all"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader("Scores", width="stretch")
        if any(line.get("test_acc") is not None for line in lines):
            part = (
                st.segmented_control(
                    "Scores of",
                    ["all", "test"],
                    default="all",
                    required=True,
                    format_func={"all": "All samples", "test": "Test part"}.__getitem__,
                    key="train-part",
                    label_visibility="collapsed",
                    persist_state="session",
                )
                or "all"
            )
    draw_scores(lines, cached_baseline(run), key=f"train-scores-{run.id}", part=part)


def _draw_reconstructions(run: Run, lines: list[dict[str, Any]]) -> None:
    numbers = [number for number in run.frame_numbers() if number < len(lines)]
    if not numbers:
        return
    try:
        stage, frame = cached_stage(run), cached_frame(run, numbers[-1])
    except RunError as error:
        fail(str(error))
        return
    count = min(len(stage.samples), len(frame.reconstructions))
    if stage.samples.shape[1:] != frame.reconstructions.shape[1:] or not count:
        fail(f"{run.frame_path(numbers[-1])} holds reconstructions that do not fit the samples.")
        return
    chosen = list(range(count))
    if stage.labels is not None:
        # One of each class first, in the classes' order.
        labels = [int(stage.labels[i]) for i in stage.shown[:count]]
        firsts = {label: i for i, label in reversed(list(enumerate(labels)))}
        chosen = [firsts[label] for label in sorted(firsts)]
        chosen += [i for i in range(count) if i not in chosen]
    chosen = chosen[:10]
    st.subheader("Reconstructions")
    sample_rows(
        [("Original", stage.samples[chosen]), ("Decoded", frame.reconstructions[chosen])],
        run.config.image_shape,
        scale=3 if (run.config.image_shape or [0])[0] > 16 else 8,
        caption="Below each original: what the decoder makes of its latent mean, "
        f"{epoch_title(lines[numbers[-1]])}.",
    )


def epoch_title(line: dict[str, Any]) -> str:
    """An epoch's place in the training, in words."""
    if not line.get("epoch"):
        return "at the start of the clusters"
    phase = {"pretrain": "of the pretraining", "clamped": "with clusters held"}
    return " ".join(filter(None, ["after epoch", str(line["epoch"]), phase.get(line["phase"])]))
