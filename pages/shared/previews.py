"""Recorded runs playing side by side, each a link to its time machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from pages.shared.latent_map import MapFrames, map_preview
from pages.shared.run_cards import plain_label, title_of
from pages.shared.session import Stamp, cached_metrics, fail, is_supervised, percent, stamp_of
from pages.shared.stages import start_scores
from vade_core.colours import cluster_looks, legend_of_numbers
from vade_core.preview_frames import preview_frames
from vade_core.record import OPENING
from vade_core.runs import CONFIG, METRICS, STAGE, Run, RunError

TIME_MACHINE = "pages/time-machine.py"
LENS = "tsne"  # else the run's first
WORTH_TELLING = 0.05  # how far an ACC on the way has to lie above both ends

STYLE = """
<style>
[class*="st-key-preview-"] { position: relative; transition: border-color .12s; }
[class*="st-key-preview-"]:hover, [class*="st-key-preview-"]:focus-within {
  border-color: color-mix(in srgb, currentColor 55%, transparent); }
[class*="st-key-preview-"] [data-testid="stPageLink"],
[class*="st-key-preview-"] [data-testid="stPageLink"] *,
[class*="st-key-preview-"] [data-testid="stElementContainer"]:has([data-testid="stPageLink"]) {
  position: static; }
[class*="st-key-preview-"] a { padding: 0; background: none !important; }
[class*="st-key-preview-"] a::after { content: ""; position: absolute; inset: 0; z-index: 1;
  cursor: pointer; border-radius: inherit; }
[class*="st-key-preview-"] a:focus-visible::after { outline: 3px solid currentColor; }
[class*="st-key-preview-"] a p { font-weight: 650; font-size: 1.2rem; line-height: 1.25;
  white-space: normal; overflow-wrap: anywhere; }
</style>
"""


def opening_runs(recorded: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Which recorded runs play: the three that are meant to, others where one is not there.

    Parameters
    ----------
    recorded : sequence of dict
        Summaries, as ``read_summaries`` gives them.

    Returns
    -------
    list of dict
        At most as many as are meant to, those first.
    """

    def place(summary: dict[str, Any]) -> tuple[int, str]:
        run_id = str(summary["id"])
        return (OPENING.index(run_id) if run_id in OPENING else len(OPENING), run_id)

    return sorted(recorded, key=place)[: len(OPENING)]


def draw_previews(summaries: Sequence[dict[str, Any]]) -> None:
    """Draw recorded runs side by side, playing in step; a click opens the time machine.

    Parameters
    ----------
    summaries : sequence of dict
    """
    st.html(STYLE)
    shown: list[MapFrames] = []
    for place, summary in zip(st.columns(len(OPENING)), summaries, strict=False):
        run = Run(summary["path"])
        key = f"preview-{run.id}"
        with place, st.container(border=True, key=key, gap="xsmall", height="stretch"):
            try:
                frames = _read(run)
            except (RunError, OSError) as error:
                fail(str(error))
                continue
            shown.append(frames)
            map_preview(
                frames, key=f"playing-{run.id}", label=f"Playing: {title_of(summary)}, its map"
            )
            st.page_link(
                TIME_MACHINE,
                label=plain_label(title_of(summary)),
                query_params={"run": run.id},
                width="stretch",
            )
            words = plain_label(what_one_sees(summary, cached_metrics(run)))
            st.markdown(words.replace(" %", "\N{NO-BREAK SPACE}%"))
    how = {caption_words(frames) for frames in shown}
    said = ["Recorded runs, playing in step.", *(how if len(how) == 1 else ())]
    said += [words for frames in shown if (words := words_about_numbers(frames))][:1]
    st.caption(" ".join(said))


def what_one_sees(summary: dict[str, Any], lines: Sequence[dict[str, Any]]) -> str:
    """A recording in words: what its note begins with, and how its ACC went.

    Where a start found groups of its own, it says whose ACC is whose.

    Examples
    --------
    >>> summary = {"note": "Nothing is held.\\nAs in the paper.", "model": "vade"}
    >>> lines = [{"phase": "train", "acc": None}]
    >>> lines += [{"phase": "train", "acc": acc} for acc in (0.5, 0.75)]
    >>> what_one_sees(summary, lines)
    'Nothing is held. ACC goes from 50.0 % to 75.0 %.'
    >>> what_one_sees(summary, [*lines, {"phase": "train", "acc": 0.6}])
    'Nothing is held. ACC goes from 50.0 % to 75.0 % and ends at 60.0 %.'
    """
    words = str(summary["note"]).split("\n")[0]
    measured = [line["acc"] for line in lines if line.get("acc") is not None]
    if len(measured) > 1 and not is_supervised(summary["model"]):
        first, most, last = map(percent, (measured[0], max(measured), measured[-1]))
        start = start_scores(lines).get("acc")
        if start is None and max(measured) > max(measured[0], measured[-1]) + WORTH_TELLING:
            words = f"{words} ACC goes from {first} to {most} and ends at {last}."
        elif start is None:
            words = f"{words} ACC goes from {first} to {last}."
        else:
            words = f"{words} Its clusters: ACC {first} to {last}; its start: {percent(start)}."
    return words.strip()


def caption_words(frames: MapFrames) -> str:
    """How a preview's map was made, in a sentence."""
    total = frames.n_points if frames.total is None else frames.total
    colours = "cluster" if frames.labels is None else "label, marked where each cluster stands"
    words = f"{frames.n_points:,} of {total:,} samples shown · {frames.caption}"
    return f"{words} · coloured by {colours}."


def words_about_numbers(frames: MapFrames) -> str:
    """What a mark such as c3 means at the end of a run with labels; empty where there is none."""
    if frames.labels is None or frames.matched is None or not frames.n_frames:
        return ""
    matched = [int(code) for code in frames.matched[-1]]
    _, looks = cluster_looks(frames.class_names, matched, len(matched))
    return legend_of_numbers([name for name, _ in looks])


def _read(run: Run) -> MapFrames:
    files = [run.path / CONFIG, run.path / METRICS, run.path / STAGE]
    files += [run.frame_path(number) for number in run.frame_numbers()]
    lenses = run.config.lenses
    lens = LENS if LENS in lenses or not lenses else str(lenses[0])
    return _frames(str(run.path), lens, stamp_of(*files))


@st.cache_resource(show_spinner=False, max_entries=16)
def _frames(path: str, lens: str, stamp: Stamp) -> MapFrames:
    return preview_frames(Run(path), lens)
