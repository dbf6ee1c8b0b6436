"""A person's own data, kept beside the runs: checked once, found again by what is in them.

Whatever came in (CSV, IDX, pictures, a file by upload) is kept as one .npz file of plain numbers
in a folder that is named after its content. A run names that file: its worker, its resumption and
the pages read it, and nothing depends on the original any more.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from vade_core.data import DATASETS, DataError, Dataset, DatasetEntry, load_file, load_parts
from vade_core.data.own_checks import MAX_SAMPLES, Say, size_words, whole_or_text
from vade_core.runs import Run, RunConfig, RunError, run_folders, runs_root

__all__ = [
    "OwnData",
    "bring_in",
    "data_file_of",
    "discard",
    "entry_of",
    "keep",
    "kept_data",
    "kept_key",
    "missing_data",
    "needed",
    "own_root",
    "take_uploads",
]

# Not a run's name: a run of any name can live beside it.
FOLDER = ".data"
ABOUT = "about.json"
KEY = re.compile(r"own-[0-9a-f]{16}")
# Of what a browser may send at once, and of what it may unpack to in the server's memory.
UPLOAD_BYTES = 400 * 2**20
UPLOAD_UNPACKED = 2**30
_ABOUT_BYTES = 2**20


@dataclass(frozen=True)
class OwnData:
    """Data that are kept here.

    Attributes
    ----------
    key : str
        ``own-`` and the beginning of its digest; the same for the same content.
    path : Path
        The .npz file.
    entry : DatasetEntry
        As of a data set of the catalogue.
    words : str
        What was understood when it came in.
    came : float
        When it came in, in seconds since 1970.
    """

    key: str
    path: Path
    entry: DatasetEntry
    words: str
    came: float


def own_root() -> Path:
    """Where a person's own data are kept: a folder beside the runs."""
    return runs_root() / FOLDER


def bring_in(
    path: Path,
    *,
    labels: Path | None = None,
    label_column: str | None = None,
    say: Say = None,
) -> tuple[Dataset, Path]:
    """Load a person's own file or folder, and keep it unless it is an .npz file as it stands.

    Parameters
    ----------
    path, labels, label_column, say
        As for :func:`vade_core.data.load_file`.

    Returns
    -------
    dataset : Dataset
    path : Path
        The .npz file that holds the data.

    Raises
    ------
    DataError
        If the data cannot be used, or cannot be kept.
    """
    said: list[str] = []
    dataset = load_file(path, labels=labels, label_column=label_column, say=said.append)
    if say is not None:
        for words in said:
            say(words)
    if path.suffix.casefold() == ".npz" and labels is None and dataset.name not in DATASETS:
        return dataset, path
    kept = keep(dataset, own_root(), " ".join(said))
    return replace(dataset, name=kept.entry.name), kept.path


def take_uploads(
    parts: Sequence[tuple[str, BinaryIO]], *, label_column: str | None = None
) -> OwnData:
    """Check what a browser sent, and keep it.

    Parameters
    ----------
    parts : sequence of (name, binary file)
        One file, samples and their labels, or pictures.
    label_column : str, optional

    Raises
    ------
    DataError
        In one sentence, why it is not taken; nothing is left behind then.
    """
    size = sum(stream.seek(0, os.SEEK_END) for _, stream in parts)
    if size > UPLOAD_BYTES:
        raise DataError(
            f"{parts[0][0]} is larger than {size_words(UPLOAD_BYTES)}: keep fewer samples, or "
            "train on the command line with --data."
        )
    said: list[str] = []
    dataset = load_parts(
        parts, label_column=label_column, say=said.append, most_bytes=UPLOAD_UNPACKED
    )
    return keep(dataset, own_root(), " ".join(said))


def keep(dataset: Dataset, root: Path, words: str = "") -> OwnData:
    """Write a data set as an .npz file under a folder named after its content.

    Parameters
    ----------
    dataset : Dataset
        Dense; its class names become the labels.
    root : Path
        See `own_root`.
    words : str
        What was understood of it, kept beside it.

    Raises
    ------
    DataError
        If it cannot be written; nothing is left behind then.
    """
    arrays = _arrays(dataset)
    name = dataset.name if dataset.name not in DATASETS else f"{dataset.name}-own"
    folder = root / _digest(arrays, name)
    about = {
        "name": name,
        "samples": dataset.n_samples,
        "features": dataset.n_features,
        "classes": dataset.n_classes,
        "likelihood": dataset.likelihood,
        "source": dataset.source,
        "words": words,
    }
    if (found := _kept(folder)) is None:
        _write(folder, f"{name}.npz", arrays, about)
        found = _kept(folder)
        if found is None:
            raise DataError(f"{folder} cannot be read back: check the disk.")
    return found


def kept_data(root: Path | None = None) -> dict[str, OwnData]:
    """What is kept, by key, in the order of its names; what cannot be read is left out."""
    root = own_root() if root is None else root
    try:
        folders = [entry for entry in root.iterdir() if KEY.fullmatch(f"own-{entry.name}")]
    except OSError:
        return {}
    found = [kept for folder in folders if (kept := _kept(folder)) is not None]
    return {kept.key: kept for kept in sorted(found, key=lambda kept: (kept.entry.name, kept.key))}


def entry_of(name: str) -> DatasetEntry:
    """What is known of a data set: one of the catalogue, or one that is kept here, by its key.

    Raises
    ------
    DataError
        If there is none.
    """
    if name in DATASETS:
        return DATASETS[name]
    kept = _kept(own_root() / name.removeprefix("own-")) if KEY.fullmatch(name) else None
    if kept is None:
        raise DataError(f"There is no data set {name[:40]!r} here: choose one of the list.")
    return kept.entry


def data_file_of(config: RunConfig) -> Path | None:
    """Where a run's own data lie: they may have moved with the runs. None of a data set's run."""
    if config.data_file is None:
        return None
    path = Path(config.data_file)
    moved = own_root() / path.parent.name / path.name
    return moved if not path.exists() and kept_key(str(moved)) else path


def missing_data(config: RunConfig) -> str | None:
    """Why the data of a run are not here, in a sentence; None if they are or can be fetched."""
    own = data_file_of(config)
    if own is not None and not own.exists():
        return (
            f"The data of this run, {own}, are not there any more: bring that file back, or "
            "train anew."
        )
    if own is None and config.dataset not in DATASETS:
        return (
            f"The data of this run, {config.dataset}, are not on this computer. The run can be "
            "looked at; to train it on, train anew on your own file."
        )
    return None


def kept_key(data_file: str | None) -> str | None:
    """The key of the kept data that a run's configuration names; None if it names none."""
    if data_file is None:
        return None
    folder = Path(data_file).parent
    key = f"own-{folder.name}"
    kept = _kept(own_root() / folder.name) if KEY.fullmatch(key) else None
    return key if kept is not None and kept.path.resolve() == Path(data_file).resolve() else None


def needed(key: str) -> str | None:
    """A sentence that says how many runs need kept data; None if no run does."""
    found = 0
    for folder in run_folders(runs_root()):
        try:
            found += kept_key(Run(folder).config.data_file) == key
        except RunError:
            continue
    if not found:
        return None
    if found == 1:
        return "1 run was made with these data and needs them: delete it first, on Load."
    return f"{found} runs were made with these data and need them: delete them first, on Load."


def discard(key: str) -> None:
    """Delete kept data for good.

    Raises
    ------
    DataError
        If there are none of that key, if a run needs them, or if they cannot be deleted.
    """
    kept = kept_data().get(key)
    if kept is None:
        raise DataError(f"There are no data {key[:40]!r} here any more.")
    if sentence := needed(key):
        raise DataError(sentence)
    folder = kept.path.parent
    # Renamed first: what disappears from the list disappears at once and as a whole.
    doomed = folder.with_name(f".deleted-{folder.name}-{time.time_ns()}")
    try:
        folder.rename(doomed)
    except OSError as error:
        raise DataError(f"{folder} cannot be deleted ({error.strerror}).") from error
    shutil.rmtree(doomed, ignore_errors=True)


def _arrays(dataset: Dataset) -> dict[str, np.ndarray]:
    assert isinstance(dataset.samples, np.ndarray)
    arrays: dict[str, np.ndarray] = {"X": dataset.samples}
    if dataset.image_shape is not None:
        arrays["image_shape"] = np.array(dataset.image_shape, dtype=np.int64)
    if dataset.labels is not None:
        names = list(dataset.class_names or map(str, range(dataset.n_classes or 0)))
        originals = whole_or_text(names)
        # Numbers only where they are read as the very same classes, in the same order.
        if [str(name) for name in originals] != names or (np.sort(originals) != originals).any():
            originals = np.array(names)
        arrays["y"] = originals[dataset.labels]
    return arrays


def _digest(arrays: dict[str, np.ndarray], name: str) -> str:
    """Sixteen hexadecimal digits that stand for the content and the name."""
    found = hashlib.sha256(name.encode())
    for key, values in sorted(arrays.items()):
        found.update(f"{key} {values.dtype.str} {values.shape}".encode())
        found.update(np.ascontiguousarray(values).view(np.uint8).data)
    return found.hexdigest()[:16]


def _write(folder: Path, file: str, arrays: dict[str, np.ndarray], about: dict[str, Any]) -> None:
    arriving: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        arriving = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".arriving-"))
        np.savez(arriving / file, **arrays)  # type: ignore[arg-type]
        text = json.dumps(about, ensure_ascii=False)
        (arriving / ABOUT).write_text(text, encoding="utf-8")
        arriving.chmod(0o755)  # mkdtemp's folders are their maker's alone
        if folder.exists():  # one that could not be read
            shutil.rmtree(folder, ignore_errors=True)
        # The folder appears as a whole or not at all.
        arriving.rename(folder)
    except OSError as error:
        if _kept(folder) is None:  # else somebody else has just written the same
            raise DataError(
                f"The data cannot be kept in {folder.parent} ({error.strerror}): free some space, "
                "or check that you may write there."
            ) from error
    finally:
        if arriving is not None:
            shutil.rmtree(arriving, ignore_errors=True)


def _kept(folder: Path) -> OwnData | None:
    try:
        with (folder / ABOUT).open("rb") as file:
            found = json.loads(file.read(_ABOUT_BYTES).decode("utf-8"))
            came = os.fstat(file.fileno()).st_mtime
        path = folder / f"{found['name']}.npz"
        counts = [found["samples"], found["features"]]
        classes = found["classes"]
        if not path.is_file() or not all(isinstance(n, int) and n > 0 for n in counts):
            return None
        if not (classes is None or 0 < int(classes) <= MAX_SAMPLES):
            return None
        entry = DatasetEntry(
            name=str(found["name"]),
            summary=f"Your own: {found['source']}",
            n_samples=counts[0],
            n_features=counts[1],
            n_classes=None if classes is None else int(classes),
            likelihood=str(found["likelihood"]),
            source=str(found["source"]),
            licence="unknown (yours)",
            loader=lambda progress: load_file(path),
        )
        return OwnData(f"own-{folder.name}", path, entry, str(found["words"]), came)
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
