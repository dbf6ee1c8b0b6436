"""A training to watch: what it does in words, its controls, curves, map and reconstructions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import streamlit as st

from pages.shared.curves import draw_losses, draw_scores
from pages.shared.density import Part, draw_density, has_few_values
from pages.shared.digits import sample_rows
from pages.shared.figures import (
    Figure,
    draw_figures,
    figures_without_labels,
    purity_words,
    score_figures,
    words_about_k,
    words_about_start,
)
from pages.shared.run_cards import date_words
from pages.shared.run_map import draw_run_map
from pages.shared.session import (
    cached_baseline,
    cached_frame,
    cached_metrics,
    cached_stage,
    duration,
    fail,
    held_notes,
    job_manager,
    model_title,
    open_run,
)
from pages.shared.stages import (
    Stage,
    draw_stages,
    has_epochs,
    has_networks,
    renews,
    stages_html,
)
from pages.shared.step_button import step_button
from pages.shared.train_settings import NOTES, jobs, shown_id
from pages.shared.verdict import verdict
from vade_core.models import MODELS
from vade_core.presets import PRESETS
from vade_core.recorder import delete_run
from vade_core.runs import RUNNING_STATES, UNTRAINED, Run, RunError

# The places of the page, always made and always in this order. Were one made only when it is
# needed, a refresh could write into a place that another run of the page has filled with
# something else, and the browser would give the whole page up.
PLACES = ("head", "words", "error", "progress", "facts", "stages", "notes", "others", "panels")


def queue_mood(active: list[dict[str, Any]], queued: list[dict[str, Any]]) -> str:
    """What the queue is at: "training", "paused", "waiting", or "" where there is nothing."""
    if active:
        paused = all(summary["state"] == "paused" for summary in active)
        return "paused" if paused else "training"
    return "waiting" if queued else ""


def queue_words(mood: str) -> str:
    """What becomes of a run that is started now; nothing where it begins at once."""
    if mood == "paused":
        return "A run is paused: a new run waits behind it until it has ended."
    if mood:
        return "Something trains already: a new run waits for its turn."
    return ""


def draw_live(mood: str, planned: Sequence[Stage] = ()) -> None:
    """The shown run and the queue; drawn again every second while something is going on.

    Parameters
    ----------
    mood : str
        What `queue_mood` said when the page was last run as a whole.
    planned : sequence of Stage
        What a training would go through, shown while there is none.
    """
    active, queued = jobs()
    # Before anything is drawn: a beginning or an end, here or elsewhere, or another run to show.
    if held_notes(NOTES).pop("again", False) or mood != queue_mood(active, queued):
        st.rerun()
    places = {name: _place(name) for name in PLACES}
    run_id = shown_id(active, queued)
    with places["error"]:
        if problem := held_notes(NOTES).pop("problem", None):
            fail(problem)
        run = None if run_id is None else open_run(run_id)
    try:
        if run_id is None:
            _draw_nothing_yet(planned, places)
        elif run is not None:
            _draw_head(run, active, [summary["id"] for summary in queued], places)
        with places["others"]:
            _draw_others([each for each in [*active, *queued] if each["id"] != run_id])
        with places["panels"]:
            if run is not None:
                _draw_panels(run)
    except (RunError, OSError) as error:
        with places["error"]:
            fail(str(error))


def _place(name: str) -> Any:
    if name == "head":
        return st.container(key="train-head", horizontal=True, vertical_alignment="center")
    return st.container(key=f"train-{name}")


def _draw_nothing_yet(planned: Sequence[Stage], places: dict[str, Any]) -> None:
    places["head"].header("Train a model")
    if planned:
        places["stages"].html(stages_html(planned))
    places["words"].container(key="train-nothing").markdown(
        "Choose a model and press **Start**. The map begins with the untrained networks, losses "
        "with the first epoch, scores when there are clusters.  \nTraining goes on if you leave or "
        "reload this page."
    )


def _draw_head(
    run: Run, active: Sequence[dict[str, Any]], queue: list[str], places: dict[str, Any]
) -> None:
    status, config, lines = run.status(), run.config, cached_metrics(run)
    state = status["state"]
    going = state in RUNNING_STATES
    with places["head"]:
        st.header(
            f"{model_title(config.model)} on {config.dataset}, K = {config.clusters}, "
            f"seed {config.seed}",
            width="stretch",
        )
        _draw_controls(run, state)
    begun = any(line["phase"] != UNTRAINED for line in lines)
    said = _waiting_words(run, active, queue) if state == "queued" else words_of(status, begun)
    notes = held_notes(NOTES)
    if notes.get("stopping") == run.id:
        if going:
            said = "**Stopping:** it ends what it is at."
        else:
            notes["stopping"] = None  # it may go on from here
    places["words"].markdown(said)
    if state in ("finished", "stopped") and (wrong := verdict(config, lines, cached_baseline(run))):
        places["words"].warning(wrong, icon=":material/report:")
    if state == "failed":
        with places["error"]:
            fail(str(status.get("error") or "It failed without a word."))
    if not (lines or going):
        return
    if going:
        past, total = int(status.get("past_epochs") or 0), int(status.get("total_epochs") or 0)
        places["progress"].progress(min(1.0, past / total) if total else 0.0)
    last: dict[str, Any] = next(
        (line for line in reversed(lines) if line.get("acc") is not None), {}
    )
    facts = score_figures(lines, last) if config.labelled else figures_without_labels(lines)
    done = sum(bool(line.get("epoch")) for line in lines)
    if done or has_epochs(config):
        early = sum(bool(line.get("epoch")) for line in lines if line["phase"] == "pretrain")
        remark = f"{early} of them pretraining" if early else ""
        facts.append(Figure("Epochs done", str(done), remark=remark))
    if going:
        facts.append(Figure("Time left", duration(status.get("eta_seconds"))))
    else:
        with_maps = "with maps and scores" if lines else ""
        facts.append(Figure("Time taken", duration(status.get("elapsed")), remark=with_maps))
    with places["facts"]:
        draw_figures(facts, "train")
        if words := words_about_start(config, lines):
            st.caption(words)
    with places["stages"]:
        draw_stages(config, lines, status)
        if words := words_about_holding(config):
            st.caption(words)
    for note in notes_about(config, MODELS.get(config.model), last.get("purity")):
        places["notes"].markdown(note)


def _draw_others(others: list[dict[str, Any]]) -> None:
    """Other runs that train or wait, one line each."""
    notes = held_notes(NOTES)
    for summary in others:
        run_id, state = summary["id"], summary["state"]
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            now = {"queued": "Waiting", "paused": "Paused"}.get(state, "Training now")
            st.markdown(f"**{now}:** {_what(summary)}", width="stretch")
            st.button("Show", key=f"train-show-{run_id}", on_click=_show, args=(run_id, notes))
            if state == "queued":
                st.button(
                    "Take out",
                    icon=":material/close:",
                    key=f"train-out-{run_id}",
                    on_click=_take_out,
                    args=(summary["path"], notes),
                )


def _draw_panels(run: Run) -> None:
    """Scores and losses beside the map; one below the other where it is narrow."""
    lines, state = cached_metrics(run), run.state
    going = state in RUNNING_STATES
    if not (lines or going):
        return
    scores, middle, losses = st.container(), st.container(), st.container()
    with scores:
        _draw_scores(run, lines)
    with middle:
        latents, reconstructions = st.container(), st.container()
        with latents:
            draw_run_map(run, key=f"train-map-{run.id}", live=going, title="Latent space")
        with reconstructions:
            _draw_reconstructions(run, lines)
    if not has_epochs(run.config):
        return  # no epochs, no losses
    with losses:
        draw_losses(lines, key=f"train-losses-{run.id}", parameters=run.config.parameters)


def _draw_controls(run: Run, state: str) -> None:
    path, notes = str(run.path), held_notes(NOTES)
    if state == "running":
        _draw_command("pause", "Pause", ":material/pause:", path, notes)
    if state == "paused":
        _draw_command("resume", "Resume", ":material/play_arrow:", path, notes)
    if state in RUNNING_STATES:
        step_button("Step one epoch", "train-step", partial(_step, path, notes))
        _draw_command("stop", "Stop", ":material/stop:", path, notes)
    if state == "queued":
        st.button(
            "Take out of the queue",
            icon=":material/close:",
            key="train-stop",
            on_click=_take_out,
            args=(path, notes),
        )
    if state in ("stopped", "interrupted"):
        st.button(
            "Go on",
            icon=":material/play_arrow:",
            key="train-go-on",
            on_click=_go_on,
            args=(path, notes),
        )
    if state not in (*RUNNING_STATES, "queued"):
        st.page_link(
            "pages/load.py",
            label="Open this run",
            icon=":material/folder_open:",
            query_params={"run": run.id},
        )


def _draw_command(command: str, label: str, icon: str, path: str, notes: dict[str, Any]) -> None:
    st.button(label, icon=icon, key=f"train-{command}", on_click=_ask, args=(path, command, notes))


# --- What the buttons do. They are called before anything is drawn; what is wrong is noted. -------
# Their notes were fetched when the buttons were drawn: a call that asked for them here might be
# broken off there, by another click, and would do nothing.


def _ask(path: str, command: str, notes: dict[str, Any]) -> None:
    try:
        run = Run(path)
        job_manager().send(run, command)
        notes["stopping"] = run.id if command == "stop" else None
    except (RunError, OSError) as error:
        notes["problem"] = str(error)


def _step(path: str, notes: dict[str, Any], count: int) -> None:
    for _ in range(count):
        _ask(path, "step", notes)


def _take_out(path: str, notes: dict[str, Any]) -> None:
    """Take a run out of the queue; one that never began leaves nothing behind."""
    notes["again"] = True
    try:
        run = Run(path)
    except RunError:
        return  # a second click: it is out already
    try:
        if run.state == "queued" and not run.metrics():
            delete_run(run)
            notes["gone"] = run.id
            return
    except (RunError, OSError):
        pass  # it has just begun, or cannot be read: then it is stopped as any other
    _ask(path, "stop", notes)


def _go_on(path: str, notes: dict[str, Any]) -> None:
    notes["again"] = True
    try:
        job_manager().resume(Run(path))
    except (RunError, OSError) as error:
        notes["problem"] = str(error)


def _show(run_id: str, notes: dict[str, Any]) -> None:
    notes.update(to_show=run_id, again=True)


def _what(summary: dict[str, Any]) -> str:
    title, preset = model_title(summary["model"]), summary.get("preset")
    words = f"{title} on {summary['dataset']}, K = {summary['clusters']}, seed {summary['seed']}"
    if preset in PRESETS:
        words += f", {PRESETS[preset].title}"
    begun = date_words(summary.get("created")).rpartition(" ")[2]
    return f"{words}, of {begun}" if begun else words


def _waiting_words(run: Run, active: Sequence[dict[str, Any]], queue: list[str]) -> str:
    """What a run in the queue waits for."""
    before = queue.index(run.id) if run.id in queue else 0
    ahead = [
        f"{_what(each)}, which {'is paused' if each['state'] == 'paused' else 'trains now'}"
        for each in active
    ]
    if before:
        ahead.append(f"{before} more that wait{'' if before > 1 else 's'}")
    return f"Waiting for {', and for '.join(ahead)}." if ahead else "Waiting for its turn."


def words_of(status: dict[str, Any], begun: bool = True) -> str:
    """What is going on, in a sentence or two; `begun` says whether an epoch was ever trained."""
    state, words = status["state"], str(status.get("words") or "")
    if state == "finished":
        return "Finished. The run is kept: open it to explore, or start another."
    if state == "stopped" and not begun:
        return "Stopped before its first epoch: nothing is learnt yet. It can still go on."
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
        said += " The map follows every few epochs and after a step; clusters come later."
    return f"**Paused.** {said}" if state == "paused" else said


def words_about_holding(config: Any) -> str:
    """What is meant by held and renewed, where a run's stages say so; nothing elsewhere."""
    parameters = config.parameters
    if not parameters.get("clamped_epochs"):
        return ""
    words = (
        "By itself: the groups that the start found. In the model: what its clusters, set by them, "
        "make of the samples. Held: it is taught the start's clusters; scores are of its own."
    )
    if renews(parameters):
        words += " Renewed: a sample joins the cluster of its neighbours."
    return words


def notes_about(config: Any, entry: Any, purity: float | None = None) -> list[str]:
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
            "class need them. The loss does not, nor does the share of samples that are still in "
            "the cluster that the start gave them."
            if config.parameters.get("start") not in (None, "random")
            else "These data have no labels: ACC, NMI, RI, the k-means line and colours by "
            "class need them. The loss does not."
        )
    elif config.class_names is not None and len(config.class_names) != config.clusters:
        about_k = words_about_k(config.clusters, len(config.class_names))
        notes.append(about_k + purity_words(purity))
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
    when = epoch_title(lines[numbers[-1]])
    if has_few_values(run.config):
        st.subheader("Reconstructions")
        parts: list[Part] = [("Decoded", frame.reconstructions, 1.0, None)]
        words = f"Grey: the data. Line: as decoded, {when}."
        draw_density(stage.samples, parts, f"train-density-{run.id}", words)
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
        caption=f"Below each original: what the decoder makes of its latent mean, {when}."
        if has_networks(run.config)
        else "Below each original: what stands for it in this model, which has no networks.",
    )


def epoch_title(line: dict[str, Any]) -> str:
    """An epoch's place in the training, in words."""
    if line["phase"] == UNTRAINED:
        return "before any training"
    if not line.get("epoch"):
        return "at the start of the clusters"
    phase = {"pretrain": "of the pretraining", "clamped": "with clusters held"}
    return " ".join(filter(None, ["after epoch", str(line["epoch"]), phase.get(line["phase"])]))
