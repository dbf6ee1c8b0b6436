"""Data that come over the network once and are then kept in a folder for downloads."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path

import numpy as np

from vade_core.data.dataset import DataError

Progress = Callable[[str], None] | None
Arrays = dict[str, np.ndarray]


def cache_folder() -> Path:
    """Return the folder for downloads: VADE_CACHE if set, else the platform's cache folder."""
    chosen = os.environ.get("VADE_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    home = Path.home()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = home / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return base / "vade-explorer"


def cached(
    name: str,
    title: str,
    make: Callable[[], Arrays],
    check: Callable[[Arrays, str], None],
    progress: Progress,
) -> Arrays:
    """Return arrays out of the folder for downloads; make and keep them where it lacks them.

    Parameters
    ----------
    name : str
        Of the file, without its ending.
    title : str
        What people call the data.
    make : callable
        Gives the arrays, checked, when the file is missing or damaged.
    check : callable
        ``check(arrays, where)`` raises DataError, or KeyError, for arrays that are not as they
        should be.
    progress : callable, or None
        Told if the arrays could not be kept.

    Returns
    -------
    dict of str to ndarray
    """
    path = cache_folder() / f"{name}.npz"
    arrays = _read(path, check)
    if arrays is None:
        arrays = make()
        _write(path, title, arrays, progress)
    return arrays


@contextmanager
def fetching(title: str, advice: str) -> Iterator[None]:
    """Turn what goes wrong while data are fetched into a DataError that says what to do.

    Parameters
    ----------
    title : str
        What people call the data.
    advice : str
        What to do where the network cannot be reached.
    """
    try:
        yield
    except (OSError, HTTPException, EOFError, ValueError, ImportError, zlib.error) as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise DataError(
                f"{title} could not be fetched, since the disk is full: free some space."
            ) from error
        raise DataError(
            f"{title} is not on this computer and could not be fetched: {advice}."
        ) from error


def from_openml(
    name: str, title: str, advice: str, progress: Progress
) -> tuple[np.ndarray, np.ndarray]:
    """Fetch version 1 of a data set of OpenML.

    Parameters
    ----------
    name : str
        OpenML's name.
    title, advice : str
        See :func:`fetching`.
    progress : callable, or None
        Told that it takes long.

    Returns
    -------
    values : ndarray of shape (n, D)
        As OpenML has them.
    classes : ndarray of shape (n,)
        int64.

    Raises
    ------
    DataError
        If OpenML cannot be reached, or answers something else.
    """
    if progress is not None:
        progress(f"Fetching {title} from OpenML, once; this takes about a minute.")
    with fetching(title, advice):
        from sklearn.datasets import fetch_openml

        bunch = fetch_openml(
            name, version=1, as_frame=False, parser="auto", cache=False, n_retries=1
        )
        values = np.asarray(bunch.data)
        if values.dtype.kind not in "iuf":
            raise ValueError(f"{values.dtype} are no numbers")
        return values, np.asarray(bunch.target).astype(np.int64)


def _read(path: Path, check: Callable[[Arrays, str], None]) -> Arrays | None:
    """Return the arrays of a file, or None where it is missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as content:
            arrays = dict(content)
        check(arrays, path.name)
    except Exception:  # there is no end to what NumPy raises on a damaged file
        return None
    return arrays


def _write(path: Path, title: str, arrays: Arrays, progress: Progress) -> None:
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as stream:
            temporary = Path(stream.name)
            np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]
        # A reader sees the whole file or none, even if this process is stopped half-way.
        temporary.replace(path)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        if progress is not None:
            progress(f"{title} could not be kept in {path.parent} ({error.strerror}).")
