"""What the benchmarks' command lines have in common."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import NoReturn

# What makes a trial of a cell; its results may not lie among the others.
TRIAL = ("subset", "hidden", "epochs", "pretrain_epochs", "changes")


class Parser(argparse.ArgumentParser):
    """Mistakes are a ValueError, which the commands answer with one sentence and exit code 2."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message} (see --help)")


def positive(text: str) -> int:
    """A whole number from 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


def whole(text: str) -> int:
    """A whole number from 0, that a seed can be."""
    if not text.isdecimal() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0")
    return int(text)


def widths(text: str) -> list[int]:
    """Widths of hidden layers."""
    return [positive(part.strip()) for part in text.split(",")]


def settings(text: str) -> dict[str, object]:
    """Settings of a model, by name."""
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise argparse.ArgumentTypeError(f'{text!r} is no JSON object, such as {{"epochs": 5}}')
    return found


def add_cell_options(parser: argparse.ArgumentParser, results: str) -> None:
    """What every command that computes cells takes: device, threads, places, and trials.

    Parameters
    ----------
    parser : ArgumentParser
    results : str
        Where results go by default, in words.
    """
    parser.add_argument("--first-seed", type=whole, default=0, metavar="S")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--precision", default="auto", choices=("auto", "fp32", "bf16"))
    parser.add_argument("--threads", type=positive)
    parser.add_argument("--results", type=Path, help=f"default: {results}")
    parser.add_argument("--work", type=Path, help="default: in the platform's cache folder")
    parser.add_argument("--json", action="store_true", help="JSON alone on standard output")
    trial = parser.add_argument_group("trials", "cells of other settings; they ask for --results")
    trial.add_argument("--subset", type=positive, metavar="N")
    trial.add_argument("--hidden", type=widths, metavar="500,500,2000")
    trial.add_argument("--epochs", type=positive)
    trial.add_argument("--pretrain-epochs", type=whole)
    trial.add_argument("--changes", type=settings, metavar="JSON", help="any settings of the model")


def check_trial(options: argparse.Namespace) -> None:
    """Raise ValueError where a trial's results would lie among the others."""
    trial = [name for name in TRIAL if getattr(options, name) is not None]
    if trial and options.results is None:
        raise ValueError(
            f"--{trial[0].replace('_', '-')} makes a trial, whose results may not lie among the "
            "others: name another folder with --results."
        )


def trial_changes(options: argparse.Namespace) -> dict[str, object]:
    """The constructor parameters that a trial changes."""
    named = [name for name in TRIAL if name not in ("subset", "changes")]
    given = {name: getattr(options, name) for name in named}
    changes = options.changes or {}
    return {**changes, **{name: value for name, value in given.items() if value is not None}}
