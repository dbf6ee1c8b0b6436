"""How long OpenMP's threads spin for work before they sleep.

To be imported before torch, which reads it once; so it imports nothing itself.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping

# GNU OpenMP's own is 300,000 turns: beside a busy process an epoch then takes 1.7 to 2.9 times as
# long as with these, as threads spin for others that wait for a core. 1,000 are over before the
# next product begins where a turn is short or a thread slow to wake: alone on an Intel Xeon an
# epoch of MNIST took 1.2 to 1.5 times as long. benchmarks/spinning.py measures both.
_SPINS = 5_000


def let_idle_threads_sleep(environment: MutableMapping[str, str] = os.environ) -> None:
    """Say in an environment how long OpenMP's threads spin, unless it says so already.

    Parameters
    ----------
    environment : mapping
        This process's, before it imports torch; or that of a process to be started.
    """
    environment.setdefault("GOMP_SPINCOUNT", str(_SPINS))
