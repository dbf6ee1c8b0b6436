"""What may stand in the files of a run that comes from elsewhere."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vade_core.data import DATASETS
from vade_core.runs import (
    CHECKPOINT,
    CONFIG,
    FRAMES,
    METRICS,
    MOST_OF_NOTE,
    MOST_OF_TITLE,
    NOTE,
    RUNNING_STATES,
    STAGE,
    STATES,
    STATUS,
    Frame,
    RunConfig,
    RunError,
    Stage,
)

LINE_LIMIT = 100_000
TEXT_LIMIT = 4000
LIST_LIMIT = 100_000
RESTING_STATES = tuple(s for s in STATES if s not in ("queued", *RUNNING_STATES))
STATUS_NUMBERS = (
    "epoch",
    "epochs",
    "past_epochs",
    "total_epochs",
    "seconds_an_epoch",
    "elapsed",
    "reports",
    "updated",
)
# Entries of a report that are drawn or compared: scores, times, terms of the loss.
NUMBERED = re.compile(
    r"(test_|start_)?(acc|nmi|rand_index|ari|purity)|seconds|elapsed|reconstruction|\w*(loss|kl)"
    r"|start_agreement|log_likelihood|edge_information|renewed"
)


class ArchiveError(RunError):
    """An archive that is refused, or a run that cannot be packed; one sentence says why."""


def is_number(value: Any) -> bool:
    """Whether a JSON value is a finite number (true and false are none)."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return abs(value) < 2**53 if isinstance(value, int) else math.isfinite(value)


def _is_text(value: Any, longest: int = TEXT_LIMIT) -> bool:
    return isinstance(value, str) and len(value) <= longest


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, bool) or is_number(value) or _is_text(value)


def _is_plain_or_list(value: Any) -> bool:
    if isinstance(value, list):
        return len(value) <= LIST_LIMIT and all(map(_is_plain, value))
    return _is_plain(value)


def _is_entry(value: Any) -> bool:
    return _map_of(value, _is_plain) if isinstance(value, dict) else _is_plain_or_list(value)


def _whole(value: Any, low: int = 0, high: int = 2**53) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _or_none(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or check(value)


def _map_of(value: Any, check: Callable[[Any], bool], most: int = 200) -> bool:
    return (
        isinstance(value, dict)
        and len(value) <= most
        and all(_is_text(key, 100) and check(item) for key, item in value.items())
    )


def checked_config(found: Any) -> RunConfig:
    """A configuration that names no file of the sender's.

    A run on a person's own file keeps the name of its data set, unless that is the name of a
    data set from the catalogue, which it must not be taken for.

    Raises
    ------
    ArchiveError
        If an entry is missing or cannot be.
    """
    try:
        config = RunConfig.from_json(found, Path(CONFIG))
    except (RunError, TypeError) as error:
        raise ArchiveError(f"The archive's configuration does not hold: {error}") from error
    checks: dict[str, Callable[[Any], bool]] = {
        "model": lambda value: _is_text(value, 80),
        "preset": lambda value: _is_text(value, 80),
        "dataset": lambda value: _is_text(value, 200),
        "parameters": lambda value: _map_of(value, _is_plain_or_list),
        "seed": lambda value: _whole(value, 0, 2**32 - 1),
        "labelled": lambda value: isinstance(value, bool),
        "split": lambda value: isinstance(value, bool),
        "keep_weights": lambda value: isinstance(value, bool),
        "data_file": _or_none(_is_text),
        "data_sha256": _or_none(lambda value: _is_text(value, 64)),
        "subset": _or_none(lambda value: _whole(value, 1)),
        "lenses": lambda value: (
            isinstance(value, list) and len(value) <= 20 and all(_is_text(v, 80) for v in value)
        ),
        "max_frames": lambda value: _whole(value, 1, 100_000),
        "class_names": _or_none(
            lambda value: len(value) <= 1000 and all(_is_text(name, 200) for name in value)
        ),
        "precision": _or_none(lambda value: _is_text(value, 20)),
        "threads": _or_none(lambda value: _whole(value, 1, 4096)),
        "created": lambda value: _is_text(value, 80),
        "versions": lambda value: _map_of(value, _is_text),
    }
    for name, fine in checks.items():
        if not fine(getattr(config, name)):
            raise ArchiveError(f"The archive's {CONFIG} holds a {name} that cannot be.")
    own = config.data_file is not None or config.data_sha256 is not None
    if own and config.dataset in DATASETS:
        config.dataset = f"{config.dataset}-from-elsewhere"
    config.data_file = None
    return config


def checked_status(found: Any) -> dict[str, Any]:
    """A status that says how far the run came; never that it runs, waits or has a process.

    Raises
    ------
    ArchiveError
        If it holds no known state.
    """
    if not isinstance(found, dict) or found.get("state") not in STATES:
        raise ArchiveError(f"The archive's {STATUS} holds no known state.")
    state = found["state"]
    kept = {name: found[name] for name in STATUS_NUMBERS if is_number(found.get(name))}
    if state in RESTING_STATES:
        words = found.get("words")
        kept["words"] = words if _is_text(words, 200) else str(state).capitalize()
        if _is_text(found.get("error")):
            kept["error"] = found["error"]
    else:
        state = "stopped" if state == "queued" else "interrupted"
        kept["words"] = f"{state.capitalize()}; it can be resumed"
    return {"state": state, **kept}


def check_whole(state: str, there: Collection[str]) -> None:
    """Whether a run has what a run of its state must have.

    Parameters
    ----------
    state : str
        As a checked status has it.
    there : collection of str
        Names of the files that have come; ``frames`` where at least one frame has.

    Raises
    ------
    ArchiveError
        If a finished run lacks a part, or a run never began.
    """
    if state == "finished":
        needed = {METRICS: METRICS, STAGE: STAGE, CHECKPOINT: CHECKPOINT, FRAMES: "its frames"}
        missing = [words for name, words in needed.items() if name not in there]
        if missing:
            *first, last = missing
            listed = f"{', '.join(first)} and {last}" if first else last
            raise ArchiveError(
                f"The archive lacks {listed}: a finished run needs them, so ask for a whole one."
            )
    elif METRICS not in there and FRAMES not in there:
        raise ArchiveError(
            "The run in this archive never began, so there is nothing in it to look at: train it "
            "first, or ask for a later archive."
        )


def checked_note(found: Any) -> dict[str, str]:
    """A title and a note.

    Raises
    ------
    ArchiveError
        If they are no texts.
    """
    if not isinstance(found, dict):
        raise ArchiveError(f"The archive's {NOTE} is not a note.")
    title, note = found.get("title", ""), found.get("note", "")
    if not (_is_text(title, MOST_OF_TITLE) and _is_text(note, MOST_OF_NOTE)):
        raise ArchiveError(f"The archive's {NOTE} holds a title or a note that is too long.")
    return {"title": title, "note": note}


def checked_baseline(found: Any) -> dict[str, dict[str, float | None]]:
    """Scores of simpler methods, each in [-1, 1].

    Raises
    ------
    ArchiveError
        If they are no scores.
    """

    def score(value: Any) -> bool:
        return value is None or (is_number(value) and -1 <= value <= 1)

    if not _map_of(found, lambda scores: _map_of(scores, score)):
        raise ArchiveError("The archive's baseline.json holds no scores.")
    return dict(found)


def checked_lines(content: bytes, config: RunConfig) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl.

    Raises
    ------
    ArchiveError
        If a line is no epoch's report; the message has its number.
    """
    rows = content.split(b"\n")[:-1]
    if len(rows) > LINE_LIMIT:
        raise ArchiveError(f"The archive's {METRICS} has more than {LINE_LIMIT:,} lines.")
    lines = []
    for number, row in enumerate(rows, start=1):
        try:
            line = json.loads(row.decode("utf-8"))
        except (ValueError, RecursionError):
            line = None
        if not isinstance(line, dict) or not _is_report(line, config):
            raise ArchiveError(f"The archive's {METRICS}, line {number}, is no epoch's report.")
        lines.append(line)
    return lines


def _is_report(line: Mapping[str, Any], config: RunConfig) -> bool:
    if not _map_of(line, _is_entry):
        return False
    if not (_whole(line.get("epoch")) and _is_text(line.get("phase"), 80)):
        return False
    for name, value in line.items():
        if name in ("report", "epochs", "stage") and not _whole(value):
            return False
        if name in ("sizes", "matched", "classes") and not _are_whole(value, config.clusters):
            return False
        if NUMBERED.fullmatch(name) and not (value is None or is_number(value)):
            return False
    return True


def _are_whole(values: Any, count: int) -> bool:
    return (
        isinstance(values, list)
        and len(values) == count
        and all(_whole(value, -1) for value in values)
    )


def checked_stage(stage: Stage, config: RunConfig) -> None:
    """Whether a stage set's arrays fit each other and the configuration.

    Raises
    ------
    ArchiveError
        If they do not.
    """
    n = len(stage.rows)
    shape = None if config.image_shape is None else (n, *config.image_shape)
    fits = (
        _integers(stage.rows, (n,), 0)
        and (stage.labels is None or _integers(stage.labels, (n,), -1))
        and (
            stage.pictures is None
            or (stage.pictures.dtype == np.uint8 and stage.pictures.shape == shape)
        )
        and _integers(stage.shown, (len(stage.shown),), 0, n)
        and stage.samples.shape == (len(stage.shown), config.n_features)
        and bool(np.isfinite(stage.samples).all())
    )
    if not fits:
        raise ArchiveError(f"The archive's {STAGE} does not fit its configuration.")


def checked_frame(frame: Frame, stage: Stage, config: RunConfig) -> None:
    """Whether a frame's arrays fit each other, the stage set and the configuration.

    Raises
    ------
    ArchiveError
        If they do not.
    """
    n, k = len(stage.rows), config.clusters
    gamma, clusters, latents = frame.responsibilities, frame.clusters, frame.latents
    j = latents.shape[1] if latents.ndim == 2 else -1
    shapes: dict[str, tuple[int, ...]] = {
        "log_weights": (k,),
        "means": (k, j),
        "log_variances": (k, j),
    }
    fits = (
        latents.shape == (n, j)
        and (gamma is None or gamma.shape == (n, k))
        and (clusters is None or _integers(clusters, (n,), 0, k))
        and frame.reconstructions.shape == (len(stage.shown), config.n_features)
        and all(place.shape == (n, 2) for place in frame.maps.values())
        and all(shapes.get(name) == part.shape for name, part in frame.prior.items())
    )
    numbers: list[NDArray[Any]] = [
        latents,
        frame.reconstructions,
        *frame.maps.values(),
        *frame.prior.values(),
    ]
    if gamma is not None:
        numbers.append(gamma)
    if not fits or not all(np.isfinite(values).all() for values in numbers):
        raise ArchiveError(
            f"The archive's frame {frame.number} does not fit its stage set and configuration."
        )


def _integers(
    values: NDArray[Any], shape: tuple[int, ...], low: int, high: int | None = None
) -> bool:
    if values.shape != shape or values.dtype.kind not in "iu":
        return False
    if not values.size:
        return True
    return bool(values.min() >= low) and (high is None or bool(values.max() < high))
