"""A zip file that comes from elsewhere, looked at before Python's zipfile reads it."""

from __future__ import annotations

import os
import struct
import zipfile
from pathlib import PurePosixPath, PureWindowsPath
from typing import IO, NamedTuple

ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")
_END = struct.Struct("<4s4H2LH")
_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LONGEST_COMMENT = 2**16


class Directory(NamedTuple):
    """What a zip file says of its list of members: how many they are, and the list's bytes."""

    members: int
    size: int


def directory_of(stream: IO[bytes]) -> Directory:
    """What a zip file says of its list of members, without reading it.

    zipfile keeps that list in memory, at about six times its size: whoever takes files from
    elsewhere should refuse one that is too long before opening it.

    Parameters
    ----------
    stream : binary file
        Its position is 0 afterwards.

    Returns
    -------
    Directory
        The largest numbers that zipfile might go by.

    Raises
    ------
    zipfile.BadZipFile
        If there is none: the file is cut short or no zip file.
    """
    size = stream.seek(0, os.SEEK_END)
    start = max(0, size - _END.size - _LONGEST_COMMENT)
    stream.seek(start)
    tail = stream.read()
    stream.seek(0)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END.size:
        raise zipfile.BadZipFile("no end of the directory")
    _, _, _, _, members, length, _, _ = _END.unpack_from(tail, at)
    found = Directory(members, length)
    # zipfile believes a locator that stands before the end, whatever the end says.
    place = start + at - _LOCATOR.size
    if place >= 0:
        stream.seek(place)
        mark, _, where, _ = _LOCATOR.unpack(stream.read(_LOCATOR.size))
        if mark == b"PK\x06\x07":
            found = _larger(found, stream, min(where, size), marked=False)
            # It may look for it right before the locator as well.
            found = _larger(found, stream, max(0, place - _END64.size), marked=True)
        stream.seek(0)
    return found


def _larger(known: Directory, stream: IO[bytes], place: int, *, marked: bool) -> Directory:
    """The larger of what is known and what a 64-bit end of the directory says at a place."""
    stream.seek(place)
    content = stream.read(_END64.size)
    if len(content) < _END64.size or (marked and not content.startswith(b"PK\x06\x06")):
        return known
    _, _, _, _, _, _, _, members, length, _ = _END64.unpack(content)
    # All bits set in the 32-bit end: the number stands in the 64-bit one alone.
    before = Directory(
        known.members if known.members < 2**16 - 1 else 0,
        known.size if known.size < 2**32 - 1 else 0,
    )
    return Directory(max(before.members, members), max(before.size, length))


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
