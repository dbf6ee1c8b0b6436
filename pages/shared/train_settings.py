"""What to train: the settings of the Train page, and the link that carries them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import streamlit as st

from pages.shared.figures import words_about_k
from pages.shared.lasting_click import lasting_button
from pages.shared.late_words import change, forget, lags, write_down
from pages.shared.number_settings import (
    EPOCHS,
    FREE,
    SEED,
    SETTINGS,
    Setting,
    check_number,
    read_number,
    written,
)
from pages.shared.own_uploads import (
    choose_arrived,
    dataset_entries,
    dataset_words,
    draw_own_data,
    own_path,
)
from pages.shared.present import MODE
from pages.shared.run_settings import unusual_settings
from pages.shared.session import (
    fail,
    held_notes,
    job_manager,
    joined,
    read_summaries,
    roots,
)
from pages.shared.stage_settings import (
    draw_stage_settings,
    mark_difference,
    options_of,
    usual_held,
)
from pages.shared.usual_settings import (
    STAGE_PARAMETERS,
    key_of,
    preset_words,
    usual_parameters,
)
from vade_core.configure import chosen_parameters, configure
from vade_core.data import DataError
from vade_core.models import MODELS
from vade_core.own_data import entry_of
from vade_core.presets import DEFAULT_PRESET, PRESETS
from vade_core.projection import LENSES
from vade_core.runs import RunError, at_work, find_run

MAIN_K = ("7", "10", "14")
FREE_K = "Other"
DEFAULT_LENSES = ["tsne", "pca"]


# Held notes: how many trainings were started ("starts"); the run that was told to end ("stopping");
# the run "to_show" from now on, None for whichever trains; the one that is "gone" from the queue;
# whether the whole page is to run "again"; the "problem" that a command met.
NOTES = "train-notes"
FOLLOWED = "train-followed"  # session state: the classes of the data that were chosen last


def defaults() -> dict[str, Any]:
    """Every setting as it stands before anybody touches it."""
    return {
        "model": "vade",
        "dataset": "mnist",
        "k": "10",
        "k_free": 10,
        "preset": DEFAULT_PRESET,
        "seed": 0,
        "epochs": None,
        "subset": None,
        "split": False,
        "keep_weights": False,
        "hidden": "",
        "maps": DEFAULT_LENSES,
        **dict.fromkeys([*SETTINGS, *STAGE_PARAMETERS]),
    }


def parse_setting(name: str, text: str) -> dict[str, Any]:
    """What a link's ``name=text`` sets, as values of widgets.

    Raises
    ------
    ValueError
        With a sentence for the page.
    """
    registries: dict[str, Any] = {"model": MODELS, "preset": PRESETS}
    if name == "dataset":
        registries[name] = dataset_entries()
    if name in registries:
        if text not in registries[name]:
            raise ValueError(f"There is no {name} {text!r}: choose one of the list.")
        return {name: text}
    if name == "k":
        k = read_number(name, text, FREE)
        return {"k": str(k)} if str(k) in MAIN_K else {"k": FREE_K, "k_free": k}
    if name == "hidden":
        parse_widths(text)
        return {name: text}
    if name in ("split", "keep_weights"):
        if text.lower() not in ("true", "false", "1", "0"):
            raise ValueError(f"{name} is {text[:40]!r}: write true or false.")
        return {name: text.lower() in ("true", "1")}
    if name == "maps":
        lenses = [lens for lens in text.split(",") if lens]
        if unknown := [lens for lens in lenses if lens not in LENSES]:
            raise ValueError(f"There is no map {unknown[0]!r}: choose from {', '.join(LENSES)}.")
        return {name: lenses}
    if name == "seed":
        return {name: read_number(name, text, SEED)}
    if name == "subset":
        return {name: read_number(name, text, Setting("Subset", 20, 10_000_000))}
    if name == "epochs":
        return {name: read_number(name, text, EPOCHS)}
    if name in SETTINGS:
        return {name: read_number(name, text, SETTINGS[name])}
    if name in STAGE_PARAMETERS:
        if text not in (known := options_of(name)):
            raise ValueError(f"There is no {name} {text[:40]!r}: choose from {', '.join(known)}.")
        return {name: text}
    raise ValueError(f"The link's {name!r} is no setting: it is left out.")


def parse_widths(text: str) -> list[int] | None:
    """Hidden widths such as ``500,500,2000``; None where nothing is written.

    Raises
    ------
    ValueError
        With a sentence for the page.
    """
    if not text.strip():
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and 1 <= int(part) <= 20_000 for part in parts):
        raise ValueError(
            f"Hidden widths are {text[:40]!r}: write whole numbers with commas, such as "
            "500,500,2000."
        )
    return [int(part) for part in parts]


def take_over_link() -> list[str]:
    """Bring what the address carries into the page; a sentence for each thing that is wrong."""
    asked, known = dict(st.query_params), st.session_state.get("train-link")
    asked.pop(MODE, None)  # is not the settings' own
    if lags("train-link", asked) or asked == known:
        return []
    write_down("train-link", asked)
    # A person came by a link or from another page: what trains comes before what was shown.
    run_id = asked.pop("run", None) or None
    if run_id or asked or any(jobs()) or not is_there(st.session_state.get("train-run")):
        st.session_state["train-run"] = run_id
    st.session_state.pop(FOLLOWED, None)  # what a link says of K stands
    if asked or known is None:
        for name, value in defaults().items():
            st.session_state[key_of(name)] = value
            forget(key_of(name))
    if run_id and not asked and known is None:
        asked = _settings_of(run_id)  # a visitor who comes for a run may want it once more
    problems = []
    for name, text in asked.items():
        try:
            for target, value in parse_setting(name, text).items():
                st.session_state[key_of(target)] = value
        except ValueError as error:
            problems.append(str(error))
    return problems


def _settings_of(run_id: str) -> dict[str, str]:
    try:
        return unusual_settings(find_run(run_id, roots()).config)
    except (RunError, DataError, KeyError):
        return {}  # what is wrong with it is said where it would be shown


def is_there(run_id: str | None) -> bool:
    """Whether a run that was shown is still there."""
    return any(summary["id"] == run_id for summary in read_summaries())


def write_link(run_id: str | None) -> None:
    """Let the address carry the settings that differ from the defaults, and the run."""
    link: dict[str, str] = {}
    standard = defaults()
    for name, usual in standard.items():
        value = st.session_state.get(key_of(name), usual)
        if name == "k_free" or value == usual or value is None:
            continue
        if name == "k" and value == FREE_K:
            value = st.session_state.get(key_of("k_free"), 10)
        link[name] = ",".join(value) if isinstance(value, list) else str(value).lower()
    if run_id:
        link["run"] = run_id
    mode = st.query_params.get(MODE)
    whole = {**link, MODE: mode} if mode else link
    if dict(st.query_params) != whole:
        st.query_params.from_dict(whole)
    st.session_state["train-link"] = link
    write_down("train-link", link)


def draw_settings() -> tuple[Any, dict[str, Any] | None, list[str]]:
    """The widgets: a place for the Start button, what they ask `configure` for, what is wrong.

    Where something is written wrongly there is no wish, and a sentence for each such thing.
    """
    checked: list[tuple[Setting, float | None]] = []
    keep: dict[str, Any] = {"persist_state": "session"}
    model = st.selectbox(
        "Model", list(MODELS), format_func=_model_words, key=key_of("model"), **keep
    )
    entry = MODELS[model]
    st.caption(entry.summary)
    datasets = dataset_entries()
    choose_arrived(key_of("dataset"))
    if st.session_state.get(key_of("dataset")) not in datasets:
        st.session_state[key_of("dataset")] = defaults()["dataset"]
    dataset = st.selectbox(
        "Data set",
        list(datasets),
        format_func=lambda name: dataset_words(name, datasets[name]),
        key=key_of("dataset"),
        help="  \n".join(f"**{each.name}**: {each.summary}." for each in datasets.values()),
        **keep,
    )
    draw_own_data(dataset)
    known = datasets[dataset]
    k: int | None = known.n_classes
    _follow_classes(k)
    unlabelled = entry.supervised and k is None
    if unlabelled:
        st.caption("It learns from labels, and these data have none: choose another model.")
    elif entry.supervised:
        st.caption(f"It learns from labels: one cluster for each of the {k} classes.")
    else:
        k = _draw_k(keep, known.n_classes)
        checked.append((FREE, k))
    preset = st.selectbox(
        "Preset",
        list(PRESETS),
        format_func=lambda name: PRESETS[name].title,
        key=key_of("preset"),
        on_change=_back_to_preset,
        help="  \n".join(f"**{one.title}**: {one.summary}" for one in PRESETS.values()),
        **keep,
    )
    subset = st.session_state.get(key_of("subset"))
    st.caption(preset_words(model, preset, dataset, subset))
    usual = usual_parameters(model, preset, dataset, subset)
    left, right = st.columns(2)
    overrides: dict[str, Any] = {}
    epochs = None
    if "epochs" in usual:  # a baseline has none
        epochs = overrides["epochs"] = _draw_number(left, "epochs", EPOCHS, usual["epochs"])
        left = right
    seed = left.number_input(SEED.label, step=1, key=key_of("seed"), help=SEED.words, **keep)
    checked += [(EPOCHS, epochs), (SEED, seed)]
    place = st.container(key="train-place")
    stages, reasons = draw_stage_settings(usual, epochs)
    overrides |= stages
    standard = dict(usual)
    if "clamped_epochs" in usual:  # follows the number of epochs
        standard["clamped_epochs"] = usual_held(usual, int(epochs or usual["epochs"]))
    differing = st.container(key="train-differing", gap="xsmall")
    with st.expander("More settings"):
        st.caption("An empty field keeps what is shown in grey.")
        subset = st.number_input(
            "Train on so many samples",
            value=None,
            step=1000,
            placeholder=f"{known.n_samples:,}",
            key=key_of("subset"),
            **keep,
        )
        split = st.toggle(
            "Keep the test part out of training",
            key=key_of("split"),
            help="On: the model never sees the test part. Off: clusters are found and measured on "
            "all samples, as the paper does, and the test part is shown apart all the same.",
            **keep,
        )
        for name, setting in SETTINGS.items():
            if name in usual and _is_needed(name, usual, overrides):
                overrides[name] = _draw_number(st, name, setting, standard[name])
                checked.append((setting, overrides[name]))
                if name != "clamped_epochs":  # is marked at its switch
                    _mark_number(overrides[name], standard[name])
                if words := _no_use(name, overrides, standard, subset or known.n_samples):
                    st.caption(words)
        widths = ""
        if "hidden" in usual:
            widths = st.text_input(
                "Hidden widths",
                placeholder=",".join(str(width) for width in usual["hidden"]),
                key=key_of("hidden"),
                help="Units of each layer between a sample and its latents, the first one first.",
                **keep,
            )
        lenses = st.multiselect(
            "Maps",
            list(LENSES),
            format_func=lambda name: LENSES[name].title,
            key=key_of("maps"),
            **keep,
        )
        keep_weights = st.toggle(
            "Keep the networks of every frame",
            key=key_of("keep_weights"),
            help="Interpolate can then go back to earlier epochs: a digit you draw is shown as the "
            "model saw it then. For MNIST about 7 MB a frame, 40 frames at most.",
            **keep,
        )
    checked.append((Setting("Train on so many samples", 20, known.n_samples), subset))
    reasons += [words for setting, value in checked if (words := check_number(setting, value))]
    try:
        overrides["hidden"] = parse_widths(widths or "")
    except ValueError as error:
        reasons.append(str(error))
    with differing:
        _draw_way_back(_differences(standard, overrides))
    if reasons or unlabelled:
        return place, None, reasons
    own = own_path(dataset)
    asked = {
        "model": model,
        **({"dataset": dataset} if own is None else {"data_file": own}),
        "clusters": k,
        "seed": int(seed or 0),
        "preset": preset,
        "subset": None if subset is None else int(subset),
        "split": bool(split),
        "keep_weights": bool(keep_weights),
        "lenses": list(lenses),
        "overrides": {name: value for name, value in overrides.items() if value is not None},
    }
    return place, asked, []


def _model_words(name: str) -> str:
    """A model in the list: its title, and what sets it apart from the others."""
    entry = MODELS[name]
    kind = "baseline" if entry.baseline else "learns from labels" if entry.supervised else ""
    return f"{entry.title} ({kind})" if kind else entry.title


def _is_needed(name: str, usual: Mapping[str, Any], stages: Mapping[str, Any]) -> bool:
    """Whether a setting has something to say: not of a stage that is switched off."""
    if name == "pretrain_epochs":
        return stages.get("pretraining", usual.get("pretraining")) != "none"
    if name in ("clamped_epochs", "agreement_weight", "renew_every"):
        held = stages.get("clamped_epochs")  # None where nothing is said
        return bool(usual["clamped_epochs"] if held is None else held)
    return True


# What the stages are called where they differ from the preset, beside the labels of the numbers.
_LABELS = {
    "epochs": EPOCHS.label,
    "hidden": "Hidden widths",
    "pretraining": "Pretraining",
    "start": "Start of the mixture",
    "clamped_epochs": "Clusters held",
}


def _differences(usual: Mapping[str, Any], overrides: Mapping[str, Any]) -> list[str]:
    """What is set otherwise than the preset has it, as people call it."""
    found = []
    for name, value in overrides.items():
        if value is None:
            continue
        standard = usual[name]
        if isinstance(standard, tuple):
            standard = list(standard)
        if value != standard:
            found.append(_LABELS.get(name) or SETTINGS[name].label.partition(",")[0])
    return found


def _draw_way_back(differing: Sequence[str]) -> None:
    """Say what differs from the preset, wherever it is set, with a button that puts it right.

    It is always there: one that came with the first difference would move the field in hand.
    """
    st.button(
        "Back to the preset",
        icon=":material/undo:",
        key="train-stages-back",
        on_click=_back_to_preset,
        disabled=not differing,
        width="stretch",
    )
    if not differing:
        st.caption("All is as the preset has it.")
    else:
        st.markdown(f":small[:orange[Changed: {joined(differing)}.]]")


def _mark_number(value: float | None, usual: Any) -> None:
    if value is not None and value != usual:
        mark_difference(f"{usual:g}")


def _no_use(
    name: str, overrides: Mapping[str, Any], usual: Mapping[str, Any], n_samples: float
) -> str:
    """Why a number that was set does not do what it says; nothing where it does."""
    value = overrides.get(name)
    if name == "batch_size" and value is not None and value > n_samples:
        return "That is more than there are samples: each epoch is a single step."
    if name == "pretrain_epochs" and value == 0:
        return "Without epochs there is no pretraining."
    if name == "renew_every" and value:
        held = overrides.get("clamped_epochs")
        held = usual["clamped_epochs"] if held is None else held
        if value >= held:
            return f"Clusters are held for {written(held)} epochs: they are never renewed."
    return ""


def _follow_classes(classes: int | None) -> None:
    """Let K go on being the number of classes when other data are chosen; another K stays."""
    if classes is None or not 1 <= classes <= FREE.high:
        return
    before = st.session_state.get(FOLLOWED)
    st.session_state[FOLLOWED] = classes
    k = st.session_state.get(key_of("k"))
    now = st.session_state.get(key_of("k_free")) if k == FREE_K else int(k or 0)
    if before is not None and now == before != classes:
        for target, value in parse_setting("k", str(classes)).items():
            st.session_state[key_of(target)] = value
            forget(key_of(target))


def _draw_k(keep: dict[str, Any], classes: int | None) -> int:
    chosen = st.segmented_control(
        "Clusters, K",
        [*MAIN_K, FREE_K],
        key=key_of("k"),
        required=True,
        help="How many clusters the model is to find.",
        **keep,
    )
    if chosen in MAIN_K:
        k = int(chosen)
    else:
        free = st.number_input("K", step=1, key=key_of("k_free"), **keep)
        k = int(10 if free is None else free)
    if classes is not None and k != classes and not check_number(FREE, k):
        st.caption(words_about_k(k, classes))
    return k


def _draw_number(place: Any, name: str, setting: Setting, usual: Any) -> float | None:
    """A number that may stay empty; the usual one stands in grey."""
    return place.number_input(
        setting.label,
        value=None,
        step=1 if setting.whole else None,
        format=None if setting.whole else "%g",
        placeholder=f"{usual:g}",
        key=key_of(name),
        help=setting.words or None,
        persist_state="session",
    )


def _back_to_preset() -> None:
    """Let everything that a preset says be as the chosen one has it."""
    for name in ("epochs", "hidden", *SETTINGS, *STAGE_PARAMETERS):
        change(key_of(name), defaults()[name])


def planned(asked: Mapping[str, Any] | None) -> dict[str, Any]:
    """The settings that a training would have; none where it cannot be started."""
    if asked is None:
        return {}
    n_samples = asked["subset"] or entry_of(st.session_state[key_of("dataset")]).n_samples
    try:
        return chosen_parameters(asked["model"], asked["preset"], n_samples, asked["overrides"])
    except ValueError:  # Start says why
        return {}


def draw_start(place: Any, asked: dict[str, Any] | None) -> int:
    """Draw the Start button, and start what is asked for when it was pressed.

    Parameters
    ----------
    place : container
        For the button.
    asked : dict or None
        For `configure`; None while something is written wrongly.

    Returns
    -------
    int
        How many trainings this session has started.
    """
    notes = held_notes(NOTES)
    click = lasting_button(
        "Start",
        asked,
        key="train-start",
        place=place,
        type="primary",
        icon=":material/play_arrow:",
        width="stretch",
    )
    if click and (problem := click.answered(partial(_start, notes))):
        with place:
            fail(problem)
    return int(notes.get("starts", 0))


def _start(notes: dict[str, Any], asked: dict[str, Any]) -> str:
    """Queue what is asked for; what is wrong with it, or nothing."""
    try:
        job_manager().submit(configure(**asked))
    except (ValueError, OSError) as error:
        return str(error)
    notes["to_show"] = None
    notes["starts"] = notes.get("starts", 0) + 1
    return ""


def jobs() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Summaries of what trains and of what waits, the next one first."""
    return at_work([summary for summary in read_summaries() if not summary["recorded"]])


def shown_id(active: list[dict[str, Any]], queued: list[dict[str, Any]]) -> str | None:
    """Which run to show: the one asked for, else the one that trains, else the next."""
    notes = held_notes(NOTES)
    if "to_show" in notes:
        st.session_state["train-run"] = notes["to_show"]
        notes.pop("to_show", None)
    chosen = st.session_state.get("train-run")
    if chosen and chosen != notes.get("gone"):
        return str(chosen)
    return next((str(summary["id"]) for summary in [*active, *queued]), None)
