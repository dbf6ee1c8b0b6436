"""Grids of pictures: originals beside reconstructions, samples of clusters."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from vade_core.colours import PALETTE
from vade_core.png import png_of

__all__ = [
    "picture_rows",
    "png_of",
    "profile_rows",
    "profile_svg",
    "rows_html",
    "sample_rows",
]

Row = tuple[str, NDArray[Any]]


# On a telephone a name stands above its row, which then has the whole width, eight to a line.
STYLE = """
<style>
.vx-rows { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 8px 14px;
  font-size: 16px; }
@media (max-width: 640px) {
  .vx-rows { grid-template-columns: minmax(0, 1fr); gap: 4px; }
  .vx-rows > [role="img"] { flex-wrap: wrap; margin-bottom: 6px; }
  .vx-rows:has(img:nth-child(9)) img { flex: 0 0 calc(12.5% - 5px) !important; }
}
</style>
"""


def picture_rows(rows: Sequence[Row], scale: int = 4, caption: str = "") -> None:
    """Draw rows of grey pictures, each with its name, as crisp pixels.

    Parameters
    ----------
    rows : sequence of (str, ndarray of shape (m, h, w))
        Values in [0, 1], or uint8. Every row may have another number of pictures.
    scale : int
        Screen pixels a pixel at most; a narrow place shows them smaller.
    caption : str
        A sentence below.

    Raises
    ------
    ValueError
        If a row does not hold pictures.
    """
    if rows:
        st.html(rows_html(rows, scale, caption))


def profile_rows(rows: Sequence[Row], caption: str = "") -> None:
    """Draw rows of samples that are no pictures as small line profiles.

    Parameters
    ----------
    rows : sequence of (str, ndarray of shape (m, D))
        Column i of every row speaks of the same sample and has one scale.
    caption : str
        A sentence below.
    """
    if rows:
        st.html(_profiles_html(rows, caption))


def sample_rows(
    rows: Sequence[Row], image_shape: Sequence[int] | None, scale: int = 4, caption: str = ""
) -> None:
    """Draw rows of samples (m, D): as pictures where there is a shape, else as profiles.

    Parameters
    ----------
    rows : sequence of (str, ndarray of shape (m, D))
    image_shape : sequence of two int, or None
    scale, caption
        As for `picture_rows`.
    """
    if image_shape is None:
        profile_rows(rows, caption)
        return
    height, width = image_shape
    picture_rows(
        [(name, values.reshape(-1, height, width)) for name, values in rows], scale, caption
    )


def rows_html(rows: Sequence[Row], scale: int = 4, caption: str = "") -> str:
    """The HTML of `picture_rows`: a PNG a picture, scaled by the browser without smoothing."""
    parts = []
    for name, pictures in rows:
        values = _as_grey(name, pictures)
        width = values.shape[2] * scale
        style = f"flex:1 1 0;min-width:0;max-width:{width}px;image-rendering:pixelated"
        images = "".join(
            f'<img alt="" src="{_data_address("image/png", png_of(picture))}" style="{style}">'
            for picture in values
        )
        parts.append(_row(name, f"{len(values)} pictures", images))
    return _grid(parts, caption)


def _row(name: str, what: str, images: str) -> str:
    shown = html.escape(name)
    return (
        f'<div style="font-weight:600;white-space:nowrap;align-self:center">{shown}</div>'
        f'<div role="img" aria-label="{shown}: {what}" style="display:flex;gap:5px">{images}</div>'
    )


def _grid(parts: Sequence[str], caption: str) -> str:
    below = f'<div style="opacity:0.75;margin-top:6px">{html.escape(caption)}</div>'
    return f'{STYLE}<div class="vx-rows">{"".join(parts)}</div>{below if caption else ""}'


def _data_address(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _as_grey(name: str, pictures: NDArray[Any]) -> NDArray[np.uint8]:
    values = np.asarray(pictures)
    if values.ndim != 3 or 0 in values.shape[1:]:
        raise ValueError(f"{name!r} has shape {values.shape}; give pictures of shape (m, h, w).")
    if values.dtype == np.uint8:
        return values
    finite = np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=1.0, neginf=0.0)
    return np.rint(finite.clip(0, 1) * 255).astype(np.uint8)


def _profiles_html(rows: Sequence[Row], caption: str) -> str:
    checked = [(name, _profiles(name, values)) for name, values in rows]
    limits = []
    for i in range(max(len(values) for _, values in checked)):
        members = np.concatenate([values[i] for _, values in checked if i < len(values)])
        limits.append((float(members.min()), float(members.max())))
    parts = []
    for name, values in checked:
        drawn = [profile_svg(sample, *limits[i]) for i, sample in enumerate(values)]
        # As pictures, since the page strips drawings out of foreign HTML.
        images = "".join(
            f'<img alt="" src="{_data_address("image/svg+xml", drawing.encode())}" '
            'style="flex:1 1 0;min-width:0;max-width:160px">'
            for drawing in drawn
        )
        parts.append(_row(name, f"{len(values)} samples", images))
    return _grid(parts, caption)


def profile_svg(sample: NDArray[np.float64], low: float, high: float) -> str:
    """A sample's values, (D,), as a line from left to right between two limits: an SVG file.

    One value is a tick on an axis, two are a dot.
    """
    width, height, edge = 110, 64, 3
    extent = (high - low) or 1.0
    if len(sample) <= 2:
        return _dot_svg(sample, low, extent, width, height)
    x = np.linspace(edge, width - edge, len(sample))
    y = edge + (height - 2 * edge) * (1 - (sample - low) / extent)
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">'
        f'<polyline points="{points}" fill="none" stroke="{PALETTE[0]}" stroke-width="2"/></svg>'
    )


def _dot_svg(
    sample: NDArray[np.float64], low: float, extent: float, width: int, height: int
) -> str:
    """One value as a tick on an axis, two as a dot in a square field."""
    edge = 6
    x = edge + (width - 2 * edge) * float(np.clip((sample[0] - low) / extent, 0, 1))
    if len(sample) == 2:
        share = float(np.clip((sample[1] - low) / extent, 0, 1))
        y = edge + (height - 2 * edge) * (1 - share)
        drawn = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{PALETTE[0]}"/>'
        base = height - 2
    else:
        base = height // 2
        drawn = (
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{base - 16}" y2="{base + 16}" '
            f'stroke="{PALETTE[0]}" stroke-width="5"/>'
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">'
        f'<line x1="2" x2="{width - 2}" y1="{base}" y2="{base}" stroke="#808892" '
        f'stroke-width="1.5"/>{drawn}</svg>'
    )


def _profiles(name: str, values: NDArray[Any]) -> NDArray[np.float64]:
    found = np.asarray(values, dtype=np.float64)
    if found.ndim != 2 or found.shape[1] == 0:
        raise ValueError(f"{name!r} has shape {found.shape}; give samples of shape (m, D).")
    found = np.nan_to_num(found, nan=0.0, posinf=0.0, neginf=0.0)
    if found.shape[1] > 200:
        # More corners than a small picture has pixels are cut down to means of neighbours.
        found = np.stack([part.mean(axis=1) for part in np.array_split(found, 200, axis=1)], axis=1)
    return found
