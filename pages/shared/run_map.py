"""The map of a run: its frames, read from the run folder, on the latent map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from pages.shared.curves import phase_title
from pages.shared.latent_map import MapAnswer, MapFrames, latent_map
from pages.shared.session import Stamp, cached_frame, cached_metrics, cached_stage, fail, stamp_of
from vade_core.projection import LENSES, place_means
from vade_core.runs import CONFIG, METRICS, STAGE, Frame, Run, RunError, Stage

__all__ = ["RunFrames", "draw_run_map", "lenses_of", "map_frames", "read_frames"]

# Labels and clusters travel to the browser as bytes.
_MOST_KINDS = 255


@dataclass(frozen=True)
class RunFrames:
    """A run's frames on one map, and what was left out.

    Attributes
    ----------
    frames : MapFrames or None
        None where there is nothing to show.
    skipped : list of str
        A sentence for each frame that cannot be shown.
    """

    frames: MapFrames | None
    skipped: list[str]


@dataclass(frozen=True, eq=False)
class _Piece:
    """What one frame gives to the map: places (n, 2), and bytes a point once clusters exist."""

    positions: NDArray[np.float32]
    clusters: NDArray[np.int64] | None
    shares: NDArray[np.uint8] | None
    confidence: NDArray[np.uint8] | None
    entropy: NDArray[np.uint8] | None
    means: NDArray[np.float64] | None
    ellipses: NDArray[np.float64] | None


def lenses_of(run: Run) -> list[str]:
    """The maps that a run's frames hold and that have a name here.

    Raises
    ------
    RunError
        If the configuration cannot be read.
    """
    return [lens for lens in run.config.lenses if lens in LENSES]


def map_frames(run: Run, lens: str) -> MapFrames | None:
    """The frames of a run on one map; None where there is none.

    Parameters
    ----------
    run : Run
    lens : str
        A name in ``vade_core.projection.LENSES``.

    Returns
    -------
    MapFrames or None

    Raises
    ------
    RunError
        If configuration, metrics or stage set cannot be read.
    """
    return read_frames(run, lens).frames


def read_frames(run: Run, lens: str) -> RunFrames:
    """The frames of a run on one map, and a sentence for each that cannot be shown.

    Parameters
    ----------
    run, lens
        As for `map_frames`.

    Raises
    ------
    RunError
        If configuration, metrics or stage set cannot be read.
    """
    files = [run.path / CONFIG, run.path / METRICS, run.path / STAGE]
    files += [run.frame_path(number) for number in run.frame_numbers()]
    return _frames(str(run.path), lens, stamp_of(*files))


@st.cache_resource(show_spinner=False, max_entries=8)
def _frames(path: str, lens: str, stamp: Stamp) -> RunFrames:
    run = Run(path)
    numbers = run.frame_numbers()
    if not numbers:
        return RunFrames(None, [])
    lines = {
        number if line.get("report") is None else int(line["report"]): line
        for number, line in enumerate(cached_metrics(run))
    }
    stage = cached_stage(run)
    pieces: list[tuple[dict[str, Any], _Piece]] = []
    skipped = []
    for number in numbers:
        if number not in lines:
            continue  # a frame is written before its line: the next look finds both
        try:
            piece = _piece(str(run.path), number, lens, stamp_of(run.frame_path(number)))
            if len(piece.positions) != len(stage.rows):
                raise RunError(f"{run.frame_path(number)} has another number of points.")
        except RunError as error:
            skipped.append(str(error))
        else:
            pieces.append((lines[number], piece))
    if not pieces:
        return RunFrames(None, skipped)
    return RunFrames(_joined(run, lens, stage, pieces), skipped)


def _joined(
    run: Run, lens: str, stage: Stage, pieces: list[tuple[dict[str, Any], _Piece]]
) -> MapFrames:
    config = run.config
    parts = [piece for _, piece in pieces]
    labels = stage.labels
    if labels is not None and labels.size and not 0 <= labels.min() <= labels.max() < _MOST_KINDS:
        labels = None
    widths = [piece.shares.shape[1] for piece in parts if piece.shares is not None]
    k = max([config.clusters, *widths])
    n = len(stage.rows)
    clusters: dict[str, Any] = {}
    if k <= _MOST_KINDS:
        # A frame of the pretraining has no clusters yet: one grey heap, no means.
        clusters = {
            "clusters": np.stack([_or(p.clusters, np.zeros(n, np.int64)) for p in parts]),
            "confidence": np.stack([_or(p.confidence, np.zeros(n, np.uint8)) for p in parts]),
            "entropy": np.stack([_or(p.entropy, np.full(n, 255, np.uint8)) for p in parts]),
            "responsibilities": np.stack([_widened(p.shares, (n, k), 0) for p in parts]),
            "matched": np.stack([_matched(line, k) for line, _ in pieces]),
            "means": np.stack([_widened(p.means, (k, 2), np.nan) for p in parts]),
        }
        if any(p.ellipses is not None for p in parts):
            clusters["ellipses"] = np.stack(
                [_widened(p.ellipses, (k, 2, 2), np.nan) for p in parts]
            )
    return MapFrames(
        positions=np.stack([piece.positions for piece in parts]),
        epochs=[_title(line) for line, _ in pieces],
        phases=[phase_title(str(line["phase"])) for line, _ in pieces],
        accuracy=[line.get("acc") for line, _ in pieces],
        labels=labels,
        class_names=config.class_names,
        pictures=stage.pictures,
        caption=_caption(run, lens),
        total=config.n_samples,
        recall=_recall([line for line, _ in pieces], lens),
        **clusters,
    )


def _title(line: dict[str, Any]) -> str:
    name = phase_title(str(line["phase"])).lower()
    if not line.get("epoch"):
        return name
    epoch = f"epoch {line['epoch']}"
    return epoch if line["phase"] == "train" else f"{name}, {epoch}"


def _caption(run: Run, lens: str) -> str:
    title = LENSES[lens].title
    return f"{title}, perplexity 30, seed {run.config.seed}" if lens == "tsne" else title


def _recall(lines: list[dict[str, Any]], lens: str) -> list[float | None] | None:
    """The neighbour recall that the worker measured, where it did."""
    found = [
        line["recall"].get(lens) if isinstance(line.get("recall"), dict) else None for line in lines
    ]
    return found if any(value is not None for value in found) else None


def _matched(line: dict[str, Any], k: int) -> NDArray[np.int64]:
    given = line.get("matched")
    found = np.full(k, -1, dtype=np.int64)
    if isinstance(given, list):
        kept = [value if isinstance(value, int) else -1 for value in given[:k]]
        found[: len(kept)] = kept
    return found


def _or(values: NDArray[Any] | None, otherwise: NDArray[Any]) -> NDArray[Any]:
    return otherwise if values is None else values


def _widened(values: NDArray[Any] | None, shape: tuple[int, ...], fill: float) -> NDArray[Any]:
    dtype = np.uint8 if fill == 0 else np.float64
    found = np.full(shape, fill, dtype=dtype)
    if values is not None:
        found[tuple(slice(0, size) for size in values.shape)] = values
    return found


@st.cache_resource(show_spinner=False, max_entries=400)
def _piece(path: str, number: int, lens: str, stamp: Stamp) -> _Piece:
    """One frame made ready for the map; read and worked out once."""
    run = Run(path)
    frame = cached_frame(run, number)
    where = run.frame_path(number)
    positions = frame.maps.get(lens)
    if positions is None:
        raise RunError(f"{where} has no {lens} map.")
    if not np.isfinite(positions).all() or not np.isfinite(frame.latents).all():
        raise RunError(f"{where} holds numbers that are not finite.")
    found, clusters = frame.responsibilities, frame.clusters
    if found is None or clusters is None:
        return _Piece(positions, None, None, None, None, None, None)
    if found.ndim != 2 or clusters.ndim != 1 or not np.isfinite(found).all():
        raise RunError(f"{where} holds responsibilities that cannot be.")
    gamma = found.astype(np.float64).clip(0, 1)
    k = gamma.shape[1]
    if clusters.size and not 0 <= clusters.min() <= clusters.max() < k:
        raise RunError(f"{where} holds clusters that cannot be.")
    entropy = -(gamma * np.log(np.maximum(gamma, 1e-12))).sum(axis=1) / np.log(max(k, 2))
    means, ellipses = _prior_on_map(frame, lens, positions, gamma)
    return _Piece(
        positions,
        clusters,
        _as_bytes(gamma),
        _as_bytes(gamma.max(axis=1)),
        _as_bytes(entropy),
        means,
        ellipses,
    )


def _as_bytes(shares: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.rint(shares.clip(0, 1) * 255).astype(np.uint8)


def _prior_on_map(
    frame: Frame, lens: str, positions: NDArray[np.float32], gamma: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """Where the clusters' means stand, (K, 2), and their covariances, (K, 2, 2), where exact.

    PCA and the first two dimensions are linear maps: the prior itself can be drawn. On the
    others a mean stands amid the points that belong to it.
    """
    means, log_variances = frame.prior.get("means"), frame.prior.get("log_variances")
    linear = lens in ("pca", "first-two")
    fits = (
        means is not None
        and log_variances is not None
        and means.shape == log_variances.shape == (gamma.shape[1], frame.latents.shape[1])
        and bool(np.isfinite(means).all() and np.isfinite(log_variances).all())
    )
    if not (linear and fits):
        return place_means(frame.latents, positions, gamma), None
    assert means is not None
    assert log_variances is not None
    latents = frame.latents.astype(np.float64)
    known = np.column_stack([latents, np.ones(len(latents))])
    solution = np.linalg.lstsq(known, positions.astype(np.float64), rcond=None)[0]
    axes, offset = solution[:-1], solution[-1]
    spread = np.exp(log_variances.astype(np.float64))
    covariances = np.einsum("ji,kj,jl->kil", axes, spread, axes)
    return means.astype(np.float64) @ axes + offset, covariances


def draw_run_map(
    run: Run, key: str, live: bool = False, height: int = 620, title: str = ""
) -> MapAnswer | None:
    """Draw a run's map with a choice of lenses; a sentence where there is nothing to draw.

    Parameters
    ----------
    run : Run
    key : str
        The map's name on the page. Zoom, selection and place in time belong to it.
    live : bool
        Whether frames are still coming.
    height : int
        In CSS pixels.
    title : str
        A heading, on one line with the lenses.

    Returns
    -------
    MapAnswer or None
        What a person selected; None where nothing is drawn.
    """
    with st.container(horizontal=True, vertical_alignment="center"):
        if title:
            st.subheader(title, width="stretch")
        try:
            lens = _chosen_lens(run, key)
        except RunError as error:
            fail(str(error))
            return None
    if lens is None:
        st.info("This run was made without maps.", icon=":material/map:")
        return None
    try:
        found = read_frames(run, lens)
    except RunError as error:
        fail(str(error))
        return None
    answer = None
    if found.frames is not None:
        answer = latent_map(
            found.frames,
            key=f"{key}-{lens}",
            height=height,
            live=live,
            colour="cluster" if found.frames.labels is None else "label",
        )
        st.caption(LENSES[lens].words)
    elif not found.skipped:
        words = "The map begins with the first epoch." if live else "This run has no frames."
        st.info(words, icon=":material/map:")
    if found.skipped:
        more = len(found.skipped) - 1
        also = f" So it is with {more} more." if more else ""
        st.warning(f"{found.skipped[0]} The frame is left out.{also}", icon=":material/warning:")
    return answer


def _chosen_lens(run: Run, key: str) -> str | None:
    """The lens that a person chose, the run's first until then; None where it has none."""
    lenses = lenses_of(run)
    if len(lenses) < 2:
        return lenses[0] if lenses else None
    chosen = st.segmented_control(
        "Map",
        lenses,
        default=lenses[0],
        required=True,
        format_func=lambda name: LENSES[name].title,
        key=f"{key}-lens",
        label_visibility="collapsed",
        persist_state="session",
    )
    return chosen or lenses[0]
