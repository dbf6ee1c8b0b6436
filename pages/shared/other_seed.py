"""The same latents with another seed: asking for such a map, and showing both."""

from __future__ import annotations

import atexit
import contextlib
import subprocess
import sys
import threading
from typing import Any

import numpy as np
import streamlit as st

from pages.shared.latent_map import latent_map
from pages.shared.session import cached_frame, fail, percent
from vade_core.map_frames import MapFrames, epoch_title
from vade_core.projection import LENSES, movement
from vade_core.remap import MOST_SEED, SEEDED, Remap
from vade_core.run_frames import RunFrames
from vade_core.runs import Run, RunError

__all__ = ["draw_other_seed", "is_busy", "two_maps"]

HEIGHT = 520
# A person should be able to follow a point with the eye.
PACE = 0.4


class _Makers:
    """The processes that make maps for this server: one at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._of: str | None = None
        atexit.register(self.close)

    def start(self, task: Remap) -> bool:
        """Start a process for a map; False if one is at work already."""
        from vade_core.jobs import worker_environment

        with self._lock:
            if self.is_busy() or task.is_running():
                return False
            words = [sys.executable, "-m", "vade_core", "remap", str(task.run.path.resolve())]
            words += ["--frame", str(task.number), "--lens", task.lens, "--seed", str(task.seed)]
            self._process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                # One thread: it must not hold up a training that goes on beside it.
                env={**worker_environment(), "OMP_NUM_THREADS": "1"},
                start_new_session=True,
            )
            self._of = str(task.path)
            return True

    def is_busy(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def makes(self, task: Remap) -> bool:
        """Whether the process at work makes this map."""
        return self.is_busy() and self._of == str(task.path)

    def failed(self, task: Remap) -> bool:
        """Whether the last process was to make this map and ended badly."""
        code = None if self._process is None else self._process.poll()
        return self._of == str(task.path) and code not in (None, 0)

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=3)


@st.cache_resource(show_spinner=False)
def _makers() -> _Makers:
    return _Makers()


def is_busy() -> bool:
    """Whether this server is having a map made."""
    return _makers().is_busy()


def two_maps(frames: MapFrames, i: int, other: np.ndarray, titles: tuple[str, str]) -> MapFrames:
    """A frame's own map and another of the same latents, as two frames of one map.

    Parameters
    ----------
    frames : MapFrames
    i : int
        The frame.
    other : ndarray, shape (n, 2)
    titles : tuple of two str
        What the two are called.
    """

    def twice(values: np.ndarray | None) -> np.ndarray | None:
        return None if values is None else np.stack([values[i]] * 2)

    shares = frames.responsibilities
    return MapFrames(
        positions=np.stack([frames.positions[i], other]),
        epochs=list(titles),
        phases=list(titles),
        accuracy=[frames.accuracy[i]] * 2,
        labels=frames.labels,
        class_names=frames.class_names,
        clusters=twice(frames.clusters),
        confidence=twice(frames.confidence),
        entropy=twice(frames.entropy),
        responsibilities=shares if shares is None or shares.ndim == 2 else twice(shares),
        matched=twice(frames.matched),
        pictures=frames.pictures,
        caption=epoch_title(frames.epochs[i]),
        total=frames.total,
    )


def draw_other_seed(run: Run, lens: str, found: RunFrames, i: int) -> None:
    """Draw the choice of a seed, the making of its map, and both maps.

    Parameters
    ----------
    run : Run
    lens : str
    found : RunFrames
        Of the run on this lens.
    i : int
        The frame that the big map shows.
    """
    title = LENSES[lens].title
    if lens not in SEEDED:
        st.info(f"{title} has no seed: the same latents always give the same map.")
        return
    frames = found.frames
    assert frames is not None
    own_seed = run.config.seed
    left, right = st.columns([3, 7], gap="large")
    with left:
        st.markdown(
            f"The latents of **{epoch_title(frames.epochs[i])}** stay as they are; their {title} "
            "map is made again, from nothing. What moves now moves without any learning."
        )
        seed = st.number_input(
            "Seed",
            min_value=0,
            max_value=MOST_SEED,
            value=own_seed + 1 if own_seed < MOST_SEED else 0,
            key=f"tm-seed-{run.id}",
        )
    try:
        task = Remap(run, found.numbers[i], lens, int(seed))
        frame = cached_frame(run, found.numbers[i])
    except RunError as error:
        fail(str(error))
        return
    other = task.find(frame)
    with left:
        if other is None:
            _draw_making(task, title)
            return
        rows = [f"- Mean distance that points moved: **{other.moved:.2f}** of the map's spread."]
        if i:
            step = movement(frames.positions[i - 1], frames.positions[i])
            before = epoch_title(frames.epochs[i - 1])
            rows.append(f"- With learning, since {before}: **{step:.2f}**.")
        own = None if frames.recall is None else frames.recall[i]
        rows.append(
            f"- 10-NN recall: **{percent(own)}** of the run's map, **{percent(other.recall)}** of "
            "this one."
        )
        st.markdown("\n".join(rows))
        st.caption("What differs between the two maps is no fact about the latents.")
    with right:
        names = (f"the run's map (seed {own_seed})", f"from nothing, seed {task.seed}")
        latent_map(
            two_maps(frames, i, other.positions, names),
            key=f"tm-other-{run.id}-{lens}-{task.number}-{task.seed}",
            height=HEIGHT,
            colour="cluster" if frames.labels is None else "label",
            curve=False,
            autoplay=True,
            name=f"{run.id}-other-seed",
            pace=PACE,
        )


def _draw_making(task: Remap, title: str) -> None:
    makers = _makers()
    working = makers.makes(task) or task.is_running()
    status: dict[str, Any] = task.status()
    if working:
        share = status.get("share")
        words = status.get("words") if "error" not in status else None
        st.progress(
            min(1.0, max(0.0, float(share))) if words and isinstance(share, (int, float)) else 0.0,
            f"{words or 'Starting'} …",
        )
        return
    if makers.failed(task) or status.get("error"):
        fail(f"The map could not be made: {status.get('error') or 'its process ended early'}")
    if st.button(
        f"Make the {title} map again",
        icon=":material/casino:",
        type="primary",
        key="tm-remake",
        disabled=makers.is_busy(),
    ):
        try:
            makers.start(task)
        except OSError as error:
            fail(f"The map could not be made: {error}")
            return
        # What is drawn depends on whether something is at work.
        st.rerun(scope="app")
    if makers.is_busy():
        st.caption("Another map is being made: this one can follow it.")
    else:
        st.caption("It takes some seconds, in a process of its own.")
