"""All metrics of a trained model on a data set."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from vade_core import metrics
from vade_core.communities import edge_information, neighbour_graph
from vade_core.data import Dataset
from vade_core.models.base import CHUNK, LatentModel
from vade_core.samples import Samples, chunks
from vade_core.training import as_float

KNN = (3, 5, 10)


def epoch_scores(
    labels: NDArray[np.int64] | None,
    clusters: NDArray[np.int64] | None,
    is_test: NDArray[np.bool_],
) -> dict[str, float | None]:
    """Clustering scores on all samples and, as ``test_...``, on the test part; None without
    labels or clusters."""
    names = ("acc", "nmi", "rand_index", "ari", "purity")
    if labels is None or clusters is None:
        return {f"{part}{name}": None for part in ("", "test_") for name in names}
    scores: dict[str, float | None] = dict(metrics.clustering_scores(labels, clusters))
    if is_test.any():
        on_test = metrics.clustering_scores(labels[is_test], clusters[is_test])
        scores |= {f"test_{name}": value for name, value in on_test.items()}
    else:
        scores |= {f"test_{name}": None for name in names}
    return scores


def evaluate(model: LatentModel, dataset: Dataset) -> dict[str, Any]:
    """Everything that is measured of a final model.

    Parameters
    ----------
    model : LatentModel
        Trained.
    dataset : Dataset

    Returns
    -------
    dict
        ``acc``, ``nmi``, ``rand_index``, ``ari``, ``purity`` on all samples and as ``test_...``
        on the test part; ``edge_information``, in nats, of the clusters of all samples in the
        neighbour graph of their latents, for which no label is needed; ``silhouette`` and
        ``calinski_harabasz`` of the test part's latents with the true labels, as Czerwonski has
        them; ``knn_error`` by k, fitted on the train part and counted on the test part;
        ``reconstruction``, the cross-entropy or negative log-density of the reconstruction at the
        posterior mean, in nats a sample, on the test part; the loss terms there. What needs labels
        is None without them. No times and no paths, so that equal models give equal dicts.
    """
    latents = model.transform(dataset.samples)
    clusters = model.responsibilities(latents).argmax(axis=1).astype(np.int64)
    labels, is_test = dataset.labels, dataset.is_test
    found: dict[str, Any] = dict(epoch_scores(labels, clusters, is_test))
    found["edge_information"] = edge_information(neighbour_graph(latents), clusters)
    part = is_test if is_test.any() else np.ones(dataset.n_samples, dtype=bool)
    found["silhouette"] = found["calinski_harabasz"] = None
    found["knn_error"] = dict.fromkeys(map(str, KNN))
    if labels is not None:
        found["silhouette"] = metrics.silhouette(latents[part], labels[part])
        found["calinski_harabasz"] = metrics.calinski_harabasz(latents[part], labels[part])
        if is_test.any() and (~is_test).sum() > max(KNN):
            errors = metrics.knn_error(
                latents[~is_test], labels[~is_test], latents[is_test], labels[is_test], ks=KNN
            )
            found["knn_error"] = {str(k): errors[k] for k in KNN}
    found["reconstruction"] = reconstruction_error(model, dataset.samples[part], latents[part])
    given = labels[part] if model.supervised and labels is not None else None
    found["loss_terms"] = model.loss_terms(dataset.samples[part], given)
    return found


def reconstruction_error(model: LatentModel, samples: Samples, latents: NDArray[Any]) -> float:
    """-log p(x|z) at the posterior mean, in nats a sample: no draw, no prior."""
    total = 0.0
    with torch.inference_mode():
        for rows, z in zip(chunks(samples, CHUNK), chunks(latents, CHUNK), strict=True):
            x = as_float(rows)
            total += float(model.negative_log_likelihood(x, z.float()).sum())
    return total / samples.shape[0]
