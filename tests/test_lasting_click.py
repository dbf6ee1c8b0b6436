"""A click is answered once, whatever is clicked right after it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import streamlit as st
from streamlit.runtime.scriptrunner import RerunData, RerunException

from pages.shared.lasting_click import Click, forget_clicks, lasting_button


class Page:
    """Where a button is drawn: how it was drawn last, and whether it has just been pressed."""

    def __init__(self) -> None:
        self.pressed = self.breaks_off = False
        self.drawn: dict[str, Any] = {}

    def button(self, label: str, **drawn: Any) -> bool:
        if self.breaks_off:
            raise RerunException(RerunData())
        self.drawn = drawn
        pressed, self.pressed = self.pressed, False
        return pressed

    def press(self) -> None:
        """A callback runs before the page is drawn."""
        assert not self.drawn["disabled"]
        self.drawn["on_click"](*self.drawn["args"])
        self.pressed = True


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Page:
    monkeypatch.setattr(st, "session_state", {})
    return Page()


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Lets seconds pass."""
    start, passed = time.monotonic(), [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: start + passed[0])

    def wait(seconds: float) -> None:
        passed[0] += seconds

    return wait


def draw(page: Page, wish: Any) -> Click[Any] | None:
    return lasting_button("Do it", wish, key="do", place=page)


def done(page: Page, wish: Any) -> list[Any]:
    """What the page does when it is drawn once."""
    did: list[Any] = []
    click = draw(page, wish)
    if click:
        click.answered(did.append)
    return did


def test_a_press_asks_for_what_its_own_run_of_the_page_finds(page: Page) -> None:
    assert done(page, "old") == []
    page.press()
    assert done(page, "typed meanwhile") == ["typed meanwhile"]
    assert done(page, "typed meanwhile") == []


def test_a_press_whose_run_was_broken_off_is_answered_by_the_next_one_as_it_was_meant(
    page: Page,
) -> None:
    draw(page, "meant")
    page.press()
    page.breaks_off = True
    with pytest.raises(RerunException):
        draw(page, "other")
    page.breaks_off = page.pressed = False
    assert done(page, "other") == ["meant"]
    assert done(page, "other") == []


def test_a_click_whose_button_is_not_drawn_any_more_is_forgotten_with_the_page(
    page: Page,
) -> None:
    draw(page, "meant")
    page.press()
    page.pressed = False
    forget_clicks()
    assert done(page, "meant") == []


def test_nobody_waits_for_an_answer_for_long(page: Page, later: Callable[[float], None]) -> None:
    draw(page, "meant")
    page.press()
    page.pressed = False
    later(60)
    assert done(page, "other") == []
    later(-60)
    assert done(page, "other") == []


@pytest.mark.parametrize(
    ("pauses", "answered"),
    [((0, 0.5, 60), [0, 0, 1]), ((0, 0.7, 0.7, 0.7, 0.7), [0, 0, 1, 1, 2])],
    ids=["double", "going on"],
)
def test_a_double_click_gets_one_answer_twice_and_a_later_click_one_of_its_own(
    page: Page, later: Callable[[float], None], pauses: tuple[float, ...], answered: list[int]
) -> None:
    answers = iter(range(10))
    found = []
    draw(page, "wish")
    for pause in pauses:
        later(pause)
        page.press()
        click = draw(page, "wish")
        assert click is not None
        found.append(click.answered(lambda _: next(answers)))
    assert found == answered


def test_another_wish_right_after_the_first_is_another_one(page: Page) -> None:
    draw(page, "first")
    page.press()
    assert done(page, "first") == ["first"]
    page.press()
    assert done(page, "second") == ["second"]


def test_two_of_the_pages_runs_at_once_answer_a_click_once(page: Page) -> None:
    did: list[Any] = []
    draw(page, "wish")
    page.press()
    clicks = [draw(page, "wish") for _ in range(2)]
    begun, go_on = threading.Event(), threading.Event()

    def answer(wish: Any) -> None:
        begun.set()
        go_on.wait(20)
        did.append(wish)

    threads = [threading.Thread(target=click.answered, args=(answer,)) for click in clicks if click]
    assert len(threads) == 2
    for thread in threads:
        thread.start()
    assert begun.wait(20)
    go_on.set()
    for thread in threads:
        thread.join(20)
    assert did == ["wish"]


def test_what_cannot_be_done_cannot_be_asked_for(page: Page) -> None:
    draw(page, None)
    assert page.drawn["disabled"]
    # Pressed before somebody spoilt the settings: what is drawn then has nothing to ask for.
    draw(page, "wish")
    page.press()
    assert done(page, None) == []


def test_an_answer_that_fails_lets_the_next_click_try_again(page: Page) -> None:
    draw(page, "wish")
    page.press()
    click = draw(page, "wish")
    assert click is not None
    with pytest.raises(ZeroDivisionError):
        click.answered(lambda _: 1 / 0)
    page.press()
    assert done(page, "wish") == ["wish"]
