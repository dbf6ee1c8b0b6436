"""Rows of samples, one a cluster, with what the cluster stands for; and the same as a PNG."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from pages.shared.digits import profile_svg
from pages.shared.k_river import cluster_colours
from pages.shared.k_runs import KRun
from pages.shared.k_words import cluster_names, share
from pages.shared.networks import cached_model
from pages.shared.session import Stamp, stamp_of
from vade_core.colours import colour_of, text_on
from vade_core.png import png_of
from vade_core.runs import CHECKPOINT, CONFIG, Run

__all__ = [
    "ClusterRow",
    "cluster_rows",
    "draw_rows",
    "generated",
    "real_pictures",
    "rows_html",
    "rows_png",
]

MOST_SAMPLES = 24
# The rows of 7, 10 and 14 clusters are one height, so that changing K moves nothing.
HEIGHT, GAP = 530, 5
SMALLEST, LARGEST = 32, 72
MOST_HELD = 3
PNG_SCALE, PNG_LABEL = 2, 150

STYLE = """
<style>
.cr-rows { display: grid; align-content: start; font-size: 15px; line-height: 1.07; }
.cr-row { display: grid; align-items: center; column-gap: 12px;
  grid-template-columns: var(--cr-chip) 164px minmax(0, 1fr); }
.cr-small .cr-row { grid-template-columns: var(--cr-chip) minmax(0, 1fr); }
.cr-chip { border-radius: 7px; font-weight: 700; text-align: center; padding: 4px 5px;
  font-size: 17px; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.cr-small .cr-chip { font-size: 15px; padding: 1px 4px; }
.cr-held { font-variant-numeric: tabular-nums; overflow: hidden; }
.cr-held i { font-style: normal; }
.cr-held span { opacity: .8; white-space: nowrap; }
.cr-strip { display: flex; flex-wrap: wrap; gap: 4px; overflow: hidden; min-width: 0; }
.cr-strip img { image-rendering: pixelated; display: block; border-radius: 3px; }
@media (max-width: 1100px) {
  .cr-rows:not(.cr-small) .cr-row { grid-template-columns: var(--cr-chip) 40px minmax(0, 1fr); }
  .cr-held span, .cr-held i { display: none; }
}
</style>
"""


@dataclass(frozen=True, eq=False)
class ClusterRow:
    """A cluster with samples of it.

    Attributes
    ----------
    cluster : int
    name : str
        As in `pages.shared.k_words.cluster_names`, such as ``4+9``.
    colour : str
    size : float
        Its share of all samples.
    held : str
        Its largest classes with their shares; empty without labels.
    samples : ndarray, shape (m, D) or (m, h, w)
        Numbers, or uint8 grey levels.
    """

    cluster: int
    name: str
    colour: str
    size: float
    held: str
    samples: NDArray[np.generic]


def cluster_rows(
    shown: KRun, samples: Sequence[NDArray[np.generic]], colours: Sequence[int] | None = None
) -> list[ClusterRow]:
    """The rows of a run in the order of what they stand for.

    Parameters
    ----------
    shown : KRun
    samples : sequence of ndarray
        By cluster.
    colours : sequence of int, optional
        The class whose colour each cluster wears.
    """
    counted, names = shown.counted, shown.names
    colours = cluster_colours(shown) if colours is None else colours
    titles = cluster_names(counted, names)
    found = []
    # Those of one class beside one another, first the one that is matched with it.
    for cluster in sorted(
        range(shown.k), key=lambda c: (colours[c] < 0, colours[c], titles[c] == f"c{c}", c)
    ):
        size = int(counted.sizes[cluster])
        held = ""
        if counted.table is not None and size:
            column = counted.table[:, cluster] / size
            most = [y for y in np.argsort(-column, kind="stable")[:MOST_HELD] if column[y] >= 0.05]
            held = " · ".join(f"{names[y]}: {share(float(column[y]))}" for y in most)
        found.append(
            ClusterRow(
                cluster,
                titles[cluster],
                colour_of(colours[cluster]),
                size / max(1, counted.n_samples),
                held,
                samples[cluster],
            )
        )
    return found


# --- Where samples come from --------------------------------------------------------------------


def generated(
    run: Run, n: int = MOST_SAMPLES, *, temperature: float = 1.0, seed: int = 0
) -> NDArray[np.float32]:
    """Samples that a run's final model draws from each cluster, (K, n, D); same noise for all.

    Raises
    ------
    RunError
        If there is no checkpoint, or it does not fit.
    """
    stamp = stamp_of(run.path / CHECKPOINT, run.path / CONFIG)
    return _generated(str(run.path), stamp, n, temperature, seed)


@st.cache_resource(show_spinner=False, max_entries=32)
def _generated(
    path: str, stamp: Stamp, n: int, temperature: float, seed: int
) -> NDArray[np.float32]:
    run = Run(path)
    model, k = cached_model(run), run.config.clusters
    latents = [
        model.sample_latents(n, cluster=c, temperature=temperature, random_state=seed)
        for c in range(k)
    ]
    decoded = model.decode(np.concatenate(latents))
    return decoded.reshape(k, n, -1).astype(np.float32)


def real_pictures(shown: KRun, n: int = MOST_SAMPLES) -> list[NDArray[np.uint8]]:
    """Pictures of the stage set that are in each cluster, evenly chosen, (at most n, h, w) each."""
    pictures = shown.stage.pictures
    assert pictures is not None
    found = []
    for cluster in range(shown.k):
        inside = np.flatnonzero(shown.clusters == cluster)
        chosen = inside[np.arange(min(n, len(inside))) * len(inside) // max(1, min(n, len(inside)))]
        found.append(pictures[chosen])
    return found


# --- Drawing ------------------------------------------------------------------------------------


def draw_rows(
    rows: Sequence[ClusterRow], image_shape: Sequence[int] | None, *, small: bool = False
) -> None:
    """Draw rows; small ones carry no words."""
    st.html(rows_html(rows, image_shape, small=small))


def rows_html(
    rows: Sequence[ClusterRow], image_shape: Sequence[int] | None, *, small: bool = False
) -> str:
    """The HTML of `draw_rows`."""
    whole = HEIGHT * (0.72 if small else 1.0)
    least, most = (22, 50) if small else (SMALLEST, LARGEST)
    height = int(min(max(whole / max(1, len(rows)) - GAP, least), most))
    longest = max((len(row.name) for row in rows), default=1)
    wide = min(max(longest * 10 + 16, 52 if small else 72), 90 if small else 170)
    limits = _limits(rows) if image_shape is None else (0.0, 1.0)
    parts = []
    for row in rows:
        ink = text_on(row.colour)
        chip = (
            f'<div class="cr-chip" title="{html.escape(_spoken(row))}" '
            f'style="background:{row.colour};color:{ink}">{html.escape(row.name)}</div>'
        )
        words = (
            f'<div class="cr-held"><b>{share(row.size)}</b><i> of all</i><br>'
            f"<span>{html.escape(row.held)}</span></div>"
        )
        strip = "".join(_image(sample, image_shape, height, limits) for sample in row.samples)
        if not len(row.samples):
            strip = '<span style="opacity:.7">No sample of it is kept.</span>'
        parts.append(
            f'<div class="cr-row" style="height:{height}px">'
            f"{chip}{'' if small else words}"
            f'<div class="cr-strip" role="img" aria-label="{html.escape(_spoken(row))}" '
            f'style="height:{height}px">{strip}</div></div>'
        )
    kind = "cr-rows cr-small" if small else "cr-rows"
    style = f"--cr-chip:{wide}px;row-gap:{GAP}px;min-height:{whole:.0f}px"
    return f'{STYLE}<div class="{kind}" style="{style}">{"".join(parts)}</div>'


def _spoken(row: ClusterRow) -> str:
    return f"Cluster {row.name}: {share(row.size)} of all. {row.held}".strip()


def _image(
    sample: NDArray[np.generic],
    image_shape: Sequence[int] | None,
    height: int,
    limits: tuple[float, float],
) -> str:
    if image_shape is None:
        drawing = profile_svg(_short(sample), *limits)
        kind, content = "image/svg+xml", drawing.encode()
    else:
        kind, content = "image/png", png_of(_grey(sample, image_shape))
    address = base64.b64encode(content).decode()
    return f'<img alt="" style="height:{height}px" src="data:{kind};base64,{address}">'


def _grey(sample: NDArray[np.generic], image_shape: Sequence[int]) -> NDArray[np.uint8]:
    values = np.asarray(sample).reshape(image_shape[0], image_shape[1])
    if values.dtype == np.uint8:
        return values
    finite = np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=1.0, neginf=0.0)
    return np.rint(finite.clip(0, 1) * 255).astype(np.uint8)


def _short(sample: NDArray[np.generic]) -> NDArray[np.float64]:
    """Values of a sample that is no picture, not more than a small drawing has pixels."""
    values = np.nan_to_num(np.asarray(sample, dtype=np.float64), posinf=0.0, neginf=0.0)
    if len(values) > 100:
        values = np.array([part.mean() for part in np.array_split(values, 100)])
    return values


def _limits(rows: Sequence[ClusterRow]) -> tuple[float, float]:
    drawn = [_short(sample) for row in rows for sample in row.samples]
    if not drawn:
        return 0.0, 1.0
    return float(min(d.min() for d in drawn)), float(max(d.max() for d in drawn))


def rows_png(rows: Sequence[ClusterRow], image_shape: Sequence[int], title: str) -> bytes:
    """The rows as one PNG file with names, black on white.

    Parameters
    ----------
    rows : sequence of ClusterRow
    image_shape : sequence of two int
    title : str
        Stands above them.
    """
    h, w = (side * PNG_SCALE for side in image_shape)
    # Small pictures are drawn larger, so that the names beside them can be read.
    scale = max(1, round(48 / h))
    h, w = h * scale, w * scale
    most = max((len(row.samples) for row in rows), default=0)
    step = h + 2 * GAP
    sheet = Image.new("RGB", (PNG_LABEL + most * (w + GAP) + GAP, 40 + step * len(rows)), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=18)
    pen.text((GAP, 10), title, fill="black", font=font)
    for i, row in enumerate(rows):
        top = 40 + i * step
        pen.rectangle((GAP, top, GAP + 8, top + h), fill=row.colour)
        pen.text((22, top + h // 2 - 11), row.name, fill="black", font=font)
        for j, sample in enumerate(row.samples):
            picture = Image.fromarray(_grey(sample, image_shape)).resize(
                (w, h), Image.Resampling.NEAREST
            )
            sheet.paste(picture, (PNG_LABEL + j * (w + GAP), top))
    content = io.BytesIO()
    sheet.save(content, "PNG")
    return content.getvalue()
