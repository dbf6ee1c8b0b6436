"""The training loop: a stream of epoch reports.

A model describes its training as a list of phases; this module runs them, one epoch at a time,
and knows nothing of models, files or pages.  Every epoch draws its randomness from a generator
seeded by (seed, phase, epoch): a run that was interrupted continues with the very numbers that
it would have drawn.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from vade_core.allocation import keep_freed_memory
from vade_core.optimiser import Adam
from vade_core.products import fastest_products
from vade_core.samples import DeviceSamples

Precision = Literal["fp32", "bf16"]
PhaseName = Literal["untrained", "pretrain", "start", "clamped", "free", "train"]
BatchLoss = Callable[[Tensor, Tensor, torch.Generator], Mapping[str, Tensor]]

PRECISION_TRIES = 40  # products in each precision


@dataclass(frozen=True)
class EpochReport:
    """What one epoch did.

    Attributes
    ----------
    phase : str
        ``pretrain``, ``start``, ``clamped``, ``free`` or ``train``.
    epoch, epochs : int
        The epoch, from 1, and of how many: pretraining counts its own, clamped and free epochs
        count through. A start that is no epoch counts 0 of 0.
    stage : int
        Number of the phase within the schedule, from 0; several phases may bear one name.
    words : str
        What happened, for people.
    seconds : float
        Wall-clock time of the epoch's training alone.
    terms : mapping of str to float
        Means over the epoch in nats a sample; ``loss`` is what was minimised.
    findings : mapping
        What else the phase has to tell (a start's likelihood, its clusters' sizes).
    """

    phase: PhaseName
    epoch: int
    epochs: int
    stage: int
    words: str
    seconds: float
    terms: Mapping[str, float]
    findings: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Phase:
    """A part of a schedule: gradient epochs, or one action that is no epoch.

    Attributes
    ----------
    name : str
        Its name in the reports.
    words : str
        What it does, for people.
    epochs : int
        How many gradient epochs; 0 for an action.
    before : int
        Epochs that are counted before this phase's first: phases of one model count through.
    counted : int, optional
        Of how many epochs they are counted; by default ``before + epochs``.
    loss : callable, optional
        ``loss(x, rows, generator)`` gives the named terms of a batch, each a scalar, ``loss``
        among them. ``x`` is (n, D) in floating point, ``rows`` the batch's row numbers.
    modules : sequence of Module
        All that the loss reads, apart from its arguments: what several trainings at once put
        beside one another (:mod:`vade_core.together`). Empty where that cannot be told.
    parameters : callable, optional
        Gives the parameters to optimise.
    learning_rate : callable
        Learning rate of an epoch, counted from 0 and from ``before``.
    adam_eps : float
        Adam's epsilon.
    betas : tuple of two float
        What Adam keeps of its two moments at every step.
    action : callable, optional
        ``action(generator)`` gives findings. Runs once, in place of epochs.
    before_epoch : callable, optional
        ``before_epoch(epoch)`` is called before each epoch, with its number counted from 0 and
        from ``before``. What it changes must follow from what a checkpoint keeps and that number
        alone, so that a resumed training does the same. What it answers is reported as the
        epoch's findings.
    guard : callable, optional
        Called after each epoch. If it answers with a sentence, the epoch is undone, the sentence
        is reported as the finding ``undone``, and the phase ends.
    prepare : callable, optional
        Called in a thread of its own when the schedule begins, to have ready what the action
        needs; it must not touch data, model or random states.
    """

    name: PhaseName
    words: str
    epochs: int = 0
    before: int = 0
    counted: int | None = None
    loss: BatchLoss | None = None
    modules: Sequence[nn.Module] = ()
    parameters: Callable[[], Sequence[nn.Parameter]] | None = None
    learning_rate: Callable[[int], float] = lambda epoch: 1e-3
    adam_eps: float = 1e-8
    betas: tuple[float, float] = (0.9, 0.999)
    action: Callable[[torch.Generator], Mapping[str, object]] | None = None
    before_epoch: Callable[[int], Mapping[str, object] | None] | None = None
    guard: Callable[[], str | None] | None = None
    prepare: Callable[[], None] | None = None

    @property
    def out_of(self) -> int:
        """Of how many epochs this phase's are counted."""
        return self.before + self.epochs if self.counted is None else self.counted


@dataclass(frozen=True)
class Position:
    """How far a schedule has come: ``epochs_done`` epochs of phase number ``stage``."""

    stage: int = 0
    epochs_done: int = 0


class Training:
    """A schedule being carried out; iterate over it for its reports.

    Parameters
    ----------
    samples : Tensor or SparseRows, shape (n, D)
        uint8 grey levels or float32, on the device that trains; of sparse samples, the rows of
        a batch are made dense when their turn comes.
    phases : sequence of Phase
        The schedule.
    seed : int
        Seeds every draw.
    batch_size : int
    precision : {"fp32", "bf16"}
        bf16 runs the networks under autocast; losses stay in float32.
    between_batches : callable, optional
        Called before each batch with the share of the epoch that is done. It may wait, which
        pauses the training, or return True, which ends it; the unfinished epoch gives no report.
    """

    def __init__(
        self,
        samples: DeviceSamples,
        phases: Sequence[Phase],
        *,
        seed: int,
        batch_size: int,
        precision: Precision = "fp32",
        between_batches: Callable[[float], bool | None] | None = None,
    ) -> None:
        self.samples = samples
        self.phases = list(phases)
        self.seed = seed
        self.batch_size = batch_size
        self.precision = precision
        self.between_batches = between_batches
        self.position = Position()
        self._waited = 0.0
        self._optimiser: Adam | None = None
        self._optimiser_state: dict[str, Tensor] = {}

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return self.current is None

    @property
    def current(self) -> Phase | None:
        """The phase that the next report will come from, or None at the end."""
        stage, done = self.position.stage, self.position.epochs_done
        while stage < len(self.phases):
            if done < max(self.phases[stage].epochs, int(self.phases[stage].action is not None)):
                return self.phases[stage]
            stage, done = stage + 1, 0
        return None

    def __iter__(self) -> Iterator[EpochReport]:
        keep_freed_memory()
        preparing = preparations(self.phases, self.position.stage)
        for stage in range(self.position.stage, len(self.phases)):
            phase = self.phases[stage]
            done = self.position.epochs_done if stage == self.position.stage else 0
            if phase.action is not None:
                if done:
                    continue
                if stage in preparing:
                    preparing[stage].join()
                began = time.perf_counter()
                findings = phase.action(epoch_generator(self.seed, stage, 0, self.samples.device))
                self.position = Position(stage, 1)
                yield start_report(phase, stage, time.perf_counter() - began, findings)
                continue
            if done >= phase.epochs:
                continue
            self._prepare_optimiser(phase, resumed=done > 0)
            for epoch in range(done, phase.epochs):
                began = time.perf_counter()
                before = weights_of(phase) if phase.guard is not None else []
                findings = before_epoch(phase, epoch)
                terms = self._epoch(phase, stage, epoch)
                if terms is None:
                    return
                undone = None if phase.guard is None else phase.guard()
                if undone is not None:
                    put_back(phase, before)
                self.position = Position(stage, epoch + 1 if undone is None else phase.epochs)
                seconds = time.perf_counter() - began - self._waited
                yield epoch_report(phase, stage, epoch, seconds, terms, findings, undone)
                if undone is not None:
                    break
            self._optimiser, self._optimiser_state = None, {}

    def _epoch(self, phase: Phase, stage: int, epoch: int) -> dict[str, float] | None:
        assert phase.loss is not None
        assert self._optimiser is not None
        device = self.samples.device
        generator = epoch_generator(self.seed, stage, epoch + 1, device)
        self._optimiser.learning_rate = phase.learning_rate(phase.before + epoch)
        n = len(self.samples)
        self._waited = 0.0
        order = torch.randperm(n, generator=generator, device=device)
        names: tuple[str, ...] = ()
        sums: Tensor | None = None
        autocast = torch.autocast(
            device.type, torch.bfloat16, enabled=self.precision == "bf16", cache_enabled=True
        )
        for first in range(0, n, self.batch_size):
            if self.between_batches is not None:
                asked = time.perf_counter()
                if self.between_batches(first / n):
                    return None
                self._waited += time.perf_counter() - asked  # a pause is no time of training
            rows = order[first : first + self.batch_size]
            x = as_float(self.samples.index_select(0, rows))
            with autocast, fastest_products(self.precision, device):
                terms = phase.loss(x, rows, generator)
            self._optimiser.zero_grad()
            terms["loss"].backward()
            self._optimiser.step()
            names = tuple(terms)
            share = torch.stack([value.detach() for value in terms.values()]) * len(rows)
            sums = share if sums is None else sums.add_(share)
        assert sums is not None
        return finite(dict(zip(names, (sums / n).tolist(), strict=True)), phase, epoch)

    def _prepare_optimiser(self, phase: Phase, resumed: bool) -> None:
        assert phase.parameters is not None
        if resumed and self._optimiser is not None:
            return  # somebody left the iteration, and iterates again
        self._optimiser = Adam(phase.parameters(), betas=phase.betas, eps=phase.adam_eps)
        if resumed:
            self._optimiser.restore(self._optimiser_state)

    def optimiser_state(self) -> dict[str, Tensor]:
        """Adam's moments and step counts, by ``number.name``, for :meth:`restore`."""
        return {} if self._optimiser is None else self._optimiser.state()

    def restore(self, position: Position, optimiser_state: Mapping[str, Tensor]) -> None:
        """Continue after ``position`` with the optimiser as :meth:`optimiser_state` gave it."""
        self.position = position
        self._optimiser, self._optimiser_state = None, dict(optimiser_state)


def preparations(phases: Sequence[Phase], stage: int) -> dict[int, threading.Thread]:
    """The threads, by stage, that have ready what later stages need; they run already."""
    found = {
        number: threading.Thread(target=phase.prepare, daemon=True)
        for number, phase in enumerate(phases)
        if phase.prepare is not None and number > stage
    }
    for thread in found.values():
        thread.start()
    return found


def before_epoch(phase: Phase, epoch: int) -> Mapping[str, object]:
    """What the phase does before an epoch, counted from 0, and found in doing so."""
    found = None if phase.before_epoch is None else phase.before_epoch(phase.before + epoch)
    return found or {}


def epoch_report(
    phase: Phase,
    stage: int,
    epoch: int,
    seconds: float,
    terms: Mapping[str, float],
    findings: Mapping[str, object],
    undone: str | None,
) -> EpochReport:
    """The report of an epoch of gradients, counted from 0; ``undone``: what its guard said."""
    return EpochReport(
        phase.name,
        phase.before + epoch + 1,
        phase.out_of,
        stage,
        phase.words,
        seconds,
        terms,
        findings if undone is None else {**findings, "undone": undone},
    )


def start_report(
    phase: Phase, stage: int, seconds: float, findings: Mapping[str, object]
) -> EpochReport:
    """The report of an action, which is no epoch."""
    return EpochReport(phase.name, 0, 0, stage, phase.words, seconds, {}, findings)


def weights_of(phase: Phase) -> list[Tensor]:
    """A copy of the weights that a phase moves, for :func:`put_back`."""
    assert phase.parameters is not None
    return [parameter.detach().clone() for parameter in phase.parameters()]


@torch.no_grad()
def put_back(phase: Phase, weights: Sequence[Tensor]) -> None:
    """Undo what a phase did since :func:`weights_of`."""
    assert phase.parameters is not None
    for parameter, value in zip(phase.parameters(), weights, strict=True):
        parameter.copy_(value)


def finite(means: dict[str, float], phase: Phase, epoch: int) -> dict[str, float]:
    """The means of an epoch's terms, if the loss is a number.

    Raises
    ------
    FloatingPointError
        If it is none.
    """
    if not np.isfinite(means["loss"]):
        raise FloatingPointError(
            f"The loss became {means['loss']} in epoch {epoch + 1} of {phase.words!r}: "
            "lower the learning rate, or scale the data to a spread of about 1."
        )
    return means


def as_float(samples: Tensor) -> Tensor:
    """uint8 grey levels as float32 in [0, 1]; anything else as it is."""
    return samples.float().div_(255.0) if samples.dtype is torch.uint8 else samples


def epoch_generator(
    seed: int, stage: int, epoch: int, device: torch.device | str = "cpu"
) -> torch.Generator:
    """The source of randomness of one epoch, the same whatever ran before it."""
    state = np.random.SeedSequence([seed, stage, epoch]).generate_state(1, np.uint64)
    return torch.Generator(device).manual_seed(int(state[0] >> np.uint64(1)))


def decayed(rate: float, factor: float, every: int, floor: float) -> Callable[[int], float]:
    """A learning rate times ``factor`` every so many epochs, never below ``floor``."""

    def at(epoch: int) -> float:
        return max(rate * factor ** (epoch // every), min(rate, floor))

    return at


def fastest_precision(device: torch.device, widest: tuple[int, int], batch_size: int) -> Precision:
    """Measure whether bf16 products are clearly faster than fp32 ones on this machine.

    They are where the processor has AVX512_BF16 or AMX; elsewhere they are emulated and slow.
    Networks too small to gain are left in fp32 without a look, and the gain must be clear, so
    that one machine gives one answer.

    Parameters
    ----------
    device : torch.device
    widest : tuple of int
        Shape of the networks' largest weight.
    batch_size : int

    Returns
    -------
    {"fp32", "bf16"}
    """
    forced = os.environ.get("VADE_PRECISION")
    if forced in ("fp32", "bf16"):
        return "bf16" if forced == "bf16" else "fp32"
    if widest[0] * widest[1] < 100_000:
        return "fp32"
    a = torch.ones(max(batch_size, 64), widest[1], device=device)
    w = torch.ones(widest[1], widest[0], device=device)
    a_half, w_half = a.bfloat16(), w.bfloat16()

    def seconds(x: Tensor, weight: Tensor) -> float:
        began = time.perf_counter()
        y = x @ weight
        float(y[0, 0])  # waits for an accelerator
        return time.perf_counter() - began

    # In turn, and the best of many: beside other programs either may be held up for a while, and
    # the same seed in another precision is another training.
    full = half = float("inf")
    for _ in range(PRECISION_TRIES):
        full = min(full, seconds(a, w))
        half = min(half, seconds(a_half, w_half))
    return "bf16" if half * 1.5 < full else "fp32"
