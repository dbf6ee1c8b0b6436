"""Clustering accuracy over many seeds: of the presets, of the baselines, of VaDE taken apart.

Each cell (data set, recipe, seed) is computed once, in a process of its own, and leaves one file
of JSON. What is there is not computed again; a command that was killed goes on where it was. No
seed and no epoch is chosen: every seed counts, and the last epoch does.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

# Nothing here imports torch: the processes of the cells do.
from accuracy_criteria import criteria_table  # noqa: E402
from accuracy_plan import (  # noqa: E402
    BASELINES,
    REFERENCE,
    RESULTS,
    STUDY,
    Cell,
    read_cells,
)
from accuracy_processes import answered, compute  # noqa: E402
from accuracy_processes import run as run_cells  # noqa: E402
from accuracy_tables import as_json, brief, study_brief, tables  # noqa: E402
from arguments import (  # noqa: E402
    Parser,
    add_cell_options,
    check_trial,
    positive,
    trial_changes,
)

from vade_core.data import DATASETS  # noqa: E402
from vade_core.data.catalogue import cache_folder  # noqa: E402
from vade_core.models import MODELS  # noqa: E402
from vade_core.presets import DEFAULT_PRESET, PRESETS  # noqa: E402


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(prog="accuracy", description=__doc__)
    data = parser.add_mutually_exclusive_group()
    data.add_argument("--dataset", metavar="NAME", help=f"one of {', '.join(DATASETS)}")
    data.add_argument("--data", type=Path, metavar="FILE.npz", help="your own file, with X and y")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--preset", nargs="+", metavar="NAME", help=f"some of {', '.join(PRESETS)}")
    what.add_argument(
        "--baselines",
        nargs="*",
        metavar="NAME",
        help=f"all of {', '.join(BASELINES)}, or some of them",
    )
    what.add_argument(
        "--study",
        nargs="*",
        metavar="NAME",
        help=f"{REFERENCE} with one switch changed: all of {', '.join(STUDY)}, or some",
    )
    parser.add_argument("--model", default="vade", help=f"one of {', '.join(MODELS)}")
    parser.add_argument("--seeds", type=positive, metavar="N", help="how many (default: 5)")
    parser.add_argument("--split", action="store_true", help="keep the test part out of training")
    parser.add_argument("--clusters", type=positive, metavar="K")
    parser.add_argument("--table", action="store_true", help="compute nothing, print what is there")
    parser.add_argument(
        "--brief",
        action="store_true",
        help="compute nothing, print the table of all recipes alone, as the README has it; "
        "with --study what each switch changes",
    )
    parser.add_argument(
        "--criteria",
        action="store_true",
        help="compute nothing, print which label-free number goes with ACC",
    )
    add_cell_options(parser, str(RESULTS.relative_to(ROOT)))
    return checked(parser.parse_args(arguments))


def checked(options: argparse.Namespace) -> argparse.Namespace:
    """What argparse cannot see; ValueError says what is wrong."""
    if options.model not in MODELS:
        raise ValueError(f"there is no model {options.model!r}; there are: {', '.join(MODELS)}.")
    if options.dataset is not None and options.dataset not in DATASETS:
        raise ValueError(
            f"there is no data set {options.dataset!r}; there are: {', '.join(DATASETS)}."
        )
    if options.data is not None:
        if not options.data.is_file() and not options.table:
            raise ValueError(f"{options.data} does not exist: check the path.")
        if options.data.stem in DATASETS:
            raise ValueError(
                f"{options.data} has the name of a data set, and its results would be taken for "
                "that one's: rename the file."
            )
    if options.model != "vade" and (options.baselines is not None or options.study is not None):
        raise ValueError("baselines and study stand beside VaDE: leave --model out.")
    options.table = options.table or options.criteria or options.brief
    options.whats = asked(options)
    for kind, names, known in (
        ("preset", options.preset, PRESETS),
        ("baseline", options.baselines, BASELINES),
        ("switch", options.study, (REFERENCE, *STUDY)),
    ):
        for name in names or ():
            if name not in known:
                raise ValueError(f"there is no {kind} {name!r}; there are: {', '.join(known)}.")
    check_trial(options)
    options.results = options.results or RESULTS
    return options


def asked(options: argparse.Namespace) -> list[str]:
    """The recipes that the options name."""
    if options.baselines is not None:
        return list(options.baselines or BASELINES)
    if options.study is not None:
        return list(options.study or (REFERENCE, *STUDY))
    presets = options.preset or [DEFAULT_PRESET]
    return presets if options.model == "vade" else [f"{options.model}-{name}" for name in presets]


def name_of_data(options: argparse.Namespace) -> str | None:
    return options.data.stem if options.data is not None else options.dataset


def cells(options: argparse.Namespace) -> Iterator[Cell]:
    """What is to be there when the command is done, seed by seed."""
    changes = trial_changes(options)
    for seed in range(options.first_seed, options.first_seed + (options.seeds or 5)):
        for what in options.whats:
            yield Cell(
                dataset=name_of_data(options) or "mnist",
                what=what,
                seed=seed,
                split=options.split,
                model=options.model,
                data_file=None if options.data is None else str(options.data.resolve()),
                clusters=options.clusters,
                subset=options.subset,
                changes=changes,
                device=options.device,
                precision=options.precision,
                threads=options.threads,
            )


def run(wanted: Sequence[Cell], results: Path, work: Path) -> list[str]:
    """Compute the cells that are not there; the names of those that failed."""
    return run_cells(wanted, lambda cell: (results, work), compute)


def answer(arguments: Sequence[str] | None) -> None:
    """Compute what is not there, and print what there is."""
    options = parse(arguments)
    work = (options.work or cache_folder() / "accuracy").expanduser().resolve()
    results = options.results.expanduser().resolve()
    failed: list[str] = []
    if not options.table:
        failed = run(list(cells(options)), results, work)
    names = (
        None
        if options.table and name_of_data(options) is None
        else [name_of_data(options) or "mnist"]
    )
    found: list[dict[str, Any]] = read_cells(results, names)
    if not found and not failed:
        raise ValueError(f"there are no cells in {results}.")
    if options.criteria:
        print(criteria_table(found))
    elif options.brief:
        print(brief(found, options.seeds) if options.study is None else study_brief(found))
    elif options.json:
        print(json.dumps(as_json(found, options.seeds), indent=1))
    elif found:
        print(tables(found, options.seeds))
    if failed:
        raise ValueError(f"{len(failed)} cells failed: {', '.join(failed)}.")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; its exit code: 0, 2 for a mistake or a failed cell, 130 when interrupted."""
    return answered("accuracy", lambda: answer(arguments))


if __name__ == "__main__":
    sys.exit(main())
