"""Fits ClustPy's VaDE, its defaults kept, until its own clusters are accurate enough.

Runs in the environment that clustpy_venv.py makes; time_to_accuracy.py starts it, and tells it
when that was. Answers with lines of JSON: one after each epoch, the last with ``"ended": true``.

ClustPy's fit has no place to look between epochs. Its own loops are run as they are: that of the
pretraining tells its progress bar of every epoch, that of VaDE is asked for one epoch at a time,
which changes nothing, since it keeps nothing from one epoch to the next but the optimiser.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

_request: dict[str, Any] = json.loads(sys.argv[1])
_launch = time.time() - _request["began"]
_first = time.perf_counter()
# Started with -I, which keeps neighbours from being imported.
sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent)]
# Whatever else prints must not get between the answers.
_replies, sys.stdout = sys.stdout, sys.stderr


class Enough(Exception):
    """The clusters are accurate enough."""


class Clock:
    """Seconds since the process was started, checks left out."""

    excluded = 0.0

    @property
    def now(self) -> float:
        return _launch + time.perf_counter() - _first - self.excluded


clock = Clock()


def say(**values: Any) -> None:
    line = {"clock": clock.now, "excluded": clock.excluded, **values}
    print(json.dumps(line), file=_replies, flush=True)


class ProgressOfPretraining:
    """What the pretraining's loop takes for its progress bar."""

    def __init__(self, epochs: int, desc: str = "") -> None:
        self._epochs = epochs
        self._done = 0

    def __iter__(self) -> Iterator[int]:
        return iter(range(self._epochs))

    def set_postfix(self, values: dict[str, Any]) -> None:
        """Called where an epoch ends."""
        self._done += 1
        say(phase="pretrain", epoch=self._done, epochs=self._epochs, acc=None)


def main() -> int:
    from clustpy_epoch import N_CLUSTERS, SIZES, import_torchvision

    declared = import_torchvision()
    import clustpy
    import numpy as np
    import torch
    from clustpy.deep import vade
    from clustpy.deep.neural_networks import _abstract_neural_network

    from vade_core.metrics import accuracy

    samples = np.load(_request["samples"], allow_pickle=False).astype(np.float32) / np.float32(255)
    labels = np.load(_request["labels"], allow_pickle=False)
    original = vade._VaDE_Module.fit

    def fit(
        module: Any, network: Any, testloader: Any, trainloader: Any, n_epochs: int, *more: Any
    ) -> Any:
        say(phase="start", epoch=0, epochs=0, acc=None)
        for epoch in range(n_epochs):
            original(module, network, testloader, trainloader, 1, *more)
            began = time.perf_counter()
            with torch.random.fork_rng(), torch.no_grad():  # it draws z to predict
                found = vade._vade_predict_batchwise(testloader, network, module)
            acc = accuracy(labels, found.astype(np.int64))
            clock.excluded += time.perf_counter() - began
            say(phase="train", epoch=epoch + 1, epochs=n_epochs, acc=acc)
            if acc >= _request["target"]:
                raise Enough
        return module

    vade._VaDE_Module.fit = fit
    _abstract_neural_network.tqdm = SimpleNamespace(trange=ProgressOfPretraining)
    model = vade.VaDE(
        n_clusters=N_CLUSTERS,
        embedding_size=SIZES[-1],
        neural_network=(vade._VaDE_VAE, {"layers": [samples.shape[1], *SIZES[1:]]}),
        device="cpu",
        random_state=_request["seed"],
        **_request["changes"],
    )
    say(
        phase="imports",
        versions={"clustpy": clustpy.__version__, "torch": torch.__version__},
        threads=torch.get_num_threads(),
        torchvision_compiled=declared is None,
    )
    reached = False
    try:
        model.fit(samples)
    except Enough:
        reached = True
    say(ended=True, reached=reached)
    return 0


if __name__ == "__main__":
    sys.exit(main())
