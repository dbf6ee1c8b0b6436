"""A drawn digit is centred and scaled as MNIST's were."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from vade_core.data import load
from vade_core.drawing import centred, ink_box, usual_box


@pytest.fixture(scope="module")
def mnist() -> np.ndarray:
    data = load("mnist")
    return data.samples[::700].reshape(-1, 28, 28)


def test_mnists_digits_fill_a_box_of_20(mnist: np.ndarray) -> None:
    assert usual_box(mnist) == 20
    digits = load("digits")
    assert usual_box(digits.samples[:300].reshape(-1, 8, 8)) == 8


def test_mnists_digits_stay_what_they_are(mnist: np.ndarray) -> None:
    """All but those whose centre lies just between two pixels, to the last grey level."""
    errors = [np.abs(centred(p, (28, 28), 20) - p).mean() for p in mnist / 255.0]
    assert np.mean(np.array(errors) < 1e-3) > 0.95


def test_a_digit_off_centre_and_enlarged_comes_back(mnist: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    errors, likeness, shifted = [], [], []
    for picture in mnist:
        size = int(rng.integers(90, 260))
        large = np.asarray(Image.fromarray(picture).resize((size, size), Image.Resampling.BICUBIC))
        paper = np.zeros((400, 420))
        top, left = (int(v) for v in rng.integers(0, 400 - size, 2))
        paper[top : top + size, left : left + size] = large / 255.0
        back = centred(paper, (28, 28), 20)
        # A centre of mass just between two pixels may fall to the other one.
        near = {
            (dy, dx): np.roll(picture / 255.0, (dy, dx), axis=(0, 1))
            for dy in (-1, 0, 1)
            for dx in (-1, 0, 1)
        }
        place = min(near, key=lambda moved: float(np.abs(back - near[moved]).mean()))
        errors.append(np.abs(back - near[place]).mean())
        likeness.append(np.corrcoef(back.ravel(), near[place].ravel())[0, 1])
        shifted.append(place != (0, 0))
    assert np.median(errors) < 0.03
    assert np.percentile(likeness, 5) > 0.93
    assert min(likeness) > 0.8
    assert np.mean(shifted) < 0.2


def test_a_wide_stroke_keeps_its_proportions_and_its_centre() -> None:
    paper = np.zeros((300, 300))
    paper[10:30, 40:240] = 1.0
    picture = centred(paper, (28, 28), 20)
    assert ink_box(picture) == (13, 15, 4, 24)
    assert picture.max() == pytest.approx(1.0)


def test_its_centre_of_mass_lies_in_the_middle_pixel() -> None:
    paper = np.zeros((200, 200))
    paper[0:100, 5:25] = 1.0
    paper[80:100, 5:90] = 1.0
    picture = centred(paper, (28, 28), 20)
    for axis in (0, 1):
        centre = picture.sum(axis=1 - axis) @ np.arange(28) / picture.sum()
        assert abs(centre - 14) <= 0.5
    assert picture.sum() == pytest.approx(paper.sum() * (20 / 100) ** 2, rel=1e-6)


def test_nothing_drawn_is_nothing_and_a_dot_is_a_box() -> None:
    assert not centred(np.zeros((50, 50)), (28, 28), 20).any()
    dot = np.zeros((50, 50))
    dot[3, 7] = 1.0
    assert centred(dot, (28, 28), 20).sum() == pytest.approx(400)
    with pytest.raises(ValueError, match="does not fit"):
        centred(dot, (8, 8), 20)
    with pytest.raises(ValueError, match="ink"):
        usual_box(np.zeros((2, 8, 8), np.uint8))
