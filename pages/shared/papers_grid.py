"""A paper's table as a grid: a row a method, a column a data set or a measure.

Every field has what was measured over what was reported, a sign for better or worse, and a strip
that both lie on.
"""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Callable, Mapping, Sequence

from pages.shared.wide_table import wide_table_style
from vade_core.colours import RIGHT, WRONG
from vade_core.papers import PaperTable, TableCell
from vade_core.papers_text import (
    MARKS,
    cell_json,
    measured_words,
    reported_words,
    seeds_words,
)

__all__ = ["grid_html", "table_csv"]

Limits = Mapping[tuple[str, str], tuple[float, float]]

STYLE = f"""
<style>
.pt {{ border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }}
.pt th, .pt td {{ padding: .5rem .75rem; text-align: left; vertical-align: top; border: 0;
  border-bottom: 1px solid color-mix(in srgb, currentColor 16%, transparent); }}
.pt thead th {{ font-weight: 650; vertical-align: bottom; white-space: nowrap; }}
.pt tbody th {{ font-weight: 600; min-width: 10rem; padding-left: 0; }}
.pt small {{ display: block; font-size: .86rem; opacity: .8; font-weight: 400; }}
.pt td {{ min-width: 8.2rem; }}
.pt-own {{ font-size: 1.1rem; white-space: nowrap; font-weight: 600; }}
.pt-own i {{ display: inline-block; width: 1.35em; height: 1.35em; margin-right: .4em;
  border-radius: .3em; font-style: normal; font-size: .9rem; line-height: 1.35; text-align: center;
  font-weight: 700; }}
.pt-reached .pt-own i {{ background: {RIGHT}; color: #fff; }}
.pt-not-reached .pt-own i {{ background: {WRONG}; color: #fff; }}
.pt-measured .pt-own i {{ opacity: .6; }}
.pt-not-measured .pt-own {{ font-weight: 400; opacity: .72; font-size: 1rem; }}
.pt-strip {{ position: relative; height: .8rem; margin: .2rem 0 .1rem; max-width: 13rem; }}
.pt-strip::before {{ content: ""; position: absolute; left: 0; right: 0; top: 50%; height: 2px;
  margin-top: -1px; background: color-mix(in srgb, currentColor 22%, transparent); }}
.pt-strip b, .pt-strip u {{ position: absolute; top: 50%; transform: translate(-50%, -50%); }}
.pt-strip b {{ width: 3px; height: .8rem; background: currentColor; opacity: .75; }}
.pt-strip u {{ width: .68rem; height: .68rem; border-radius: 50%; background: currentColor; }}
.pt-across {{ margin-top: 1.4rem; }}
.pt-across .pt td {{ min-width: 5.4rem; padding: .5rem .4rem; }}
.pt-across .pt-own {{ white-space: normal; font-size: 1rem; }}
.pt-across .pt tbody th {{ min-width: 8rem; }}
.pt-reached .pt-strip u {{ background: {RIGHT}; }}
.pt-not-reached .pt-strip u {{ background: {WRONG}; border-radius: 0;
  transform: translate(-50%, -50%) rotate(45deg); }}
</style>
""" + wide_table_style(".pt-room")


def grid_html(table: PaperTable) -> str:
    """A table's figures as HTML; lines that differ in a setting alone have a grid of their own."""
    limits = _limits(table.cells)
    plain = [cell for cell in table.cells if not cell.line.across]
    spread = [cell for cell in table.cells if cell.line.across]
    several = len({cell.dataset for cell in plain}) > 1
    parts = [
        _grid(
            plain,
            lambda cell: (cell.line.title, cell.measure.title if several else ""),
            lambda cell: cell.dataset if several else cell.measure.title,
            limits,
        )
    ]
    if spread:
        name = spread[0].line.title.partition(",")[0]
        rows = _grid(
            spread, lambda cell: (name, cell.dataset), lambda cell: cell.line.across, limits
        )
        parts.append(f'<div class="pt-across">{rows}</div>')
    return STYLE + "".join(parts)


def _grid(
    cells: Sequence[TableCell],
    row_of: Callable[[TableCell], tuple[str, str]],
    column_of: Callable[[TableCell], str],
    limits: Limits,
) -> str:
    rows: dict[tuple[str, str], dict[str, TableCell]] = {}
    for cell in cells:
        rows.setdefault(row_of(cell), {})[column_of(cell)] = cell
    columns = list(dict.fromkeys(column_of(cell) for cell in cells))
    alike = len({under for _, under in rows}) == 1
    heads = "".join(f"<th>{html.escape(column)}</th>" for column in columns)
    body = "".join(
        f"<tr>{_head(title, '' if alike else under, found)}"
        + "".join(_field(found.get(column), limits) for column in columns)
        + "</tr>"
        for (title, under), found in rows.items()
    )
    return (
        f'<div class="pt-room"><table class="pt"><thead><tr><th></th>{heads}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _head(title: str, measure: str, found: Mapping[str, TableCell]) -> str:
    notes = dict.fromkeys(cell.line.note for cell in found.values() if cell.line.note)
    under = [*([measure] if measure else []), *notes]
    words = "".join(f"<small>{html.escape(note)}</small>" for note in under)
    return f"<th>{html.escape(title)}{words}</th>"


def _field(cell: TableCell | None, limits: Limits) -> str:
    if cell is None:
        return "<td></td>"
    state = cell.state
    own = measured_words(cell)
    if cell.measured is None and cell.reported is None and not cell.line.across:
        return "<td>–</td>"
    if cell.line.across and cell.measured is None:
        own = "not yet"  # there are many of them in a row
    under = []
    if cell.reported is not None:
        about = "about " if cell.measure.better == "near" else ""
        under.append(f"reported {about}{reported_words(cell)}")
        if (aim := cell.reported.aim) is not None:
            under.append(f"aimed for {cell.measure.written(aim)}{_aim_words(cell, aim)}")
    if cell.measured is not None:
        under.append(seeds_words(cell))
        if cell.line.beside is not None and cell.measured.beside is not None:
            beside = cell.measure.written(cell.measured.beside)
            under.append(f"{cell.line.beside[0]} {beside}")
    words = "".join(f"<small>{html.escape(text)}</small>" for text in under)
    return (
        f'<td class="pt-{state.replace(" ", "-")}" title="{html.escape(_told(cell))}">'
        f'<div class="pt-own"><i aria-label="{state}">{MARKS[state]}</i>'
        f"{html.escape(own)}</div>{_strip(cell, limits)}{words}</td>"
    )


def _aim_words(cell: TableCell, aim: float) -> str:
    """Whether an aim beyond the reported figure is met; empty where nothing was measured."""
    if cell.measured is None:
        return ""
    return ": met" if cell.measure.is_reached(cell.measured.mean, aim) else ": missed"


def _told(cell: TableCell) -> str:
    """What a field says when it is pointed at."""
    parts = [f"{cell.line.title}, {cell.dataset}: {cell.measure.title}, {cell.measure.words}."]
    if cell.reported is not None and cell.reported.note:
        parts.append(f"Reported: {cell.reported.note}.")
    if (found := cell.measured) is not None:
        seconds = "" if found.seconds is None else f", {found.seconds:,.0f} s a seed"
        parts.append(f"Measured with {seeds_words(cell)} on {found.device}{seconds}.")
    if cell.reason:
        parts.append(cell.reason)
    return " ".join([*parts, f"Again: {cell.command}"])


def _strip(cell: TableCell, limits: Limits) -> str:
    """Where both figures lie between the lowest and the highest of their measure and data set."""
    if cell.measured is None or cell.reported is None:
        return ""
    low, high = limits[cell.dataset, cell.measure.unit]

    def place(value: float) -> str:
        share = 0.5 if high == low else (value - low) / (high - low)
        return f"left:{4 + 92 * share:.1f}%"

    return (
        f'<div class="pt-strip" aria-hidden="true"><b style="{place(cell.reported.value)}"></b>'
        f'<u style="{place(cell.measured.mean)}"></u></div>'
    )


def _limits(cells: Sequence[TableCell]) -> Limits:
    """The lowest and the highest figure of each data set, by unit."""
    found: dict[tuple[str, str], list[float]] = {}
    for cell in cells:
        values = found.setdefault((cell.dataset, cell.measure.unit), [])
        if cell.reported is not None:
            values.append(cell.reported.value)
        if cell.measured is not None:
            values.append(cell.measured.mean)
    return {key: (min(values), max(values)) for key, values in found.items() if values}


def table_csv(table: PaperTable) -> str:
    """A table as CSV: a line a figure, in plain numbers; shares are in [0, 1], times in seconds."""
    out = io.StringIO()
    rows = [{"table": table.name, "source": table.source, **cell_json(c)} for c in table.cells]
    writer = csv.DictWriter(out, list(rows[0]) if rows else ["table"], lineterminator="\r\n")
    writer.writeheader()
    for row in rows:
        joined = {k: " ".join(map(str, v)) if isinstance(v, list) else v for k, v in row.items()}
        writer.writerow(joined)
    return out.getvalue()
