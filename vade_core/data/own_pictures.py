"""A person's own pictures: a folder or a zip file of PNG or JPEG files.

All have one size. Colours become grey levels by the usual weights (0.299 red, 0.587 green, 0.114
blue), transparency is left out of account, 16 bits become 8. The folder that a picture lies in is
its class; pictures that all lie in one folder have none.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, cast

import numpy as np

from vade_core.data.dataset import DataError
from vade_core.data.own_checks import (
    MAX_BYTES,
    MAX_FEATURES,
    Found,
    check_directory,
    check_shape,
    refuse,
)
from vade_core.data.own_npz import DAMAGE
from vade_core.zip_checks import climbs_out

if TYPE_CHECKING:
    from PIL.Image import Image

ENDINGS = (".png", ".jpg", ".jpeg")
STARTS = (b"\x89PNG", b"\xff\xd8\xff")
# Files in a folder or a zip, whatever they are.
MAX_FILES = 200_000
# Of one file; a picture that can be trained on is far smaller.
MAX_PICTURE_BYTES = 16 * 2**20
_TOO_LARGE = f"which is over {MAX_PICTURE_BYTES // 2**20} MiB: make it smaller"
_FORMATS = ("PNG", "JPEG")
# Packed to less than a thousandth is no picture; what deflate can do at best is 1032.
_MOST_PACKED = 1000
# All that Pillow was seen to raise on broken files.
_BROKEN = (*DAMAGE, SyntaxError, TypeError, IndexError, AttributeError)


@dataclass(frozen=True)
class Picture:
    """A file that should be a picture: where it lies, and how to open it."""

    path: str
    size: int
    opened: Callable[[], AbstractContextManager[BinaryIO]]


def is_picture(name: str) -> bool:
    """Whether a file's name says that it is a picture, and no system's hidden twin of one."""
    path = PurePosixPath(name)
    hidden = path.name.startswith(".") or "__MACOSX" in path.parts
    return path.suffix.casefold() in ENDINGS and not hidden


def read_folder(folder: Path, most_bytes: int = MAX_BYTES) -> Found:
    """Read all pictures of a folder and its subfolders; links to other folders are not followed.

    Raises
    ------
    DataError
    """
    names: list[str] = []
    try:
        for where, folders, files in os.walk(folder):
            folders.sort()
            here = Path(where).relative_to(folder)
            names += [(here / name).as_posix() for name in files]
            if len(names) > MAX_FILES:
                refuse(folder.name, f"holds more than {MAX_FILES:,} files: keep fewer")
        pictures = [_in_folder(folder, name) for name in names if is_picture(name)]
    except OSError as error:
        refuse(folder.name, "cannot be read: check that it is a folder you may read", error)
    return read_pictures(pictures, folder.name, len(names), most_bytes)


def _in_folder(folder: Path, name: str) -> Picture:
    path = folder / name
    return Picture(name, path.stat().st_size, lambda: path.open("rb"))


def read_zip(stream: BinaryIO, file: str, most_bytes: int = MAX_BYTES) -> Found:
    """Read all pictures of a zip file; nothing is written to the disk.

    Raises
    ------
    DataError
        If a path climbs out of the archive, a picture is not what it says, or sizes differ.
    """
    try:
        check_directory(stream, file)
        with zipfile.ZipFile(stream) as archive:
            members = [info for info in archive.infolist() if not info.is_dir()]
            _check_members(members, file, most_bytes)
            pictures = [
                Picture(info.filename, info.file_size, _in_zip(archive, info))
                for info in members
                if is_picture(info.filename)
            ]
            return read_pictures(pictures, file, len(members), most_bytes)
    except DataError:
        raise
    except MemoryError as error:
        refuse(file, "does not fit into this computer's memory: keep fewer pictures", error)
    except DAMAGE as error:
        refuse(file, "is cut short, damaged or encrypted: make or copy it again", error)


def _in_zip(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo
) -> Callable[[], AbstractContextManager[BinaryIO]]:
    return lambda: cast("AbstractContextManager[BinaryIO]", archive.open(info))


def _check_members(members: Sequence[zipfile.ZipInfo], file: str, most_bytes: int) -> None:
    if len(members) > MAX_FILES:
        refuse(file, f"holds more than {MAX_FILES:,} files: keep fewer")
    for info in members:
        shown = repr(info.filename[:80])
        if climbs_out(info.filename):
            refuse(
                file,
                f"holds {shown}, whose path leads out of the archive: pack the folder again, so "
                "that no path has '..' in it or begins with '/' or a drive",
            )
        if info.flag_bits & 0x1:
            refuse(file, "is encrypted: pack it without a password")
        if info.file_size > MAX_PICTURE_BYTES and is_picture(info.filename):
            refuse(file, f"holds {shown}, {_TOO_LARGE}")
        if info.file_size > _MOST_PACKED * max(info.compress_size, 1024):
            refuse(
                file, f"holds {shown}, which swells a thousandfold: it is no picture, leave it out"
            )
    if sum(info.file_size for info in members) > most_bytes:
        refuse(file, f"unpacks to more than {most_bytes / 2**30:g} GiB: keep fewer pictures")


def read_pictures(
    pictures: Sequence[Picture], file: str, n_files: int, most_bytes: int = MAX_BYTES
) -> Found:
    """Decode pictures one by one into one array of grey levels.

    Parameters
    ----------
    pictures : sequence of Picture
    file : str
        What they came in.
    n_files : int
        All files that came, pictures or not.
    most_bytes : int
        What the grey levels may take in memory.

    Returns
    -------
    Found
        uint8 pictures by the order of their paths.

    Raises
    ------
    DataError
    """
    if not pictures:
        refuse(file, "holds no pictures: give PNG or JPEG files, in a folder a class if you like")
    ordered = sorted(pictures, key=lambda picture: picture.path)
    values: np.ndarray | None = None
    for i, picture in enumerate(ordered):
        grey = _decoded(picture, file, None if values is None else values.shape[1:])
        if values is None:
            shape = (len(ordered), *grey.shape)
            check_shape(shape, file, 1, "picture", most_bytes)
            values = np.empty(shape, dtype=np.uint8)
        values[i] = grey
    assert values is not None
    notes = [f"{len(ordered):,} pictures of {values.shape[2]} x {values.shape[1]}, as grey levels."]
    if left := n_files - len(ordered):
        are = "s that are no pictures were" if left > 1 else " that is no picture was"
        notes.append(f"{left:,} file{are} left out.")
    classes = _classes([picture.path for picture in ordered], file)
    notes.append("Their folders are their classes." if classes is not None else "No labels.")
    return Found(values, classes, (values.shape[1], values.shape[2]), None, notes)


def _decoded(picture: Picture, file: str, shape: tuple[int, ...] | None) -> np.ndarray:
    """One picture's grey levels, (h, w); its size is looked at before it is unpacked."""
    from PIL import Image  # takes its time, and few bring pictures

    name = repr(picture.path[:80])
    if picture.size > MAX_PICTURE_BYTES:
        refuse(file, f"holds {name}, {_TOO_LARGE}")
    try:
        with picture.opened() as stream, Image.open(stream, formats=_FORMATS) as image:
            width, height = image.size
            if shape is None:
                # As many as will be asked for in the end; the number is checked by the caller.
                check_shape((20, height, width), f"{name} in {file}", 1, "picture")
            elif (height, width) != shape:
                refuse(
                    file,
                    f"holds pictures of different sizes ({name} is {width} x {height}, the first "
                    f"one {shape[1]} x {shape[0]}): make them one size",
                )
            return _grey(image)
    except DataError:
        raise
    except Image.DecompressionBombError as error:
        refuse(
            file,
            f"holds {name}, which has far too many pixels: make it smaller, at most "
            f"{MAX_FEATURES:,} can be trained on",
            error,
        )
    except _BROKEN as error:
        refuse(file, f"holds {name}, which is damaged or no PNG or JPEG: leave it out", error)


def _grey(image: Image) -> np.ndarray:
    if image.mode.startswith("I;16") or image.mode == "I":
        return (np.asarray(image).astype(np.int64).clip(0, 65535) >> 8).astype(np.uint8)
    return np.asarray(image.convert("L"), dtype=np.uint8)


def _classes(paths: Sequence[str], file: str) -> np.ndarray | None:
    """The name of the folder that each picture lies in; None where all lie in one."""
    folders = [PurePosixPath(path).parent for path in paths]
    if len(set(folders)) == 1:
        return None
    top = min(folders, key=lambda folder: len(folder.parts))
    if all(folder == top or top in folder.parents for folder in folders):
        beside = paths[folders.index(top)]
        refuse(
            file,
            f"has pictures in folders and one, {beside[-80:]!r}, beside them: a folder is a class, "
            "so put every picture into one",
        )
    return np.array([folder.name for folder in folders])
