"""Every model of the registry: trained by a worker, measured, and opened on every page."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
import torch
from conftest import ROOT
from streamlit.testing.v1 import AppTest

from pages.shared import session
from pages.shared.run_view import VIEWS
from vade_core.configure import configure
from vade_core.evaluated import keep_evaluation
from vade_core.jobs import JobManager
from vade_core.models import MODELS
from vade_core.recorder import create_run
from vade_core.runs import UNTRAINED, Run, RunConfig
from vade_core.worker import Worker

# Of these each model gets the ones that its constructor takes.
SETTINGS: dict[str, Any] = {
    "hidden": [16, 16],
    "batch_size": 64,
    "epochs": 2,
    "pretrain_epochs": 2,
    "clamped_epochs": 1,
    "start_restarts": 1,
    "restarts": 1,
}
PARTNER = "partner"  # what Compare holds every model against


def accepted(model: str) -> dict[str, Any]:
    known = inspect.signature(MODELS[model].estimator).parameters
    return {name: value for name, value in SETTINGS.items() if name in known}


def trained(root: Path, model: str, name: str) -> Run:
    """A finished run in this process, with what Compare would else have measured elsewhere."""
    config = configure(
        model=model, dataset="digits", subset=300, lenses=["pca"], overrides=accepted(model)
    )
    config.threads = torch.get_num_threads()
    run = create_run(root, config, root / name)
    assert Worker(run).work() == "finished"
    keep_evaluation(run, run.path)
    return run


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs of all models, and one that each of them is compared with."""
    found = tmp_path_factory.mktemp("every-model")
    trained(found, "vae", PARTNER)
    return found


@pytest.fixture
def asked(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[RunConfig]]:
    """What the pages asked to be trained, which nobody trains."""
    configs: list[RunConfig] = []

    def submit(manager: JobManager, config: RunConfig) -> Run:
        configs.append(config)
        return Run(root / PARTNER)

    monkeypatch.setenv("VADE_RUNS", str(root))
    monkeypatch.setattr(JobManager, "submit", submit)
    yield configs
    session.job_manager().close()
    st.cache_resource.clear()
    st.cache_data.clear()


def troubles(app: AppTest) -> list[str]:
    return [element.value for element in (*app.exception, *app.error)]


def gone_to(app: AppTest, page: str, **query: str) -> list[str]:
    """Go to a page as a person does who is in the app already; what is wrong there."""
    app.switch_page(f"pages/{page}.py")
    app.query_params.clear()
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    return [f"{page} {query}: {words}" for words in troubles(app)]


@pytest.mark.parametrize("model", list(MODELS))
def test_a_model_is_trained_measured_and_opens_on_every_page(
    root: Path, model: str, asked: list[RunConfig]
) -> None:
    run = trained(root, model, model)
    lines, settings = run.metrics(), run.config.parameters
    without = not {"epochs", "pretrain_epochs"} & set(settings)
    assert (lines[0]["phase"] == UNTRAINED) == (not without)
    assert len(lines) == (1 if without else len(run.frame_numbers()))
    assert lines[-1]["acc"] is not None
    frame = run.frame(run.frame_numbers()[-1])
    assert frame.clusters is not None
    assert len(frame.prior["means"]) == run.config.clusters

    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    wrong = troubles(app)
    for page in ("clusters", "interpolate", "time-machine", "how-many-clusters"):
        wrong += gone_to(app, page, run=run.id)
    for step in ("1", "8"):
        wrong += gone_to(app, "lesson", step=step)
    for view in VIEWS:
        wrong += gone_to(app, "load", run=run.id, view=view)
    wrong += gone_to(app, "compare", runs=f"{run.id},{PARTNER}")
    wrong += gone_to(app, "train", run=run.id, model=model, dataset="digits")
    assert wrong == []

    # The page asks for epochs where there are some, and what it starts is this very model.
    assert ("train-epochs" in {field.key for field in app.number_input}) == ("epochs" in settings)
    app.button(key="train-start").click().run()
    assert troubles(app) == []
    assert [config.model for config in asked] == [model]
    assert asked[0].parameters.keys() == settings.keys()
