"""The stages on the Train page: switches for pretraining, start and held clusters.

They follow the preset until somebody touches them. What was chosen is kept in the session by the
constructor's own names (None: as the preset has it), beside the widgets that show it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from pages.shared.late_words import change, first_value, put_right
from pages.shared.stages import PRETRAININGS, STARTS, method_words
from pages.shared.usual_settings import has_stages, key_of
from vade_core.initialise import STARTS as KNOWN_STARTS
from vade_core.presets import PRESETS
from vade_core.pretraining import PRETRAINING as KNOWN_PRETRAINING

PRETRAINING_WORDS = (
    "The networks first learn to rebuild the samples. Without pretraining the mixture usually "
    "collapses into a few clusters."
)
START_WORDS = (
    "Where the clusters begin, found on the pretrained latents; with two graphs, neighbours in the "
    "data then move single samples. From random values the mixture usually collapses at once."
)
METHODS = {
    "pretraining": "**Autoencoder**: all layers at once.  \n"
    "**Layer by layer**: each layer by itself first, then all, as the VaDE paper has it.  \n"
    "**VAE**: as an autoencoder whose latents are drawn at random around a mean.",
    "start": "**Neighbour graph**: each sample is joined to its nearest ones in the latents, and "
    "the graph is cut where it is thin.  \n"
    "**Two neighbour graphs**: the same, then mended by neighbours in the data.  \n"
    "**UMAP + mixture**: UMAP makes a map of the latents, and Gaussians are fitted to it.  \n"
    "**Mixture**: Gaussians are fitted to the latents, as the VaDE paper has it.",
}
HOLD_WORDS = (
    "At first VaDE does not choose clusters itself: it learns those that the start gave. When off, "
    "the first epochs lose part of what the start found."
)

STYLE = """
<style>
.st-key-train-stage-switches [data-testid="stCaptionContainer"] { margin-top: -.35rem; }
.st-key-train-stage-switches h4 { padding: 0 0 .2rem; }
.st-key-train-stage-switches { padding: .9rem 0 .4rem;
  border-top: 1px solid color-mix(in srgb, currentColor 18%, transparent); }
</style>
"""

# Whose share of the epochs is held, where somebody holds clusters that the chosen preset does not.
HOLDS = PRESETS["robust"].parameters["vade"]


# Session state: how many switches for holding there have been.
HOLD_SWITCH = "train-stage-hold-switch"


def stage_key(name: str) -> str:
    """A switch's key in the session; what it stands for is kept under `key_of` its name."""
    return f"train-stage-{name}"


def _chosen(name: str) -> Any:
    return st.session_state.get(key_of(name))


def options_of(name: str) -> list[str]:
    """The values of ``pretraining`` or ``start`` that can be chosen, the switched-off one last."""
    titles, known, off = {
        "pretraining": (PRETRAININGS, KNOWN_PRETRAINING, "none"),
        "start": (STARTS, KNOWN_STARTS, "random"),
    }[name]
    ordered = [value for value in titles if value in known]
    return [*ordered, *(value for value in known if value not in titles), off]


def usual_held(usual: Mapping[str, Any], epochs: int) -> int:
    """For how many epochs the preset holds the clusters, reckoned as ``configure`` does.

    Examples
    --------
    >>> usual_held({"clamped_epochs": 20, "epochs": 60}, 30)
    10
    """
    held, whole = int(usual.get("clamped_epochs") or 0), int(usual["epochs"])
    return max(0, min(round(held / whole * epochs), epochs - 1)) if held else 0


def draw_stage_settings(
    usual: Mapping[str, Any], epochs: float | None
) -> tuple[dict[str, Any], list[str]]:
    """Draw the block of stages, for a model that has them.

    Parameters
    ----------
    usual : mapping
        The model's parameters where nobody says anything.
    epochs : float or None
        What a person set; None for the usual number.

    Returns
    -------
    overrides : dict
        What differs from the preset, by constructor parameter.
    reasons : list of str
        A sentence for each thing that is wrong.
    """
    if not has_stages(usual):
        return {}, []
    # A number that is out of range is answered elsewhere: the stages stay as they were.
    whole = int(usual["epochs"] if epochs is None or epochs < 1 else epochs)
    asked: dict[str, Any] = {}
    reasons: list[str] = []
    st.html(STYLE)
    with st.container(key="train-stage-switches", gap="small"):
        st.markdown("#### The stages")
        if "pretraining" in usual:
            asked |= _draw_choice("pretraining", "1. Pretraining", usual, PRETRAINING_WORDS)
        if "start" in usual:
            asked |= _draw_choice("start", "2. Start of the mixture", usual, START_WORDS)
        if "clamped_epochs" in usual:
            found, reasons = _draw_hold(usual, whole, asked.get("start", usual.get("start")))
            asked |= found
    return asked, reasons


def _draw_choice(name: str, label: str, usual: Mapping[str, Any], words: str) -> dict[str, Any]:
    titles = {"pretraining": PRETRAININGS, "start": STARTS}[name]
    preset, chosen = usual[name], _chosen(name)
    key = stage_key(name)
    value = st.pills(
        label,
        options_of(name),
        default=first_value(key, preset if chosen is None else chosen),
        required=True,
        key=key,
        format_func=lambda option: method_words(titles, option),
        help=METHODS[name],
        on_change=_take_choice,
        args=(name, preset),
    )
    st.caption(words)
    if value == preset:
        return {}
    mark_difference(method_words(titles, preset))
    return {name: value}


def _draw_hold(
    usual: Mapping[str, Any], epochs: int, start: Any
) -> tuple[dict[str, Any], list[str]]:
    """The switch that holds clusters; where there is nothing to hold, it is off and says why."""
    # While nothing is held, the field of the number is not on the page.
    put_right(key_of("clamped_epochs"), ever=st.session_state.get(_hold_key()) is False)
    preset, chosen = usual_held(usual, epochs), _chosen("clamped_epochs")
    held = preset if chosen is None else int(chosen)
    why = ""
    if start == "random":
        why = "A random start has no clusters to hold: this is off."
    elif epochs < 2:
        why = "A single epoch has to be free: this is off."
    shown = bool(held) and not why
    if st.session_state.get(_hold_key(), shown) != shown:
        # Something else has changed what is held. A new switch shows it: whatever the browser
        # still says of the old one is of no account, and the old one's state need not be set.
        st.session_state[HOLD_SWITCH] = st.session_state.get(HOLD_SWITCH, 0) + 1
    st.toggle(
        "3. Hold the clusters first",
        value=shown,
        key=_hold_key(),
        disabled=bool(why),
        on_change=_take_hold,
        args=(_hold_key(), preset, epochs),
    )
    st.caption(why or HOLD_WORDS)
    if why:
        return ({"clamped_epochs": 0} if preset or held else {}), []
    if 0 < held < epochs:
        st.caption(
            f"Held for the first {held:,} of {epochs:,} epochs; More settings has the number."
        )
    if held == preset:
        return {}, []
    mark_difference(f"{preset:,} of {epochs:,} epochs" if preset else "Off")
    if held >= epochs:
        sentence = (
            f"Clusters held for {held:,} of {epochs:,} epochs are never set free: hold them for "
            "fewer, or train for more."
        )
        return {"clamped_epochs": held}, [sentence]
    return {"clamped_epochs": held}, []


def mark_difference(preset: str) -> None:
    """Say below a setting that was changed what the preset has."""
    st.markdown(f":small[:orange[Changed: the preset has {preset}.]]")


# --- What the switches do. They are called before anything is drawn. ------------------------------


def _take_choice(name: str, preset: str) -> None:
    if put_right(stage_key(name)):
        return
    value = st.session_state[stage_key(name)]
    st.session_state[key_of(name)] = None if value == preset else value


def _hold_key() -> str:
    return f"{stage_key('hold')}-{st.session_state.get(HOLD_SWITCH, 0)}"


def _take_hold(key: str, preset: int, epochs: int) -> None:
    held: int | None = 0
    if st.session_state[key]:
        held = max(1, usual_held(HOLDS, epochs))
        if preset:
            held = None
    elif not preset:
        held = None
    change(key_of("clamped_epochs"), held)
