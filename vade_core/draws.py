"""Where a loss takes its random numbers from.

Of one training it is a generator. Several trainings at once go through the loss together, and a
generator cannot be several: their numbers are drawn beforehand, each training's from its own
generator, and handed in as :class:`Drawn`. :class:`Asked` finds out beforehand what will be asked
for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Kind = Literal["normal", "uniform"]


@dataclass(frozen=True)
class Draw:
    """One request of a loss.

    Attributes
    ----------
    kind : {"normal", "uniform"}
    shape : tuple of int
    dtype : torch.dtype
    """

    kind: Kind
    shape: tuple[int, ...]
    dtype: torch.dtype

    def of(self, generator: torch.Generator) -> Tensor:
        """The numbers, on the generator's device."""
        draw = torch.randn if self.kind == "normal" else torch.rand
        return draw(self.shape, generator=generator, device=generator.device, dtype=self.dtype)


class Asked:
    """Notes what is asked for, and answers with zeros.

    Attributes
    ----------
    draws : list of Draw
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.draws: list[Draw] = []

    def answer(self, draw: Draw) -> Tensor:
        self.draws.append(draw)
        return torch.zeros(draw.shape, device=self.device, dtype=draw.dtype)


class Drawn:
    """Numbers that were drawn beforehand, handed out in the order in which they are asked for.

    Parameters
    ----------
    numbers : sequence of Tensor
    """

    def __init__(self, numbers: Sequence[Tensor]) -> None:
        self._numbers = iter(numbers)

    def answer(self, draw: Draw) -> Tensor:
        return next(self._numbers)


class Shared:
    """The same numbers for every sample, so that none depends on those beside it.

    Parameters
    ----------
    generator : torch.Generator
    """

    def __init__(self, generator: torch.Generator) -> None:
        self._generator = generator

    def answer(self, draw: Draw) -> Tensor:
        """Numbers of shape (L, n, ...), drawn for n = 1."""
        draws, _, *rest = draw.shape
        alone = Draw(draw.kind, (draws, 1, *rest), draw.dtype)
        return alone.of(self._generator).expand(draw.shape)


Source = torch.Generator | Asked | Drawn | Shared


def normal(source: Source, shape: Sequence[int], dtype: torch.dtype = torch.float32) -> Tensor:
    """Numbers from N(0, 1), on the source's device."""
    return _drawn(source, Draw("normal", tuple(shape), dtype))


def uniform(source: Source, shape: Sequence[int], dtype: torch.dtype = torch.float32) -> Tensor:
    """Numbers from [0, 1), on the source's device."""
    return _drawn(source, Draw("uniform", tuple(shape), dtype))


def _drawn(source: Source, draw: Draw) -> Tensor:
    return draw.of(source) if isinstance(source, torch.Generator) else source.answer(draw)
