"""The data sets that can be asked for by name, and where each is read from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vade_core.data import rcv1
from vade_core.data.dataset import DataError, Dataset, random_test_part
from vade_core.data.fetched import Arrays, Progress, cached, from_openml
from vade_core.data.fetched import cache_folder as cache_folder
from vade_core.data.idx import read_idx
from vade_core.data.line_mixture import MEANS, N_SAMPLES, line_mixture
from vade_core.data.stl10 import CLASSES, N_FEATURES, N_TEST, N_TRAIN, stl10
from vade_core.samples import Samples

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
# The activities in the order of their codes, and how many windows there are of each.
_ACTIVITIES = {
    "Walking": 1_722,
    "Walking upstairs": 1_544,
    "Walking downstairs": 1_406,
    "Sitting": 1_777,
    "Standing": 1_906,
    "Lying": 1_944,
}
# In the order of rcv1.ROOTS.
_REUTERS_CLASSES = ("Corporate/industrial", "Government/social", "Markets", "Economics")
_REUTERS_SOURCE = (
    "RCV1-v2, Lewis, Yang, Rose and Li (2004), tf-idf of the 2,000 most frequent words, "
    "documents with one root category"
)
_REUTERS_LICENCE = "word weights are free for research; cite Lewis et al. (2004)"


@dataclass(frozen=True)
class DatasetEntry:
    """What is known of a data set before it is loaded, and the function that loads it.

    ``needs`` says what it takes where it does not come with the project: "a network" or "a file".
    """

    name: str
    summary: str
    n_samples: int
    n_features: int
    n_classes: int | None
    likelihood: str
    source: str
    licence: str
    loader: Callable[[Progress], Dataset]
    needs: str = ""


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


def _load_mnist(progress: Progress) -> Dataset:
    samples, labels = _read_idx_folder(MNIST_FOLDER, MNIST_SHA256)
    return _dataset("mnist", samples, labels, _official_test_part(), _DIGITS, (_SIDE, _SIDE))


def _load_digits(progress: Progress) -> Dataset:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    samples = np.round(bunch.data * (255 / 16)).astype(np.uint8)
    is_test = random_test_part(len(samples))
    return _dataset("digits", samples, bunch.target.astype(np.int64), is_test, _DIGITS, (8, 8))


def _load_synthetic(progress: Progress) -> Dataset:
    samples, labels = line_mixture()
    names = tuple(str(place) for place in range(len(MEANS)))
    return _dataset("synthetic", samples, labels, random_test_part(len(samples)), names)


def _load_stl10(progress: Progress) -> Dataset:
    samples, labels = stl10()
    is_test = np.arange(len(samples)) >= N_TRAIN
    return _dataset("stl10", samples, labels, is_test, CLASSES)


def _load_fashion_mnist(progress: Progress) -> Dataset:
    if all((FASHION_MNIST_FOLDER / file).is_file() for file in _IDX_FILES):
        samples, labels = _read_idx_folder(FASHION_MNIST_FOLDER, {})
        arrays = {"X": samples, "y": labels}
        _check_fashion_mnist(arrays, f"Fashion-MNIST in {FASHION_MNIST_FOLDER}")
    else:
        arrays = cached(
            "fashion_mnist",
            "Fashion-MNIST",
            lambda: _fetch_fashion_mnist(progress),
            _check_fashion_mnist,
            progress,
        )
    is_test, shape = _official_test_part(), (_SIDE, _SIDE)
    return _dataset("fashion_mnist", arrays["X"], arrays["y"], is_test, _FASHION_CLASSES, shape)


def _load_har(progress: Progress) -> Dataset:
    arrays = cached("har", "HAR", lambda: _fetch_har(progress), _check_har, progress)
    # The published test part is nine of the thirty people, and OpenML's file names nobody.
    is_test = np.zeros(len(arrays["X"]), dtype=np.bool_)
    return _dataset("har", arrays["X"], arrays["y"], is_test, tuple(_ACTIVITIES))


def _load_reuters(progress: Progress) -> Dataset:
    return _reuters("reuters", *rcv1.reuters(progress))


def _load_reuters10k(progress: Progress) -> Dataset:
    return _reuters("reuters10k", *rcv1.reuters10k(progress))


def _reuters(name: str, documents: Samples, labels: np.ndarray) -> Dataset:
    # The official split, by date, would leave 3 % for training; the papers have none.
    return _dataset(name, documents, labels, random_test_part(len(labels)), _REUTERS_CLASSES)


def _dataset(
    name: str,
    samples: Samples,
    labels: np.ndarray,
    is_test: np.ndarray,
    class_names: tuple[str, ...],
    image_shape: tuple[int, int] | None = None,
) -> Dataset:
    """Put together what was read and what the catalogue says."""
    entry = DATASETS[name]
    return Dataset(
        name=name,
        samples=samples,
        labels=labels,
        is_test=is_test,
        image_shape=image_shape,
        likelihood=entry.likelihood,
        source=entry.source,
        licence=entry.licence,
        class_names=class_names,
    )


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


def _official_test_part() -> np.ndarray:
    """MNIST's and Fashion-MNIST's: the last 10,000."""
    return np.arange(_N_TRAIN + _N_TEST) >= _N_TRAIN


def _fetch_fashion_mnist(progress: Progress) -> Arrays:
    advice = "go online once, or install Debian's package dataset-fashion-mnist"
    values, labels = from_openml("Fashion-MNIST", "Fashion-MNIST", advice, progress)
    with np.errstate(invalid="ignore"):
        samples = values.astype(np.uint8)
    if not np.array_equal(samples, values):
        raise DataError(
            "Fashion-MNIST came from OpenML with values outside the grey levels 0..255: "
            "fetch it again."
        )
    arrays = {"X": samples, "y": labels}
    _check_fashion_mnist(arrays, "Fashion-MNIST as it came from OpenML")
    return arrays


def _check_fashion_mnist(arrays: Arrays, where: str) -> None:
    """Raise DataError unless these are 60,000 + 10,000 pictures with classes of equal size."""
    # Equal classes in both parts, 7,000 each in all, also show that the order is the official.
    sizes = [[6_000] * 10, [1_000] * 10]
    _check_classes(arrays, where, np.uint8, _SIDE * _SIDE, sizes)


def _fetch_har(progress: Progress) -> Arrays:
    advice = "go online once, or bring the data as a file of your own"
    values, classes = from_openml("har", "HAR", advice, progress)
    arrays = {"X": values.astype(np.float32), "y": classes - 1}
    _check_har(arrays, "HAR as it came from OpenML")
    return arrays


def _check_har(arrays: Arrays, where: str) -> None:
    """Raise DataError unless these are as many windows of each activity as were published."""
    _check_classes(arrays, where, np.float32, 561, [list(_ACTIVITIES.values())])


def _check_classes(
    arrays: Arrays, where: str, dtype: type[np.generic], n_features: int, sizes: list[list[int]]
) -> None:
    """Raise DataError unless type and shape fit, all is finite, and classes have their sizes.

    `sizes` holds those of the classes in each part of the rows, part by part.
    """
    samples, labels = arrays["X"], arrays["y"]
    ends = np.cumsum(np.sum(sizes, axis=1))
    intact = samples.shape == (ends[-1], n_features) and samples.dtype == dtype
    intact = intact and labels.shape == (ends[-1],) and labels.dtype == np.int64
    if intact and labels.min() >= 0 and np.isfinite(samples).all():
        parts = np.split(labels, ends[:-1])
        if [np.bincount(part, minlength=len(sizes[0])).tolist() for part in parts] == sizes:
            return
    raise DataError(
        f"{where} is damaged (its shape, type, values or class sizes are wrong): fetch it again."
    )


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
        needs="a network",
    ),
    "synthetic": DatasetEntry(
        name="synthetic",
        summary="Ten Gaussians on a line, standardised: every sample is one number",
        n_samples=N_SAMPLES,
        n_features=1,
        n_classes=len(MEANS),
        likelihood="gaussian",
        source="made here after Orbay (2020), whose report gives no numbers: our reading",
        licence="MIT",
        loader=_load_synthetic,
    ),
    "har": DatasetEntry(
        name="har",
        summary="What people do, told from a smartphone's motion sensors; no test part",
        n_samples=sum(_ACTIVITIES.values()),
        n_features=561,
        n_classes=len(_ACTIVITIES),
        likelihood="gaussian",
        source="Human Activity Recognition Using Smartphones, Anguita et al. (2013), from OpenML",
        licence="cite Anguita et al. (2013); no commercial use",
        loader=_load_har,
        needs="a network",
    ),
    "stl10": DatasetEntry(
        name="stl10",
        summary="Photographs of ten things as features of a ResNet-50, from a file you bring",
        n_samples=N_TRAIN + N_TEST,
        n_features=N_FEATURES,
        n_classes=len(CLASSES),
        likelihood="gaussian",
        source="STL-10, Coates, Lee and Ng (2011); features as vade_core/data/stl10.py makes them",
        licence="cite Coates, Lee and Ng (2011)",
        loader=_load_stl10,
        needs="a file",
    ),
    "reuters10k": DatasetEntry(
        name="reuters10k",
        summary="News stories as word weights, 10,000 drawn from reuters; 656 MB to fetch once",
        n_samples=rcv1.N_DRAWN,
        n_features=rcv1.N_WORDS,
        n_classes=len(_REUTERS_CLASSES),
        likelihood="gaussian",
        source=_REUTERS_SOURCE,
        licence=_REUTERS_LICENCE,
        loader=_load_reuters10k,
        needs="a network",
    ),
    "reuters": DatasetEntry(
        name="reuters",
        summary="News stories as word weights, all of one root category; 656 MB to fetch once",
        n_samples=rcv1.N_DOCUMENTS,
        n_features=rcv1.N_WORDS,
        n_classes=len(_REUTERS_CLASSES),
        likelihood="gaussian",
        source=_REUTERS_SOURCE,
        licence=_REUTERS_LICENCE,
        loader=_load_reuters,
        needs="a network",
    ),
}
