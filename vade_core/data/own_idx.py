"""A person's own IDX files: pictures or rows of unsigned bytes, and their labels."""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from typing import BinaryIO, cast

import numpy as np

from vade_core.data.own_checks import MAX_BYTES, MAX_SAMPLES, Found, check_shape, refuse

GZIP_START = b"\x1f\x8b"
_UINT8 = 0x08
_BLOCK = 2**20


def is_idx(start: bytes) -> bool:
    """Whether a file that begins so is an IDX file: two zero bytes, a type, 1 to 4 dimensions."""
    return len(start) >= 4 and start[:2] == b"\0\0" and 8 <= start[2] <= 14 and 1 <= start[3] <= 4


def unpacked_start(stream: BinaryIO) -> bytes:
    """The first bytes of a gzip file's content; none where it is damaged."""
    stream.seek(0)
    try:
        return gzip.GzipFile(fileobj=stream).read(4)
    except (OSError, EOFError, zlib.error):
        return b""
    finally:
        stream.seek(0)


def read_own_idx(stream: BinaryIO, file: str, most_bytes: int = MAX_BYTES) -> np.ndarray:
    """Read an IDX file of unsigned bytes, gzipped or not, of any shape that can be trained on.

    Parameters
    ----------
    stream : binary file
    file : str
        Its name in sentences.
    most_bytes : int
        What it may unpack to.

    Returns
    -------
    ndarray of uint8, shape (n,), (n, D) or (n, height, width)

    Raises
    ------
    DataError
        If it is of another type, cut short, longer than it declares, or too large.
    """
    size: int | None = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    packed = stream.read(2) == GZIP_START
    stream.seek(0)
    content = stream
    if packed:
        content, size = cast(BinaryIO, gzip.GzipFile(fileobj=stream)), None
    try:
        shape = _shape(content, file, most_bytes)
        count = math.prod(shape)
        if size is not None and size < content.tell() + count:
            refuse(file, f"is cut short (it declares the shape {shape}): copy it again")
        values = bytearray()
        # Block by block: what a header declares is not allocated before it is there.
        while len(values) <= count and (block := content.read(min(_BLOCK, count + 1))):
            values += block
    except (OSError, EOFError, zlib.error, struct.error) as error:
        refuse(file, "is cut short or damaged: copy it again", error)
    if len(values) < count:
        refuse(file, f"is cut short (it declares the shape {shape}): copy it again")
    if len(values) > count:
        refuse(file, "is longer than its header declares: copy it again")
    return np.frombuffer(values, dtype=np.uint8).reshape(shape)


def _shape(content: BinaryIO, file: str, most_bytes: int) -> tuple[int, ...]:
    start = content.read(4)
    if not is_idx(start):
        refuse(file, "is no IDX file: its magic number is wrong")
    kind, dims = start[2], start[3]
    if kind != _UINT8:
        refuse(
            file,
            f"holds no unsigned bytes (type code 0x{kind:02x}, 0x08 expected): save grey levels "
            "from 0 to 255, or use .npz",
        )
    shape = struct.unpack(f">{dims}I", content.read(4 * dims))
    if dims == 4 or 0 in shape[1:]:
        refuse(file, f"has the shape {shape}: give (n, height, width), (n, D), or (n,) for labels")
    if dims > 1:
        check_shape(shape, file, itemsize=1, most_bytes=most_bytes)
    elif shape[0] > MAX_SAMPLES:
        refuse(file, f"has {shape[0]:,} labels: keep at most {MAX_SAMPLES:,}")
    return shape


def idx_samples(values: np.ndarray, file: str) -> Found:
    """Pictures or rows out of an IDX file; labels alone are refused."""
    if values.ndim == 1:
        refuse(file, "holds labels only: give the file of pictures, too")
    shape = (values.shape[1], values.shape[2]) if values.ndim == 3 else None
    return Found(values, None, shape)
