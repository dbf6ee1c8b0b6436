"""What a person can do with an opened run: rename it, train on, hand it on, delete it."""

from __future__ import annotations

import io
from functools import partial

import streamlit as st

from pages.shared.lasting_click import Click, lasting_button
from pages.shared.run_cards import plain_label, title_of
from pages.shared.run_settings import settings_query
from pages.shared.session import fail, held_notes, is_recorded, job_manager
from vade_core.own_data import missing_data
from vade_core.runs import MOST_OF_NOTE, MOST_OF_TITLE, RUNNING_STATES, Run, RunError, runs_root

TIME_MACHINE = "pages/time-machine.py"
EXPLORING = (
    ("pages/clusters.py", "Clusters: samples of each"),
    ("pages/interpolate.py", "Interpolate: ways through its latents"),
    ("pages/how-many-clusters.py", "How many clusters?"),
)
LOAD_PAGE, TRAIN_PAGE = "pages/load.py", "pages/train.py"
MOST_EPOCHS = 10_000
EDITS = "edits"  # session state: how often something was renamed
EDIT_NOTES = "edit-notes"  # held notes: the "problem" that a new name or note met
ASKED = "delete-asked"  # session state: the run that a person was asked about
DELETED = "deleted"  # held notes: the title of a run that has just been deleted


def draw_actions(run: Run, state: str) -> None:
    """Draw the row of actions that fit a run and its state.

    Parameters
    ----------
    run : Run
    state : str
        As ``run.status()`` has it.
    """
    with st.container(
        horizontal=True,
        horizontal_alignment="right",
        vertical_alignment="center",
        gap="small",
        width="content",
    ):
        with st.container(key="to-time-machine", width="content"):
            st.page_link(
                TIME_MACHINE,
                label="Time machine",
                icon=":material/history:",
                query_params={"run": run.id},
                help="The map through all its epochs, large, with the digits behind the points.",
            )
        with st.popover("Explore", icon=":material/travel_explore:", key=f"explore-{run.id}"):
            for page, label in EXPLORING:
                st.page_link(page, label=label, query_params={"run": run.id})
        if is_recorded(run):
            _draw_copy(run)
        else:
            _train_on(run, state)
        if st.button(
            "Copy settings",
            icon=":material/tune:",
            key="copy-settings",
            help="Fills this run's settings in on the Train page, to train anew.",
        ):
            st.switch_page(TRAIN_PAGE, query_params=settings_query(run.config))
        _download(run)
        if not is_recorded(run):
            # A new key after each change closes it.
            key = f"edit-{run.id}-{st.session_state.get(EDITS, 0)}"
            with st.popover("Edit", icon=":material/edit:", key=key):
                _rename(run)
                draw_delete(run, state)


def _train_on(run: Run, state: str) -> None:
    if state in (*RUNNING_STATES, "queued"):
        st.page_link(
            TRAIN_PAGE,
            label="Watch it on Train",
            icon=":material/play_circle:",
            query_params={"run": run.id},
        )
        return
    if state != "finished":
        click = lasting_button(
            "Resume",
            0,
            key=f"resume-{run.id}",
            icon=":material/play_arrow:",
            type="primary",
            help="Goes on from the last checkpoint, to the same result as if it had never stopped.",
        )
        _train_and_watch(run, click)
    with st.popover("Train on", icon=":material/more_time:"):
        if (why := missing_data(run.config)) is not None:
            st.markdown(plain_label(why))
            return
        more = st.number_input(
            "More epochs", min_value=1, max_value=MOST_EPOCHS, value=10, key=f"more-{run.id}"
        )
        st.caption("They are added to this run; its curves and its map go on.")
        click = lasting_button("Train on", int(more), key=f"train-on-{run.id}", type="primary")
        _train_and_watch(run, click)


def _train_and_watch(run: Run, click: Click[int] | None) -> None:
    """Train on for as many epochs as a click asks for, and lead to where that is seen."""
    problem = click.answered(partial(_queue, run)) if click else None
    if problem:
        fail(problem)
    elif problem is not None:
        st.switch_page(TRAIN_PAGE, query_params={"run": run.id})


def _queue(run: Run, more: int) -> str:
    """Queue a run for more epochs; why it cannot be, or nothing."""
    if (why := missing_data(run.config)) is not None:
        return plain_label(why)
    try:
        job_manager().resume(run, more_epochs=more)
    except (RunError, KeyError, TypeError, ValueError, OSError) as error:
        return f"This run cannot be trained on: {error}"
    return ""


def _draw_copy(run: Run) -> None:
    click = lasting_button(
        "Make it mine",
        str(run.path),
        key=f"copy-{run.id}",
        icon=":material/content_copy:",
        help="A recorded run is never changed. Its copy can be renamed and trained on.",
    )
    copied = click.answered(_copy) if click else None
    if isinstance(copied, Run):
        st.query_params["run"] = copied.id
        st.rerun()
    elif copied:
        fail(copied)


def _copy(path: str) -> Run | str:
    """A copy of a run among one's own; why there is none."""
    from vade_core.archive import ArchiveError, pack, unpack

    file = io.BytesIO()
    try:
        pack(Run(path), file)
        return unpack(file, runs_root())
    except (ArchiveError, RunError) as error:
        return str(error)


def _download(run: Run) -> None:
    def archive() -> bytes:
        from vade_core.archive import pack

        file = io.BytesIO()
        pack(run, file)
        return file.getvalue()

    st.download_button(
        "Download",
        archive,
        file_name=f"{run.id}.zip",
        mime="application/zip",
        icon=":material/download:",
        on_click="ignore",
        key="download",
        help="One file with everything in it: curves, maps, weights. It opens on any computer.",
    )


def _rename(run: Run) -> None:
    try:
        now = run.note()
    except RunError:
        now = {"title": "", "note": ""}
    with st.form(f"note-{run.id}", border=False, enter_to_submit=True):
        # Without max_chars: the browser drops a longer paste without a word.
        st.text_input("Name", now["title"], placeholder=_title(run), key=f"title-{run.id}")
        st.text_area("Note", now["note"], height=140, key=f"words-{run.id}")
        st.form_submit_button("Save", type="primary", on_click=_save, args=(run,))
        if problem := held_notes(EDIT_NOTES).pop("problem", None):
            fail(problem)


def _save(run: Run) -> None:
    """Write name and note down; before the page is drawn, since a click may break that off."""
    from vade_core.recorder import write_note

    title, note = (str(st.session_state[f"{field}-{run.id}"]) for field in ("title", "words"))
    problem = _too_long(title, note)
    if problem is None:
        try:
            write_note(run, title=title, note=note)
        except (RunError, OSError) as error:
            problem = f"The note cannot be written: {error}"
    if problem is not None:
        held_notes(EDIT_NOTES)["problem"] = problem
    else:
        st.session_state[EDITS] = st.session_state.get(EDITS, 0) + 1


def _too_long(title: str, note: str) -> str | None:
    """What to shorten before anything is saved; None if nothing."""
    for what, text, most in (("name", title, MOST_OF_TITLE), ("note", note, MOST_OF_NOTE)):
        if (length := len(text.strip())) > most:
            return f"A {what} has at most {most:,} characters, this one has {length:,}: shorten it."
    return None


def draw_delete(run: Run, state: str) -> None:
    """Draw the button that deletes a run; it asks twice."""
    training = state in RUNNING_STATES
    st.button(
        "Delete",
        icon=":material/delete:",
        key="delete",
        disabled=training,
        on_click=_ask,
        args=(run.id,),
        help="Stop it first, on Train." if training else None,
    )
    if st.session_state.get(ASKED) == run.id and not training:
        _question(run)


def _ask(run_id: str) -> None:
    st.session_state[EDITS] = st.session_state.get(EDITS, 0) + 1
    st.session_state[ASKED] = run_id


def _forget() -> None:
    st.session_state.pop(ASKED, None)


@st.dialog("Delete this run?", icon=":material/delete:", on_dismiss=_forget)
def _question(run: Run) -> None:
    title = _title(run)
    st.markdown(
        f"**{plain_label(title)}** will be deleted with its curves, maps and weights. This cannot "
        "be undone."
    )
    sure = st.checkbox("Yes, delete it for good", key="delete-sure")
    with st.container(horizontal=True):
        if st.button("Delete", type="primary", disabled=not sure, key="delete-now"):
            _delete(run, title)
        if st.button("Cancel", key="delete-not", on_click=_forget):
            st.rerun()


def _title(run: Run) -> str:
    """What the run's page calls it; the id of one that cannot be read."""
    try:
        return title_of(run.summary())
    except RunError:
        return run.id


def _delete(run: Run, title: str) -> None:
    from vade_core.recorder import delete_run  # brings torch along

    deleted = held_notes(DELETED)
    try:
        delete_run(run)
    except (RunError, OSError) as error:
        fail(f"It could not be deleted: {error}")
        return
    deleted["title"] = title
    _forget()
    st.switch_page(LOAD_PAGE)
