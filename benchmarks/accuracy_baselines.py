"""The baselines' cells: mixtures on pretrained latents, and a mixture on the data."""

from __future__ import annotations

import inspect
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from accuracy_plan import Cell
from accuracy_runs import Attempts, facts, opened, say, scores_of, settings, show, where
from numpy.typing import NDArray

from vade_core.baselines import DataMixture, LatentMixture
from vade_core.data import Dataset
from vade_core.evaluation import epoch_scores, evaluate
from vade_core.rebuild import load_dataset
from vade_core.recorder import Checkpoint, Recorder
from vade_core.runs import CHECKPOINT, Run, RunConfig
from vade_core.training import EpochReport


def measured_baseline(cell: Cell, work: Path, attempts: Attempts) -> dict[str, Any]:
    """Compute and measure a baseline's cell.

    Parameters
    ----------
    cell : Cell
    work : Path
        Below it lie the networks that baselines of one seed share.
    attempts : Attempts
    """
    config = settings(cell)
    shared = cell.pretrained
    if shared is None:
        return _on_data(config, attempts)
    return _on_latents(config, work / shared, attempts)


def _on_data(config: RunConfig, attempts: Attempts) -> dict[str, Any]:
    dataset = load_dataset(config)
    trained = dataset.train_part() if config.split else dataset
    values = trained.as_float()  # sparse samples become dense here
    began = time.perf_counter()
    model = DataMixture(n_clusters=config.clusters, random_state=config.seed).fit(values)
    seconds = round(time.perf_counter() - began, 2)
    attempts.look()
    clusters = _clusters(model.labels_, model, dataset, config.split)
    config = replace(config, parameters=model.get_params())
    return {
        **facts(config, dataset),
        "scores": epoch_scores(dataset.labels, clusters, dataset.is_test),
        "label_free": {
            **_sizes(clusters, config.clusters),
            "start_log_likelihood": model.score(values),
        },
        "seconds": {"start": seconds, "total": seconds},
        "peak_rss_mib": attempts.peak,
        "ran": where("cpu", None),
    }


def _on_latents(config: RunConfig, shared: Path, attempts: Attempts) -> dict[str, Any]:
    accepted = inspect.signature(LatentMixture).parameters
    parameters = {k: v for k, v in config.parameters.items() if k in accepted}
    # One run of the pretraining serves every start.
    run = opened(shared, replace(config, parameters={**parameters, "start": "gmm"}))
    dataset = load_dataset(config)
    trained = dataset.train_part() if config.split else dataset
    model = LatentMixture(**parameters)
    if config.precision is not None:
        model.set_params(precision=config.precision)
    start = _started(model, trained, run, config.threads, attempts)
    trained_peak = attempts.peak

    began = time.perf_counter()
    labels = model.start_clusters_
    final = LatentMixture(**parameters)  # measured on the CPU, wherever it was trained
    final.restore(dataset.n_features, model.likelihood_, model.tensors())
    measured = evaluate(final, dataset)
    clusters = _clusters(labels, final, dataset, config.split)
    predicted = final.predict(trained.samples)
    lines = run.metrics()
    pretraining = round(sum(line["seconds"] for line in lines), 2)
    config.precision = model.precision_
    attempts.look()
    return {
        **facts(replace(config, parameters=parameters), dataset),
        "scores": epoch_scores(dataset.labels, clusters, dataset.is_test),
        "predict": scores_of(measured),
        **{
            name: measured[name]
            for name in ("knn_error", "silhouette", "calinski_harabasz", "reconstruction")
        },
        "label_free": {
            **_sizes(clusters, config.clusters),
            "train": {"reconstruction": lines[-1]["loss"]},
            "start_method": start.findings.get("method"),
            "start_log_likelihood": start.findings.get("log_likelihood"),
            "predict_agrees_with_start": float(np.mean(predicted == labels)),
        },
        "loss_curve": {"pretrain": [round(line["loss"], 3) for line in lines]},
        "seconds": {
            "pretrain": pretraining,
            "start": round(start.seconds, 2),
            "total": round(pretraining + start.seconds, 2),
            "evaluation": round(time.perf_counter() - began, 2),
        },
        "peak_rss_mib": trained_peak,
        "peak_rss_with_evaluation_mib": attempts.peak,
        "ran": where(parameters["device"], config),
    }


def _started(
    model: LatentMixture,
    trained: Dataset,
    run: Run,
    threads: int | None,
    attempts: Attempts,
) -> EpochReport:
    """Pretrain in a run folder, from its last epoch, then start the mixture: its report."""
    import torch

    if threads is not None:
        torch.set_num_threads(threads)
    training = model.stream(trained.samples)
    recorder = Recorder(run)
    reports, elapsed = 0, 0.0
    try:
        if (run.path / CHECKPOINT).exists():
            say("The networks are pretrained, or begun.")
            checkpoint = Checkpoint(run)
            model.load_tensors(checkpoint.model)
            training.restore(checkpoint.position, checkpoint.optimiser)
            reports, elapsed = checkpoint.reports, checkpoint.elapsed
        recorder.rewind(reports)
        for report in training:
            attempts.look()
            entry = {
                **{"report": reports, "phase": report.phase, "stage": report.stage},
                **{"epoch": report.epoch, "epochs": report.epochs, "seconds": report.seconds},
                **report.terms,
            }
            elapsed += report.seconds
            show({**entry, "elapsed": elapsed})
            if report.phase == "start":
                return report
            recorder.line(entry)
            reports += 1
            position = training.position
            state = training.optimiser_state()
            recorder.checkpoint(model.tensors(), state, position, reports, elapsed)
    finally:
        recorder.close()
    raise ValueError("The training ended before its start.")


def _clusters(
    labels: NDArray[np.int64], model: DataMixture | LatentMixture, dataset: Dataset, split: bool
) -> NDArray[np.int64]:
    """A cluster for every sample: the fit's own where it was trained on, predicted elsewhere."""
    if not split:
        return labels
    test = dataset.test_part()
    found = np.empty(dataset.n_samples, dtype=np.int64)
    found[~dataset.is_test] = labels
    given = test.as_float() if isinstance(model, DataMixture) else test.samples
    found[dataset.is_test] = model.predict(given)
    return found


def _sizes(clusters: NDArray[np.int64], n_clusters: int) -> dict[str, Any]:
    sizes = np.bincount(clusters, minlength=n_clusters)
    return {"n_clusters_used": int((sizes > 0).sum()), "sizes": sizes}
