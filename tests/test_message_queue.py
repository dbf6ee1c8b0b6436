"""Messages to the browser that are dropped before they are sent: none is left without its place."""

from __future__ import annotations

import pytest
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.forward_msg_cache import create_reference_msg
from streamlit.runtime.forward_msg_queue import ForwardMsgQueue

from pages.shared.message_queue import mend_message_queue

LIVE = "the part that renews itself"


@pytest.fixture(autouse=True)
def unmended(monkeypatch: pytest.MonkeyPatch) -> None:
    own = ForwardMsgQueue.clear
    monkeypatch.setattr(ForwardMsgQueue, "clear", getattr(own, "__wrapped__", own))


def container(*path: int, part: str = LIVE) -> ForwardMsg:
    message = ForwardMsg(hash="container")
    message.delta.fragment_id = part
    message.delta.add_block.allow_empty = True
    message.metadata.delta_path.extend(path)
    return message


def element(*path: int, part: str = LIVE) -> ForwardMsg:
    message = ForwardMsg(hash=f"element at {path}")
    message.delta.fragment_id = part
    message.delta.new_element.markdown.body = "a chart"
    message.metadata.delta_path.extend(path)
    return message


def reference(*path: int) -> ForwardMsg:
    """What is sent in place of an element that the browser holds already."""
    return create_reference_msg(element(*path))


def finished() -> ForwardMsg:
    return ForwardMsg(script_finished=ForwardMsg.FINISHED_SUCCESSFULLY)


def kept(*messages: ForwardMsg, part: str | None = LIVE) -> list[ForwardMsg]:
    """What is left of some messages where another run begins before they are sent."""
    queue = ForwardMsgQueue()
    for message in messages:
        queue.enqueue(message)
    queue.clear(retain_lifecycle_msgs=True, fragment_ids_this_run=[part] if part else None)
    queue.enqueue(container(0, 9, part="another"))  # it takes messages as before
    left = queue.flush()
    assert left[-1].metadata.delta_path[:] == [0, 9]
    assert queue.is_empty()
    return left[:-1]


def test_streamlit_itself_leaves_a_reference_without_its_container() -> None:
    """Where this fails, Streamlit is mended itself, and pages/shared/message_queue.py can go."""
    (orphan,) = kept(container(0, 2, 8), reference(0, 2, 8, 1))
    assert orphan.HasField("ref_hash")


def test_references_are_dropped_with_the_container_that_they_stand_in() -> None:
    mend_message_queue()
    mend_message_queue()
    assert kept(container(0, 2, 8), container(0, 2, 8, 1), reference(0, 2, 8, 1, 0)) == []
    assert kept(container(0, 2, 8), element(0, 2, 8, 0), reference(0, 2, 8, 1, 0)) == []


def test_all_else_is_kept() -> None:
    mend_message_queue()
    beside = [reference(0, 1), container(0, 3, part="another"), reference(0, 3, 0), finished()]
    assert kept(*beside) == beside
    # The browser has this one's container already.
    assert kept(container(0, 2, 8), reference(0, 2, 7, 0)) == [reference(0, 2, 7, 0)]
    # A run of the whole page says everything anew.
    assert [message.WhichOneof("type") for message in kept(*beside, part=None)] == [
        "script_finished"
    ]
