"""The cells that train a VaDE or another model, and what all cells have in common."""

from __future__ import annotations

import contextlib
import inspect
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accuracy_plan import Cell
from assignments import packed
from numpy.typing import NDArray

from vade_core.communities import edge_information, neighbour_graph
from vade_core.configure import configure
from vade_core.data import Dataset
from vade_core.evaluation import epoch_scores, evaluate
from vade_core.initialise import diagonal_mixture
from vade_core.mixture import log_responsibilities
from vade_core.models import MODELS, LatentModel
from vade_core.rebuild import load_dataset, load_model
from vade_core.recorder import create_run, write_json
from vade_core.runs import BASELINE, UNTRAINED, Run, RunConfig, RunError, read_json
from vade_core.samples import Samples, dense
from vade_core.worker import Worker

ROOT = Path(__file__).resolve().parent.parent
SCORES = ("acc", "nmi", "rand_index", "ari", "purity")
# What the start of a training decides, or when it was: no part of what was asked for.
DECIDED = ("created", "versions", "precision", "threads")


RAW_SAMPLE = 10_000  # samples among which raw neighbours are looked for
RAW_NEIGHBOURS = 10


class Interrupted(Exception):
    """Somebody asked this process to end; it can go on later."""


def peak_rss_mib() -> float | None:
    """The most memory that this process has had resident, in MiB; None where nobody tells."""
    with contextlib.suppress(OSError):
        # Not getrusage: on Linux its figure is inherited from the process that started this one.
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return round(int(line.split()[1]) / 1024, 1)
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1024**2 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit, 1)


def commit() -> str | None:
    """The commit that computes, with ``-dirty`` where its code was changed since."""

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    try:
        code = ("vade_core", "benchmarks", ":!benchmarks/results")
        changed = git("status", "--porcelain", "--", *code)
        return git("rev-parse", "--short=12", "HEAD") + ("-dirty" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def where(device: str, config: RunConfig | None) -> dict[str, Any]:
    """Where it ran: a device, and what the figures of time and memory hang on."""
    gpu = device != "cpu" and torch.cuda.is_available()
    return {
        "device": torch.cuda.get_device_name() if gpu else "cpu",
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads() if config is None else config.threads,
        "precision": None if config is None else config.precision,
    }


class Attempts:
    """How often a cell was begun, by which commit, and the most memory that any attempt took.

    Parameters
    ----------
    path : Path
        Kept in the work folder, so that a cell that was killed does not forget.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        found = read_json(path) if path.exists() else []
        self.all: list[dict[str, Any]] = [*found, {"commit": commit(), "peak_rss_mib": None}]
        self.look()

    def look(self) -> None:
        """Take note of the memory."""
        self.all[-1]["peak_rss_mib"] = peak_rss_mib()
        write_json(self._path, self.all)

    @property
    def peak(self) -> float | None:
        """The highest peak, in MiB."""
        peaks = [attempt["peak_rss_mib"] for attempt in self.all]
        return max((peak for peak in peaks if peak is not None), default=None)

    @property
    def commits(self) -> list[str | None]:
        """The commits that took part, in order."""
        return list(dict.fromkeys(attempt["commit"] for attempt in self.all))


def settings(cell: Cell) -> RunConfig:
    """The configuration of a cell's training; no maps, and no more frames than must be."""
    recipe = cell.recipe
    accepted = inspect.signature(MODELS[cell.model].estimator).parameters
    device = {"device": cell.device} if "device" in accepted else {}  # or it has no networks
    config = configure(
        model=cell.model,
        dataset=cell.dataset,
        data_file=None if cell.data_file is None else Path(cell.data_file),
        clusters=cell.clusters,
        seed=cell.seed,
        preset=recipe.preset,
        subset=cell.subset,
        split=cell.split,
        lenses=[],
        max_frames=1,
        overrides={**recipe.changes, **cell.changes, **device},
        progress=say,
    )
    of_recipe = recipe.of(config.parameters, config.n_samples)
    config.parameters = {**of_recipe, **cell.changes}
    config.threads = cell.threads
    config.precision = None if cell.precision == "auto" else cell.precision
    return config


def opened(folder: Path, config: RunConfig) -> Run:
    """The run folder of this very configuration, begun or new; another one's is removed."""
    if folder.exists():
        with contextlib.suppress(RunError):
            run = Run(folder)
            same_precision = config.precision in (None, run.config.precision)
            if same_precision and _asked(run.config) == _asked(config):
                return run
        say("What was begun has other settings than these: it is begun anew.")
        shutil.rmtree(folder)
    return create_run(folder.parent, config, folder)


def _asked(config: RunConfig) -> dict[str, Any]:
    return {name: value for name, value in config.to_json().items() if name not in DECIDED}


def say(words: str) -> None:
    """Tell a person something."""
    with contextlib.suppress(OSError):  # whoever read along may have left
        print(f"  {words}", file=sys.stderr, flush=True)


def show(entry: Mapping[str, Any]) -> None:
    """An epoch, as it ends: on a terminal in one line, elsewhere only where a phase ends."""
    ends = entry["epoch"] == entry["epochs"] or entry["phase"] == "start"
    if entry["phase"] == UNTRAINED or (not sys.stderr.isatty() and not ends):
        return
    words = f"{entry['phase']} {entry['epoch']}/{entry['epochs']}"
    if entry.get("acc") is not None:
        words += f", ACC {100 * entry['acc']:.2f}"
    words += f", {entry['elapsed']:.0f} s in all"
    if sys.stderr.isatty():
        print(f"\r  {words}\033[K", end="\n" if ends else "", file=sys.stderr, flush=True)
    else:
        say(words)


# -- one cell ---------------------------------------------------------------------------------


Further = Callable[[LatentModel, Dataset, Run], Mapping[str, Any]]


def measured_run(
    cell: Cell, folder: Path, attempts: Attempts, further: Further | None = None
) -> dict[str, Any]:
    """Train a model in a run folder, and measure what it ended as: the last epoch counts.

    Parameters
    ----------
    cell : Cell
    folder : Path
        The cell's own, for work.
    attempts : Attempts
    further : callable, optional
        Measures more of the trained model; its entries come last.
    """
    config = settings(cell)
    run = opened(folder / "run", config)
    if run.status()["state"] != "finished":

        def listener(entry: dict[str, Any]) -> None:
            attempts.look()
            show(entry)

        if Worker(run, listener=listener).work() != "finished":
            raise Interrupted
        run = Run(run.path)  # what its start decided
    attempts.look()
    trained_peak = attempts.peak
    began = time.perf_counter()
    dataset = load_dataset(run.config)
    model = load_model(run)
    measured = evaluate(model, dataset)
    own = ownings(model, dataset, run.config)
    more = {} if further is None else further(model, dataset, run)
    lines = run.metrics()
    attempts.look()
    return {
        **facts(run.config, dataset),
        "scores": scores_of(measured),
        "start": start_scores(lines),
        "after_start": last_of(lines, "start"),
        "after_clamped": last_of(lines, "clamped"),
        "em_on_latents": own["em_on_latents"],
        "kmeans_on_data": read_json(run.path / BASELINE)["kmeans"]
        if (run.path / BASELINE).exists()
        else None,
        **{
            name: measured[name]
            for name in ("knn_error", "silhouette", "calinski_harabasz", "reconstruction")
        },
        "label_free": {
            **own["label_free"],
            "latent_edge_information": measured["edge_information"],
            "train": {name: lines[-1].get(name) for name in measured["loss_terms"]},
            "test": measured["loss_terms"],
            "val_loss": lines[-1].get("val_loss"),
            "start_agreement": lines[-1].get("start_agreement"),
            **start_findings(lines),
        },
        "assignments": own["assignments"],
        "curve": curve(lines, "acc", 4),
        "agreement_curve": curve(lines, "start_agreement", 4),
        "loss_curve": curve(lines, "loss", 3),
        "seconds": {
            **seconds(lines),
            "total": round(lines[-1]["elapsed"], 2),
            "evaluation": round(time.perf_counter() - began, 2),
        },
        "peak_rss_mib": trained_peak,
        "peak_rss_with_evaluation_mib": attempts.peak,
        "ran": where(run.config.parameters.get("device", "cpu"), run.config),
        **more,
    }


def facts(config: RunConfig, dataset: Dataset) -> dict[str, Any]:
    """What was asked for, in full."""
    return {
        "n_samples": dataset.n_samples,
        "n_features": dataset.n_features,
        "n_test": int(dataset.is_test.sum()),
        "subset": config.subset,
        "data_sha256": config.data_sha256,
        "clusters": config.clusters,
        "preset": config.preset,
        "parameters": config.parameters,
    }


def scores_of(measured: Mapping[str, Any]) -> dict[str, Any]:
    """The clustering scores, on all samples and on the test part."""
    names = [*SCORES, *(f"test_{name}" for name in SCORES)]
    return {name: measured.get(name) for name in names}


def ownings(model: LatentModel, dataset: Dataset, config: RunConfig) -> dict[str, Any]:
    """What only the latents of all samples tell: labels by EM on them, and clusters in use."""
    latents = model.transform(dataset.samples)
    clusters = model.responsibilities(latents).argmax(axis=1)
    sizes = np.bincount(clusters, minlength=config.clusters)
    by_em = em_on_latents(
        latents, ~dataset.is_test if config.split else None, config.clusters, config.seed
    )
    return {
        "em_on_latents": epoch_scores(dataset.labels, by_em, dataset.is_test),
        "assignments": packed(clusters),
        "label_free": {
            "n_clusters_used": int((sizes > 0).sum()),
            "sizes": sizes,
            "raw_edge_information": raw_edge_information(dataset.samples, clusters),
        },
    }


def raw_edge_information(samples: Samples, clusters: NDArray[np.int64]) -> float:
    """Edge information of clusters in the neighbour graph of the samples themselves, in nats.

    The graph is the same whatever was trained.

    Parameters
    ----------
    samples : ndarray or CSR matrix, shape (n, D)
        Of more than ``RAW_SAMPLE`` a seeded sample is looked at.
    clusters : ndarray of int64, shape (n,)

    Returns
    -------
    float
        0 for fewer than three samples.
    """
    n = samples.shape[0]
    if n < 3:
        return 0.0
    rows = np.arange(n)
    if n > RAW_SAMPLE:
        rows = np.sort(np.random.default_rng(0).choice(n, RAW_SAMPLE, replace=False))
    points = dense(samples[rows]).astype(np.float32)
    return edge_information(neighbour_graph(points, RAW_NEIGHBOURS), clusters[rows])


def em_on_latents(
    latents: NDArray[Any], trained: NDArray[np.bool_] | None, n_clusters: int, seed: int
) -> NDArray[np.int64]:
    """Clusters by a diagonal Gaussian mixture that EM fits to the final latents, (n,).

    The VaDE paper's other way to a label (section 3.3), in gamma's place.
    """
    points = np.asarray(latents, dtype=np.float64)
    fitted = diagonal_mixture(points if trained is None else points[trained], n_clusters, seed=seed)
    logs = log_responsibilities(
        torch.from_numpy(points),
        *(
            torch.from_numpy(np.ascontiguousarray(values))
            for values in (np.log(fitted.weights), fitted.means, np.log(fitted.variances))
        ),
    )
    return logs.argmax(dim=1).numpy()


# -- what a run's lines tell ------------------------------------------------------------------


def start_scores(lines: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Scores of the start's own clusters, on the samples that were trained on."""
    for line in lines:
        if line["phase"] == "start" and "start_acc" in line:
            return {name: line.get(f"start_{name}") for name in SCORES}
    return None


def start_findings(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """What the start found without labels."""
    line = next((line for line in lines if line["phase"] == "start"), {})
    return {
        "start_method": line.get("method"),
        "start_log_likelihood": line.get("log_likelihood"),
        "start_edge_information": line.get("edge_information"),
        "start_cluster_sizes": line.get("cluster_sizes"),
    }


def last_of(lines: list[dict[str, Any]], phase: str) -> dict[str, Any] | None:
    """Scores of VaDE's own clusters after a phase, as they were looked at between epochs."""
    of_phase = [line for line in lines if line["phase"] == phase]
    if not of_phase or of_phase[-1].get("acc") is None:
        return None
    return scores_of(of_phase[-1])


def by_phase(lines: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Lines by the name of their phase, without that of the untrained networks."""
    found: dict[str, list[dict[str, Any]]] = {}
    for line in lines:
        if line["phase"] != UNTRAINED:
            found.setdefault(line["phase"], []).append(line)
    return found


def curve(lines: list[dict[str, Any]], name: str, decimals: int) -> dict[str, list[float]]:
    """A figure epoch by epoch, by phase."""
    return {
        phase: values
        for phase, found in by_phase(lines).items()
        if (values := [round(line[name], decimals) for line in found if line.get(name) is not None])
    }


def seconds(lines: list[dict[str, Any]]) -> dict[str, float]:
    """Seconds of training by phase, looks between epochs left out."""
    return {
        phase: round(sum(line["seconds"] for line in found), 2)
        for phase, found in by_phase(lines).items()
    }
