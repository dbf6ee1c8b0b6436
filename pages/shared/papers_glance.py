"""The papers page at a glance: how many reported figures are reached, table by table."""

from __future__ import annotations

import html
from collections.abc import Sequence

from pages.shared.session import joined
from vade_core.colours import RIGHT, UNKNOWN, WRONG
from vade_core.data import DATASETS
from vade_core.papers import Glance, PaperTable, glance
from vade_core.papers_text import MARKS

__all__ = ["STATES", "glance_html", "words_about_missing"]

STATES = {
    "reached": ("reached or beaten", RIGHT),
    "not reached": ("not reached", WRONG),
    "not measured": ("not measured yet", UNKNOWN),
}
"""What each state is called, and its colour; MARKS has its sign."""

_NEEDS = {
    "a network": "fetched over a network",
    "a file": "a file that you make",
}

STYLE = f"""
<style>
.pg {{ display: grid; grid-template-columns: minmax(15rem, 1fr) minmax(24rem, 2.1fr);
  gap: 1rem 2.4rem; align-items: center; }}
.pg-count {{ display: grid; grid-template-columns: auto 1fr; gap: .15rem .9rem;
  align-items: baseline; font-variant-numeric: tabular-nums; }}
.pg-count b {{ font-size: 2.5rem; line-height: 1.15; font-weight: 650; text-align: right; }}
.pg-count span {{ font-size: 1.15rem; }}
.pg i.pg-sign {{ display: inline-block; width: 1.5em; height: 1.5em; margin-right: .45em;
  border-radius: .3em; font-style: normal; font-weight: 700; line-height: 1.5; color: #fff;
  text-align: center; }}
.pg-tables {{ display: grid; grid-template-columns: max-content 1fr max-content;
  gap: .38rem .8rem; align-items: center; font-variant-numeric: tabular-nums; }}
.pg-bar {{ display: flex; height: 1.15rem; border-radius: .3rem; overflow: hidden; gap: 2px; }}
.pg-bar span {{ min-width: 3px; }}
.pg-reached {{ background: {RIGHT}; }}
.pg-not-reached {{ background: repeating-linear-gradient(45deg, {WRONG} 0 5px,
  color-mix(in srgb, {WRONG} 55%, transparent) 5px 8px); }}
.pg-not-measured {{ background: color-mix(in srgb, currentColor 17%, transparent); }}
.pg-number {{ text-align: right; opacity: .85; }}
@media (max-width: 1000px) {{ .pg {{ grid-template-columns: minmax(0, 1fr); }} }}
@media (max-width: 640px) {{
  .pg-tables {{ grid-template-columns: minmax(0, 1fr) max-content; }}
  .pg-tables > :nth-child(3n + 1) {{ grid-column: 1 / -1; margin-top: .3rem; }}
}}
</style>
"""


def glance_html(tables: Sequence[PaperTable]) -> str:
    """The counts of all tables together, and a bar for each that has figures."""
    whole = glance(tables)
    counts = "".join(
        f"<b>{number}</b><span>{_sign(state)}{STATES[state][0]}</span>"
        for state, number in _numbers(whole).items()
    )
    bars = "".join(_bar(table, found) for table in tables if (found := glance([table])).figures > 0)
    return (
        f'{STYLE}<div class="pg"><div class="pg-count">{counts}</div>'
        f'<div class="pg-tables">{bars}</div></div>'
    )


def words_about_missing(tables: Sequence[PaperTable]) -> str:
    """Why figures are not measured: data that do not come with the project; empty where none is.

    Only data sets of which nothing was measured are named.
    """
    open_cells = [
        cell for table in tables for cell in table.cells if cell.counted and cell.measured is None
    ]
    known = {cell.dataset for table in tables for cell in table.cells if cell.measured is not None}
    by_need: dict[str, dict[str, None]] = {}
    for cell in open_cells:
        need = DATASETS[cell.dataset].needs
        if need and cell.dataset not in known:
            by_need.setdefault(need, {})[cell.dataset] = None
    if not by_need:
        return ""
    absent = {name for names in by_need.values() for name in names}
    figures = len({id(cell.reported) for cell in open_cells if cell.dataset in absent})
    whole = glance(tables).not_measured
    which = (
        "Those not measured are all" if figures == whole else f"{figures} of those not measured are"
    )
    ways = [f"{joined(list(names))} ({_NEEDS[need]})" for need, names in by_need.items()]
    return f"{which} of data that do not come with the project: {', '.join(ways)}."


def _sign(state: str) -> str:
    colour = STATES[state][1]
    return f'<i class="pg-sign" style="background:{colour}">{MARKS[state]}</i>'


def _numbers(found: Glance) -> dict[str, int]:
    return {
        "reached": found.reached,
        "not reached": found.not_reached,
        "not measured": found.not_measured,
    }


def _bar(table: PaperTable, found: Glance) -> str:
    parts = "".join(
        f'<span class="pg-{state.replace(" ", "-")}" style="flex:{number}" '
        f'title="{number} {STATES[state][0]}"></span>'
        for state, number in _numbers(found).items()
        if number
    )
    words = f"{found.reached} reached" if found.reached else ""
    if found.not_reached:
        words += f"{', ' if words else ''}{found.not_reached} not"
    if found.not_measured:
        words += f"{', ' if words else ''}{found.not_measured} not yet"
    title = html.escape(f"{table.short}: {table.title}")
    return (
        f'<span>{title}</span><div class="pg-bar" role="img" aria-label="{words}">{parts}</div>'
        f'<span class="pg-number">{words}</span>'
    )
