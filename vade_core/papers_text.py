"""The papers' tables in words: for a terminal, and as data for other programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vade_core.papers import Glance, PaperTable, TableCell, glance

__all__ = [
    "MARKS",
    "as_json",
    "glance_words",
    "measured_words",
    "reported_words",
    "table_markdown",
    "table_text",
]

MARKS = {"reached": "✓", "not reached": "✗", "measured": "·", "not measured": "…"}
"""A sign for each state of a figure, so that it is told without colour."""


def measured_words(cell: TableCell) -> str:
    """Mean and standard deviation over the seeds, or the figure of the single one."""
    found = cell.measured
    if found is None:
        return "not measured yet"
    words = cell.measure.written(found.mean)
    if found.sd is None:
        return words
    number, _, unit = words.partition(" ")
    return f"{number} ± {cell.measure.written(found.sd, spread=True)}{' ' if unit else ''}{unit}"


def seeds_words(cell: TableCell) -> str:
    """Which seeds a figure is of.

    A recorded run says so: it is one seed, and others may give something else.
    """
    if cell.measured is None:
        return ""
    seeds = cell.measured.seeds
    if len(seeds) == 1:
        return f"seed {seeds[0]}"
    whole = list(seeds) == list(range(seeds[0], seeds[-1] + 1))
    return f"seeds {seeds[0]}-{seeds[-1]}" if whole else f"seeds {', '.join(map(str, seeds))}"


def reported_words(cell: TableCell) -> str:
    """The reported figure, as people read it; a dash where there is none."""
    return cell.measure.written(None if cell.reported is None else cell.reported.value)


def glance_words(found: Glance) -> str:
    """The counts in a sentence."""
    return (
        f"{found.figures} reported figures: {found.reached} reached or beaten, "
        f"{found.not_reached} not reached, {found.not_measured} not measured yet."
    )


def table_text(table: PaperTable) -> str:
    """A table for a terminal."""
    head = f"{table.name}: {table.title}. {table.source}"
    parts = [head, "-" * min(len(head), 100), table.words, ""]
    rows = [["", "data set", "method", "measure", "reported", "here", "seeds", "seconds", "device"]]
    for cell in table.cells:
        found = cell.measured
        rows.append(
            [
                MARKS[cell.state],
                cell.dataset,
                cell.line.title,
                cell.measure.title,
                reported_words(cell),
                measured_words(cell),
                seeds_words(cell),
                "" if found is None or found.seconds is None else f"{found.seconds:,.0f}",
                "" if found is None else found.device,
            ]
        )
    if len(rows) > 1:
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        parts += [
            "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        parts += ["", glance_words(glance([table])), f"Again: {table.command}"]
    parts += [
        f"Worse: {cell.line.title}, {cell.measure.title}, {cell.dataset}: "
        f"{cell.reason or 'nobody has said why yet.'}"
        for cell in table.cells
        if cell.state == "not reached"
    ]
    for shown in table.pictures:
        place = shown.link or "no run shows it yet"
        missing = f" (without {', '.join(shown.missing)})" if shown.there and shown.missing else ""
        parts.append(f"{shown.picture.title}: {place}{missing}")
    return "\n".join([*parts, *table.problems])


def table_markdown(table: PaperTable) -> str:
    """A table as Markdown, as the README has it: data sets of which nothing is measured left out.

    The measure is named in the heading where all lines share it.
    """
    there = {cell.dataset for cell in table.cells if cell.measured is not None}
    cells = [cell for cell in table.cells if cell.dataset in there]
    measures = {cell.measure.title for cell in cells}
    shared = f", {measures.pop()}" if len(measures) == 1 else ""
    rows = [["", "data set", "method", f"reported{shared}", f"here{shared}", "seeds"]]
    rows.append(["---", "---", "---", "---:", "---:", "---"])
    for cell in cells:
        measure = "" if shared else f", {cell.measure.title}"
        rows.append(
            [
                MARKS[cell.state],
                cell.dataset,
                f"{cell.line.title}{measure}",
                reported_words(cell),
                measured_words(cell),
                seeds_words(cell).removeprefix("seeds ").removeprefix("seed "),
            ]
        )
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def as_json(tables: Sequence[PaperTable]) -> dict[str, Any]:
    """Everything of some tables, for other programs: plain numbers, shares in [0, 1]."""
    found = glance(tables)
    return {
        "reported_figures": found.figures,
        "reached": found.reached,
        "not_reached": found.not_reached,
        "not_measured": found.not_measured,
        "tables": [
            {
                "name": table.name,
                "title": table.title,
                "source": table.source,
                "words": table.words,
                "command": table.command,
                "cells": [cell_json(cell) for cell in table.cells],
                "figures": [
                    {
                        "name": shown.picture.key,
                        "title": shown.picture.title,
                        "page": shown.link or None,
                        "runs": list(shown.there),
                        "missing": list(shown.missing),
                        "command": shown.command,
                    }
                    for shown in table.pictures
                ],
                "problems": list(table.problems),
            }
            for table in tables
        ],
    }


def cell_json(cell: TableCell) -> dict[str, Any]:
    """One figure, flat, so that it can be a line of a table as well."""
    reported, found = cell.reported, cell.measured
    beside = cell.line.beside
    return {
        "dataset": cell.dataset,
        "cell": cell.line.cell,
        "method": cell.line.title,
        "measure": cell.measure.key,
        "better_is": cell.measure.better,
        "reported": None if reported is None else reported.value,
        "reported_note": "" if reported is None else reported.note,
        "aim": None if reported is None else reported.aim,
        "counted": cell.counted,
        "mean": None if found is None else found.mean,
        "sd": None if found is None else found.sd,
        "n": 0 if found is None else found.n,
        "seeds": [] if found is None else list(found.seeds),
        "values": [] if found is None else list(found.values),
        "beside": None if beside is None or found is None else found.beside,
        "beside_words": "" if beside is None else beside[0],
        "better": cell.better,
        "state": cell.state,
        "reason": cell.reason,
        "device": None if found is None else found.device,
        "seconds": None if found is None else found.seconds,
        "measured_by": None if found is None else f"{found.source.folder}/{found.source.row}",
        "command": cell.command,
        "note": cell.line.note,
    }
