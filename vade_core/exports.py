"""What leaves a run for other programs: a page, a table, the Embedding Projector's files.

A run as a whole is packed by :mod:`vade_core.archive`.
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vade_core.map_page import MapView, page_html
from vade_core.png import png_of
from vade_core.projection import LENSES
from vade_core.run_frames import RunFrames, lenses_of, read_run_frames
from vade_core.runs import CONFIG, Frame, Run, RunError, Stage

__all__ = [
    "FORMATS",
    "export_run",
    "frame_csv",
    "projector_zip",
    "samples_csv",
    "time_machine_html",
]

FORMATS: dict[str, str] = {
    "html": "the time machine as one file that opens without Python or a network",
    "samples": "every sample as a table: row, label, cluster, gamma of each cluster, latents",
    "csv": "a frame as a table, of the samples that the map shows: row, label, cluster, x, y, "
    "max_gamma",
    "projector": "a frame as a zip for the Embedding Projector",
}
"""Formats of an export, with what each is."""

# The projector loads its sprite as one texture.
SPRITE_LIMIT = 8192


def export_run(
    run: Run, format_: str, *, lens: str | None = None, number: int | None = None
) -> bytes:
    """A run in another program's form.

    Parameters
    ----------
    run : Run
    format_ : str
        A name in `FORMATS`.
    lens : str, optional
        The map. For ``csv`` the run's first if None; for ``html`` all of them; ``projector``
        makes maps of its own and takes none.
    number : int, optional
        The frame's number, for ``csv`` and ``projector``. The last one if None.

    Returns
    -------
    bytes
        The file's contents.

    Raises
    ------
    RunError
        If the run has nothing to export, no such map or frame, or cannot be read.
    """
    if format_ not in FORMATS:
        raise RunError(f"There is no format {format_!r}: choose one of {', '.join(FORMATS)}.")
    if format_ == "samples":
        if number is not None or lens is not None:
            raise RunError("Every sample is of the last checkpoint: leave frame and map out.")
        return samples_csv(run).encode()
    lenses = lenses_of(run)
    if lens is not None and lens not in lenses:
        known = ", ".join(lenses) or "none"
        raise RunError(f"{run.id} has no map {lens!r}: its maps are {known}.")
    if format_ == "html":
        if number is not None:
            raise RunError("The time machine holds every frame: leave the frame out.")
        return time_machine_html(run, lenses if lens is None else [lens]).encode()
    numbers = run.frame_numbers()
    if not numbers:
        raise RunError(f"{run.id} has no frames yet: there is nothing to export.")
    if number is not None and number not in numbers:
        raise RunError(
            f"{run.id} has no frame {number}: its frames are {', '.join(map(str, numbers))}."
        )
    chosen = numbers[-1] if number is None else number
    if format_ == "projector":
        return projector_zip(run, chosen)
    if not lenses:
        raise RunError(f"{run.id} was made without maps: there are no places to write down.")
    return frame_csv(run, chosen, lens or lenses[0]).encode()


def time_machine_html(
    run: Run,
    lenses: list[str],
    read: Callable[[Run, str], RunFrames] | None = None,
) -> str:
    """A run's time machine as a page that needs nothing else.

    Parameters
    ----------
    run : Run
    lenses : list of str
        The maps, in the order of their buttons.
    read : callable, optional
        Gives the frames for a lens, in place of reading them from the folder, with each point's
        neighbour recall, 20 ms a frame.

    Returns
    -------
    str
        HTML. About 0.4 MB a map with 1,800 pictures of 8 x 8 and 26 frames.

    Raises
    ------
    RunError
        If there is no map to show, or the run cannot be read.
    """
    views = []
    for lens in lenses:
        found = read_run_frames(run, lens, trust=True) if read is None else read(run, lens)
        if found.frames is not None:
            views.append(MapView(LENSES[lens].title, LENSES[lens].words, found.frames))
    if not views:
        raise RunError(f"{run.id} has no map that can be shown: there is nothing to export.")
    return page_html(run.title, facts_of(run), views, name=run.id)


def facts_of(run: Run) -> str:
    """What a run is, in a line: model, data set, K, preset, seed, ACC at the end.

    Raises
    ------
    RunError
        If the run cannot be read.
    """
    from vade_core.models import MODELS

    config = run.config
    model = MODELS[config.model].title if config.model in MODELS else config.model
    facts = [
        f"{model} on {config.dataset}",
        f"K = {config.clusters}",
        f"preset {config.preset}",
        f"seed {config.seed}",
    ]
    measured = [line["acc"] for line in run.metrics() if line.get("acc") is not None]
    if measured:
        facts.append(f"ACC {100 * measured[-1]:.1f} %")
    return " · ".join(facts)


def frame_csv(run: Run, number: int, lens: str) -> str:
    """A frame as a table, a line a point.

    Parameters
    ----------
    run : Run
    number : int
        Of ``run.frame_numbers()``.
    lens : str
        The map that x and y are of.

    Returns
    -------
    str
        CSV with a header: ``row`` (in the data set), ``label``, ``cluster``, ``x``, ``y``,
        ``max_gamma``. What is not known is empty.

    Raises
    ------
    RunError
        If the frame or the stage set cannot be read, or has no such map.
    """
    stage, frame = run.stage(), run.frame(number)
    _check(run, stage, frame)
    places = frame.maps.get(lens)
    if places is None:
        raise RunError(f"{run.frame_path(number)} has no {lens} map.")
    columns = [
        _whole(stage.rows, len(places)),
        _whole(stage.labels, len(places)),
        _whole(frame.clusters, len(places)),
        [f"{x:.6g}" for x in places[:, 0].tolist()],
        [f"{y:.6g}" for y in places[:, 1].tolist()],
        _sure(frame),
    ]
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(("row", "label", "cluster", "x", "y", "max_gamma"))
    writer.writerows(zip(*columns, strict=True))
    return file.getvalue()


def samples_csv(run: Run) -> str:
    """Every sample of a run's data as its last checkpoint has it, a line each.

    Parameters
    ----------
    run : Run
        With a checkpoint, and with its data.

    Returns
    -------
    str
        CSV with a header: ``row`` (in the data set, from 0), ``label`` (the class's name where
        there is one; empty without labels), ``cluster``, ``gamma_0`` to ``gamma_K-1``, ``z_0`` to
        ``z_J-1``.

    Raises
    ------
    RunError, DataError
        If model or data cannot be read.
    """
    from vade_core.rebuild import load_dataset, load_model  # brings torch along

    model, dataset = load_model(run), load_dataset(run.config)
    latents = model.transform(dataset.samples)
    # Not of the latents: a conditional VAE's say which class was the likeliest already.
    gamma = model.predict_proba(dataset.samples)
    names = run.config.class_names or []
    labels = [""] * len(latents)
    if dataset.labels is not None:
        labels = [names[y] if 0 <= y < len(names) else str(y) for y in dataset.labels.tolist()]
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    of_clusters = [f"gamma_{c}" for c in range(gamma.shape[1])]
    writer.writerow(
        ("row", "label", "cluster", *of_clusters, *(f"z_{j}" for j in range(latents.shape[1])))
    )
    numbers = np.concatenate([gamma, latents], axis=1)
    for row, (label, cluster, values) in enumerate(
        zip(labels, gamma.argmax(axis=1).tolist(), numbers.tolist(), strict=True)
    ):
        writer.writerow((row, label, cluster, *(f"{value:.6g}" for value in values)))
    return file.getvalue()


def projector_zip(run: Run, number: int) -> bytes:
    """A frame in the format of TensorFlow's Embedding Projector.

    Parameters
    ----------
    run : Run
    number : int
        Of ``run.frame_numbers()``.

    Returns
    -------
    bytes
        A zip with ``tensors.tsv`` (latents, n lines of J), ``metadata.tsv`` (row, label, class,
        cluster, max_gamma), ``sprite.png`` where the samples are pictures, and
        ``projector_config.json``.

    Raises
    ------
    RunError
        If the frame or the stage set cannot be read.
    """
    stage, frame = run.stage(), run.frame(number)
    _check(run, stage, frame)
    n, dimensions = frame.latents.shape
    tensors = "".join(
        "\t".join(f"{value:.6g}" for value in latent) + "\n" for latent in frame.latents.tolist()
    )
    embedding: dict[str, object] = {
        "tensorName": f"{run.id}, frame {number}",
        "tensorShape": [n, dimensions],
        "tensorPath": "tensors.tsv",
        "metadataPath": "metadata.tsv",
    }
    files: dict[str, str | bytes] = {
        "tensors.tsv": tensors,
        "metadata.tsv": _metadata(run, stage, frame),
    }
    if stage.pictures is not None and stage.pictures.size:
        sprite, (height, width) = _sprite(stage.pictures)
        files["sprite.png"] = png_of(sprite)
        embedding["sprite"] = {"imagePath": "sprite.png", "singleImageDim": [width, height]}
    files["projector_config.json"] = json.dumps({"embeddings": [embedding]}, indent=2) + "\n"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            # A fixed date: equal frames make equal files.
            member = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            member.external_attr = 0o644 << 16
            archive.writestr(member, content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def _metadata(run: Run, stage: Stage, frame: Frame) -> str:
    n = len(frame.latents)
    names = run.config.class_names or []
    classes = [""] * n
    if stage.labels is not None:
        classes = [
            " ".join(names[label].split()) if 0 <= label < len(names) else str(label)
            for label in stage.labels.tolist()
        ]
    columns = [
        _whole(stage.rows, n),
        _whole(stage.labels, n),
        classes,
        _whole(frame.clusters, n),
        _sure(frame),
    ]
    lines = [("row", "label", "class", "cluster", "max_gamma"), *zip(*columns, strict=True)]
    return "".join("\t".join(line) + "\n" for line in lines)


def _check(run: Run, stage: Stage, frame: Frame) -> None:
    where = run.frame_path(frame.number)
    if len(frame.latents) != len(stage.rows):
        raise RunError(f"{where} has another number of points.")
    ranks = [(frame.latents, 2), (frame.responsibilities, 2), (frame.clusters, 1)]
    if any(values is not None and values.ndim != rank for values, rank in ranks):
        raise RunError(f"{where} holds latents, responsibilities or clusters that cannot be.")


def _whole(values: NDArray[np.int64] | None, n: int) -> list[str]:
    return [""] * n if values is None else [str(value) for value in values.tolist()]


def _sure(frame: Frame) -> list[str]:
    if frame.responsibilities is None:
        return [""] * len(frame.latents)
    return [f"{value:.4f}" for value in frame.responsibilities.max(axis=1).tolist()]


def _sprite(pictures: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """All pictures on one sheet, row by row in a square, and the size of one, (h, w)."""
    n = len(pictures)
    side = int(np.ceil(np.sqrt(n)))
    # Large pictures are thinned out until the sheet fits.
    step = max(1, int(np.ceil(side * max(pictures.shape[1:]) / SPRITE_LIMIT)))
    pictures = pictures[:, ::step, ::step]
    _, height, width = pictures.shape
    tiles = np.zeros((side * side, height, width), np.uint8)
    tiles[:n] = pictures
    sheet = tiles.reshape(side, side, height, width).swapaxes(1, 2)
    return np.ascontiguousarray(sheet.reshape(side * height, side * width)), (height, width)


def write_export(path: Path, content: bytes) -> None:
    """Write an export as a whole or not at all.

    Raises
    ------
    RunError
        If it cannot be written there.
    """
    from vade_core.recorder import write_atomically  # brings torch along

    if path.is_dir():
        raise RunError(f"{path} is a folder: name the file to write.")
    path = path.resolve()  # a link's target is written, and the link stays
    if path.exists() and not path.is_file():
        raise RunError(f"{path} is no ordinary file: name another.")
    if any((folder / CONFIG).is_file() for folder in (path.parent, path.parent.parent)):
        raise RunError(f"{path} lies in a run's own folder: name a file elsewhere.")
    try:
        write_atomically(path, content)
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error.strerror or error}.") from error
