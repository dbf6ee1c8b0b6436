"""Times ClustPy's own VaDE epochs; runs in the environment that epoch_time.py makes.

Talks in lines of JSON. It answers its start with versions and threads, then every request
``{"batch": B, "samples": N}`` with ``{"seconds": s}``: one epoch over the first N samples, by
ClustPy's own loop, data loader, networks and optimiser. What is trained is kept between requests
of the same batch size and N, so that an epoch follows an epoch as in ClustPy's ``fit``.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
from pathlib import Path
from typing import TextIO

import numpy as np
import torch

SIZES = [784, 500, 500, 2000, 10]
N_CLUSTERS = 10
LEARNING_RATE = 1e-4  # ClustPy's default for this phase


def import_torchvision() -> torch.library.Library | None:
    """Import torchvision, if need be without its compiled part.

    PyPI's torchvision is compiled for PyPI's torch, on Linux one with CUDA. Beside another build
    of the same version its import misses two operators; declaring them is enough, since ClustPy's
    VaDE calls nothing of torchvision. The declarations last as long as what is returned.
    """
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        importlib.import_module("torchvision")
        return library
    return None


class ClustPyTraining:
    """ClustPy's VaDE after its pretraining, ready for an epoch.

    Parameters
    ----------
    samples : ndarray of float32, shape (n, 784)
        Grey levels in [0, 1]. There are no labels here.
    batch : int
    """

    def __init__(self, samples: np.ndarray, batch: int) -> None:
        from clustpy.deep import get_dataloader, vade

        torch.manual_seed(0)
        self.networks = vade._VaDE_VAE(layers=SIZES)
        self.networks.fitted = True  # past the pretraining: it draws z, as a VAE does
        self.mixture = vade._VaDE_Module(N_CLUSTERS, SIZES[-1])
        self.loader = get_dataloader(samples, batch, shuffle=True)
        parameters = [*self.networks.parameters(), *self.mixture.parameters()]
        self.optimiser = torch.optim.Adam(parameters, lr=LEARNING_RATE)

    def epoch(self) -> float:
        """Seconds of one epoch."""
        loss = torch.nn.BCELoss(reduction="sum")
        began = time.perf_counter()
        self.mixture.fit(
            self.networks,
            self.loader,
            self.loader,
            1,
            torch.device("cpu"),
            self.optimiser,
            loss,
            1.0,
            1.0,
        )
        return time.perf_counter() - began


def answer(values: dict[str, object], to: TextIO) -> None:
    print(json.dumps(values), file=to, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description="Times epochs of ClustPy's VaDE, on request.")
    parser.add_argument("samples", type=Path, help=".npy of uint8 grey levels, (n, 784)")
    arguments = parser.parse_args()
    # Whatever else prints must not get between the answers.
    replies, sys.stdout = sys.stdout, sys.stderr

    declared = import_torchvision()
    import clustpy
    import torchvision

    versions = {
        "clustpy": clustpy.__version__,
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "numpy": np.__version__,
    }
    answer(
        {
            "versions": versions,
            "threads": torch.get_num_threads(),
            "torchvision_compiled": declared is None,
        },
        replies,
    )
    samples = np.load(arguments.samples, allow_pickle=False).astype(np.float32) / np.float32(255)
    trainings: dict[tuple[int, int], ClustPyTraining] = {}
    for line in sys.stdin:
        request = json.loads(line)
        key = (request["batch"], request["samples"])
        if key not in trainings:
            trainings[key] = ClustPyTraining(samples[: key[1]], key[0])
        answer({"seconds": trainings[key].epoch()}, replies)
    return 0


if __name__ == "__main__":
    sys.exit(main())
