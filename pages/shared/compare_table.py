"""The table of measures: every run's figure, the better one marked, the papers' beside them."""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pages.shared.compare_runs import Compared
from pages.shared.session import duration, is_supervised, percent
from pages.shared.wide_table import wide_table_style
from vade_core.papers import PaperFigure, figures_of
from vade_core.same_points import same_data

__all__ = ["MEASURES", "Measure", "Row", "counted_words", "table_csv", "table_html", "table_rows"]

Found = Mapping[str, Any]


@dataclass(frozen=True)
class Measure:
    """Something that is measured of a run.

    Attributes
    ----------
    key : str
        As in metrics.jsonl, in an evaluation, and in ``papers_figures.json``.
    title : str
    unit : {"percent", "number", "whole", "nats", "seconds"}
    higher : bool
        Whether more is better.
    words : str
        What it is.
    evaluated : bool
        Whether it must be computed from the model and its data.
    """

    key: str
    title: str
    unit: str
    higher: bool
    words: str
    evaluated: bool = False


MEASURES: tuple[Measure, ...] = (
    Measure("acc", "ACC", "percent", True, "Share of samples in the cluster of their class"),
    Measure("nmi", "NMI", "percent", True, "Information that clusters and classes share"),
    Measure("rand_index", "Rand index", "percent", True, "Share of pairs put rightly"),
    Measure("ari", "ARI", "percent", True, "The Rand index, corrected for chance"),
    Measure(
        "edge_information",
        "Edge information",
        "number",
        True,
        "What a sample's cluster tells of its neighbours' clusters in latent space, in nats, at "
        "most log K; needs no label",
        True,
    ),
    Measure(
        "silhouette", "Silhouette", "number", True, "How far the classes' latents lie apart", True
    ),
    Measure(
        "calinski_harabasz",
        "Calinski-Harabasz",
        "whole",
        True,
        "Spread between the classes over spread within them",
        True,
    ),
    *(
        Measure(
            f"knn_error_{k}",
            f"kNN error, k = {k}",
            "percent",
            False,
            f"Share of test samples that their {k} nearest neighbours in latent space misjudge",
            True,
        )
        for k in (3, 5, 10)
    ),
    Measure(
        "reconstruction",
        "Reconstruction, nats",
        "nats",
        False,
        "-log p(x|z) at the posterior mean, nats a sample",
        True,
    ),
    Measure(
        "seconds",
        "Training time",
        "seconds",
        False,
        "Wall clock, pauses left out; the recorded runs had one thread of a busy machine",
    ),
)


@dataclass(frozen=True)
class Row:
    """A measure of every run.

    Attributes
    ----------
    measure : Measure
    values : list of float or None
        By run; None where there is none.
    pending : list of bool
        By run, whether the value may still come.
    best : list of bool
        By run, whether its value is marked as the better one.
    papers : list of PaperFigure
    """

    measure: Measure
    values: list[float | None]
    pending: list[bool]
    best: list[bool]
    papers: list[PaperFigure] = field(default_factory=list)


def table_rows(compared: Sequence[Compared], evaluations: Sequence[Found | None]) -> list[Row]:
    """What the table holds.

    The better value is marked among unsupervised models on one data set, where there are two
    at least; a supervised one was told the labels and takes no part.

    Parameters
    ----------
    compared : sequence of Compared
    evaluations : sequence of dict or None
        Of each run, as ``vade_core.evaluated`` keeps it; None where it is still to come.
    """
    configs = [each.run.config for each in compared]
    alike = same_data(configs)
    told = [is_supervised(config.model) for config in configs]
    fits = [alike and not supervised for supervised in told]
    if alike and all(told):
        fits = [True] * len(told)
    one_k = len({config.clusters for config in configs}) == 1  # its bound grows with K
    rows = []
    for measure in MEASURES:
        values, pending = [], []
        for each, evaluation in zip(compared, evaluations, strict=True):
            values.append(_value(measure, each, evaluation))
            pending.append(measure.evaluated and evaluation is None)
        dataset = configs[0].dataset if alike else None
        models = {config.model for config in configs}
        papers = figures_of(measure.key, dataset, models) if dataset else []
        comparable = fits if measure.key != "edge_information" or one_k else [False] * len(fits)
        rows.append(Row(measure, values, pending, _best(measure, values, comparable), papers))
    return rows


def _value(measure: Measure, each: Compared, evaluation: Found | None) -> float | None:
    if not measure.evaluated:
        key = "elapsed" if measure.key == "seconds" else measure.key
        value = each.last_scores().get(key)
    elif evaluation is None:
        return None
    elif measure.key.startswith("knn_error_"):
        errors = evaluation["values"].get("knn_error") or {}
        value = errors.get(measure.key.removeprefix("knn_error_"))
    else:
        value = evaluation["values"].get(measure.key)
    return float(value) if isinstance(value, (int, float)) else None


def _best(measure: Measure, values: Sequence[float | None], fits: Sequence[bool]) -> list[bool]:
    """Whether each value is the best as it is shown; nobody's where all are equal."""
    taking_part = [v for v, fit in zip(values, fits, strict=True) if fit and v is not None]
    if len(taking_part) < 2:
        return [False] * len(values)
    best = max(taking_part) if measure.higher else min(taking_part)
    shown = {written(measure, value) for value in taking_part}
    if len(shown) < 2:
        return [False] * len(values)
    return [
        fit and value is not None and written(measure, value) == written(measure, best)
        for value, fit in zip(values, fits, strict=True)
    ]


def written(measure: Measure, value: float | None) -> str:
    """A value as it is shown.

    Examples
    --------
    >>> written(MEASURES[0], 0.9446), written(MEASURES[5], 1169.2), written(MEASURES[5], None)
    ('94.5 %', '1,169', '–')
    """
    if value is None:
        return "–"
    if measure.unit == "percent":
        return f"{100 * value:.2f} %" if measure.key.startswith("knn") else percent(value)
    if measure.unit == "seconds":
        return duration(value)
    if measure.unit == "whole":
        return f"{value:,.0f}"
    return f"{value:.3f}" if measure.unit == "number" else f"{value:.1f}"


STYLE = """
<style>
.ct { width: 100%; border-collapse: collapse; font-size: 1.02rem;
  font-variant-numeric: tabular-nums; }
.ct th, .ct td { padding: .42rem .7rem; text-align: right; border: 0;
  border-bottom: 1px solid color-mix(in srgb, currentColor 16%, transparent); }
.ct th:first-child, .ct td:first-child { text-align: left; padding-left: 0; }
.ct th { font-weight: 650; vertical-align: bottom; }
.ct th i { display: inline-block; width: .8rem; height: .8rem; border-radius: .2rem;
  margin-right: .35rem; }
.ct td.ct-best { font-weight: 750; }
.ct .ct-star { margin-right: .3rem; }
.ct .ct-paper { font-size: .93rem; opacity: .85; white-space: normal; }
.ct .ct-wait { opacity: .6; }
</style>
""" + wide_table_style(".ct-room")


def table_html(compared: Sequence[Compared], rows: Sequence[Row], waiting: str = "…") -> str:
    """The table as HTML; `waiting` stands where a value may still come."""
    reported = any(row.papers for row in rows)
    heads = "".join(
        f'<th><i style="background:{each.colour}"></i>{html.escape(each.name)}</th>'
        for each in compared
    )
    body = []
    for row in rows:
        cells = "".join(
            _cell(row.measure, *parts, waiting)
            for parts in zip(row.values, row.pending, row.best, strict=True)
        )
        sign = "↑" if row.measure.higher else "↓"
        body.append(
            f'<tr><td title="{html.escape(row.measure.words)}">{html.escape(row.measure.title)} '
            f'<span style="opacity:.6">{sign}</span></td>{cells}'
            f"{_papers_html(row) if reported else ''}</tr>"
        )
    if reported:
        heads += "<th>Papers</th>"
    return (
        f'{STYLE}<div class="ct-room"><table class="ct"><thead><tr><th>Measure</th>{heads}'
        f"</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
    )


def _cell(measure: Measure, value: float | None, pending: bool, is_best: bool, waiting: str) -> str:
    if pending:
        return f'<td class="ct-wait">{html.escape(waiting)}</td>'
    shown = written(measure, value)
    if is_best:
        return f'<td class="ct-best"><span class="ct-star" title="better">★</span>{shown}</td>'
    return f"<td>{shown}</td>"


def _papers_html(row: Row) -> str:
    words = []
    for figure in row.papers:
        told = f"{figure.source}{': ' + figure.note if figure.note else ''}"
        words.append(
            f'<span title="{html.escape(told)}">{html.escape(figure.method)} '
            f"<b>{written(row.measure, figure.value)}</b> ({html.escape(figure.short)})</span>"
        )
    return f'<td class="ct-paper">{"<br>".join(words) or "–"}</td>'


def table_csv(compared: Sequence[Compared], rows: Sequence[Row]) -> str:
    """The table as CSV: a line a measure, in plain numbers, with the papers' figures and sources.

    Shares are in [0, 1], times in seconds.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(["measure", "better", *(each.run.id for each in compared), "papers", "sources"])
    for row in rows:
        papers = [f"{figure.method} {figure.value:g}" for figure in row.papers]
        sources = [
            figure.source + (f" ({figure.note})" if figure.note else "") for figure in row.papers
        ]
        values = ["" if value is None else f"{value:.6g}" for value in row.values]
        better = "higher" if row.measure.higher else "lower"
        writer.writerow([row.measure.key, better, *values, "; ".join(papers), "; ".join(sources)])
    return out.getvalue()


def counted_words(compared: Sequence[Compared], evaluations: Sequence[Found | None]) -> str:
    """On how many samples the evaluated measures were counted; empty where none were."""
    counts: dict[str, list[str]] = {}
    for each, evaluation in zip(compared, evaluations, strict=True):
        if evaluation is None:
            continue
        part = "of the test part" if evaluation["part"] == "test" else "samples, all there are"
        where = f"{evaluation['counted']:,} {part}"
        if evaluation["samples"] < each.run.config.n_samples:
            where += f" (of {evaluation['samples']:,} drawn of {each.run.config.n_samples:,})"
        counts.setdefault(where, []).append(each.sign)
    if not counts:
        return ""
    words = " and ".join(
        where if len(counts) == 1 else f"{where} for {', '.join(signs)}"
        for where, signs in counts.items()
    )
    return (
        "Silhouette, Calinski-Harabasz and kNN error are of the latents, with the true labels; "
        f"they and the reconstruction at the posterior mean are counted on {words}. The other "
        "measures are of all samples. Edge information needs no label: among runs with one K a "
        "clearly higher one is as a rule the better run."
    )
