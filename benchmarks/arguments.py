"""What the benchmarks' command lines have in common."""

from __future__ import annotations

import argparse
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """Mistakes are a ValueError, which the commands answer with one sentence and exit code 2."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message} (see --help)")


def positive(text: str) -> int:
    """A whole number from 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)
