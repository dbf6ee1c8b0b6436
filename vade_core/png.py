"""Grey pictures as PNG files, with nothing but the standard library."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray


def png_of(picture: NDArray[np.uint8]) -> bytes:
    """A grey picture (h, w) as a PNG file."""
    height, width = picture.shape
    # Each row begins with the number of its filter: 0, none.
    rows = np.zeros((height, width + 1), dtype=np.uint8)
    rows[:, 1:] = picture

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = zlib.compress(rows.tobytes(), 6)
    signature = b"\x89PNG\r\n\x1a\n"
    return signature + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
