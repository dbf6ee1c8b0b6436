"""Adam without the library's bookkeeping: on two cores it costs 4 % of a training step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

# A weight whose gradient has become 0 for good, as a dead unit's has, keeps a first moment that
# decays to the subnormal numbers and, rounded, stays there. Some processors, Intel's among them,
# are slow with those: from the fourth on an epoch of an autoencoder on MNIST took 1.6 times as long
# (benchmarks/subnormals.py). At these sizes neither moment can be told from 0 beside eps: a step
# of 1e-30 / eps, and a root of 1e-17.
_SMALLEST_FIRST, _SMALLEST_SECOND = 1e-30, 1e-34
_STEPS_BETWEEN = 64  # 0.9 to the 64th is 1e-3: nothing gets from there to 1e-38 meanwhile


class Adam:
    """Adam (Kingma and Ba 2015, algorithm 1), one call of PyTorch's fused kernel a step.

    It computes the very numbers of ``torch.optim.Adam(..., fused=True)``, whose step spends
    half a millisecond on grouping, hooks and checks before it calls the same kernel. On a CPU
    moments that have become too small to move anything are set to 0 every 64 steps.

    Parameters
    ----------
    parameters : iterable of Parameter
        On one device, in float32. One that a step has no gradient for is left as it is.
    betas : tuple of two float
        What is kept of the first and the second moment.
    eps : float
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        self.parameters = list(parameters)
        self.betas = betas
        self.eps = eps
        self.learning_rate: float | Tensor = 1e-3  # a tensor can change in a captured graph
        self._state: dict[int, tuple[Tensor, Tensor, Tensor]] = {}

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Move every parameter that has a gradient."""
        moved: list[Tensor] = []
        gradients: list[Tensor] = []
        states: list[tuple[Tensor, Tensor, Tensor]] = []
        for i, parameter in enumerate(self.parameters):
            if parameter.grad is None:
                continue
            if i not in self._state:
                nothing = torch.zeros_like(parameter)
                steps = torch.zeros((), device=parameter.device)
                self._state[i] = (nothing, nothing.clone(), steps)
            moved.append(parameter)
            gradients.append(parameter.grad)
            states.append(self._state[i])
        if not moved:
            return
        counts = [steps for _, _, steps in states]
        torch._foreach_add_(counts, 1)
        torch._fused_adam_(
            moved,
            gradients,
            [first for first, _, _ in states],
            [second for _, second, _ in states],
            [],
            counts,
            lr=self.learning_rate,
            beta1=self.betas[0],
            beta2=self.betas[1],
            weight_decay=0.0,
            eps=self.eps,
            amsgrad=False,
            maximize=False,
        )
        if moved[0].device.type == "cpu" and int(counts[0]) % _STEPS_BETWEEN == 0:
            for first, second, _ in states:
                torch.hardshrink(first, _SMALLEST_FIRST, out=first)
                torch.hardshrink(second, _SMALLEST_SECOND, out=second)

    def state(self) -> dict[str, Tensor]:
        """Moments and step counts by ``number.name``, for :meth:`restore`."""
        names = ("exp_avg", "exp_avg_sq", "step")
        return {
            f"{number}.{name}": value
            for number in sorted(self._state)
            for name, value in zip(names, self._state[number], strict=True)
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take over what :meth:`state` gave, of the same parameters in the same order.

        Raises
        ------
        KeyError
            If it is not whole.
        """
        for number in {int(name.split(".")[0]) for name in state}:
            like = self.parameters[number]
            first, second, steps = (
                state[f"{number}.{name}"].to(like.device, torch.float32, copy=True)
                for name in ("exp_avg", "exp_avg_sq", "step")
            )
            self._state[number] = (first, second, steps)
