"""Reuters: documents, words and weights as the papers prepare them; sparse all the way down."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from urllib.error import URLError

import numpy as np
import pytest
import scipy.sparse
import sklearn.datasets

from vade_core.cli import main
from vade_core.data import DATASETS, DataError, load, rcv1
from vade_core.runs import Run

TOPICS = ["C15", "CCAT", "E11", "ECAT", "GCAT", "M11", "MCAT"]
ROOT_COLUMNS = (1, 4, 6, 3)  # of CCAT, GCAT, MCAT, ECAT
N_STEMS = 2_100
N_ALL = 11_000


def rcv1_answer(n: int = N_ALL, n_stems: int = N_STEMS, seed: int = 0) -> SimpleNamespace:
    """Documents and topics as scikit-learn hands them over: rarer stems have higher numbers."""
    rng = np.random.default_rng(seed)
    length = rng.integers(1, 12, n)
    rows = np.repeat(np.arange(n), length)
    columns = (n_stems * rng.random(length.sum()) ** 1.5).astype(int)
    weights = scipy.sparse.csr_array(
        (rng.uniform(0.1, 1, len(rows)), (rows, columns)), shape=(n, n_stems)
    )
    weights = sklearn.preprocessing.normalize(weights)
    topics = (rng.random((n, len(TOPICS))) < 0.5).astype(np.uint8)
    topics[:, ROOT_COLUMNS] = 0
    topics[np.arange(n), rng.choice(ROOT_COLUMNS, n)] = 1
    several = rng.random(n) < 0.05
    topics[several, ROOT_COLUMNS[0]] = topics[several, ROOT_COLUMNS[2]] = 1
    return SimpleNamespace(
        data=weights,
        target=scipy.sparse.csr_array(topics),
        target_names=np.array(TOPICS, dtype=object),
    )


def one_root(topics: np.ndarray) -> np.ndarray:
    """Row numbers of the documents with one root category, counted row by row."""
    return np.array(
        [row for row, line in enumerate(topics) if sum(line[c] for c in ROOT_COLUMNS) == 1]
    )


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A small RCV1, with the number of documents that is expected of it."""
    found = rcv1_answer()
    kept = one_root(found.target.toarray())
    assert rcv1.N_DRAWN < len(kept) < N_ALL
    monkeypatch.setattr(rcv1, "N_DOCUMENTS", len(kept))
    return found


def fetcher(answer: SimpleNamespace, calls: list[Path]) -> Callable[..., SimpleNamespace]:
    def fetch(*, data_home: Path, subset: str, **options: object) -> SimpleNamespace:
        assert subset == "all"
        assert not list(data_home.iterdir())  # nothing is there that could be unpickled
        (data_home / "RCV1").mkdir()
        (data_home / "RCV1" / "samples.pkl").write_bytes(b"a pickle")
        calls.append(data_home)
        return answer

    return fetch


# Documents, words, weights


def test_documents_words_and_weights_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rcv1, "N_WORDS", 3)
    # Columns 1, 3 and 4 occur in the most of the documents that are kept; column 0 would be
    # first if those with two roots or none counted, column 2 if its weights did.
    weights = np.array(
        [
            [0.1, 0.3, 0.0, 0.4, 0.0],
            [0.9, 0.0, 0.0, 0.0, 0.0],  # two roots
            [0.0, 0.0, 9.0, 0.0, 0.0],
            [0.0, 0.2, 0.0, 0.0, 0.5],
            [0.9, 0.0, 0.0, 0.0, 0.0],  # no root
            [0.0, 0.0, 0.0, 0.6, 0.8],
        ]
    )
    topics = np.zeros((6, 7), dtype=np.uint8)
    topics[:, 0] = 1
    topics[0, 6] = topics[1, 6] = topics[1, 3] = topics[2, 1] = topics[3, 3] = topics[5, 4] = 1
    documents, labels = rcv1.prepare(
        scipy.sparse.csr_matrix(weights), scipy.sparse.csr_matrix(topics), TOPICS
    )
    assert isinstance(documents, scipy.sparse.csr_array)
    assert documents.dtype == np.float32
    assert labels.tolist() == [2, 0, 3, 1]
    assert labels.dtype == np.int64
    root3 = np.sqrt(3)
    expected = [
        [0.6 * root3, 0.8 * root3, 0.0],
        [0.0, 0.0, 0.0],
        [0.2 / np.sqrt(0.29) * root3, 0.0, 0.5 / np.sqrt(0.29) * root3],
        [0.0, 0.6 * root3, 0.8 * root3],
    ]
    np.testing.assert_allclose(documents.toarray(), expected, rtol=1e-6)


def test_stems_that_occur_equally_often_are_taken_in_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rcv1, "N_WORDS", 2)
    topics = np.zeros((4, 7), dtype=np.uint8)
    topics[:, 1] = 1
    weights = np.diag([1.0, 2.0, 3.0, 4.0])
    documents, _ = rcv1.prepare(
        scipy.sparse.csr_array(weights), scipy.sparse.csr_array(topics), TOPICS
    )
    np.testing.assert_allclose(documents.toarray()[:2], np.sqrt(2) * np.eye(2), rtol=1e-6)
    assert documents[2:].nnz == 0


# Fetched, kept, checked


def test_reuters_is_fetched_once_and_kept(
    answer: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VADE_CACHE", str(tmp_path / "cache"))
    calls: list[Path] = []
    monkeypatch.setattr(sklearn.datasets, "fetch_rcv1", fetcher(answer, calls))
    said: list[str] = []
    first = load("reuters", progress=said.append)
    second = load("reuters", progress=said.append)
    assert len(calls) == 1
    assert len(said) == 1
    assert "656 MB" in said[0]
    assert not calls[0].exists()
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["reuters.npz"]

    kept = one_root(answer.target.toarray())
    dense = answer.data.toarray()[kept]
    often = np.count_nonzero(dense, axis=0)
    for data in (first, second):
        assert scipy.sparse.issparse(data.samples)
        assert data.samples.format == "csr"
        assert data.samples.dtype == np.float32
        assert data.samples.shape == (len(kept), 2_000)
        roots = answer.target.toarray()[kept][:, ROOT_COLUMNS]
        assert data.labels.tolist() == roots.argmax(axis=1).tolist()
        assert (data.likelihood, data.image_shape, data.n_classes) == ("gaussian", None, 4)
        assert data.class_names[1] == "Government/social"
        lengths = np.sqrt((data.samples**2).sum(axis=1))
        some = np.diff(data.samples.indptr) > 0
        np.testing.assert_allclose(lengths[some], np.sqrt(2_000), rtol=1e-5)
        # The stems that were left out occur no more often than those that were taken.
        taken = np.sort(np.bincount(data.samples.indices, minlength=2_000))
        assert taken.tolist() == np.sort(often)[-2_000:].tolist()
        # Within a row, weights keep their ratios: a row of full length is only scaled.
        whole = np.flatnonzero(np.diff(data.samples.indptr) == np.count_nonzero(dense, axis=1))
        for row in whole[:20]:
            values = np.sort(dense[row][dense[row] > 0])
            np.testing.assert_allclose(
                np.sort(data.samples[[row]].data),
                values / np.linalg.norm(values) * np.sqrt(2_000),
                rtol=1e-5,
            )
    assert (first.samples != second.samples).nnz == 0
    assert np.array_equal(first.is_test, second.is_test)
    assert first.is_test.sum() == round(len(kept) / 7)


def test_reuters10k_is_a_seeded_part_of_reuters(
    answer: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VADE_CACHE", str(tmp_path))
    calls: list[Path] = []
    monkeypatch.setattr(sklearn.datasets, "fetch_rcv1", fetcher(answer, calls))
    drawn = load("reuters10k")
    assert len(calls) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["reuters.npz", "reuters10k.npz"]
    whole = load("reuters")
    (tmp_path / "reuters.npz").unlink()
    again = load("reuters10k")  # its own file is enough
    assert len(calls) == 1
    assert drawn.samples.shape == (10_000, 2_000)
    assert (drawn.samples != again.samples).nnz == 0
    assert drawn.labels.tolist() == again.labels.tolist()
    # Each drawn document is one of reuters, in its order, with its label.
    documents = {
        (document.tobytes(), words.tobytes(), int(label)): row
        for row, label in enumerate(whole.labels)
        for document, words in [
            (whole.samples[[row]].data, whole.samples[[row]].indices.astype(np.int64))
        ]
    }
    found = [
        documents[
            drawn.samples[[row]].data.tobytes(),
            drawn.samples[[row]].indices.astype(np.int64).tobytes(),
            int(label),
        ]
        for row, label in zip(range(0, 10_000, 40), drawn.labels[::40], strict=True)
    ]
    assert np.mean(np.diff(found) > 0) > 0.95  # short documents may occur twice
    for data in (drawn, again):
        entry = DATASETS["reuters10k"]
        for field in ("n_samples", "n_features", "n_classes", "likelihood", "source", "licence"):
            assert getattr(entry, field) == getattr(data, field)


@pytest.mark.parametrize("harm", ["cut", "empty", "changed", "words", "classes", "another"])
def test_damaged_cache_is_made_again(
    harm: str, answer: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VADE_CACHE", str(tmp_path))
    calls: list[Path] = []
    monkeypatch.setattr(sklearn.datasets, "fetch_rcv1", fetcher(answer, calls))
    first = load("reuters")
    cached = tmp_path / "reuters.npz"
    content = bytearray(cached.read_bytes())
    with np.load(cached) as found:
        arrays = dict(found)
    if harm == "cut":
        cached.write_bytes(content[:-100])
    elif harm == "empty":
        cached.write_bytes(b"")
    elif harm == "changed":
        content[len(content) // 3] ^= 0x55
        cached.write_bytes(content)
    elif harm == "words":
        arrays["words"][7] = 2_000
        np.savez(cached, **arrays)
    elif harm == "classes":
        arrays["y"][arrays["y"] == 3] = 0
        np.savez(cached, **arrays)
    else:
        np.savez(cached, X=np.zeros(3))
    second = load("reuters")
    assert len(calls) == 2
    assert (first.samples != second.samples).nnz == 0
    load("reuters")
    assert len(calls) == 2


def test_another_number_of_documents_is_refused(
    answer: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VADE_CACHE", str(tmp_path))
    monkeypatch.setattr(sklearn.datasets, "fetch_rcv1", fetcher(answer, []))
    expected = rcv1.N_DOCUMENTS
    monkeypatch.setattr(rcv1, "N_DOCUMENTS", 685_071)
    with pytest.raises(DataError, match=rf"{expected:,} documents.*the papers count 685,071"):
        load("reuters")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["reuters", "reuters10k"])
@pytest.mark.parametrize(
    ("error", "words"),
    [
        (URLError("no route"), "go online once"),
        (TimeoutError(), "go online once"),
        (OSError("the checksum differs"), "go online once"),
        (EOFError(), "go online once"),
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full"),
    ],
)
def test_reuters_offline_says_what_to_do(
    error: Exception, words: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VADE_CACHE", str(tmp_path))

    def fetch(**_: object) -> None:
        raise error

    monkeypatch.setattr(sklearn.datasets, "fetch_rcv1", fetch)
    with pytest.raises(DataError, match=rf"Reuters.*{words}"):
        load(name)
    assert not list(tmp_path.iterdir())


def test_reuters_without_a_place_for_the_cache(
    answer: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").write_text("a file where a folder should be")
    monkeypatch.setenv("VADE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sklearn.datasets, "fetch_rcv1", fetcher(answer, []))
    said: list[str] = []
    assert load("reuters10k", progress=said.append).n_samples == 10_000
    assert "could not be kept" in said[-1]


def test_all_data_sets_are_listed_without_a_network(tmp_path: Path) -> None:
    code = (
        "import socket\n"
        "def refuse(*_, **__): raise AssertionError('the network was asked')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "from vade_core.cli import main\n"
        "raise SystemExit(main(['datasets']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).resolve().parents[1],
        env={**os.environ, "VADE_CACHE": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    for name, count in (("har", "10,299"), ("reuters10k", "10,000"), ("reuters", "685,071")):
        assert any(
            line.split()[0] == name and count.replace(",", "") in line.replace(",", "")
            for line in done.stdout.splitlines()
            if line.strip()
        )
    assert not list(tmp_path.iterdir())


# A run on sparse samples


def test_a_run_on_reuters10k_from_training_to_export(
    answer: SimpleNamespace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("VADE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sklearn.datasets, "fetch_rcv1", fetcher(answer, []))
    folder = tmp_path / "run"
    asked = ["--dataset", "reuters10k", "--subset", "300", "--hidden", "8", "--maps", "pca",
             "--epochs", "2", "--pretrain-epochs", "1", "--threads", "1", "--split",
             "--preset", "short", "--out", str(folder)]  # fmt: skip
    assert main(["train", *asked]) == 0
    run = Run(folder)
    assert (run.config.n_samples, run.config.n_features, run.config.clusters) == (300, 2_000, 4)
    assert run.config.likelihood == "gaussian"
    assert run.state == "finished"
    losses = [line["loss"] for line in run.metrics() if "loss" in line]
    assert len(losses) == 3
    assert np.isfinite(losses).all()
    stage = run.stage()
    data = load("reuters10k").subset(300, seed=0)
    assert stage.samples.shape == (20, 2_000)
    np.testing.assert_allclose(stage.samples, data.as_float(stage.rows[stage.shown]), rtol=1e-3)
    capsys.readouterr()
    assert main(["evaluate", str(folder), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert 0.25 <= found["acc"] <= 1
    assert np.isfinite(found["reconstruction"])
    page = tmp_path / "map.html"
    assert main(["export", str(folder), "--format", "html", "--out", str(page)]) == 0
    assert page.stat().st_size > 10_000
