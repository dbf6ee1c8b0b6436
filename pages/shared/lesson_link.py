"""Where a person stands in the lesson and what was answered: kept in the session and in the link.

``?step=4`` opens a step; ``&said=1-2s_7-p83`` brings answers along, so that they outlive a reload.
A link speaks once: what a person does on the page afterwards counts, even where the request that
brings it still carries the address of before.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import streamlit as st

from pages.shared.session import tell_left_out

__all__ = [
    "Guess",
    "Said",
    "act",
    "asked_step",
    "go_to",
    "note",
    "put_into_link",
    "read_said",
    "said_of",
    "show_answer",
    "written_said",
]

Guess = int | float | list[int] | None
STEP, SAID, ACTED = "ls-step", "ls-said", "ls-acted"
LINKED = "ls-linked"
PARAMETER = "said"
# A step, what was guessed (an option, a share in per cent, any of the options), and whether the
# answer is shown.
_ENTRY = re.compile(r"(\d{1,2})-(?:(\d{1,3})|p(\d{1,3})|m((?:\d{1,3}(?:\.\d{1,3})*)?))?(s?)", re.A)


@dataclass(frozen=True)
class Said:
    """What a person said at a step.

    Attributes
    ----------
    guess : int, float, list of int, or None
        The number of an option, a share in [0, 1], the numbers of some options; None for nothing.
    shown : bool
        Whether the answer is shown.
    """

    guess: Guess = None
    shown: bool = False


def written_said(said: Mapping[int, Said]) -> str:
    """What was said, by step from 0, as a link carries it; empty for nothing.

    Examples
    --------
    >>> written_said({0: Said(2, True), 6: Said(0.83), 7: Said([1, 4], True), 3: Said()})
    '1-2s_7-p83_8-m1.4s'
    """
    parts = []
    for step, one in sorted(said.items()):
        guess = ""
        if isinstance(one.guess, float):
            guess = f"p{round(100 * one.guess)}"
        elif isinstance(one.guess, int):
            guess = str(one.guess)
        elif one.guess:
            guess = "m" + ".".join(map(str, one.guess))
        if guess or one.shown:
            parts.append(f"{step + 1}-{guess}{'s' if one.shown else ''}")
    return "_".join(parts)


def read_said(text: str, n_steps: int) -> dict[int, Said]:
    """What a link says, by step from 0; what cannot be understood counts as nothing.

    Examples
    --------
    >>> read_said("1-2s_7-p83_99-1_x", 8)
    {0: Said(guess=2, shown=True), 6: Said(guess=0.83, shown=False)}
    """
    found: dict[int, Said] = {}
    for part in text[:400].split("_"):
        entry = _ENTRY.fullmatch(part)
        if entry is None or not 1 <= int(entry[1]) <= n_steps:
            continue
        guess: Guess = None
        if entry[2]:
            guess = int(entry[2])
        elif entry[3]:
            guess = min(100, int(entry[3])) / 100
        elif entry[4]:
            guess = sorted({int(number) for number in entry[4].split(".")})
        found[int(entry[1]) - 1] = Said(guess, bool(entry[5]))
    return found


# --- The session and the address ------------------------------------------------------------------


def asked_step(n_steps: int) -> int:
    """The step's place among all, 0 for the first, from the link or from before.

    Call it first; it takes the answers from the link, too.
    """
    acted = st.session_state.pop(ACTED, False)
    asked = st.query_params.get("step"), st.query_params.get(PARAMETER)
    step, said = asked
    before = st.session_state.get(LINKED, (None, None))
    if not acted and step is not None and step != before[0]:
        if step in {str(n + 1) for n in range(n_steps)}:
            st.session_state[STEP] = int(step) - 1
        else:
            tell_left_out("step")
    if not acted and said and said != before[1]:
        st.session_state[SAID] = read_said(said, n_steps)
        # Sliders and the like begin with what the link says.
        for key in [str(key) for key in st.session_state]:
            if key.startswith(("ls-share-", "ls-many-")):
                del st.session_state[key]
    st.session_state.setdefault(SAID, {})
    return min(int(st.session_state.setdefault(STEP, 0)), n_steps - 1)


def put_into_link(step: int) -> None:
    """Let the address carry the step and the answers."""
    number, said = str(step + 1), written_said(st.session_state[SAID]) or None
    if st.query_params.get("step") != number:
        st.query_params["step"] = number
    if said is None:
        st.query_params.pop(PARAMETER, None)
    elif st.query_params.get(PARAMETER) != said:
        st.query_params[PARAMETER] = said
    st.session_state[LINKED] = (number, said)


# --- What a person does: for callbacks ------------------------------------------------------------


def act() -> None:
    """Say that the page runs because of something that was done on it."""
    st.session_state[ACTED] = True


def go_to(step: int, n_steps: int) -> None:
    """Go to a step, 0 for the first."""
    act()
    st.session_state[STEP] = min(max(step, 0), n_steps - 1)


def note(step: int, guess: Guess) -> None:
    """Note a guess, unless the answer is on the screen already."""
    act()
    if not said_of(step).shown:
        st.session_state[SAID] = {**st.session_state[SAID], step: Said(guess)}


def show_answer(step: int) -> None:
    """Show the answer of a step."""
    act()
    st.session_state[SAID] = {
        **st.session_state[SAID],
        step: replace(said_of(step), shown=True),
    }


def said_of(step: int) -> Said:
    """What was said at a step so far."""
    found: dict[int, Said] = st.session_state.setdefault(SAID, {})
    return found.get(step, Said())
