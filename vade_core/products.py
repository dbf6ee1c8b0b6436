"""Which library multiplies matrices in float32 while a network is trained.

PyTorch's wheels hand float32 products to Intel's MKL, which leaves the 512-bit instructions of
other makers' processors unused. oneDNN, in the same wheels, uses them; ``benchmarks/products.py``
lets the two take turns. In bf16 PyTorch takes oneDNN by itself.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

# Of a weight; products of a smaller one are too short to gain by another library.
FEWEST_VALUES = 10_000


@cache
def onednn_gains() -> bool:
    """Whether oneDNN multiplies float32 matrices faster than MKL on this processor.

    It is a rule, not a measurement: both libraries round differently, and a training that is
    resumed must go on with the very numbers that it began with. ``VADE_PRODUCTS`` set to
    ``onednn`` or ``mkl`` decides in its place.
    """
    if not torch.backends.mkldnn.is_available() or not hasattr(
        torch.ops.mkldnn, "_linear_pointwise"
    ):
        return False
    forced = os.environ.get("VADE_PRODUCTS")
    if forced in ("onednn", "mkl"):
        return forced == "onednn"
    wide = torch.backends.cpu.get_cpu_capability() == "AVX512"
    return wide and torch.backends.mkl.is_available() and "AuthenticAMD" in processor()


def processor() -> str:
    """Who made the processor, in the words of the system; empty where it does not say."""
    try:  # Linux leaves platform.processor() empty
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith("vendor_id")), "")


def fastest_products(
    precision: str, device: torch.device
) -> AbstractContextManager[TorchFunctionMode | None]:
    """Within this context, linear layers in float32 on the CPU use the faster library.

    Parameters
    ----------
    precision : {"fp32", "bf16"}
    device : torch.device
    """
    if precision == "fp32" and device.type == "cpu" and onednn_gains():
        return OneDnnProducts()
    return nullcontext()


class OneDnnProducts(TorchFunctionMode):
    """Sends ``torch.nn.functional.linear`` to oneDNN, with its gradients."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func is F.linear and not kwargs and _worthwhile(args[0], args[1]):
            return _Linear.apply(*args, *[None] * (3 - len(args)))
        return func(*args, **(kwargs or {}))


def _worthwhile(x: Tensor, weight: Tensor) -> bool:
    return x.dtype is weight.dtype is torch.float32 and weight.numel() >= FEWEST_VALUES


def _product(a: Tensor, b: Tensor, bias: Tensor | None = None) -> Tensor:
    """a b^T + bias, of matrices."""
    product: Tensor = torch.ops.mkldnn._linear_pointwise(a, b, bias, "none", [], "")
    return product


class _Linear(torch.autograd.Function):
    """x W^T + b and its three gradients."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        rows = x.reshape(-1, x.shape[-1])
        ctx.save_for_backward(rows, weight)
        return _product(rows, weight, bias).reshape(*x.shape[:-1], -1)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        rows, weight = ctx.saved_tensors
        of_x, of_weight, of_bias = ctx.needs_input_grad
        up = gradient.reshape(-1, gradient.shape[-1])
        return (
            _product(up, weight.t()).reshape(*gradient.shape[:-1], -1) if of_x else None,
            up.t().mm(rows) if of_weight else None,  # oneDNN would copy both to transpose them
            up.sum(0) if of_bias else None,
        )
