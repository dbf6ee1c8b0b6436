"""``python -m vade_core``."""

from __future__ import annotations

import sys

from vade_core.idle_threads import let_idle_threads_sleep

let_idle_threads_sleep()  # before torch is imported

from vade_core.cli import main

if __name__ == "__main__":
    sys.exit(main())
