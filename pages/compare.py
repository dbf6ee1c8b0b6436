"""Compare: two or more runs on the same points, side by side.

``?runs=a,b`` opens some runs, ``&lens=umap`` a map of them, ``&part=curves`` (``rebuilt``,
``drawn``) a part of the page. Without a link it opens on VAE beside
VaDE. Nothing is trained here; what must be measured is measured by a process of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from pages.shared.compare_curves import draw_overlay
from pages.shared.compare_maps import choose_common_lens, draw_maps, no_lens_words
from pages.shared.compare_measure import draw_table, is_measuring
from pages.shared.compare_runs import MODEL_PAIR, Compared, choose_runs, compared_runs
from pages.shared.compare_samples import draw_samples
from pages.shared.front_door import enter_by_the_front_door
from pages.shared.part_of_page import go_to_part
from pages.shared.run_choice import readable_summaries
from pages.shared.session import fail, model_title
from vade_core.runs import RUNNING_STATES, Run, RunError

enter_by_the_front_door()

STYLE = """
<style>
[data-testid="stMainBlockContainer"] { padding-left: 2rem; padding-right: 2rem; }
[data-testid="stStatusWidget"] { display: none; }
.st-key-cmp-head [data-testid="stMultiSelect"] { min-width: 18rem; }
/* Every chip is seen: they take a second line instead of scrolling away. */
.st-key-cmp-head [data-testid="stMultiSelect"] [role="group"] { height: auto; max-height: none; }
.st-key-cmp-head [data-testid="stMultiSelectTagsContainer"] { flex-wrap: wrap; overflow: visible;
  row-gap: .25rem; }
.st-key-cmp-head [data-testid="stMultiSelectTagsContainer"] [data-tag] { max-width: 100%; }
</style>
"""


def main() -> None:
    """The chosen runs side by side, or what to train first."""
    st.html(STYLE)
    summaries = readable_summaries()
    if not summaries:
        with st.container(border=True):
            st.markdown("#### No runs yet")
            draw_advice(set())
        return
    with st.container(horizontal=True, vertical_alignment="center", key="cmp-head"):
        chosen = choose_runs(summaries)
        compared = compared_runs(chosen, summaries)
        lens = None
        if len(compared) > 1:
            try:
                lens = choose_common_lens(compared)
            except RunError as error:
                fail(str(error))
                return
    if len(compared) < 2:
        with st.container(border=True):
            st.markdown("#### Choose two runs")
            draw_advice({str(s["model"]) for s in summaries})
        return
    draw_compared(compared, lens)


def draw_advice(there: set[str]) -> None:
    """Say what to train, so that the usual pair can be compared."""
    titles = [model_title(model) for model in MODEL_PAIR]
    missing = [
        f"a {title}" for model, title in zip(MODEL_PAIR, titles, strict=True) if model not in there
    ]
    if missing:
        st.markdown(
            f"This page lays runs side by side, {' beside '.join(titles)} first of all. Train "
            f"{' and '.join(missing)} on the same data set to see them."
        )
        st.page_link("pages/train.py", label="Train", icon=":material/play_circle:")
    else:
        st.markdown("Two or more runs are compared: choose another one above.")


def draw_compared(compared: Sequence[Compared], lens: str | None) -> None:
    """Maps, measures, curves and samples; a part that cannot be drawn costs that part alone."""
    live = any(each.live for each in compared)
    every = 2 if live else None
    if lens is None:
        st.info(no_lens_words(compared), icon=":material/map:")
    else:
        st.fragment(_again, run_every=every)(compared, lambda: draw_maps(compared, lens))
    measuring = is_measuring()
    st.fragment(_table, run_every=1 if measuring else every)(compared, measuring)
    st.fragment(_again, run_every=every)(compared, lambda: draw_overlay(compared))
    st.fragment(_again, run_every=None)(compared, lambda: draw_samples(compared))
    go_to_part()


def _again(compared: Sequence[Compared], draw: Callable[[], None]) -> None:
    """Draw a part; where a run has begun or ended since, the whole page is drawn anew."""
    try:
        if any(is_live(each.run) != each.live for each in compared):
            st.rerun(scope="app")
        draw()
    except (RunError, OSError) as error:
        fail(str(error))


def _table(compared: Sequence[Compared], measuring: bool) -> None:
    if is_measuring() != measuring:
        st.rerun(scope="app")
    _again(compared, lambda: draw_table(compared))


def is_live(run: Run) -> bool:
    """Whether a run is still training."""
    return run.status()["state"] in RUNNING_STATES


main()
