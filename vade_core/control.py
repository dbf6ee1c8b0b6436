"""What interrupts a training: a person's commands, and signals."""

from __future__ import annotations

import os
import signal
import threading
import time
from types import FrameType
from typing import Any

from vade_core.recorder import Recorder, command_asked, forget_command, steps_asked
from vade_core.runs import CONTROL, Run


class Control:
    """What a person asks of the worker, read from control.json as it changes.

    control.json holds one command; of single steps it also holds how many were ever asked for,
    so that each of several quick ones counts.

    Parameters
    ----------
    run : Run
    recorder : Recorder
    """

    def __init__(self, run: Run, recorder: Recorder) -> None:
        self._run = run
        self._path = run.path / CONTROL
        self._recorder = recorder
        forget_command(run)  # what was asked of an earlier worker, a stop above all
        self._seen: int | None = self._stamp()
        self._looked = 0.0
        self._status: tuple[str, dict[str, Any]] = ("", {})
        self.paused = self.stopped = self.interrupted = False
        self._step_pending = self._in_step = False
        self._steps_made = steps_asked(run)

    def _stamp(self) -> int | None:
        try:
            return self._path.stat().st_mtime_ns
        except OSError:
            return None

    def say(self, words: str, **more: Any) -> None:
        """Write the status, as running or paused."""
        self._status = (words, more)
        self._recorder.status("paused" if self.paused else "running", words, **more)

    def look(self) -> None:
        """Take note of a new command."""
        stamp = self._stamp()
        if stamp == self._seen:
            return
        self._seen = stamp
        command = command_asked(self._run)
        if command is None:
            return
        was = self.paused
        if command == "stop":
            self.stopped = True
        elif command == "pause":
            self.paused, self._step_pending = True, False
        elif command == "resume":
            self.paused, self._step_pending = False, False
        elif command == "step":
            self.paused, self._step_pending = False, True
        if not self._step_pending:  # steps still to come are forgotten
            self._steps_made = steps_asked(self._run)
        if was != self.paused and not self.stopped:
            self.say(self._status[0], **self._status[1])

    def between_batches(self, share: float) -> bool:
        """Wait while paused; True ends the training."""
        now = time.monotonic()
        if now - self._looked > 0.1:
            self._looked = now
            self.look()
        while self.paused and not (self.stopped or self.interrupted):
            time.sleep(0.05)
            self.look()
        return self.stopped or self.interrupted

    def in_step(self) -> bool:
        """Whether a person asked for the epoch that has just been trained.

        What is asked for from here on, while the epoch is being written down, is the next one.
        """
        self._in_step = self._step_pending
        return self._in_step

    def epoch_ended(self) -> None:
        """A single step pauses where an epoch ends, unless another was asked for meanwhile."""
        self.look()
        if not (self._in_step and self._step_pending):
            return
        asked = steps_asked(self._run)
        self._steps_made = min(self._steps_made + 1, asked)
        self._step_pending = asked > self._steps_made
        self.paused = not self._step_pending


class SignalsAsInterruption:
    """While it lasts, SIGTERM and SIGINT end the training at the next batch, resumably."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._before: dict[int, Any] = {}

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self._control.interrupted:  # asked twice: at once
            os._exit(130)
        self._control.interrupted = True

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._before[number] = signal.signal(number, self._interrupt)

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
