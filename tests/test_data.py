"""Data sets: what is shipped is the original, splits ignore labels, bad files are refused."""

from __future__ import annotations

import dataclasses
import gzip
import io
import os
import shutil
import struct
import subprocess
import sys
import time
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from urllib.error import URLError

import numpy as np
import pytest
import sklearn.datasets

from vade_core.data import (
    DATASETS,
    DataError,
    Dataset,
    catalogue,
    load,
    load_file,
    random_test_part,
    read_idx,
)

MNIST_FILES = tuple(catalogue.MNIST_SHA256)


@pytest.fixture(scope="module")
def mnist() -> Dataset:
    return load("mnist")


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load("digits")


def small(n: int = 700, *, labelled: bool = True, seed: int = 0) -> Dataset:
    """A data set whose only feature is its row number, so that rows can be followed."""
    labels = np.random.default_rng(seed).choice(3, n, p=[0.7, 0.2, 0.1]).astype(np.int64)
    return Dataset(
        name="small",
        samples=np.arange(n, dtype=np.float32)[:, None],
        labels=labels if labelled else None,
        is_test=random_test_part(n),
        image_shape=None,
        likelihood="gaussian",
        source="made here",
        licence="none",
        class_names=("a", "b", "c") if labelled else None,
    )


def rows_of(data: Dataset) -> np.ndarray:
    return data.samples[:, 0].astype(int)


# MNIST


def test_mnist_has_the_original_counts(mnist: Dataset) -> None:
    assert mnist.samples.shape == (70_000, 784)
    assert mnist.samples.dtype == np.uint8
    assert mnist.image_shape == (28, 28)
    assert mnist.n_classes == 10
    assert mnist.likelihood == "bernoulli"
    counts = [6903, 7877, 6990, 7141, 6824, 6313, 6876, 7293, 6825, 6958]
    assert np.bincount(mnist.labels).tolist() == counts
    assert not mnist.is_test[:60_000].any()
    assert mnist.is_test[60_000:].all()
    assert np.bincount(mnist.test_part().labels)[0] == 980


def test_mnist_equals_an_independent_reading(mnist: Dataset) -> None:
    for prefix, rows in (("train", slice(0, 60_000)), ("t10k", slice(60_000, 70_000))):
        pictures = gzip.decompress(
            (catalogue.MNIST_FOLDER / f"{prefix}-images-idx3-ubyte.gz").read_bytes()
        )
        labels = gzip.decompress(
            (catalogue.MNIST_FOLDER / f"{prefix}-labels-idx1-ubyte.gz").read_bytes()
        )
        assert mnist.samples[rows].tobytes() == pictures[16:]
        assert mnist.labels[rows].tolist() == list(labels[8:])


def test_mnist_loads_in_less_than_a_second() -> None:
    seconds = []
    for _ in range(2):
        # Processor time: what else runs on the machine does not count.
        start = time.process_time()
        load("mnist")
        seconds.append(time.process_time() - start)
    assert min(seconds) < 1.0


@pytest.mark.parametrize("file", MNIST_FILES)
@pytest.mark.parametrize("harm", ["missing", "changed", "truncated", "repacked"])
def test_broken_mnist_is_named(
    file: str, harm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in MNIST_FILES:
        shutil.copyfile(catalogue.MNIST_FOLDER / name, tmp_path / name)
    content = bytearray((tmp_path / file).read_bytes())
    if harm == "missing":
        (tmp_path / file).unlink()
    elif harm == "changed":
        content[len(content) // 2] ^= 1
        (tmp_path / file).write_bytes(content)
    elif harm == "truncated":
        (tmp_path / file).write_bytes(content[:-100])
    else:
        # Another time stamp in gzip's header: only the sum can tell.
        content[4] ^= 1
        (tmp_path / file).write_bytes(content)
    monkeypatch.setattr(catalogue, "MNIST_FOLDER", tmp_path)
    with pytest.raises(DataError, match=file):
        load("mnist")


# The IDX reader


def idx(
    values: np.ndarray, *, zeros: int = 0, code: int = 8, dims: tuple[int, ...] | None = None
) -> bytes:
    dims = values.shape if dims is None else dims
    return struct.pack(f">HBB{len(dims)}I", zeros, code, len(dims), *dims) + values.tobytes()


VALUES = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


def test_idx_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(idx(VALUES)))
    assert np.array_equal(read_idx(path, (2, 3, 4)), VALUES)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (gzip.compress(idx(VALUES, zeros=1)), "magic"),
        (gzip.compress(idx(VALUES, code=0x0D)), "unsigned bytes"),
        (gzip.compress(idx(VALUES, dims=(24,))), "1 dimensions"),
        (gzip.compress(idx(VALUES, dims=(2, 4, 3))), r"\(2, 4, 3\)"),
        (gzip.compress(idx(VALUES)[:-1]), "truncated"),
        (gzip.compress(idx(VALUES)[:9]), "truncated inside its header"),
        (gzip.compress(idx(VALUES))[:-4], "truncated before its checksum"),
        (gzip.compress(idx(VALUES) + b"x"), "longer"),
        (idx(VALUES), "gzip"),
        (b"", "truncated"),
    ],
    # Names that stay: what is packed carries its time.
    ids=lambda part: part if isinstance(part, str) else "file",
)
def test_bad_idx_is_refused_by_name(content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "some-idx.gz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=words) as caught:
        read_idx(path, (2, 3, 4))
    assert "some-idx.gz" in str(caught.value)


# Digits, Fashion-MNIST, the catalogue


def test_digits_are_scaled_grey_levels(digits: Dataset) -> None:
    original = sklearn.datasets.load_digits()
    assert digits.samples.shape == (1797, 64)
    assert digits.samples.dtype == np.uint8
    assert digits.samples.max() == 255
    for level in range(17):
        found = np.unique(digits.samples[original.data == level])
        assert found.tolist() == [round(level * 255 / 16)]
    assert digits.labels.tolist() == original.target.tolist()
    assert digits.is_test.sum() == 257


def test_catalogue_tells_the_truth(mnist: Dataset, digits: Dataset) -> None:
    names = ["mnist", "digits", "fashion_mnist", "synthetic", "har", "stl10"]
    assert list(DATASETS) == [*names, "reuters10k", "reuters"]
    for name, entry in DATASETS.items():
        assert entry.name == name
    for data in (mnist, digits):
        entry = DATASETS[data.name]
        for field in ("n_samples", "n_features", "n_classes", "likelihood", "source", "licence"):
            assert getattr(entry, field) == getattr(data, field)


def test_unknown_name_lists_the_known() -> None:
    with pytest.raises(DataError, match=r'"mnits".*mnist, digits, fashion_mnist'):
        load("mnits")


def openml_answer(seed: int = 0) -> SimpleNamespace:
    """Pictures of Fashion-MNIST's shape and class sizes, as scikit-learn hands them over."""
    rng = np.random.default_rng(seed)
    labels = np.concatenate(
        [rng.permutation(np.repeat(np.arange(10), size)) for size in (6_000, 1_000)]
    )
    templates = rng.integers(0, 256, (10, 784)).astype(np.float32)
    return SimpleNamespace(data=templates[labels], target=labels.astype(str).astype(object))


def without_fashion_mnist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(catalogue, "FASHION_MNIST_FOLDER", tmp_path / "nowhere")
    monkeypatch.setenv("VADE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "fashion_mnist.npz"


def test_fashion_mnist_is_fetched_once_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached = without_fashion_mnist(tmp_path, monkeypatch)
    answer = openml_answer()
    calls: list[str] = []

    def fetch(name: str, **options: object) -> SimpleNamespace:
        assert options["cache"] is False
        calls.append(name)
        return answer

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch)
    said: list[str] = []
    first = load("fashion_mnist", progress=said.append)
    second = load("fashion_mnist", progress=said.append)
    assert calls == ["Fashion-MNIST"]
    assert len(said) == 1
    assert "OpenML" in said[0]
    assert [path.name for path in cached.parent.iterdir()] == ["fashion_mnist.npz"]
    for data in (first, second):
        assert data.samples.dtype == np.uint8
        assert np.array_equal(data.samples, answer.data)
        assert data.labels.tolist() == answer.target.astype(int).tolist()
        assert np.flatnonzero(data.is_test).tolist() == list(range(60_000, 70_000))
        assert data.class_names is not None
        assert data.class_names[0] == "T-shirt/top"

    cached.write_bytes(cached.read_bytes()[:1000])
    assert np.array_equal(load("fashion_mnist").samples, answer.data)
    assert len(calls) == 2


@pytest.mark.parametrize("harm", ["class sizes", "order", "values", "shape"])
def test_wrong_download_is_refused(
    harm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached = without_fashion_mnist(tmp_path, monkeypatch)
    answer = openml_answer()
    if harm == "class sizes":
        answer.target[np.flatnonzero(answer.target == "0")[0]] = "1"
    elif harm == "order":
        answer.target = np.sort(answer.target)
    elif harm == "values":
        answer.data[5, 5] = 0.5
    else:
        answer.data = answer.data[:, 1:]
    monkeypatch.setattr(sklearn.datasets, "fetch_openml", lambda *_, **__: answer)
    with pytest.raises(DataError, match="OpenML"):
        load("fashion_mnist")
    assert not cached.exists()


@pytest.mark.parametrize(
    "error", [URLError("no route"), TimeoutError(), ConnectionResetError(), ValueError("no data")]
)
def test_offline_says_what_to_do(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_fashion_mnist(tmp_path, monkeypatch)

    def fetch(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch)
    with pytest.raises(DataError, match=r"go online once.*dataset-fashion-mnist"):
        load("fashion_mnist")


def test_cache_that_cannot_be_written_is_no_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_fashion_mnist(tmp_path, monkeypatch)
    (tmp_path / "cache").write_text("a file where a folder should be")
    answer = openml_answer()
    monkeypatch.setattr(sklearn.datasets, "fetch_openml", lambda *_, **__: answer)
    said: list[str] = []
    assert load("fashion_mnist", progress=said.append).n_samples == 70_000
    assert "could not be kept" in said[-1]


HAR_SIZES = (1722, 1544, 1406, 1777, 1906, 1944)


def har_answer() -> SimpleNamespace:
    """Values of HAR's shape and class sizes, as scikit-learn hands them over."""
    rng = np.random.default_rng(0)
    codes = rng.permutation(np.repeat(np.arange(1, 7), HAR_SIZES))
    values = rng.uniform(-1, 1, (len(codes), 561))
    return SimpleNamespace(data=values, target=codes.astype(str).astype(object))


def test_har_is_fetched_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VADE_CACHE", str(tmp_path))
    answer = har_answer()
    calls: list[str] = []

    def fetch(name: str, **options: object) -> SimpleNamespace:
        assert options["version"] == 1
        calls.append(name)
        return answer

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch)
    said: list[str] = []
    first = load("har", progress=said.append)
    second = load("har", progress=said.append)
    assert calls == ["har"]
    assert said == ["Fetching HAR from OpenML, once; this takes about a minute."]
    assert [path.name for path in tmp_path.iterdir()] == ["har.npz"]
    entry = DATASETS["har"]
    for data in (first, second):
        assert data.samples.dtype == np.float32
        assert np.array_equal(data.samples, answer.data.astype(np.float32))
        assert data.labels.tolist() == (answer.target.astype(int) - 1).tolist()
        assert tuple(np.bincount(data.labels)) == HAR_SIZES
        assert (data.n_samples, data.n_features, data.n_classes) == (10_299, 561, 6)
        assert (data.likelihood, data.image_shape) == ("gaussian", None)
        for field in ("n_samples", "n_features", "n_classes", "likelihood", "source", "licence"):
            assert getattr(entry, field) == getattr(data, field)

    (tmp_path / "har.npz").write_bytes((tmp_path / "har.npz").read_bytes()[:1000])
    assert np.array_equal(load("har").samples, first.samples)
    assert len(calls) == 2


def test_har_has_no_test_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VADE_CACHE", str(tmp_path))
    monkeypatch.setattr(sklearn.datasets, "fetch_openml", lambda *_, **__: har_answer())
    data = load("har")
    assert data.train_part().n_samples == data.n_samples
    assert data.subset(100).train_part().n_samples == 100
    with pytest.raises(DataError, match="no test part"):
        data.test_part()


@pytest.mark.parametrize("harm", ["class sizes", "not a number", "shape", "texts", "code"])
def test_wrong_har_is_refused(harm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VADE_CACHE", str(tmp_path))
    answer = har_answer()
    if harm == "class sizes":
        answer.target[np.flatnonzero(answer.target == "1")[0]] = "2"
    elif harm == "not a number":
        answer.data[5, 5] = np.nan
    elif harm == "shape":
        answer.data = answer.data[:, 1:]
    elif harm == "texts":
        answer.data = answer.data.astype(object)
    else:
        answer.target[0] = "0"
    monkeypatch.setattr(sklearn.datasets, "fetch_openml", lambda *_, **__: answer)
    with pytest.raises(DataError, match="HAR"):
        load("har")
    assert not list(tmp_path.iterdir())


def test_har_offline_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VADE_CACHE", str(tmp_path))

    def fetch(*_: object, **__: object) -> None:
        raise URLError("no route")

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch)
    with pytest.raises(DataError, match=r"HAR is not on this computer.*go online once"):
        load("har")


def test_fashion_mnist_from_debian() -> None:
    if not catalogue.FASHION_MNIST_FOLDER.is_dir():
        pytest.skip("Debian's package dataset-fashion-mnist is not installed")
    data = load("fashion_mnist")
    assert data.samples.shape == (70_000, 784)
    assert np.bincount(data.labels).tolist() == [7_000] * 10
    # The first training picture is known to be an ankle boot.
    assert data.class_names is not None
    assert data.class_names[data.labels[0]] == "Ankle boot"


def test_cache_folder_follows_the_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VADE_CACHE", "chosen")
    assert catalogue.cache_folder() == Path("chosen")
    monkeypatch.delenv("VADE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "xdg")
    monkeypatch.setenv("LOCALAPPDATA", "local")
    places = {
        "linux": Path("xdg") / "vade-explorer",
        "darwin": Path.home() / "Library" / "Caches" / "vade-explorer",
        "win32": Path("local") / "vade-explorer",
    }
    for platform, place in places.items():
        monkeypatch.setattr(sys, "platform", platform)
        assert catalogue.cache_folder() == place


def test_import_is_light() -> None:
    code = (
        "import sys, vade_core.data; "
        "print([name for name in ('torch', 'sklearn', 'streamlit') if name in sys.modules])"
    )
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


# Dataset


def test_random_test_part_is_a_seeded_seventh() -> None:
    assert random_test_part(700).sum() == 100
    assert np.array_equal(random_test_part(700), random_test_part(700))
    assert not np.array_equal(random_test_part(700), random_test_part(700, seed=1))
    # Spread over the rows, not their tail.
    assert 20 < random_test_part(700)[:350].sum() < 80


def test_parts_divide_the_rows() -> None:
    data = small()
    train, test = data.train_part(), data.test_part()
    assert np.array_equal(rows_of(train), np.flatnonzero(~data.is_test))
    assert np.array_equal(rows_of(test), np.flatnonzero(data.is_test))
    assert np.array_equal(train.labels, data.labels[~data.is_test])
    assert test.is_test.all()
    assert not train.is_test.any()
    with pytest.raises(DataError, match="no test part"):
        train.test_part()
    with pytest.raises(DataError, match="no training part"):
        test.train_part()


def test_subset_keeps_order_shares_and_labels() -> None:
    data = small()
    part = data.subset(140)
    rows = rows_of(part)
    assert part.n_samples == 140
    assert (np.diff(rows) > 0).all()
    assert part.is_test.sum() == 20
    assert np.array_equal(part.is_test, data.is_test[rows])
    assert np.array_equal(part.labels, data.labels[rows])
    assert part.n_classes == 3
    assert part.subset(140) is part


def test_subset_is_seeded_and_nested() -> None:
    data = small()
    assert np.array_equal(rows_of(data.subset(100, 3)), rows_of(data.subset(100, 3)))
    assert not np.array_equal(rows_of(data.subset(100, 3)), rows_of(data.subset(100, 4)))
    assert set(rows_of(data.subset(50, 3))) < set(rows_of(data.subset(100, 3)))


def test_subset_empties_neither_part() -> None:
    data = dataclasses.replace(small(), is_test=np.arange(700) == 5)
    assert data.subset(20).is_test.sum() == 1
    data = dataclasses.replace(small(), is_test=np.arange(700) != 5)
    assert data.subset(20).is_test.sum() == 19


def test_labels_have_no_say_in_subset_or_split(tmp_path: Path) -> None:
    data = small()
    other = dataclasses.replace(data, labels=np.random.default_rng(9).permutation(data.labels))
    unlabelled = small(labelled=False)
    for size in (20, 140, 699):
        rows = rows_of(data.subset(size, 7))
        assert np.array_equal(rows, rows_of(other.subset(size, 7)))
        assert np.array_equal(rows, rows_of(unlabelled.subset(size, 7)))
    np.savez(tmp_path / "a.npz", X=data.samples, y=data.labels)
    np.savez(tmp_path / "b.npz", X=data.samples, y=other.labels)
    assert np.array_equal(
        load_file(tmp_path / "a.npz").is_test, load_file(tmp_path / "b.npz").is_test
    )


@pytest.mark.parametrize(("n", "words"), [(19, "too few"), (0, "too few"), (701, "too many")])
def test_subset_refuses_sizes(n: int, words: str) -> None:
    with pytest.raises(DataError, match=words):
        small().subset(n)


def test_stage_set_gives_each_class_its_share(mnist: Dataset) -> None:
    rows = mnist.stage_set()
    assert rows.shape == (2000,)
    assert (np.diff(rows) > 0).all()
    shares = np.bincount(mnist.labels) * 2000 / 70_000
    assert np.abs(np.bincount(mnist.labels[rows]) - shares).max() < 1
    assert np.array_equal(rows, mnist.stage_set())
    assert not np.array_equal(rows, mnist.stage_set(seed=1))
    # Drawn from all of the rows, test part included.
    assert 200 < mnist.is_test[rows].sum() < 380


def test_stage_set_without_labels_or_with_few_rows() -> None:
    rows = small(labelled=False).stage_set(100)
    assert rows.size == 100
    assert (np.diff(rows) > 0).all()
    assert small().stage_set(700).tolist() == list(range(700))
    with pytest.raises(DataError, match="at least 1"):
        small().stage_set(0)


def test_as_float_scales_grey_levels_only(digits: Dataset) -> None:
    values = digits.as_float()
    assert values.dtype == np.float32
    assert (values.min(), values.max()) == (0.0, 1.0)
    np.testing.assert_allclose(values * 255, digits.samples, atol=1e-4)
    assert np.array_equal(digits.as_float(np.array([3, 1])), values[[3, 1]])
    assert np.array_equal(digits.as_float(slice(2, 5)), values[2:5])
    data = small()
    changed = data.as_float()
    changed += 1
    assert np.array_equal(rows_of(data), np.arange(700))
    assert np.array_equal(data.as_float(data.is_test), data.samples[data.is_test])


def test_n_classes_without_names_and_without_labels() -> None:
    assert dataclasses.replace(small(), class_names=None).n_classes == 3
    assert small(labelled=False).n_classes is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"samples": np.zeros((700, 1))}, "uint8 or float32"),
        ({"samples": np.zeros(700, np.float32)}, "uint8 or float32"),
        ({"is_test": np.zeros(699, bool)}, "is_test"),
        ({"image_shape": (2, 3)}, "image_shape"),
        ({"image_shape": (-1, -1)}, "image_shape"),
        ({"likelihood": "poisson"}, "likelihood"),
        ({"labels": np.zeros(699, np.int64)}, "labels"),
        ({"labels": np.full(700, 3)}, "labels"),
        ({"labels": np.full(700, -1)}, "labels"),
        ({"labels": None}, "class_names"),
    ],
)
def test_contradictory_parts_are_refused(change: dict[str, object], words: str) -> None:
    with pytest.raises(DataError, match=words):
        dataclasses.replace(small(), **change)


# A person's own file

RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 6))


def save(tmp_path: Path, **arrays: object) -> Path:
    path = tmp_path / "My Data (3).npz"
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


def test_own_file_with_everything(tmp_path: Path) -> None:
    data = load_file(str(save(tmp_path, X=X, y=np.arange(30) % 3 + 5)))
    assert data.name == "my-data-3"
    assert data.source == "file My Data (3).npz"
    assert data.licence == "unknown (yours)"
    assert data.samples.dtype == np.float32
    assert np.array_equal(data.samples, X.astype(np.float32))
    assert data.likelihood == "gaussian"
    assert data.image_shape is None
    assert data.labels.tolist() == (np.arange(30) % 3).tolist()
    assert data.class_names == ("5", "6", "7")
    assert data.is_test.sum() == 4


def test_own_file_without_labels(tmp_path: Path) -> None:
    data = load_file(save(tmp_path, X=X))
    assert (data.labels, data.class_names, data.n_classes) == (None, None, None)


@pytest.mark.parametrize(
    ("stem", "name"),
    [("Größe 2", "grosse-2"), ("---", "data"), ("a__B.c", "a-b-c"), ("数", "data")],
)
def test_names_are_slugs(stem: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / f"{stem}.npz"
    np.savez(path, X=X)
    assert load_file(path).name == name


@pytest.mark.parametrize(
    ("values", "likelihood"),
    [
        (RNG.integers(0, 256, (30, 6)).astype(np.uint8), "bernoulli"),
        (RNG.random((30, 6)), "bernoulli"),
        (RNG.random((30, 6)) > 0.5, "bernoulli"),
        (RNG.random((30, 6)) + 0.2, "gaussian"),
        (RNG.random((30, 6)) - 0.2, "gaussian"),
        (RNG.integers(-5, 5, (30, 6)), "gaussian"),
        (X.astype(">f8"), "gaussian"),
        (np.asfortranarray(X), "gaussian"),
    ],
)
def test_type_and_likelihood_follow_the_values(
    values: np.ndarray, likelihood: str, tmp_path: Path
) -> None:
    data = load_file(save(tmp_path, X=values))
    assert data.likelihood == likelihood
    assert data.samples.dtype == (np.uint8 if values.dtype == np.uint8 else np.float32)
    assert data.samples.dtype.isnative
    assert data.samples.flags.c_contiguous
    np.testing.assert_allclose(data.samples, values, rtol=1e-6)


def test_pictures_are_flattened_row_by_row(tmp_path: Path) -> None:
    pictures = RNG.integers(0, 256, (30, 2, 3)).astype(np.uint8)
    data = load_file(save(tmp_path, X=np.asfortranarray(pictures)))
    assert data.image_shape == (2, 3)
    assert np.array_equal(data.samples.reshape(30, 2, 3), pictures)
    assert load_file(save(tmp_path, X=X, image_shape=np.array([2, 3]))).image_shape == (2, 3)
    assert load_file(save(tmp_path, X=X, image_shape=np.array([3, 2]))).image_shape == (3, 2)
    assert load_file(save(tmp_path, X=pictures, image_shape=[2, 3])).image_shape == (2, 3)


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (np.array([2.0, -1.0, 10.0] * 10), ("-1", "2", "10")),
        (np.array([2.0, 1.0] * 15, dtype=np.float16), ("1", "2")),
        (np.array(["cat", "ant", "bee"] * 10), ("ant", "bee", "cat")),
        (np.array(["ähre", "b"] * 15).astype("U4"), ("b", "ähre")),
        (np.array([b"no", "ähre".encode()] * 15), ("no", "ähre")),
        (np.array([True, False] * 15), ("False", "True")),
        (np.array([2**64 - 1, 3] * 15, dtype=np.uint64), ("3", str(2**64 - 1))),
    ],
)
def test_labels_become_codes(values: np.ndarray, names: tuple[str, ...], tmp_path: Path) -> None:
    data = load_file(save(tmp_path, X=X, y=values))
    assert data.class_names == names
    assert data.labels.dtype == np.int64
    for code, value in zip(data.labels, values, strict=True):
        text = value.decode() if isinstance(value, bytes) else value
        assert names[code] == str(int(text) if isinstance(text, np.floating) else text)


def test_one_constant_feature_is_fine(tmp_path: Path) -> None:
    values = X.copy()
    values[:, 2] = 4.0
    assert load_file(save(tmp_path, X=values)).n_features == 6


def with_value(value: float, *places: tuple[int, int]) -> np.ndarray:
    values = X.copy()
    for place in places:
        values[place] = value
    return values


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x": X}, 'no array called "X"'),
        ({"X": X[:, 0]}, r"\(n, D\)"),
        ({"X": X.reshape(30, 1, 2, 3)}, r"\(n, D\)"),
        ({"X": X[:, :0]}, r"\(n, D\)"),
        ({"X": np.float64(3)}, r"\(n, D\)"),
        ({"X": X.astype(str)}, "no numbers"),
        ({"X": X.astype("timedelta64[s]")}, "no numbers"),
        ({"X": np.zeros((30, 2), dtype=[("a", "f4")])}, "no numbers"),
        ({"X": X.astype(complex)}, "complex"),
        ({"X": X.astype(object)}, "pickled"),
        ({"X": X, "y": np.array([1] * 30, dtype=object)}, "pickled"),
        ({"X": with_value(np.nan, (4, 3), (7, 0))}, "2 values.*row 4, feature 3"),
        ({"X": with_value(-np.inf, (29, 5))}, "1 values.*row 29, feature 5"),
        ({"X": with_value(1e300, (0, 0))}, "too large"),
        ({"X": X[:19]}, "19 samples: give at least 20"),
        ({"X": X[:0]}, "0 samples"),
        ({"X": np.ones((30, 6))}, "nothing to learn"),
        ({"X": np.tile(X[0], (30, 1))}, "nothing to learn"),
        ({"X": np.zeros((2_000_001, 1), np.uint8)}, "2,000,001 samples"),
        ({"X": X, "y": np.arange(29)}, "one y a sample"),
        ({"X": X, "y": np.arange(30)[:, None]}, "one y a sample"),
        ({"X": X, "y": np.int64(1)}, "one y a sample"),
        ({"X": X, "y": np.linspace(0, 1, 30)}, "whole numbers"),
        ({"X": X, "y": with_value(np.nan, (3, 0))[:, 0].round()}, "whole numbers"),
        ({"X": X, "y": np.full(30, 1e300)}, "whole numbers"),
        ({"X": X, "y": np.arange(30) + 0j}, "integers or texts"),
        ({"X": X, "y": np.array([b"\xff", b"a"] * 15)}, "UTF-8"),
        ({"X": X, "image_shape": np.array([2, 2])}, "does not fit"),
        ({"X": X, "image_shape": np.array([-2, -3])}, "does not fit"),
        ({"X": X.reshape(30, 2, 3), "image_shape": np.array([3, 2])}, "does not fit"),
        ({"X": X, "image_shape": np.array([1, 2, 3])}, "two integers"),
        ({"X": X, "image_shape": np.array([2.0, 3.0])}, "two integers"),
    ],
)
def test_bad_arrays_are_refused(arrays: dict[str, object], words: str, tmp_path: Path) -> None:
    path = save(tmp_path, **arrays)
    with pytest.raises(DataError, match=words) as caught:
        load_file(path)
    assert str(caught.value).startswith(path.name)
    assert str(caught.value).count(". ") == 0
    assert str(caught.value).endswith(".")


def test_what_is_no_npz_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    for content, words in (
        (b"", "a.npz is empty"),
        (b"hello", "a.npz is not an .npz"),
        (b"PK\x03\x04 and then nothing", "a.npz is cut short"),
    ):
        path.write_bytes(content)
        with pytest.raises(DataError, match=words):
            load_file(path)
    with path.open("wb") as stream:
        np.save(stream, X)
    with pytest.raises(DataError, match=r"a\.npz is not an \.npz"):
        load_file(path)
    with pytest.raises(DataError, match=r"absent\.npz does not exist"):
        load_file(tmp_path / "absent.npz")
    with pytest.raises(DataError, match="holds no pictures"):
        load_file(tmp_path)


def test_pickles_are_never_opened(tmp_path: Path) -> None:
    mark = tmp_path / "opened"

    class Trap:
        def __reduce__(self) -> tuple[Callable[..., object], tuple[str, int]]:
            return os.mkdir, (str(mark), 0o755)

    trap = np.array([Trap()] * 30, dtype=object)
    for arrays in ({"X": trap}, {"X": X, "y": trap}, {"X": X, "image_shape": trap}):
        with pytest.raises(DataError, match="pickled"):
            load_file(save(tmp_path, **arrays))
    # An array that is not asked for is left alone.
    assert load_file(save(tmp_path, X=X, notes=trap)).n_samples == 30
    assert not mark.exists()


@pytest.mark.parametrize("writer", [np.savez, np.savez_compressed])
def test_truncated_files_are_refused(writer: Callable[..., None], tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    writer(path, X=X, y=np.arange(30))
    content = path.read_bytes()
    for size in range(4, len(content), 37):
        path.write_bytes(content[:size])
        with pytest.raises(DataError, match=r"a\.npz is cut short"):
            load_file(path)


@pytest.mark.parametrize("writer", [np.savez, np.savez_compressed])
def test_damaged_files_raise_nothing_else(writer: Callable[..., None], tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    writer(path, X=X, y=np.arange(30))
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(300):
            damaged = bytearray(content)
            for place in rng.integers(0, len(content), 3):
                damaged[place] = rng.integers(0, 256)
            path.write_bytes(damaged)
            try:
                load_file(path)
            except DataError:
                refused += 1
    assert refused > 250


def npy_header(shape: tuple[int, ...], version: tuple[int, int] | None = None) -> bytes:
    stream = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": shape}
    if version == (2, 0):
        np.lib.format.write_array_header_2_0(stream, header)
    else:
        np.lib.format.write_array_header_1_0(stream, header)
    return stream.getvalue()


@pytest.mark.parametrize("shape", [(10**12, 6), (31, 6), (29, 6), (-30, -6)])
def test_header_that_lies_about_its_data_is_refused(shape: tuple[int, ...], tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("X.npy", npy_header(shape) + X.tobytes())
    with pytest.raises(DataError, match="damaged inside X"):
        load_file(path)


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"{'descr'", b"('descr'"), (b"'shape'", b"b'hape'"), (b"<f8", b"<q9"), (b"'<f8'", b"()   ")],
)
def test_header_that_cannot_be_parsed_is_refused(old: bytes, new: bytes, tmp_path: Path) -> None:
    header = npy_header((30, 6))
    assert old in header
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("X.npy", header.replace(old, new) + X.tobytes())
    with pytest.raises(DataError, match="damaged inside X"):
        load_file(path)


def test_second_header_version_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("X.npy", npy_header((30, 6), (2, 0)) + X.tobytes())
    assert np.array_equal(load_file(path).samples, X.astype(np.float32))


def test_too_large_when_unpacked_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("X.npy", npy_header((30, 6)) + X.tobytes())
        archive.writestr("more.npy", b"")
        # The directory at the end of the file is written from this when the file is closed.
        archive.infolist()[1].file_size = 4 * 1024**3
    with pytest.raises(DataError, match=r"a\.npz unpacks to more than 4 GiB"):
        load_file(path)
