"""The IDX format in which MNIST and Fashion-MNIST are distributed."""

from __future__ import annotations

import hashlib
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from vade_core.data.dataset import DataError

# Tells zlib to expect a gzip header and to check gzip's checksum at the end.
_GZIP = 31
_UINT8 = 0x08


def read_idx(path: Path, shape: tuple[int, ...], sha256: str | None = None) -> np.ndarray:
    """Read a gzipped IDX file of unsigned bytes.

    The format: two zero bytes, a byte for the data type, a byte for the number of dimensions,
    each dimension as a big-endian 32-bit integer, then the values with the last index moving
    fastest.

    Parameters
    ----------
    path : Path
        The file.
    shape : tuple of int
        The shape that the file must declare.
    sha256 : str, optional
        The SHA-256 sum that the gzipped file must have, in hexadecimal.

    Returns
    -------
    ndarray of the given shape
        uint8, read-only.

    Raises
    ------
    DataError
        If the file is missing, damaged, truncated or of another type or shape; it is named.
    """
    name = path.name
    try:
        packed = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{name} cannot be read from {path.parent}: put the original file back there."
        ) from error
    if sha256 is not None and hashlib.sha256(packed).hexdigest() != sha256:
        raise DataError(
            f"{name} is damaged (its SHA-256 sum is not the original's): "
            f"put the original file back into {path.parent}."
        )

    header_size = 4 + 4 * len(shape)
    size = header_size + math.prod(shape)
    unpacker = zlib.decompressobj(wbits=_GZIP)
    try:
        # One byte more than is due: a longer file is noticed without unpacking all of it.
        content = unpacker.decompress(packed, size + 1)
    except zlib.error as error:
        raise DataError(f"{name} is not an intact gzip file: fetch it again.") from error

    if len(content) < header_size:
        raise DataError(f"{name} is truncated inside its header: fetch it again.")
    zeros, dtype_code, n_dims = struct.unpack_from(">HBB", content)
    if zeros != 0:
        raise DataError(f"{name} is not an IDX file (its magic number is wrong): fetch it again.")
    if dtype_code != _UINT8:
        raise DataError(
            f"{name} does not hold unsigned bytes (type code 0x{dtype_code:02x}, 0x08 expected): "
            "fetch the original."
        )
    dims = struct.unpack_from(f">{len(shape)}I", content, 4) if n_dims == len(shape) else None
    if dims != shape:
        found = f"{n_dims} dimensions" if dims is None else f"the shape {dims}"
        raise DataError(f"{name} declares {found} where {shape} is expected: fetch the original.")
    if len(content) < size:
        raise DataError(
            f"{name} is truncated ({len(content):,} of {size:,} bytes): fetch it again."
        )
    if len(content) > size:
        raise DataError(f"{name} is longer than its header declares: fetch it again.")
    if not unpacker.eof:
        raise DataError(f"{name} is truncated before its checksum: fetch it again.")
    return np.frombuffer(content, dtype=np.uint8, offset=header_size).reshape(shape)
