"""Mends what became of a click that another one follows at once: it could be lost.

A request of the browser carries a click once. Where the next request comes while the page is still
being drawn, Streamlit gives up the run of the first and begins another one, in a thread of its own,
which does not know of the click. What was pressed then did nothing, without a word, if the first
run had not come so far:

- it had not begun at all;
- it had begun, and looks for the next request before it takes up what its own one says;
- it was in the middle of what the button does (its callback), and was broken off there.

Whoever presses a button and at once something else would meet it, the sooner the slower the
machine. With all three mended, a callback is called for every click, once and to its end: what a
run that is given up has not taken up goes to the one that takes its place.
"""

from __future__ import annotations

import threading
from functools import wraps
from typing import Any

from streamlit.runtime.app_session import AppSession
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.scriptrunner_utils.script_requests import (
    ScriptRequestType,
    _coalesce_widget_states,
)
from streamlit.runtime.state.safe_session_state import SafeSessionState

__all__ = ["mend_quick_clicks"]

# A visitor's runs of a page take turns; two visitors seldom have the same lock.
_TURNS = [threading.RLock() for _ in range(61)]


def mend_quick_clicks() -> None:
    """Let no click get lost that is followed by another one; once is enough."""
    if getattr(SafeSessionState.on_script_will_rerun, "mended", False):
        return
    will_rerun = SafeSessionState.on_script_will_rerun
    request_rerun = AppSession.request_rerun

    @wraps(will_rerun)
    def take_up(session: Any, states: Any, **named: Any) -> None:
        # The run that is being given up may be at it still.
        with _TURNS[id(session._state) % len(_TURNS)]:
            look = session._yield_callback
            if not _begin_to_take_up(states):
                look()  # which ends this run
            object.__setattr__(session, "_yield_callback", lambda: None)
            try:
                will_rerun(session, states, **named)
            finally:
                object.__setattr__(session, "_yield_callback", look)

    @wraps(request_rerun)
    def hand_on(session: Any, client_state: Any) -> None:
        runner = session._scriptrunner
        if runner is not None and client_state is not None and not client_state.fragment_id:
            states = _stop_before_taken_up(runner._requests)
            if states is not None:
                both = _coalesce_widget_states(states, client_state.widget_states)
                client_state.widget_states.CopyFrom(both)
        request_rerun(session, client_state)

    take_up.mended = True  # type: ignore[attr-defined]
    SafeSessionState.on_script_will_rerun = take_up  # type: ignore[method-assign]
    AppSession.request_rerun = hand_on  # type: ignore[method-assign]


def _begin_to_take_up(states: Any) -> bool:
    """Note that what a request says is being taken up; False where it has been handed on."""
    context = get_script_run_ctx(suppress_warning=True)
    requests: Any = context.script_requests if context else None
    if requests is None:
        return True
    with requests._lock:
        if requests._state is ScriptRequestType.STOP:
            return False
        requests.taken_up = states
        return True


def _stop_before_taken_up(requests: Any) -> Any:
    """What a request says that its run has not taken up, and will not any more; else None."""
    with requests._lock:
        states = requests._rerun_data.widget_states
        if states is getattr(requests, "taken_up", None):
            return None
        requests._state = ScriptRequestType.STOP
        return states
