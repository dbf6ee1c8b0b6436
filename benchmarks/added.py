"""What VaDE adds to its start: one run, looked at when its mixture had just started, and later.

The start's clusters are of the samples that it was given, and of nothing else. With the
autoencoder's networks and the clusters' means and variances it is a generative model, and the same
questions can be put to it as to the trained one: which cluster is a sample in, are neighbours of
one kind, what does it draw, how likely is a digit that it has never seen. The run must have kept
its networks, and is best one that kept the test part out of training:

    python -m vade_core train --preset robust --split --maps pca --keep-weights --out DIR
    python benchmarks/added.py DIR
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from vade_core.idle_threads import let_idle_threads_sleep  # noqa: E402

let_idle_threads_sleep()  # before torch is imported

import numpy as np  # noqa: E402
from accuracy_processes import answered  # noqa: E402
from arguments import Parser, positive  # noqa: E402
from samples_belong import shares_that_belong, trained_classifier  # noqa: E402
from torch import nn  # noqa: E402

from vade_core.data import Dataset  # noqa: E402
from vade_core.evaluation import KNN, evaluate  # noqa: E402
from vade_core.rebuild import load_dataset, load_model  # noqa: E402
from vade_core.recorder import plain  # noqa: E402
from vade_core.runs import Run, RunError  # noqa: E402

# Of a run's stages, those that are looked at where they end.
STAGES = {
    "start": "its start: autoencoder, Gaussians of the start's clusters",
    "clamped": "after the held epochs",
    "free": "VaDE, after the last epoch",
}
SAMPLES = 100  # drawn for every cluster


def ends(run: Run) -> dict[str, dict[str, Any]]:
    """The last line of each of these stages whose networks are kept.

    Raises
    ------
    RunError
        If the start's networks are not kept, or it was never held to it.
    """
    kept = set(run.weights_numbers())
    found = {
        stage: line
        for line in run.metrics()
        if (stage := line["phase"]) in STAGES and line["report"] in kept
    }
    if set(found) != set(STAGES):
        raise RunError(
            f"{run.id} has not kept its networks at its start, at the end of the held epochs and "
            "at its end: train VaDE with a preset that holds clusters, and --keep-weights."
        )
    return {stage: found[stage] for stage in STAGES}


def looked_at(
    run: Run, line: dict[str, Any], dataset: Dataset, classifier: nn.Module | None, seed: int
) -> dict[str, Any]:
    """What is measured of the model as it was at a line of the run's metrics."""
    model = load_model(run, line["report"])
    measured = evaluate(model, dataset)
    terms = measured["loss_terms"]
    belong = None
    if classifier is not None:
        matched = line["matched"]
        belong = float(np.mean(shares_that_belong(model, matched, classifier, SAMPLES, 1.0, seed)))
    return {
        "acc": measured["acc"],
        "test_acc": measured["test_acc"],
        "knn_error": measured["knn_error"],
        "belong": belong,
        "negative_elbo": sum(value for name, value in terms.items() if name != "loss"),
        "reconstruction": measured["reconstruction"],
    }


def table(found: dict[str, dict[str, Any]], split: bool) -> str:
    """The figures, a line a stage."""

    def percent(value: float | None) -> str:
        return "-" if value is None else f"{100 * value:.2f}"

    part = "kept out of training" if split else "trained on as well"
    lines = [
        f"All but the first column are of the test part, {part}.",
        "",
        "| | ACC %, all | ACC % | kNN error %, k = 3 / 5 / 10 | samples that belong % | "
        "-ELBO, nats | reconstruction, nats |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for stage, values in found.items():
        errors = " / ".join(percent(values["knn_error"][str(k)]) for k in KNN)
        lines.append(
            f"| {STAGES[stage]} | {percent(values['acc'])} | {percent(values['test_acc'])} | "
            f"{errors} | {percent(values['belong'])} | {values['negative_elbo']:.1f} | "
            f"{values['reconstruction']:.1f} |"
        )
    return "\n".join(lines)


def answer(arguments: Sequence[str] | None) -> None:
    """Measure, and print."""
    parser = Parser(prog="added", description=__doc__)
    parser.add_argument("run", type=Path, help="a run's folder")
    parser.add_argument("--seed", type=int, default=0, help="of classifier and samples")
    parser.add_argument("--epochs", type=positive, default=8, help="of the classifier, at most")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    run = Run(options.run)
    lines = ends(run)
    dataset = load_dataset(run.config)
    classifier = None
    if run.config.dataset == "mnist":  # the classifier knows no other pictures
        classifier, _ = trained_classifier(options.seed, options.epochs)
    found = {
        stage: looked_at(run, line, dataset, classifier, options.seed)
        for stage, line in lines.items()
    }
    if options.json:
        print(json.dumps(plain({"split": run.config.split, "stages": found}), indent=1))
    else:
        print(table(found, run.config.split))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; its exit code: 0, 2 for a mistake."""
    return answered("added", lambda: answer(arguments))


if __name__ == "__main__":
    sys.exit(main())
