"""STL-10 as the VaDE paper takes it: features of a ResNet-50, from a file that a person brings.

The file is ``stl10.npz`` in the folder for downloads (see `vade_core.data.fetched.cache_folder`),
or the one that the environment variable VADE_STL10 names. It holds ``X``, (13000, 2048) numbers,
and ``y``, the ten classes: the 5,000 training pictures first, then the 8,000 test pictures.

The recipe, for an environment of its own with torch and torchvision (the app needs neither
torchvision nor the pictures; the download is 2.6 GB, and two cores take about half an hour)::

    import numpy as np
    import torch
    from torchvision.datasets import STL10
    from torchvision.models import ResNet50_Weights, resnet50

    weights = ResNet50_Weights.IMAGENET1K_V1
    network = resnet50(weights=weights).eval()
    network.fc = torch.nn.Identity()  # the 2,048 averaged features before the classes
    features, classes = [], []
    for part in ("train", "test"):
        pictures = STL10("stl10", split=part, download=True, transform=weights.transforms())
        for batch, labels in torch.utils.data.DataLoader(pictures, batch_size=100):
            with torch.inference_mode():
                features.append(network(batch).numpy())
            classes.append(labels.numpy())
    np.savez("stl10.npz", X=np.concatenate(features), y=np.concatenate(classes))

The paper names the network and the size of its features, not the layer's exact place, the weights
or the size of the pictures: these are our reading.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from vade_core.data.dataset import DataError
from vade_core.data.fetched import cache_folder
from vade_core.data.own_checks import Found, dataset_of
from vade_core.data.own_npz import read_npz

N_TRAIN, N_TEST, N_FEATURES = 5_000, 8_000, 2_048
CLASSES = (
    "Airplane",
    "Bird",
    "Car",
    "Cat",
    "Deer",
    "Dog",
    "Horse",
    "Monkey",
    "Ship",
    "Truck",
)


def stl10_file() -> Path:
    """Where the file is looked for."""
    chosen = os.environ.get("VADE_STL10")
    return Path(chosen).expanduser() if chosen else cache_folder() / "stl10.npz"


def stl10() -> tuple[np.ndarray, np.ndarray]:
    """Read and check the features.

    Returns
    -------
    samples : ndarray of float32, shape (13000, 2048)
    labels : ndarray of int64, shape (13000,)

    Raises
    ------
    DataError
        If there is no file, or it holds something else.
    """
    path = stl10_file()
    try:
        with path.open("rb") as stream:
            found = read_npz(stream, path.name)
    except FileNotFoundError as error:
        raise DataError(
            f"STL-10's features are not on this computer: make stl10.npz by the recipe in "
            f"vade_core/data/stl10.py, and put it into {path.parent} or name it in VADE_STL10."
        ) from error
    except OSError as error:
        raise DataError(
            f"{path} cannot be opened: check that it is a file you may read."
        ) from error
    shape = (N_TRAIN + N_TEST, N_FEATURES)
    if found.values.shape != shape:
        raise DataError(
            f"{path.name} has X of the shape {found.values.shape} where STL-10's features have "
            f"{shape}: make it again by the recipe in vade_core/data/stl10.py."
        )
    if found.classes is None:
        raise DataError(f"{path.name} has no y: keep the classes beside X, as the recipe does.")
    numbers = Found(found.values.astype(np.float32), found.classes)
    data = dataset_of(numbers, path.name, "stl10")
    labels = data.labels
    assert labels is not None
    sizes = [np.bincount(part, minlength=10).tolist() for part in np.split(labels, [N_TRAIN])]
    if sizes != [[N_TRAIN // 10] * 10, [N_TEST // 10] * 10]:
        raise DataError(
            f"{path.name} has not 500 samples of each class in its first {N_TRAIN:,} rows and 800 "
            "of each below: make it again by the recipe in vade_core/data/stl10.py."
        )
    samples = data.samples
    assert isinstance(samples, np.ndarray)
    return samples, labels
