"""Memory that a step of training frees is memory that the next step wants."""

from __future__ import annotations

import ctypes
import platform
from functools import cache

# glibc's names and numbers (malloc.h).
_TRIM_THRESHOLD = -1
_MMAP_THRESHOLD = -3

# A weight of 2000 x 500 in float32 takes 4 MiB; everything that a step makes is smaller than
# this. Larger arrays (data, embeddings) still go back to the system the moment they are freed.
LARGEST_KEPT = 32 << 20  # bytes
MOST_KEPT = 128 << 20  # bytes of free memory at the end of the heap


@cache
def keep_freed_memory() -> bool:
    """Let the allocator keep what a step frees, instead of handing it back to the system.

    glibc returns freed memory at the end of its heap at once. Gradients and activations are then
    mapped and cleared anew in every step, page fault by page fault.

    Returns
    -------
    bool
        Whether it was done; other C libraries are left as they are.
    """
    if platform.system() != "Linux" or platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(_MMAP_THRESHOLD, LARGEST_KEPT) and mallopt(_TRIM_THRESHOLD, MOST_KEPT))
