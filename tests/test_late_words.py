"""What the browser says before it has heard what the page changed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from pages.shared import late_words
from pages.shared.late_words import LATE, change, first_value, forget, lags, put_right, write_down


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The session's state, and under ``now`` a clock that stands still."""
    found: dict[str, Any] = {"now": 0.0}
    monkeypatch.setattr(late_words, "st", SimpleNamespace(session_state=found))
    monkeypatch.setattr(late_words, "time", SimpleNamespace(monotonic=lambda: found["now"]))
    return found


def test_an_address_from_before_is_late_until_the_newest_one_was_heard(
    state: dict[str, Any],
) -> None:
    for address in ({"k": "7"}, {"k": "10"}, {"k": "14"}):
        write_down("link", address)
    assert lags("link", {"k": "7"})
    assert lags("link", {"k": "10"})
    state["now"] = 100.0  # however slow the machine is
    assert lags("link", {"k": "10"})
    assert not lags("link", {"k": "14"})
    # From here on a person has gone back, or come by a link.
    assert not lags("link", {"k": "10"})
    assert not lags("link", {"k": "99"})


def test_an_old_value_is_taken_back_for_a_moment_and_then_meant(state: dict[str, Any]) -> None:
    state["pill"] = "kmeans"
    change("pill", "graph")
    state["pill"] = "kmeans"
    assert put_right("pill")
    assert state["pill"] == "graph"
    state["now"] = LATE + 0.1
    state["pill"] = "kmeans"
    assert not put_right("pill")
    assert state["pill"] == "kmeans"


def test_another_value_than_the_old_one_is_a_wish_at_once(state: dict[str, Any]) -> None:
    state["pill"] = "kmeans"
    change("pill", "graph")
    state["pill"] = "random"
    assert not put_right("pill")
    assert state["pill"] == "random"


def test_of_a_widget_that_is_not_on_the_page_any_other_value_is_late(
    state: dict[str, Any],
) -> None:
    state["number"] = None
    change("number", 0)
    state["now"] = 60.0
    state["number"] = None
    assert put_right("number", ever=True)
    assert state["number"] == 0
    forget("number")
    state["number"] = 12
    assert not put_right("number", ever=True)


def test_a_state_that_shows_the_value_already_is_not_set_again(state: dict[str, Any]) -> None:
    # Not there yet: the widget begins with the value, and nothing is sent on its own.
    assert first_value("toggle", True) is True
    assert "toggle" not in state
    state["toggle"] = True
    assert first_value("toggle", True) is True
    # It has to change: the state says so, and once more while the message may be lost.
    assert first_value("toggle", False) is None
    assert state["toggle"] is False
    assert first_value("toggle", False) is None
    state["now"] = LATE + 0.1
    assert first_value("toggle", False) is False
