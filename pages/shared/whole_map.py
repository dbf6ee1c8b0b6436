"""All samples of a run on one map, in place of the 2,000: asking for it, and showing it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from pages.shared.gallery import draw_gallery
from pages.shared.latent_map import MapFrames, latent_map
from pages.shared.map_making import draw_making
from pages.shared.session import Stamp, cached_frame, cached_metrics, fail, percent, stamp_of
from vade_core.projection import LENSES
from vade_core.run_frames import RunFrames
from vade_core.runs import METRICS, Run, RunError
from vade_core.whole_map import LINEAR, WholeMap

__all__ = ["draw_whole_map", "making_words"]

HEIGHT = 640
# Pictures of so many samples go to the browser with the map; of more, only those selected are
# looked up.
MOST_PICTURES = 10_000


def making_words(lens: str, n: int) -> str:
    """How long the map of n samples takes, in a sentence."""
    if lens in LINEAR or n <= MOST_PICTURES:
        return "It takes some seconds, in a process of its own."
    return "It takes a minute or more, in a process of its own. You may go on meanwhile."


def draw_whole_map(run: Run, lens: str, found: RunFrames, live: bool) -> None:
    """Draw the button for the map of all samples, the making of it, or the map itself.

    Parameters
    ----------
    run : Run
    lens : str
    found : RunFrames
        Of the run on this lens.
    live : bool
        Whether the run is being trained.
    """
    shown = found.frames
    assert shown is not None
    n = run.config.n_samples
    if n <= shown.n_points:
        st.info("All samples are on the map above already.", icon=":material/check:")
        return
    if live:
        st.info(
            f"The map of all {n:,} samples is made of the last epoch, once the training has ended."
        )
        return
    title = LENSES[lens].title
    try:
        task = WholeMap(run, lens)
        made = _made(str(run.path), lens, _stamp(task))
    except (RunError, OSError) as error:
        fail(str(error))
        return
    left, right = st.columns([7, 3], gap="medium")
    if made is None:
        with left:
            st.markdown(
                f"The map above shows {shown.n_points:,} samples of {n:,}. A {title} map of all of "
                "them begins where those stand: each sample among the ones that are nearest in "
                "the latent space."
            )
            draw_making(
                task,
                f"All {n:,} points",
                making_words(lens, n),
                key="tm-whole",
                icon=":material/grain:",
            )
        return
    if made.n_points <= MOST_PICTURES:
        made = _with_pictures(run, made)
    with left:
        answer = latent_map(
            made,
            key=f"tm-whole-{run.id}-{lens}",
            height=HEIGHT,
            colour="cluster" if made.labels is None else "label",
            curve=False,
            name=f"{run.id}-all",
        )
    with right:
        pictured = _with_pictures(run, made) if len(answer.selected) else made
        draw_gallery(pictured, answer.selected, answer.frame)
        recall = None if made.recall is None else made.recall[0]
        st.caption(
            f"{percent(recall)} of the ten nearest neighbours among all {made.n_points:,} are "
            "kept, counted on 2,000 of them. Among more samples the ten nearest are nearer: this "
            "is no figure to compare with the smaller map's."
        )


def _stamp(task: WholeMap) -> Stamp:
    return stamp_of(task.path, task.run.frame_path(task.number), task.run.path / METRICS)


@st.cache_resource(show_spinner=False, max_entries=2)
def _made(path: str, lens: str, stamp: Stamp) -> MapFrames | None:
    """The map of all samples; None where it has not been made of the last frame."""
    if stamp[0] == (0, 0):
        return None
    run = Run(path)
    task = WholeMap(run, lens)
    whole = task.find(cached_frame(run, task.number))
    return None if whole is None else whole.frames(run, lens, cached_metrics(run))


def _with_pictures(run: Run, frames: MapFrames) -> MapFrames:
    """The frames with all pictures, where the samples are some."""
    if run.config.image_shape is None or frames.pictures is not None:
        return frames
    try:
        pictures = _pictures(str(run.path), frames.n_points)
    except (RunError, ValueError, OSError) as error:
        fail(str(error))
        return frames
    return frames if pictures is None else replace(frames, pictures=pictures)


@st.cache_resource(show_spinner="Reading the pictures", max_entries=1)
def _pictures(path: str, n: int) -> NDArray[np.uint8] | None:
    """All pictures of a run's data; None where the samples are none, or are other ones now."""
    from vade_core.rebuild import load_dataset  # brings torch along

    config = Run(path).config
    dataset = load_dataset(config)
    if dataset.n_samples != n or config.image_shape is None:
        return None
    grey = dataset.samples
    if grey.dtype != np.uint8:
        grey = np.rint(dataset.as_float().clip(0, 1) * 255).astype(np.uint8)
    return np.asarray(grey).reshape(n, *config.image_shape)
