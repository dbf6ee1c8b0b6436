"""Data sets: one :class:`Dataset` type, a literal dict of loaders, checks on what comes in."""

from __future__ import annotations

from vade_core.data.catalogue import DATASETS, DatasetEntry, load
from vade_core.data.dataset import DataError, Dataset, random_test_part
from vade_core.data.idx import read_idx
from vade_core.data.own_file import load_file, load_parts

__all__ = [
    "DATASETS",
    "DataError",
    "Dataset",
    "DatasetEntry",
    "load",
    "load_file",
    "load_parts",
    "random_test_part",
    "read_idx",
]
