"""The same digits rebuilt by several runs, and what each run draws by itself."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from pages.shared.compare_runs import Compared, listed, noun_of
from pages.shared.density import Part, draw_density, draw_run_density, has_few_values
from pages.shared.digits import Row, sample_rows
from pages.shared.networks import cached_model, has_model
from pages.shared.part_of_page import part
from pages.shared.session import cached_frame, cached_stage, fail, is_supervised
from vade_core.colours import cluster_looks, legend_of_numbers
from vade_core.png import png_of
from vade_core.runs import RunError
from vade_core.same_points import common_points, same_data, same_points

__all__ = ["Rebuilt", "Samples", "draw_samples", "grid_png", "rebuilt_rows", "samples_of"]

Values = NDArray[np.float32]

EACH = 8
SEED_KEY = "cmp-sample-seed"


@dataclass(frozen=True, eq=False)
class Rebuilt:
    """Samples and what a run makes of them.

    Attributes
    ----------
    originals : ndarray, shape (m, D)
    by_run : list of ndarray, each (m, D), or None
        None for a run without a frame.
    shared : bool
        Whether all runs rebuilt these samples.
    """

    originals: Values
    by_run: list[Values | None]
    shared: bool


@dataclass(frozen=True, eq=False)
class Samples:
    """What a run draws by itself.

    Attributes
    ----------
    names : list of str
        Of the rows: the class of a cluster, or its number; empty for draws from one prior.
    values : ndarray, shape (rows, EACH, D)
    by_cluster : bool
        Whether every row is a cluster.
    words : str
        What the number of a cluster means, where one goes by it.
    """

    names: list[str]
    values: Values
    by_cluster: bool
    words: str = ""


def rebuilt_rows(compared: Sequence[Compared]) -> list[Rebuilt]:
    """Originals and reconstructions of the last frames, as far as the runs kept any.

    Returns
    -------
    list of Rebuilt
        One of the samples that all runs keep, where there are some; else one a run.

    Raises
    ------
    RunError
        If a stage set or a frame cannot be read.
    """
    stages = [cached_stage(each.run) for each in compared]
    kept = []
    for each, stage in zip(compared, stages, strict=True):
        numbers = each.run.frame_numbers()
        frame = cached_frame(each.run, numbers[-1]) if numbers else None
        fits = frame is not None and frame.reconstructions.shape == stage.samples.shape
        kept.append(frame.reconstructions if frame is not None and fits else None)
    configs = [each.run.config for each in compared]
    names = same_points(list(zip(configs, stages, strict=True)))
    if names is not None:
        own = [name[stage.shown] for name, stage in zip(names, stages, strict=True)]
        common = common_points(own)
        if len(common):
            at = [_places(mine, common) for mine in own]
            # In the order of the first run: by class, as its worker chose them.
            order = np.argsort(at[0], kind="stable")
            by_run = [
                None if values is None else values[place[order]]
                for values, place in zip(kept, at, strict=True)
            ]
            return [Rebuilt(stages[0].samples[at[0][order]], by_run, True)]
    return [
        Rebuilt(stage.samples, [kept[i] if i == j else None for j in range(len(kept))], False)
        for i, stage in enumerate(stages)
    ]


def _places(own: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each wanted number stands."""
    place = {int(name): i for i, name in enumerate(own)}
    return np.array([place[int(name)] for name in wanted], dtype=np.int64)


def samples_of(each: Compared, seed: int) -> Samples:
    """Draw samples from a run's prior: a row a cluster, by class, with the same noise in each.

    Parameters
    ----------
    each : Compared
    seed : int

    Raises
    ------
    RunError
        If the run has no model that can be read.
    ValueError, NotImplementedError
        In one sentence, why its model draws nothing.
    """
    model = cached_model(each.run)
    k = model.prior_.n_clusters
    if not k:
        drawn = model.sample(10 * EACH, random_state=seed)
        return Samples([""] * 10, drawn.reshape(10, EACH, -1), False)
    matched, names, most = _cluster_names(each, k)
    order = sorted(range(k), key=lambda c: (matched[c] < 0, matched[c], c))
    values = [model.sample(EACH, cluster=c, random_state=seed) for c in order]
    words = legend_of_numbers(names, most)
    return Samples([names[c] for c in order], np.stack(values), True, words)


def _cluster_names(each: Compared, k: int) -> tuple[list[int], list[str], list[str | None] | None]:
    """The class that each cluster is matched with, its name as on the map, and its commonest class.

    The classes are -1 for none, the commonest ones None where they are not known.
    """
    config, line = each.run.config, each.last_scores()
    matched = list(range(k)) if is_supervised(config.model) else line.get("matched")
    classes, looks = cluster_looks(config.class_names, matched, k)
    names = [name for name, _ in looks]
    given = matched if isinstance(matched, list) else []
    codes = [code if isinstance(code, int) else -1 for code in given[:k]]
    codes += [-1] * (k - len(codes))
    commonest = line.get("classes")
    if not isinstance(commonest, list) or len(commonest) != k:
        return codes, names, None
    known = [isinstance(code, int) and 0 <= code < len(classes) for code in commonest]
    most = [classes[c] if there else None for c, there in zip(commonest, known, strict=True)]
    return codes, names, most


def grid_png(rows: Sequence[NDArray[np.float32]], shape: Sequence[int]) -> bytes:
    """Rows of samples, each (m, D), as one grey PNG with a line of white between pictures.

    Parameters
    ----------
    rows : sequence of ndarray
        Grey levels in [0, 1].
    shape : sequence of two int
        Height and width of a picture.
    """
    height, width = shape
    across = max(len(row) for row in rows)
    sheet = np.full((len(rows) * (height + 1) + 1, across * (width + 1) + 1), 255, np.uint8)
    for y, row in enumerate(rows):
        for x, sample in enumerate(row):
            grey = np.rint(np.nan_to_num(sample).clip(0, 1) * 255).astype(np.uint8)
            top, left = 1 + y * (height + 1), 1 + x * (width + 1)
            sheet[top : top + height, left : left + width] = grey.reshape(height, width)
    return png_of(sheet)


def draw_samples(compared: Sequence[Compared]) -> None:
    """Draw the same digits as every run rebuilds them, and samples of every run."""
    noun = noun_of(compared)
    kept: dict[str, Values] = {}
    rows: list[Values] = []
    with part("rebuilt"):
        st.subheader(f"The same {noun}, rebuilt", anchor=False)
    try:
        _draw_rebuilt(compared, noun, kept, rows)
    except RunError as error:
        fail(str(error))
    with part("drawn", horizontal=True, vertical_alignment="center"):
        st.subheader("Drawn by themselves", anchor=False, width="stretch")
        seed = int(st.session_state.setdefault(SEED_KEY, 0))
        if st.button("Draw others", icon=":material/casino:", key="cmp-others"):
            seed = st.session_state[SEED_KEY] = seed + 1
        place = st.container(horizontal=True, width="content")
    columns = st.columns(len(compared), gap="medium")
    for column, each in zip(columns, compared, strict=True):
        with column:
            _draw_own(each, seed, kept, rows)
    with place:
        _draw_downloads(compared, kept, rows)


def _draw_rebuilt(
    compared: Sequence[Compared], noun: str, kept: dict[str, Values], rows: list[Values]
) -> None:
    found = rebuilt_rows(compared)
    if not found[0].shared:
        st.caption(
            "These runs show other samples: each has originals of its own."
            if same_data([each.run.config for each in compared])
            else "The data sets differ: each run has originals of its own."
        )
    for i, group in enumerate(found):
        name = "Originals" if group.shared else f"Originals of {compared[i].sign}"
        shown: list[Row] = [(name, group.originals)]
        shown += [
            (each.name, values)
            for each, values in zip(compared, group.by_run, strict=True)
            if values is not None
        ]
        config = compared[0 if group.shared else i].run.config
        if len(shown) > 1:
            if has_few_values(config):
                colours = {each.name: each.colour for each in compared}
                parts: list[Part] = [(n, values, 1.0, colours[n]) for n, values in shown[1:]]
                draw_density(group.originals, parts, f"cmp-rebuilt-{i}", "Grey: the data.")
            else:
                sample_rows(shown, config.image_shape, _scale(config.image_shape))
            suffix = "" if group.shared else f"_{compared[i].sign}"
            kept[f"originals{suffix}"] = group.originals
            rows += [values for _, values in shown]
        for each, values in zip(compared, group.by_run, strict=True):
            if values is not None:
                kept[f"rebuilt_{each.sign}"] = values
    without = [
        each.title
        for i, each in enumerate(compared)
        if all(group.by_run[i] is None for group in found)
    ]
    if without:
        st.caption(f"{listed(without)}: reconstructions come with the first frame.")


def _scale(shape: Sequence[int] | None) -> int:
    """Screen pixels a pixel: small pictures are shown larger."""
    return max(3, round(64 / max(shape))) if shape else 1


def _draw_own(each: Compared, seed: int, kept: dict[str, Values], rows: list[Values]) -> None:
    st.markdown(f"**{each.sign}** {each.title}")
    if not has_model(each.run):
        st.info("This run has no checkpoint yet.", icon=":material/hourglass_top:")
        return
    try:
        drawn = samples_of(each, seed)
    except RunError as error:
        fail(str(error))
        return
    except (ValueError, NotImplementedError) as error:
        st.info(str(error) or "This model draws no samples.", icon=":material/casino:")
        return
    kept[f"samples_{each.sign}"] = drawn.values
    rows += list(drawn.values)
    if has_few_values(each.run.config):
        draw_run_density(each.run, f"cmp-density-{each.sign}", seed)
        return
    shape = each.run.config.image_shape
    sample_rows(list(zip(drawn.names, drawn.values, strict=True)), shape, _scale(shape))
    st.caption(
        f"A row a cluster, the same noise in every row. {drawn.words}"
        if drawn.by_cluster
        else "From its latent space as a whole: no cluster can be asked for."
    )


def _draw_downloads(
    compared: Sequence[Compared], kept: dict[str, Values], rows: Sequence[Values]
) -> None:
    if not kept:
        return
    name = "-".join(each.run.id for each in compared)

    def npz() -> bytes:
        file = io.BytesIO()
        runs = np.array([each.run.id for each in compared])
        np.savez_compressed(file, runs=runs, **kept)
        return file.getvalue()

    st.download_button(
        "NPZ",
        npz,
        file_name=f"samples-{name}.npz",
        mime="application/octet-stream",
        icon=":material/download:",
        key="cmp-npz",
        on_click="ignore",
        help="The numbers: originals, reconstructions and samples of each run.",
    )
    shapes = {tuple(each.run.config.image_shape or ()) for each in compared}
    if len(shapes) == 1 and (shape := next(iter(shapes))):
        st.download_button(
            "PNG",
            lambda: grid_png(rows, shape),
            file_name=f"samples-{name}.png",
            mime="image/png",
            icon=":material/download:",
            key="cmp-png",
            on_click="ignore",
            help="The pictures in one grid, row by row.",
        )
