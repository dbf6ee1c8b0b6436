"""Which number that needs no label goes with the accuracy, from seed to seed.

Whoever has no labels and trains a few times must keep one of the runs. Each number of the cells
that was had without labels is ranked against ACC over the seeds of one recipe on one data set.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any

from accuracy_tables import markdown, rows_of
from assignments import unpacked
from scipy.stats import spearmanr

from vade_core.metrics import agreement_with_others

CellData = Mapping[str, Any]
OfCell = Callable[[CellData], float | None]
FEWEST = 4  # seeds; of fewer, ranks say nothing
KEPT_OF = 3  # runs that somebody without labels may have the patience for


def _label_free(*names: str) -> OfCell:
    def of(cell: CellData) -> float | None:
        value: Any = cell["label_free"]
        for name in names:
            value = value.get(name) if isinstance(value, Mapping) else None
        return value if isinstance(value, (int, float)) else None

    return of


def _negative(of: OfCell) -> OfCell:
    def turned(cell: CellData) -> float | None:
        value = of(cell)
        return None if value is None else -value

    return turned


def _elbo(cell: CellData) -> float | None:
    terms = cell["label_free"].get("test")
    if not terms:
        return None
    return -sum(value for name, value in terms.items() if name != "loss")


def _alone(of: OfCell) -> Callable[[Sequence[CellData]], list[float | None]]:
    """A number that a cell has whatever the others are."""
    return lambda cells: [of(cell) for cell in cells]


def _agreement(cells: Sequence[CellData]) -> list[float | None]:
    """None where cells did not keep which cluster each sample is in."""
    kept = [cell.get("assignments") for cell in cells]
    if len(cells) < 2 or None in kept:
        return [None] * len(cells)
    return [*agreement_with_others([unpacked(text) for text in kept])]


# Each so that more is better.
CRITERIA: dict[str, Callable[[Sequence[CellData]], list[float | None]]] = {
    "ELBO, unweighted": _alone(_elbo),
    "objective that was minimised": _alone(_negative(_label_free("train", "loss"))),
    "likelihood of the start's mixture": _alone(_label_free("start_log_likelihood")),
    "edge information of the start": _alone(_label_free("start_edge_information")),
    "edge information, latents": _alone(_label_free("latent_edge_information")),
    "edge information, raw values": _alone(_label_free("raw_edge_information")),
    "agreement with its start": _alone(_label_free("start_agreement")),
    "agreement with the other runs": _agreement,
}


def correlations(cells: Sequence[CellData]) -> dict[str, tuple[float, float] | None]:
    """For each criterion, Spearman's rank correlation with ACC, and the ACC that it would keep.

    Parameters
    ----------
    cells : sequence of dict
        Seeds of one recipe on one data set.

    Returns
    -------
    dict
        None where the cells have no such number, or all the same.
    """
    accuracies = [cell["scores"]["acc"] for cell in cells]
    found: dict[str, tuple[float, float] | None] = {}
    for name, of in CRITERIA.items():
        values = of(cells)
        known = [value for value in values if value is not None]
        if len(known) < len(values) or len(set(known)) < 2 or len(set(accuracies)) < 2:
            found[name] = None
            continue
        kept = max(range(len(known)), key=known.__getitem__)
        found[name] = float(spearmanr(known, accuracies).statistic), accuracies[kept]
    return found


def gain_of_keeping_one(
    cells: Sequence[CellData], of: Callable[[Sequence[CellData]], list[float | None]], size: int
) -> float | None:
    """What a criterion gains where it keeps one of so many runs: ACC above their mean.

    The mean over all sets of so many of the cells; where several are best, over these.
    None where the cells have no such number.
    """
    gains = []
    for chosen in combinations(cells, size):
        values = of(chosen)
        if None in values:
            return None
        best = max(value for value in values if value is not None)
        accuracies = [cell["scores"]["acc"] for cell in chosen]
        kept = [acc for acc, value in zip(accuracies, values, strict=True) if value == best]
        gains.append(sum(kept) / len(kept) - sum(accuracies) / size)
    return sum(gains) / len(gains) if gains else None


def _by_dataset(cells: Sequence[CellData]) -> list[list[CellData]]:
    names = dict.fromkeys(cell["dataset"] for cell in cells)
    return [[cell for cell in cells if cell["dataset"] == name] for name in names]


def criteria_table(cells: Sequence[CellData]) -> str:
    """The correlations of every recipe that has enough seeds, as Markdown."""
    header, lines = ["data, recipe", "seeds", "ACC %, mean (min-max)", *CRITERIA], []
    gains = []
    for row in (row for of_data in _by_dataset(cells) for row in rows_of(of_data)):
        scored = [cell for cell in row.cells if cell["scores"].get("acc") is not None]
        if len(scored) < FEWEST or "label_free" not in scored[0]:
            continue
        accuracies = [100 * cell["scores"]["acc"] for cell in scored]
        mean = sum(accuracies) / len(accuracies)
        lines.append(
            [
                f"{scored[0]['dataset']}, {row.title}",
                str(len(scored)),
                f"{mean:.2f} ({min(accuracies):.2f}-{max(accuracies):.2f})",
                *(
                    "-" if value is None else f"{value[0]:+.2f} ({100 * value[1]:.2f})"
                    for value in correlations(scored).values()
                ),
            ]
        )
        found = [gain_of_keeping_one(scored, of, KEPT_OF) for of in CRITERIA.values()]
        words = ["-" if gain is None else f"{100 * gain:+.2f}" for gain in found]
        gains.append([*lines[-1][:2], f"{mean:.2f}", *words])
    if not lines:
        raise ValueError(f"no recipe has {FEWEST} seeds yet: compute more cells.")
    words = (
        "Spearman's rank correlation of each number with ACC over the seeds; in brackets the ACC "
        "of the run that it would keep. None of the numbers has seen a label."
    )
    kept = (
        f"What keeping one of {KEPT_OF} runs by each number gains over their mean, in points of "
        "ACC, over all such sets of the seeds."
    )
    by_mean = [*header[:2], "ACC %, mean", *header[3:]]
    return f"{markdown(header, lines)}\n\n{words}\n\n{markdown(by_mean, gains)}\n\n{kept}"
