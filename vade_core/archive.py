"""A run as one file: packed for others, and checked in full when one comes in.

The archive is a plain zip of the run folder, under the run's id. What comes in may be anything:
only known names are taken, sizes are counted while they are read, every file is parsed, and the
folder appears among the runs as a whole or not at all. Nothing is ever unpickled.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from safetensors import SafetensorError, safe_open

from vade_core.archive_checks import (
    ArchiveError,
    check_whole,
    checked_baseline,
    checked_config,
    checked_frame,
    checked_lines,
    checked_note,
    checked_stage,
    checked_status,
)
from vade_core.runs import (
    BASELINE,
    CHECKPOINT,
    CONFIG,
    FRAMES,
    ID_PATTERN,
    LOCK,
    METRICS,
    NOTE,
    STAGE,
    STATUS,
    WEIGHTS,
    Run,
    RunError,
    recorded_root,
)
from vade_core.zip_checks import directory_of

__all__ = ["ArchiveError", "pack", "unpack"]

KIB, MIB, GIB = 2**10, 2**20, 2**30
LIMITS: dict[str, int] = {
    CONFIG: MIB,
    STATUS: MIB,
    NOTE: MIB,
    BASELINE: MIB,
    METRICS: 64 * MIB,
    STAGE: 256 * MIB,
    CHECKPOINT: GIB,
}
FRAME_LIMIT = 64 * MIB
TOTAL_LIMIT = GIB
MEMBER_LIMIT = 20_000
# A member's entry is 46 bytes, its name (at most 120 here) and what a packer adds.
DIRECTORY_LIMIT = MEMBER_LIMIT * 400
CHUNK = MIB

MEMBER = re.compile(
    rf"({ID_PATTERN.pattern})/"
    r"((?:config|status|note|baseline)\.json|metrics\.jsonl|(?:stage|checkpoint)\.safetensors"
    r"|(?:frames|weights)/[0-9]{5}\.safetensors)"
)
FOLDER = re.compile(rf"({ID_PATTERN.pattern})/(?:(?:frames|weights)/)?")


def pack(run: Run, target: Path | IO[bytes]) -> None:
    """Write a run as an archive, without its lock, its log and what is asked of its worker.

    A run may be packed while it is trained: what is packed is then a moment of it, which can be
    resumed. Where a person's own file lies is left out; its digest stays.

    Parameters
    ----------
    run : Run
    target : Path or binary file
        Where to write.

    Raises
    ------
    ArchiveError
        If the run cannot be read, or is larger than an archive may be.
    """
    try:
        config = run.config.to_json() | {"data_file": None}
        status = checked_status(run.status())
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            _put(archive, run, CONFIG, json.dumps(config, ensure_ascii=False).encode())
            _put(archive, run, STATUS, json.dumps(status, ensure_ascii=False).encode())
            # In this order a worker that goes on writing leaves nothing that another file
            # promises and that is not there: lines and frames may only be more than the
            # checkpoint knows of.
            for name in (NOTE, BASELINE, STAGE, CHECKPOINT):
                if (run.path / name).exists():
                    _put(archive, run, name, (run.path / name).read_bytes())
            for number in run.frame_numbers():
                path = run.frame_path(number)
                _put(archive, run, f"{FRAMES}/{path.name}", path.read_bytes())
            for number in run.weights_numbers():
                path = run.weights_path(number)
                _put(archive, run, f"{WEIGHTS}/{path.name}", path.read_bytes())
            if (run.path / METRICS).exists():
                whole, newline, _ = (run.path / METRICS).read_bytes().rpartition(b"\n")
                _put(archive, run, METRICS, whole + newline)
            total = sum(member.file_size for member in archive.infolist())
            if total > TOTAL_LIMIT or len(archive.infolist()) > MEMBER_LIMIT:
                raise ArchiveError(f"{run.id} is too large for an archive: at most 1 GiB fits.")
    except (OSError, RunError) as error:
        if isinstance(error, ArchiveError):
            raise
        raise ArchiveError(f"{run.id} cannot be packed: {error}") from error


def _put(archive: zipfile.ZipFile, run: Run, name: str, content: bytes) -> None:
    # A fixed date: equal runs make equal archives.
    member = zipfile.ZipInfo(f"{run.id}/{name}", date_time=(1980, 1, 1, 0, 0, 0))
    member.external_attr = (stat.S_IFREG | 0o644) << 16
    archive.writestr(member, content, zipfile.ZIP_DEFLATED, compresslevel=1)


def unpack(file: Path | IO[bytes], root: Path) -> Run:
    """Bring a run in from an archive.

    Parameters
    ----------
    file : Path or binary file
        The archive; it need not be trusted.
    root : Path
        The runs' folder.

    Returns
    -------
    Run
        Under the id it had, or that id with a number where it is taken. It is not running,
        whatever its status said, and names no file of the sender's.

    Raises
    ------
    ArchiveError
        In one sentence, why it is refused. Nothing is left behind then.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        arriving = Path(tempfile.mkdtemp(dir=root, prefix=".arriving-"))
    except OSError as error:
        raise ArchiveError(f"The runs' folder cannot be written to: {error}.") from error
    try:
        run_id = _extract(file, arriving)
        _check(arriving)
        (arriving / FRAMES).mkdir(exist_ok=True)
        (arriving / LOCK).touch()
        arriving.chmod(0o755)  # mkdtemp's folders are their maker's alone
        return Run(_settle(arriving, root, run_id))
    except OSError as error:
        raise ArchiveError(f"The run cannot be written here: {error}.") from error
    finally:
        shutil.rmtree(arriving, ignore_errors=True)


def _extract(file: Path | IO[bytes], folder: Path) -> str:
    """Write the known members into a folder; the id that the archive carries."""
    try:
        if isinstance(file, Path):
            with file.open("rb") as opened:
                return _extract(opened, folder)
        _check_directory(file)
        with zipfile.ZipFile(file) as archive:
            run_id, members = _members(archive)
            total = 0
            for name, member in members.items():
                total += _copy(archive, member, folder / name, name, TOTAL_LIMIT - total)
            return run_id
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        struct.error,
        UnicodeError,
    ) as error:
        raise ArchiveError(f"This is no archive of a run, or it is damaged: {error}.") from error


def _check_directory(file: IO[bytes]) -> None:
    """Refuse a directory of absurd size before it is read into memory."""
    try:
        members, size = directory_of(file)
    except zipfile.BadZipFile as error:
        raise ArchiveError(
            "This is no archive of a run: it is not a zip file, or not a whole one."
        ) from error
    if members > MEMBER_LIMIT or size > DIRECTORY_LIMIT:
        raise ArchiveError(
            f"The archive is larger than a run's may be: at most {MEMBER_LIMIT:,} files in 1 GiB."
        )


def _members(archive: zipfile.ZipFile) -> tuple[str, dict[str, zipfile.ZipInfo]]:
    """The members by their name within the run folder, all known and of one run."""
    listed = archive.infolist()
    if len(listed) > MEMBER_LIMIT:
        raise ArchiveError(f"The archive holds more than {MEMBER_LIMIT:,} files.")
    ids: set[str] = set()
    members: dict[str, zipfile.ZipInfo] = {}
    declared = 0
    for member in listed:
        shown = member.filename[:100]
        kind = stat.S_IFMT(member.external_attr >> 16)
        if (folder := FOLDER.fullmatch(member.filename)) and kind in (0, stat.S_IFDIR):
            ids.add(folder[1])
            continue
        found = MEMBER.fullmatch(member.filename)
        if found is None:
            raise ArchiveError(f"The archive holds {shown!r}, which is no part of a run.")
        if kind not in (0, stat.S_IFREG):
            raise ArchiveError(f"The archive's {shown!r} is a link or a device, not a file.")
        if member.flag_bits & 0x1:
            raise ArchiveError(f"The archive's {shown!r} is encrypted: pack it without a password.")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ArchiveError(f"The archive's {shown!r} is compressed in a way not read here.")
        if found[2] in members:
            raise ArchiveError(f"The archive holds {shown!r} twice.")
        declared += member.file_size
        if member.file_size > _limit(found[2]) or declared > TOTAL_LIMIT:
            raise ArchiveError(f"The archive's {shown!r} is larger than a run's may be.")
        ids.add(found[1])
        members[found[2]] = member
    if len(ids) > 1:
        raise ArchiveError("The archive holds more than one run: pack one at a time.")
    for name in (CONFIG, STATUS):
        if name not in members:
            raise ArchiveError(f"The archive lacks {name}: it is not a whole run.")
    return ids.pop(), members


def _limit(name: str) -> int:
    return LIMITS.get(name, FRAME_LIMIT)


def _copy(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path, name: str, left: int
) -> int:
    """Write one member; its bytes are counted as they come, whatever its header says."""
    path.parent.mkdir(exist_ok=True)
    bound, written = min(_limit(name), left), 0
    with archive.open(member) as source, path.open("xb") as target:
        while chunk := source.read(CHUNK):
            written += len(chunk)
            if written > bound:
                raise ArchiveError(f"The archive's {name!r} is larger than a run's may be.")
            target.write(chunk)
    return written


def _check(folder: Path) -> None:
    """Parse every file, and write the small ones anew in the form that this version writes."""
    run = Run(folder)
    config = checked_config(_json(folder / CONFIG))
    _rewrite(folder, CONFIG, lambda found: config.to_json())
    _rewrite(folder, STATUS, checked_status)
    _rewrite(folder, NOTE, checked_note)
    _rewrite(folder, BASELINE, checked_baseline)
    check_whole(run.status()["state"], _there(folder))
    try:
        if (folder / METRICS).exists():
            lines = checked_lines((folder / METRICS).read_bytes(), config)
            text = "".join(json.dumps(line, allow_nan=False) + "\n" for line in lines)
            (folder / METRICS).write_text(text, encoding="utf-8", newline="\n")
        numbers = run.frame_numbers()
        if (folder / STAGE).exists():
            stage = run.stage()
            checked_stage(stage, config)
            for number in numbers:
                checked_frame(run.frame(number), stage, config)
        elif numbers:
            raise ArchiveError(f"The archive lacks {STAGE}, which its frames need.")
    except (RunError, TypeError, AttributeError, KeyError, IndexError) as error:
        if isinstance(error, ArchiveError):
            raise
        raise ArchiveError(f"The archive is damaged: {_without(folder, error)}") from error
    if (folder / CHECKPOINT).exists():
        names = _names_in(folder / CHECKPOINT)
        known = ("model.", "optimiser.", "position", "elapsed")
        if "position" not in names or not all(name.startswith(known) for name in names):
            raise ArchiveError(f"The archive's {CHECKPOINT} is not a checkpoint of a run.")
    for number in run.weights_numbers():
        path = run.weights_path(number)
        if not all(name.startswith("model.") for name in _names_in(path)):
            raise ArchiveError(f"The archive's {WEIGHTS}/{path.name} holds no model of a run.")


def _there(folder: Path) -> set[str]:
    """Which parts of a run have come; reports count from the first whole line, frames as one."""
    found = {path.name for path in folder.iterdir() if path.is_file()}
    if METRICS in found and b"\n" not in (folder / METRICS).read_bytes():
        found.remove(METRICS)
    if any((folder / FRAMES).glob("*.safetensors")):
        found.add(FRAMES)
    return found


def _names_in(path: Path) -> set[str]:
    """What a file of weights holds: its header and its length are looked at, no more."""
    try:
        with safe_open(path, framework="numpy") as found:
            return set(found.keys())
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise ArchiveError(f"The archive's {path.name} is no safetensors file.") from error


def _rewrite(folder: Path, name: str, checked: Callable[[Any], Mapping[str, Any]]) -> None:
    path = folder / name
    if path.exists():
        text = json.dumps(checked(_json(path)), ensure_ascii=False, allow_nan=False)
        path.write_text(text, encoding="utf-8")


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes().decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ArchiveError(f"The archive's {path.name} is not JSON: {error}.") from error


def _without(folder: Path, error: Exception) -> str:
    """What an error says, without the name of the folder that will be gone."""
    return str(error).replace(f"{folder}{os.sep}", "")


def _settle(arriving: Path, root: Path, run_id: str) -> Path:
    """Give the folder its name: the id, or the id with a number where it is taken."""
    for attempt in range(1, 10_000):
        suffix = "" if attempt == 1 else f"-{attempt}"
        name = run_id[: 80 - len(suffix)] + suffix
        target = root / name
        if target.exists() or (recorded_root() / name).exists():
            continue
        try:
            return arriving.rename(target)
        except OSError:
            if not target.exists():
                raise
    raise ArchiveError(f"There are too many runs called {run_id}: delete some.")
