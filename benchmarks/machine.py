"""How busy the machine is while something is timed."""

from __future__ import annotations

import os
from collections.abc import Mapping

# A load a core above which timings say more about the neighbours than about the program.
QUIET = 0.5


def machine_load() -> float | None:
    """Processes that run or wait to, on the average of the last minute; None where nobody counts.

    Windows does not.
    """
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return None


def load_words(load: Mapping[str, float | None]) -> str:
    """The load before and after in a sentence, with a warning where it was no quiet machine."""
    before, after = load["before"], load["after"]
    if before is None or after is None:
        return "The machine's load is not known here."
    cores = os.cpu_count() or 1
    words = f"Load {before:.1f} before, {after:.1f} after, on {cores} cores."
    if before > QUIET * cores:
        words += " Not a quiet machine: these timings are too long."
    return words
