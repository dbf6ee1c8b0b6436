"""Whether what a run draws for a cluster belongs there, judged by a classifier of real digits.

A convolutional classifier is trained on MNIST's 60,000 training digits until it is right on at
least 98 % of the test part. It then names 100 samples a cluster, drawn at temperature 1; the share
is printed that it calls what their cluster is matched with in the run's last epoch. A cluster
without a match counts as wrong.
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
import torch  # noqa: E402
from arguments import Parser, positive  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from torch import nn  # noqa: E402

from vade_core.data import load  # noqa: E402
from vade_core.models import LatentModel  # noqa: E402
from vade_core.rebuild import load_model  # noqa: E402
from vade_core.runs import Run, RunError, recorded_root  # noqa: E402

RESULTS = Path(__file__).resolve().parent / "results" / "samples-belong.json"
REQUIRED = 0.98  # of the classifier, on the test part
GOALS = {"vade-k10": 0.95, "lambda-hot": 0.97}
BATCH = 128


def classifier() -> nn.Module:
    """Two convolutions and two layers: enough for 99 % of MNIST's test part."""
    return nn.Sequential(
        nn.Unflatten(1, (1, 28, 28)),
        nn.Conv2d(1, 16, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * 49, 128),
        nn.ReLU(),
        nn.Linear(128, 10),
    )


def trained_classifier(seed: int, most_epochs: int) -> tuple[nn.Module, float]:
    """A classifier of real digits, and its share of right answers on the test part.

    Raises
    ------
    RunError
        If it does not reach 98 %.
    """
    dataset = load("mnist")
    assert dataset.labels is not None
    torch.manual_seed(seed)
    model = classifier()
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    train, test = np.flatnonzero(~dataset.is_test), np.flatnonzero(dataset.is_test)
    pixels = torch.from_numpy(dataset.as_float(np.arange(dataset.n_samples)).astype(np.float32))
    labels = torch.from_numpy(dataset.labels)
    order = np.random.default_rng(seed)
    right = 0.0
    for epoch in range(most_epochs):
        for rows in np.array_split(order.permutation(train), len(train) // BATCH):
            loss = nn.functional.cross_entropy(model(pixels[rows]), labels[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        answers = named(model, pixels[test].numpy())
        right = float((answers == dataset.labels[test]).mean())
        print(f"classifier, epoch {epoch + 1}: {100 * right:.2f} % of the test part", flush=True)
        if right >= REQUIRED + 0.005:
            break
    if right < REQUIRED:
        raise RunError(f"The classifier reached {100 * right:.2f} % only: give it more --epochs.")
    return model.eval(), right


@torch.inference_mode()
def named(model: nn.Module, samples: NDArray[Any]) -> NDArray[np.int64]:
    """What the classifier calls samples (n, 784)."""
    parts = torch.from_numpy(np.ascontiguousarray(samples, dtype=np.float32)).split(2000)
    return torch.cat([model(part).argmax(1) for part in parts]).numpy()


def shares_that_belong(
    generator: LatentModel,
    matched: Sequence[int],
    model: nn.Module,
    count: int,
    temperature: float,
    seed: int,
) -> list[float]:
    """By cluster, the share of its samples that the classifier calls what it is matched with."""
    shares = []
    for cluster, digit in enumerate(matched):
        samples = generator.sample(
            count, cluster=cluster, temperature=temperature, random_state=seed
        )
        shares.append(float((named(model, samples) == digit).mean()))
    return shares


def judged(run: Run, model: nn.Module, count: int, temperature: float, seed: int) -> dict[str, Any]:
    """How many of a run's samples are called what their cluster is matched with.

    Raises
    ------
    RunError
        If the run is not of MNIST, or has no model or no matched clusters.
    """
    if run.config.dataset != "mnist":
        raise RunError(f"{run.id} is of {run.config.dataset}: the classifier knows MNIST alone.")
    line = next((each for each in reversed(run.metrics()) if each.get("matched")), None)
    if line is None:
        raise RunError(f"{run.id} has no clusters that are matched with digits.")
    generator = load_model(run)
    if generator.prior_.n_clusters == 0:
        raise RunError(f"{run.id} has one prior for everything: no cluster can be asked for.")
    shares = shares_that_belong(generator, line["matched"], model, count, temperature, seed)
    return {
        "run": run.id,
        "acc": line["acc"],
        "samples_a_cluster": count,
        "temperature": temperature,
        "seed": seed,
        "belong": float(np.mean(shares)),
        "clusters": [
            {"cluster": cluster, "digit": int(digit), "belong": share}
            for cluster, (digit, share) in enumerate(zip(line["matched"], shares, strict=True))
        ],
    }


def table(found: Sequence[dict[str, Any]], accuracy: float) -> str:
    """The shares, a line a run."""
    lines = [
        f"Classifier: right on {100 * accuracy:.2f} % of MNIST's test part.",
        "",
        "| run | ACC | samples that belong | goal | weakest cluster |",
        "|---|---|---|---|---|",
    ]
    for each in found:
        worst = min(each["clusters"], key=lambda one: one["belong"])
        goal = GOALS.get(each["run"])
        name = "no digit" if worst["digit"] < 0 else f"{worst['digit']}"
        lines.append(
            f"| {each['run']} | {100 * each['acc']:.2f} | {100 * each['belong']:.2f} % | "
            f"{'' if goal is None else f'{100 * goal:.0f} %'} | "
            f"c{worst['cluster']} ({name}): {100 * worst['belong']:.0f} % |"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = Parser(prog="samples_belong", description=__doc__)
    parser.add_argument(
        "runs",
        nargs="*",
        type=Path,
        help="run folders; by default three recorded ones",
    )
    parser.add_argument("--count", type=positive, default=100, help="samples a cluster")
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=positive, default=8, help="of the classifier, at most")
    parser.add_argument("--out", type=Path, default=RESULTS, help="where the figures go, as JSON")
    try:
        asked = parser.parse_args(arguments)
        usual = [recorded_root() / name for name in ("vade-k10", "lambda-hot", "vade-paper")]
        runs = [Run(path) for path in asked.runs or usual]
        for run in runs:
            run.config  # noqa: B018 - a folder that is no run is said before the training
        model, accuracy = trained_classifier(asked.seed, asked.epochs)
        found = [judged(run, model, asked.count, asked.temperature, asked.seed) for run in runs]
    except (RunError, ValueError) as error:
        print(f"samples_belong: {error}", file=sys.stderr)
        return 2
    print(table(found, accuracy))
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    content = {"classifier": accuracy, "runs": found}
    asked.out.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
