"""The runs that the lesson speaks of: recorded ones, or a person's own in their place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pages.shared.networks import has_model
from vade_core.record import RECORDINGS
from vade_core.runs import RUNNING_STATES, Run, RunError

__all__ = ["PARTS", "LessonRuns", "Part"]

Summary = dict[str, Any]
UNUSABLE = ("queued", "failed")


@dataclass(frozen=True)
class Part:
    """A part that a run plays in the lesson.

    Attributes
    ----------
    recorded : str
        The id of the recorded run that is meant for it.
    fits : callable
        Tells whether a run of a person's own can stand in.
    words : str
        What to train where there is none, as the end of a sentence.
    """

    recorded: str
    fits: Callable[[Run], bool]
    words: str


def _classes(run: Run) -> int | None:
    names = run.config.class_names
    return len(names) if names else None


def _is_recorded_model(recorded: str) -> Callable[[Run], bool]:
    """Whether a run is of the model that a recording is of: the lesson's words speak of that."""
    model = next(str(one.asked["model"]) for one in RECORDINGS if one.id == recorded)
    return lambda run: run.config.model == model


def _starts_well(run: Run) -> bool:
    return run.config.parameters.get("start") != "random"


def _has_a_cluster_each(run: Run) -> bool:
    return _starts_well(run) and run.config.clusters >= (_classes(run) or 2)


def _has_too_few(run: Run) -> bool:
    return _starts_well(run) and run.config.clusters < (_classes(run) or 0)


def _part(recorded: str, words: str, fits: Callable[[Run], bool] = lambda run: True) -> Part:
    is_model = _is_recorded_model(recorded)
    return Part(recorded, lambda run: is_model(run) and fits(run), words)


PARTS: dict[str, Part] = {
    "vae": _part("vae", "a VAE"),
    "vade": _part("vade-k10", "VaDE with a cluster for every digit", _has_a_cluster_each),
    "seven": _part("vade-k7", "VaDE with fewer clusters than there are digits", _has_too_few),
    "fails": _part(
        "vade-fails",
        "VaDE with a random start and no pretraining",
        lambda run: not _starts_well(run),
    ),
    "paper": _part(
        "vade-paper",
        "VaDE by the paper's recipe",
        lambda run: _starts_well(run) and run.config.preset == "paper",
    ),
    "told": _part("lambda-hot", "Lambda-Hot"),
}
"""By name: who explains what a VAE is, who sorts, who has too few clusters, who fails, whom they
are held against."""


class LessonRuns:
    """Finds the run of each part.

    Parameters
    ----------
    summaries : sequence of dict
        Of `pages.shared.run_choice.readable_summaries`, newest first.
    """

    def __init__(self, summaries: Sequence[Summary]) -> None:
        # The sort keeps the newest first among those that have ended, and among the others.
        self._summaries = sorted(summaries, key=lambda one: one["state"] in RUNNING_STATES)
        self._found: dict[str, Run | None] = {}

    def get(self, name: str) -> Run | None:
        """The run of a part in `PARTS`; None where neither a recorded nor an own one is there."""
        if name not in self._found:
            self._found[name] = self._look(PARTS[name])
        return self._found[name]

    def _look(self, part: Part) -> Run | None:
        meant = [one for one in self._summaries if one["recorded"] and one["id"] == part.recorded]
        own = [one for one in self._summaries if not one["recorded"]]
        for summary in meant:
            if (run := _usable(summary)) is not None:
                return run
        for summary in own:
            run = _usable(summary)
            if run is not None and part.fits(run):
                return run
        return None


def _usable(summary: Summary) -> Run | None:
    """A run that has left both networks and frames."""
    if summary["state"] in UNUSABLE:
        return None
    try:
        run = Run(summary["path"])
        return run if run.config and has_model(run) and run.frame_numbers() else None
    except RunError:
        return None
