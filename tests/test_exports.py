"""Exports: read back by what their formats say, not by the code that wrote them."""

from __future__ import annotations

import base64
import csv
import gzip
import io
import json
import os
import re
import shutil
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vade_core import cli_options, exports, remap
from vade_core.cli import main
from vade_core.exports import export_run, frame_csv, projector_zip, time_machine_html
from vade_core.map_frames import NO_CLUSTER
from vade_core.map_page import page_html
from vade_core.projection import neighbour_recall
from vade_core.recorder import write_note
from vade_core.run_frames import read_run_frames
from vade_core.runs import Run, RunError

SMALL = [
    "--preset",
    "short",
    "--epochs",
    "2",
    "--pretrain-epochs",
    "1",
    "--hidden",
    "16,16",
    "--threads",
    "1",
]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "digits"
    words = ["train", "--dataset", "digits", "--subset", "300", "--maps", "pca,first-two"]
    assert main([*words, *SMALL, "--out", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def unlabelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on vectors that are no pictures and have no labels."""
    folder = tmp_path_factory.mktemp("made")
    np.savez(folder / "mine.npz", X=np.random.default_rng(0).normal(size=(200, 6)))
    words = ["train", "--data", str(folder / "mine.npz"), "--clusters", "3", "--maps", "pca"]
    assert main([*words, *SMALL, "--out", str(folder / "vectors")]) == 0
    return folder / "vectors"


def views_of(page: str) -> list[dict[str, Any]]:
    """The maps of a page, their messages unpacked into header and bytes."""
    found = re.search(r'<script type="application/json" id="views">(.*?)</script>', page, re.S)
    assert found
    views = json.loads(found[1])
    for view in views:
        view["message"] = gzip.decompress(base64.b64decode(view["frames"]))
        (length,) = struct.unpack("<I", view["message"][8:12])
        view["header"] = json.loads(view["message"][12 : 12 + length])
    return views


def part_of(view: dict[str, Any], name: str) -> np.ndarray:
    (length,) = struct.unpack("<I", view["message"][8:12])
    offset, size, shape = view["header"]["parts"][name]
    start = -(-(12 + length) // 8) * 8 + offset
    kind = "<u2" if name == "positions" else "u1"
    return np.frombuffer(view["message"][start : start + size], kind).reshape(shape)


# --- The page -----------------------------------------------------------------------------------


def test_the_page_holds_every_map_and_every_frame_and_asks_for_nothing(trained: Path) -> None:
    run = Run(trained)
    page = time_machine_html(run, ["pca", "first-two"])
    views = views_of(page)
    assert [view["title"] for view in views] == ["PCA", "Latent 1 and 2"]
    for view, lens in zip(views, ("pca", "first-two"), strict=True):
        assert len(view["header"]["frames"]) == len(run.frame_numbers())
        first = view["header"]["frames"][0]
        assert (first["title"], first["phase"], first["accuracy"]) == (
            "untrained", "Untrained", None
        )  # fmt: skip
        assert (part_of(view, "clusters")[0] == NO_CLUSTER).all()
        last = run.frame(run.frame_numbers()[-1])
        box = view["header"]["frames"][-1]["box"]
        places = np.array(box[:2]) + part_of(view, "positions")[-1] / 65535 * np.array(box[2:])
        assert places == pytest.approx(last.maps[lens], abs=2e-4 * max(box[2:]))
        kept = part_of(view, "trust")[-1] / 255
        assert kept == pytest.approx(neighbour_recall(last.latents, last.maps[lens]), abs=0.003)
        assert np.array_equal(part_of(view, "pictures"), run.stage().pictures)
    assert "default-src 'none'" in page
    assert not re.search(r"""(?:src|href)\s*=\s*["'](?!data:)""", page)
    assert not re.search(r"\bimport\s|@import|\bfetch\(", page)


def test_equal_runs_make_equal_pages(trained: Path) -> None:
    assert export_run(Run(trained), "html") == export_run(Run(trained), "html")


def test_a_title_is_text_and_never_markup(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained, tmp_path / "evil")
    run = Run(tmp_path / "evil")
    evil = "</title><script>alert(1)</script>{{script}}"
    write_note(run, title=evil, note="")
    found = read_run_frames(run, "pca").frames
    assert found is not None
    page = time_machine_html(run, ["pca"])
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;{{script}}" in page
    assert page.count("<script") == time_machine_html(Run(trained), ["pca"]).count("<script")
    with pytest.raises(ValueError, match="at least one view"):
        page_html("x", "y", [])


def test_a_truncated_frame_is_left_out_of_the_page(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained, tmp_path / "run")
    run = Run(tmp_path / "run")
    first, *others = run.frame_numbers()
    path = run.frame_path(first)
    path.write_bytes(path.read_bytes()[:100])
    found = read_run_frames(run, "pca")
    assert found.numbers == others
    assert len(found.skipped) == 1
    assert path.name in found.skipped[0]
    (view,) = views_of(time_machine_html(run, ["pca"]))
    assert len(view["header"]["frames"]) == len(others)


# --- The table ----------------------------------------------------------------------------------


def test_the_table_has_a_line_a_point(trained: Path) -> None:
    run = Run(trained)
    number = run.frame_numbers()[-1]
    stage, frame = run.stage(), run.frame(number)
    rows = list(csv.DictReader(io.StringIO(frame_csv(run, number, "pca"))))
    assert list(rows[0]) == ["row", "label", "cluster", "x", "y", "max_gamma"]
    assert [int(row["row"]) for row in rows] == stage.rows.tolist()
    assert [int(row["label"]) for row in rows] == stage.labels.tolist()
    assert [int(row["cluster"]) for row in rows] == frame.clusters.tolist()
    places = np.array([[float(row["x"]), float(row["y"])] for row in rows])
    assert places == pytest.approx(frame.maps["pca"], rel=1e-5, abs=1e-5)
    sure = [float(row["max_gamma"]) for row in rows]
    assert sure == pytest.approx(frame.responsibilities.max(axis=1), abs=1e-4)


def test_what_is_not_known_is_empty_in_the_table(trained: Path, unlabelled: Path) -> None:
    pretrained = Run(trained)
    for number in pretrained.frame_numbers()[:2]:  # of the untrained networks, of the pretraining
        rows = csv.DictReader(io.StringIO(frame_csv(pretrained, number, "pca")))
        assert {(row["cluster"], row["max_gamma"]) for row in rows} == {("", "")}
    run = Run(unlabelled)
    rows = csv.DictReader(io.StringIO(frame_csv(run, run.frame_numbers()[-1], "pca")))
    assert {row["label"] for row in rows} == {""}


# --- The Embedding Projector --------------------------------------------------------------------


def test_the_projectors_files_agree_with_the_frame(trained: Path) -> None:
    run = Run(trained)
    number = run.frame_numbers()[-1]
    stage, frame = run.stage(), run.frame(number)
    with zipfile.ZipFile(io.BytesIO(projector_zip(run, number))) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    (embedding,) = json.loads(files["projector_config.json"])["embeddings"]
    assert embedding["tensorShape"] == list(frame.latents.shape)
    lines = files[embedding["tensorPath"]].decode().splitlines()
    tensors = np.array([[float(v) for v in line.split("\t")] for line in lines])
    assert tensors == pytest.approx(frame.latents, rel=1e-5, abs=1e-5)
    head, *rows = [
        line.split("\t") for line in files[embedding["metadataPath"]].decode().splitlines()
    ]
    assert head == ["row", "label", "class", "cluster", "max_gamma"]
    assert [int(row[1]) for row in rows] == stage.labels.tolist()
    assert [int(row[3]) for row in rows] == frame.clusters.tolist()
    sheet = np.array(Image.open(io.BytesIO(files[embedding["sprite"]["imagePath"]])))
    width, height = embedding["sprite"]["singleImageDim"]
    columns = sheet.shape[1] // width
    # The projector takes the sheet for a square of ceil(sqrt(n)) columns.
    assert columns == int(np.ceil(np.sqrt(len(frame.latents))))
    for i in (0, columns, len(rows) - 1):
        top, left = i // columns * height, i % columns * width
        assert np.array_equal(sheet[top : top + height, left : left + width], stage.pictures[i])


def test_samples_that_are_no_pictures_have_no_sprite(unlabelled: Path) -> None:
    run = Run(unlabelled)
    with zipfile.ZipFile(io.BytesIO(projector_zip(run, run.frame_numbers()[-1]))) as archive:
        assert "sprite.png" not in archive.namelist()
        (embedding,) = json.loads(archive.read("projector_config.json"))["embeddings"]
        assert "sprite" not in embedding


def test_a_sprite_that_would_be_too_large_is_thinned_out() -> None:
    pictures = np.random.default_rng(0).integers(0, 255, (5, 30, 20), dtype=np.uint8)
    sheet, shape = exports._sprite(pictures)
    assert (sheet.shape, shape) == ((90, 60), (30, 20))
    limit = exports.SPRITE_LIMIT
    try:
        exports.SPRITE_LIMIT = 50
        sheet, shape = exports._sprite(pictures)
    finally:
        exports.SPRITE_LIMIT = limit
    assert shape == (15, 10)
    assert np.array_equal(sheet[:15, 10:20], pictures[1, ::2, ::2])


# --- The command line ---------------------------------------------------------------------------


def test_the_command_line_writes_each_format(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Run(trained)
    for form in cli_options.EXPORTS:
        out = tmp_path / f"out.{form}"
        assert main(["export", str(trained), "--format", form, "--out", str(out)]) == 0
        assert out.read_bytes() == export_run(run, form)
    first = run.frame_numbers()[0]
    words = ["--format", "csv", "--lens", "first-two", "--frame", str(first)]
    assert main(["export", str(trained), *words, "--out", str(tmp_path / "a.csv")]) == 0
    assert (tmp_path / "a.csv").read_text() == frame_csv(run, first, "first-two")
    assert capsys.readouterr().out == ""


def test_every_sample_with_its_cluster_as_the_final_model_has_it(
    trained: Path, unlabelled: Path
) -> None:
    from vade_core.rebuild import load_dataset, load_model

    for path in (trained, unlabelled):
        run = Run(path)
        rows = list(csv.DictReader(io.StringIO(export_run(run, "samples").decode())))
        model, dataset = load_model(run), load_dataset(run.config)
        assert [int(row["row"]) for row in rows] == list(range(dataset.n_samples))
        assert [int(row["cluster"]) for row in rows] == model.predict(dataset.samples).tolist()
        gamma = [[float(row[f"gamma_{c}"]) for c in range(run.config.clusters)] for row in rows]
        np.testing.assert_allclose(gamma, model.predict_proba(dataset.samples), atol=1e-5)
        z = [[float(row[f"z_{j}"]) for j in range(model.latent_size)] for row in rows]
        np.testing.assert_allclose(z, model.transform(dataset.samples), rtol=1e-4, atol=1e-5)
        names = run.config.class_names
        expected = [""] * len(rows)
        if dataset.labels is not None:
            expected = [names[y] if names else str(y) for y in dataset.labels.tolist()]
        assert [row["label"] for row in rows] == expected
    with pytest.raises(RunError, match="leave frame and map out"):
        export_run(run, "samples", lens="pca")


def test_the_command_line_names_what_the_library_knows() -> None:
    assert tuple(exports.FORMATS) == cli_options.EXPORTS
    assert remap.SEEDED == cli_options.SEEDED_MAPS


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--format", "csv", "--lens", "umap"], "its maps are pca, first-two"),
        (["--format", "csv", "--frame", "777"], "has no frame 777"),
        (["--format", "html", "--frame", "1"], "holds every frame"),
        (["--format", "xls"], "invalid choice"),
        (["--out", "no/such/folder/x.html"], "cannot be written"),
        (["--out", "."], "is a folder"),
    ],
)
def test_mistakes_are_one_sentence_and_leave_nothing(
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    code = main(["export", str(trained), "--out", "x", *words])
    told = capsys.readouterr().err
    assert code == 2
    assert said in told
    assert told.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_file_and_what_is_a_runs_own_stays_as_it_is(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["export", str(trained), "--format", "csv", "--out"]
    config = (trained / "config.json").read_bytes()
    for own in (trained / "config.json", trained / "new.csv", trained / "frames" / "new.csv"):
        assert main([*words, str(own)]) == 2
        assert "in a run's own folder" in capsys.readouterr().err
    assert (trained / "config.json").read_bytes() == config
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        assert main([*words, str(tmp_path / "pipe")]) == 2
        assert "is no ordinary file" in capsys.readouterr().err
        assert (tmp_path / "pipe").is_fifo()
    (tmp_path / "link").symlink_to(tmp_path / "target.csv")
    assert main([*words, str(tmp_path / "link")]) == 0
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target.csv").read_text() == export_run(Run(trained), "csv").decode()


def test_a_run_without_frames_has_nothing_to_export(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "frames")
    for form in set(cli_options.EXPORTS) - {"samples"}:  # these are of the model alone
        with pytest.raises(RunError, match="nothing to export"):
            export_run(Run(tmp_path / "run"), form)
    assert export_run(Run(tmp_path / "run"), "samples") == export_run(Run(trained), "samples")
