"""A person's own data on the Train page: brought in through the browser, and chosen again later."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages.shared.lasting_click import lasting_button
from pages.shared.run_cards import date_words, plain_label
from pages.shared.session import fail, held_notes
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
# Held notes: how often files were looked at ("sent") and data taken ("taken"); what was taken
# ("arrived") and what refused ("refused") last; why data were not deleted ("stays").
NOTES = "own-notes"

# Of refused files that stay, in bytes: they take the server's memory, for every person's session.
MOST_KEPT = 20_000_000


@dataclass(frozen=True)
class Refused:
    """Files that were refused, kept so that they can be tried again, and why.

    Where they were too large to be kept there are none.
    """

    files: Sequence[Any]
    sentence: str


def dataset_entries() -> dict[str, DatasetEntry]:
    """What can be trained on: the catalogue, then a person's own data by their keys.

    No two of these are called alike: a choice comes back from the browser by its words.
    """
    kept = kept_data()
    names = _told_apart(kept)
    return {**DATASETS, **{key: replace(kept[key].entry, name=names[key]) for key in kept}}


def _told_apart(kept: Mapping[str, OwnData]) -> dict[str, str]:
    """The name of each, and where it is another's as well, in what they differ."""
    differences: tuple[Callable[[OwnData], str], ...] = (
        lambda one: f"from {_file(one)}",
        lambda one: f"with {_values(one)}",
        lambda one: f"of {_came(one)}",
        lambda one: f"as {one.key}",
    )
    names = {key: one.entry.name for key, one in kept.items()}
    for told in differences:
        alike: dict[str, set[str]] = defaultdict(set)
        for key, one in kept.items():
            alike[names[key]].add(told(one))
        names = {
            key: f"{name} {told(kept[key])}" if len(alike[name]) > 1 else name
            for key, name in names.items()
        }
    return names


def _file(kept: OwnData) -> str:
    return kept.entry.source.removeprefix("file ")


def _values(kept: OwnData) -> str:
    count = kept.entry.n_features
    return f"{count:,} value{'' if count == 1 else 's'}"


def _came(kept: OwnData) -> str:
    return date_words(datetime.fromtimestamp(kept.came).isoformat())


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
    if (key := held_notes(NOTES).pop("arrived", None)) is not None:
        st.session_state[target] = key


def draw_own_data(chosen: str) -> None:
    """Draw the place where data are brought in, and what is known of the chosen ones.

    Parameters
    ----------
    chosen : str
        The data set that is chosen.
    """
    if (kept := (everything := kept_data()).get(chosen)) is not None:
        st.caption(plain_label(_about(kept)))
        _draw_discard(kept, _told_apart(everything)[chosen])
    # A new key closes the pop-up once its data are taken, and a new one empties the field of files
    # as soon as they were looked at: what is refused stays here, until other files come.
    notes = held_notes(NOTES)
    taken = notes.get("taken", 0)
    with st.popover(
        "Bring your own data", icon=":material/upload:", key=f"own-data-{taken}", width="stretch"
    ):
        st.html(STYLE)
        st.markdown(WORDS)
        files_key = f"own-files-{notes.get('sent', 0)}"
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
        sent = st.session_state.get(files_key) or []
        if sent:
            notes.pop("refused", None)
        refused: Refused | None = notes.get("refused")
        if refused is not None:
            fail(plain_label(refused.sentence))
            st.caption(_still_here(refused.files))
        files = sent or (refused.files if refused else [])
        column = st.text_input(
            "Column of labels, in a table",
            key=f"own-column-{taken}",
            placeholder="label, y or class",
            help="Its name; in a table without a header its number, counted from 1.",
        )
        click = lasting_button(
            "Check and take",
            (notes.get("sent", 0), column) if files else None,
            key=f"own-take-{taken}",
            type="primary",
            icon=":material/check:",
            width="stretch",
        )
        if click:
            with st.spinner("Checking …"):
                click.answered(lambda wish: _take(notes, sent, files, wish[1] or None))
            st.rerun()
    if sentence := notes.pop("stays", None):
        fail(plain_label(sentence))


def _still_here(files: Sequence[Any]) -> str:
    """What can be done about files that were refused."""
    if not files:
        return "It was too large to be kept here: add it once more when it is mended."
    if len(files) > 1:
        return f"The {len(files)} files are still here: others that you add take their place."
    return f"{plain_label(files[0].name)} is still here: another file that you add takes its place."


def _draw_discard(kept: OwnData, name: str) -> None:
    """Draw where kept data are deleted: opened first, and pressed then."""
    with st.popover(
        "Delete these data", icon=":material/delete:", key=f"own-delete-{kept.key}", width="stretch"
    ):
        if sentence := needed(kept.key):
            st.markdown(sentence)
            return
        st.markdown(
            f"The data set **{plain_label(name)}** will be deleted here. This cannot be undone. "
            "Your own file stays as it is."
        )
        st.button(
            "Delete",
            type="primary",
            key=f"own-delete-now-{kept.key}",
            on_click=_discard,
            args=(kept.key,),
            width="stretch",
        )


def _discard(key: str) -> None:
    notes = held_notes(NOTES)
    try:
        discard(key)
    except DataError as error:  # somebody has just started a run with them
        notes["stays"] = str(error)


def _about(kept: OwnData) -> str:
    entry = kept.entry
    classes = "no labels"
    if entry.n_classes is not None:
        classes = "1 class" if entry.n_classes == 1 else f"{entry.n_classes} classes"
    came = f"From {_file(kept)}, brought in on {_came(kept)}."
    return f"{entry.n_samples:,} samples of {_values(kept)}, {classes}. {came} {kept.words}".strip()


@st.cache_resource(show_spinner=False)
def _one_at_a_time() -> threading.Lock:
    """Data are unpacked in the server's memory: those of two people not at once."""
    return threading.Lock()


def _take(
    notes: dict[str, Any], sent: Sequence[Any], files: Sequence[Any], column: str | None
) -> None:
    """Take the files that were sent, or those that were refused before."""
    if not files:  # taken away since the click
        return
    try:
        with _one_at_a_time():
            kept = take_uploads(
                [(file.name, file) for file in files],
                label_column=column,
            )
    except DataError as error:
        small = sum(file.size for file in files) <= MOST_KEPT
        notes["refused"] = Refused(files if small else (), str(error))
    else:
        notes.pop("refused", None)
        notes["arrived"] = kept.key
        notes["taken"] = notes.get("taken", 0) + 1
    finally:
        if sent:
            notes["sent"] = notes.get("sent", 0) + 1
            _let_go(sent)


def _let_go(files: Sequence[Any]) -> None:
    """Free the server's memory of what was sent, before the session ends: its field is empty."""
    context = get_script_run_ctx(suppress_warning=True)
    remove = None if context is None else getattr(context.uploaded_file_mgr, "remove_file", None)
    if context is None or remove is None:
        return
    for file in files:
        remove(session_id=context.session_id, file_id=file.file_id)
