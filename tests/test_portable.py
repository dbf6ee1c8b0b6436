"""Networks as bytes for a browser: read back by their written description."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from vade_core.models import VAE, LambdaHot, VaDE
from vade_core.models.base import LatentModel
from vade_core.portable import digest_of, pack_networks, seeded_normals

SHAPE = (6, 4)


def unpack(message: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The message read as the module's description has it, not by the code that made it."""
    assert message[:4] == b"VNET"
    number, length = struct.unpack("<II", message[4:12])
    assert number == 1
    assert (12 + length) % 8 == 0
    header = json.loads(message[12 : 12 + length])
    parts = {}
    for name, (offset, count, kind) in header["parts"].items():
        assert offset % 8 == 0
        start = 12 + length + offset
        parts[name] = np.frombuffer(message, f"<{kind}", count, start).astype(np.float64)
    return header, parts


def fitted(kind: str, hidden: tuple[int, ...] = (12, 9), gaussian: bool = False) -> LatentModel:
    rng = np.random.default_rng(0)
    X = rng.random((60, 24)).astype(np.float32)
    if gaussian:
        X = 4 * X - 2
    common: dict[str, Any] = {"hidden": hidden, "latent_dim": 5, "epochs": 1, "precision": "fp32"}
    if kind == "vae":
        return VAE(n_clusters=3, **common).fit(X)
    if kind == "lambda-hot":
        return LambdaHot(**common).fit(X, np.arange(60) % 4)
    return VaDE(n_clusters=3, pretrain_epochs=1, start="kmeans", **common).fit(X)


def through(parts: dict[str, np.ndarray], name: str, x: np.ndarray, layers: int) -> np.ndarray:
    """The layers computed in numpy alone."""
    for i in range(layers):
        bias = parts[f"{name}.{i}.bias"]
        x = x @ parts[f"{name}.{i}.weight"].reshape(len(bias), -1).T + bias
        if i < layers - 1:
            x = np.maximum(x, 0)
    return x


@pytest.mark.parametrize("kind", ["vade", "vae", "lambda-hot"])
def test_packed_networks_compute_what_the_model_computes(kind: str) -> None:
    model = fitted(kind)
    header, parts = unpack(pack_networks(model, image_shape=SHAPE))
    assert header["decoder"] == [5, 9, 12, 24]
    assert header["encoder"] == [24, 12, 9, 10]
    assert (header["latentDim"], header["nFeatures"]) == (5, 24)
    assert header["imageShape"] == [6, 4]
    assert header["ownClusters"] == (kind != "vae")
    rng = np.random.default_rng(1)
    z = rng.normal(size=(20, 5)).astype(np.float32)
    decoded = 1 / (1 + np.exp(-through(parts, "decoder", z, 3)))
    assert np.abs(decoded - model.decode(z)).max() < 0.005
    x = rng.random((20, 24)).astype(np.float32)
    both = through(parts, "encoder", x, 3)
    mean, log_variance = model.posterior(x)
    assert np.abs(both[:, :5] - mean).max() < 0.01
    bound = header["logVarianceBound"]
    assert np.abs(bound * np.tanh(both[:, 5:] / bound) - log_variance).max() < 0.01
    k = header["nClusters"]
    means = parts["prior.means"].reshape(k, 5)
    spread = parts["prior.logVariances"].reshape(k, 5)
    logs = parts["prior.logWeights"] - 0.5 * (
        (z[:, None] - means) ** 2 / np.exp(spread) + spread + np.log(2 * np.pi)
    ).sum(-1)
    logs -= logs.max(1, keepdims=True)
    gamma = np.exp(logs) / np.exp(logs).sum(1, keepdims=True)
    assert np.abs(gamma - model.responsibilities(z)).max() < 1e-5


def test_a_vae_keeps_its_one_gaussian_beside_the_mixture_that_counts_its_clusters() -> None:
    header, parts = unpack(pack_networks(fitted("vae")))
    assert header["nClusters"] == 3
    assert parts["generating.means"].tolist() == [0.0] * 5
    assert parts["generating.logWeights"].tolist() == [0.0]
    assert header["imageShape"] is None


def test_the_encoder_can_be_left_out_and_halves_the_size() -> None:
    model = fitted("vade", hidden=(64, 64))
    whole, half = pack_networks(model), pack_networks(model, encoder=False)
    header, parts = unpack(half)
    assert header["encoder"] is None
    assert not any(name.startswith("encoder") for name in parts)
    assert len(half) < 0.65 * len(whole)


def test_a_gaussian_decoder_is_packed_without_its_variance() -> None:
    model = fitted("vae", gaussian=True)
    header, parts = unpack(pack_networks(model))
    assert header["observation"] == "gaussian"
    z = np.random.default_rng(2).normal(size=(9, 5)).astype(np.float32)
    assert np.abs(through(parts, "decoder", z, 3) - model.decode(z)).max() < 0.01


def test_equal_networks_have_equal_digests_and_others_others() -> None:
    model = fitted("vade")
    first = pack_networks(model)
    assert pack_networks(model) == first
    digests = {digest_of(first), digest_of(pack_networks(model, encoder=False))}
    with torch.no_grad():
        model.networks_.decoder.mean.bias[0] += 1
    digests.add(digest_of(pack_networks(model)))
    assert len(digests) == 3
    with pytest.raises(ValueError, match="no packed networks"):
        digest_of(b"GIF89a and more")


def test_what_cannot_be_packed_is_refused_in_a_sentence() -> None:
    with pytest.raises(ValueError, match="not fitted"):
        pack_networks(VAE())
    model = fitted("vade")
    with pytest.raises(ValueError, match="do not fill a picture"):
        pack_networks(model, image_shape=(5, 5))
    with torch.no_grad():
        model.networks_.decoder.mean.bias[0] = 1e6
    with pytest.raises(ValueError, match="half precision"):
        pack_networks(model)
    with torch.no_grad():
        model.networks_.decoder.mean.bias[0] = float("nan")
    with pytest.raises(ValueError, match="diverged"):
        pack_networks(model)
    model = fitted("vae")
    model.networks_.decoder.body[1] = nn.Tanh()
    with pytest.raises(ValueError, match="Tanh"):
        pack_networks(model)


def test_noise_is_standard_normal_and_keeps_its_first_samples() -> None:
    noise = seeded_normals(7, 4000, 10)
    assert noise.dtype == np.float32
    assert abs(noise.mean()) < 0.02
    assert abs(noise.std() - 1) < 0.02
    # Neither dimensions nor neighbouring samples or seeds go together.
    assert np.abs(np.corrcoef(noise.T) - np.eye(10)).max() < 0.07
    assert abs(np.corrcoef(noise[:-1].ravel(), noise[1:].ravel())[0, 1]) < 0.02
    assert abs(np.corrcoef(noise.ravel(), seeded_normals(8, 4000, 10).ravel())[0, 1]) < 0.02
    assert np.array_equal(seeded_normals(7, 12, 10), noise[:12])
    assert np.array_equal(seeded_normals(7, 12, 4), noise[:12, :4])
    assert np.array_equal(seeded_normals(7 + 2**32, 3, 3), seeded_normals(7, 3, 3))
    assert np.isfinite(seeded_normals(0, 1000, 64)).all()
