"""Starting, queueing and stopping the processes that train.

The queue is the run folders themselves: a run whose state is ``queued`` waits, the oldest first,
and one training runs at a time. Whoever holds the lock of the runs' folder starts them, so that
two servers on one folder do not start a run twice.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from vade_core.idle_threads import let_idle_threads_sleep
from vade_core.locks import FileLock
from vade_core.recorder import Recorder, create_run, send
from vade_core.runs import CONFIG, Run, RunConfig, RunError, at_work, list_runs

LOG = "worker.log"
QUEUE_LOCK = ".queue.lock"


def worker_environment() -> dict[str, str]:
    """The environment of a training process."""
    environment = dict(os.environ)
    let_idle_threads_sleep(environment)
    root = str(Path(__file__).resolve().parent.parent)
    before = environment.get("PYTHONPATH")
    environment["PYTHONPATH"] = root if not before else root + os.pathsep + before
    return environment


class JobManager:
    """Owns the training processes of one server.

    Parameters
    ----------
    root : Path
        The runs' folder.
    interval : float
        Seconds between two looks at the queue.
    """

    def __init__(self, root: Path, interval: float = 0.3) -> None:
        self.root = root
        self.interval = interval
        root.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(root / QUEUE_LOCK)
        self._holds_lock = False
        self._process: subprocess.Popen[bytes] | None = None
        self._running: Run | None = None
        self._closing = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="vade-jobs", daemon=True)
        self._thread.start()

    def submit(self, config: RunConfig) -> Run:
        """Queue a new run."""
        run = create_run(self.root, config)
        self._wake.set()
        return run

    def resume(self, run: Run, *, more_epochs: int = 0) -> None:
        """Queue a run again, to go on from its checkpoint.

        Parameters
        ----------
        run : Run
        more_epochs : int
            Added to the model's own epochs: a finished run trains on.

        Raises
        ------
        RunError
            If it is being trained, or is finished and nothing was added.
        """
        recorder = Recorder(run)
        try:
            state = run.status()["state"]
            if state == "finished" and not more_epochs:
                raise RunError(f"{run.id} is finished: there is nothing to resume.")
            if more_epochs:
                config = RunConfig.from_json(run.config.to_json(), run.path / CONFIG)
                config.parameters["epochs"] = int(config.parameters["epochs"]) + more_epochs
                recorder.config(config)
                run.__dict__.pop("config", None)  # read afresh
            recorder.status("queued", "Waiting")
        finally:
            recorder.close()
        self._wake.set()

    def send(self, run: Run, command: str) -> None:
        """Ask a run to pause, resume, step or stop; a waiting run is taken out of the queue."""
        if command == "stop" and run.state == "queued" and not run.has_worker():
            recorder = Recorder(run)
            try:
                recorder.status("stopped", "Stopped before it began")
            finally:
                recorder.close()
            return
        send(run, command)

    def waiting(self) -> list[dict[str, Any]]:
        """Summaries of the queued runs, the next one first."""
        return at_work(list_runs([self.root]))[1]

    def close(self, patience: float = 5.0) -> None:
        """Stop starting runs; the one that is training is interrupted, resumably."""
        self._closing.set()
        self._wake.set()
        self._thread.join(timeout=patience)
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout=patience)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._lock.release()

    def _watch(self) -> None:
        while not self._closing.is_set():
            # A folder may change under our eyes; the next look sees it whole.
            with contextlib.suppress(OSError, RunError):
                self._look()
            self._wake.wait(self.interval)
            self._wake.clear()

    def _look(self) -> None:
        if self._process is not None:
            if self._process.poll() is None:
                return
            self._mourn()
        if not self._holds_lock:
            self._holds_lock = self._lock.acquire()
            if not self._holds_lock:
                return
        active, queued = at_work(list_runs([self.root]))
        # Somebody may train already, from the command line perhaps.
        if queued and not active:
            self._start(Run(queued[0]["path"]))

    def _start(self, run: Run) -> None:
        with (run.path / LOG).open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "vade_core", "resume", str(run.path.resolve())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=worker_environment(),
                # A Ctrl-C in the server's terminal is the server's: it interrupts the worker
                # itself, in close().
                start_new_session=True,
            )
        self._running = run

    def _mourn(self) -> None:
        """Look after a worker that has ended: one that never came to write its state failed."""
        assert self._process is not None
        run, code = self._running, self._process.returncode
        self._process, self._running = None, None
        if run is None or code == 0:
            return
        try:
            if run.status()["state"] != "queued":
                return
            recorder = Recorder(run)
        except RunError:
            return
        try:
            said = (run.path / LOG).read_bytes()[-2000:].decode(errors="replace").strip()
            last = said.splitlines()[-1] if said else f"it ended with exit code {code}"
            recorder.status("failed", "Failed", error=f"The training could not start: {last}")
        finally:
            recorder.close()


def wait_for(run: Run, states: tuple[str, ...], seconds: float) -> str:
    """Wait until a run is in one of some states; the state it is in at the end."""
    deadline = time.monotonic() + seconds
    while (state := run.state) not in states and time.monotonic() < deadline:
        time.sleep(0.05)
    return state


__all__ = ["JobManager", "wait_for", "worker_environment"]
