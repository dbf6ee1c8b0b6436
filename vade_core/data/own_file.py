"""A person's own data: an .npz file, checked before it is believed."""

from __future__ import annotations

import lzma
import math
import re
import struct
import tokenize
import unicodedata
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO, NoReturn

import numpy as np

from vade_core.data.dataset import MIN_SAMPLES, DataError, Dataset, random_test_part

MAX_SAMPLES = 2_000_000
MAX_BYTES = 4 * 1024**3

_ARRAYS = ("X", "y", "image_shape")
_ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")
# All that zipfile, its decompressors and NumPy's reader were seen to raise on broken files.
_DAMAGE = (
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
_BAD_HEADER = (*_DAMAGE, TypeError, AttributeError, IndexError, SyntaxError, tokenize.TokenError)
# Beyond this a float cannot tell neighbouring integers apart.
_MAX_EXACT_INTEGER = 2**53

_HEADER_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}

Header = tuple[tuple[int, ...], np.dtype]


def load_file(path: str | Path) -> Dataset:
    """Load a data set from an .npz file.

    The file holds `X`, (n, D) numbers or (n, height, width) pictures, and may hold `y`, (n,)
    integers or texts, and `image_shape`, two integers. uint8 `X` stays as it is; other numbers
    become float32. The likelihood is "bernoulli" for uint8 and for values in [0, 1], else
    "gaussian". A seeded random seventh is the test part. Nothing in the file is ever unpickled.

    Parameters
    ----------
    path : str or Path
        The file, as ``np.savez`` or ``np.savez_compressed`` writes it.

    Returns
    -------
    Dataset
        Named after the file; `class_names` keeps the values of `y` as text.

    Raises
    ------
    DataError
        If the file or what it holds cannot be used; one sentence names the file and says why.
    """
    path = Path(path)
    file = path.name
    arrays = _read_arrays(path)
    pictures = arrays["X"]
    image_shape = _image_shape(pictures.shape, arrays.get("image_shape"), file)
    samples = _samples(pictures.reshape(len(pictures), -1), file)
    labels, class_names = None, None
    if "y" in arrays:
        labels, class_names = _class_codes(arrays["y"], file)
    in_unit_range = samples.dtype == np.uint8 or (samples.min() >= 0 and samples.max() <= 1)
    return Dataset(
        name=_slug(path.stem),
        samples=samples,
        labels=labels,
        is_test=random_test_part(len(samples)),
        image_shape=image_shape,
        likelihood="bernoulli" if in_unit_range else "gaussian",
        source=f"file {file}",
        licence="unknown (yours)",
        class_names=class_names,
    )


def _refuse(file: str, why: str, cause: BaseException | None = None) -> NoReturn:
    raise DataError(f"{file} {why}.") from cause


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    file = path.name
    try:
        stream = path.open("rb")
    except FileNotFoundError as error:
        _refuse(str(path), "does not exist: check the path", error)
    except OSError as error:
        _refuse(str(path), "cannot be opened: check that it is a file you may read", error)
    with stream:
        start = stream.read(4)
        if not start:
            _refuse(file, "is empty: write it again with numpy.savez")
        if start not in _ZIP_STARTS:
            _refuse(file, "is not an .npz file: write it with numpy.savez(file, X=..., y=...)")
        try:
            names = _check_declared(stream, file)
            stream.seek(0)
            with np.load(stream, allow_pickle=False) as content:
                return {name: content[f"{name}.npy"] for name in names}
        except DataError:
            raise
        except MemoryError as error:
            _refuse(file, "does not fit into this computer's memory: keep fewer rows", error)
        except _DAMAGE as error:
            _refuse(file, "is cut short, damaged or encrypted: write or copy it again", error)


def _check_declared(stream: BinaryIO, file: str) -> list[str]:
    """Check all that the file declares before any data are read; name the arrays to read."""
    with zipfile.ZipFile(stream) as archive:
        if sum(info.file_size for info in archive.infolist()) > MAX_BYTES:
            _refuse(file, f"unpacks to more than {MAX_BYTES // 1024**3} GiB: keep fewer rows")
        members = set(archive.namelist())
        names = [name for name in _ARRAYS if f"{name}.npy" in members]
        if "X" not in names:
            _refuse(
                file, 'holds no array called "X": write it with numpy.savez(file, X=..., y=...)'
            )
        headers = {name: _header(archive, name, file) for name in names}
    _check_samples_header(headers["X"], file)
    n = headers["X"][0][0]
    if "y" in headers and headers["y"][0] != (n,):
        shape = headers["y"][0]
        _refuse(file, f"has {n:,} samples in X, but y has the shape {shape}: give one y a sample")
    if "image_shape" in headers:
        shape, dtype = headers["image_shape"]
        if shape != (2,) or dtype.kind not in "iu":
            _refuse(file, "has an image_shape that is not two integers: give height and width")
    return names


def _header(archive: zipfile.ZipFile, name: str, file: str) -> Header:
    """Read an array's shape and type, and check them against the size of its data."""
    info = archive.getinfo(f"{name}.npy")
    with archive.open(info) as stream:
        version = np.lib.format.read_magic(stream)
        if version not in _HEADER_READERS:
            _refuse(file, f"holds {name} as named fields: save a plain array instead")
        try:
            shape, _, dtype = _HEADER_READERS[version](stream)
        except _BAD_HEADER as error:
            _refuse(file, f"is cut short or damaged inside {name}: write or copy it again", error)
        data_size = info.file_size - stream.tell()
    if dtype.hasobject:
        _refuse(file, f"holds {name} as pickled Python objects: save plain numbers or texts")
    # NumPy allocates what the header asks for before it reads, so a false one must not get there.
    if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != data_size:
        _refuse(file, f"is cut short or damaged inside {name}: write or copy it again")
    return shape, dtype


def _check_samples_header(header: Header, file: str) -> None:
    shape, dtype = header
    if dtype.kind == "c":
        _refuse(file, "holds complex numbers in X: save their real parts or absolute values")
    if dtype.kind not in "biuf":
        _refuse(file, f"holds no numbers in X (its type is {dtype}): save numbers")
    if len(shape) not in (2, 3) or 0 in shape[1:]:
        _refuse(file, f"has X of the shape {shape}: give (n, D) or (n, height, width)")
    if shape[0] < MIN_SAMPLES:
        _refuse(file, f"has {shape[0]} samples: give at least {MIN_SAMPLES}")
    if shape[0] > MAX_SAMPLES:
        _refuse(file, f"has {shape[0]:,} samples: keep at most {MAX_SAMPLES:,}")


def _image_shape(
    shape: tuple[int, ...], declared: np.ndarray | None, file: str
) -> tuple[int, int] | None:
    if declared is None:
        return (shape[1], shape[2]) if len(shape) == 3 else None
    height, width = (int(side) for side in declared)
    fits = shape[1:] == (height, width) or shape[1:] == (height * width,)
    if min(height, width) < 1 or not fits:
        _refuse(
            file,
            f"has an image_shape of ({height}, {width}) that does not fit X of the shape {shape}: "
            "correct one of them",
        )
    return height, width


def _samples(values: np.ndarray, file: str) -> np.ndarray:
    """Return (n, D) uint8 or finite float32 values that are not all constant."""
    if values.dtype == np.uint8:
        samples = np.ascontiguousarray(values)
    else:
        with np.errstate(over="ignore"):
            samples = np.ascontiguousarray(values, dtype=np.float32)
        unusable = ~np.isfinite(samples)
        n_unusable = int(np.count_nonzero(unusable))
        if n_unusable:
            row, feature = divmod(int(np.argmax(unusable)), samples.shape[1])
            _refuse(
                file,
                f"has {n_unusable:,} values in X that are NaN, infinite or too large for single "
                f"precision, the first in row {row}, feature {feature} (counted from 0): "
                "replace them or leave out their rows",
            )
    if np.array_equal(samples.min(axis=0), samples.max(axis=0)):
        _refuse(file, "has the same values in every sample of X: there is nothing to learn")
    return samples


def _class_codes(values: np.ndarray, file: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Turn labels into codes 0..C-1 in sorted order, and keep the originals as text."""
    kind = values.dtype.kind
    if kind == "S":
        try:
            values = np.char.decode(values, "utf-8")
        except UnicodeDecodeError as error:
            _refuse(file, "has texts in y that are not UTF-8: save y as texts or integers", error)
    elif kind == "f":
        values = values.astype(np.float64)
        in_range = np.abs(values) <= _MAX_EXACT_INTEGER
        if not np.all(in_range & (values == np.floor(values))):
            _refuse(file, "has y values that are not whole numbers: save classes, not measurements")
        values = values.astype(np.int64)
    elif kind not in "biuU":
        _refuse(file, f"has y of the type {values.dtype}: save integers or texts")
    originals, codes = np.unique(values, return_inverse=True)
    return codes.astype(np.int64), tuple(str(original) for original in originals)


def _slug(stem: str) -> str:
    plain = unicodedata.normalize("NFKD", stem.casefold()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or "data"
