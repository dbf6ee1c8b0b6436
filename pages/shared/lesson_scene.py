"""What a step of the lesson is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from vade_core.runs import Run

__all__ = ["Answer", "Question", "Scene", "number_word"]

WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
WORDS += ("eleven", "twelve")


@dataclass(frozen=True)
class Question:
    """What is to be predicted.

    Attributes
    ----------
    words : str
    kind : {"choice", "share", "many"}
        One of some answers, a share to guess, or any of some.
    options : tuple of str
        The answers; none for a share.
    hint : str
        What helps to guess, until the answer is shown.
    """

    words: str
    kind: Literal["choice", "share", "many"] = "choice"
    options: tuple[str, ...] = ()
    hint: str = ""


@dataclass(frozen=True)
class Answer:
    """What the run says.

    Attributes
    ----------
    words : str
        Markdown; its numbers are read from the run.
    right : frozenset of int
        Which of the question's options are right.
    share : float or None
        The right share, in [0, 1], of a question for one.
    """

    words: str
    right: frozenset[int] = frozenset()
    share: float | None = None


@dataclass(frozen=True)
class Scene:
    """A step.

    Attributes
    ----------
    heading : str
    sentences : tuple of str
        Three at most.
    formula : str
        For KaTeX.
    symbols : str
        What its letters stand for.
    question : Question
    run : Run or None
        What it shows; None where there is no such run.
    missing : str
        What to train then, as the end of a sentence.
    draw : callable
        Draws the picture; told whether the answer is shown.
    answer : callable
        Reads the answer from the run; called only when it is shown.
    """

    heading: str
    sentences: tuple[str, ...]
    formula: str
    symbols: str
    question: Question
    run: Run | None
    missing: str
    draw: Callable[[bool], None] = field(repr=False)
    answer: Callable[[Any], Answer] = field(repr=False)


def number_word(number: int) -> str:
    """A small number as a word, a larger one in digits.

    Examples
    --------
    >>> number_word(10), number_word(64)
    ('ten', '64')
    """
    return WORDS[number] if 0 < number < len(WORDS) else f"{number:,}"
