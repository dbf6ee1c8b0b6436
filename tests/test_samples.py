"""Sparse samples are treated as the same samples dense, and never made dense as a whole."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import torch
from sklearn.base import clone

from vade_core.baselines import kmeans_on_data
from vade_core.data import DataError, Dataset, load, random_test_part
from vade_core.evaluation import evaluate
from vade_core.models import VAE, LambdaHot, LatentModel, VaDE
from vade_core.models.gmm import DataMixture
from vade_core.samples import SparseRows, chunks, from_device, in_training_type, to_device

FORMATS = ("bsr", "coo", "csc", "csr", "dia", "dok", "lil")
SMALL: dict[str, Any] = {
    "hidden": (12,),
    "latent_dim": 4,
    "batch_size": 32,
    "epochs": 2,
    "device": "cpu",
    "precision": "fp32",
}


def sparse_values(n: int = 120, n_features: int = 15) -> np.ndarray:
    """Values of which four in five are 0, on both sides of it, in three groups."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(n, n_features)) + (np.arange(n) % 3)[:, None]
    return np.where(rng.random(values.shape) < 0.2, values, 0).astype(np.float32)


def dataset(samples: Any) -> Dataset:
    n = samples.shape[0]
    return Dataset(
        name="words",
        samples=samples,
        labels=np.arange(n, dtype=np.int64) % 3,
        is_test=random_test_part(n),
        image_shape=None,
        likelihood="gaussian",
        source="made here",
        licence="none",
        class_names=("a", "b", "c"),
    )


def models() -> Iterator[LatentModel]:
    yield VAE(n_clusters=3, **SMALL)
    for pretraining in ("autoencoder", "stacked", "vae"):
        yield VaDE(
            n_clusters=3, pretraining=pretraining, pretrain_epochs=2, clamped_epochs=1, **SMALL
        )
    yield LambdaHot(**SMALL)


# Rows


@pytest.mark.parametrize("kind", [scipy.sparse.csr_array, scipy.sparse.csr_matrix])
def test_rows_are_those_of_the_dense_samples(kind: type) -> None:
    values = sparse_values()
    found = to_device(kind(values), "cpu")
    whole = to_device(values, "cpu")
    assert isinstance(found, SparseRows)
    assert isinstance(whole, torch.Tensor)
    assert len(found) == len(whole) == 120
    assert found.device == whole.device
    rows = torch.tensor([7, 0, 119, 7])
    assert torch.equal(found.index_select(0, rows), whole.index_select(0, rows))
    parts = list(found.split(50))
    assert [len(part) for part in parts] == [50, 50, 20]
    for part, expected in zip(parts, whole.split(50), strict=True):
        assert torch.equal(part, expected)
    assert np.shares_memory(from_device(found).data, found.matrix.data)
    assert np.shares_memory(from_device(whole), values)
    with pytest.raises(ValueError, match="dim must be 0"):
        found.index_select(1, rows)


def test_chunks_of_read_only_and_of_transposed_arrays() -> None:
    values = sparse_values()
    values.setflags(write=False)
    for given in (values, np.asfortranarray(values), scipy.sparse.csr_array(values)):
        found = torch.cat(list(chunks(given, 50)))
        assert np.array_equal(found.numpy(), values)


def test_training_type_keeps_grey_levels_and_narrows_the_rest() -> None:
    values = sparse_values()
    for given in (values.astype(np.float64), scipy.sparse.csr_array(values.astype(np.float64))):
        assert in_training_type(given).dtype == np.float32
    copy = in_training_type(values)
    assert not np.shares_memory(copy, values)
    matrix = scipy.sparse.csr_array(values)
    assert np.shares_memory(in_training_type(matrix).data, matrix.data)
    for grey in (values.astype(np.uint8), scipy.sparse.csr_array(values.astype(np.uint8))):
        assert in_training_type(grey).dtype == np.uint8


# The data set


def test_dataset_takes_rows_of_a_sparse_matrix() -> None:
    values = sparse_values()
    data, whole = dataset(scipy.sparse.csr_array(values)), dataset(values)
    assert (data.n_samples, data.n_features, data.n_classes) == (120, 15, 3)
    for part, expected in (
        (data.subset(40, 3), whole.subset(40, 3)),
        (data.train_part(), whole.train_part()),
        (data.test_part(), whole.test_part()),
    ):
        assert scipy.sparse.issparse(part.samples)
        assert part.samples.format == "csr"
        assert np.array_equal(part.as_float(), expected.samples)
        assert np.array_equal(part.labels, expected.labels)
    for rows in (None, slice(3, 9), np.array([5, 2]), data.is_test):
        found = data.as_float(rows)
        assert found.dtype == np.float32
        assert found.flags.writeable
        assert np.array_equal(found, whole.as_float(rows))


@pytest.mark.parametrize(
    "samples",
    [
        scipy.sparse.csc_array(sparse_values()),
        scipy.sparse.csr_array(sparse_values().astype(np.float64)),
        scipy.sparse.csr_array(sparse_values().astype(np.uint8)),
        scipy.sparse.coo_array(sparse_values()),
    ],
)
def test_other_sparse_samples_are_refused(samples: Any) -> None:
    with pytest.raises(DataError, match="CSR matrix of float32"):
        dataset(samples)


def test_kmeans_on_sparse_data_is_kmeans_on_the_data() -> None:
    values = sparse_values()
    found = kmeans_on_data(dataset(scipy.sparse.csr_array(values)), 3)
    assert np.array_equal(found, kmeans_on_data(dataset(values), 3))


# Models


@pytest.mark.parametrize(
    "model",
    list(models()),
    ids=lambda model: f"{type(model).__name__} {getattr(model, 'pretraining', '')}",
)
def test_sparse_and_dense_training_are_the_same(model: LatentModel) -> None:
    values = sparse_values()
    labels = np.arange(120) % 3
    matrix = scipy.sparse.csr_array(values)
    found, expected = clone(model).fit(matrix, labels), clone(model).fit(values, labels)
    assert [r.terms for r in found.reports_] == [r.terms for r in expected.reports_]
    assert [r.findings for r in found.reports_] == [r.findings for r in expected.reports_]
    assert len(found.reports_) >= 2
    for name, tensor in expected.tensors().items():
        assert torch.equal(found.tensors()[name], tensor), name
    assert found.likelihood_ == "gaussian"
    for wide in (np.float32, np.float64):
        given, dense = matrix.astype(wide), values.astype(wide)
        assert found.transform(given).dtype == wide
        assert np.array_equal(found.transform(given), expected.transform(dense))
        assert np.array_equal(found.predict(given), expected.predict(dense))
        assert np.array_equal(found.reconstruct(given), expected.reconstruct(dense))
        assert found.loss_terms(given, labels) == expected.loss_terms(dense, labels)
        for one, other in zip(found.posterior(given), expected.posterior(dense), strict=True):
            assert np.array_equal(one, other)
    if hasattr(expected, "labels_"):
        assert np.array_equal(found.labels_, expected.labels_)
    if model.supervised:
        assert found.score(matrix, labels) == expected.score(values, labels)
    else:
        assert found.score(matrix) == expected.score(values)
    assert evaluate(found, dataset(matrix)) == evaluate(expected, dataset(values))


def test_sparse_grey_levels_are_grey_levels() -> None:
    grey = (sparse_values() * 60).clip(0, 255).astype(np.uint8)
    model = VAE(n_clusters=3, **SMALL)
    found = model.fit(scipy.sparse.csr_array(grey)).transform(grey)
    assert model.likelihood_ == "bernoulli"
    assert np.array_equal(found, VAE(n_clusters=3, **SMALL).fit(grey).transform(grey))


def test_a_bernoulli_likelihood_needs_sparse_values_in_range_too() -> None:
    model = VAE(likelihood="bernoulli", **SMALL)
    with pytest.raises(ValueError, match="between 0 and 1"):
        model.fit(scipy.sparse.csr_array(sparse_values()))
    assert VAE(**SMALL).fit(abs(scipy.sparse.csr_array(sparse_values())) / 9).likelihood_ == (
        "bernoulli"
    )


@pytest.mark.parametrize("wide_indices", [False, True])
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "model",
    [VAE(n_clusters=3, **SMALL), VaDE(n_clusters=3, start="kmeans", pretrain_epochs=1, **SMALL)],
    ids=["VAE", "VaDE"],
)
def test_every_sparse_format_is_taken(model: LatentModel, form: str, wide_indices: bool) -> None:
    values = sparse_values(60)
    model.fit(values)
    expected = model.predict_proba(values)
    for kind in (scipy.sparse.csr_array, scipy.sparse.csr_matrix):
        given = kind(values).asformat(form)
        if wide_indices and form in ("csr", "csc"):
            given.indices = given.indices.astype(np.int64)
            given.indptr = given.indptr.astype(np.int64)
        elif wide_indices and form == "coo":
            given.row, given.col = given.row.astype(np.int64), given.col.astype(np.int64)
        elif wide_indices:
            continue
        model.fit(given)
        assert np.array_equal(model.predict_proba(given), expected)
        assert np.array_equal(model.predict(given), expected.argmax(axis=1))


# Memory


def test_a_whole_sparse_matrix_is_never_made_dense(monkeypatch: pytest.MonkeyPatch) -> None:
    n, n_features = 60_000, 1_000  # 240 MB dense
    rng = np.random.default_rng(0)
    matrix = scipy.sparse.random_array(
        (n, n_features), density=0.002, format="csr", dtype=np.float32, rng=rng
    )
    sizes: list[int] = []
    to_array = scipy.sparse.csr_array.toarray

    def counted(self: Any, *arguments: Any, **options: Any) -> np.ndarray:
        sizes.append(self.shape[0])
        return to_array(self, *arguments, **options)

    monkeypatch.setattr(scipy.sparse.csr_array, "toarray", counted)
    data = dataset(matrix * np.float32(3))
    model = VAE(n_clusters=2, hidden=(4,), latent_dim=2, epochs=1, batch_size=4096, device="cpu")
    tracemalloc.start()
    try:
        for _ in model.stream(data.train_part().samples):
            pass
        latents = model.latents(data.samples)
        model.update_clusters(latents[:500])
        model.loss_terms(data.test_part().samples)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert latents.shape == (n, 2)
    assert max(sizes) <= 4096
    assert sum(sizes) >= 2 * n
    assert peak < 60e6


def test_whole_numbers_in_8_bits_are_grey_levels_where_they_are_bright_enough() -> None:
    """The same numbers give the same model, whatever type they come in."""
    digits = load("digits")
    numbers = np.rint(digits.as_float()[:200] * 16).astype(np.float32)
    settings = {"hidden": (16,), "epochs": 2, "pretrain_epochs": 2, "random_state": 0}
    settings |= {"latent_dim": 3, "start_restarts": 1, "precision": "fp32"}
    for values, likelihood in ((numbers, "gaussian"), (numbers > 8, "bernoulli")):
        fitted = [VaDE(**settings).fit(values.astype(t)) for t in ("u1", "i8", "f4")]
        assert [one.likelihood_ for one in fitted] == [likelihood] * 3
        for one in fitted:
            for given in ("u1", "i8", "f4"):
                found = one.transform(values.astype(given))
                np.testing.assert_allclose(found, fitted[0].latents(values.astype("f4")), atol=1e-5)
    mixture = DataMixture(n_clusters=3, random_state=0)
    told = mixture.fit(numbers.astype("u1")).labels_
    np.testing.assert_array_equal(told, mixture.fit(numbers).labels_)

    # Pictures: divided by 255 in every method, and the same as values that are divided already.
    pictures = (numbers * 15).astype("u1")
    model = VaDE(**settings).fit(pictures)
    assert model.likelihood_ == "bernoulli"
    found = model.transform(pictures)
    np.testing.assert_allclose(found, model.transform(pictures / np.float32(255)), atol=1e-5)
    dark = np.minimum(pictures, 20)  # of this model it is a picture all the same
    np.testing.assert_allclose(
        model.transform(dark), model.transform(dark / np.float32(255)), atol=1e-5
    )
    with pytest.warns(UserWarning, match="from 0 to 240, and the model was trained on values betw"):
        model.predict(pictures.astype(int))
    # Trained on values that were divided, it knows pictures, too.
    other = VaDE(**settings).fit(pictures / np.float32(255))
    np.testing.assert_allclose(
        other.transform(pictures), other.transform(pictures / np.float32(255)), atol=1e-5
    )
