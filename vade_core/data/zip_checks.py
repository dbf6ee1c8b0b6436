"""A zip file that comes from elsewhere, looked at before Python's zipfile reads it."""

from __future__ import annotations

import os
import struct
import zipfile
from pathlib import PurePosixPath, PureWindowsPath
from typing import BinaryIO

from vade_core.data.own_checks import refuse

ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")
# zipfile keeps a directory in memory, at about six times its size.
MAX_DIRECTORY = 32 * 2**20
_END = struct.Struct("<4s4H2LH")
_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LONGEST_COMMENT = 2**16


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
    size = stream.seek(0, os.SEEK_END)
    start = max(0, size - _END.size - _LONGEST_COMMENT)
    stream.seek(start)
    tail = stream.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END.size:
        raise zipfile.BadZipFile("no end of the directory")
    length = _END.unpack_from(tail, at)[6]
    # zipfile believes a locator that stands before the end, whatever the end says.
    place = start + at - _LOCATOR.size
    if place >= 0:
        stream.seek(place)
        mark, _, where, _ = _LOCATOR.unpack(stream.read(_LOCATOR.size))
        if mark == b"PK\x06\x07":
            stream.seek(min(where, size))
            found = stream.read(_END64.size)
            if len(found) == _END64.size:
                length = max(length if length < 2**32 - 1 else 0, _END64.unpack(found)[8])
            # It may look for it right before the locator as well.
            stream.seek(max(0, place - _END64.size))
            found = stream.read(_END64.size)
            if found.startswith(b"PK\x06\x06"):
                length = max(length if length < 2**32 - 1 else 0, _END64.unpack(found)[8])
    stream.seek(0)
    if length > MAX_DIRECTORY:
        refuse(file, "holds more files than are taken: put fewer into it, or use an .npz file")


def climbs_out(name: str) -> bool:
    """Whether a member's name leads out of the folder that it would be unpacked into.

    Examples
    --------
    >>> climbs_out("cats/1.png"), climbs_out("../1.png"), climbs_out("C:/1.png")
    (False, True, True)
    """
    windows = PureWindowsPath(name)
    parts = (*PurePosixPath(name).parts, *windows.parts)
    return ".." in parts or name.startswith(("/", "\\")) or bool(windows.drive)
