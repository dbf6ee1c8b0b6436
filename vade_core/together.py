"""Several trainings at once: one batched product in place of many.

Trainings of one shape, that differ in seed or in K, go through their schedules in step. Their
weights lie beside one another in tensors with one more dimension, and ``torch.func.vmap`` takes
the loss over it: each product of matrices is then one batched product. That is for a GPU, which
one small training leaves idle most of the time; there, a step is captured as a CUDA graph, too,
so that no time passes between its kernels. On a processor's cores batched products gain nothing
(``benchmarks/together.py``), and the trainings go one after the other.

Each training draws from its own generators, in the order in which it would draw alone. It goes
through the numbers that it would go through alone, up to rounding; free clusters amplify that.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import EllipsisType
from typing import TypeVar, cast

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn
from torch.func import functional_call, vmap

from vade_core.allocation import keep_freed_memory
from vade_core.draws import Asked, Draw, Drawn
from vade_core.models.base import LatentModel, device_named, unchanged_if_refused
from vade_core.optimiser import Adam
from vade_core.training import (
    EpochReport,
    Phase,
    Training,
    as_float,
    before_epoch,
    epoch_generator,
    epoch_report,
    finite,
    preparations,
    put_back,
    start_report,
    weights_of,
)

M = TypeVar("M", bound=LatentModel)

Step = Callable[[Tensor, Tensor, list[Tensor]], Tensor]
WARM_UP = 3  # steps before a graph is captured, as PyTorch's notes on CUDA graphs have it


class NotInStep(ValueError):
    """Trainings that cannot go in step; the message says why."""

    def __init__(self, why: str) -> None:
        super().__init__(f"These trainings cannot go in step, since {why}.")


def fit_together(
    models: Sequence[M],
    X: ArrayLike,
    y: ArrayLike | None = None,
    *,
    at_once: bool | None = None,
) -> list[M]:
    """Fit several models to the same samples, as ``fit`` would fit each.

    Parameters
    ----------
    models : sequence of LatentModel
        Of one class, with one set of settings but for ``random_state`` and ``n_clusters``.
    X, y
        As for ``fit``.
    at_once : bool, optional
        Whether as one batched product, or one after the other; by default what is quicker: at
        once on a GPU, if the models allow it.

    Returns
    -------
    list of LatentModel
        The models, fitted.

    Raises
    ------
    NotInStep
        If ``at_once`` is asked for and the models cannot be trained so; they are what they were.
    """
    on_gpu = len(models) > 1 and device_named(models[0].device).type != "cpu"
    if not (on_gpu if at_once is None else at_once):
        return [model.fit(X, y) for model in models]
    try:
        _check_settings(models)
        with unchanged_if_refused(models):
            together = Together([model._begin_fit(X, y) for model in models])
    except NotInStep:
        if at_once:
            raise
        return [model.fit(X, y) for model in models]
    try:
        for number, report in together:
            models[number].reports_.append(report)
        for model, training in zip(models, together.trainings, strict=True):
            model._end_fit(training)
    except Exception:
        for model in models:
            model._unfit()
        raise
    return list(models)


def _check_settings(models: Sequence[LatentModel]) -> None:
    """Raise NotInStep if these models differ in more than seed and K.

    The loss of the first serves all, and it reads its settings.
    """
    if len({type(model) for model in models}) > 1:
        raise NotInStep("they differ in their class")
    first, *others = (model.get_params(deep=False) for model in models)
    differ = [
        name
        for name, value in first.items()
        if name not in ("random_state", "n_clusters")
        and any(other[name] != value for other in others)
    ]
    if differ:
        raise NotInStep(f"they differ in {', '.join(differ)}")


def hindrance(trainings: Sequence[Training]) -> str | None:
    """Why these trainings cannot go in step; None if they can."""
    first = trainings[0]
    shapes = {(len(t.samples), t.batch_size, t.precision, len(t.phases)) for t in trainings}
    if len(shapes) > 1:
        return "they differ in samples, batch size, precision or stages"
    for phases in zip(*(training.phases for training in trainings), strict=True):
        settings = {
            (
                phase.epochs,
                phase.before,
                phase.adam_eps,
                phase.betas,
                phase.action is None,
                *(phase.learning_rate(phase.before + epoch) for epoch in range(phase.epochs)),
            )
            for phase in phases
        }
        if len(settings) > 1:
            return f"they differ in what {phases[0].words!r} does"
        if phases[0].action is not None or not phases[0].epochs:
            continue
        if not phases[0].modules:
            return f"{phases[0].words!r} does not tell what its loss reads"
        losses = [_Loss(phase) for phase in phases]
        if len({frozenset(_shapes_of(loss).items()) for loss in losses}) > 1:
            return "their networks or priors differ in shape"
        try:
            _asked(losses[0], first)
        except TypeError:
            return f"{phases[0].words!r} draws random numbers that are not known beforehand"
    return None


class Together:
    """Trainings carried out in step; iterate over it for their reports.

    Parameters
    ----------
    trainings : sequence of Training
        At their beginning, on one device, of the same samples, of models that differ in seed and
        K alone. They cannot be paused or resumed.

    Yields
    ------
    tuple of int and EpochReport
        Which training, and its report, as it would give it alone; its seconds are the
        training's share of the time that all took.

    Raises
    ------
    NotInStep
        If they cannot.
    """

    def __init__(self, trainings: Sequence[Training]) -> None:
        self.trainings = list(trainings)
        why = hindrance(self.trainings)
        if why is not None:
            raise NotInStep(why)

    def __iter__(self) -> Iterator[tuple[int, EpochReport]]:
        keep_freed_memory()
        preparing = preparations(self.trainings[0].phases, 0)  # the same for all
        all_phases = zip(*(training.phases for training in self.trainings), strict=True)
        for stage, phases in enumerate(all_phases):
            if phases[0].action is None:
                yield from self._epochs(stage, phases)
                continue
            if stage in preparing:
                preparing[stage].join()
            for number, (training, phase) in enumerate(zip(self.trainings, phases, strict=True)):
                assert phase.action is not None
                began = time.perf_counter()
                generator = epoch_generator(training.seed, stage, 0, training.samples.device)
                findings = phase.action(generator)
                yield number, start_report(phase, stage, time.perf_counter() - began, findings)

    def _epochs(self, stage: int, phases: Sequence[Phase]) -> Iterator[tuple[int, EpochReport]]:
        if not phases[0].epochs:
            return
        going = list(range(len(phases)))
        beside = _SideBySide(phases, self.trainings)
        for epoch in range(phases[0].epochs):
            began = time.perf_counter()
            before = {
                number: weights_of(phases[number])
                for number in going
                if phases[number].guard is not None
            }
            found = {number: before_epoch(phases[number], epoch) for number in going}
            terms = beside.epoch(stage, epoch)
            undone: dict[int, str | None] = {}
            for number in going:
                guard = phases[number].guard
                undone[number] = None if guard is None else guard()
                if undone[number] is not None:
                    put_back(phases[number], before[number])
            seconds = (time.perf_counter() - began) / len(going)
            for number, means in zip(going, terms, strict=True):
                told = (found[number], undone[number])
                yield number, epoch_report(phases[number], stage, epoch, seconds, means, *told)
            still = [number for number in going if undone[number] is None]
            if not still:
                return
            if still != going:
                beside = beside.only([going.index(number) for number in still])
                going = still


class _Loss(nn.Module):
    """A phase's loss with all that it reads, so that ``functional_call`` can put other tensors
    in its place."""

    def __init__(self, phase: Phase) -> None:
        super().__init__()
        assert phase.loss is not None
        self.read = nn.ModuleList(phase.modules)
        self.loss = phase.loss

    def forward(self, x: Tensor, rows: Tensor, source: Asked | Drawn) -> Mapping[str, Tensor]:
        # A loss hands its generator on to those who draw, and they take these as well.
        return self.loss(x, rows, cast(torch.Generator, source))


class _SideBySide:
    """One phase of several trainings, its weights in tensors of shape (S, ...).

    The models' own weights are brought up to date after every epoch, and are read again before
    the next: what guards and ``before_epoch`` see and change is theirs.
    """

    def __init__(
        self,
        phases: Sequence[Phase],
        trainings: Sequence[Training],
        moments: Mapping[str, Tensor] | None = None,
    ) -> None:
        self.phases = list(phases)
        self.trainings = list(trainings)
        self.losses = [_Loss(phase) for phase in phases]
        self.device = trainings[0].samples.device
        assert phases[0].parameters is not None
        wanted = {id(parameter) for parameter in phases[0].parameters()}
        own = [_tensors_of(loss) for loss in self.losses]
        trained = {name for name, value in own[0].items() if id(value) in wanted}
        self.stacked = {
            name: _room([tensors[name] for tensors in own], _padding(self.losses[0], name) or 0.0)
            for name in own[0]
        }
        for name in trained:
            self.stacked[name].requires_grad_()
        self.adam = Adam(
            [cast(nn.Parameter, self.stacked[name]) for name in self.stacked if name in trained],
            betas=phases[0].betas,
            eps=phases[0].adam_eps,
        )
        if moments:
            self.adam.restore(self._cropped(moments))
        self._graph: Step | None = None
        self._draws: dict[int, list[Draw]] = {}
        self.names: tuple[str, ...] = ()

    def only(self, places: Sequence[int]) -> _SideBySide:
        """The trainings at these places alone, going on where they are."""
        chosen = torch.tensor(places, device=self.device)
        moments = {
            name: value if name.endswith(".step") else value.index_select(0, chosen)
            for name, value in self.adam.state().items()
        }
        return _SideBySide(
            [self.phases[place] for place in places],
            [self.trainings[place] for place in places],
            moments,
        )

    def _cropped(self, moments: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Moments without the rows of clusters that none of these trainings has."""
        shapes = [parameter.shape for parameter in self.adam.parameters]
        return {
            name: value[tuple(map(slice, shapes[int(name.split(".")[0])]))] if value.ndim else value
            for name, value in moments.items()
        }

    def epoch(self, stage: int, epoch: int) -> list[dict[str, float]]:
        """Train an epoch; the means of the terms of each training."""
        self._read()
        first = self.trainings[0]
        n, batch = len(first.samples), first.batch_size
        generators = [
            epoch_generator(training.seed, stage, epoch + 1, self.device)
            for training in self.trainings
        ]
        orders = torch.stack(
            [torch.randperm(n, generator=g, device=self.device) for g in generators]
        )
        self._set_rate(self.phases[0].learning_rate(self.phases[0].before + epoch))
        sums: Tensor | None = None
        for at in range(0, n, batch):
            rows = orders[:, at : at + batch]
            x = as_float(first.samples.index_select(0, rows.reshape(-1)))
            x = x.reshape(*rows.shape, x.shape[-1])
            numbers = [
                torch.stack([draw.of(generator) for generator in generators])
                for draw in self._asked(rows.shape[1])
            ]
            share = self._stepped(x, rows, numbers) * rows.shape[1]
            sums = share if sums is None else sums.add_(share)
        assert sums is not None
        self._hand_back()
        return [
            finite(dict(zip(self.names, means, strict=True)), phase, epoch)
            for means, phase in zip((sums / n).T.tolist(), self.phases, strict=True)
        ]

    # -- a step -----------------------------------------------------------------------------

    def _stepped(self, x: Tensor, rows: Tensor, numbers: list[Tensor]) -> Tensor:
        """Move all weights by a batch; the terms, (terms, S)."""
        whole = rows.shape[1] == self.trainings[0].batch_size
        if self.device.type != "cuda" or not whole:
            return self._eager(x, rows, numbers)
        if self._graph is None:
            self._graph = self._captured(x, rows, numbers)
        return self._graph(x, rows, numbers)

    def _eager(self, x: Tensor, rows: Tensor, numbers: list[Tensor]) -> Tensor:
        template = self.losses[0]

        def of_one(
            tensors: dict[str, Tensor], x: Tensor, rows: Tensor, numbers: list[Tensor]
        ) -> dict[str, Tensor]:
            return dict(functional_call(template, tensors, (x, rows, Drawn(numbers))))

        half = self.trainings[0].precision == "bf16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=half, cache_enabled=False):
            terms = vmap(of_one)(self.stacked, x, rows, numbers)
        self.adam.zero_grad()
        terms["loss"].sum().backward()
        self.adam.step()
        self.names = tuple(terms)
        return torch.stack([value.detach() for value in terms.values()])

    def _set_rate(self, rate: float) -> None:
        if self.device.type != "cuda":
            self.adam.learning_rate = rate
        elif isinstance(self.adam.learning_rate, Tensor):
            self.adam.learning_rate.fill_(rate)  # where a captured step looks for it
        else:
            self.adam.learning_rate = torch.tensor(rate, dtype=torch.float32, device=self.device)

    def _captured(self, x: Tensor, rows: Tensor, numbers: list[Tensor]) -> Step:
        """The step as a CUDA graph: its kernels are sent off all at once.

        It reads its batch from tensors that stay where they are. Steps that warm it up move the
        weights, which are put back.
        """
        batch = [x.clone(), rows.clone(), *(drawn.clone() for drawn in numbers)]
        weights = {name: value.detach().clone() for name, value in self.stacked.items()}
        moments = {name: value.clone() for name, value in self.adam.state().items()}
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.device(self.device):
            here, aside = torch.cuda.current_stream(), torch.cuda.Stream()
            aside.wait_stream(here)
            with torch.cuda.stream(aside):
                for _ in range(WARM_UP):
                    self._eager(batch[0], batch[1], batch[2:])
            here.wait_stream(aside)
            with torch.no_grad():
                for name, value in weights.items():
                    self.stacked[name].copy_(value)
                for name, value in self.adam.state().items():
                    value.copy_(moments[name]) if name in moments else value.zero_()
            with torch.cuda.graph(graph, stream=aside):
                terms = self._eager(batch[0], batch[1], batch[2:])

        def step(x: Tensor, rows: Tensor, numbers: list[Tensor]) -> Tensor:
            for place, value in zip(batch, (x, rows, *numbers), strict=True):
                place.copy_(value)
            graph.replay()
            return terms

        return step

    def _asked(self, size: int) -> list[Draw]:
        if size not in self._draws:
            self._draws[size] = _asked(self.losses[0], self.trainings[0], size)
        return self._draws[size]

    # -- to and from the models -------------------------------------------------------------

    @torch.no_grad()
    def _read(self) -> None:
        for place, loss in enumerate(self.losses):
            for name, value in _tensors_of(loss).items():
                self.stacked[name][place][_within(value)].copy_(value)

    @torch.no_grad()
    def _hand_back(self) -> None:
        for place, loss in enumerate(self.losses):
            for name, value in _tensors_of(loss).items():
                value.copy_(self.stacked[name][place][_within(value)])


def _tensors_of(loss: _Loss) -> dict[str, Tensor]:
    """All that a loss reads, by name."""
    return {**dict(loss.named_parameters()), **dict(loss.named_buffers())}


def _padding(loss: _Loss, name: str) -> float | None:
    """What fills up this tensor where another training's has more clusters; None: nothing does."""
    owner, _, leaf = name.rpartition(".")
    padding: Mapping[str, float] = getattr(loss.get_submodule(owner), "padding", {})
    return padding.get(leaf)


def _shapes_of(loss: _Loss) -> dict[str, tuple[int, ...]]:
    """The shapes that must agree: all but how many clusters there are."""
    return {
        name: tuple(value.shape if _padding(loss, name) is None else value.shape[1:])
        for name, value in _tensors_of(loss).items()
    }


def _room(tensors: Sequence[Tensor], filling: float) -> Tensor:
    """Room for tensors beside one another, (S, ...), of the longest's size; all of it filling."""
    longest = max(tensors, key=lambda value: value.shape[:1])
    return torch.full_like(longest, filling).expand(len(tensors), *longest.shape).clone()


def _within(value: Tensor) -> slice | EllipsisType:
    """Where a tensor lies in one that is filled up."""
    return slice(len(value)) if value.ndim else ...


@torch.no_grad()
def _asked(loss: _Loss, training: Training, size: int | None = None) -> list[Draw]:
    """What a loss will draw for a batch of this size.

    Raises
    ------
    TypeError
        If it draws otherwise than :mod:`vade_core.draws` does.
    """
    rows = torch.arange(size or training.batch_size, device=training.samples.device)
    x = as_float(training.samples.index_select(0, rows))
    # Clusters to be held to are not known before the start: any will do here.
    known = {
        name: value if value.is_floating_point() else value.clamp_min(0)
        for name, value in _tensors_of(loss).items()
    }
    asked = Asked(x.device)
    functional_call(loss, known, (x, rows, asked))
    return asked.draws
