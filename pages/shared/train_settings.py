"""What to train: the settings of the Train page, and the link that carries them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import streamlit as st

from pages.shared.figures import words_about_k
from pages.shared.lasting_click import lasting_button
from pages.shared.late_words import forget, lags, write_down
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
    read_summaries,
    roots,
)
from pages.shared.stage_settings import draw_stage_settings, options_of, usual_held
from pages.shared.stages import Stage, planned_stages
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


@dataclass(frozen=True)
class Setting:
    """A constructor parameter that a person may set; empty means what model and preset say."""

    label: str
    low: float = 1
    high: float = 100_000
    whole: bool = True


SETTINGS: dict[str, Setting] = {
    "pretrain_epochs": Setting("Pretraining epochs", 0, 1000),
    "clamped_epochs": Setting("Epochs with clusters held", 0, 1000),
    "latent_dim": Setting("Latent size", 1, 1000),
    "batch_size": Setting("Batch size", 1, 100_000),
    "learning_rate": Setting("Learning rate", 1e-6, 1.0, whole=False),
    "strength": Setting("Lambda", 0.0, 1000.0, whole=False),
    "beta": Setting("Beta", 0.0, 1000.0, whole=False),
    "held_epochs": Setting("Epochs with centres held", 0, 1000),
    "reconstruction_weight": Setting("Weight of the reconstruction", 0.0, 1000.0, whole=False),
    "kl_weight": Setting("Weight of the KL terms", 0.0, 1000.0, whole=False),
    "agreement_weight": Setting("Weight of agreeing while held", 0.0, 1000.0, whole=False),
    "renew_every": Setting("Renew held clusters every so many epochs, 0: never", 0, 1000),
    "style_dim": Setting("Size of the style", 1, 1000),
    "n_codes": Setting("Continuous codes", 1, 1000),
    "information_weight": Setting("Weight of the cluster's code", 0.0, 1000.0, whole=False),
    "code_weight": Setting("Weight of the continuous codes", 0.0, 1000.0, whole=False),
    "minimum_information": Setting("Minimum information, nats", 0.0, 100.0, whole=False),
    "concentration": Setting("Concentration of the weights", 1e-3, 1000.0, whole=False),
    "separation": Setting("Distance of the prior means", 0.0, 100.0, whole=False),
    "n_neighbours": Setting("Samples of a clique", 2, 1000),
    "regularisation": Setting("Regularisation", 1e-9, 1e9, whole=False),
    "most_samples": Setting("Samples clustered at most", 20, 1_000_000),
    "tolerance": Setting("Changes that end the training, share", 0.0, 1.0, whole=False),
}
EPOCHS = Setting("Epochs", 1, 100_000)
SEED = Setting("Seed", 0, 2**32 - 1)
FREE = Setting("K", 1, 1000)
# Held notes: how many trainings were started ("starts"); the run "to_show" from now on, None for
# whichever trains; the one that is "gone" from the queue; whether the whole page is to run "again";
# the "problem" that a command met.
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
        k = _number(name, text, FREE)
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
        return {name: _number(name, text, SEED)}
    if name == "subset":
        return {name: _number(name, text, Setting("Subset", 20, 10_000_000))}
    if name == "epochs":
        return {name: _number(name, text, EPOCHS)}
    if name in SETTINGS:
        return {name: _number(name, text, SETTINGS[name])}
    if name in STAGE_PARAMETERS:
        if text not in (known := options_of(name)):
            raise ValueError(f"There is no {name} {text[:40]!r}: choose from {', '.join(known)}.")
        return {name: text}
    raise ValueError(f"The link's {name!r} is no setting: it is left out.")


def _number(name: str, text: str, setting: Setting) -> float:
    try:
        value = int(text) if setting.whole else float(text)
    except ValueError:
        value = float("nan")
    if not setting.low <= value <= setting.high:
        kind = "a whole number" if setting.whole else "a number"
        low, high = _written(setting.low), _written(setting.high)
        raise ValueError(f"{name} is {text[:40]!r}: give {kind} from {low} to {high}.")
    return value


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


def check_number(setting: Setting, value: float | None) -> str:
    """A sentence where a number is outside what a setting takes; else nothing.

    The widgets take any number: one with limits of its own turns red, keeps what it had before,
    and a training would start without what is written there.
    """
    if value is None or setting.low <= value <= setting.high:
        return ""
    shown, low, high = map(_written, (value, setting.low, setting.high))
    return f"{setting.label}: {shown} is out of range. Give a number from {low} to {high}."


def _written(value: float) -> str:
    return f"{int(value):,}" if value == int(value) else f"{value:g}"


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
    seed = left.number_input(SEED.label, step=1, key=key_of("seed"), **keep)
    checked += [(EPOCHS, epochs), (SEED, seed)]
    place = st.container(key="train-place")
    stages, reasons = draw_stage_settings(usual, epochs)
    overrides |= stages
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
            help="Off: clusters are found and measured on all samples, as the paper does.",
            **keep,
        )
        for name, setting in SETTINGS.items():
            if name in usual and _is_needed(name, usual, overrides):
                standard = usual[name]
                if name == "clamped_epochs":
                    standard = usual_held(usual, int(epochs or usual["epochs"]))
                overrides[name] = _draw_number(st, name, setting, standard)
                checked.append((setting, overrides[name]))
        widths = ""
        if "hidden" in usual:
            widths = st.text_input(
                "Hidden widths",
                placeholder=",".join(str(width) for width in usual["hidden"]),
                key=key_of("hidden"),
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
        "Clusters, K", [*MAIN_K, FREE_K], key=key_of("k"), required=True, **keep
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
        persist_state="session",
    )


def planned(asked: Mapping[str, Any] | None) -> list[Stage]:
    """The stages that what is asked for would go through; none where it cannot be started."""
    if asked is None:
        return []
    n_samples = asked["subset"] or entry_of(st.session_state[key_of("dataset")]).n_samples
    try:
        parameters = chosen_parameters(
            asked["model"], asked["preset"], n_samples, asked["overrides"]
        )
    except ValueError:  # Start says why
        return []
    return planned_stages(asked["model"], parameters)


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
