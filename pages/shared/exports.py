"""Downloads of a run for other programs, as buttons on a page."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from pages.shared.map_making import is_busy
from pages.shared.run_map import lenses_of, read_frames
from vade_core.exports import frame_csv, projector_zip, samples_csv, time_machine_html
from vade_core.own_data import missing_data
from vade_core.projection import LENSES
from vade_core.runs import CHECKPOINT, Run, RunError

__all__ = ["draw_exports"]


def draw_exports(run: Run, lens: str, number: int, title: str) -> None:
    """Draw the downloads of a run; each file is made when somebody asks for it.

    Parameters
    ----------
    run : Run
    lens : str
        The map that is shown.
    number : int
        The frame that is shown, by its number within the run.
    title : str
        What that frame is called.
    """
    with st.popover("Export", icon=":material/ios_share:", width="stretch"):
        st.markdown("The picture itself: **PNG** above the map.")
        _button(
            "Time machine as HTML",
            lambda: time_machine_html(
                run, lenses_of(run), lambda opened, name: read_frames(opened, name, trust=True)
            ).encode(),
            f"{run.id}.html",
            "text/html",
            "One file with every map of this run. It opens without Python and without a network."
            + (" It takes longer while a map is being made." if is_busy() else ""),
            ":material/movie:",
        )
        _button(
            "This frame as CSV",
            lambda: frame_csv(run, number, lens).encode(),
            f"{run.id}-{number:05d}-{lens}.csv",
            "text/csv",
            f"{LENSES[lens].title}, {title}: row, label, cluster, x, y, max gamma of each point.",
            ":material/table:",
        )
        if _has_data(run):
            _button(
                "Every sample as CSV",
                lambda: samples_csv(run).encode(),
                f"{run.id}-samples.csv",
                "text/csv",
                "All samples, also those that the map leaves out: label, cluster, gamma of each "
                "cluster and latents, as the model has them now.",
                ":material/dataset:",
            )
        _button(
            "This frame for the Embedding Projector",
            lambda: projector_zip(run, number),
            f"{run.id}-{number:05d}-projector.zip",
            "application/zip",
            "Latents, labels and pictures: tensors.tsv, metadata.tsv, sprite.png and their "
            "configuration, zipped.",
            ":material/hub:",
        )


def _has_data(run: Run) -> bool:
    """Whether what a run learnt is there, and its data are, or can be fetched."""
    try:
        return (run.path / CHECKPOINT).exists() and missing_data(run.config) is None
    except RunError:
        return False


def _button(
    label: str, make: Callable[[], bytes], name: str, kind: str, words: str, icon: str
) -> None:
    st.download_button(
        label,
        make,
        file_name=name,
        mime=kind,
        icon=icon,
        on_click="ignore",
        key=f"tm-export-{label.replace(' ', '-').lower()}",
        width="stretch",
    )
    st.caption(words)
