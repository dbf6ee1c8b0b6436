"""Lesson: eight steps for a first class on VAE and VaDE, each to be predicted, then revealed.

``?step=3`` opens a step. Nothing is trained here; every number is read from a run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from pages.shared.lesson_picture import draw_keys
from pages.shared.lesson_runs import LessonRuns
from pages.shared.lesson_scene import Answer, Question, Scene
from pages.shared.lesson_vade import belonging, failing, hills, sorting
from pages.shared.lesson_vae import clouds, few_numbers, one_prior, the_bill
from pages.shared.present import begin_presenting, presenting
from pages.shared.run_choice import readable_summaries
from pages.shared.session import fail, percent
from vade_core.runs import RunError

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
STEP, LINKED, GUESSES, SHOWN = "ls-step", "ls-step:link", "ls-guesses", "ls-shown"

STYLE = """
<style>
[data-testid="stMainBlockContainer"] { padding: 4.3rem 2rem 4.2rem; }
[data-testid="stStatusWidget"] { display: none; }
.st-key-ls-body { --ls-height: max(400px, calc(100dvh - 13.2rem)); }
.st-key-ls-body .katex { font-size: 1.14em; }
.st-key-ls-body [data-testid="stMarkdownContainer"] .katex-display { margin: .15rem 0 .5rem; }
.st-key-ls-head h1 { padding: 0; font-size: 2rem; line-height: 1.15; }
.st-key-ls-body { margin-top: .3rem; }
.st-key-ls-say li, .st-key-ls-say p { font-size: 1.1rem; line-height: 1.35; }
.st-key-ls-say [data-testid="stMarkdownContainer"] { margin-bottom: 0; }
.st-key-ls-say ul { margin-bottom: .3rem; }
.st-key-ls-say [data-testid="stCaptionContainer"] p { font-size: .9rem; }
.st-key-ls-ask [data-testid="stAlertContainer"] { padding: .6rem .8rem; }
.st-key-ls-ask button { min-height: 2.3rem; padding: .25rem .8rem; justify-content: flex-start; }
.st-key-ls-ask button p { text-align: left; line-height: 1.25; }
.st-key-ls-foot { position: fixed; z-index: 99; right: 0; bottom: 0; left: 0; padding: .45rem 2rem;
  backdrop-filter: blur(12px); }
[class*="st-key-ls-dot-"] button { width: 2.3rem; min-height: 2.3rem; padding: 0;
  border-radius: 50%; }
.st-key-ls-foot [data-testid="stVerticalBlock"], .st-key-ls-foot { align-items: center; }
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
.st-key-ls-say, .st-key-ls-ask { gap: .5rem; }
.st-key-ls-head h1 { font-size: 1.9rem; }
</style>
"""


def main() -> None:
    """The step that the link or a person asks for."""
    st.html(STYLE)
    if presenting():
        st.html(STYLE_PRESENTING)
    step = asked_step()
    runs = LessonRuns(readable_summaries())
    try:
        scene = STEPS[step][1](runs)
        draw_step(step, scene)
    except (RunError, OSError) as error:
        fail(str(error))
    draw_foot(step)
    draw_keys()


def asked_step() -> int:
    """The step's place among all, 0 for the first; the link carries its number."""
    asked = st.query_params.get("step")
    if asked != st.session_state.get(LINKED) and asked in {str(n + 1) for n in range(len(STEPS))}:
        st.session_state[STEP] = int(asked) - 1
    step = int(st.session_state.setdefault(STEP, 0))
    number = str(step + 1)
    if asked != number:
        st.query_params["step"] = number
    st.session_state[LINKED] = number
    return step


def go_to(step: int) -> None:
    """Go to a step; for a button's callback."""
    st.session_state[STEP] = min(max(step, 0), len(STEPS) - 1)


def draw_step(step: int, scene: Scene) -> None:
    """Heading, picture, words and question of a step."""
    with st.container(key="ls-head"):
        st.title(scene.heading, anchor=False)
    shown = bool(scene.run) and step in st.session_state.setdefault(SHOWN, set())
    with st.container(key="ls-body"):
        picture, words = st.columns([13, 9], gap="medium")
        with words:
            with st.container(key="ls-say", gap="small"):
                st.markdown("\n".join(f"- {sentence}" for sentence in scene.sentences))
                st.latex(scene.formula)
                st.caption(scene.symbols)
            with st.container(key="ls-ask", gap="small"):
                draw_question(step, scene, shown)
        # Last: what is to be read stands there while the picture is being made.
        with picture, st.container(key="ls-picture"):
            if scene.run is None:
                draw_missing(scene)
            else:
                scene.draw(shown)


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
            on_click=go_to,
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
                    on_click=go_to,
                    args=(other,),
                    help=name,
                )
            if not presenting():
                st.button(
                    "Present",
                    icon=":material/slideshow:",
                    key="ls-present",
                    type="tertiary",
                    on_click=begin_presenting,
                    help="For a projector: large type, no controls",
                )
        st.button(
            "Next",
            icon=":material/arrow_forward:",
            icon_position="right",
            key="ls-next",
            on_click=go_to,
            args=(step + 1,),
            disabled=step == len(STEPS) - 1,
            help="Right arrow or Page Down",
        )


# --- Questions ------------------------------------------------------------------------------------


def draw_question(step: int, scene: Scene, shown: bool) -> None:
    """The question, the answers to choose from, and the answer once it is asked for."""
    question = scene.question
    guesses: dict[int, Any] = st.session_state.setdefault(GUESSES, {})
    answer = scene.answer(guesses.get(step)) if shown else None
    st.markdown(f"**{question.words}**")
    if question.kind == "choice":
        draw_choices(step, question, guesses.get(step), answer)
    elif question.kind == "share":
        draw_share(step, guesses.get(step), frozen=shown)
    elif question.options:
        guesses[step] = draw_many(step, question, guesses.get(step), frozen=shown)
    if answer is not None:
        draw_answer(question, guesses.get(step), answer)
    elif scene.run is not None:
        st.button(
            "Show the answer",
            key=f"ls-show-{step + 1}",
            icon=":material/visibility:",
            on_click=lambda: st.session_state[SHOWN].add(step),
        )
    else:
        st.caption("The answer is read from a run.")


def draw_choices(step: int, question: Question, guess: Any, answer: Answer | None) -> None:
    """A button for every answer; the chosen one is filled, the right one is ticked."""
    short = max(map(len, question.options)) <= 20
    with st.container(horizontal=short, gap="small"):
        for i, words in enumerate(question.options):
            icon = None
            if answer is not None and i in answer.right:
                icon = ":material/check:"
            elif answer is not None and i == guess and answer.right:
                icon = ":material/close:"
            st.button(
                words,
                key=f"ls-answer-{step + 1}-{i}",
                icon=icon,
                type="primary" if i == guess else "secondary",
                on_click=choose,
                args=(step, i),
                disabled=answer is not None and i != guess and i not in answer.right,
                width="content" if short else "stretch",
            )


def choose(step: int, guess: int) -> None:
    """Note an answer, unless the right one is on the screen already."""
    if step not in st.session_state.get(SHOWN, set()):
        st.session_state[GUESSES][step] = guess


def draw_share(step: int, guess: Any, *, frozen: bool) -> None:
    """A slider for a share; one that nobody has moved is no guess."""
    st.slider(
        "Your guess",
        0,
        100,
        50 if guess is None else round(100 * guess),
        format="%d %%",
        key=f"ls-share-{step + 1}",
        on_change=note_share,
        args=(step,),
        disabled=frozen,
        label_visibility="collapsed",
    )


def note_share(step: int) -> None:
    """Note where a person has moved the slider to."""
    st.session_state[GUESSES][step] = float(st.session_state[f"ls-share-{step + 1}"]) / 100


def draw_many(step: int, question: Question, guess: Any, *, frozen: bool) -> list[int]:
    """Any of the answers."""
    found = st.pills(
        "Your guess",
        range(len(question.options)),
        selection_mode="multi",
        default=guess or [],
        format_func=question.options.__getitem__,
        key=f"ls-many-{step + 1}",
        disabled=frozen,
        label_visibility="collapsed",
    )
    return list(found)


def draw_answer(question: Question, guess: Any, answer: Answer) -> None:
    """What the run says, and how near the guess was."""
    verdict = ""
    if question.kind == "choice" and guess is not None and answer.right:
        verdict = "Right. " if guess in answer.right else "No. "
    elif question.kind == "share" and answer.share is not None and guess is not None:
        verdict = f"You guessed {percent(guess)}. "
    st.success(f"{verdict}{answer.words}")


main()
