"""The cells of the accuracy benchmark as Markdown, beside what the papers report."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from accuracy_plan import BASELINES, REFERENCE, STUDY, recipes

from vade_core.papers import reported_figures
from vade_core.presets import PRESETS
from vade_core.recorder import plain

CellData = Mapping[str, Any]

# Seeds that the README's figures ask for.
SEEDS = {("mnist", REFERENCE): 10}
SEEDS_ELSEWHERE = 5

VADE_PAPER = "Jiang et al. 2017"
# The rows that a paper's method has here; a method that is not among them keeps its name.
ROWS = {
    "VaDE": "paper",
    "GMM": "gmm",
    "AE+GMM": "ae-gmm",
    "VAE+GMM": "vae-gmm",
    **{method: f"{method.lower()}-{REFERENCE}" for method in ("LDMGI", "AAE", "DEC")},
}
METHODS = {row: method for method, row in ROWS.items()}
NEIGHBOURS = ("3", "5", "10")


def _reported(measure: str, paper: str) -> dict[str, dict[str, float]]:
    """What a paper reports of a measure, by data set and row."""
    found: dict[str, dict[str, float]] = {}
    for figure in reported_figures():
        if (figure.measure, figure.short) == (measure, paper):
            row = ROWS.get(figure.method, figure.method)
            found.setdefault(figure.dataset, {})[row] = figure.value
    return found


def _percent(shares: Mapping[str, float]) -> dict[str, float]:
    return {name: round(100 * share, 6) for name, share in shares.items()}


# ACC in percent, by data set and row.
REPORTED = {name: _percent(rows) for name, rows in _reported("acc", "VaDE paper").items()}
REPORTED_KNN = {
    "mnist": {
        "paper": _percent(
            {k: _reported(f"knn_error_{k}", "VaDE paper")["mnist"]["paper"] for k in NEIGHBOURS}
        )
    }
}
# 60,000 trained on, 10,000 counted, true labels.
CZERWONSKI = {
    measure: _reported(measure, "Czerwonski")["mnist"]["paper"]
    for measure in ("rand_index", "nmi", "silhouette", "calinski_harabasz")
}
# Settings that change where VaDE starts from.
OF_START = {
    "pretraining",
    "pretrain_epochs",
    "pretrain_learning_rate",
    "pretrain_warm_up",
    "start",
}
MEAN_GOAL, MINIMUM_GOAL = 97.0, 96.0  # of robust on MNIST, in percent


# -- figures of a row -------------------------------------------------------------------------


@dataclass(frozen=True)
class Column:
    """A figure of a cell.

    Attributes
    ----------
    name, title : str
    of : callable
        From a row to the figure of each cell; None where it has none.
    show : callable
    """

    name: str
    title: str
    of: Callable[[Row, CellData], float | None]
    show: Callable[[float], str]


@dataclass(frozen=True)
class Row:
    """The cells of one recipe, or a look at them: their starts, their labels by EM.

    Attributes
    ----------
    name, title : str
    cells : sequence of dict
        By seed.
    part : str
        The entry of a cell that holds the scores: ``scores``, ``start``, ``em_on_latents``.
    """

    name: str
    title: str
    cells: Sequence[CellData]
    part: str = "scores"

    @property
    def dataset(self) -> str:
        return str(self.cells[0]["dataset"])

    @property
    def split(self) -> bool:
        return bool(self.cells[0]["split"])

    def score(self, cell: CellData, name: str) -> float | None:
        """A clustering score; of the test part where that was kept out of training."""
        scores = cell.get(self.part) or {}
        value = scores.get(f"test_{name}") if self.split else scores.get(name)
        return None if value is None else float(value)

    def figures(self, column: Column) -> list[float]:
        """The figures of all cells that have one."""
        found = (column.of(self, cell) for cell in self.cells)
        return [value for value in found if value is not None]


def percent(value: float) -> str:
    return f"{100 * value:.2f}"


def _score(name: str) -> Callable[[Row, CellData], float | None]:
    return lambda row, cell: row.score(cell, name)


def _of(entry: str, name: str) -> Callable[[Row, CellData], float | None]:
    return lambda row, cell: None if cell.get(entry) is None else cell[entry].get(name)


def _stage(entry: str) -> Callable[[Row, CellData], float | None]:
    """ACC at a stage; of the test part where that was kept out, which no start has clusters of."""
    return lambda row, cell: (cell.get(entry) or {}).get("test_acc" if row.split else "acc")


def _own(name: str) -> Callable[[Row, CellData], float | None]:
    """A figure of the latents; the start's clusters and EM's have none of their own."""
    return lambda row, cell: cell.get(name) if row.part == "scores" else None


def _knn(k: str) -> Callable[[Row, CellData], float | None]:
    return lambda row, cell: (cell.get("knn_error") or {}).get(k) if row.part == "scores" else None


SCORES = [
    Column("acc", "ACC %", _score("acc"), percent),
    Column("nmi", "NMI %", _score("nmi"), percent),
    Column("rand_index", "Rand index %", _score("rand_index"), percent),
    Column("ari", "ARI %", _score("ari"), percent),
]
KNN = [Column(f"knn_{k}", f"kNN error % (k={k})", _knn(k), percent) for k in NEIGHBOURS]
LATENTS = [
    *KNN,
    Column("silhouette", "silhouette", _own("silhouette"), lambda value: f"{value:.3f}"),
    Column(
        "calinski_harabasz",
        "Calinski-Harabasz",
        _own("calinski_harabasz"),
        lambda value: f"{value:.0f}",
    ),
]
COST = [
    Column("seconds", "seconds", _of("seconds", "total"), lambda value: f"{value:.0f}"),
    Column("peak_rss_mib", "peak MiB", _own("peak_rss_mib"), lambda value: f"{value:.0f}"),
]
STAGES = [
    Column("start", "start's ACC %", _stage("start"), percent),
    Column("after_clamped", "ACC % after clamping", _stage("after_clamped"), percent),
]
COLUMNS = [*SCORES, *STAGES, *LATENTS, *COST]


def spread(values: Sequence[float]) -> dict[str, float | None]:
    """Mean, sample standard deviation (n - 1) and minimum; None where there are too few."""
    return {
        "mean": statistics.fmean(values) if values else None,
        "sd": statistics.stdev(values) if len(values) > 1 else None,
        "minimum": min(values) if values else None,
    }


# -- rows -------------------------------------------------------------------------------------


def title_of(name: str, cells: Sequence[CellData]) -> str:
    """A row's title, with what its name tells beside the recipe."""
    what = cells[0]["what"]
    known = recipes(cells[0]["model"])
    title = known[what].title if what in known else what
    k = f", K = {cells[0]['clusters']}" if f"{what}-k" in name else ""
    return f"{title}{k}{', train part alone' if cells[0]['split'] else ''}"


def rows_of(cells: Sequence[CellData]) -> list[Row]:
    """The rows of one data set: presets, baselines, study."""
    by_name: dict[str, list[CellData]] = {}
    for cell in sorted(cells, key=lambda cell: (cell["row"], cell["seed"])):
        by_name.setdefault(cell["row"], []).append(cell)
    rank = {what: place for place, what in enumerate([*PRESETS, *BASELINES, *STUDY])}
    rank[REFERENCE] = -1

    def place(name: str) -> tuple[int, str]:
        return rank.get(by_name[name][0]["what"], len(rank)), name

    names = sorted(by_name, key=place)
    return [Row(name, title_of(name, by_name[name]), by_name[name]) for name in names]


def with_starts(rows: Sequence[Row]) -> list[Row]:
    """Each row of a VaDE followed by its start's own."""
    found = []
    for row in rows:
        found.append(row)
        if not row.split and any(cell.get("start") for cell in row.cells):
            found.append(Row(f"{row.name}: start", "its start alone", row.cells, "start"))
    return found


def by_em(row: Row) -> Row:
    """A row's labels by EM on the final latents, in gamma's place."""
    title = "labels by EM on the latents, not by gamma"
    return Row(f"{row.name}-em", title, row.cells, "em_on_latents")


def wanted_seeds(row: Row, seeds: int | None) -> int:
    """How many cells the row is to have; those that are there count, where fewer were asked for."""
    asked = seeds or SEEDS.get((row.dataset, str(row.cells[0]["row"])), SEEDS_ELSEWHERE)
    return max(asked, len(row.cells))


def seeds_there(row: Row, seeds: int | None) -> str:
    """How many cells there are, and of how many where some are missing."""
    there, wanted = len(row.cells), wanted_seeds(row, seeds)
    return str(there) if there == wanted else f"{there} of {wanted} seeds"


# -- Markdown ---------------------------------------------------------------------------------


def markdown(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A table; the first column is text, the others are numbers."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join("| " + " | ".join(line) + " |" for line in [header, rule, *lines])


def shown(value: float | None, column: Column) -> str:
    return "-" if value is None else column.show(value)


def seed_table(row: Row, seeds: int | None) -> str:
    """A line a seed, then mean, standard deviation and minimum."""
    columns = [column for column in COLUMNS if row.figures(column)]
    lines = [
        [str(cell["seed"]), *(shown(column.of(row, cell), column) for column in columns)]
        for cell in row.cells
    ]
    spreads = [spread(row.figures(column)) for column in columns]
    for name, words in (("mean", "mean"), ("sd", "standard deviation"), ("minimum", "minimum")):
        lines.append([words, *(shown(s[name], c) for s, c in zip(spreads, columns, strict=True))])
    counted = " Scores are of the test part." if row.split else ""
    return "\n".join(
        [
            f"### {row.title}, {row.dataset}",
            "",
            markdown(["seed", *(column.title for column in columns)], lines),
            "",
            f"{len(row.cells)} of {wanted_seeds(row, seeds)} seeds. {ran(row)}{counted}",
            *(f"Note: {note}" for note in notes(row)),
        ]
    )


def ran(row: Row) -> str:
    """Where the cells were computed."""
    places: dict[str, list[str]] = {}
    for cell in row.cells:
        there = cell["ran"]
        cpu = f"{there['cores']} cores, {there['cpu']}, {there['threads']} threads"
        gpu = "" if there["device"] == "cpu" else f"{there['device']}, "
        precision = "" if there["precision"] is None else f", {there['precision']}"
        places.setdefault(gpu + cpu + precision, []).append(str(cell["seed"]))
    if len(places) == 1:
        return f"Ran on {next(iter(places))}."
    return " ".join(f"Seeds {', '.join(seeds)} ran on {place}." for place, seeds in places.items())


def notes(row: Row) -> list[str]:
    """What keeps the cells of a row from being one measurement."""
    found = []
    settings = [_settings(cell) for cell in row.cells]
    # A setting that there was not yet when a cell was computed cannot differ from its default.
    names = sorted(set.intersection(*(set(some) for some in settings)))
    mixed = [n for n in names if any(some[n] != settings[0][n] for some in settings)]
    if mixed:
        found.append(f"the seeds differ in their settings: {', '.join(mixed)}.")
    stale = sorted({name for cell in row.cells for name in _stale(cell)})
    if stale:
        found.append(f"the preset has other settings by now: {', '.join(stale)}.")
    commits = {str(one) for cell in row.cells for one in cell.get("commits") or [None]}
    if len(commits) > 1:
        found.append(f"computed by several commits: {', '.join(sorted(commits))}.")
    if any(one.endswith("-dirty") for one in commits):
        found.append("computed by code with changes that no commit holds.")
    return found


def _settings(cell: CellData) -> dict[str, Any]:
    of_data = {name: cell.get(name) for name in ("n_samples", "subset", "data_sha256")}
    parameters = {k: v for k, v in cell["parameters"].items() if k != "random_state"}
    return {**of_data, **parameters}


def _stale(cell: CellData) -> list[str]:
    """Settings in which a cell differs from what its recipe asks for today."""
    known = recipes(cell["model"])
    if cell["what"] not in known:
        return []
    recipe = known[cell["what"]]
    n = cell["n_samples"] - (cell["n_test"] if cell["split"] else 0)
    of_preset = PRESETS[recipe.preset].of(cell["model"], n)
    today = plain(recipe.of(of_preset, cell["n_samples"]))
    return [
        name
        for name, value in today.items()
        if name in cell["parameters"] and cell["parameters"][name] != value
    ]


def summary(rows: Sequence[Row], seeds: int | None, *, brief: bool = False) -> str:
    """All rows of a data set side by side, with what the papers report.

    Parameters
    ----------
    rows : sequence of Row
    seeds : int, optional
        How many there should be of each.
    brief : bool
        Only what the papers report, the kNN errors in one column.
    """
    columns = SCORES[1:3] if brief else [*SCORES[1:], *LATENTS]
    columns = [column for column in columns if any(row.figures(column) for row in rows)]
    errors = brief and any(row.figures(column) for row in rows for column in KNN)
    lines = []
    for row in with_starts(rows):
        means = [shown(spread(row.figures(c))["mean"], c) for c in columns]
        if errors:
            means.append(knn_errors(row))
        lines.append([row.title, headline(row), *means, seeds_there(row, seeds), reported_of(row)])
    ours = {row.name for row in rows}
    empty = ["-"] * (1 + len(columns) + errors)
    for name, acc in REPORTED.get(rows[0].dataset, {}).items():
        if name not in ours:
            title = recipes()[name].title if name in recipes() else METHODS.get(name, name)
            lines.append([title, *empty, "0", f"{acc:.2f}"])
    titles = [*(column.title for column in columns), *(["kNN error %, k = 3 / 5 / 10"] * errors)]
    return markdown(["", "ACC %, mean ± sd (minimum)", *titles, "seeds", "reported"], lines)


def knn_errors(row: Row) -> str:
    """Mean errors for k = 3, 5 and 10, or a dash."""
    means = [shown(spread(row.figures(column))["mean"], column) for column in KNN]
    return "-" if set(means) == {"-"} else " / ".join(means)


def headline(row: Row) -> str:
    """ACC as mean, standard deviation and minimum."""
    found = spread(row.figures(SCORES[0]))
    if found["mean"] is None:
        return "-"
    sd = "" if found["sd"] is None else f" ± {percent(found['sd'])}"
    return f"{percent(found['mean'])}{sd} ({percent(found['minimum'] or 0.0)})"


def reported_of(row: Row) -> str:
    """What a paper reports for the row."""
    if row.part != "scores":
        return "-"
    if row.dataset == "mnist" and row.name == "czerwonski-split":
        return f"Rand index {100 * CZERWONSKI['rand_index']:.1f}, NMI {100 * CZERWONSKI['nmi']:.1f}"
    acc = REPORTED.get(row.dataset, {}).get(row.name)
    if acc is None:
        return "-"
    knn = REPORTED_KNN.get(row.dataset, {}).get(row.name)
    errors = "" if knn is None else f", kNN {' / '.join(f'{v:.2f}' for v in knn.values())}"
    return f"{acc:.2f}{errors}"


def study_rows(rows: Sequence[Row]) -> list[Row]:
    """The reference recipe, what there is of it with one switch changed, and its labels by EM."""
    by_name = {row.name: row for row in rows}
    whole = by_name[REFERENCE]
    return [whole, *(by_name[name] for name in STUDY if name in by_name), by_em(whole)]


def changed(row: Row, whole: Row) -> str:
    """How many points of ACC a row is above the reference recipe, over the seeds of both.

    Where the switch leaves the start alone, what each adds to its own start is compared: on
    another kind of processor the same seed has another start.
    """
    if row is whole:
        return "-"
    recipe = STUDY.get(row.name)
    switch = {*recipe.changes, *recipe.as_preset} if recipe else set()
    figure = SCORES[0].of if OF_START & switch else _above_start
    base = {cell["seed"]: figure(whole, cell) for cell in whole.cells}
    gained = [
        value - before
        for cell in row.cells
        if (value := figure(row, cell)) is not None
        and (before := base.get(cell["seed"])) is not None
    ]
    return f"{100 * statistics.fmean(gained):+.2f}" if gained else "-"


def _above_start(row: Row, cell: CellData) -> float | None:
    """ACC above the cell's own start."""
    own, start = row.score(cell, "acc"), STAGES[0].of(row, cell)
    return None if own is None or start is None else own - start


def study_table(rows: Sequence[Row], seeds: int | None) -> str:
    """The reference recipe, and the same with one switch changed."""
    taken = study_rows(rows)
    lines = [
        [
            row.title,
            headline(row),
            changed(row, taken[0]),
            *(shown(spread(row.figures(c))["mean"], c) for c in SCORES[1:]),
            seeds_there(row, seeds),
        ]
        for row in taken
    ]
    header = ["", "ACC %, mean ± sd (minimum)", "change", *(c.title for c in SCORES[1:]), "seeds"]
    return markdown(header, lines)


def study_brief(cells: Sequence[CellData]) -> str:
    """What each switch changes on each data set, in two tables.

    The first has the change of ACC in points, and over how many seeds (:func:`changed`); the
    second what VaDE adds to its own start, and what becomes of neighbours.
    """
    studies: dict[str, list[Row]] = {}
    for dataset in sorted({str(cell["dataset"]) for cell in cells}):
        rows = rows_of([cell for cell in cells if cell["dataset"] == dataset])
        if {REFERENCE, *STUDY} & {row.name for row in rows} > {REFERENCE}:
            studies[dataset] = [*study_rows(rows), *(row for row in rows if row.name == "ae-gmm")]
    if not studies:
        raise ValueError("there are no cells of the study: compute them with --study.")
    switches = [REFERENCE, *STUDY]
    changes = _side_by_side(studies, [*switches, f"{REFERENCE}-em"], _change)
    ended = [guard_ended(found[0].cells) for found in studies.values()]
    changes.append(["trainings of the first line that the guard ended early", *ended])
    added = _side_by_side(studies, [*switches, "ae-gmm"], lambda found, row: added_to_start(row))
    header = ["", *(f"`{dataset}`" for dataset in studies)]
    return f"{markdown(header, changes)}\n\n{markdown(header, added)}"


def _side_by_side(
    studies: Mapping[str, Sequence[Row]],
    names: Sequence[str],
    figure: Callable[[Sequence[Row], Row], str],
) -> list[list[str]]:
    """A line for each name that any data set has, with that row's figure on each of them."""
    lines = []
    for name in names:
        of_each = [
            next((row for row in found if row.name == name), None) for found in studies.values()
        ]
        if there := [row for row in of_each if row is not None]:
            figures = [
                "-" if row is None else figure(found, row)
                for found, row in zip(studies.values(), of_each, strict=True)
            ]
            lines.append([there[0].title, *figures])
    return lines


def _change(found: Sequence[Row], row: Row) -> str:
    """ACC of the first row; of another one how it changes that, and over how many seeds."""
    if row is found[0]:
        return headline(row)
    return f"{changed(row, found[0])} ({len(row.cells)})"


def added_to_start(row: Row) -> str:
    """Points of ACC above the row's own start, and the kNN error of its latents, k = 5."""
    found = (_above_start(row, cell) for cell in row.cells)
    gained = [100 * value for value in found if value is not None]
    error = shown(spread(row.figures(KNN[1]))["mean"], KNN[1])
    return f"{f'{statistics.fmean(gained):+.2f}' if gained else '-'}; {error} ({len(row.cells)})"


def guard_ended(cells: Sequence[CellData]) -> str:
    """How many trainings ended before their last epoch, which only the guard brings about."""
    told = [
        len(cell["curve"]["free"])
        < cell["parameters"]["epochs"] - cell["parameters"]["clamped_epochs"]
        for cell in cells
        if "free" in cell.get("curve", {})
    ]
    return f"{sum(told)} of {len(told)}" if told else "-"


# -- what was to be reached -------------------------------------------------------------------


def goals(rows: Sequence[Row], seeds: int | None) -> list[str]:
    """What was to be reached on this data set, and whether the cells that are there reach it."""
    by_name = {row.name: row for row in rows}
    found = []
    if REFERENCE in by_name:
        found += _goals_of_reference(by_name[REFERENCE], by_name.get("ae-gmm"), seeds)
    for name in (f"{REFERENCE}-split", "czerwonski-split"):
        if name in by_name and by_name[name].dataset == "mnist":
            found += _goals_of_split(by_name[name], seeds)
    return found


def _goals_of_reference(row: Row, ae_gmm: Row | None, seeds: int | None) -> list[str]:
    found = []
    mnist = row.dataset == "mnist"
    own = [(SCORES[0], "mean", MEAN_GOAL / 100, "wanted")] if mnist else []
    own += [(SCORES[0], "minimum", MINIMUM_GOAL / 100, "wanted")] if mnist else []
    start = spread(row.figures(STAGES[0]))["mean"]
    own += [] if start is None else [(SCORES[0], "mean", start, "of its own start")]
    other = None if ae_gmm is None else spread(ae_gmm.figures(SCORES[0]))["mean"]
    own += [] if other is None else [(SCORES[0], "mean", other, "of AE+GMM")]
    for column, kind, aim, whose in own:
        ours = spread(row.figures(column))[kind]
        met = ours is not None and ours >= aim
        found.append(_goal(row, seeds, column, kind, ours, aim, whose, met))
    for column in LATENTS[:3] if mnist else []:
        ours = spread(row.figures(column))["mean"]
        aim = REPORTED_KNN["mnist"]["paper"][column.name.removeprefix("knn_")] / 100
        met = ours is not None and ours <= aim
        found.append(_goal(row, seeds, column, "mean", ours, aim, f"of {VADE_PAPER}", met))
    return found


def _goals_of_split(row: Row, seeds: int | None) -> list[str]:
    found = []
    for column in [*SCORES, *LATENTS]:
        if column.name in CZERWONSKI:
            ours, aim = spread(row.figures(column))["mean"], CZERWONSKI[column.name]
            met = ours is not None and ours > aim
            found.append(_goal(row, seeds, column, "mean", ours, aim, "of Czerwonski 2025", met))
    return found


def _goal(
    row: Row,
    seeds: int | None,
    column: Column,
    kind: str,
    ours: float | None,
    aim: float,
    whose: str,
    met: bool,
) -> str:
    verdict = "not measured" if ours is None else "met" if met else "MISSED"
    if len(row.cells) < wanted_seeds(row, seeds):
        verdict += f" so far ({seeds_there(row, seeds)})"
    figures = f"{kind} {column.title} {shown(ours, column)} against {column.show(aim)} {whose}"
    return f"- {row.title}: {figures}: {verdict}."


# -- all of it --------------------------------------------------------------------------------


def tables(cells: Sequence[CellData], seeds: int | None = None) -> str:
    """Every data set's tables, as Markdown."""
    parts = []
    for dataset, found in groupby(cells, key=lambda cell: cell["dataset"]):
        rows = rows_of(list(found))
        parts.append(f"## {dataset}")
        if whole := [row for row in rows if row.name not in STUDY]:
            parts.append(summary(whole, seeds))
        reached = goals(rows, seeds)
        if reached:
            parts.append("\n".join(reached))
        names = {row.name for row in rows}
        if REFERENCE in names and any(name in names for name in STUDY):
            parts += ["### One switch changed", study_table(rows, seeds)]
        parts += [seed_table(row, seeds) for row in rows]
    parts.append(
        "ACC and the other scores are of all samples, or of the test part where only the train "
        "part was trained on: VaDE's of its own `predict` after its last epoch, the start's and "
        "the baselines' of the clusters that their fit found. Silhouette and Calinski-Harabasz "
        "are of the test part's latents by the true labels; kNN errors are counted there, with "
        "neighbours from the train part. No seed and no epoch was chosen. sd: of a sample "
        f"(n - 1). Reported: {VADE_PAPER}; train part alone: Czerwonski 2025."
    )
    return "\n\n".join(parts)


def brief(cells: Sequence[CellData], seeds: int | None = None) -> str:
    """Of every data set the table of all recipes alone, as the README has it."""
    found = {name: list(of) for name, of in groupby(cells, key=lambda cell: cell["dataset"])}
    parts = []
    for name, of_dataset in found.items():
        rows = [row for row in rows_of(of_dataset) if row.name not in STUDY]
        heading = f"## {name}\n\n" if len(found) > 1 else ""
        parts.append(heading + summary(rows, seeds, brief=True))
    return "\n\n".join(parts)


def as_json(cells: Sequence[CellData], seeds: int | None = None) -> dict[str, Any]:
    """The same figures, by data set, row and column."""
    found: dict[str, Any] = {}
    for dataset, of_dataset in groupby(cells, key=lambda cell: cell["dataset"]):
        rows = rows_of(list(of_dataset))
        labelled_by_em = [by_em(row) for row in rows if row.cells[0].get("em_on_latents")]
        found[dataset] = {
            row.name: {
                "title": row.title,
                "seeds": [cell["seed"] for cell in row.cells],
                "wanted_seeds": wanted_seeds(row, seeds),
                "notes": notes(row),
                **{c.name: spread(row.figures(c)) for c in COLUMNS if row.figures(c)},
            }
            for row in [*with_starts(rows), *labelled_by_em]
        }
    return found
