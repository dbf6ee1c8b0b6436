"""The same latents with another seed: asking for such a map, and showing both."""

from __future__ import annotations

import numpy as np
import streamlit as st

from pages.shared.latent_map import latent_map
from pages.shared.map_making import draw_making
from pages.shared.session import cached_frame, fail, percent
from vade_core.map_frames import MapFrames, epoch_title
from vade_core.projection import LENSES, movement
from vade_core.remap import MOST_SEED, SEEDED, Remap
from vade_core.run_frames import RunFrames
from vade_core.runs import UNTRAINED, Run, RunError

__all__ = ["draw_other_seed", "two_maps"]

HEIGHT = 520
# A person should be able to follow a point with the eye.
PACE = 0.4


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
            f"The latents of **{_moment_words(found, i)}** stay as they are; their {title} "
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
            draw_making(
                task,
                f"Make the {title} map again",
                "It takes some seconds, in a process of its own.",
                key="tm-remake",
                icon=":material/casino:",
            )
            return
        rows = [f"- Mean distance that points moved: **{other.moved:.2f}** of the map's spread."]
        if i:
            step = movement(frames.positions[i - 1], frames.positions[i])
            before = _moment_words(found, i - 1)
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


def _moment_words(found: RunFrames, i: int) -> str:
    if found.phases[i] == UNTRAINED:
        return "the untrained networks"
    assert found.frames is not None
    return epoch_title(found.frames.epochs[i])
