"""A model's networks as bytes for a browser, and noise that both sides draw alike.

The format, all numbers little endian:

==========  ====================================================================================
bytes 0-3   ``VNET``
bytes 4-7   uint32, the format's number, 1
bytes 8-11  uint32, the header's length, a multiple of 4
header      JSON, padded with blanks: see :func:`pack_networks`
parts       from the next multiple of 8 on; each begins at a multiple of 8
==========  ====================================================================================

Weights are float16: 3.3 MB for a decoder 10-2000-500-500-784. The prior is small and decides
responsibilities, so it stays float32.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from vade_core.models.base import LatentModel
from vade_core.networks import LOG_VARIANCE_BOUND, Decoder, Encoder
from vade_core.priors import Prior

__all__ = ["FORMAT", "MAGIC", "digest_of", "pack_networks", "seeded_normals"]

MAGIC = b"VNET"
FORMAT = 1
# Weights of a trained network are far below; above it half precision has no number.
LARGEST = 65504.0


def pack_networks(
    model: LatentModel, *, encoder: bool = True, image_shape: Sequence[int] | None = None
) -> bytes:
    """A fitted model's decoder and prior, and its encoder where it is wanted, as bytes.

    Parameters
    ----------
    model : LatentModel
        Fitted or restored.
    encoder : bool
        Whether the encoder is packed, too; it doubles the size.
    image_shape : sequence of two int, optional
        Height and width of a sample that is a picture.

    Returns
    -------
    bytes
        The header holds ``digest``, ``latentDim`` (J), ``nFeatures`` (D), ``nClusters`` (K of the
        mixture that assigns), ``ownClusters`` (whether samples can be asked for by cluster),
        ``imageShape``, ``observation``, ``logVarianceBound``, ``decoder`` and ``encoder`` (widths
        from input to output; the encoder's last layer gives J means, then J raw log-variances)
        and ``parts``: name to ``[offset, values, "f2" or "f4"]``. A layer ``i`` is
        ``decoder.i.weight`` (out, in) and ``decoder.i.bias`` (out). The mixtures are
        ``prior.*`` (:meth:`LatentModel.assigning_prior`) and ``generating.*`` (what samples are
        drawn from), each ``logWeights`` (K), ``means`` (K, J) and ``logVariances`` (K, J).

    Raises
    ------
    ValueError
        If the model is not fitted, is not made of fully connected layers with ReLU between them,
        holds numbers that half precision cannot keep, or does not fit the picture's shape.
    """
    networks = getattr(model, "networks_", None)
    if networks is None:
        raise ValueError("This model is not fitted: train it before it is packed.")
    for module, kind in ((networks.encoder, Encoder), (networks.decoder, Decoder)):
        if type(module) is not kind:
            raise ValueError(
                f"A browser knows plain encoders and decoders, and no {type(module).__name__}."
            )
    parts: dict[str, NDArray[Any]] = {}
    for name, prior in (("prior", model.assigning_prior()), ("generating", model.prior_)):
        if not prior.gaussian:
            raise ValueError(
                f"A browser knows mixtures of Gaussians, and no {type(prior).__name__}."
            )
        parts |= _mixture_parts(name, prior)
    n_features = networks.decoder.mean.out_features
    if image_shape is not None and int(np.prod(image_shape)) != n_features:
        raise ValueError(f"{n_features} values do not fill a picture of {tuple(image_shape)}.")
    header: dict[str, Any] = {
        "latentDim": parts["prior.means"].shape[1],
        "nFeatures": n_features,
        "nClusters": len(parts["prior.logWeights"]),
        "ownClusters": model.prior_.n_clusters > 0,
        "imageShape": None if image_shape is None else [int(side) for side in image_shape],
        "observation": networks.decoder.observation,
        "logVarianceBound": LOG_VARIANCE_BOUND,
        "decoder": _layer_parts(parts, "decoder", networks.decoder.body, [networks.decoder.mean]),
        "encoder": None,
    }
    if encoder:
        heads = [networks.encoder.mean, networks.encoder.log_variance]
        header["encoder"] = _layer_parts(parts, "encoder", networks.encoder.body, heads)
    return _joined(header, parts)


def digest_of(packed: bytes) -> str:
    """The digest that packed networks carry: equal networks have equal ones.

    Raises
    ------
    ValueError
        If these bytes are no packed networks.
    """
    if packed[:4] != MAGIC:
        raise ValueError("These bytes are no packed networks.")
    _, length = struct.unpack("<II", packed[4:12])
    return str(json.loads(packed[12 : 12 + length])["digest"])


def seeded_normals(seed: int, n: int, latent_dim: int) -> NDArray[np.float32]:
    """Standard normal noise that a browser draws alike (assets/networks/noise.js).

    Value (i, j) depends on seed, i and j alone: more samples leave the first ones as they are.
    Two uniform numbers out of an integer hash become a normal one by Box and Muller's transform.

    Parameters
    ----------
    seed : int
        0 or more; its lowest 32 bits count.
    n, latent_dim : int
        Samples and dimensions.

    Returns
    -------
    ndarray of float32, shape (n, latent_dim)

    Examples
    --------
    >>> seeded_normals(3, 2, 4)[0].tolist() == seeded_normals(3, 1, 4)[0].tolist()
    True
    """
    rows = np.arange(n, dtype=np.uint32)[:, None]
    columns = np.arange(latent_dim, dtype=np.uint32)[None, :]
    start = _mixed(np.array([[seed & 0xFFFFFFFF]], dtype=np.uint32) ^ np.uint32(0x9E3779B9))
    place = _mixed(_mixed(start + rows) + columns)
    # Half a step above 0: the logarithm of the first must be finite.
    first = (_mixed(place ^ np.uint32(0x85EBCA6B)).astype(np.float64) + 0.5) / 2**32
    second = (_mixed(place ^ np.uint32(0xC2B2AE35)).astype(np.float64) + 0.5) / 2**32
    normal = np.sqrt(-2.0 * np.log(first)) * np.cos(2.0 * np.pi * second)
    return normal.astype(np.float32)


def _mixed(value: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Mix 32 bits so that neighbouring numbers lead far apart; one to one."""
    value = value ^ (value >> np.uint32(16))
    value = value * np.uint32(0x7FEB352D)
    value = value ^ (value >> np.uint32(15))
    value = value * np.uint32(0x846CA68B)
    return value ^ (value >> np.uint32(16))


def _mixture_parts(name: str, prior: Prior) -> dict[str, NDArray[Any]]:
    found = [tensor.detach().cpu().numpy().astype("<f4") for tensor in prior.components()]
    if not all(np.isfinite(values).all() for values in found):
        raise ValueError("The mixture holds NaN or infinite values: the model has diverged.")
    names = ("logWeights", "means", "logVariances")
    return {f"{name}.{part}": values for part, values in zip(names, found, strict=True)}


def _layer_parts(
    parts: dict[str, NDArray[Any]], name: str, body: nn.Module, heads: Sequence[nn.Linear]
) -> list[int]:
    """Add the layers to the parts; the heads become one layer. Returns the widths."""
    layers: list[tuple[NDArray[Any], NDArray[Any]]] = []
    for i, module in enumerate(body.children()):
        if not isinstance(module, nn.ReLU if i % 2 else nn.Linear):
            raise ValueError(
                f"The {name} holds a {type(module).__name__} where a browser expects fully "
                "connected layers with ReLU between them."
            )
        if isinstance(module, nn.Linear):
            layers.append((_array(module.weight), _array(module.bias)))
    last = [[_array(head.weight) for head in heads], [_array(head.bias) for head in heads]]
    layers.append((np.concatenate(last[0]), np.concatenate(last[1])))
    for i, (weight, bias) in enumerate(layers):
        for kind, values in (("weight", weight), ("bias", bias)):
            if not (np.abs(values) <= LARGEST).all():
                raise ValueError(
                    f"The {name} holds numbers that half precision cannot keep: "
                    "the model has diverged."
                )
            parts[f"{name}.{i}.{kind}"] = values.astype("<f2")
    return [layers[0][0].shape[1], *(len(bias) for _, bias in layers)]


def _array(tensor: Any) -> NDArray[Any]:
    found: NDArray[Any] = tensor.detach().cpu().numpy()
    return found


def _joined(header: dict[str, Any], parts: dict[str, NDArray[Any]]) -> bytes:
    directory: dict[str, list[Any]] = {}
    blobs: list[bytes] = []
    offset = 0
    for name, values in parts.items():
        blob = values.tobytes()
        directory[name] = [offset, values.size, values.dtype.str[1:]]
        blobs += [blob, bytes(-len(blob) % 8)]
        offset += len(blob) + len(blobs[-1])
    described = {**header, "parts": directory}
    digest = hashlib.sha256(json.dumps(described, sort_keys=True).encode())
    for blob in blobs:
        digest.update(blob)
    described["digest"] = digest.hexdigest()[:16]
    text = json.dumps(described, separators=(",", ":"), allow_nan=False).encode()
    # The header begins at byte 12 and the parts at a multiple of 8.
    text += b" " * ((4 - len(text)) % 8)
    return b"".join([MAGIC, struct.pack("<II", FORMAT, len(text)), text, *blobs])
