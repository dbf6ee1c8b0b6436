"""A click that another one follows at once is heard, and what it does is done to its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.WidgetStates_pb2 import WidgetStates
from streamlit.runtime.app_session import AppSession
from streamlit.runtime.scriptrunner import RerunData, RerunException
from streamlit.runtime.scriptrunner_utils.script_requests import ScriptRequests, ScriptRequestType
from streamlit.runtime.state import SessionState
from streamlit.runtime.state.safe_session_state import SafeSessionState

from pages.shared.quick_clicks import mend_quick_clicks


@pytest.fixture(autouse=True)
def unmended() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for owner, name in (
            (SafeSessionState, "on_script_will_rerun"),
            (AppSession, "request_rerun"),
        ):
            own = getattr(owner, name)
            patch.setattr(owner, name, getattr(own, "__wrapped__", own))
        yield


def pressed(states: WidgetStates, *names: str) -> WidgetStates:
    for name in names:
        states.widgets.add(id=name, trigger_value=True)
    return states


def another_request() -> None:
    raise RerunException(RerunData())


def taken_up() -> Any:
    """A session that was told of a click while the next request was there already."""
    state = SessionState()
    session = SafeSessionState(state, another_request)
    session.on_script_will_rerun(pressed(WidgetStates(), "start"))
    with pytest.raises(RerunException):
        session["anything"]  # from now on it is looked for again
    return state._new_widget_state.states["start"].value.trigger_value  # type: ignore[union-attr]


def test_streamlit_itself_gives_up_a_click_for_the_next_request() -> None:
    """Where this fails, Streamlit is mended itself, and this part of the mending can go."""
    with pytest.raises(RerunException):
        taken_up()


def test_a_click_is_taken_up_before_the_next_request_is_looked_for() -> None:
    mend_quick_clicks()
    mend_quick_clicks()
    assert taken_up() is True


def test_what_a_button_does_is_done_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    done = []

    def call_callbacks(state: SessionState, **_: Any) -> None:
        session["note"] = "first half"
        done.append(session["note"])

    monkeypatch.setattr(SessionState, "_call_callbacks", call_callbacks)
    mend_quick_clicks()
    session = SafeSessionState(SessionState(), another_request)
    session.on_script_will_rerun(pressed(WidgetStates(), "start"))
    assert done == ["first half"]


class Runner:
    """What begins a run of the page in a thread of its own; this one's has not begun."""

    def __init__(self, data: RerunData) -> None:
        self._requests = ScriptRequests()
        self._requests.request_rerun(data)
        self.request_stop: Callable[[], None] = self._requests.request_stop
        self.request_rerun: Callable[[RerunData], bool] = self._requests.request_rerun

    def takes(self) -> set[str] | None:
        """The buttons that its run is told of; None where it is given up."""
        request = self._requests.on_scriptrunner_ready()
        if request.type is not ScriptRequestType.RERUN:
            return None
        states = request.rerun_data.widget_states
        return {widget.id for widget in states.widgets} if states else set()


def two_requests(*, begun: bool, fragment: str = "") -> list[set[str] | None]:
    """What the runs are told after a press of one button, and at once of another."""
    runners: list[Runner] = []
    session: Any = SimpleNamespace(
        _state=None, _scriptrunner=None, has_fragment=lambda name: True, _client_state=ClientState()
    )

    def create(data: RerunData) -> None:
        session._scriptrunner = Runner(data)
        runners.append(session._scriptrunner)

    session._create_scriptrunner = create
    told: list[set[str] | None] = []
    for number, name in enumerate(("start", "other")):
        client = ClientState(fragment_id=fragment if number else "")
        pressed(client.widget_states, name)
        AppSession.request_rerun(session, client)
        if begun and number == 0:
            told.append(runners[0].takes())
    return [*told, *(runner.takes() for runner in runners[len(told) :])]


def test_streamlit_itself_does_not_hand_a_click_on() -> None:
    """Where this fails, Streamlit is mended itself, and this part of the mending can go."""
    assert two_requests(begun=False) == [None, {"other"}]


@pytest.mark.parametrize(
    ("begun", "fragment", "expected"),
    [
        (False, "", [None, {"start", "other"}]),  # handed on
        (True, "", [{"start"}, {"other"}]),  # each once
        (False, "a part", [{"start", "other"}]),  # a part of the page is drawn by the same run
    ],
)
def test_each_click_reaches_one_run(begun: bool, fragment: str, expected: list[Any]) -> None:
    mend_quick_clicks()
    assert two_requests(begun=begun, fragment=fragment) == expected
