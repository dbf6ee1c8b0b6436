"""The loop: what it reports, where it stops, what it counts."""

from __future__ import annotations

import time

import pytest
import torch

from vade_core.optimiser import Adam
from vade_core.training import (
    Phase,
    Position,
    Training,
    as_float,
    decayed,
    epoch_generator,
    fastest_precision,
)


def schedule(weight: torch.nn.Parameter, epochs: int = 3) -> list[Phase]:
    def loss(
        x: torch.Tensor, rows: torch.Tensor, generator: torch.Generator
    ) -> dict[str, torch.Tensor]:
        noise = torch.randn(1, generator=generator)
        return {"loss": ((weight - x.mean() - noise) ** 2).sum()}

    return [
        Phase("pretrain", "first", 2, loss=loss, parameters=lambda: [weight]),
        Phase("start", "between", action=lambda generator: {"found": 7}),
        Phase("train", "last", epochs, loss=loss, parameters=lambda: [weight]),
    ]


def fresh() -> tuple[torch.nn.Parameter, torch.Tensor]:
    return torch.nn.Parameter(torch.zeros(1)), torch.linspace(0, 1, 40).reshape(20, 2)


def test_reports_follow_the_schedule() -> None:
    weight, x = fresh()
    training = Training(x, schedule(weight), seed=0, batch_size=8)
    reports = list(training)
    assert [(r.phase, r.epoch, r.epochs, r.stage) for r in reports] == [
        ("pretrain", 1, 2, 0),
        ("pretrain", 2, 2, 0),
        ("start", 0, 0, 1),
        ("train", 1, 3, 2),
        ("train", 2, 3, 2),
        ("train", 3, 3, 2),
    ]
    assert reports[2].findings == {"found": 7}
    assert training.finished
    assert training.current is None


def test_a_last_phase_without_epochs_leaves_nothing_to_do() -> None:
    weight, x = fresh()
    training = Training(x, schedule(weight, epochs=0), seed=0, batch_size=8)
    assert not training.finished
    assert [report.phase for report in training] == ["pretrain", "pretrain", "start"]
    assert training.finished
    assert Training(x, [], seed=0, batch_size=8).finished


@pytest.mark.parametrize("restored", [True, False])
@pytest.mark.parametrize("done", range(1, 6))
def test_it_continues_anywhere_to_the_same_numbers(done: int, restored: bool) -> None:
    """From what was kept, or by iterating again over a training that was left."""
    weight, x = fresh()
    list(Training(x, schedule(weight), seed=3, batch_size=8))
    cut, _ = fresh()
    first = Training(x, schedule(cut), seed=3, batch_size=8)
    for number, _report in enumerate(first, start=1):
        if number == done:
            break
    second = first
    if restored:
        kept = {name: value.clone() for name, value in first.optimiser_state().items()}
        second = Training(x, schedule(cut), seed=3, batch_size=8)
        second.restore(first.position, kept)
    assert len(list(second)) == 6 - done
    assert torch.equal(cut, weight)


def test_an_epoch_that_is_cut_short_gives_no_report() -> None:
    weight, x = fresh()
    asked: list[float] = []

    def stop(share: float) -> bool:
        asked.append(share)
        return len(asked) == 5

    training = Training(x, schedule(weight), seed=0, batch_size=8, between_batches=stop)
    assert [report.epoch for report in training] == [1]
    assert training.position == Position(0, 1)
    assert not training.finished
    assert asked[:3] == [0.0, 0.4, 0.8]


def test_a_pause_is_no_time_of_training() -> None:
    weight, x = fresh()

    def wait(share: float) -> None:
        time.sleep(0.15)

    reports = list(Training(x, schedule(weight), seed=0, batch_size=20, between_batches=wait))
    assert all(report.seconds < 0.14 for report in reports)


def test_a_loss_that_is_no_number_is_told() -> None:
    weight, x = fresh()
    phase = Phase(
        "train",
        "exploding",
        1,
        loss=lambda x, rows, generator: {"loss": (weight * float("inf")).sum()},
        parameters=lambda: [weight],
    )
    with pytest.raises(FloatingPointError, match="exploding"):
        list(Training(x, [phase], seed=0, batch_size=8))


def test_grey_levels_become_shares_of_one() -> None:
    assert as_float(torch.tensor([0, 255], dtype=torch.uint8)).tolist() == [0.0, 1.0]
    real = torch.tensor([-3.0, 2.0])
    assert as_float(real) is real


def test_every_epoch_has_a_randomness_of_its_own() -> None:
    draws = {
        float(torch.rand(1, generator=epoch_generator(seed, stage, epoch)))
        for seed in (0, 1)
        for stage in (0, 1)
        for epoch in (0, 1)
    }
    assert len(draws) == 8


def test_the_learning_rate_has_a_floor_but_never_rises_to_it() -> None:
    assert decayed(1e-3, 0.5, 10, 0.0)(20) == pytest.approx(2.5e-4)
    assert decayed(1e-3, 0.5, 10, 2e-4)(1000) == 2e-4
    assert decayed(1e-5, 0.5, 10, 2e-4)(1000) == 1e-5


def test_adam_computes_the_numbers_of_the_librarys() -> None:
    generator = torch.Generator().manual_seed(0)
    shapes = [(7, 5), (5,), (3, 300)]
    starts = [torch.randn(shape, generator=generator) for shape in shapes]
    ours = [torch.nn.Parameter(start.clone()) for start in starts]
    theirs = [torch.nn.Parameter(start.clone()) for start in starts]
    library = torch.optim.Adam(theirs, lr=1e-3, betas=(0.5, 0.99), eps=1e-4, fused=True)
    adam = Adam(ours, betas=(0.5, 0.99), eps=1e-4)
    for step in range(8):
        if step == 4:  # as a training that was killed and resumed
            state = {name: value.clone() for name, value in adam.state().items()}
            adam = Adam(ours, betas=(0.5, 0.99), eps=1e-4)
            adam.restore(state)
        rate = 2.0 ** -(step + 6)
        library.param_groups[0]["lr"] = rate
        adam.learning_rate = torch.tensor(rate) if step % 2 else rate
        adam.zero_grad()
        library.zero_grad()
        for i, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
            if i == 1 and step < 3:
                continue  # a head that does not take part yet
            gradient = torch.randn(mine.shape, generator=generator)
            mine.grad, other.grad = gradient, gradient.clone()
        adam.step()
        library.step()
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=0)
    found = library.state_dict()["state"]
    assert {name: float(value.sum()) for name, value in adam.state().items()} == {
        f"{number}.{name}": float(value.sum())
        for number, values in found.items()
        for name, value in values.items()
    }


def test_adam_leaves_no_subnormal_moments_and_moves_the_weights_all_the_same() -> None:
    """They are slow on many processors: what a unit that has died keeps of its moments."""
    generator = torch.Generator().manual_seed(0)
    start = torch.randn((4, 50), generator=generator)
    mine, other = torch.nn.Parameter(start.clone()), torch.nn.Parameter(start.clone())
    adam, library = Adam([mine]), torch.optim.Adam([other], fused=True)
    for step in range(1_200):
        gradient = torch.randn(start.shape, generator=generator)
        if step >= 100:
            gradient[0] = 0.0  # dead: its first moment decays by 0.9 a step
            gradient[1] *= 1e-21  # its second moment is subnormal from here on
        mine.grad, other.grad = gradient, gradient.clone()
        adam.learning_rate = library.param_groups[0]["lr"] = 1e-3
        adam.step()
        library.step()

    def subnormal(moment: torch.Tensor) -> int:
        return int(((moment != 0) & (moment.abs() < torch.finfo(torch.float32).tiny)).sum())

    kept = library.state_dict()["state"][0]
    assert subnormal(kept["exp_avg"]) == 50
    state = adam.state()
    assert subnormal(state["0.exp_avg"]) == subnormal(state["0.exp_avg_sq"]) == 0
    torch.testing.assert_close(mine, other, rtol=0, atol=0)
    # All that still moves keeps its moments to the last bit.
    torch.testing.assert_close(state["0.exp_avg"][2:], kept["exp_avg"][2:], rtol=0, atol=0)
    torch.testing.assert_close(state["0.exp_avg_sq"][2:], kept["exp_avg_sq"][2:], rtol=0, atol=0)


@pytest.mark.parametrize(
    ("full", "half", "chosen"), [(2.0, 1.0, "bf16"), (1.2, 1.0, "fp32"), (1.0, 3.0, "fp32")]
)
@pytest.mark.parametrize("held_up", [(0, 0), (30, 0), (0, 30), (20, 30)])
def test_a_busy_machine_answers_as_a_quiet_one_does(
    full: float,
    half: float,
    chosen: str,
    held_up: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first so many products in each precision take ten times as long."""
    monkeypatch.delenv("VADE_PRECISION", raising=False)
    now = [0.0]

    class Product:
        def __init__(self, seconds: float, slow: int) -> None:
            self.seconds, self.left = seconds, slow

        def bfloat16(self) -> Product:
            return Product(half, held_up[1])

        def __matmul__(self, other: Product) -> torch.Tensor:
            self.left -= 1
            now[0] += self.seconds * (10 if self.left >= 0 else 1)
            return torch.zeros(1, 1)

    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(torch, "ones", lambda *shape, device: Product(full, held_up[0]))
    assert fastest_precision(torch.device("cpu"), (2000, 500), 256) == chosen
