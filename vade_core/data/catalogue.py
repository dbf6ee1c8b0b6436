"""The data sets that can be asked for by name, and where each is read from."""

from __future__ import annotations

import os
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

import numpy as np

from vade_core.data.dataset import DataError, Dataset, random_test_part
from vade_core.data.idx import read_idx

Progress = Callable[[str], None] | None

MNIST_FOLDER = Path(__file__).resolve().parents[2] / "assets" / "data" / "mnist"
# Where Debian's package dataset-fashion-mnist puts its files.
FASHION_MNIST_FOLDER = Path("/usr/share/datasets/fashion-mnist")

_TRAIN_IMAGES = "train-images-idx3-ubyte.gz"
_TRAIN_LABELS = "train-labels-idx1-ubyte.gz"
_TEST_IMAGES = "t10k-images-idx3-ubyte.gz"
_TEST_LABELS = "t10k-labels-idx1-ubyte.gz"
_IDX_FILES = (_TRAIN_IMAGES, _TRAIN_LABELS, _TEST_IMAGES, _TEST_LABELS)

MNIST_SHA256 = {
    _TRAIN_IMAGES: "0b367032e93c5d0cea0925647cfdb18614af8ee15f83e6f2fc2ad904a6835971",
    _TRAIN_LABELS: "1787548bbe0bff1ec2ecdc0ef292b02df999e2d1a6002d27500982c652b17203",
    _TEST_IMAGES: "1a1a05eab793c14bb050b398624a11b0ffd1a2953baed553b1b9bd079e2a20be",
    _TEST_LABELS: "b91679a0acfe4ba0e50a2437a903084cba1f5f92592b016a25a7dfd00455798b",
}

_N_TRAIN, _N_TEST, _SIDE = 60_000, 10_000, 28
_DIGITS = tuple("0123456789")
_FASHION_CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


@dataclass(frozen=True)
class DatasetEntry:
    """What is known of a data set before it is loaded, and the function that loads it."""

    name: str
    summary: str
    n_samples: int
    n_features: int
    n_classes: int | None
    likelihood: str
    source: str
    licence: str
    loader: Callable[[Progress], Dataset]


def load(name: str, *, progress: Progress = None) -> Dataset:
    """Load a data set of the catalogue.

    Parameters
    ----------
    name : str
        A key of `DATASETS`.
    progress : callable, optional
        Called with a sentence when something takes long, such as a download.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If there is no such data set, or its files are missing, damaged or out of reach.
    """
    if name not in DATASETS:
        raise DataError(
            f'There is no data set called "{name}": choose one of {", ".join(DATASETS)}.'
        )
    return DATASETS[name].loader(progress)


def cache_folder() -> Path:
    """Return the folder for downloads: VADE_CACHE if set, else the platform's cache folder."""
    chosen = os.environ.get("VADE_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    home = Path.home()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = home / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return base / "vade-explorer"


def _load_mnist(progress: Progress) -> Dataset:
    samples, labels = _read_idx_folder(MNIST_FOLDER, MNIST_SHA256)
    return _official_split("mnist", samples, labels, _DIGITS)


def _load_digits(progress: Progress) -> Dataset:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    entry = DATASETS["digits"]
    return Dataset(
        name="digits",
        samples=np.round(bunch.data * (255 / 16)).astype(np.uint8),
        labels=bunch.target.astype(np.int64),
        is_test=random_test_part(len(bunch.data)),
        image_shape=(8, 8),
        likelihood=entry.likelihood,
        source=entry.source,
        licence=entry.licence,
        class_names=_DIGITS,
    )


def _load_fashion_mnist(progress: Progress) -> Dataset:
    if all((FASHION_MNIST_FOLDER / file).is_file() for file in _IDX_FILES):
        samples, labels = _read_idx_folder(FASHION_MNIST_FOLDER, {})
        _check_fashion_mnist(samples, labels, f"Fashion-MNIST in {FASHION_MNIST_FOLDER}")
    else:
        cached = cache_folder() / "fashion_mnist.npz"
        arrays = _read_cached(cached)
        if arrays is None:
            arrays = _fetch_fashion_mnist(progress)
            _write_cached(cached, *arrays, progress)
        samples, labels = arrays
    return _official_split("fashion_mnist", samples, labels, _FASHION_CLASSES)


def _read_idx_folder(folder: Path, sums: dict[str, str]) -> tuple[np.ndarray, np.ndarray]:
    """Read training then test pictures, flattened, and their labels; verify sums where given."""

    def read(file: str, shape: tuple[int, ...]) -> np.ndarray:
        return read_idx(folder / file, shape, sums.get(file))

    pictures = (
        read(_TRAIN_IMAGES, (_N_TRAIN, _SIDE, _SIDE)),
        read(_TEST_IMAGES, (_N_TEST, _SIDE, _SIDE)),
    )
    labels = (read(_TRAIN_LABELS, (_N_TRAIN,)), read(_TEST_LABELS, (_N_TEST,)))
    samples = np.concatenate(pictures).reshape(_N_TRAIN + _N_TEST, _SIDE * _SIDE)
    return samples, np.concatenate(labels).astype(np.int64)


def _official_split(
    name: str, samples: np.ndarray, labels: np.ndarray, class_names: tuple[str, ...]
) -> Dataset:
    entry = DATASETS[name]
    return Dataset(
        name=name,
        samples=samples,
        labels=labels,
        is_test=np.arange(len(samples)) >= _N_TRAIN,
        image_shape=(_SIDE, _SIDE),
        likelihood=entry.likelihood,
        source=entry.source,
        licence=entry.licence,
        class_names=class_names,
    )


def _check_fashion_mnist(samples: np.ndarray, labels: np.ndarray, where: str) -> None:
    """Raise DataError unless these are 60,000 + 10,000 pictures with classes of equal size."""
    n = _N_TRAIN + _N_TEST
    intact = samples.shape == (n, _SIDE * _SIDE) and samples.dtype == np.uint8
    intact = intact and labels.shape == (n,) and labels.dtype == np.int64
    if intact and labels.min() >= 0:
        # Equal classes in both parts, 7,000 each in all, also show that the order is the official.
        counts = [np.bincount(part, minlength=10) for part in np.split(labels, [_N_TRAIN])]
        if np.array_equal(counts, [[6_000] * 10, [1_000] * 10]):
            return
    raise DataError(
        f"{where} is damaged (its shape, type or class sizes are wrong): fetch it again."
    )


def _fetch_fashion_mnist(progress: Progress) -> tuple[np.ndarray, np.ndarray]:
    if progress is not None:
        progress("Fetching Fashion-MNIST from OpenML, once; this takes about a minute.")
    try:
        from sklearn.datasets import fetch_openml

        bunch = fetch_openml(
            "Fashion-MNIST", version=1, as_frame=False, parser="auto", cache=False, n_retries=1
        )
        values = np.asarray(bunch.data)
        with np.errstate(invalid="ignore"):
            samples = values.astype(np.uint8)
        labels = np.asarray(bunch.target).astype(np.int64)
    except (OSError, HTTPException, EOFError, ValueError, ImportError, zlib.error) as error:
        raise DataError(
            "Fashion-MNIST is not on this computer and could not be fetched: go online once, "
            "or install Debian's package dataset-fashion-mnist."
        ) from error
    if not np.array_equal(samples, values):
        raise DataError(
            "Fashion-MNIST came from OpenML with values outside the grey levels 0..255: "
            "fetch it again."
        )
    _check_fashion_mnist(samples, labels, "Fashion-MNIST as it came from OpenML")
    return samples, labels


def _read_cached(path: Path) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the cached arrays, or None where they are missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as content:
            samples, labels = content["X"], content["y"]
        _check_fashion_mnist(samples, labels, path.name)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
    return samples, labels


def _write_cached(path: Path, samples: np.ndarray, labels: np.ndarray, progress: Progress) -> None:
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as stream:
            temporary = Path(stream.name)
            np.savez_compressed(stream, X=samples, y=labels)
        # A reader sees the whole file or none, even if this process is stopped half-way.
        Path(temporary).replace(path)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        if progress is not None:
            progress(f"Fashion-MNIST could not be kept in {path.parent} ({error.strerror}).")


DATASETS: dict[str, DatasetEntry] = {
    "mnist": DatasetEntry(
        name="mnist",
        summary="Handwritten digits, 28 x 28, the data set of the VaDE paper",
        n_samples=70_000,
        n_features=784,
        n_classes=10,
        likelihood="bernoulli",
        source="MNIST, LeCun, Cortes and Burges (1998), original files",
        licence="CC BY-SA 3.0",
        loader=_load_mnist,
    ),
    "digits": DatasetEntry(
        name="digits",
        summary="Small handwritten digits, 8 x 8, quick to train on",
        n_samples=1_797,
        n_features=64,
        n_classes=10,
        likelihood="bernoulli",
        source="Optical Recognition of Handwritten Digits, Alpaydin and Kaynak (1998), "
        "test part, as scikit-learn has it",
        licence="CC BY 4.0",
        loader=_load_digits,
    ),
    "fashion_mnist": DatasetEntry(
        name="fashion_mnist",
        summary="Pictures of clothes, 28 x 28, harder than digits",
        n_samples=70_000,
        n_features=784,
        n_classes=10,
        likelihood="bernoulli",
        source="Fashion-MNIST, Xiao, Rasul and Vollgraf (2017), Zalando",
        licence="MIT",
        loader=_load_fashion_mnist,
    ),
}
