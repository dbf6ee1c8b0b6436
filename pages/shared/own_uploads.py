"""A person's own data on the Train page: brought in through the browser, and chosen again later."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages.shared.run_cards import plain_label
from pages.shared.session import fail
from vade_core.data import DATASETS, DataError, DatasetEntry
from vade_core.own_data import UPLOAD_BYTES, OwnData, discard, kept_data, needed, take_uploads

__all__ = ["choose_arrived", "dataset_entries", "dataset_words", "draw_own_data", "own_path"]

WORDS = (
    "A table (.csv), arrays (.npz with X and perhaps y), IDX files, or a zip of PNG or JPEG "
    "pictures of one size, with a folder for each class. Labels may be missing."
)
# The browser does not send such a file, and Streamlit's own words are in a tooltip.
TOO_LARGE = (
    f":red[A file in red is over {UPLOAD_BYTES // 2**20} MB and was not sent: keep fewer samples, "
    "or train on the command line with `--data`.]"
)
STYLE = """
<style>
.st-key-own-too-large { display: none; }
.st-key-own-box:has([data-testid="stFileChip"][aria-invalid="true"]) .st-key-own-too-large {
  display: flex; }
</style>
"""
ARRIVALS, ARRIVED, REFUSED = "own-arrivals", "own-arrived", "own-refused"


def dataset_entries() -> dict[str, DatasetEntry]:
    """What can be trained on: the catalogue, then a person's own data by their keys."""
    return {**DATASETS, **{key: kept.entry for key, kept in kept_data().items()}}


def dataset_words(key: str, entry: DatasetEntry) -> str:
    """A data set in a list: its name and its size."""
    yours = "" if key in DATASETS else " (yours)"
    return f"{entry.name}{yours}, {entry.n_samples:,} samples"


def own_path(key: str) -> str | None:
    """The file of a person's own data; None for a data set of the catalogue."""
    kept = kept_data().get(key)
    return None if kept is None else str(kept.path)


def choose_arrived(target: str) -> None:
    """Choose data that have just arrived; call it before the choice is drawn.

    Parameters
    ----------
    target : str
        The session's key of the choice.
    """
    if (key := st.session_state.pop(ARRIVED, None)) is not None:
        st.session_state[target] = key


def draw_own_data(chosen: str) -> None:
    """Draw the place where data are brought in, and what is known of the chosen ones.

    Parameters
    ----------
    chosen : str
        The data set that is chosen.
    """
    if (kept := kept_data().get(chosen)) is not None:
        st.caption(plain_label(_about(kept)))
        _draw_discard(kept)
    # New keys after each arrival close the pop-up, which would hide what is said below it, and
    # empty the field.
    arrivals = st.session_state.get(ARRIVALS, 0)
    with st.popover(
        "Bring your own data", icon=":material/upload:", key=f"own-data-{arrivals}", width="stretch"
    ):
        st.html(STYLE)
        st.markdown(WORDS)
        files_key, column_key = f"own-files-{arrivals}", f"own-column-{arrivals}"
        # Any type may be dropped: a wrong one is refused below, in our own words.
        with st.container(key="own-box"):
            st.file_uploader(
                "Files",
                accept_multiple_files=True,
                max_upload_size=UPLOAD_BYTES // 2**20,
                key=files_key,
                label_visibility="collapsed",
            )
            with st.container(key="own-too-large"):
                st.markdown(TOO_LARGE)
        st.text_input(
            "Column of labels, in a table",
            key=column_key,
            placeholder="label, y or class",
            help="Its name; in a table without a header its number, counted from 1.",
        )
        if st.button(
            "Check and take",
            type="primary",
            icon=":material/check:",
            key=f"own-take-{arrivals}",
            disabled=not st.session_state.get(files_key),
            width="stretch",
        ):
            with st.spinner("Checking …"):
                _take(files_key, column_key)
            st.rerun()
    if sentence := st.session_state.pop(REFUSED, None):
        fail(plain_label(sentence))


def _draw_discard(kept: OwnData) -> None:
    """Draw where kept data are deleted: opened first, and pressed then."""
    with st.popover(
        "Delete these data", icon=":material/delete:", key=f"own-delete-{kept.key}", width="stretch"
    ):
        if sentence := needed(kept.key):
            st.markdown(sentence)
            return
        st.markdown(f"**{plain_label(kept.entry.name)}** will be gone from here for good.")
        st.button(
            "Delete",
            type="primary",
            key=f"own-delete-now-{kept.key}",
            on_click=_discard,
            args=(kept.key,),
            width="stretch",
        )


def _discard(key: str) -> None:
    try:
        discard(key)
    except DataError as error:  # somebody has just started a run with them
        st.session_state[REFUSED] = str(error)


def _about(kept: OwnData) -> str:
    entry = kept.entry
    classes = "no labels"
    if entry.n_classes is not None:
        classes = "1 class" if entry.n_classes == 1 else f"{entry.n_classes} classes"
    features = f"{entry.n_features:,} value{'' if entry.n_features == 1 else 's'}"
    return f"{entry.n_samples:,} samples of {features}, {classes}. {kept.words}".strip()


@st.cache_resource(show_spinner=False)
def _one_at_a_time() -> threading.Lock:
    """Data are unpacked in the server's memory: those of two people not at once."""
    return threading.Lock()


def _take(files_key: str, column_key: str) -> None:
    files = st.session_state.get(files_key) or []
    if not files:
        return
    st.session_state[ARRIVALS] = st.session_state.get(ARRIVALS, 0) + 1
    try:
        with _one_at_a_time():
            kept = take_uploads(
                [(file.name, file) for file in files],
                label_column=st.session_state.get(column_key) or None,
            )
    except DataError as error:
        st.session_state[REFUSED] = str(error)
    else:
        st.session_state[ARRIVED] = kept.key
    finally:
        _let_go(files)


def _let_go(files: Sequence[Any]) -> None:
    """Free the server's memory of what has been taken or refused, before the session ends."""
    context = get_script_run_ctx(suppress_warning=True)
    remove = None if context is None else getattr(context.uploaded_file_mgr, "remove_file", None)
    if context is None or remove is None:
        return
    for file in files:
        remove(session_id=context.session_id, file_id=file.file_id)
