"""Papers: what the sources report, beside what this software gets.

``?source=wang`` opens one source. Nothing is computed here: the figures are those that
``benchmarks/papers.py`` and ``benchmarks/accuracy.py`` have left, and the recorded runs.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pages.shared.curves import draw_spec
from pages.shared.front_door import enter_by_the_front_door
from pages.shared.papers_curves import curve_spec
from pages.shared.papers_glance import glance_html, words_about_missing
from pages.shared.papers_grid import grid_html, table_csv
from pages.shared.session import put_into_link, take_from_link
from vade_core.papers import PaperTable, Shown, TableCell, paper_tables
from vade_core.papers_tables import TABLES
from vade_core.papers_text import MARKS

enter_by_the_front_door()

SOURCE = "pp-source"
FIRST = "vade"
SOURCES = {
    "vade": ("VaDE paper", ("jiang2017", "jiang2016")),
    "czerwonski": ("Czerwonski", ("czerwonski2025",)),
    "wang": ("Wang", ("wang",)),
    "orbay": ("Orbay", ("orbay2020",)),
}
PAGE_TITLES = {
    "clusters": "Clusters",
    "compare": "Compare",
    "how-many-clusters": "How many?",
    "time-machine": "Time machine",
}
CARDS = 3  # in a row

STYLE = """
<style>
[data-testid="stMainBlockContainer"] { padding-left: 2rem; padding-right: 2rem; }
[data-testid="stStatusWidget"] { display: none; }
.st-key-pp-source button { padding: .45rem 1rem; }
.st-key-pp-source button p { font-size: 1.15rem; font-weight: 600; }
.pp-why { margin: .1rem 0 .2rem; padding-left: 1.2rem; }
.pp-why li { margin-bottom: .3rem; }
</style>
"""


def main() -> None:
    """The glance, then the tables of the chosen source."""
    st.html(STYLE)
    tables = paper_tables()
    st.title("What the papers report, and what this software gets", anchor=False)
    st.html(glance_html(tables))
    st.caption(
        "A figure counts as reached where one of the recipes that are held against it reaches it "
        "in the mean over its seeds. No seed and no epoch is chosen. No measured figure is typed "
        "in: all are read from what the benchmarks and the recorded runs left. On each line the "
        "bar is the reported figure and the dot what is measured here; a figure with "
        f"{MARKS['measured']} is told, and held against none. {words_about_missing(tables)}"
    )
    take_from_link(SOURCE, "source", FIRST, SOURCES)
    chosen = st.segmented_control(
        "Source",
        list(SOURCES),
        key=SOURCE,
        required=True,
        format_func=lambda name: SOURCES[name][0],
        label_visibility="collapsed",
        persist_state="session",
    )
    put_into_link(SOURCE, "source", FIRST)
    papers = SOURCES[chosen or FIRST][1]
    shown = [table for table in tables if TABLES[table.name].paper in papers]
    st.caption("  \n".join(dict.fromkeys(table.source for table in shown)))
    for table in shown:
        draw_table(table)


def draw_table(table: PaperTable) -> None:
    """One table: its figures, its curves, why some are worse, and where they can be seen."""
    with st.container(border=True, key=f"pp-{table.name}"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.subheader(table.title, anchor=False, width="stretch")
            if table.cells:
                draw_again(table)
        st.markdown(table.words)
        for problem in table.problems:
            st.warning(problem, icon=":material/error:")
        if (spec := curve_spec(table)) is not None:
            draw_spec(spec, f"pp-curve-{table.name}", 320)
        if table.cells:
            st.html(grid_html(table))
        draw_reasons([cell for cell in table.cells if cell.state == "not reached"])
        draw_pictures(table)


def draw_again(table: PaperTable) -> None:
    """What measures it again, every row with its own command, and the table to take away."""
    with st.popover("Do it again", icon=":material/replay:", width="content"):
        st.markdown(
            "Measures what is not there yet, one figure after the other; killed, it goes on where "
            "it was:"
        )
        st.code(table.command, language=None)
        st.markdown("One row alone:")
        commands = list(dict.fromkeys(cell.command for cell in table.cells))
        st.code("\n".join(commands), language=None, height=220)
    st.download_button(
        "CSV",
        table_csv(table),
        file_name=f"{table.name}.csv",
        mime="text/csv",
        icon=":material/table:",
        on_click="ignore",
        key=f"pp-csv-{table.name}",
    )


def draw_reasons(worse: Sequence[TableCell]) -> None:
    """Why figures are worse, each reason once."""
    if not worse:
        return
    by_reason: dict[str, list[str]] = {}
    for cell in worse:
        name = f"{cell.line.title}, {cell.measure.title}, {cell.dataset}"
        by_reason.setdefault(cell.reason or "Nobody has said why yet.", []).append(name)
    lines = [f"- **{'; '.join(names)}.** {reason}" for reason, names in by_reason.items()]
    st.markdown("\n".join(["Where it is worse:", "", *lines]))


def draw_pictures(table: PaperTable) -> None:
    """The figures of a paper that a page shows, each with the way there."""
    for first in range(0, len(table.pictures), CARDS):
        places = st.columns(CARDS)
        for place, shown in zip(places, table.pictures[first : first + CARDS], strict=False):
            with place:
                draw_picture(shown, f"{table.name}-{shown.picture.key}")


def draw_picture(shown: Shown, key: str) -> None:
    """One figure: what one sees, the page, and the runs that are missing."""
    picture = shown.picture
    with st.container(border=True, key=f"pp-card-{key}", gap="xsmall", height="stretch"):
        st.markdown(f"**{picture.title}**")
        st.markdown(picture.words)
        if shown.there:
            st.page_link(
                f"pages/{picture.page}.py",
                label=f"{PAGE_TITLES[picture.page]}: {', '.join(shown.there)}",
                icon=":material/arrow_forward:",
                query_params=shown.query,
            )
        if shown.missing:
            words = "Not recorded yet" if shown.there else "No run shows it yet"
            st.caption(f"{words}: {', '.join(shown.missing)}.")


main()
