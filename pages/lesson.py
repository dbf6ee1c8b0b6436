"""Lesson: eight steps for a first class on VAE and VaDE, each to be predicted, then revealed.

``?step=3`` opens a step, ``&said=...`` brings answers along. Nothing is trained here; every number
is read from a run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.shared.front_door import enter_by_the_front_door
from pages.shared.lesson_link import (
    Guess,
    Said,
    act,
    asked_step,
    go_to,
    note,
    put_into_link,
    said_of,
    show_answer,
)
from pages.shared.lesson_picture import draw_keys, turn_of_keys
from pages.shared.lesson_runs import LessonRuns
from pages.shared.lesson_scene import Answer, Question, Scene
from pages.shared.lesson_vade import belonging, failing, hills, sorting
from pages.shared.lesson_vae import clouds, few_numbers, one_prior, the_bill
from pages.shared.part_of_page import lead_to
from pages.shared.present import begin_presenting, presenting
from pages.shared.run_choice import readable_summaries
from pages.shared.session import fail, percent
from vade_core.runs import RunError

enter_by_the_front_door()

STEPS: tuple[tuple[str, Callable[[LessonRuns], Scene]], ...] = (
    ("A few numbers", few_numbers),
    ("A cloud", clouds),
    ("The ELBO", the_bill),
    ("One prior", one_prior),
    ("Ten hills", hills),
    ("Who belongs to whom", belonging),
    ("Watch it sort", sorting),
    ("When it fails", failing),
)
N_STEPS = len(STEPS)

STYLE = """
<style>
[data-testid="stMainBlockContainer"] { padding: 4.3rem 2rem 4.2rem; }
[data-testid="stStatusWidget"] { display: none; }
.st-key-ls-body { --ls-height: max(400px, calc(100dvh - 13.2rem)); }
[class*="st-key-ls-picture-"] > [class*="st-key-networks-"] { position: absolute; }
.st-key-ls-body .katex { font-size: 1.14em; }
.st-key-ls-body [data-testid="stMarkdownContainer"] .katex-display { margin: .15rem 0 .5rem; }
.st-key-ls-head h1 { padding: 0; font-size: 2rem; line-height: 1.15; }
.st-key-ls-body { margin-top: .3rem; }
.st-key-ls-say li, .st-key-ls-say p { font-size: 1.1rem; line-height: 1.35; }
.st-key-ls-say [data-testid="stMarkdownContainer"] { margin-bottom: 0; }
.st-key-ls-say ul { margin-bottom: .3rem; }
.st-key-ls-say [data-testid="stCaptionContainer"] p { font-size: .9rem; }
.st-key-ls-say, .st-key-ls-ask { gap: .6rem; }
.st-key-ls-body [data-testid="stCaptionContainer"] { opacity: 1; }
.st-key-ls-ask [data-testid="stMarkdownContainer"] strong { font-size: 1.12rem; }
.st-key-ls-ask [data-testid="stAlertContainer"] { padding: .5rem .8rem; }
.st-key-ls-ask [data-testid="stAlertContainer"] strong { font-size: inherit; }
.st-key-ls-ask button { min-height: 2.3rem; padding: .25rem .8rem; justify-content: flex-start; }
.st-key-ls-ask button p { text-align: left; line-height: 1.25; }
@media (max-height: 780px) {
  .st-key-ls-say, .st-key-ls-ask { gap: .35rem; }
  .st-key-ls-say li, .st-key-ls-say p { font-size: 1rem; }
  .st-key-ls-body .katex { font-size: 1.04em; }
  .st-key-ls-ask:has([data-testid="stAlertContainer"]) [data-testid="stElementContainer"]:has(
    > .stButton button:disabled) { display: none; }
  .st-key-ls-ask button { min-height: 2rem; padding: .1rem .8rem; }
}
.st-key-ls-foot { position: fixed; z-index: 99; right: 0; bottom: 0; left: 0; padding: .45rem 2rem;
  backdrop-filter: blur(12px); }
[class*="st-key-ls-dot-"] button { width: 2.3rem; min-height: 2.3rem; padding: 0;
  border-radius: 50%; }
.st-key-ls-foot [data-testid="stVerticalBlock"], .st-key-ls-foot { align-items: center; }
/* A telephone: the steps above Back and Next, and nothing of a projector's. */
@media (max-width: 640px) {
  [data-testid="stMainBlockContainer"] { padding: 4.3rem 1rem 8.5rem; }
  .st-key-ls-foot { flex-wrap: wrap; gap: .3rem; padding: .45rem 1rem; }
  [data-testid="stLayoutWrapper"]:has(> .st-key-ls-dots) { order: -1; flex: 1 1 100% !important;
    width: 100% !important; }
  .st-key-ls-dots { flex-wrap: nowrap; justify-content: space-between; width: 100%; gap: 0; }
  .st-key-ls-present { display: none; }
  .st-key-ls-head h1 { font-size: 1.5rem; }
  .st-key-ls-body .katex { font-size: .9em; }
}
.ls-tiles { display: flex; flex-wrap: wrap; gap: .4rem; }
.ls-tile { display: flex; flex: 1 1 5rem; gap: 2px; overflow: hidden; border-radius: .4rem;
  font-weight: 650; }
.ls-tile span { min-width: 1.3em; overflow: hidden; line-height: 2.1; text-align: center; }
</style>
"""
STYLE_PRESENTING = """
<style>
[data-testid="stMainBlockContainer"] { padding: .8rem 1.8rem 3.6rem !important; }
.st-key-ls-body { --ls-height: max(400px, calc(100dvh - 9.2rem)); }
.st-key-ls-say, .st-key-ls-ask { gap: .4rem; }
.st-key-ls-head h1 { font-size: 1.9rem; }
</style>
"""


def main() -> None:
    """The step that the link or a person asks for."""
    st.html(STYLE)
    if presenting():
        st.html(STYLE_PRESENTING)
    step = asked_step(N_STEPS)
    # Every answer is noted before the page runs, so the address can say it at once.
    put_into_link(step)
    draw_keys(step, N_STEPS, on_turn=turn_by_keys)
    runs = LessonRuns(readable_summaries())
    try:
        scene = STEPS[step][1](runs)
        draw_step(step, scene)
    except (RunError, OSError) as error:
        fail(str(error))
    draw_foot(step)
    lead_to("ls-head", f"step {step + 1}", below=640)


def turn(step: int) -> None:
    """Go to a step; for a button's callback."""
    go_to(step, N_STEPS)


def turn_by_keys() -> None:
    """Go where the keys, or quick presses of the buttons, lead."""
    if (step := turn_of_keys()) is not None:
        turn(step)


def present() -> None:
    """Begin presenting at the step that is open."""
    act()
    begin_presenting()


def draw_step(step: int, scene: Scene) -> None:
    """Heading, picture, words and question of a step."""
    with st.container(key="ls-head"):
        st.title(scene.heading, anchor=False)
    said = said_of(step)
    shown = bool(scene.run) and said.shown
    with st.container(key="ls-body"):
        picture, words = st.columns([13, 9], gap="medium")
        with words:
            with st.container(key="ls-say", gap="small"):
                st.markdown("\n".join(f"- {sentence}" for sentence in scene.sentences))
                st.latex(scene.formula)
                st.caption(scene.symbols)
            with st.container(key="ls-ask", gap="small"):
                draw_question(step, scene, Said(said.guess, shown))
        # Last: what is to be read stands there while the picture is being made.
        with place_of_picture(picture, step):
            if scene.run is None:
                draw_missing(scene)
            else:
                scene.draw(shown)


def place_of_picture(column: DeltaGenerator, step: int) -> DeltaGenerator:
    """Where a step's picture goes: a place of its own, so that the one before leaves at once.

    In one place for all, the old picture stays below the new one until the page has run.
    """
    with column.container(key="ls-picture", gap=None):
        places = [
            st.container(key=f"ls-picture-{other + 1}") if other == step else st.empty()
            for other in range(N_STEPS)
        ]
    return places[step]


def draw_missing(scene: Scene) -> None:
    """What to train where the run of a step is not there."""
    with st.container(border=True):
        st.markdown("#### No run for this step yet")
        st.markdown(f"Train {scene.missing} to see it here; the small digits take seconds.")
        st.page_link("pages/train.py", label="Train", icon=":material/play_circle:")


def draw_foot(step: int) -> None:
    """Back, a dot for every step, next, and the way into the present mode."""
    with st.container(key="ls-foot", horizontal=True, horizontal_alignment="distribute"):
        st.button(
            "Back",
            icon=":material/arrow_back:",
            key="ls-back",
            on_click=turn,
            args=(step - 1,),
            disabled=step == 0,
            help="Left arrow or Page Up",
        )
        with st.container(key="ls-dots", horizontal=True, gap="small", width="content"):
            for other, (name, _) in enumerate(STEPS):
                st.button(
                    str(other + 1),
                    key=f"ls-dot-{other + 1}",
                    type="primary" if other == step else "secondary",
                    on_click=turn,
                    args=(other,),
                    help=name,
                )
            if not presenting():
                st.button(
                    "Present",
                    icon=":material/slideshow:",
                    key="ls-present",
                    type="tertiary",
                    on_click=present,
                    help="For a projector: large type, no controls",
                )
        st.button(
            "Next",
            icon=":material/arrow_forward:",
            icon_position="right",
            key="ls-next",
            on_click=turn,
            args=(step + 1,),
            disabled=step == N_STEPS - 1,
            help="Right arrow or Page Down",
        )


# --- Questions ------------------------------------------------------------------------------------


def draw_question(step: int, scene: Scene, said: Said) -> None:
    """The question, the answers to choose from, and the answer once it is asked for."""
    question, guess = scene.question, said.guess
    answer = scene.answer(guess) if said.shown else None
    st.markdown(f"**{question.words}**")
    if question.hint and answer is None:
        st.caption(question.hint)
    if question.kind == "choice":
        draw_choices(step, question, guess, answer)
    elif question.kind == "share":
        draw_share(step, guess, frozen=said.shown)
    elif question.options and answer is None:
        draw_many(step, question, guess)
    elif question.options and answer is not None:
        draw_marks(step, question, guess, answer)
    if answer is not None:
        draw_answer(question, guess, answer)
    elif scene.run is not None:
        st.button(
            "Show the answer",
            key=f"ls-show-{step + 1}",
            icon=":material/visibility:",
            on_click=show_answer,
            args=(step,),
        )
    else:
        st.caption("The answer is read from a run.")


def draw_choices(step: int, question: Question, guess: Guess, answer: Answer | None) -> None:
    """A button for every answer; the chosen one is filled, the right one is ticked."""
    short = max(map(len, question.options)) <= 20
    with st.container(horizontal=short, gap="small"):
        for i, words in enumerate(question.options):
            st.button(
                words,
                key=f"ls-answer-{step + 1}-{i}",
                icon=mark_of(i, [guess], answer),
                type="primary" if i == guess else "secondary",
                on_click=note,
                args=(step, i),
                disabled=answer is not None and i != guess and i not in answer.right,
                width="content" if short else "stretch",
            )


def draw_marks(step: int, question: Question, guess: Guess, answer: Answer) -> None:
    """Every answer of a question for any of some: the right ones ticked, the wrong ones crossed."""
    chosen = guess if isinstance(guess, list) else []
    with st.container(horizontal=True, gap="small", key="ls-marks"):
        for i, words in enumerate(question.options):
            st.button(
                words,
                key=f"ls-mark-{step + 1}-{i}",
                icon=mark_of(i, chosen, answer),
                type="primary" if i in chosen else "secondary",
                disabled=i not in chosen and i not in answer.right,
            )


def mark_of(option: int, chosen: Sequence[Guess], answer: Answer | None) -> str | None:
    """The icon of an option once the answer is shown: right, or chosen and wrong."""
    if answer is None or not answer.right:
        return None
    if option in answer.right:
        return ":material/check:"
    return ":material/close:" if option in chosen else None


def draw_share(step: int, guess: Guess, *, frozen: bool) -> None:
    """A slider for a share; one that nobody has moved is no guess."""
    key = f"ls-share-{step + 1}"
    st.slider(
        "Your guess",
        0,
        100,
        round(100 * guess) if isinstance(guess, float) else 50,
        format="%d %%",
        key=key,
        on_change=lambda: note(step, float(st.session_state[key]) / 100),
        disabled=frozen,
        label_visibility="collapsed",
    )


def draw_many(step: int, question: Question, guess: Guess) -> None:
    """Any of the answers."""
    key = f"ls-many-{step + 1}"
    options = range(len(question.options))
    st.pills(
        "Your guess",
        options,
        selection_mode="multi",
        default=[i for i in guess if i in options] if isinstance(guess, list) else [],
        format_func=question.options.__getitem__,
        key=key,
        on_change=lambda: note(step, sorted(st.session_state[key])),
        label_visibility="collapsed",
    )


def draw_answer(question: Question, guess: Guess, answer: Answer) -> None:
    """What the run says, and how near the guess was."""
    verdict = ""
    if question.kind == "choice" and guess is not None and answer.right:
        verdict = "Right. " if guess in answer.right else "No. "
    elif question.kind == "share" and answer.share is not None and isinstance(guess, float):
        verdict = f"You guessed {percent(guess)}. "
    st.success(f"{verdict}{answer.words}")


main()
