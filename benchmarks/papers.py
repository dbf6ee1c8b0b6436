"""The tables of the papers, measured: what each reports, and what this software gets.

Each cell (data set, recipe, seed) is computed once, in a process of its own, and leaves one file
of JSON; a command that was killed goes on where it was. Cells of the accuracy benchmark are read
and, where they are missing, computed as that benchmark does: never twice. No seed and no epoch is
chosen.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

# Nothing here imports torch: the processes of the cells do.
from accuracy_plan import Cell  # noqa: E402
from accuracy_processes import answered, compute, run, say  # noqa: E402
from arguments import (  # noqa: E402
    Parser,
    add_cell_options,
    check_trial,
    positive,
    trial_changes,
)
from papers_plan import Asked, folder_of, lines_of, planned  # noqa: E402

from vade_core.data import DATASETS  # noqa: E402
from vade_core.data.catalogue import cache_folder  # noqa: E402
from vade_core.papers import PaperTable, paper_tables  # noqa: E402
from vade_core.papers_measured import RESULTS  # noqa: E402
from vade_core.papers_tables import TABLES  # noqa: E402
from vade_core.papers_text import as_json, table_text  # noqa: E402


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(prog="papers", description=__doc__)
    parser.add_argument(
        "--table", nargs="+", metavar="NAME", help=f"some of {', '.join(TABLES)}; default: all"
    )
    parser.add_argument("--dataset", nargs="+", metavar="NAME", help="these alone")
    parser.add_argument("--cell", nargs="+", metavar="NAME", help="these alone, see --list")
    parser.add_argument(
        "--seeds", type=positive, metavar="N", help="how many (default: 5, or 1 where they cost)"
    )
    parser.add_argument(
        "--list", action="store_true", help="compute nothing, say which cells there are"
    )
    add_cell_options(parser, str(RESULTS.relative_to(ROOT)))
    return checked(parser.parse_args(arguments))


def checked(options: argparse.Namespace) -> argparse.Namespace:
    """What argparse cannot see; ValueError says what is wrong."""
    options.table = options.table or list(TABLES)
    for name in options.table:
        if name not in TABLES:
            raise ValueError(f"there is no table {name!r}; there are: {', '.join(TABLES)}.")
    check_trial(options)
    known = {*DATASETS, *(name for table in options.table for name in TABLES[table].datasets)}
    for name in options.dataset or ():
        if name not in known:
            raise ValueError(f"there is no data set {name!r}; there are: {', '.join(known)}.")
        told = any(name in TABLES[table].datasets for table in options.table)
        if not told and options.results is None:
            raise ValueError(
                f"no paper reports on {name!r} in these tables: it makes a trial, whose results "
                "may not lie among the others: name another folder with --results."
            )
    lines = lines_of(Asked(options.table, options.dataset or ()))
    cells = list(dict.fromkeys(line.cell for _, _, line in lines))
    for name in options.cell or ():
        if name not in cells:
            raise ValueError(f"there is no cell {name!r}; there are: {', '.join(cells)}.")
    options.results = (options.results or RESULTS).expanduser().resolve()
    options.work = (options.work or cache_folder()).expanduser().resolve()
    return options


def asked(options: argparse.Namespace) -> Asked:
    """What the options name."""
    return Asked(
        options.table,
        options.dataset or (),
        options.cell or (),
        options.seeds,
        options.first_seed,
        {
            "device": options.device,
            "precision": options.precision,
            "threads": options.threads,
            "subset": options.subset,
            "changes": trial_changes(options),
        },
    )


def answer(arguments: Sequence[str] | None) -> None:
    """Compute what is not there, and print the tables."""
    options = parse(arguments)
    cells, left_out = planned(asked(options))
    for sentence in left_out:
        say(sentence)
    if options.list:
        print_list(cells, options.results, options.json)
        return

    def place(cell: Cell) -> tuple[Path, Path]:
        return folder_of(cell, options.results), folder_of(cell, options.work)

    failed = run(cells, place, compute)
    tables = tables_asked_for(options)
    if options.json:
        print(json.dumps(as_json(tables), indent=1))
    else:
        print("\n\n".join(table_text(table) for table in tables))
    if failed:
        raise ValueError(f"{len(failed)} cells failed: {', '.join(failed)}.")


def tables_asked_for(options: argparse.Namespace) -> list[PaperTable]:
    """The tables with what is there now, data set by data set where some are named."""
    if not options.dataset:
        return paper_tables(options.table, results=options.results)
    return [
        table
        for name in options.table
        for dataset in options.dataset
        for table in paper_tables([name], results=options.results, dataset=dataset)
    ]


def print_list(cells: Sequence[Cell], results: Path, as_data: bool) -> None:
    """The cells that are to be there, and which of them are."""
    rows = [
        {
            "dataset": cell.dataset,
            "row": cell.row,
            "model": cell.model,
            "seed": cell.seed,
            "file": str(cell.file(folder_of(cell, results))),
            "there": cell.file(folder_of(cell, results)).exists(),
        }
        for cell in cells
    ]
    if as_data:
        print(json.dumps(rows, indent=1))
        return
    for row in rows:
        mark = "there" if row["there"] else "-"
        print(f"{mark:6}{row['dataset']:14}{row['row']:28}seed {row['seed']}")
    there = sum(bool(row["there"]) for row in rows)
    print(f"{there} of {len(rows)} cells are there.")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; its exit code: 0, 2 for a mistake or a failed cell, 130 when interrupted."""
    return answered("papers", lambda: answer(arguments))


if __name__ == "__main__":
    sys.exit(main())
