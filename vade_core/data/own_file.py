"""A person's own data: what kind of file it is, by its content, and who reads it."""

from __future__ import annotations

import dataclasses
import io
import re
from collections.abc import Sequence
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import BinaryIO

import numpy as np

from vade_core.data.dataset import DataError, Dataset
from vade_core.data.own_checks import MAX_BYTES, Found, Say, dataset_of, refuse
from vade_core.data.own_csv import read_csv, read_labels
from vade_core.data.own_idx import GZIP_START, idx_samples, is_idx, read_own_idx, unpacked_start
from vade_core.data.own_npz import read_npz
from vade_core.data.own_pictures import (
    STARTS as PICTURE_STARTS,
)
from vade_core.data.own_pictures import Picture, is_picture, read_folder, read_pictures, read_zip
from vade_core.zip_checks import ZIP_STARTS

KINDS = ".csv, .npz, IDX, or a folder or zip of PNG or JPEG pictures"
# Pickle's protocols 2 to 5 begin so; protocol 0 and 1 are told by the ending alone.
_PICKLE = re.compile(rb"\x80[\x02-\x05]")
_PICKLE_ENDINGS = (".pkl", ".pickle", ".p", ".joblib", ".pt", ".pth")
_ENDINGS = re.compile(r"(\.(npz|csv|txt|tsv|zip|gz|idx|ubyte|png|jpe?g))+$", re.IGNORECASE)

Named = tuple[str, BinaryIO]


def load_file(
    path: str | Path,
    *,
    labels: str | Path | None = None,
    label_column: str | None = None,
    say: Say = None,
) -> Dataset:
    """Load a person's own data from a file or a folder.

    - ``.npz``: `X`, (n, D) numbers or (n, height, width) pictures, and perhaps `y`, (n,) integers
      or texts, and `image_shape`, two integers. uint8 `X` stays as it is; other numbers become
      float32.
    - CSV: see :func:`vade_core.data.own_csv.read_csv`.
    - IDX of unsigned bytes, gzipped or not.
    - A folder or a zip of PNG or JPEG pictures: see :mod:`vade_core.data.own_pictures`.

    The likelihood is "bernoulli" for uint8 and for values in [0, 1], else "gaussian". A seeded
    random seventh is the test part. Nothing is ever unpickled or unpacked to the disk.

    Parameters
    ----------
    path : str or Path
    labels : str or Path, optional
        A file of labels: IDX, or text with one label a line.
    label_column : str, optional
        Of a CSV file; by default the one called ``label``, ``y`` or ``class``.
    say : callable, optional
        Told in sentences what was understood, and what is odd but no mistake.

    Returns
    -------
    Dataset
        Named after the file; `class_names` keeps the labels as text.

    Raises
    ------
    DataError
        If the file or what it holds cannot be used; one sentence names the file and says why.
    """
    path = Path(path)
    with ExitStack() as stack:
        given = None
        if labels is not None:
            given = (Path(labels).name, stack.enter_context(_opened(Path(labels))))
        if path.is_dir():
            _no_column(label_column, path.name)
            found = _with_labels(read_folder(path), given, path.name)
            return dataset_of(found, path.name, path.name, say)
        named = (path.name, stack.enter_context(_opened(path)))
        return load_parts([named], labels=given, label_column=label_column, say=say)


def load_parts(
    parts: Sequence[Named],
    *,
    labels: Named | None = None,
    label_column: str | None = None,
    say: Say = None,
    most_bytes: int = MAX_BYTES,
) -> Dataset:
    """Load a person's own data from files that are open: one, an IDX pair, or many pictures.

    Parameters
    ----------
    parts : sequence of (name, binary file)
        Two may be samples and their labels, in any order.
    labels, label_column, say
        As for :func:`load_file`.
    most_bytes : int
        What the samples may take in memory.

    Raises
    ------
    DataError
    """
    if not parts:
        raise DataError(f"There is no file: give {KINDS}.")
    if len(parts) > 1 and all(is_picture(name) for name, _ in parts):
        return _load_pictures(parts, most_bytes, labels, say)
    if len(parts) == 2 and labels is None:
        first, second = parts
        if _holds_labels(*first) and not _holds_labels(*second):
            first, second = second, first
        parts, labels = [first], second
    if len(parts) > 1:
        raise DataError(
            f"These are {len(parts)} files: give one, or one and its labels, or pictures alone."
        )
    ((name, stream),) = parts
    try:
        found = _with_labels(_read(name, stream, label_column, most_bytes), labels, name)
        return dataset_of(found, name, _ENDINGS.sub("", name), say)
    except MemoryError as error:
        refuse(name, "does not fit into this computer's memory: keep fewer rows", error)


def _load_pictures(
    parts: Sequence[Named], most_bytes: int, labels: Named | None, say: Say
) -> Dataset:
    def picture(name: str, stream: BinaryIO) -> Picture:
        size = stream.seek(0, io.SEEK_END)
        stream.seek(0)
        return Picture(name, size, lambda: nullcontext(stream))

    found = read_pictures([picture(*part) for part in parts], "This", len(parts), most_bytes)
    return dataset_of(_with_labels(found, labels, "This"), "pictures", "pictures", say)


def _read(name: str, stream: BinaryIO, label_column: str | None, most_bytes: int) -> Found:
    stream.seek(0)
    start = stream.read(4)
    stream.seek(0)
    ending = Path(name).suffix.casefold()
    if ending == ".npz":
        _no_column(label_column, name)
        return read_npz(stream, name, most_bytes)
    if not start:
        refuse(name, f"is empty: give {KINDS}")
    if _PICKLE.match(start) or ending in _PICKLE_ENDINGS:
        refuse(name, "is a pickle, which can run code when it is opened: save numbers as .npz")
    if start.startswith(b"\x93NUM"):
        refuse(name, "is an .npy file: write it with numpy.savez(file, X=..., y=...)")
    packed = start.startswith(GZIP_START)
    inside = unpacked_start(stream) if packed else start
    if is_idx(inside):
        _no_column(label_column, name)
        return idx_samples(read_own_idx(stream, name, most_bytes), name)
    if packed and inside:
        refuse(name, "is packed with gzip, as IDX files alone may be: unpack it, and give that")
    if packed:
        refuse(name, "is packed with gzip and cannot be unpacked: copy it again")
    if start in ZIP_STARTS:
        _no_column(label_column, name)
        return read_zip(stream, name, most_bytes)
    if start.startswith(PICTURE_STARTS):
        refuse(name, "is a single picture: give a folder or a zip of at least 20")
    return read_csv(stream, name, label_column, most_bytes)


def _holds_labels(name: str, stream: BinaryIO) -> bool:
    """Whether a file can hold nothing but labels: IDX of one dimension, or text of one column."""
    stream.seek(0)
    start = stream.read(4)
    if start.startswith(GZIP_START):
        start = unpacked_start(stream)
    stream.seek(0)
    if is_idx(start):
        return start[3] == 1
    if Path(name).suffix.casefold() not in (".csv", ".txt", ".tsv"):
        return False
    line = stream.readline(2**16)
    stream.seek(0)
    return not any(mark in line for mark in (b",", b";", b"\t"))


def _with_labels(found: Found, labels: Named | None, file: str) -> Found:
    if labels is None:
        return found
    name, stream = labels
    if found.classes is not None:
        refuse(file, f"has labels already: leave {name} out")
    stream.seek(0)
    start = stream.read(4)
    if is_idx(start) or start.startswith(GZIP_START):
        classes: np.ndarray = read_own_idx(stream, name)
        if classes.ndim != 1:
            refuse(name, f"holds no labels but values of the shape {classes.shape}")
        classes = classes.astype(np.int64)
    else:
        classes = read_labels(stream, name)
    if len(classes) != len(found.values):
        refuse(
            name,
            f"has {len(classes):,} labels for the {len(found.values):,} samples of {file}: give "
            "one a sample",
        )
    notes = [note for note in found.notes if "label" not in note]
    return dataclasses.replace(found, classes=classes, notes=[*notes, f"Labels are from {name}."])


def _no_column(label_column: str | None, file: str) -> None:
    if label_column is not None and label_column.strip():
        refuse(file, "is no CSV file: only there a column of labels can be named")


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except FileNotFoundError as error:
        refuse(str(path), "does not exist: check the path", error)
    except OSError as error:
        refuse(str(path), "cannot be opened: check that it is a file you may read", error)
