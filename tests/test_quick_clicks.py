"""A click that another one follows at once is heard, and what it does is done to its end."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.WidgetStates_pb2 import WidgetStates
from streamlit.runtime.app_session import AppSession
from streamlit.runtime.scriptrunner import RerunData, RerunException, StopException
from streamlit.runtime.scriptrunner_utils.script_requests import ScriptRequests, ScriptRequestType
from streamlit.runtime.state import SessionState
from streamlit.runtime.state.safe_session_state import SafeSessionState

from pages.shared import quick_clicks
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
    """What runs the page for a request, in a thread of its own; here step by step."""

    def __init__(self, data: RerunData) -> None:
        self._requests = ScriptRequests()
        self._requests.request_rerun(data)
        self.request_stop = self._requests.request_stop
        self.request_rerun = self._requests.request_rerun
        self.states: WidgetStates | None = None
        self.heard: set[str] = set()

    def begin(self) -> None:
        request = self._requests.on_scriptrunner_ready()
        if request.type is ScriptRequestType.RERUN:
            self.states = request.rerun_data.widget_states

    def take_up(self, patch: pytest.MonkeyPatch) -> None:
        """The first thing that a run does, as far as it is not given up."""

        def will_rerun(state: SessionState, states: WidgetStates, **_: Any) -> None:
            self.heard |= {widget.id for widget in states.widgets}

        def look() -> None:
            if (request := self._requests.on_scriptrunner_yield()) is not None:
                assert request.type is ScriptRequestType.STOP
                raise StopException

        if self.states is None:
            return
        patch.setattr(SessionState, "on_script_will_rerun", will_rerun)
        context = SimpleNamespace(script_requests=self._requests)
        patch.setattr(quick_clicks, "get_script_run_ctx", lambda **_: context)
        with contextlib.suppress(StopException):
            SafeSessionState(SessionState(), look).on_script_will_rerun(self.states)


def heard(patch: pytest.MonkeyPatch, first_has: str, fragment: str = "") -> list[set[str]]:
    """What the runs hear of, after a press of one button and at once of another."""
    runners: list[Runner] = []
    session: Any = SimpleNamespace(
        _state=None, _scriptrunner=None, has_fragment=lambda name: True, _client_state=ClientState()
    )

    def create(data: RerunData) -> None:
        session._scriptrunner = Runner(data)
        runners.append(session._scriptrunner)

    session._create_scriptrunner = create
    for number, name in enumerate(("start", "other")):
        client = ClientState(fragment_id=fragment if number else "")
        pressed(client.widget_states, name)
        AppSession.request_rerun(session, client)
        if number == 0 and first_has in ("begun", "taken up"):
            runners[0].begin()
        if number == 0 and first_has == "taken up":
            runners[0].take_up(patch)
    for runner in reversed(runners):  # the newer thread may be the quicker one
        if runner.states is None:
            runner.begin()
        if not runner.heard:
            runner.take_up(patch)
    return [runner.heard for runner in runners]


@pytest.mark.parametrize("first_has", ["been asked for", "begun"])
def test_streamlit_itself_does_not_hand_a_click_on(
    monkeypatch: pytest.MonkeyPatch, first_has: str
) -> None:
    """Where this fails, Streamlit is mended itself, and this part of the mending can go."""
    assert heard(monkeypatch, first_has) == [set(), {"other"}]


@pytest.mark.parametrize(
    ("first_has", "fragment", "expected"),
    [
        ("been asked for", "", [set(), {"start", "other"}]),
        ("begun", "", [set(), {"start", "other"}]),
        ("taken up", "", [{"start"}, {"other"}]),
        # A part of the page is drawn by the same run.
        ("been asked for", "a part", [{"start", "other"}]),
    ],
)
def test_each_click_is_heard_by_one_run(
    monkeypatch: pytest.MonkeyPatch, first_has: str, fragment: str, expected: list[Any]
) -> None:
    mend_quick_clicks()
    assert heard(monkeypatch, first_has, fragment) == expected
