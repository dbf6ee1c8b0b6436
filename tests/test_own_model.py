"""What the README says of adding a model, done to the letter."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import streamlit as st

import vade_core.models
from tests.conftest import opened_page
from vade_core.cli import main
from vade_core.data import load
from vade_core.models import MODELS, ModelEntry
from vade_core.rebuild import load_model
from vade_core.runs import Run

ROOT = Path(__file__).parents[1]


@pytest.fixture
def added() -> Iterator[str]:
    """The README's model in the registry, as its two pieces of code put it there."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text.split("### Add your own model", 1)[1].split("\n## ", 1)[0]
    model, entry = re.findall(r"```python\n(.*?)```", section, flags=re.DOTALL)
    lines = [line for line in (model + entry).splitlines() if line.strip()]
    assert len(lines) < 30
    name = "vade_core.models.free_bits"
    module = ModuleType(name)
    found = eval("{" + entry + "}", {"ModelEntry": ModelEntry})
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, name, module)
        exec(compile(model, "README.md", "exec", dont_inherit=True), module.__dict__)
        patch.setattr(vade_core.models, "free_bits", module, raising=False)
        for key, value in found.items():
            patch.setitem(MODELS, key, value)
        yield next(iter(found))


def test_a_model_of_ones_own_takes_a_file_and_an_entry(
    added: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VADE_RUNS", str(tmp_path))
    assert main(["models", "--json"]) == 0
    assert f'"{added}"' in capsys.readouterr().out
    short = ["--dataset", "digits", "--subset", "300", "--hidden", "24", "--epochs", "2",
             "--set", "free_nats=4"]  # fmt: skip
    run_id = "own-model"
    assert main(["train", "--model", added, *short, "--maps", "pca", "--out",
                 str(tmp_path / run_id)]) == 0  # fmt: skip
    run = Run(tmp_path / run_id)
    last = run.metrics()[-1]
    assert last["loss"] == pytest.approx(last["reconstruction"] + max(4.0, last["latent_kl"]), 0.05)
    model, samples = load_model(run), load("digits").samples[:50]
    np.testing.assert_array_equal(model.predict(samples), load_model(run).predict(samples))
    for page in ("time-machine", "clusters", "interpolate", "compare", "load"):
        app = opened_page(page, run=run_id)
        assert not app.error, page
    train = opened_page("train", model=added)
    assert not train.error
    assert MODELS[added].summary in [caption.value for caption in train.caption]
    st.cache_resource.clear()
