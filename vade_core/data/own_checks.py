"""What a person's own data must be, whatever file it came in."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import BinaryIO, NoReturn

import numpy as np

from vade_core.data.dataset import MIN_SAMPLES, DataError, Dataset, random_test_part
from vade_core.samples import as_numbers, holds_grey_levels, scale_words
from vade_core.zip_checks import directory_of

MAX_SAMPLES = 1_000_000
# Values a sample: a picture of 316 x 316. The first layer alone then has fifty million weights.
MAX_FEATURES = 100_000
# Unpacked, in memory.
MAX_BYTES = 4 * 1024**3
# Of a zip file's list of members, in bytes.
MAX_DIRECTORY = 32 * 2**20
# Beyond this a float cannot tell neighbouring integers apart.
_MAX_EXACT_INTEGER = 2**53
_NAMED = 5
_FEWEST_COUNTED = 20  # rows; of fewer a measurement may go up by one each by chance

Say = Callable[[str], None] | None


@dataclass(frozen=True, eq=False)
class Found:
    """What a file held, read but not yet believed.

    Attributes
    ----------
    values : ndarray, shape (n, D) or (n, h, w)
        Numbers.
    classes : ndarray, shape (n,), or None
        Numbers or texts, one a sample.
    image_shape : tuple of (height, width), or None
    columns : sequence of str, or None
        What the file calls its features.
    notes : sequence of str
        What was understood or left out, a sentence each.
    """

    values: np.ndarray
    classes: np.ndarray | None = None
    image_shape: tuple[int, int] | None = None
    columns: Sequence[str] | None = None
    notes: Sequence[str] = ()


def refuse(file: str, why: str, cause: BaseException | None = None) -> NoReturn:
    """Raise DataError with one sentence that names the file."""
    raise DataError(f"{file} {why}.") from cause


def check_directory(stream: BinaryIO, file: str) -> None:
    """Refuse a zip file whose list of members alone would fill the memory.

    Parameters
    ----------
    stream : binary file
        Its position is 0 afterwards.
    file : str
        Its name in sentences.

    Raises
    ------
    DataError
        If the list is too long.
    zipfile.BadZipFile
        If there is none: the file is cut short or no zip file.
    """
    if directory_of(stream).size > MAX_DIRECTORY:
        refuse(file, "holds more files than are taken: put fewer into it, or use an .npz file")


def size_words(size: int) -> str:
    """A bound in words.

    Examples
    --------
    >>> size_words(4 * 2**30), size_words(512 * 2**20)
    ('4 GiB', '512 MiB')
    """
    return f"{size // 2**30} GiB" if size >= 2**30 else f"{size // 2**20} MiB"


def check_shape(
    shape: tuple[int, ...],
    file: str,
    itemsize: int = 4,
    noun: str = "sample",
    most_bytes: int = MAX_BYTES,
) -> None:
    """Refuse too few or too many samples, and samples that are too large, before they are read.

    Parameters
    ----------
    shape : tuple of int
        (n, D) or (n, height, width).
    file : str
        Named in the sentence.
    itemsize : int
        Bytes a value in memory.
    noun : str
        What a sample is called here.
    most_bytes : int
        What all of them may take in memory.

    Raises
    ------
    DataError
    """
    n, features = shape[0], int(np.prod(shape[1:], dtype=object))
    if n < MIN_SAMPLES:
        refuse(file, f"has {n} {noun}{'' if n == 1 else 's'}: give at least {MIN_SAMPLES}")
    if n > MAX_SAMPLES:
        refuse(file, f"has {n:,} {noun}s: keep at most {MAX_SAMPLES:,}")
    if features > MAX_FEATURES:
        what = f"{features:,} values"
        if len(shape) == 3:
            what = f"{shape[1]:,} x {shape[2]:,} pixels"
        refuse(file, f"has {what} a {noun}: at most {MAX_FEATURES:,} can be trained on")
    if n * features * itemsize > most_bytes:
        refuse(file, f"unpacks to more than {size_words(most_bytes)}: keep fewer {noun}s")


def dataset_of(found: Found, file: str, stem: str, say: Say = None) -> Dataset:
    """Check what was read and make it a data set.

    Parameters
    ----------
    found : Found
    file : str
        What the sentences and the data set's source call it.
    stem : str
        Becomes the data set's name.
    say : callable, optional
        Told what was understood, left out, or is odd but no mistake.

    Raises
    ------
    DataError
        If the values or the classes cannot be used.
    """
    check_shape(found.values.shape, file, found.values.itemsize)
    image_shape = found.image_shape
    samples = _samples(found.values.reshape(len(found.values), -1), file, found.columns)
    notes = list(found.notes)
    if samples.dtype == np.uint8 and not holds_grey_levels(samples):
        largest = int(samples.max())
        samples = np.asarray(as_numbers(samples))
        if image_shape is None:
            notes.append(f"Whole numbers up to {largest} were taken for numbers, not grey levels.")
        else:
            samples /= np.float32(largest)
            notes.append(f"The largest value, {largest}, was taken for white.")
    if image_shape is None:
        notes += _constant_words(samples, found.columns)
        notes += _counting_words(samples, found.columns)
    labels, names = None, None
    if found.classes is not None:
        labels, names = class_codes(found.classes, file)
        if len(names) == 1:
            notes.append(f"All samples have the one label {names[0]!r}.")
    low, high = float(samples.min()), float(samples.max())
    if samples.dtype != np.uint8 and (words := scale_words(samples)):
        words = words[0].upper() + words[1:]
        notes.append(f"{words}: standardise the columns, or little is learnt.")
    in_unit_range = samples.dtype == np.uint8 or (low >= 0 and high <= 1)
    if say is not None:
        for note in notes:
            say(note)
    return Dataset(
        name=slug(stem),
        samples=samples,
        labels=labels,
        is_test=random_test_part(len(samples)),
        image_shape=image_shape,
        likelihood="bernoulli" if in_unit_range else "gaussian",
        source=f"file {file}",
        licence="unknown (yours)",
        class_names=names,
    )


def _samples(values: np.ndarray, file: str, columns: Sequence[str] | None) -> np.ndarray:
    """Return (n, D) uint8 or finite float32 values that are not all constant."""
    if values.dtype == np.uint8:
        samples = np.ascontiguousarray(values)
    else:
        with np.errstate(over="ignore"):
            samples = np.ascontiguousarray(values, dtype=np.float32)
        _refuse_unusable(samples, file, columns)
    if np.array_equal(samples.min(axis=0), samples.max(axis=0)):
        refuse(file, "has the same values in every sample of X: there is nothing to learn")
    return samples


def _refuse_unusable(samples: np.ndarray, file: str, columns: Sequence[str] | None) -> None:
    n_unusable, first, hit = 0, None, np.zeros(samples.shape[1], dtype=np.bool_)
    # Some rows at a time: a mask of all would be a quarter of the data once more.
    step = max(1, 2**24 // samples.shape[1])
    for start in range(0, len(samples), step):
        unusable = ~np.isfinite(samples[start : start + step])
        if not unusable.any():
            continue
        n_unusable += int(np.count_nonzero(unusable))
        hit |= unusable.any(axis=0)
        if first is None:
            row, feature = divmod(int(np.argmax(unusable)), samples.shape[1])
            first = start + row, feature
    if first is None:
        return
    row, feature = first
    if columns is None:
        refuse(
            file,
            f"has {n_unusable:,} values in X that are NaN, infinite or too large for single "
            f"precision, the first in row {row}, feature {feature} (counted from 0): "
            "replace them or leave out their rows",
        )
    cells = "a cell that is" if n_unusable == 1 else f"{n_unusable:,} cells that are"
    others = int(hit.sum()) - 1
    refuse(
        file,
        f"has {cells} empty, NaN or infinite, "
        + ("" if n_unusable == 1 else "the first ")
        + f"in row {row + 1:,} of the column {columns[feature]!r}"
        + (f" and some in {others:,} other column{'s' if others > 1 else ''}" if others else "")
        + ": fill them in or leave out their rows",
    )


def _constant_words(samples: np.ndarray, columns: Sequence[str] | None) -> list[str]:
    """A sentence that names the features which are the same in every sample."""
    same = np.flatnonzero(samples.min(axis=0) == samples.max(axis=0))
    if not len(same):
        return []
    names = [str(i) if columns is None else repr(columns[i]) for i in same[:_NAMED]]
    more = f" and {len(same) - _NAMED:,} more" if len(same) > _NAMED else ""
    kind = "Feature" if columns is None else "Column"
    plural = "s" if len(same) > 1 else ""
    verb = "are" if len(same) > 1 else "is"
    counted = " (counted from 0)" if columns is None else ""
    return [
        f"{kind}{plural} {', '.join(names)}{more}{counted} {verb} the same in every sample: "
        f"nothing can be learnt from {'them' if len(same) > 1 else 'it'}."
    ]


def _counting_words(samples: np.ndarray, columns: Sequence[str] | None) -> list[str]:
    """A sentence that names a column which only numbers the rows, as a table's index does."""
    if columns is None or len(samples) < _FEWEST_COUNTED:
        return []
    counts = np.flatnonzero((np.diff(samples, axis=0) == 1).all(axis=0))
    return [
        f"Column {columns[i]!r} only counts the rows, and is trained on like a measurement: take "
        "it out of the file."
        for i in counts[:_NAMED]
    ]


def class_codes(values: np.ndarray, file: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Turn labels into codes 0..C-1 in sorted order, and keep the originals as text.

    Raises
    ------
    DataError
        If they are neither whole numbers nor texts.
    """
    kind = values.dtype.kind
    if kind == "S":
        try:
            values = np.char.decode(values, "utf-8")
        except UnicodeDecodeError as error:
            refuse(file, "has texts in y that are not UTF-8: save y as texts or integers", error)
    elif kind == "f":
        values = values.astype(np.float64)
        in_range = np.abs(values) <= _MAX_EXACT_INTEGER
        if not np.all(in_range & (values == np.floor(values))):
            refuse(file, "has y values that are not whole numbers: save classes, not measurements")
        values = values.astype(np.int64)
    elif kind not in "biuU":
        refuse(file, f"has y of the type {values.dtype}: save integers or texts")
    originals, codes = np.unique(values, return_inverse=True)
    return codes.astype(np.int64), tuple(str(original) for original in originals)


def whole_or_text(values: Sequence[str]) -> np.ndarray:
    """Labels that were read as text: whole numbers where all of them are, so that 2 precedes 10.

    Examples
    --------
    >>> whole_or_text(["2", "10", "2.0"]).tolist(), whole_or_text(["a", "1"]).tolist()
    ([2, 10, 2], ['a', '1'])
    """
    texts = np.asarray(values, dtype=np.str_)
    try:
        numbers = texts.astype(np.float64)
    except ValueError:
        return texts
    fits = np.isfinite(numbers).all() and (np.abs(numbers) <= _MAX_EXACT_INTEGER).all()
    if fits and (numbers == np.floor(numbers)).all():
        return numbers.astype(np.int64)
    return texts


def slug(stem: str) -> str:
    """A name out of a file's, in small letters, digits and hyphens."""
    plain = unicodedata.normalize("NFKD", stem.casefold()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or "data"
