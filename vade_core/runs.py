"""The run folder: what a training leaves behind, live or recorded, and how it is read.

A worker appends to the folder (:mod:`vade_core.recorder`); everyone else only reads it. A
recorded run (:mod:`vade_core.record`) is such a folder, made smaller and never changed again.

======================  ==========================================================================
config.json             what was asked for, and what the start decided (precision, threads)
status.json             state, phase, words, epoch, time left, process, error
note.json               a person's title and note
baseline.json           what k-means reaches on the raw data
metrics.jsonl           one line an epoch, see :mod:`vade_core.recorder`
control.json            what a person asks of the worker: pause, step, resume, stop
stage.safetensors       the stage set: rows, labels, pictures
frames/NNNNN.*          a snapshot of the stage set, numbered by its line in metrics.jsonl
weights/NNNNN.*         the model at that frame, where a person asked for it
checkpoint.safetensors  weights, Adam's moments, the position in the schedule
lock                    held by the worker as long as it lives
======================  ==========================================================================

Nothing here is ever unpickled: JSON and safetensors only. The stage set and the frames may be
compressed with gzip, under the same names.
"""

from __future__ import annotations

import json
import os
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors

from vade_core.locks import is_held

ASSETS = Path(__file__).resolve().parent.parent / "assets"

FORMAT = 1
# Of names that a person gives, what a link and every file system can carry.
ID_PATTERN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,78}[A-Za-z0-9_-])?")
ID_WORDS = (
    "an id begins with a letter from a to z or a digit, and goes on with these, hyphens, "
    "underscores or dots, but does not end with a dot, 80 characters at most"
)
# The phase of the first report, made before any training.
UNTRAINED: Literal["untrained"] = "untrained"
NOT_OWN = (UNTRAINED, "pretrain", "start")  # phases before the model's own epochs
RUNNING_STATES = ("running", "paused")
STATES = ("queued", *RUNNING_STATES, "finished", "stopped", "failed", "interrupted")
BROKEN = "broken"
SUMMARY_FIELDS = (
    *("model", "dataset", "clusters", "preset", "seed", "epochs"),
    *("acc", "nmi", "rand_index", "created"),
)

CONFIG, STATUS, NOTE, METRICS = "config.json", "status.json", "note.json", "metrics.jsonl"
BASELINE = "baseline.json"
CONTROL, STAGE, CHECKPOINT, LOCK = (
    "control.json",
    "stage.safetensors",
    "checkpoint.safetensors",
    "lock",
)
FRAMES, WEIGHTS = "frames", "weights"

GZIP = b"\x1f\x8b\x08"
# Of a stage set or a frame, unpacked: what a few kilobytes may not swell beyond.
UNPACKED_LIMIT = 256 * 2**20


MOST_OF_TITLE, MOST_OF_NOTE = 80, 4000  # characters that a person may write of a run


class RunError(ValueError):
    """A run that cannot be read or written; the message names the file and what to do."""


@dataclass
class RunConfig:
    """What was asked for, and what the start decided.

    Attributes
    ----------
    model, preset : str
        Names from the registries.
    parameters : dict
        The estimator's constructor parameters.
    dataset : str
        A registered data set, or the name of a person's own.
    data_file, data_sha256 : str or None
        A person's own file and what was in it.
    subset : int or None
        Number of samples, or all.
    split : bool
        Whether the test part was kept out of training.
    clusters : int
        K; the number of classes for a supervised model.
    seed : int
    lenses : list of str
        The maps made of every frame.
    max_frames : int
        At most about so many frames.
    keep_weights : bool
        Whether the model of every frame is kept, so that it can be asked about earlier epochs.
    n_samples, n_features : int
    image_shape : list of two int, or None
    class_names : list of str, or None
    labelled : bool
    likelihood : str
    precision, threads : str, int or None
        Decided when training starts, kept so that a resumed run computes the same numbers.
    created : str
        ISO 8601, UTC.
    versions : dict
        Of the libraries.
    format : int
        Of the folder.
    """

    model: str
    preset: str
    parameters: dict[str, Any]
    dataset: str
    clusters: int
    seed: int
    n_samples: int
    n_features: int
    likelihood: str
    labelled: bool
    data_file: str | None = None
    data_sha256: str | None = None
    subset: int | None = None
    split: bool = False
    lenses: list[str] = field(default_factory=lambda: ["tsne", "pca"])
    max_frames: int = 40
    keep_weights: bool = False
    image_shape: list[int] | None = None
    class_names: list[str] | None = None
    precision: str | None = None
    threads: int | None = None
    created: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    format: int = FORMAT

    @classmethod
    def from_json(cls, found: Any, path: Path) -> RunConfig:
        """Check and take over what a config.json holds; RunError names what is wrong."""
        if not isinstance(found, dict):
            raise RunError(f"{path} is not a run's configuration.")
        if found.get("format") != FORMAT:
            raise RunError(
                f"{path} has format {found.get('format')!r}; this version reads format {FORMAT}."
            )
        known = {f.name for f in fields(cls)}
        try:
            config = cls(**{k: v for k, v in found.items() if k in known})
        except TypeError as error:
            raise RunError(f"{path} lacks an entry: {error}.") from error
        checks = {
            "model": isinstance(config.model, str),
            "dataset": isinstance(config.dataset, str),
            "preset": isinstance(config.preset, str),
            "created": isinstance(config.created, str),
            "seed": _whole(config.seed, 0, 2**32 - 1),
            "parameters": isinstance(config.parameters, dict),
            "clusters": _whole(config.clusters, 1, 100_000),
            "n_features": _whole(config.n_features, 1, 10_000_000),
            "n_samples": _whole(config.n_samples, 1, 100_000_000),
            "likelihood": config.likelihood in ("bernoulli", "gaussian"),
            "lenses": isinstance(config.lenses, list),
            "image_shape": config.image_shape is None
            or (
                isinstance(config.image_shape, list)
                and len(config.image_shape) == 2
                and all(_whole(side, 1, 100_000) for side in config.image_shape)
                and config.image_shape[0] * config.image_shape[1] == config.n_features
            ),
            "class_names": config.class_names is None
            or (
                isinstance(config.class_names, list)
                and all(isinstance(name, str) for name in config.class_names)
            ),
        }
        for name, fine in checks.items():
            if not fine:
                raise RunError(f"{path}: {name} is {getattr(config, name)!r}, which cannot be.")
        config.parameters = _as_named_today(config.parameters)
        return config

    def to_json(self) -> dict[str, Any]:
        """As a dict that JSON can hold."""
        return asdict(self)


def _as_named_today(parameters: dict[str, Any]) -> dict[str, Any]:
    """A run's parameters, those of a few days in November 2026 among them.

    Then ``renew_held`` said whether held clusters are renewed once, when half of their epochs are
    over.
    """
    found = dict(parameters)
    held = found.get("clamped_epochs")
    if found.pop("renew_held", False) and isinstance(held, int):
        found["renew_every"] = max(1, held // 2)
    return found


def _whole(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


@dataclass(frozen=True)
class Stage:
    """The stage set: the samples that every frame shows.

    Attributes
    ----------
    rows : ndarray of int64, shape (n,)
        Their rows in the data set.
    labels : ndarray of int64, shape (n,), or None
    pictures : ndarray of uint8, shape (n, h, w), or None
    shown : ndarray of int64
        Positions within the stage set of the samples whose reconstructions are kept.
    samples : ndarray, shape (len(shown), D)
        Those samples themselves, as the model sees them.
    """

    rows: NDArray[np.int64]
    labels: NDArray[np.int64] | None
    pictures: NDArray[np.uint8] | None
    shown: NDArray[np.int64]
    samples: NDArray[np.float32]


@dataclass(frozen=True)
class Frame:
    """A snapshot of the stage set after an epoch.

    Attributes
    ----------
    number : int
        Its line in metrics.jsonl.
    latents : ndarray, shape (n, J)
        Posterior means.
    maps : dict of str to ndarray, each (n, 2)
        By lens.
    responsibilities : ndarray, shape (n, K), or None
        gamma; None before the model has clusters.
    clusters : ndarray of int64, shape (n,), or None
    prior : dict of str to ndarray
        ``log_weights`` (K,), ``means`` (K, J), ``log_variances`` (K, J), or empty.
    reconstructions : ndarray of float32, shape (len(stage.shown), D)
    """

    number: int
    latents: NDArray[np.float32]
    maps: dict[str, NDArray[np.float32]]
    responsibilities: NDArray[np.float32] | None
    clusters: NDArray[np.int64] | None
    prior: dict[str, NDArray[np.float32]]
    reconstructions: NDArray[np.float32]


def read_json(path: Path) -> Any:
    """The contents of a JSON file; RunError names it where it cannot be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(f"{path} is missing.") from None
    # ValueError: undecodable bytes, JSON that is none, whole numbers of thousands of digits.
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(f"{path} cannot be read as JSON: {error}.") from error


def read_tensors(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of a safetensors file, compressed or not; RunError names one that is neither."""
    try:
        content = path.read_bytes()
        return dict(load_tensors(_unzipped(content) if content.startswith(GZIP) else content))
    except FileNotFoundError:
        raise RunError(f"{path} is missing.") from None
    except (OSError, SafetensorError, ValueError, KeyError, zlib.error) as error:
        raise RunError(f"{path} is truncated or no safetensors file: {error}.") from error


def _unzipped(content: bytes) -> bytes:
    reader = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    unpacked = reader.decompress(content, UNPACKED_LIMIT)
    if not reader.eof:
        raise ValueError(f"it ends early, or holds more than {UNPACKED_LIMIT:,} bytes")
    return unpacked


class Run:
    """A run folder, opened for reading.

    Parameters
    ----------
    path : Path
        The folder.

    Raises
    ------
    RunError
        If there is no such folder. What is wrong inside shows when it is asked for.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        if not self.path.is_dir():
            raise RunError(f"{self.path} is not a run folder: there is no such folder.")

    @property
    def id(self) -> str:
        """The folder's name, which links carry."""
        return self.path.name

    @cached_property
    def config(self) -> RunConfig:
        """What was asked for."""
        return RunConfig.from_json(read_json(self.path / CONFIG), self.path / CONFIG)

    def status(self) -> dict[str, Any]:
        """The status as the worker last wrote it, its ``state`` corrected by the lock.

        A worker that died is known by the lock that the operating system released.
        """
        status = self._written_status()
        if status["state"] in RUNNING_STATES and not self.has_worker():
            # The worker may have finished between the two looks: look again before naming it dead.
            status = self._written_status()
            if status["state"] in RUNNING_STATES:
                status["state"] = "interrupted"
        return status

    def _written_status(self) -> dict[str, Any]:
        path = self.path / STATUS
        status = read_json(path)
        if not isinstance(status, dict) or status.get("state") not in STATES:
            raise RunError(f"{path} holds no known state.")
        return status

    @property
    def state(self) -> str:
        """One of ``STATES``."""
        return str(self.status()["state"])

    def has_worker(self) -> bool:
        """Whether a living process trains into this folder."""
        return is_held(self.path / LOCK)

    def note(self) -> dict[str, str]:
        """A person's ``title`` and ``note``, empty where there is none."""
        path = self.path / NOTE
        found = read_json(path) if path.exists() else {}
        if not isinstance(found, dict):
            raise RunError(f"{path} is not a note.")
        return {key: str(found.get(key, "")) for key in ("title", "note")}

    @property
    def title(self) -> str:
        """The person's title, or the id."""
        return self.note()["title"] or self.id

    def metrics(self) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl; a last line that is still being written is left out."""
        path = self.path / METRICS
        if not path.exists():
            return []
        try:
            text = path.read_bytes().decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RunError(f"{path} cannot be read: {error}.") from error
        lines = []
        for number, line in enumerate(text.split("\n")[:-1]):
            try:
                entry = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise RunError(f"{path}, line {number + 1}, is not JSON: {error}.") from error
            if not isinstance(entry, dict) or "phase" not in entry or "epoch" not in entry:
                raise RunError(f"{path}, line {number + 1}, is no epoch's report.")
            lines.append(entry)
        return lines

    def stage(self) -> Stage:
        """The stage set."""
        path = self.path / STAGE
        found = read_tensors(path)
        if not {"rows", "shown", "samples"} <= found.keys():
            raise RunError(f"{path} is not a stage set.")
        labels = found.get("labels")
        return Stage(
            found["rows"],
            None if labels is None else labels.astype(np.int64),
            found.get("pictures"),
            found["shown"],
            found["samples"].astype(np.float32),
        )

    def frame_numbers(self) -> list[int]:
        """Numbers of the frames that are there, in order."""
        return _numbers(self.path / FRAMES)

    def weights_numbers(self) -> list[int]:
        """Numbers of the frames whose model is kept, in order."""
        return _numbers(self.path / WEIGHTS)

    def weights_path(self, number: int) -> Path:
        """Where the model of frame ``number`` is kept."""
        return self.path / WEIGHTS / f"{number:05d}.safetensors"

    def frame_path(self, number: int) -> Path:
        """Where the frame of metrics line ``number`` is kept."""
        return self.path / FRAMES / f"{number:05d}.safetensors"

    def frame(self, number: int) -> Frame:
        """One frame."""
        path = self.frame_path(number)
        found = read_tensors(path)
        if "latents" not in found or "reconstructions" not in found:
            raise RunError(f"{path} is not a frame.")
        n = len(found["latents"])
        for name in ("responsibilities", "clusters"):
            if name in found and len(found[name]) != n:
                raise RunError(f"{path}: {name} and latents have different lengths.")
        maps = {
            name.removeprefix("map."): value.astype(np.float32)
            for name, value in found.items()
            if name.startswith("map.")
        }
        for lens, positions in maps.items():
            if positions.shape != (n, 2):
                raise RunError(f"{path}: the {lens} map does not hold a place for every point.")
        responsibilities = found.get("responsibilities")
        clusters = found.get("clusters")
        return Frame(
            number,
            found["latents"].astype(np.float32),
            maps,
            None if responsibilities is None else responsibilities.astype(np.float32),
            None if clusters is None else clusters.astype(np.int64),
            {
                name.removeprefix("prior."): value.astype(np.float32)
                for name, value in found.items()
                if name.startswith("prior.")
            },
            found["reconstructions"].astype(np.float32),
        )

    def summary(self) -> dict[str, Any]:
        """What a list shows of a run: id, path, state, model, dataset, clusters and more."""
        config, status, note = self.config, self.status(), self.note()
        lines = self.metrics()
        last: dict[str, Any] = next(
            (line for line in reversed(lines) if line.get("acc") is not None), {}
        )
        return {
            "id": self.id,
            "path": str(self.path),
            "state": status["state"],
            "model": config.model,
            "dataset": config.dataset,
            "clusters": config.clusters,
            "preset": config.preset,
            "seed": config.seed,
            "epochs": sum(line["phase"] not in NOT_OWN for line in lines),
            "acc": last.get("acc"),
            "nmi": last.get("nmi"),
            "rand_index": last.get("rand_index"),
            "created": config.created,
            "title": note["title"] or self.id,
            "note": note["note"],
        }


def _numbers(folder: Path) -> list[int]:
    if not folder.is_dir():
        return []
    names = (entry.name for entry in folder.iterdir())
    found = (re.fullmatch(r"(\d{5})\.safetensors", name) for name in names)
    return sorted(int(match[1]) for match in found if match)


def runs_root() -> Path:
    """Where runs live: the folder that VADE_RUNS names, or ``./runs``."""
    return Path(os.environ.get("VADE_RUNS") or "runs")


def recorded_root() -> Path:
    """Where the recorded runs live: ``assets/runs``, or the folder that VADE_RECORDED names."""
    return Path(os.environ.get("VADE_RECORDED") or ASSETS / "runs")


def is_recorded(path: Path) -> bool:
    """Whether a run's folder is one of the recorded ones, which are never changed."""
    return path.resolve().parent == recorded_root().resolve()


def run_folders(root: Path) -> Iterator[Path]:
    """The folders under ``root`` that hold runs, in order; none where it cannot be read.

    Their names are ids, and one of a run's files at least is there: without its configuration it
    is a broken run, and not somebody's folder of other things.
    """
    try:
        entries = sorted(root.iterdir())
    except OSError:
        return
    for entry in entries:
        files = (entry / name for name in (CONFIG, STATUS, METRICS))
        if ID_PATTERN.fullmatch(entry.name) and any(map(os.path.isfile, files)):
            yield entry


def list_runs(roots: Sequence[Path]) -> list[dict[str, Any]]:
    """Summaries of the runs in some folders, newest first; a broken one says why.

    Returns
    -------
    list of dict
        As :meth:`Run.summary`; a run that cannot be read has the state ``broken``, an ``error``
        that names the file, and None elsewhere.
    """
    found = [summarise(folder) for root in roots for folder in run_folders(root)]
    return sorted(found, key=lambda summary: summary["created"] or "", reverse=True)


def summarise(folder: Path) -> dict[str, Any]:
    """A run's summary, or why there is none: see :func:`list_runs`."""
    try:
        return Run(folder).summary()
    except RunError as error:
        sentence = str(error)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        sentence = f"{folder} is no run that this version can read: {error}."
    known = {"id": folder.name, "path": str(folder), "title": folder.name, "note": ""}
    return dict.fromkeys(SUMMARY_FIELDS) | known | {"state": BROKEN, "error": sentence}


def at_work(
    summaries: Sequence[dict[str, Any]],
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Of some summaries, those of runs that train, and of those that wait, the next one first."""
    active = [summary for summary in summaries if summary["state"] in RUNNING_STATES]
    queued = [summary for summary in summaries if summary["state"] == "queued"]
    return active, sorted(queued, key=lambda summary: (summary["created"], summary["id"]))


def find_run(run_id: str, roots: Sequence[Path]) -> Run:
    """The run of that id.

    Raises
    ------
    RunError
        If the id is none, or no run has it. An id is a name, never a path.
    """
    if not ID_PATTERN.fullmatch(run_id):
        raise RunError(f"{run_id[:80]!r} is no run's id: {ID_WORDS}.")
    for root in roots:
        if (root / run_id).is_dir():
            return Run(root / run_id)
    raise RunError(f"There is no run {run_id!r} here (any more?): choose another one.")
