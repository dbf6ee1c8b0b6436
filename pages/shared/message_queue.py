"""Mends the queue of messages to the browser, which could turn a page white.

A page that renews a part of itself may begin the next renewal before the messages of the last one
are sent. Streamlit then drops what it would say twice, by the mark of the part on each message.
A reference to a message that the browser holds already has no such mark and is kept, while the
containers that it stands in are dropped: the browser is told to fill a container that is not
there, and gives the whole page up ("Bad delta path index"). On a busy machine that happened on
Train, to quick clicks on Step.
"""

from __future__ import annotations

from functools import wraps
from typing import Any

from streamlit.runtime.forward_msg_queue import ForwardMsgQueue

__all__ = ["mend_message_queue"]


def mend_message_queue() -> None:
    """Drop references together with the containers that they stand in; once is enough."""
    original = ForwardMsgQueue.clear
    if getattr(original, "mended", False):
        return

    @wraps(original)
    def clear(queue: Any, *arguments: Any, **named: Any) -> None:
        before = list(queue._queue)
        original(queue, *arguments, **named)
        if not queue._queue:
            return
        kept = {id(message) for message in queue._queue}
        gone = {
            tuple(message.metadata.delta_path)
            for message in before
            if id(message) not in kept and message.delta.HasField("add_block")
        }
        queue._queue = [message for message in queue._queue if not _stands_in(message, gone)]

    clear.mended = True  # type: ignore[attr-defined]
    ForwardMsgQueue.clear = clear  # type: ignore[method-assign]


def _stands_in(message: Any, containers: set[tuple[int, ...]]) -> bool:
    """Whether a message is a reference to what stands in one of some containers."""
    if not (containers and message.HasField("ref_hash")):
        return False
    path = tuple(message.metadata.delta_path)
    return any(path[:depth] in containers for depth in range(1, len(path)))
