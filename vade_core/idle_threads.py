"""How long OpenMP's threads spin for work before they sleep. Imports nothing: it must come before
torch, which starts them."""

from __future__ import annotations

import os
from collections.abc import MutableMapping

# GNU OpenMP's own is 300,000 turns: a busy second process then makes an epoch five times as long,
# as threads spin for others that wait for a core. 1,000 are over before the next product begins on
# a processor whose turn is short or whose thread is slow to wake: an epoch of MNIST took 1.4 times
# as long on an Intel Xeon with nothing beside it. benchmarks/spinning.py measures it.
_SPINS = 5_000


def let_idle_threads_sleep(environment: MutableMapping[str, str] = os.environ) -> None:
    """Say in an environment how long OpenMP's threads spin, unless it says so already.

    Parameters
    ----------
    environment : mapping
        This process's, before it imports torch; or that of a process to be started.
    """
    environment.setdefault("GOMP_SPINCOUNT", str(_SPINS))
