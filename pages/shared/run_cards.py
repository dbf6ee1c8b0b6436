"""Cards: a run at a glance, with a small picture of its last map; one click opens it."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import Image

from pages.shared.session import (
    cached_frame,
    cached_metrics,
    cached_stage,
    is_supervised,
    model_title,
    percent,
)
from pages.shared.stages import (
    has_epochs,
    stages_brief,
    start_agreement,
    start_scores,
    words_about_stages,
)
from vade_core.colours import colour_of
from vade_core.data import DATASETS
from vade_core.runs import BROKEN, Run, RunError

LOAD_PAGE = "pages/load.py"
PICTURE_SIZE = 360

# State: word, Streamlit's colour for it.
STATE_WORDS: dict[str, tuple[str, str]] = {
    "queued": ("Waiting", "gray"),
    "running": ("Running", "blue"),
    "paused": ("Paused", "orange"),
    "finished": ("Finished", "green"),
    "stopped": ("Stopped", "gray"),
    "failed": ("Failed", "red"),
    "interrupted": ("Interrupted", "orange"),
    BROKEN: ("Cannot be read", "red"),
}

STYLE = """
<style>
[class*="st-key-run-card-"] { position: relative; transition: border-color .12s; }
[class*="st-key-run-card-"]:hover, [class*="st-key-run-card-"]:focus-within {
  border-color: color-mix(in srgb, currentColor 55%, transparent); }
[class*="st-key-run-card-"] [data-testid="stPageLink"],
[class*="st-key-run-card-"] [data-testid="stPageLink"] *,
[class*="st-key-run-card-"] [data-testid="stElementContainer"]:has([data-testid="stPageLink"]) {
  position: static; }
[class*="st-key-run-card-"] a { padding-left: 0; padding-right: 0; background: none !important; }
[class*="st-key-run-card-"] a::after { content: ""; position: absolute; inset: 0; z-index: 1;
  cursor: pointer; border-radius: inherit; }
[class*="st-key-run-card-"] a p { font-weight: 600; font-size: 1.08rem; line-height: 1.25;
  white-space: normal; overflow-wrap: anywhere; }
.vx-picture { height: 150px; display: flex; align-items: center; justify-content: center;
  border-radius: .4rem; background: color-mix(in srgb, currentColor 4%, transparent);
  overflow: hidden; }
.vx-picture img { height: 142px; max-width: 100%; object-fit: contain; }
.vx-picture span { opacity: .7; font-size: .95rem; padding: 0 1rem; text-align: center; }
.vx-facts { line-height: 1.4; font-size: .95rem; }
.vx-facts .vx-dim { opacity: .75; }
.vx-facts b { font-size: 1.25rem; font-weight: 650; }
.vx-error { font-size: .9rem; overflow-wrap: anywhere; display: -webkit-box; -webkit-line-clamp: 4;
  -webkit-box-orient: vertical; overflow: hidden; }
@media (max-width: 1100px) {
  [data-testid="stHorizontalBlock"]:has(> [data-testid="stColumn"] [class*="st-key-run-card-"]) {
    flex-wrap: wrap; }
  [data-testid="stColumn"]:has([class*="st-key-run-card-"]) {
    flex: 1 1 calc(50% - 1rem); min-width: calc(50% - 1rem); }
  [data-testid="stColumn"]:not(:has(*)) { display: none; }
}
</style>
"""


def draw_cards(summaries: Sequence[dict[str, Any]], columns: int = 4) -> None:
    """Draw a grid of cards; each is a link to the run's page.

    Parameters
    ----------
    summaries : sequence of dict
        Of ``read_summaries``.
    columns : int
        Cards beside each other on a wide window.
    """
    st.html(STYLE)
    stages = []
    often = Counter(_what_shows(summary) for summary in summaries)
    for first in range(0, len(summaries), columns):
        places = st.columns(columns)
        for place, summary in zip(places, summaries[first : first + columns], strict=False):
            with place:
                stages.append(_card(summary, alike=often[_what_shows(summary)] > 1))
    if words := words_about_stages(stages):
        st.caption(words)


def _what_shows(summary: dict[str, Any]) -> tuple[Any, ...]:
    """What tells a card from others, but for its picture."""
    names = ("clusters", "seed", "preset", "acc", "subset", "state")
    date = date_words(summary["created"])
    return (title_of(summary), date, *(summary.get(name) for name in names))


def _card(summary: dict[str, Any], *, alike: bool) -> str:
    """Draw a card, with the run's id where another one looks alike; its stages in words."""
    with st.container(border=True, key=f"run-card-{summary['id']}", gap="xsmall", height="stretch"):
        if summary["state"] == BROKEN:
            words = "This run cannot be read"
        else:
            words = "No map yet"
        st.html(_picture(summary) or f'<div class="vx-picture"><span>{words}</span></div>')
        st.page_link(
            LOAD_PAGE,
            label=plain_label(title_of(summary)),
            query_params={"run": summary["id"]},
            width="stretch",
        )
        state, colour = state_words(summary["state"])
        if summary["state"] == BROKEN:
            st.html(f'<div class="vx-error">{html.escape(summary["error"])}</div>')
            return ""
        facts = f"K = {summary['clusters']} · seed {summary['seed']} · {summary['preset']}"
        if has_own_title(summary):
            facts = f"{what_it_is(summary)} · {facts}"
        if part := subset_words(summary["dataset"], summary.get("subset")):
            facts = f"{facts} · {part}"
        run, lines = _read(summary)
        agreement = start_agreement(lines[-1]) if lines else None
        score, what = summary["acc"], "ACC"
        if score is None and agreement is not None:
            score, what = agreement, "in the start's clusters"
        elif start_scores(lines):
            what = "ACC of its own clusters"
        stages, after = "", f" after {epochs_words(summary['epochs'])}"
        if run is not None:
            stages = stages_brief(run.config, lines)
            after = after if has_epochs(run.config) else ""
        st.html(
            f'<div class="vx-facts">{html.escape(facts)}<br><b>{percent(score)}</b> '
            f'<span class="vx-dim">{what}{after}<br>'
            f"{html.escape(stages)}</span></div>"
        )
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.badge(state, color=colour)  # type: ignore[arg-type]
            if is_supervised(summary["model"]):
                draw_supervised_badge()
            if summary.get("recorded"):
                st.badge("Recorded", color="violet")
            words = date_words(summary["created"])
            st.caption(f"{words} · {summary['id']}" if alike else words, width="content")
    return stages


def _read(summary: dict[str, Any]) -> tuple[Run | None, Sequence[dict[str, Any]]]:
    """A run and its lines; None and none where they cannot be read (any more)."""
    try:
        run = Run(summary["path"])
        return (run, cached_metrics(run)) if run.config else (None, [])
    except (RunError, OSError):
        return None, []


def _picture(summary: dict[str, Any]) -> str | None:
    """The last map, as an image; None where there is none."""
    try:
        run = Run(summary["path"])
        numbers = run.frame_numbers()
        url = _map_picture(run, numbers[-1]) if numbers else None
    except (RunError, OSError, ValueError):
        return None
    if url is None:
        return None
    return f'<div class="vx-picture"><img src="{url}" alt="Map of the latents"></div>'


def _map_picture(run: Run, number: int) -> str | None:
    path = run.frame_path(number)
    state = path.stat()
    return _drawn(str(run.path), number, state.st_mtime_ns)


@st.cache_data(show_spinner=False, max_entries=500)
def _drawn(path: str, number: int, stamp: int) -> str | None:
    run = Run(Path(path))
    frame = cached_frame(run, number)
    lens = next((lens for lens in run.config.lenses if lens in frame.maps), None)
    if lens is None:
        return None
    places = frame.maps[lens]
    # As the maps that it stands for begin: by label where there are labels, else by cluster.
    classes = cached_stage(run).labels
    if classes is None:
        classes = np.full(len(places), -1) if frame.clusters is None else frame.clusters
    return _data_uri(draw_points(places, classes))


def draw_points(
    places: NDArray[np.float32], classes: NDArray[np.int64], size: int = PICTURE_SIZE
) -> NDArray[np.uint8]:
    """Points of a map as a small picture on a clear ground.

    Parameters
    ----------
    places : ndarray, shape (n, 2)
    classes : ndarray, shape (n,)
        Whose colour each point wears; -1 for grey.
    size : int
        Pixels of a side.

    Returns
    -------
    ndarray of uint8, shape (size, size, 4)
        Red, green, blue and how opaque.
    """
    picture = np.zeros((size, size, 4), np.uint8)
    fine = np.isfinite(places).all(axis=1)
    places, classes = places[fine], classes[fine]
    if not len(places):
        return picture
    # A few strays may be cut off, but no group that stands at an edge.
    low, high = np.percentile(places, [0.1, 99.9], axis=0)
    unit = max(float((high - low).max()), 1e-9)
    radius = 3 if len(places) > 800 else 4
    room = 0.96 * size - 2 * radius - 2
    at = ((places - (low + high) / 2) / unit * room + size / 2).astype(int)
    colours = {int(c): _rgb(colour_of(int(c))) for c in np.unique(classes)}
    rgb = np.array([colours[int(c)] for c in classes], np.uint8)
    steps = np.arange(-radius, radius + 1)
    dy, dx = (grid.ravel() for grid in np.meshgrid(steps, steps, indexing="ij"))
    disc = dx**2 + dy**2 <= radius**2
    for x, y in zip(dx[disc], dy[disc], strict=True):
        column, row = at[:, 0] + x, size - 1 - (at[:, 1] + y)
        inside = (column >= 0) & (column < size) & (row >= 0) & (row < size)
        picture[row[inside], column[inside], :3] = rgb[inside]
        picture[row[inside], column[inside], 3] = 255
    return picture


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _data_uri(picture: NDArray[np.uint8]) -> str:
    import base64
    import io

    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


# --- Words --------------------------------------------------------------------------------------


def title_of(summary: dict[str, Any]) -> str:
    """A person's title for a run, or what it is: its model and its data set."""
    return str(summary["title"]) if has_own_title(summary) else what_it_is(summary)


def has_own_title(summary: dict[str, Any]) -> bool:
    """Whether a person named the run; one that cannot be read goes by its id."""
    return bool(summary["title"] != summary["id"] or summary["state"] == BROKEN)


def what_it_is(summary: dict[str, Any]) -> str:
    """A run's model and data set."""
    return f"{model_title(summary['model'])} on {summary['dataset']}"


def subset_words(dataset: str, subset: int | None) -> str:
    """How much of its data a run was given; empty where it was given all.

    Examples
    --------
    >>> subset_words("mnist", 3000), subset_words("mine", 500), subset_words("mnist", None)
    ('3,000 of 70,000 samples', '500 samples of its data', '')
    """
    if subset is None:
        return ""
    entry = DATASETS.get(dataset)
    if entry is None:
        return f"{subset:,} samples of its data"
    return f"{subset:,} of {entry.n_samples:,} samples" if subset < entry.n_samples else ""


def draw_supervised_badge() -> None:
    """Say that a model was told the labels: its scores are no clustering's."""
    st.badge("Supervised", color="orange", help="It learnt from the labels.")


def plain_label(text: str) -> str:
    r"""Text in which Markdown finds nothing to format.

    Examples
    --------
    >>> plain_label("a*b")
    'a\\*b'
    """
    return "".join("\\" + c if c in r"\`*_{}[]()#+-.!|~$:<>" else c for c in text)


def state_words(state: str) -> tuple[str, str]:
    """A state's word and its colour."""
    return STATE_WORDS.get(state, (state, "gray"))


def epochs_words(count: int | None) -> str:
    """A number of epochs in words.

    Examples
    --------
    >>> epochs_words(1), epochs_words(0)
    ('1 epoch', '0 epochs')
    """
    return f"{count or 0} epoch{'' if count == 1 else 's'}"


def date_words(created: Any) -> str:
    """A date of a run in words, in this computer's time; empty where there is none.

    Examples
    --------
    >>> date_words("nonsense")
    ''
    """
    try:
        when = datetime.fromisoformat(str(created)).astimezone()
    except (ValueError, OverflowError, OSError):
        return ""
    return f"{when.day} {when:%b %Y, %H:%M}"
