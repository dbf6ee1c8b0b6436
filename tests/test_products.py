"""Products in float32 by oneDNN: PyTorch's own numbers, and only where they are meant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from vade_core import products
from vade_core.models import VaDE
from vade_core.products import OneDnnProducts, fastest_products, onednn_gains

CPU = torch.device("cpu")
pytestmark = pytest.mark.skipif(
    not hasattr(torch.ops.mkldnn, "_linear_pointwise"), reason="this PyTorch has no oneDNN"
)


@pytest.fixture(autouse=True)
def undecided() -> Iterator[None]:
    """The rule is asked once a process: let every test ask it anew."""
    onednn_gains.cache_clear()
    yield
    onednn_gains.cache_clear()


@pytest.fixture
def multiplied(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """The shapes of all weights that oneDNN has multiplied with."""
    shapes: list[tuple[int, ...]] = []
    product = products._product

    def noted(a: Tensor, b: Tensor, bias: Tensor | None = None) -> Tensor:
        shapes.append(tuple(b.shape))
        return product(a, b, bias)

    monkeypatch.setattr(products, "_product", noted)
    return shapes


@pytest.mark.parametrize("shape", [(64, 300), (2, 64, 300), (1, 300)])
@pytest.mark.parametrize("bias", [True, False])
def test_layer_and_its_gradients_are_those_of_float64(shape: tuple[int, ...], bias: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    leaves = [torch.randn(shape, generator=generator), torch.randn(200, 300, generator=generator)]
    if bias:
        leaves.append(torch.randn(200, generator=generator))
    upstream = torch.randn(*shape[:-1], 200, generator=generator)
    exact = [leaf.double().requires_grad_() for leaf in leaves]
    F.linear(*exact).backward(upstream.double())
    ours = [leaf.clone().requires_grad_() for leaf in leaves]
    with OneDnnProducts():
        out = F.linear(*ours)
    out.backward(upstream)
    np.testing.assert_allclose(
        out.detach(), F.linear(*exact).detach().float(), rtol=1e-4, atol=1e-4
    )
    for leaf, reference in zip(ours, exact, strict=True):
        assert leaf.grad is not None
        assert leaf.grad.shape == leaf.shape
        np.testing.assert_allclose(leaf.grad, reference.grad.float(), rtol=1e-4, atol=2e-4)


def test_data_get_no_gradient(multiplied: list[tuple[int, ...]]) -> None:
    weight = torch.randn(200, 300, requires_grad=True)
    with OneDnnProducts():
        F.linear(torch.randn(64, 300), weight).sum().backward()
    assert weight.grad is not None
    assert multiplied == [(200, 300)]  # not for the samples' gradient, which nobody asked for


def test_small_layers_and_other_types_are_left_alone(multiplied: list[tuple[int, ...]]) -> None:
    with OneDnnProducts():
        F.linear(torch.ones(8, 20), torch.ones(10, 20))
        F.linear(torch.ones(8, 300).double(), torch.ones(200, 300).double())
        with torch.autocast("cpu", torch.bfloat16):
            F.linear(torch.ones(8, 300).bfloat16(), torch.ones(200, 300).bfloat16())
    assert multiplied == []


@pytest.mark.parametrize(
    ("vendor", "capability", "expected"),
    [
        ("vendor_id\t: AuthenticAMD", "AVX512", True),
        ("AMD64 Family 25 Model 97 Stepping 2, AuthenticAMD", "AVX512", True),
        ("vendor_id\t: AuthenticAMD", "AVX2", False),
        ("vendor_id\t: GenuineIntel", "AVX512", False),
        ("", "AVX512", False),
    ],
)
def test_rule(
    vendor: str, capability: str, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VADE_PRODUCTS", raising=False)
    monkeypatch.setattr(products, "processor", lambda: vendor)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: True)
    assert onednn_gains() is expected


def test_only_float32_on_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VADE_PRODUCTS", "onednn")
    assert isinstance(fastest_products("fp32", CPU), OneDnnProducts)
    assert not isinstance(fastest_products("bf16", CPU), OneDnnProducts)
    assert not isinstance(fastest_products("fp32", torch.device("cuda")), OneDnnProducts)


def trained(library: str, samples: Any, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The losses of a short training whose products this library computes."""
    monkeypatch.setenv("VADE_PRODUCTS", library)
    onednn_gains.cache_clear()
    model = VaDE(
        n_clusters=3,
        hidden=(120, 120),
        pretrain_epochs=2,
        start="kmeans",
        clamped_epochs=1,
        epochs=2,
        batch_size=32,
        precision="fp32",
    ).fit(samples)
    return [report.terms["loss"] for report in model.reports_ if report.terms]


def test_a_training_goes_the_same_way(
    monkeypatch: pytest.MonkeyPatch, multiplied: list[tuple[int, ...]]
) -> None:
    samples = np.random.default_rng(0).integers(0, 256, (200, 100), dtype=np.uint8)
    without = trained("mkl", samples, monkeypatch)
    assert multiplied == []
    by_onednn = trained("onednn", samples, monkeypatch)
    assert (120, 120) in multiplied
    assert len(without) == len(by_onednn) == 4
    np.testing.assert_allclose(by_onednn, without, rtol=2e-3)
