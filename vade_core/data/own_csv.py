"""A person's own .csv file: numbers, with or without a header, and a column of labels perhaps."""

from __future__ import annotations

import csv
import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from vade_core.data.own_checks import (
    MAX_BYTES,
    MAX_FEATURES,
    MAX_SAMPLES,
    Found,
    check_shape,
    refuse,
    whole_or_text,
)

LABEL_NAMES = ("label", "y", "class")
_DELIMITERS = (",", ";", "\t")
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
# What pandas says of a line with too many cells, and of a quotation mark without its twin.
_RAGGED = re.compile(r"Expected (\d+) fields in line (\d+), saw (\d+)")
_UNCLOSED = re.compile(r"EOF inside string starting at row (\d+)")
# The widest row that is taken, with room for long numbers.
_LONGEST_LINE = 4 * 2**20
_BLOCK = 2**20
_CELLS_AT_A_TIME = 4_000_000
# A table whose rows are square pictures of at least 8 x 8 is told by its whole numbers to 255.
_SMALLEST_SIDE = 8


@dataclass(frozen=True)
class _Layout:
    delimiter: str
    names: list[str]
    header: bool
    label: int | None

    @property
    def features(self) -> list[int]:
        return [i for i in range(len(self.names)) if i != self.label]


def read_csv(
    stream: BinaryIO, file: str, label_column: str | None = None, most_bytes: int = MAX_BYTES
) -> Found:
    """Read a table of numbers, some rows at a time.

    Cells are separated by commas, semicolons or tabs. The first line is a header if none of its
    cells is a number, or one is called ``label``, ``y`` or ``class``. That column, or the one that
    is asked for, holds the labels: numbers or texts. Where all values are whole numbers from 0 to
    255 and a row fills a square of at least 8 x 8, rows are taken for grey pictures.

    Parameters
    ----------
    stream : binary file
        UTF-8.
    file : str
        Its name in sentences.
    label_column : str, optional
        A name in the header; without one, the column's number, counted from 1.
    most_bytes : int
        What the numbers may take in memory.

    Raises
    ------
    DataError
        If there is text where numbers belong, the column being named, or the table cannot be used
        for another reason.
    """
    first = _first_line(stream, file)
    layout = _layout(first, file, label_column)
    lines = _count_lines(stream, file)
    if lines - layout.header > MAX_SAMPLES:
        refuse(file, f"has more than {MAX_SAMPLES:,} rows: keep at most so many")
    shape = (max(lines - layout.header, 0), len(layout.features))
    if shape[0] >= MAX_SAMPLES or shape[0] * shape[1] * 4 > most_bytes:
        check_shape(shape, file, noun="row", most_bytes=most_bytes)
    values, labels = _read(stream, file, layout, shape)
    check_shape(values.shape, file, noun="row")
    names = [layout.names[i] for i in layout.features]
    notes = [f"{'The first line is a header' if layout.header else 'There is no header'}."]
    if layout.label is not None:
        notes.append(f"Labels are in the column {layout.names[layout.label]!r}.")
    else:
        notes.append("There is no column of labels.")
    if layout.header and not names[0] and len(names) > 1 and _counts_rows(values[:, 0]):
        # As pandas writes a table: in the order of the rows there may be a class.
        names, values = names[1:], values[:, 1:]
        notes.append("The first column counts the rows: it was left out.")
    if side := _side_of_pictures(values):
        notes.append(f"Rows were taken for grey pictures of {side} x {side}.")
        return Found(values.astype(np.uint8), labels, (side, side), names, notes)
    return Found(values, labels, None, names, notes)


def read_labels(stream: BinaryIO, file: str) -> np.ndarray:
    """Read one label a line, with or without a header that is called like one.

    Raises
    ------
    DataError
        If there is more than one column, or a line without a label.
    """
    first = _first_line(stream, file).strip()
    if any(delimiter in first for delimiter in _DELIMITERS):
        refuse(file, "has several columns: give one label a line, or name the column")
    lines = _count_lines(stream, file)
    if lines > MAX_SAMPLES + 1:
        refuse(file, f"has more than {MAX_SAMPLES:,} lines: keep at most so many")
    try:
        found = stream.read().decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        refuse(file, "is not text in UTF-8: save it as CSV in UTF-8", error)
    texts = [line.strip().strip('"') for line in found]
    if texts and texts[0].casefold() in LABEL_NAMES:
        texts = texts[1:]
    if "" in texts:
        refuse(file, f"has no label in line {texts.index('') + 1}: fill it in")
    return whole_or_text(texts)


def _first_line(stream: BinaryIO, file: str) -> str:
    stream.seek(0)
    line = stream.readline(_LONGEST_LINE + 1)
    if len(line) > _LONGEST_LINE:
        refuse(file, "has a first line of more than 4 MiB: it is no table, or has too many columns")
    if b"\0" in line:
        refuse(file, "is no text: give a .csv file in UTF-8, .npz, IDX, or a zip of pictures")
    try:
        text = line.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        refuse(file, "is not text in UTF-8: save it as CSV in UTF-8", error)
    if not text.strip():
        refuse(file, "begins with an empty line: begin with a header or with numbers")
    return text


def _layout(line: str, file: str, label_column: str | None) -> _Layout:
    delimiter = _delimiter(line)
    try:
        cells = [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter))]
    except csv.Error as error:
        refuse(file, "has a first line that cannot be read as CSV: save it as CSV again", error)
    called = [cell.casefold() for cell in cells]
    numbers = any(_is_number(cell) or _DECIMAL_COMMA.fullmatch(cell) for cell in cells)
    header = not numbers or any(n in called for n in LABEL_NAMES)
    if not header:
        cells = called = [str(i) for i in range(1, len(cells) + 1)]
    label: int | None = None
    if label_column is not None and label_column.strip():
        wanted = label_column.strip()
        if wanted in cells:
            label = cells.index(wanted)
        elif wanted.casefold() in called:
            label = called.index(wanted.casefold())
        else:
            there = ", ".join(repr(cell) for cell in cells[:8]) + (" ..." if len(cells) > 8 else "")
            kind = "The columns are" if header else "It has no header: columns are numbers from 1,"
            refuse(file, f"has no column {wanted[:40]!r}: choose another one. {kind} {there}")
    elif header:
        found = [i for i, name in enumerate(called) if name in LABEL_NAMES]
        if len(found) > 1:
            names = ", ".join(repr(cells[i]) for i in found)
            refuse(file, f"has several columns that may hold the labels ({names}): choose one")
        label = found[0] if found else None
    if len(cells) - (label is not None) > MAX_FEATURES:
        refuse(file, f"has {len(cells):,} columns: keep at most {MAX_FEATURES:,}")
    if len(cells) == 1 and label is not None:
        refuse(file, "has labels only: there are no numbers to learn from")
    return _Layout(delimiter, cells, header, label)


def _delimiter(line: str) -> str:
    """What separates the cells; not the commas within numbers such as 0,5."""
    for delimiter in _DELIMITERS[1:]:
        cells = [cell.strip(' "\r\n') for cell in line.split(delimiter)]
        if sum(map(bool, cells)) > 1 and any(map(_DECIMAL_COMMA.fullmatch, cells)):
            return delimiter
    return max(_DELIMITERS, key=line.count)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _count_lines(stream: BinaryIO, file: str) -> int:
    """Lines, as far as they matter: counting ends where there are too many."""
    stream.seek(0)
    feeds = returns = 0
    last = b"\n"
    while block := stream.read(_BLOCK):
        feeds += block.count(b"\n")
        returns += block.count(b"\r")
        last = block[-1:]
        if feeds > MAX_SAMPLES + 1:
            break
    stream.seek(0)
    # Either may end the lines, or both together.
    return max(feeds, returns) + (last not in b"\r\n")


def _read(
    stream: BinaryIO, file: str, layout: _Layout, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray | None]:
    """Read the numbers, (n, D) float32, and the labels."""
    import pandas as pd

    features = layout.features
    values = np.empty(shape, dtype=np.float32)
    labels: list[str] = []
    row = 0
    stream.seek(0, os.SEEK_SET)
    try:
        with pd.read_csv(
            stream,
            sep=layout.delimiter,
            header=None,
            skiprows=1 if layout.header else 0,
            dtype=None if layout.label is None else {layout.label: str},
            encoding="utf-8-sig",
            skipinitialspace=True,
            low_memory=False,
            chunksize=max(1, _CELLS_AT_A_TIME // len(layout.names)),
        ) as reader:
            for part in reader:
                if part.shape[1] != len(layout.names):
                    refuse(
                        file,
                        f"has {len(layout.names):,} columns in its first line and "
                        f"{part.shape[1]:,} below: correct its lines",
                    )
                if row + len(part) > len(values):
                    refuse(file, "has line ends of several kinds: save it as CSV again")
                block = values[row : row + len(part)]
                for place, i in enumerate(features):
                    block[:, place] = _numbers(part[i], file, layout.names[i], row)
                if layout.label is not None:
                    labels += _texts(part[layout.label], file, layout.names[layout.label], row)
                row += len(part)
    except pd.errors.EmptyDataError as error:
        refuse(file, "has a header and no rows: add some", error)
    except pd.errors.ParserError as error:
        refuse(file, _unreadable(str(error)), error)
    except UnicodeDecodeError as error:
        refuse(file, "is not text in UTF-8: save it as CSV in UTF-8", error)
    except MemoryError as error:
        refuse(file, "does not fit into this computer's memory: keep fewer rows", error)
    return values[:row], None if layout.label is None else whole_or_text(labels)


def _unreadable(said: str) -> str:
    """In our words, what pandas' parser stumbled over."""
    if found := _RAGGED.search(said):
        expected, line, cells = (int(number) for number in found.groups())
        return f"has {cells:,} cells in line {line:,}, above it {expected:,}: correct that line"
    if found := _UNCLOSED.search(said):
        return f'has a quotation mark (") in line {int(found[1]) + 1:,} that none closes: add one'
    return "cannot be read as CSV: save it as CSV again"


def _numbers(column: Any, file: str, name: str, row: int) -> np.ndarray:
    import pandas as pd

    if column.dtype.kind in "biuf":
        with np.errstate(over="ignore"):
            return np.asarray(column, dtype=np.float32)
    numbers = pd.to_numeric(column, errors="coerce")
    text = np.flatnonzero(numbers.isna().to_numpy() & ~column.isna().to_numpy())
    if len(text):
        cell = str(column.iloc[text[0]])
        if _DECIMAL_COMMA.fullmatch(cell.strip()):
            refuse(
                file,
                f"has decimal commas, such as {_short(cell)} in row {row + text[0] + 1:,} of the "
                f"column {name!r}: write decimal points, as in 0.5",
            )
        refuse(
            file,
            f"has text in the column {name!r}, such as {_short(cell)} in row "
            f"{row + text[0] + 1:,}: leave the column out, turn it into numbers, or choose it as "
            "the labels",
        )
    with np.errstate(over="ignore"):
        return np.asarray(numbers, dtype=np.float32)


def _texts(column: Any, file: str, name: str, row: int) -> Sequence[str]:
    missing = np.flatnonzero(column.isna().to_numpy())
    if len(missing):
        refuse(
            file,
            f"has no label in row {row + missing[0] + 1:,} of the column {name!r}: fill it in, or "
            "leave the column out",
        )
    return [str(text).strip() for text in column]


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:40]}...")


def _counts_rows(column: np.ndarray) -> bool:
    return np.array_equal(column, np.arange(len(column), dtype=np.float32))


def _side_of_pictures(values: np.ndarray) -> int:
    """The side of the square pictures that the rows are, or 0."""
    side = math.isqrt(values.shape[1])
    if side < _SMALLEST_SIDE or side * side != values.shape[1] or not len(values):
        return 0
    step = max(1, _CELLS_AT_A_TIME // values.shape[1])
    largest = 0.0
    for start in range(0, len(values), step):
        part = values[start : start + step]
        with np.errstate(invalid="ignore"):
            if not ((part >= 0) & (part <= 255) & (part == np.floor(part))).all():
                return 0
        largest = max(largest, float(part.max()))
    return side if largest > 1 else 0
