"""What the browser is sent of a run that is explored: a JSON header, and arrays behind it."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from pages.shared.exploration import Exploration
from pages.shared.exploration_choice import Choice
from vade_core.colours import PALETTE, UNKNOWN, text_on

__all__ = ["pack_message", "pack_parts"]


@st.cache_resource(show_spinner=False, max_entries=16)
def pack_message(
    _found: Exploration, choice: Choice, digest: str | None, world: str
) -> tuple[bytes, str]:
    """Everything that the browser needs, as bytes, and the mark of the choice it begins with.

    Bytes 0-3 are ``VIPO``, 4-7 the format's number, 8-11 the length of the JSON header; its
    ``parts`` name offset, count and kind of the numbers that follow, each at a multiple of 8.

    Parameters
    ----------
    _found : Exploration
    choice : Choice
        What is shown at first.
    digest : str or None
        Of the networks; None where the server decodes.
    world : str
        Changes whenever `_found` does.
    """
    start = hashlib.sha256(repr(choice).encode()).hexdigest()[:12]
    mark = hashlib.sha256(repr((world, digest)).encode()).hexdigest()[:16]
    header = {
        "world": mark,
        "stamp": f"{mark}-{start}",
        "start": start,
        "choice": asdict(choice),
        "digest": digest,
        "name": _found.name,
        "caption": f"{_found.caption}, {_found.title}",
        "points": len(_found.latents),
        "latentDim": _found.latent_dim,
        "isPlane": _found.latent_dim == 2,
        "nFeatures": _found.n_features,
        "imageShape": _found.shape,
        "classNames": _found.class_names,
        "clusters": [
            {"name": name, "colour": colour, "ink": text_on(colour)}
            for name, colour in _found.looks
        ],
        "palette": PALETTE,
        "unknown": UNKNOWN,
        "ownClusters": _found.own_clusters,
        "gaussian": _found.gaussian,
        "low": _found.limits[0],
        "high": _found.limits[1],
        "box": _found.box,
        "canDraw": _found.box is not None,
        "whyNoDrawing": why_no_drawing(_found),
    }
    parts: dict[str, NDArray[Any]] = {
        "latents": _found.latents.astype("<f4"),
        "places": _found.places.astype("<f4"),
    }
    for name, codes in (("labels", _found.labels), ("clusters", _found.clusters)):
        if codes is not None:
            parts[name] = codes.astype("<i2")
    if _found.pictures is not None:
        parts["pictures"] = _found.pictures
    for name, mixture in (("assigning", _found.assigning), ("prior", _found.prior)):
        for part, values in zip(("logWeights", "means", "logVariances"), mixture, strict=True):
            parts[f"{name}.{part}"] = values.astype("<f4")
    return pack_parts(header, parts), start


def why_no_drawing(found: Exploration) -> str:
    """Why nothing can be drawn here, in a sentence; empty where it can."""
    if found.box is not None:
        return ""
    if found.shape is None or found.pictures is None:
        return "There is nothing to draw: this run holds no pictures."
    if not found.bernoulli:
        return "Drawing needs grey pictures between black and white; these have another scale."
    return "These pictures hold no ink: there is nothing to draw like them."


def pack_parts(header: dict[str, Any], parts: Mapping[str, NDArray[Any]]) -> bytes:
    """A JSON header and arrays as one message, little endian."""
    kinds = {"<f4": "f4", "|u1": "u1", "<i2": "i2"}
    directory, blobs, offset = {}, [], 0
    for name, values in parts.items():
        blob = np.ascontiguousarray(values).tobytes()
        directory[name] = [offset, int(values.size), kinds[values.dtype.str]]
        blobs += [blob, bytes(-len(blob) % 8)]
        offset += len(blob) + len(blobs[-1])
    text = json.dumps({**header, "parts": directory}, separators=(",", ":"), allow_nan=False)
    content = text.encode()
    content += b" " * ((4 - len(content)) % 8)
    return b"".join([b"VIPO", struct.pack("<II", 1, len(content)), content, *blobs])
