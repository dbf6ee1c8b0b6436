"""Archives of runs: what goes out comes back, and everything else is refused in a sentence."""

from __future__ import annotations

import io
import json
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from vade_core import archive
from vade_core.archive import ArchiveError, pack, unpack
from vade_core.cli import main
from vade_core.locks import FileLock
from vade_core.recorder import write_json, write_note
from vade_core.runs import LOCK, Run, list_runs

Files = dict[str, bytes]


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A tiny VaDE, trained on the small digits, with a note."""
    folder = tmp_path_factory.mktemp("packed") / "tiny-vade"
    arguments = "train --dataset digits --subset 300 --hidden 16,16 --epochs 2 --maps pca"
    words = [*arguments.split(), "--pretrain-epochs", "1", "--out", str(folder)]
    assert main(words) == 0
    run = Run(folder)
    write_note(run, title="A small one", note="Made by a test.\nTwo lines.")
    return run


@pytest.fixture(scope="session")
def packed(trained: Run) -> bytes:
    file = io.BytesIO()
    pack(trained, file)
    return file.getvalue()


@pytest.fixture
def files(packed: bytes) -> Files:
    """The members of a good archive, to be spoilt."""
    with zipfile.ZipFile(io.BytesIO(packed)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def zipped(files: Files) -> io.BytesIO:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in files.items():
            made.writestr(name, content)
    file.seek(0)
    return file


def refused(file: io.BytesIO, root: Path, match: str) -> None:
    with pytest.raises(ArchiveError, match=match) as caught:
        unpack(file, root)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert str(root) not in sentence
    assert list(root.iterdir()) == []


# --- What goes out comes back -------------------------------------------------------------------


def test_round_trip(trained: Run, packed: bytes, tmp_path: Path) -> None:
    found = unpack(io.BytesIO(packed), tmp_path)
    assert found.path == tmp_path / "tiny-vade"
    assert found.metrics() == trained.metrics()
    assert found.note() == trained.note()
    assert found.state == "finished"
    assert found.config == trained.config
    assert found.frame_numbers() == trained.frame_numbers()
    assert found.metrics()[0]["phase"] == "untrained"
    assert found.frame(0).clusters is None
    for number in found.frame_numbers():
        mine, other = found.frame(number), trained.frame(number)
        np.testing.assert_array_equal(mine.latents, other.latents)
        np.testing.assert_array_equal(mine.maps["pca"], other.maps["pca"])
    np.testing.assert_array_equal(found.stage().samples, trained.stage().samples)
    for name in ("checkpoint.safetensors", "baseline.json"):
        assert (found.path / name).read_bytes() == (trained.path / name).read_bytes()
    assert [summary["id"] for summary in list_runs([tmp_path])] == ["tiny-vade"]


def test_packing_twice_gives_the_same_bytes(trained: Run, packed: bytes) -> None:
    again = io.BytesIO()
    pack(trained, again)
    assert again.getvalue() == packed


def test_to_and_from_a_path(trained: Run, tmp_path: Path) -> None:
    pack(trained, tmp_path / "run.zip")
    assert unpack(tmp_path / "run.zip", tmp_path / "runs").id == "tiny-vade"


def test_lock_log_and_orders_stay_behind(trained: Run, tmp_path: Path) -> None:
    (trained.path / "worker.log").write_text("a secret path")
    write_json(trained.path / "control.json", {"command": "stop"})
    file = io.BytesIO()
    pack(trained, file)
    names = [Path(name).name for name in zipfile.ZipFile(file).namelist()]
    assert not {"lock", "worker.log", "control.json"} & set(names)


def test_a_taken_id_gets_a_number(packed: bytes, tmp_path: Path) -> None:
    ids = [unpack(io.BytesIO(packed), tmp_path).id for _ in range(3)]
    assert ids == ["tiny-vade", "tiny-vade-2", "tiny-vade-3"]


def test_a_long_taken_id_still_fits(files: Files, tmp_path: Path) -> None:
    long = "x" * 80
    renamed = {name.replace("tiny-vade", long): content for name, content in files.items()}
    assert unpack(zipped(renamed), tmp_path).id == long
    assert unpack(zipped(renamed), tmp_path).id == "x" * 78 + "-2"


def test_folders_in_the_zip_are_fine(files: Files, tmp_path: Path) -> None:
    with_folders = {"tiny-vade/": b"", "tiny-vade/frames/": b"", **files}
    assert unpack(zipped(with_folders), tmp_path).state == "finished"


def test_a_run_that_came_in_can_be_evaluated_and_resumed(packed: bytes, tmp_path: Path) -> None:
    found = unpack(io.BytesIO(packed), tmp_path)
    assert main(["resume", str(found.path)]) == 0
    assert main(["evaluate", str(found.path)]) == 0


@pytest.mark.parametrize(
    ("state", "becomes"),
    [
        ("running", "interrupted"),
        ("paused", "interrupted"),
        ("queued", "stopped"),
        ("stopped", "stopped"),
        ("failed", "failed"),
    ],
)
def test_nothing_arrives_running(files: Files, tmp_path: Path, state: str, becomes: str) -> None:
    status = {"state": state, "words": "At work", "pid": 1, "elapsed": 3.5, "foreign": [1]}
    files["tiny-vade/status.json"] = json.dumps(status).encode()
    found = unpack(zipped(files), tmp_path)
    kept = json.loads((found.path / "status.json").read_text())
    assert kept["state"] == found.state == becomes
    assert kept["elapsed"] == 3.5
    assert not {"pid", "foreign"} & set(kept)


def test_a_run_may_be_packed_while_it_is_trained(trained: Run, tmp_path: Path) -> None:
    copy = unpack_copy(trained, tmp_path)
    status = json.loads((copy.path / "status.json").read_text()) | {"state": "running"}
    write_json(copy.path / "status.json", status)
    with (copy.path / "metrics.jsonl").open("a") as lines:
        lines.write('{"phase": "train", "ep')  # a line that is being written
    lock = FileLock(copy.path / LOCK)
    assert lock.acquire()
    try:
        file = io.BytesIO()
        pack(copy, file)
    finally:
        lock.release()
    found = unpack(file, tmp_path / "there")
    assert found.state == "interrupted"
    assert found.metrics() == trained.metrics()


def unpack_copy(run: Run, folder: Path) -> Run:
    file = io.BytesIO()
    pack(run, file)
    return unpack(file, folder / "copies")


def edited_config(files: Files, **changes: Any) -> Files:
    config = json.loads(files["tiny-vade/config.json"]) | changes
    return files | {"tiny-vade/config.json": json.dumps(config).encode()}


def test_no_path_of_the_sender_goes_out_or_comes_in(
    trained: Run, files: Files, tmp_path: Path
) -> None:
    copy = unpack_copy(trained, tmp_path)
    config = copy.config.to_json() | {
        "data_file": "/home/ada/secret.npz",
        "data_sha256": "0" * 64,
        "dataset": "secret",
    }
    write_json(copy.path / "config.json", config)
    file = io.BytesIO()
    pack(Run(copy.path), file)
    assert b"/home" not in zipfile.ZipFile(file).read("tiny-vade/config.json")
    forged = edited_config(files, data_file="//host/share/x.npz", data_sha256="0" * 64)
    found = unpack(zipped(forged), tmp_path / "there")
    assert found.config.data_file is None
    # An own file called digits.npz must not be taken for the catalogue's digits.
    assert found.config.dataset == "digits-from-elsewhere"


def test_an_unreadable_run_is_not_packed(trained: Run, tmp_path: Path) -> None:
    copy = unpack_copy(trained, tmp_path)
    (copy.path / "config.json").write_text("{")
    with pytest.raises(ArchiveError, match=r"cannot be packed: .*config\.json"):
        pack(Run(copy.path), io.BytesIO())


# --- What is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"PK", b"no zip at all" * 50, b"PK\x05\x06" + bytes(17)])
def test_no_zip(tmp_path: Path, content: bytes) -> None:
    refused(io.BytesIO(content), tmp_path, "no archive of a run")


def test_a_truncated_zip(packed: bytes, tmp_path: Path) -> None:
    refused(io.BytesIO(packed[: len(packed) // 2]), tmp_path, "not a whole one")


def test_a_flipped_byte(files: Files, tmp_path: Path) -> None:
    content = zipped(files).getvalue()
    middle = content.index(b"tiny-vade/stage.safetensors") + 2000
    spoilt = content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :]
    refused(io.BytesIO(spoilt), tmp_path, "damaged")


@pytest.mark.parametrize(
    "name",
    [
        "../evil.json",
        "/etc/passwd",
        "tiny-vade/../../evil.json",
        "tiny-vade/../config.json",
        "tiny-vade\\config.json",
        "C:/config.json",
        "tiny-vade/frames/../config.json",
        "tiny-vade/frames/1.safetensors",
        "tiny-vade/frames/00001.pkl",
        "tiny-vade/frames/00001.safetensors/",
        "tiny-vade/frames/٠٠٠٠١.safetensors",
        "tiny-vade/worker.log",
        "tiny-vade/lock",
        "tiny-vade/control.json",
        "tiny-vade/CONFIG.JSON",
        "tiny-vade/config.json\n",
        "_tiny/config.json",
        "tiny./config.json",
        "config.json",
        "__MACOSX/tiny-vade/._config.json",
        "x" * 81 + "/config.json",
    ],
)
def test_unknown_names(files: Files, tmp_path: Path, name: str) -> None:
    refused(zipped(files | {name: b"{}"}), tmp_path, "no part of a run")


def test_a_link(files: Files, tmp_path: Path) -> None:
    file = zipped(files)
    link = zipfile.ZipInfo("tiny-vade/note.json")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    del files["tiny-vade/note.json"]
    file = zipped(files)
    with zipfile.ZipFile(file, "a") as made:
        made.writestr(link, "/etc/passwd")
    refused(file, tmp_path, "a link or a device")


def test_a_folder_that_is_a_link(files: Files, tmp_path: Path) -> None:
    link = zipfile.ZipInfo("tiny-vade/frames/")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    file = zipped(files)
    with zipfile.ZipFile(file, "a") as made:
        made.writestr(link, "/etc")
    refused(file, tmp_path, "no part of a run")


def test_a_name_twice(files: Files, tmp_path: Path) -> None:
    file = zipped(files)
    with zipfile.ZipFile(file, "a") as made, pytest.warns(UserWarning, match="Duplicate"):
        made.writestr("tiny-vade/config.json", files["tiny-vade/config.json"])
    refused(file, tmp_path, "twice")


def test_two_runs(files: Files, tmp_path: Path) -> None:
    other = {name.replace("tiny-vade", "other"): content for name, content in files.items()}
    other = {name: content for name, content in other.items() if "frames" in name}
    del files[next(name for name in files if "frames" in name)]
    refused(zipped(files | {"other/frames/00099.safetensors": b"x"}), tmp_path, "more than one run")


def test_an_encrypted_member(files: Files, tmp_path: Path) -> None:
    content = bytearray(zipped(files).getvalue())
    directory = content.index(b"PK\x01\x02")
    content[directory + 8] |= 1
    refused(io.BytesIO(bytes(content)), tmp_path, "encrypted")


def test_an_unusual_compression(files: Files, tmp_path: Path) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_LZMA) as made:
        for name, content in files.items():
            made.writestr(name, content)
    refused(file, tmp_path, "compressed in a way")


@pytest.mark.parametrize(
    "name", ["metrics.jsonl", "stage.safetensors", "checkpoint.safetensors", "frames/"]
)
def test_a_finished_run_without_one_of_its_parts(files: Files, tmp_path: Path, name: str) -> None:
    kept = {path: content for path, content in files.items() if f"/{name}" not in path}
    assert len(kept) < len(files)
    words = "its frames" if name == "frames/" else name.replace(".", r"\.")
    refused(zipped(kept), tmp_path, f"lacks {words}: a finished run needs")


def test_a_finished_run_without_anything_in_it(files: Files, tmp_path: Path) -> None:
    bare = {path: files[path] for path in files if path.endswith(("config.json", "status.json"))}
    everything = r"metrics\.jsonl, stage\.safetensors, checkpoint\.safetensors and its frames"
    refused(zipped(bare), tmp_path, f"lacks {everything}: ")
    blank = files | {"tiny-vade/metrics.jsonl": b""}
    refused(zipped(blank), tmp_path, r"lacks metrics\.jsonl: ")


@pytest.mark.parametrize("state", ["queued", "running", "stopped", "failed", "interrupted"])
def test_a_run_that_never_began(files: Files, tmp_path: Path, state: str) -> None:
    bare = {path: files[path] for path in files if path.endswith("config.json")}
    bare["tiny-vade/status.json"] = json.dumps({"state": state}).encode()
    refused(zipped(bare), tmp_path, "never began")
    begun = bare | {"tiny-vade/metrics.jsonl": files["tiny-vade/metrics.jsonl"]}
    lines = unpack(zipped(begun), tmp_path).metrics()
    assert [line["phase"] for line in lines] == [
        "untrained", "pretrain", "start", "clamped", "free"
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["config.json", "status.json"])
def test_a_missing_file(files: Files, tmp_path: Path, name: str) -> None:
    del files[f"tiny-vade/{name}"]
    refused(zipped(files), tmp_path, f"lacks {name}")


def test_frames_without_a_stage_set(files: Files, tmp_path: Path) -> None:
    del files["tiny-vade/stage.safetensors"]
    refused(zipped(files), tmp_path, r"lacks stage\.safetensors")


def test_too_many_members(files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MEMBER_LIMIT", len(files) - 1)
    refused(zipped(files), tmp_path, "larger than a run's may be")


def test_a_huge_directory_is_not_even_read(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = bytearray(zipped(files).getvalue())
    struct.pack_into("<L", content, len(content) - 10, archive.DIRECTORY_LIMIT + 1)

    def unread(*_: object) -> None:
        raise AssertionError("the directory was read")

    monkeypatch.setattr(archive.zipfile, "ZipFile", unread)
    refused(io.BytesIO(bytes(content)), tmp_path, "larger than a run's may be")


def test_a_member_that_says_it_is_too_large(files: Files, tmp_path: Path) -> None:
    bomb = files | {"tiny-vade/note.json": bytes(2 * archive.MIB)}
    refused(zipped(bomb), tmp_path, r"note\.json' is larger")


def test_a_member_that_lies_about_its_size(files: Files, tmp_path: Path) -> None:
    files["tiny-vade/note.json"] = b" " * (2 * archive.MIB)
    content = bytearray(zipped(files).getvalue())
    place = content.index(b"PK\x01\x02")
    while b"note.json" not in content[place + 46 : place + 46 + 40]:
        place = content.index(b"PK\x01\x02", place + 1)
    struct.pack_into("<L", content, place + 24, 10)  # the directory's word for the size
    refused(io.BytesIO(bytes(content)), tmp_path, "larger|damaged")


def test_too_much_in_all(files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    total = sum(map(len, files.values()))
    monkeypatch.setattr(archive, "TOTAL_LIMIT", total - 1)
    refused(zipped(files), tmp_path, "larger than a run's may be")
    monkeypatch.setattr(archive, "TOTAL_LIMIT", total)
    assert unpack(zipped(files), tmp_path).state == "finished"


def test_bytes_are_counted_while_they_are_read(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The directory is believed by nobody: here every size in it passes.
    total = sum(map(len, files.values()))
    members = archive._members

    def believed(opened: zipfile.ZipFile) -> Any:
        found = members(opened)
        monkeypatch.setattr(archive, "TOTAL_LIMIT", total - 1)
        return found

    monkeypatch.setattr(archive, "_members", believed)
    refused(zipped(files), tmp_path, "larger than a run's may be")


Edit = Callable[[dict[str, Any]], object]


def put(name: str, value: Any) -> Edit:
    def edit(found: dict[str, Any]) -> None:
        found[name] = value

    return edit


@pytest.mark.parametrize(
    ("edit", "match"),
    [
        (put("format", 99), "format"),
        (lambda found: found.pop("model"), "lacks an entry"),
        (put("clusters", 0), "clusters"),
        (put("clusters", "10"), "clusters"),
        (put("image_shape", [8, 9]), "image_shape"),
        (put("image_shape", 5), "image_shape"),
        (put("parameters", {"epochs": {"deep": [1]}}), "parameters"),
        (put("parameters", {"hidden": [[1]]}), "parameters"),
        (put("seed", -1), "seed"),
        (put("seed", True), "seed"),
        (put("subset", 0.5), "subset"),
        (put("split", "no"), "split"),
        (put("labelled", 1), "labelled"),
        (put("created", 5), "created"),
        (put("lenses", ["pca", 3]), "lenses"),
        (put("max_frames", 0), "max_frames"),
        (put("threads", 10**9), "threads"),
        (put("precision", 32), "precision"),
        (put("versions", ["torch"]), "versions"),
        (put("model", "x" * 200), "model"),
        (put("dataset", None), "dataset"),
        (put("data_file", 7), "data_file"),
    ],
)
def test_a_wrong_configuration(files: Files, tmp_path: Path, edit: Edit, match: str) -> None:
    config = json.loads(files["tiny-vade/config.json"])
    edit(config)
    files["tiny-vade/config.json"] = json.dumps(config).encode()
    refused(zipped(files), tmp_path, match)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b"1" * 10_000]
)
@pytest.mark.parametrize("name", ["config", "status", "note", "baseline"])
def test_wrong_json(files: Files, tmp_path: Path, name: str, content: bytes) -> None:
    files[f"tiny-vade/{name}.json"] = content
    refused(zipped(files), tmp_path, name if content not in (b"[]", b"null") else "archive")


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("status", {"state": "dancing"}, "no known state"),
        ("note", {"title": 5}, "note"),
        ("note", {"title": "x" * 81}, "too long"),
        ("note", {"note": "x" * 4001}, "too long"),
        ("baseline", {"kmeans": {"acc": 7}}, "no scores"),
        ("baseline", {"kmeans": "high"}, "no scores"),
    ],
)
def test_wrong_contents(files: Files, tmp_path: Path, name: str, content: Any, match: str) -> None:
    files[f"tiny-vade/{name}.json"] = json.dumps(content).encode()
    refused(zipped(files), tmp_path, match)


@pytest.mark.parametrize(
    "line",
    [
        "not json",
        "[]",
        '{"epoch": 1}',
        '{"phase": "train", "epoch": -1}',
        '{"phase": "train", "epoch": 1, "acc": "high"}',
        '{"phase": "train", "epoch": 1, "acc": NaN}',
        '{"phase": "train", "epoch": 1, "loss": [1]}',
        '{"phase": "train", "epoch": 1, "matched": [1, 2]}',
        '{"phase": "train", "epoch": 1, "x": {"y": {"z": 1}}}',
        '{"phase": ["train"], "epoch": 1}',
        '{"phase": "train", "epoch": 1, "report": 0.5}',
    ],
)
def test_a_wrong_line_is_named(files: Files, tmp_path: Path, line: str) -> None:
    files["tiny-vade/metrics.jsonl"] += line.encode() + b"\n"
    number = files["tiny-vade/metrics.jsonl"].count(b"\n")
    refused(zipped(files), tmp_path, rf"metrics\.jsonl, line {number}, ")


def edited_tensors(content: bytes, edit: Edit) -> bytes:
    found = dict(safetensors.numpy.load(content))
    edit(found)
    return safetensors.numpy.save(
        {name: np.ascontiguousarray(value) for name, value in found.items()}
    )


@pytest.mark.parametrize("name", ["stage.safetensors", "frames/00000.safetensors"])
@pytest.mark.parametrize("content", [b"", b"\x80\x04N.", b"\xff" * 64])
def test_no_safetensors(files: Files, tmp_path: Path, name: str, content: bytes) -> None:
    files[f"tiny-vade/{name}"] = content
    refused(zipped(files), tmp_path, r"damaged: .*safetensors")


@pytest.mark.parametrize(
    "edit",
    [
        lambda found: found.pop("rows"),
        lambda found: found.update(rows=found["rows"][:-1]),
        lambda found: found.update(rows=found["rows"].astype(np.float32)),
        lambda found: found.update(labels=found["labels"][:5]),
        lambda found: found.update(pictures=found["pictures"][:, :4]),
        lambda found: found.update(shown=found["shown"] + 10_000),
        lambda found: found.update(samples=found["samples"][:, :3]),
        lambda found: found.update(samples=np.full_like(found["samples"], np.nan)),
    ],
)
def test_a_wrong_stage_set(files: Files, tmp_path: Path, edit: Edit) -> None:
    name = "tiny-vade/stage.safetensors"
    files[name] = edited_tensors(files[name], edit)
    refused(zipped(files), tmp_path, r"stage\.safetensors|stage set")


@pytest.mark.parametrize(
    "edit",
    [
        lambda found: found.pop("latents"),
        lambda found: found.update(latents=found["latents"][:-1]),
        lambda found: found.update(latents=found["latents"][:, 0]),
        lambda found: found.update(latents=np.full_like(found["latents"], np.inf)),
        lambda found: found.update({"map.pca": found["map.pca"][:, :1]}),
        lambda found: found.update({"map.pca": np.full_like(found["map.pca"], np.nan)}),
        lambda found: found.update(clusters=found["clusters"] + 10),
        lambda found: found.update(responsibilities=found["responsibilities"][:, :3]),
        lambda found: found.update(reconstructions=found["reconstructions"][:1]),
        lambda found: found.update({"prior.means": found["prior.means"][:3]}),
        lambda found: found.update({"prior.odd": found["prior.means"]}),
    ],
)
def test_a_wrong_frame(files: Files, tmp_path: Path, edit: Edit) -> None:
    name = sorted(name for name in files if "frames/" in name)[-1]
    files[name] = edited_tensors(files[name], edit)
    refused(zipped(files), tmp_path, "frame|map|latents")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80\x04N.",
        safetensors.numpy.save({"model.x": np.zeros(3, np.float32)}),
        safetensors.numpy.save({"position": np.zeros(3, np.int64), "odd": np.zeros(1)}),
    ],
)
def test_a_wrong_checkpoint(files: Files, tmp_path: Path, content: bytes) -> None:
    files["tiny-vade/checkpoint.safetensors"] = content
    refused(zipped(files), tmp_path, r"checkpoint\.safetensors")


def test_a_truncated_checkpoint(files: Files, tmp_path: Path) -> None:
    name = "tiny-vade/checkpoint.safetensors"
    files[name] = files[name][:-100]
    refused(zipped(files), tmp_path, r"checkpoint\.safetensors")


def test_nothing_is_unpickled(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pickle

    def explode(*_: object, **__: object) -> None:
        raise AssertionError("something was unpickled")

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, explode)
    assert unpack(zipped(files), tmp_path).state == "finished"


def test_a_folder_that_cannot_be_written(packed: bytes, tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file where the folder should be")
    with pytest.raises(ArchiveError, match="cannot be written to"):
        unpack(io.BytesIO(packed), tmp_path / "runs")
