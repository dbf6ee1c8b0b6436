"""Reuters news stories for clustering: RCV1 as DEC and VaDE prepare it.

The papers take the 685,071 documents that have exactly one of the four root categories, their
2,000 most frequent word stems, tf-idf weights in rows of unit length, times sqrt(2000) (Xie et
al. 2016, Jiang et al. 2017, sections on data; the factor is in their published preprocessing). It
brings the features to a mean square of 1, which a Gaussian likelihood of variance 1 presupposes.

What is taken here differs in two ways, because scikit-learn's RCV1 (Lewis et al. 2004) has no
counts but finished weights: log tf times log idf, rows of unit length over all 47,236 stems.

- "Most frequent" is by the number of kept documents that a stem occurs in, not by occurrences.
- The weights on the 2,000 stems are kept, and the rows brought to unit length once more. That
  undoes the first normalisation, which counted stems that are not here: short rows would only
  tell how rare a document's other words are. The result is the weights that 2,000 stems alone
  would have had, with the idf of Lewis's file.

A document with none of the 2,000 stems is a row of zeros.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vade_core.data.dataset import DataError
from vade_core.data.fetched import Arrays, Progress, cache_folder, cached, fetching

if TYPE_CHECKING:
    from scipy.sparse import csr_array, csr_matrix

N_WORDS = 2_000
N_DOCUMENTS = 685_071
N_DRAWN = 10_000
ROOTS = ("CCAT", "GCAT", "MCAT", "ECAT")

_TITLE = "Reuters (RCV1)"


def reuters(progress: Progress) -> tuple[csr_array, np.ndarray]:
    """Load all documents that have one root category, fetching them once.

    Parameters
    ----------
    progress : callable, or None
        Told what takes long.

    Returns
    -------
    documents : CSR array of shape (685071, 2000)
        float32.
    labels : ndarray of shape (685071,)
        int64, positions in `ROOTS`.

    Raises
    ------
    DataError
        If RCV1 is out of reach, or is not what the papers count.
    """
    check = partial(_check, n=N_DOCUMENTS)
    return _unpack(cached("reuters", _TITLE, partial(_fetch, progress), check, progress))


def reuters10k(progress: Progress) -> tuple[csr_array, np.ndarray]:
    """Load a seeded random 10,000 of these documents; the words are those of all of them.

    Parameters, what is returned and what is raised are as for :func:`reuters`.
    """

    def draw() -> Arrays:
        documents, labels = reuters(progress)
        rows = np.sort(np.random.default_rng(0).permutation(len(labels))[:N_DRAWN])
        return _pack(documents[rows], labels[rows])

    check = partial(_check, n=N_DRAWN)
    return _unpack(cached("reuters10k", _TITLE, draw, check, progress))


def prepare(
    weights: csr_array | csr_matrix, topics: csr_array | csr_matrix, topic_names: Sequence[str]
) -> tuple[csr_array, np.ndarray]:
    """Choose documents and words, and scale the rows; see the module's description.

    Parameters
    ----------
    weights : CSR matrix of shape (n, n_stems)
        tf-idf.
    topics : CSR matrix of shape (n, n_topics)
        1 where a document has a topic.
    topic_names : sequence of str
        The four roots among them.

    Returns
    -------
    documents : CSR array of shape (n_kept, 2000)
        float32, rows of length sqrt(2000), in the order of `weights`.
    labels : ndarray of shape (n_kept,)
        int64, positions in `ROOTS`.
    """
    from scipy.sparse import csr_array
    from sklearn.preprocessing import normalize

    names = list(topic_names)
    roots = topics[:, [names.index(root) for root in ROOTS]].toarray()
    kept = np.flatnonzero(np.count_nonzero(roots, axis=1) == 1)
    documents = csr_array(weights[kept])
    documents.eliminate_zeros()
    frequency = np.bincount(documents.indices, minlength=documents.shape[1])
    words = np.sort(np.argsort(-frequency, kind="stable")[:N_WORDS])
    documents = normalize(documents[:, words], copy=False)
    documents.data *= np.sqrt(N_WORDS)
    return csr_array(documents, dtype=np.float32), roots[kept].argmax(axis=1).astype(np.int64)


def _fetch(progress: Progress) -> Arrays:
    if progress is not None:
        progress("Fetching Reuters (RCV1, 656 MB), once; this takes ten minutes or more.")
    advice = "go online once, or choose another data set"
    with fetching(_TITLE, advice), _empty_folder() as folder:
        from sklearn.datasets import fetch_rcv1

        # scikit-learn keeps pickles there. In a folder that is new it only writes them.
        bunch = fetch_rcv1(data_home=folder, subset="all", shuffle=False, n_retries=1)
    documents, labels = prepare(bunch.data, bunch.target, bunch.target_names)
    if len(labels) != N_DOCUMENTS:
        raise DataError(
            f"RCV1 came with {len(labels):,} documents of one root category where the papers "
            f"count {N_DOCUMENTS:,}: fetch it again, or with the scikit-learn that "
            "requirements.txt names."
        )
    arrays = _pack(documents, labels)
    _check(arrays, "RCV1 as it came from scikit-learn", N_DOCUMENTS)
    return arrays


@contextmanager
def _empty_folder() -> Iterator[Path]:
    """A new folder, removed afterwards, among the downloads: it has to take over 1 GB."""
    place: Path | None = cache_folder()
    try:
        cache_folder().mkdir(parents=True, exist_ok=True)
    except OSError:
        place = None  # the system's own folder for what is temporary
    with tempfile.TemporaryDirectory(
        prefix="rcv1-", dir=place, ignore_cleanup_errors=True
    ) as folder:
        yield Path(folder)


def _pack(documents: csr_array, labels: np.ndarray) -> Arrays:
    return {
        "values": documents.data,
        "words": documents.indices.astype(np.uint16),
        "ends": documents.indptr[1:].astype(np.int32),
        "y": labels,
    }


def _unpack(arrays: Arrays) -> tuple[csr_array, np.ndarray]:
    from scipy.sparse import csr_array

    pointers = np.concatenate(([0], arrays["ends"])).astype(np.int32)
    parts = (arrays["values"], arrays["words"].astype(np.int32), pointers)
    return csr_array(parts, shape=(len(pointers) - 1, N_WORDS)), arrays["y"]


def _check(arrays: Arrays, where: str, n: int) -> None:
    """Raise DataError unless these are n documents, all with words in range and one label."""
    values, labels = arrays["values"], arrays["y"]
    intact = values.dtype == np.float32 and labels.dtype == np.int64 and labels.shape == (n,)
    if intact and arrays["ends"].shape == (n,) and labels.min() >= 0:
        documents, _ = _unpack(arrays)
        documents.check_format(full_check=True)  # raises ValueError for words out of range
        every_class = np.count_nonzero(np.bincount(labels)) == labels.max() + 1 == len(ROOTS)
        if every_class and np.isfinite(values).all() and (values > 0).all():
            return
    raise DataError(f"{where} is damaged (its size, type or classes are wrong): fetch it again.")
