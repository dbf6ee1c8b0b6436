"""A person's own data: what is read, what is kept, and one sentence for whatever is refused."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamlit as st
from PIL import Image
from streamlit.testing.v1 import AppTest

from pages.shared import own_uploads
from pages.shared.session import job_manager
from tests.conftest import opened_page
from vade_core import own_data
from vade_core.cli import main
from vade_core.data import DATASETS, DataError, load, load_file, stl10
from vade_core.jobs import QUEUE_LOCK
from vade_core.locks import FileLock
from vade_core.own_data import kept_data, kept_key
from vade_core.rebuild import load_dataset
from vade_core.recorder import delete_run
from vade_core.runs import Run, list_runs

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (30, 6, 5)).astype(np.uint8)
CLASSES = np.arange(30) % 3


def idx(values: np.ndarray) -> bytes:
    return struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape) + values.tobytes()


def png(picture: np.ndarray, mode: str | None = None) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(picture, mode).save(stream, "PNG")
    return stream.getvalue()


def zipped(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def saved(**arrays: object) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)  # type: ignore[arg-type]
    return stream.getvalue()


def pictures(count: int = 30) -> dict[str, bytes]:
    return {f"all/{'abc'[i % 3]}/{i:02}.png": png(GREY[i]) for i in range(count)}


def table(rows: int = 30, bad: str = "") -> bytes:
    lines = ["height,weight,label"]
    lines += [f"{i},{i * 7 % 11 / 4},{'xyz'[i % 3]}" for i in range(rows)]
    if bad:
        lines[9] = bad
    return "\n".join(lines).encode()


def decimal_commas(header: str) -> bytes:
    return "\n".join([header, *(f"{i},5;{i},942;x" for i in range(30))]).strip().encode()


def huge_picture(side: int) -> bytes:
    """A small PNG that says it has so many pixels in the square."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        sum_ = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", sum_)

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    data = zlib.compress(bytes(side * 100))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


def swollen() -> bytes:
    """An archive whose directory says that it unpacks to 5 GiB."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("X.npy", saved(X=GREY))
        archive.infolist()[0].file_size = 5 * 2**30
    return stream.getvalue()


class Trap:
    opened = False

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, str, bool]]:
        return setattr, (Trap, "opened", True)


# What comes in, under which name, and a word of the sentence that it gets.
HOSTILE: list[tuple[str, Callable[[], bytes], str]] = [
    ("large.npz", swollen, "unpacks to more than"),
    ("cut.npz", lambda: saved(X=GREY)[:-50], "is cut short"),
    ("cut.zip", lambda: zipped(pictures())[:-50], "is cut short"),
    ("cut-idx3-ubyte", lambda: idx(GREY)[:-1], "is cut short"),
    ("cut-idx3-ubyte.gz", lambda: gzip.compress(idx(GREY))[:-30], "is cut short"),
    ("mine.csv", lambda: pickle.dumps(Trap()), "is a pickle"),
    ("mine.npz", lambda: saved(X=np.array([Trap()] * 30)), "pickled Python objects"),
    (
        "up.zip",
        lambda: zipped({**pictures(), "../../evil.png": png(GREY[0])}),
        "pack the folder again",
    ),
    ("root.zip", lambda: zipped({**pictures(), "/tmp/evil.png": png(GREY[0])}), "leads out"),
    ("bomb.zip", lambda: zipped({"a.png": huge_picture(30_000)}), "at most 100,000 can"),
    ("vast.zip", lambda: zipped({"a.png": huge_picture(5_000)}), "5,000 x 5,000 pixels"),
    ("zeros.zip", lambda: zipped({"a.png": bytes(2**24)}), "no picture, leave it out"),
    ("text.csv", lambda: table(bad="9,tall,x"), "text in the column 'weight', such as 'tall'"),
    ("empty.csv", lambda: table(bad="9,,x"), "row 9 of the column 'weight'"),
    ("nan.csv", lambda: table(bad="nan,1,x"), "row 9 of the column 'height'"),
    ("bare.csv", lambda: table(bad="9,1,"), "no label in row 9"),
    ("ragged.csv", lambda: table(bad="1,2,x,4"), "has 4 cells in line 10, above it 3: correct"),
    ("quoted.csv", lambda: table(bad='1,"2,x'), 'quotation mark (") in line 10 that none closes'),
    ("comma.csv", lambda: decimal_commas("a;b;c"), "'0,5' in row 1 of the column 'a': write deci"),
    ("bare-comma.csv", lambda: decimal_commas(""), "such as '0,5' in row 1 of the column '1'"),
    ("one.csv", lambda: table(1), "has 1 row: give at least 20"),
    ("many.csv", lambda: b"a,b\n" + b"1,2\n" * 2_000_000, "more than 1,000,000 rows"),
    ("many-idx2-ubyte", lambda: idx(np.zeros((2_000_000, 1), np.uint8)), "2,000,000 samples"),
    ("wide.csv", lambda: b",".join(b"1" for _ in range(200_000)), "200,000 columns"),
    ("same.csv", lambda: b"a,b\n" + b"1,2\n" * 30, "nothing to learn"),
    ("two.csv", lambda: b"label,y,a\n" + b"1,2,3\n" * 30, "choose one"),
    ("latin.csv", lambda: table() + b"\n1,2,\xe4", "not text in UTF-8"),
    ("sizes.zip", lambda: zipped({**pictures(), "z.png": png(GREY[0][:4])}), "different sizes"),
    ("beside.zip", lambda: zipped({**pictures(), "all/z.png": png(GREY[0])}), "beside them"),
    ("broken.zip", lambda: zipped({**pictures(), "all/a/z.png": b"\x89PNG???"}), "is damaged"),
    ("words.zip", lambda: zipped({"a.txt": b"hello"}), "holds no pictures"),
    ("none.csv", lambda: b"", "is empty"),
    ("noise.bin", lambda: bytes(range(255)) * 9, "is no text"),
    ("table.csv.gz", lambda: gzip.compress(table()), "unpack it, and give that"),
    ("noise.csv.gz", lambda: gzip.compress(table())[:8], "cannot be unpacked: copy it again"),
]


def made(name: str, make: Callable[[], bytes], words: str, tmp_path: Path) -> Path:
    path = tmp_path / name
    path.write_bytes(make())
    return path


@pytest.mark.parametrize(("name", "make", "words"), HOSTILE, ids=[name for name, *_ in HOSTILE])
def test_what_is_refused_gets_one_sentence_and_leaves_nothing(
    name: str,
    make: Callable[[], bytes],
    words: str,
    tmp_path: Path,
    runs_root: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = made(name, make, words, tmp_path)
    assert main(["train", "--data", str(path)]) == 2
    said = capsys.readouterr().err.strip()
    assert words in said
    assert name in said
    assert "\n" not in said
    assert said.endswith(".")
    assert not Trap.opened
    assert not list(runs_root.iterdir())


@pytest.mark.parametrize(("name", "make", "words"), HOSTILE, ids=[name for name, *_ in HOSTILE])
def test_what_is_refused_can_be_tried_again(
    name: str, make: Callable[[], bytes], words: str, runs_root: Path
) -> None:
    stream = io.BytesIO(make())
    for _ in range(2):
        with pytest.raises(DataError) as refused:
            own_data.take_uploads([(name, stream)])
        assert words in str(refused.value)


def test_labels_that_do_not_fit_are_refused(tmp_path: Path, runs_root: Path) -> None:
    data = made("a-idx3-ubyte", lambda: idx(GREY), "", tmp_path)
    few = made("few-idx1-ubyte", lambda: idx(CLASSES[:29].astype(np.uint8)), "", tmp_path)
    with pytest.raises(DataError, match="29 labels for the 30 samples"):
        load_file(data, labels=few)
    with pytest.raises(DataError, match="has labels already"):
        load_file(made("l.csv", table, "", tmp_path), labels=few)
    with pytest.raises(DataError, match="no CSV file"):
        load_file(data, label_column="y")
    with pytest.raises(DataError, match="no column 'z'"):
        load_file(tmp_path / "l.csv", label_column="z")
    assert main(["train", "--dataset", "digits", "--labels", str(few)]) == 2


# --- What is taken ----------------------------------------------------------------------------


def test_tables_with_and_without_a_header(tmp_path: Path) -> None:
    said: list[str] = []
    data = load_file(made("t.csv", table, "", tmp_path), say=said.append)
    np.testing.assert_allclose(data.samples[:, 0], np.arange(30))
    assert data.class_names == ("x", "y", "z")
    assert data.labels is not None
    assert data.labels.tolist() == CLASSES.tolist()
    assert "Labels are in the column 'label'." in said

    lines = [f"{i % 12};{i / 4};7" for i in range(30)]
    content = "\r\n".join(lines).encode("utf-8-sig")
    data = load_file(made("plain.csv", lambda: content, "", tmp_path), say=said.append)
    assert (data.samples.shape, data.labels) == ((30, 3), None)
    np.testing.assert_allclose(data.samples[:, 1], np.arange(30) / 4)
    assert "Column '3' is the same in every sample: nothing can be learnt from it." in said
    data = load_file(tmp_path / "plain.csv", label_column="1")
    assert data.n_features == 2
    # Numbers in their own order: 2 before 10.
    assert data.class_names == tuple(str(i) for i in range(12))

    lines = ["a,b", *(f"{i / 4},{1e5 + i}" for i in range(30))]
    content = "\n".join(lines).encode()
    load_file(made("large.csv", lambda: content, "", tmp_path), say=said.append)
    assert "Values reach 100029: standardise the columns, or little is learnt." in said

    lines = [",a,b", *(f"{i},{i / 4},{i % 7}" for i in range(30))]  # a table with its index
    content = "\n".join(lines).encode()
    data = load_file(made("index.csv", lambda: content, "", tmp_path), say=said.append)
    np.testing.assert_allclose(data.samples, [[i / 4, i % 7] for i in range(30)])
    assert "The first column counts the rows: it was left out." in said

    lines = ["id,a", *(f"{10_000 + i},{i % 7}" for i in range(30))]  # an index with a name
    content = "\n".join(lines).encode()
    load_file(made("ids.csv", lambda: content, "", tmp_path), say=said.append)
    assert any(note.startswith("Column 'id' only counts the rows") for note in said)

    flat = GREY[:, :, :1].repeat(6, axis=2).reshape(30, 36)
    wide = np.concatenate([flat, 255 - flat[:, :28]], axis=1)
    content = "\n".join(",".join(map(str, row)) for row in wide).encode()
    data = load_file(made("grey.csv", lambda: content, "", tmp_path))
    assert (data.image_shape, data.likelihood) == ((8, 8), "bernoulli")
    assert np.array_equal(data.samples, wide)
    # Of few grey levels, the brightest is white.
    content = "\n".join(",".join(map(str, row // 16)) for row in wide).encode()
    data = load_file(made("few.csv", lambda: content, "", tmp_path), say=said.append)
    assert (data.image_shape, data.likelihood) == ((8, 8), "bernoulli")
    np.testing.assert_allclose(data.samples, (wide // 16) / (wide // 16).max())
    assert "The largest value, 15, was taken for white." in said


@pytest.mark.parametrize(("largest", "likelihood"), [(1, "bernoulli"), (9, "gaussian")])
def test_small_whole_numbers_in_8_bits_are_no_grey_levels(
    largest: int, likelihood: str, tmp_path: Path
) -> None:
    values = np.random.default_rng(0).integers(0, largest + 1, (40, 6)).astype(np.uint8)
    np.savez(tmp_path / "few.npz", X=values)
    said: list[str] = []
    data = load_file(tmp_path / "few.npz", say=said.append)
    np.testing.assert_array_equal(data.samples, values.astype(np.float32))
    assert (data.samples.dtype, data.likelihood) == (np.float32, likelihood)
    assert said == [f"Whole numbers up to {largest} were taken for numbers, not grey levels."]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_idx_pairs(pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    samples = made("a-idx3-ubyte", lambda: pack(idx(GREY)), "", tmp_path)
    labels = made("a-idx1-ubyte", lambda: pack(idx(CLASSES.astype(np.uint8))), "", tmp_path)
    data = load_file(samples, labels=labels)
    assert np.array_equal(data.samples.reshape(30, 6, 5), GREY)
    assert data.image_shape == (6, 5)
    assert data.labels is not None
    assert data.labels.tolist() == CLASSES.tolist()


def test_pictures_in_folders_and_in_a_zip_are_the_same(tmp_path: Path) -> None:
    members = pictures()
    colour = RNG.integers(0, 256, (6, 5, 3)).astype(np.uint8)
    members["all/a/30.png"] = png(colour)
    members["all/.DS_Store"] = members["__MACOSX/all/a/._30.png"] = b"?"
    for name, content in members.items():
        path = tmp_path / "mine" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    said: list[str] = []
    folder = load_file(tmp_path / "mine", say=said.append)
    archive = load_file(made("mine.zip", lambda: zipped(members), "", tmp_path))
    assert np.array_equal(folder.samples, archive.samples)
    assert folder.class_names == archive.class_names == ("a", "b", "c")
    assert folder.labels is not None
    assert np.bincount(folder.labels).tolist() == [11, 10, 10]
    # By path: all of a, of which the coloured one comes last.
    assert np.array_equal(folder.samples[:10].reshape(10, 6, 5), GREY[::3])
    grey = colour @ np.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose(folder.samples[10].reshape(6, 5), grey, atol=1)
    assert "2 files that are no pictures were left out." in said


def test_what_is_kept_is_what_was_read(tmp_path: Path, runs_root: Path) -> None:
    texts = np.array(["01", "1", "b"])[CLASSES]  # not to be taken for numbers
    path = made("mnist.npz", lambda: saved(X=GREY, y=texts), "", tmp_path)
    first, kept = own_data.bring_in(path)
    assert first.name == "mnist-own"  # the name of a data set of the catalogue would mislead
    again = load_file(kept)
    assert again.name == first.name
    assert again.class_names == first.class_names == ("01", "1", "b")
    assert np.array_equal(again.samples, first.samples)
    assert np.array_equal(again.labels, first.labels)  # type: ignore[arg-type]
    assert own_data.bring_in(path)[1] == kept
    (only,) = kept_data().values()
    assert only.path == kept
    assert kept_key(str(kept.resolve())) == only.key
    assert kept_key(str(path)) is None
    (kept.parent / "about.json").write_text("{")
    assert not kept_data()
    assert own_data.bring_in(path)[1] == kept  # made whole again


# --- The page ---------------------------------------------------------------------------------


@pytest.fixture
def train_page(runs_root: Path) -> Iterator[AppTest]:
    """The Train page; the queue is held, so that nothing trains."""
    st.cache_resource.clear()
    lock = FileLock(runs_root / QUEUE_LOCK)
    assert lock.acquire()
    yield opened_page("train")
    job_manager().close()
    lock.release()
    st.cache_resource.clear()


def send(
    page: AppTest, sent: int, *files: tuple[str, bytes], taken: int = 0, column: str = ""
) -> None:
    """Give files and a column, after so many looks at files and so many data taken."""
    for name, content in files:
        page.file_uploader(key=f"own-files-{sent}").upload(name, content)
    page.text_input(key=f"own-column-{taken}").set_value(column)
    page.run()
    page.button(key=f"own-take-{taken}").click().run()
    assert not page.exception


def test_uploads_are_refused_in_a_sentence_and_the_next_is_taken(
    train_page: AppTest, runs_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = train_page
    before = {path.name for path in runs_root.iterdir()}
    shown = [case for case in HOSTILE if not case[0].startswith(("zeros", "wide", "many-idx"))]
    monkeypatch.setattr(own_data, "UPLOAD_BYTES", 10_000_000)
    page.number_input(key="train-seed").set_value(7)
    shown.append(("big.csv", lambda: b"1,2\n" * 3_000_000, "larger than 9 MiB"))
    for i, (name, make, words) in enumerate(shown):
        send(page, i, (name, make()))
        (error,) = page.error
        assert words in error.value.replace("\\", "")
        assert page.selectbox(key="train-dataset").value == "mnist"
    assert not Trap.opened
    assert {path.name for path in runs_root.iterdir()} == before

    labels = idx(CLASSES.astype(np.uint8))
    send(page, len(shown), ("b-idx1-ubyte", labels), ("b-idx3-ubyte", idx(GREY)))
    assert not page.error
    (kept,) = kept_data().values()
    assert page.selectbox(key="train-dataset").value == kept.key
    assert (kept.entry.n_classes, kept.entry.n_samples) == (3, 30)
    page.text_input(key="train-hidden").set_value("8,8")
    page.number_input(key="train-epochs").set_value(1)
    page.multiselect(key="train-maps").set_value(["pca"])
    page.run()
    page.button(key="train-start").click().run()
    assert not page.exception
    (summary,) = list_runs([runs_root])
    run = Run(Path(summary["path"]))
    assert run.config.image_shape == [6, 5]
    assert run.config.seed == 7  # what was set before the data came
    data = load_dataset(run.config)
    assert np.array_equal(data.samples.reshape(30, 6, 5), GREY)
    assert data.labels is not None
    assert data.labels.tolist() == CLASSES.tolist()
    # Its settings lead back to the same data.
    again = opened_page("train", dataset=kept.key)
    assert not again.warning
    assert again.selectbox(key="train-dataset").value == kept.key
    # A run needs them; without it they can go, and the page goes on with other data.
    assert any("1 run was made with these data" in found.value for found in again.markdown)
    with pytest.raises(DataError, match="1 run"):
        own_data.discard(kept.key)
    delete_run(run)
    again.run()
    again.button(key=f"own-delete-now-{kept.key}").click().run()
    assert not again.exception
    assert not kept_data()
    assert again.selectbox(key="train-dataset").value in DATASETS
    assert {path.name for path in own_data.own_root().iterdir()} == set()
    with pytest.raises(DataError, match="no data"):
        own_data.discard(kept.key)


def popover(page: AppTest, label: str) -> Any:
    return next(found for found in page.get("popover") if found.proto.popover.label == label)


def test_a_refused_file_stays_until_it_is_taken_or_another_comes(train_page: AppTest) -> None:
    page = train_page
    for wrong in ("species", "genus"):
        files = [("good.csv", table())] if wrong == "species" else []
        send(page, 0 if files else 1, *files, column=wrong)
        # Right where the column is corrected, and the file is not asked for again.
        pop_up = popover(page, "Bring your own data")
        (error,) = pop_up.get("error")
        assert f"no column '{wrong}'" in error.value.replace("\\", "")
        assert "good\\.csv is still here" in pop_up.get("caption")[0].value
        assert page.text_input(key="own-column-0").value == wrong
    send(page, 1, column="label")
    assert not page.error
    (kept,) = kept_data().values()
    assert page.selectbox(key="train-dataset").value == kept.key
    # The field is empty again, and nothing is left of what was refused.
    assert page.button(key="own-take-1").disabled
    send(page, 1, ("bad.csv", table(bad="9,tall,x")), taken=1)
    assert page.error
    page.file_uploader(key="own-files-2").upload("other.csv", table(40))
    page.run()
    assert not page.error
    page.button(key="own-take-1").click().run()
    assert not page.error
    assert {one.entry.name for one in kept_data().values()} == {"good", "other"}


def test_a_large_refused_file_does_not_stay_in_memory(
    train_page: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_uploads, "MOST_KEPT", 10)
    send(train_page, 0, ("good.csv", table()), column="species")
    pop_up = popover(train_page, "Bring your own data")
    assert "no column" in pop_up.get("error")[0].value
    assert "too large to be kept" in pop_up.get("caption")[0].value
    assert not train_page.session_state[own_uploads.NOTES]["refused"].files
    assert train_page.button(key="own-take-0").disabled
    send(train_page, 1, ("good.csv", table()), column="label")
    assert not train_page.error
    assert len(kept_data()) == 1


def test_data_of_one_name_are_told_apart(train_page: AppTest) -> None:
    def words() -> list[str]:
        page = opened_page("train")
        return [o for o in page.selectbox(key="train-dataset").options if "(yours)" in o]

    def taken(name: str, content: bytes) -> own_data.OwnData:
        return own_data.take_uploads([(name, io.BytesIO(content))])

    first = taken("good.csv", table())
    assert words() == ["good (yours), 30 samples"]
    taken("good.npz", saved(X=GREY))
    assert set(words()) == {
        "good from good.csv (yours), 30 samples",
        "good from good.npz (yours), 30 samples",
    }
    taken("good.npz", saved(X=GREY[:, :4]))
    assert "good from good.npz with 20 values (yours), 30 samples" in words()
    # Alike in all but their numbers: told apart by when they came, and by their keys at last.
    again = taken("good.csv", table(bad="9,9,x"))
    assert len(set(words())) == 4
    os.utime(first.path.with_name(own_data.ABOUT), (1e9, 1e9))
    assert "good from good.csv of 9 Sep 2001" in " ".join(words())
    assert again.key not in " ".join(words())
    page = opened_page("train", dataset=first.key)
    assert any("From good\\.csv, brought in on 9 Sep 2001" in c.value for c in page.caption)
    delete = popover(page, "Delete these data")
    assert delete.get("markdown")[0].value.startswith(
        "The data set **good from good\\.csv of 9 Sep 2001"
    )


# --- Data of the catalogue that are no files, or a file that a person brings ------------------


def test_synthetic_is_one_standardised_number_and_every_page_shows_its_density(
    runs_root: Path,
) -> None:
    data = load("synthetic")
    assert data.samples.shape == (10_000, 1)
    assert abs(data.samples.mean()) < 1e-6
    assert abs(data.samples.std() - 1) < 1e-6
    assert np.array_equal(data.samples, load("synthetic").samples)
    assert data.labels is not None
    middles = [data.samples[data.labels == c].mean() for c in range(10)]
    assert middles == sorted(middles)
    settings = ["--subset", "200", "--epochs", "1", "--hidden", "8,8", "--maps", "pca"]
    asked = ["train", "--model", "vade", "--dataset", "synthetic", *settings]
    folder = runs_root / "line"
    assert main([*asked, "--set", "pretrain_epochs=1", "--out", str(folder)]) == 0
    stage = Run(folder).stage()
    assert stage.samples.shape == (200, 1)
    charts = {
        page: len(opened_page(page, run="line", **link).get("plotly_chart"))
        for page, link in (
            ("train", {}),
            ("load", {"view": "reconstructions"}),
            ("clusters", {}),
            ("interpolate", {}),
        )
    }
    assert charts == {"train": 1, "load": 2, "clusters": 2, "interpolate": 1}


def test_the_density_of_samples_is_a_density() -> None:
    from pages.shared.density import density_of

    values = RNG.normal(size=20_000)
    edges = np.linspace(-5, 5, 201)
    found = density_of(values, edges)
    assert abs(found.sum() * 0.05 - 1) < 1e-3
    middles = (edges[1:] + edges[:-1]) / 2
    true = np.exp(-(middles**2) / 2) / np.sqrt(2 * np.pi)
    assert np.abs(found - true).max() < 0.03


def test_stl10_says_how_to_make_its_file_and_checks_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "features.npz"
    monkeypatch.setenv("VADE_STL10", str(path))
    with pytest.raises(DataError, match=r"by the recipe in vade_core/data/stl10.py"):
        load("stl10")
    for name, value in (("N_TRAIN", 30), ("N_TEST", 50), ("N_FEATURES", 4)):
        monkeypatch.setattr(stl10, name, value)
    values = RNG.random((80, 4)).astype(np.float32)
    classes = np.r_[np.arange(30) % 10, np.arange(50) % 10]
    for X, y, words in (
        (values[:, :3], classes, r"shape \(80, 3\)"),
        (values, None, "has no y"),
        (values, np.sort(classes), "of each class"),
    ):
        path.write_bytes(saved(X=X) if y is None else saved(X=X, y=y))
        with pytest.raises(DataError, match=words):
            stl10.stl10()
    path.write_bytes(saved(X=values, y=classes))
    samples, labels = stl10.stl10()
    assert np.array_equal(samples, values)
    assert labels.tolist() == classes.tolist()
