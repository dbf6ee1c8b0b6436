"""The recorded runs that come with the project, and the command that makes them.

Each is trained as any other run, in a folder of its own that outlives an interruption, and then
made small (:mod:`vade_core.slimming`) into ``assets/runs/ID``. A recording appears there as a
whole or not at all.
"""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vade_core.locks import FileLock
from vade_core.runs import (
    ASSETS,
    CHECKPOINT,
    FRAMES,
    STAGE,
    Run,
    RunConfig,
    RunError,
    runs_root,
)

if TYPE_CHECKING:
    from vade_core.slimming import Fidelity

__all__ = [
    "BUDGET",
    "OPENING",
    "RECORDINGS",
    "Interrupted",
    "Recording",
    "record",
    "recordings_named",
    "recordings_there",
    "size_of",
    "total_size",
]

MB = 1_000_000
BUDGET = 90 * MB
WORK = ".recording"  # beside a person's runs; no id begins with a dot
EVERY_EPOCH = 1_000_000
ARRIVING, REPLACED = ".arriving-", ".replaced-"
# What a start decides or a recording changes: no part of what was asked for.
DECIDED = ("created", "versions", "precision", "threads", "lenses", "max_frames")


@dataclass(frozen=True)
class Recording:
    """A run worth shipping.

    Attributes
    ----------
    id : str
        Of its folder; links carry it.
    title : str
        For people.
    note : str
        Its first line says what one sees; the others, why.
    asked : mapping
        For :func:`vade_core.configure.configure`.
    frames : int
        How many frames are kept.
    lenses : tuple of str
        The maps made of each.
    """

    id: str
    title: str
    note: str
    asked: Mapping[str, Any]
    frames: int = 30
    lenses: tuple[str, ...] = field(default=("tsne", "umap", "pca"))


RECORDINGS: tuple[Recording, ...] = (
    Recording(
        "vade-k10",
        "VaDE, ten clusters",
        "Clusters found without labels are held at first, then set free.\n"
        "An autoencoder learns to draw digits, clusters are found among the neighbours of its "
        "latents, and VaDE pulls the digits of each cluster together. No label is used; colours "
        "show the labels all the same, so that one can see how well it sorts.",
        {"model": "vade", "clusters": 10, "preset": "robust"},
    ),
    Recording(
        "vade-k7",
        "VaDE, seven clusters",
        "Ten digits and seven clusters: some digits must share one.\n"
        "Which ones do tells what looks alike to the model. The VaDE paper shows the same in its "
        "figure 6.",
        {"model": "vade", "clusters": 7, "preset": "robust"},
    ),
    Recording(
        "vade-k14",
        "VaDE, fourteen clusters",
        "Ten digits and fourteen clusters: some digits are split by how they are written.\n"
        "Look at the pictures of two clusters of one digit: their style differs. The VaDE paper "
        "shows the same in its figure 6.",
        {"model": "vade", "clusters": 14, "preset": "robust"},
    ),
    Recording(
        "vade-paper",
        "VaDE, the paper's recipe",
        "The paper's recipe holds nothing: clusters and network find each other.\n"
        "Pretraining layer by layer, a mixture on the latents, then VaDE alone, as behind the "
        "paper's figure 3. Where it ends depends on the seed.",
        {"model": "vade", "clusters": 10, "preset": "paper"},
        frames=36,
    ),
    Recording(
        "vae",
        "VAE",
        "One Gaussian for everything: nothing in this model pulls the digits apart.\n"
        "A plain VAE has no clusters. Those that are counted are a mixture's, fitted to its "
        "latents after each epoch.",
        {"model": "vae", "clusters": 10, "preset": "robust"},
    ),
    Recording(
        "lambda-hot",
        "Lambda-Hot, told the labels",
        "It was told the labels: every digit is sent to an axis of its own.\n"
        "This is no clustering. It shows what a latent space looks like when the classes are "
        "given, beside those that had to find them.",
        {"model": "lambda-hot", "preset": "robust"},
    ),
    Recording(
        "vade-fails",
        "VaDE without a start",
        "No pretraining, no start, nothing held: clusters die.\n"
        "The same model, data and settings as VaDE with ten clusters, and as many epochs in all; "
        "pretraining, start and holding are left out. A few clusters take most digits before the "
        "network can tell them apart; the others lose theirs and never get them back.",
        {
            "model": "vade",
            "clusters": 10,
            "preset": "robust",
            "overrides": {
                "pretraining": "none",
                "start": "random",
                "clamped_epochs": 0,
                "epochs": 26,  # those of the pretraining as well
            },
        },
    ),
    Recording(
        "gmvae",
        "GMVAE, clusters and a style",
        "A cluster says what is drawn, a style of two numbers how it is written.\n"
        "The model of Dilokthanakul et al. as in Orbay's report: its cluster term is ignored "
        "until it exceeds 1.5 nats. Its networks are smaller than those of the others.",
        # Two hidden layers keep the file within what may be shipped.
        {
            "model": "gmvae",
            "clusters": 10,
            "preset": "robust",
            "overrides": {"hidden": [500, 500]},
        },
        frames=20,
        lenses=("tsne", "pca"),
    ),
)

OPENING = ("vade-k10", "vade-paper", "vae")
"""The recordings that the app opens with, side by side."""


class Interrupted(RunError):
    """A recording whose training was interrupted; the same command goes on with it."""


def record(
    chosen: Sequence[Recording],
    out: Path,
    *,
    train: Callable[[Run], str],
    again: bool = False,
    subset: int | None = None,
    epochs: int | None = None,
    budget: int = BUDGET,
    say: Callable[[str], None] = print,
) -> None:
    """Make recordings, one after the other.

    What is there is kept, unless ``again``. A training that was interrupted goes on where it
    stopped.

    Parameters
    ----------
    chosen : sequence of Recording
    out : Path
        Where the recordings go.
    train : callable
        Trains a run's folder to its end and returns the state that it reached.
    again : bool
        Whether to make those anew that are there.
    subset, epochs : int, optional
        For trials: so many samples, so many epochs of the pretraining and of the model's own.
    budget : int
        Bytes that all of ``assets`` may take, recordings included.
    say : callable
        Told what is being done.

    Raises
    ------
    Interrupted
        If a training did not come to its end.
    RunError
        If the budget does not suffice, half precision changes what the model says, or a folder
        cannot be read or written.
    DataError, ValueError
        If the data or a setting cannot be.
    """
    work = runs_root() / WORK
    try:
        out.mkdir(parents=True, exist_ok=True)
        work.mkdir(parents=True, exist_ok=True)
        with FileLock(work / "lock") as lock:
            if not lock.acquire(patience=1.0):
                raise RunError("Recordings are being made by another process already.")
            _tidy(out)
            for recording in chosen:
                _record(recording, out, work, train, again, subset, epochs, budget, say)
    except OSError as error:
        raise RunError(f"The recordings cannot be written: {error}.") from error


def _record(
    recording: Recording,
    out: Path,
    work: Path,
    train: Callable[[Run], str],
    again: bool,
    subset: int | None,
    epochs: int | None,
    budget: int,
    say: Callable[[str], None],
) -> None:
    config = _configured(recording, subset, epochs)
    target = out / recording.id
    if target.exists() and not again:
        differs = _differs(Run(target), config)
        words = ", though its settings are others now: --again makes it anew" if differs else ""
        say(f"{recording.id}: there already, and kept{words}.")
        return
    run = _training(work / f"{recording.id}-{_digest(config)}", config)
    if run.state != "finished":
        say(f"{recording.id}: training.")
        state = train(run)
        if state != "finished":
            raise Interrupted(f"{recording.id}: {state}; the same command goes on with it.")
        run = Run(run.path)  # its configuration now holds what the start decided
    from vade_core.evaluated import keep_evaluation
    from vade_core.layout import first_layout
    from vade_core.slimming import fidelity, slim  # bring torch along

    arriving = Path(tempfile.mkdtemp(dir=out, prefix=ARRIVING))
    try:
        slimmed = slim(
            run,
            arriving,
            frames=recording.frames,
            lenses=recording.lenses,
            note={"title": recording.title, "note": recording.note},
            layout=first_layout(run.stage(), recording.lenses),
            say=lambda words: say(f"{recording.id}: {words}."),
        )
        found = fidelity(run, slimmed)
        say(f"{recording.id}: {_fidelity_words(found)}")
        if not found.holds:
            raise RunError(
                f"{recording.id} is not recorded: half precision changes its ACC. The training is "
                f"kept in {run.path}."
            )
        say(f"{recording.id}: measuring it.")
        keep_evaluation(slimmed, arriving)
        _check_budget(recording.id, out, arriving, budget)
        arriving.chmod(0o755)  # mkdtemp's folders are their maker's alone
        _settle(arriving, target)
    finally:
        shutil.rmtree(arriving, ignore_errors=True)
    shutil.rmtree(run.path, ignore_errors=True)
    say(f"{recording.id}: recorded, {size_of(target) / MB:.1f} MB.")


def _configured(recording: Recording, subset: int | None, epochs: int | None) -> RunConfig:
    from vade_core.configure import configure
    from vade_core.models import MODELS

    asked = {"max_frames": EVERY_EPOCH, **recording.asked}
    # The maps are made when it is known which frames stay.
    asked["lenses"] = ()
    if subset is not None:
        asked["subset"] = subset
    if epochs is not None:
        overrides = {**asked.get("overrides", {}), "epochs": epochs}
        if "pretrain_epochs" in inspect.signature(MODELS[asked["model"]].estimator).parameters:
            overrides["pretrain_epochs"] = epochs
        asked["overrides"] = overrides
    return configure(**asked)


def _asked_for(config: RunConfig) -> dict[str, Any]:
    found = {name: v for name, v in config.to_json().items() if name not in DECIDED}
    return dict(json.loads(json.dumps(found, sort_keys=True)))


def _digest(config: RunConfig) -> str:
    return hashlib.sha256(json.dumps(_asked_for(config)).encode()).hexdigest()[:8]


def _differs(there: Run, config: RunConfig) -> bool:
    try:
        return _asked_for(there.config) != _asked_for(config)
    except RunError:
        return True


def _training(folder: Path, config: RunConfig) -> Run:
    """The folder that this configuration is trained in, as far as that has come."""
    from vade_core.recorder import create_run  # brings torch along

    if folder.is_dir():
        run = Run(folder)
        try:
            run.config, run.status()
            return run
        except RunError:  # died before it was made
            shutil.rmtree(folder)
    return create_run(folder.parent, config, folder)


def _tidy(out: Path) -> None:
    """Put right what a command that died has left half done."""
    for folder in out.glob(f"{REPLACED}*"):
        target = out / folder.name.removeprefix(REPLACED)
        if not target.exists():
            folder.rename(target)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    for folder in out.glob(f"{ARRIVING}*"):
        shutil.rmtree(folder, ignore_errors=True)


def _settle(arriving: Path, target: Path) -> None:
    replaced = target.with_name(REPLACED + target.name)
    if target.exists():
        target.rename(replaced)
    arriving.rename(target)
    shutil.rmtree(replaced, ignore_errors=True)


def _fidelity_words(found: Fidelity) -> str:
    words = f"in half precision {100 * found.changed:.4f} % of the samples change their cluster"
    if found.acc is None or found.acc_before is None:
        return f"{words}."
    return f"{words}, ACC {100 * found.acc_before:.3f} % becomes {100 * found.acc:.3f} %."


def _check_budget(run_id: str, out: Path, arriving: Path, budget: int) -> None:
    # The new one is in ``out`` already; the one that it replaces goes.
    total = total_size(out) - size_of(out / run_id)
    if total > budget:
        raise RunError(
            f"{run_id} is not recorded: with its {size_of(arriving) / MB:.1f} MB the assets would "
            f"take {total / MB:.1f} MB, and {budget / MB:.0f} MB are all they may. Keep fewer "
            "frames or maps of it."
        )


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder; 0 where there is none."""
    if not path.is_dir():
        return path.stat().st_size if path.exists() else 0
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def total_size(out: Path) -> int:
    """Bytes of all of ``assets`` with the recordings of ``out`` in place of its own."""
    return size_of(ASSETS) - size_of(ASSETS / "runs") + size_of(out)


def recordings_there(
    out: Path, recordings: Sequence[Recording] = RECORDINGS
) -> list[dict[str, Any]]:
    """What the recordings are and, where they are there, how large and of how many frames.

    Returns
    -------
    list of dict
        ``id``, ``title``, ``there``, ``frames``, ``acc``, and bytes: ``weights``, ``stage``,
        ``frames_bytes``, ``bytes``. None or 0 where it is not there.
    """
    rows = []
    for recording in recordings:
        folder = out / recording.id
        row: dict[str, Any] = {"id": recording.id, "title": recording.title, "there": False}
        row |= {"frames": None, "acc": None}
        with contextlib.suppress(RunError):
            run = Run(folder)
            row |= {"frames": len(run.frame_numbers()), "acc": run.summary()["acc"], "there": True}
        row |= {
            "weights": size_of(folder / CHECKPOINT),
            "stage": size_of(folder / STAGE),
            "frames_bytes": size_of(folder / FRAMES),
            "bytes": size_of(folder),
        }
        rows.append(row)
    return rows


def recordings_named(
    names: Sequence[str], recordings: Sequence[Recording] = RECORDINGS
) -> list[Recording]:
    """The recordings of some ids, in the table's order; all of them if none is named.

    Raises
    ------
    RunError
        If there is no such recording.
    """
    known = {recording.id: recording for recording in recordings}
    for name in names:
        if name not in known:
            raise RunError(f"There is no recording {name!r}; there are: {', '.join(known)}.")
    return [each for each in recordings if not names or each.id in names]
