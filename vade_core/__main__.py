"""``python -m vade_core``."""

from __future__ import annotations

import os
import sys

# Before torch is imported: without it OpenMP's threads spin against every other busy process.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

from vade_core.cli import main

if __name__ == "__main__":
    sys.exit(main())
