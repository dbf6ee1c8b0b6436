"""The scores where K is not the number of classes: how they are defined, what runs reach."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

import streamlit as st

from pages.shared.k_runs import KRun
from pages.shared.run_cards import plain_label
from pages.shared.session import percent
from vade_core.granularity import best_accuracy

__all__ = ["draw_definitions", "draw_table", "minus_elbo", "scores_csv", "table_rows"]

# Key: title on the page.
SCORES = {
    "acc": "ACC",
    "nmi": "NMI",
    "rand_index": "RI",
    "ari": "ARI",
    "purity": "Purity",
    "homogeneity": "Homogeneity",
    "completeness": "Completeness",
}
TERMS = ("reconstruction", "latent_kl", "cluster_kl")

# Title, formula, and what becomes of it with K. They are those of vade_core/metrics.py.
DEFINITIONS = (
    (
        "ACC",
        r"\max_m\;\frac1n\sum_i\,[\,y_i=m(c_i)\,]\;\le\;\frac1n\sum_{j\le K}n_{(j)}",
        "m pairs clusters and classes one to one, n₍₁₎ ≥ n₍₂₎ ≥ … are the class sizes. With K < C "
        "some classes stay alone, and all their points count as wrong. With K > C some clusters "
        "stay alone, and all their points count as wrong, however pure they are.",
    ),
    (
        "NMI",
        r"\frac{2\,I(Y;C)}{H(Y)+H(C)}",
        "It needs no pairing. A class split in two costs some of it, since H(C) grows; a cluster "
        "that two classes share costs some, since I falls.",
    ),
    (
        "Rand index",
        r"\frac{a+b}{n(n-1)/2}",
        "Of all pairs of points, a are together in both and b are apart in both. Most pairs are "
        "apart anyway, so it stays high at any K. ARI is the same, corrected: (RI − E) / (1 − E), "
        "with E what chance gives.",
    ),
    (
        "Purity",
        r"\frac1n\sum_{c}\max_y\,n_{yc}",
        "The share of points in the commonest class of their cluster. It grows with K, up to 1 "
        "for a cluster a point: compare it at equal K only.",
    ),
    (
        "Homogeneity and completeness",
        r"\begin{gathered}1-\frac{H(Y\mid C)}{H(Y)}\\[.6em]1-\frac{H(C\mid Y)}{H(C)}\end{gathered}",
        "The first is 1 if no cluster mixes classes, the second if no class is spread over "
        "clusters. Merging costs the first, splitting the second. NMI is their harmonic mean.",
    ),
)


def table_rows(runs: Sequence[KRun]) -> list[dict[str, Any]]:
    """What the table says of each run: scores in [0, 1], -ELBO in nats a sample, None where none.

    Parameters
    ----------
    runs : sequence of KRun
    """
    found = []
    for shown in runs:
        table = shown.counted.table
        best = None if table is None else best_accuracy(table.sum(axis=1), shown.k)
        found.append(
            {
                "k": shown.k,
                "run": shown.run.id,
                "title": shown.title,
                "samples": shown.counted.n_samples,
                "clusters_used": int((shown.counted.sizes > 0).sum()),
                "best_acc": best,
                **{key: shown.scores.get(key) for key in SCORES},
                "minus_elbo": minus_elbo(shown),
            }
        )
    return found


def minus_elbo(shown: KRun) -> float | None:
    """-ELBO of a run's last epoch, unweighted, in nats a sample; None where it is not known.

    It is the sum of the terms, where these are all that the loss is made of.
    """
    terms = [shown.line.get(term) for term in (*TERMS, "loss")]
    if not all(isinstance(term, int | float) for term in terms):
        return None
    reconstruction, latent_kl, cluster_kl, loss = (float(term) for term in terms)  # type: ignore[arg-type]
    weights = shown.run.config.parameters
    weighted = float(weights.get("reconstruction_weight", 1.0)) * reconstruction
    weighted += float(weights.get("kl_weight", 1.0)) * (latent_kl + cluster_kl)
    if abs(weighted - loss) > 1e-3 * max(1.0, abs(loss)):
        return None
    return reconstruction + latent_kl + cluster_kl


def scores_csv(runs: Sequence[KRun]) -> str:
    """`table_rows` as CSV."""
    rows = table_rows(runs)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({k: "" if v is None else v for k, v in row.items()})
    return text.getvalue()


def draw_table(runs: Sequence[KRun]) -> None:
    """Draw the scores of some runs; a sentence instead where there are no labels."""
    rows = table_rows(runs)
    labelled = any(row["acc"] is not None for row in rows)
    head = ["K", "Run"]
    if labelled:
        head += ["ACC", "at best", *list(SCORES.values())[1:]]
    head.append("−ELBO, nats")
    lines = ["| " + " | ".join(head) + " |", "|" + "---:|---|" + "---:|" * (len(head) - 2)]
    for row in rows:
        cells = [f"**{row['k']}**", plain_label(row["title"]).replace("|", r"\|")]
        if labelled:
            cells += [f"**{_cell(row['acc'])}**", _cell(row["best_acc"])]
            cells += [_cell(row[key]) for key in list(SCORES)[1:]]
        elbo = row["minus_elbo"]
        cells.append("–" if elbo is None else f"{elbo:.2f}".replace("-", "−"))
        lines.append("| " + " | ".join(cells) + " |")
    st.markdown("\n".join(lines))
    if not labelled:
        st.caption("Without labels there is nothing that clusters could be scored by.")
    counted = {(shown.on_all, shown.counted.n_samples) for shown in runs}
    parts = [
        f"all {n:,} samples" if on_all else f"a fixed sample of {n:,}"
        for on_all, n in sorted(counted)
    ]
    st.caption(
        f"Counted on {' and '.join(parts)}. “At best” is the highest ACC that so many clusters "
        "can have, given how many samples each class has."
        if labelled
        else f"Counted on {' and '.join(parts)}."
    )


def _cell(value: float | None) -> str:
    return percent(value).replace(" ", "\N{NO-BREAK SPACE}")


def draw_definitions() -> None:
    """Draw each score's formula and what becomes of it with K."""
    for title, formula, words in DEFINITIONS:
        left, right = st.columns([5, 6], gap="medium", vertical_alignment="center")
        with left, st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{title}**", width=110)
            st.latex(formula)
        right.markdown(words)
