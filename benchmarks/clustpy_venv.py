"""ClustPy, for comparison, in a virtual environment of its own.

It borrows torch, numpy and their like from the running interpreter, so that both sides compute
with the very same libraries and nothing large is downloaded twice; ClustPy, torchvision and what
else they need are its own.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vade_core.data.catalogue import cache_folder

CLUSTPY = "0.0.3"  # what is timed is not of ClustPy's public names: hold the version
SHARED = ("torch", "numpy", "scipy", "scikit-learn", "pandas", "tqdm")
MARKER = "epoch_time.json"


class NoClustPy(ValueError):
    """The environment cannot be had; the message says why."""


def environment_folder(chosen: Path | None) -> Path:
    """The environment's folder: the chosen one, or one in the platform's cache folder."""
    return (chosen or cache_folder() / "benchmark-clustpy").expanduser().absolute()


def python_of(folder: Path) -> Path:
    """The environment's interpreter."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def recipe() -> dict[str, Any]:
    """What the environment was made for; another recipe asks for another environment."""
    folders = {str(Path(module.__file__ or "").parent.parent) for module in (np, torch)}
    return {
        "clustpy": CLUSTPY,
        "python": platform.python_version(),
        "shared": {name: metadata.version(name).split("+")[0] for name in SHARED},
        "shared_folders": sorted(folders),
    }


def make_environment(folder: Path) -> None:
    """Make ClustPy's virtual environment, or keep the one that an earlier run made.

    Raises
    ------
    NoClustPy
        If it cannot be made.
    """
    wanted, marker = recipe(), folder / MARKER
    if folder.exists() and not folder.is_dir():
        raise NoClustPy(f"{folder} is not a folder: choose another with --venv.")
    if folder.is_dir() and any(folder.iterdir()):
        if not marker.is_file():
            raise NoClustPy(
                f"{folder} is not empty and not of this benchmark's making: choose another."
            )
        try:
            if json.loads(marker.read_text(encoding="utf-8")) == {**wanted, "complete": True}:
                return
        except ValueError:  # half written: make it again
            pass
    words = f"Making a virtual environment for ClustPy {CLUSTPY} (once; a minute or two) ..."
    print(words, file=sys.stderr, flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    _step(
        [sys.executable, "-m", "venv", "--clear", str(folder)],
        "Python could not make a virtual environment (on Debian, install python3-venv)",
    )
    marker.write_text(json.dumps({**wanted, "complete": False}), encoding="utf-8")
    asked = "import sysconfig; print(sysconfig.get_path('purelib'))"
    own = subprocess.run(
        [str(python_of(folder)), "-I", "-c", asked], check=True, capture_output=True, text=True
    )
    borrowed = Path(own.stdout.strip()) / "borrowed.pth"
    borrowed.write_text("\n".join(wanted["shared_folders"]) + "\n", encoding="utf-8")
    constraints = folder / "constraints.txt"
    constraints.write_text(
        "".join(f"{name}=={version}\n" for name, version in wanted["shared"].items()),
        encoding="utf-8",
    )
    _step(
        [
            *(str(python_of(folder)), "-m", "pip", "install", "--disable-pip-version-check"),
            *("--constraint", str(constraints), f"clustpy=={CLUSTPY}", "torchvision"),
        ],
        "ClustPy could not be installed (PyPI has only its source: "
        "it takes a C compiler, Python's headers, and the network)",
    )
    marker.write_text(json.dumps({**wanted, "complete": True}), encoding="utf-8")


def _step(command: Sequence[str], failure: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        errors = [line for line in said if line.lower().startswith("error")] or said
        raise NoClustPy(f"{failure}: {errors[-1] if errors else 'no message'}")
