"""A person's own .npz file, checked before it is believed."""

from __future__ import annotations

import lzma
import math
import struct
import tokenize
import zipfile
import zlib
from typing import BinaryIO

import numpy as np

from vade_core.data.dataset import DataError
from vade_core.data.own_checks import (
    MAX_BYTES,
    Found,
    check_directory,
    check_shape,
    refuse,
    size_words,
)
from vade_core.zip_checks import ZIP_STARTS

_ARRAYS = ("X", "y", "image_shape")
# All that zipfile, its decompressors and NumPy's reader were seen to raise on broken files.
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    ValueError,
    RuntimeError,
    KeyError,
    OverflowError,
    struct.error,
)
# NumPy parses a header as Python text, and lets the parser's many errors through.
_BAD_HEADER = (*DAMAGE, TypeError, AttributeError, IndexError, SyntaxError, tokenize.TokenError)

_HEADER_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}

Header = tuple[tuple[int, ...], np.dtype]


def read_npz(stream: BinaryIO, file: str, most_bytes: int = MAX_BYTES) -> Found:
    """Read X, and y and image_shape where they are there; nothing is ever unpickled.

    Parameters
    ----------
    stream : binary file
        Of a file as ``np.savez`` or ``np.savez_compressed`` writes it.
    file : str
        Its name in sentences.
    most_bytes : int
        What it may unpack to.

    Raises
    ------
    DataError
        If the file or what it declares cannot be used.
    """
    arrays = _read_arrays(stream, file, most_bytes)
    pictures = arrays["X"]
    shape = _image_shape(pictures.shape, arrays.get("image_shape"), file)
    return Found(pictures, arrays.get("y"), shape)


def _read_arrays(stream: BinaryIO, file: str, most_bytes: int) -> dict[str, np.ndarray]:
    start = stream.read(4)
    if not start:
        refuse(file, "is empty: write it again with numpy.savez")
    if start not in ZIP_STARTS:
        refuse(file, "is not an .npz file: write it with numpy.savez(file, X=..., y=...)")
    try:
        check_directory(stream, file)
        names = _check_declared(stream, file, most_bytes)
        stream.seek(0)
        with np.load(stream, allow_pickle=False) as content:
            return {name: content[f"{name}.npy"] for name in names}
    except DataError:
        raise
    except MemoryError as error:
        refuse(file, "does not fit into this computer's memory: keep fewer rows", error)
    except DAMAGE as error:
        refuse(file, "is cut short, damaged or encrypted: write or copy it again", error)


def _check_declared(stream: BinaryIO, file: str, most_bytes: int) -> list[str]:
    """Check all that the file declares before any data are read; name the arrays to read."""
    with zipfile.ZipFile(stream) as archive:
        if sum(info.file_size for info in archive.infolist()) > most_bytes:
            refuse(file, f"unpacks to more than {size_words(most_bytes)}: keep fewer rows")
        members = set(archive.namelist())
        names = [name for name in _ARRAYS if f"{name}.npy" in members]
        if "X" not in names:
            refuse(file, 'holds no array called "X": write it with numpy.savez(file, X=..., y=...)')
        headers = {name: _header(archive, name, file) for name in names}
    _check_samples_header(headers["X"], file)
    n = headers["X"][0][0]
    if "y" in headers and headers["y"][0] != (n,):
        shape = headers["y"][0]
        refuse(file, f"has {n:,} samples in X, but y has the shape {shape}: give one y a sample")
    if "image_shape" in headers:
        shape, dtype = headers["image_shape"]
        if shape != (2,) or dtype.kind not in "iu":
            refuse(file, "has an image_shape that is not two integers: give height and width")
    return names


def _header(archive: zipfile.ZipFile, name: str, file: str) -> Header:
    """Read an array's shape and type, and check them against the size of its data."""
    info = archive.getinfo(f"{name}.npy")
    with archive.open(info) as stream:
        version = np.lib.format.read_magic(stream)
        if version not in _HEADER_READERS:
            refuse(file, f"holds {name} as named fields: save a plain array instead")
        try:
            shape, _, dtype = _HEADER_READERS[version](stream)
        except _BAD_HEADER as error:
            refuse(file, f"is cut short or damaged inside {name}: write or copy it again", error)
        data_size = info.file_size - stream.tell()
    if dtype.hasobject:
        refuse(file, f"holds {name} as pickled Python objects: save plain numbers or texts")
    # NumPy allocates what the header asks for before it reads, so a false one must not get there.
    if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != data_size:
        refuse(file, f"is cut short or damaged inside {name}: write or copy it again")
    return shape, dtype


def _check_samples_header(header: Header, file: str) -> None:
    shape, dtype = header
    if dtype.kind == "c":
        refuse(file, "holds complex numbers in X: save their real parts or absolute values")
    if dtype.kind not in "biuf":
        refuse(file, f"holds no numbers in X (its type is {dtype}): save numbers")
    if len(shape) not in (2, 3) or 0 in shape[1:]:
        refuse(file, f"has X of the shape {shape}: give (n, D) or (n, height, width)")
    check_shape(shape, file, dtype.itemsize)


def _image_shape(
    shape: tuple[int, ...], declared: np.ndarray | None, file: str
) -> tuple[int, int] | None:
    if declared is None:
        return (shape[1], shape[2]) if len(shape) == 3 else None
    height, width = (int(side) for side in declared)
    fits = shape[1:] == (height, width) or shape[1:] == (height * width,)
    if min(height, width) < 1 or not fits:
        refuse(
            file,
            f"has an image_shape of ({height}, {width}) that does not fit X of the shape {shape}: "
            "correct one of them",
        )
    return height, width
