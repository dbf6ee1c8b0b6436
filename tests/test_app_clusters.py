"""The page Clusters on real tiny runs, and what its parts count, write and say."""

from __future__ import annotations

import base64
import csv
import dataclasses
import io
import itertools
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamlit as st
from conftest import opened_page
from scipy.optimize import linear_sum_assignment

from pages.shared import session
from pages.shared.networks import cached_model, packed_networks
from pages.shared.studio import (
    DEFAULTS,
    VAE_ROWS,
    latents_of,
    packed_values,
    settings_in_link,
    settings_of,
    studio_message,
)
from pages.shared.studio_acc import (
    Counts,
    acc_spec,
    count_all,
    counted_all,
    counts_csv,
    stage_counts,
)
from pages.shared.studio_distances import (
    distances_csv,
    distances_of,
    in_order,
    read_samples,
    sentence_about,
)
from pages.shared.studio_facts import gather_facts
from pages.shared.studio_files import clusters_csv, samples_npz, served_by
from tests.test_app_start_load import errors_of, link_of, words_of
from vade_core import metrics
from vade_core.cli import main
from vade_core.colours import colour_of
from vade_core.data import DataError
from vade_core.portable import digest_of
from vade_core.runs import CHECKPOINT, METRICS, Run

VADE, VAE, HOT, SEVEN = "vade-small", "vae-small", "hot-small", "vade-seven"
PROFILES, PLAIN = "profiles", "plain"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny runs of every kind that the page has to cope with, trained once."""
    root = tmp_path_factory.mktemp("made")
    digits = ["train", "--dataset", "digits", "--subset", "300", "--hidden", "32,32"]
    digits += ["--preset", "short", "--maps", "pca"]
    vade = ["--pretrain-epochs", "2", "--epochs", "2"]
    assert main([*digits, *vade, "--out", str(root / VADE)]) == 0
    assert main([*digits, *vade, "--clusters", "7", "--out", str(root / SEVEN)]) == 0
    assert main([*digits, "--model", "vae", "--epochs", "2", "--out", str(root / VAE)]) == 0
    hot = ["--model", "lambda-hot", "--epochs", "4", "--out", str(root / HOT)]
    assert main([*digits, *hot]) == 0
    rng = np.random.default_rng(0)
    labels = np.arange(120) % 3
    X = (4 * rng.normal(size=(3, 9))[labels] + rng.normal(size=(120, 9))).astype(np.float32)
    for name, arrays in ((PROFILES, {"X": X, "y": labels}), (PLAIN, {"X": X})):
        np.savez(root / f"{name}.npz", **arrays)
        words = ["train", "--data", str(root / f"{name}.npz"), "--clusters", "3", *digits[5:]]
        assert main([*words, *vade, "--out", str(root / name)]) == 0
    return root


@pytest.fixture
def runs(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Copies of the tiny runs, where the app looks."""
    root = tmp_path / "runs"
    shutil.copytree(made, root)
    monkeypatch.setenv("VADE_RUNS", str(root))
    monkeypatch.setattr(session, "recorded_root", lambda: tmp_path / "recorded")
    yield root
    session.job_manager().close()
    st.cache_resource.clear()
    st.cache_data.clear()


opened = partial(opened_page, "clusters")


def facts_and_model(path: Path) -> tuple[Run, Any, Any]:
    run = Run(path)
    model = cached_model(run)
    return run, model, gather_facts(run, model)


# --- The page -----------------------------------------------------------------------------------


def test_without_runs_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VADE_RUNS", str(tmp_path / "none"))
    monkeypatch.setattr(session, "recorded_root", lambda: tmp_path / "recorded")
    assert "No runs yet" in words_of(opened())
    session.job_manager().close()
    st.cache_resource.clear()


@pytest.mark.parametrize(
    ("run", "said", "unsaid"),
    [
        (VADE, ["What is ACC?", "own digit"], ["N(0, I)"]),
        (SEVEN, ["What is ACC?", "own digit"], []),
        (HOT, ["trained with the labels"], ["N(0, I)"]),
        (VAE, ["cannot be asked for a cluster", "fitted to the latents"], ["own digit"]),
        (PROFILES, ["to their own class", "among the 20 that the run keeps"], []),
        (PLAIN, ["no labels: purity and ACC", "nearest to the real ones they hold"], ["own class"]),
    ],
)
def test_every_kind_of_run_opens_and_says_what_does_not_apply(
    runs: Path, run: str, said: list[str], unsaid: list[str]
) -> None:
    app = opened(run=run)
    words = words_of(app) + " ".join(element.value for element in app.info)
    assert not errors_of(app)
    for sentence in said:
        assert sentence in words
    for sentence in unsaid:
        assert sentence not in words
    assert link_of(app)["run"] == run


def test_a_run_without_checkpoint_and_a_broken_one_are_named(runs: Path) -> None:
    (runs / VADE / CHECKPOINT).write_bytes(b"GIF89a and then something else")
    assert CHECKPOINT in errors_of(opened(run=VADE))[0]
    (runs / VADE / CHECKPOINT).unlink()
    assert "no trained model yet" in opened(run=VADE).info[0].value
    (error,) = errors_of(opened(run="../../etc"))
    assert "run" in error


def test_a_run_that_still_pretrains_has_no_clusters_yet(runs: Path) -> None:
    path = runs / VADE / METRICS
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if '"pretrain"' in line))
    assert "no clusters yet" in opened(run=VADE).info[0].value


def test_the_server_decodes_where_the_link_says_so_and_the_page_says_it(runs: Path) -> None:
    app = opened(run=HOT, decode="server", seed="5", count="3")
    assert "The server decodes here" in words_of(app)
    run, model, facts = facts_and_model(runs / HOT)
    settings = settings_of({"seed": 5, "count": 3})
    served = served_by(run, settings)
    assert served["for"] == {"count": 3, "temperature": 1.0, "seed": 5}
    latents, _ = latents_of(model, settings)
    flat = latents.reshape(30, -1)
    grey = np.frombuffer(base64.b64decode(served["samples"]["bytes"]), np.uint8)
    assert np.abs(grey.reshape(30, 64) - 255 * model.decode(flat)).max() <= 0.5 + 1e-3
    gamma = np.frombuffer(base64.b64decode(served["gamma"]), "<f4").reshape(30, served["k"])
    assert np.allclose(gamma, model.responsibilities(flat), atol=1e-6)
    means = np.frombuffer(base64.b64decode(served["means"]["bytes"]), np.uint8).reshape(10, 64)
    expected = model.decode(model.prior_.components()[1].numpy())
    assert np.abs(means - 255 * expected).max() <= 0.5 + 1e-3
    message = studio_message(facts, None, settings, served)
    # Other samples are no other run: what a person has chosen stays.
    other = studio_message(facts, None, settings, served_by(run, settings | {"seed": 6}))
    assert message["stamp"] == other["stamp"]
    assert message["nearest"]["count"] == len(facts.real)


def test_long_samples_travel_no_finer_than_they_are_drawn() -> None:
    values = np.arange(2 * 450, dtype=float).reshape(2, 450)
    packed = packed_values(values, None)
    found = np.frombuffer(base64.b64decode(packed["bytes"]), "<f4").reshape(2, packed["length"])
    assert found.shape == (2, 200)
    edges = [c * 450 // 200 for c in range(201)]
    cut = [values[1, i:j].mean() for i, j in itertools.pairwise(edges)]
    assert np.allclose(found[1], cut)


def test_a_run_goes_along_from_page_to_page_until_a_link_asks_for_another(runs: Path) -> None:
    app = opened(run=SEVEN)
    for page, key in (("interpolate", "ip-run"), ("time-machine", "tm-run")):
        app.query_params.clear()  # the navigation leaves them behind
        app.switch_page(f"pages/{page}.py").run()
        assert app.selectbox(key=key).value == SEVEN
        assert link_of(app)["run"] == SEVEN
    app.selectbox(key="tm-run").select(HOT).run()
    app.query_params.clear()
    app.switch_page("pages/clusters.py").run()
    assert app.selectbox(key="cs-run").value == HOT
    app.switch_page("pages/interpolate.py")
    app.query_params["run"] = VADE
    app.run()
    assert app.selectbox(key="ip-run").value == VADE
    # An opened run goes along, too.
    app.switch_page("pages/load.py")
    app.query_params["run"] = SEVEN
    app.run()
    app.query_params.clear()
    app.switch_page("pages/time-machine.py").run()
    assert app.selectbox(key="tm-run").value == SEVEN
    assert not app.exception


def test_a_studio_begins_with_the_link_and_comes_back_as_it_was_left(runs: Path) -> None:
    app = opened(run=VADE, count="4", temperature="0.5")
    begin = app.session_state[f"cs-begin-{VADE}"]
    assert begin == {**DEFAULTS, "count": 4, "temperature": 0.5}
    assert link_of(app)["temperature"] == "0.5"
    assert not app.toast
    # What the browser tells when a slider is let go.
    left = {**DEFAULTS, "count": 9, "seed": 31}
    app.session_state[f"cs-now-{VADE}"] = left
    app.run()
    assert not app.exception
    assert app.session_state[f"cs-begin-{VADE}"] == left
    assert (link_of(app)["count"], link_of(app)["seed"]) == ("9", "31")
    assert "temperature" not in link_of(app)
    told = opened(run=VADE, count="many", temperature="1.00", seed="2000", order="gamma").toast
    assert [one.value.split(" is ")[0] for one in told] == ["The link's count", "The link's seed"]


def test_counting_all_samples_gives_the_acc_of_the_run(runs: Path) -> None:
    run, _, facts = facts_and_model(runs / VADE)
    assert stage_counts(run, facts).is_all
    count_all(run)
    found = counted_all(run, facts)
    assert found.is_all
    assert found.table.sum() == 300
    assert found.accuracy == pytest.approx(run.metrics()[-1]["acc"], abs=1e-12)
    assert found.table.sum(axis=1).tolist() == run.metrics()[-1]["sizes"]
    assert found.table.tolist() == stage_counts(run, facts).table.tolist()
    assert "That is the ACC of the run" in " ".join(acc_spec(found, "digit")["steps"][-1]["words"])
    assert counted_all(Run(runs / SEVEN), facts) is None


# --- What is known of the clusters --------------------------------------------------------------


def test_names_colours_sizes_and_purity_are_those_of_the_map(runs: Path) -> None:
    run, _, facts = facts_and_model(runs / VADE)
    line, stage = run.metrics()[-1], run.stage()
    clusters = run.frame(run.frame_numbers()[-1]).clusters
    for look, matched in zip(facts.looks, line["matched"], strict=True):
        c = look.cluster
        assert look.name == (str(matched) if matched >= 0 else f"c{c}")
        assert look.colour == colour_of(matched if matched >= 0 else 10 + c)
        assert facts.sizes[c] == line["sizes"][c]
        inside = stage.labels[clusters == c]
        if len(inside):
            assert facts.purities[c] == pytest.approx(np.bincount(inside).max() / len(inside))
        else:
            assert facts.purities[c] is None
    assert facts.weights.sum() == pytest.approx(1)
    shares = np.array([s for s in facts.sizes if s is not None]) / 300
    weighted = sum(
        share * p for share, p in zip(shares, facts.purities, strict=True) if p is not None
    )
    assert weighted == pytest.approx(line["purity"])


def test_the_nearest_real_digits_are_the_nearest_latents(runs: Path) -> None:
    run, model, facts = facts_and_model(runs / VADE)
    latents, stage = run.frame(run.frame_numbers()[-1]).latents, run.stage()
    means = model.prior_.means.detach().numpy()
    for c, places in enumerate(facts.nearest):
        far = np.linalg.norm(latents - means[c], axis=1)
        shown = facts.real[places]
        assert np.array_equal(shown[0], stage.pictures[far.argmin()])
        assert len(places) == 5
    profiles = facts_and_model(runs / PROFILES)[2]
    assert profiles.real.dtype == np.float32
    assert profiles.real.shape[1] == 9
    assert "that the run keeps" in profiles.real_words


def test_rows_of_a_supervised_model_are_its_classes(runs: Path) -> None:
    facts = facts_and_model(runs / HOT)[2]
    assert [look.name for look in facts.looks] == [str(c) for c in range(10)]
    assert facts.supervised


def test_the_message_knows_the_networks_and_changes_with_its_content_alone(runs: Path) -> None:
    run, _, facts = facts_and_model(runs / VADE)
    digest, packed = packed_networks(run)
    assert digest_of(packed) == digest
    message = studio_message(facts, digest, DEFAULTS)
    again = studio_message(facts, digest, {**DEFAULTS, "seed": 9})
    assert message["stamp"] == again["stamp"]
    assert studio_message(facts, "other", DEFAULTS)["stamp"] != message["stamp"]
    assert len(message["rows"]) == 10
    vae_run, _, vae = facts_and_model(runs / VAE)
    assert studio_message(vae, packed_networks(vae_run)[0], DEFAULTS)["rows"] == []


def test_settings_are_kept_within_their_limits_and_travel_in_links() -> None:
    asked = {"count": "99", "temperature": "nan", "seed": "-4", "sorted": "gamma"}
    assert settings_of(asked) == {"count": 20, "temperature": 1.0, "seed": 0, "sorted": True}
    assert settings_of("nonsense") == DEFAULTS
    settings = {"count": 7, "temperature": 0.35, "seed": 12, "sorted": True}
    link = settings_in_link(settings)
    assert settings_of(link | {"sorted": link["order"]}) == settings
    assert settings_in_link(DEFAULTS) == {}


# --- What can be taken away ---------------------------------------------------------------------


def test_the_npz_holds_the_samples_of_that_seed_and_temperature(runs: Path) -> None:
    _, model, facts = facts_and_model(runs / VADE)
    settings = {**DEFAULTS, "count": 4, "temperature": 0.5, "seed": 3}
    with np.load(io.BytesIO(samples_npz(model, facts, settings)), allow_pickle=False) as found:
        assert found["samples"].shape == (10, 4, 64)
        assert found["cluster"].tolist() == list(range(10))
        assert found["names"].tolist() == [look.name for look in facts.looks]
        assert np.allclose(found["samples"][2], model.decode(found["latents"][2]), atol=1e-6)
        gamma = model.responsibilities(found["latents"][2])
        assert np.allclose(found["responsibilities"][2], gamma, atol=1e-6)
        log_variances = model.prior_.components()[2].detach().numpy()
        means = model.prior_.means.detach().numpy()
        noise = (found["latents"] - means[:, None]) / (0.5 * np.exp(0.5 * log_variances))[:, None]
        assert np.allclose(noise, noise[:1], atol=1e-3), "every row has the same noise"
    cold, _ = latents_of(model, {**settings, "temperature": 0.0})
    assert np.allclose(cold, means[:, None])


def test_samples_of_a_vae_are_of_its_prior(runs: Path) -> None:
    _, model, _ = facts_and_model(runs / VAE)
    latents, clusters = latents_of(model, {**DEFAULTS, "count": 20})
    assert latents.shape == (VAE_ROWS, 20, 10)
    assert (clusters == -1).all()
    assert abs(latents.mean()) < 0.1
    assert abs(latents.std() - 1) < 0.1


def test_tables_are_csv(runs: Path) -> None:
    run, _, facts = facts_and_model(runs / VADE)
    rows = list(csv.DictReader(io.StringIO(clusters_csv(facts))))
    assert [int(row["size"]) for row in rows] == facts.sizes
    assert sum(float(row["pi"]) for row in rows) == pytest.approx(1, abs=1e-4)
    counts = stage_counts(run, facts)
    table = list(csv.reader(io.StringIO(counts_csv(counts))))
    assert table[0][:3] == ["cluster", "size", "matched"]
    assert [[int(v) for v in row[3:]] for row in table[1:]] == counts.table.tolist()
    found = distances_of(run, facts)
    lines = list(csv.reader(io.StringIO(distances_csv(found))))
    assert len(lines) == 11
    first = in_order(found)[0]
    assert float(lines[1][2]) == pytest.approx(found.table[first, 0], abs=1e-3)


# --- The matching, step by step -----------------------------------------------------------------


def counts_of(table: list[list[int]], run_accuracy: float | None = None) -> Counts:
    """Counts of a made table: row = cluster, column = class."""
    pairs = [(k, c) for k, row in enumerate(table) for c, n in enumerate(row) for _ in range(n)]
    clusters, labels = (np.array(values) for values in zip(*pairs, strict=True))
    return Counts(
        table=np.array(table),
        names=[f"n{c}" for c in range(len(table[0]))],
        matched=metrics.matching(labels, clusters, len(table)),
        accuracy=metrics.accuracy(labels, clusters),
        words="all samples",
        run_accuracy=run_accuracy,
        is_all=True,
    )


def said(spec: dict[str, Any], step: int) -> str:
    return " ".join(spec["steps"][step]["words"])


@pytest.mark.parametrize(
    "table",
    [
        [[5, 1, 0], [4, 3, 0], [0, 0, 6]],
        [[5, 1], [4, 3], [0, 0], [2, 9]],
        [[5, 1, 7, 2], [4, 3, 1, 8]],
    ],
    ids=["conflict", "more clusters", "fewer clusters"],
)
def test_the_matched_cells_add_up_to_acc(table: list[list[int]]) -> None:
    counts = counts_of(table)
    spec = acc_spec(counts, "digit")
    rows, columns = linear_sum_assignment(np.array(table), maximize=True)
    assert spec["sum"] == np.array(table)[rows, columns].sum()
    assert spec["sum"] / spec["total"] == pytest.approx(counts.accuracy)
    assert f"{spec['sum']:,} of {spec['total']:,} are right" in said(spec, 4)


def test_a_conflict_is_named_and_settled() -> None:
    spec = acc_spec(counts_of([[5, 1, 0], [4, 3, 0], [0, 0, 6]]), "digit")
    assert spec["best"] == [0, 0, 2]
    assert spec["wanted"] == [[0, 1], [], [2]]
    assert "c0 wants n0, c1 wants n0, c2 wants n2." in said(spec, 1)
    assert "n0 is wanted by c0 and c1." in said(spec, 2)
    assert "Nobody wants n1." in said(spec, 2)
    assert spec["matched"] == [0, 1, 2]
    assert "c1 wanted n0 and gets n1." in said(spec, 3)
    assert "5 + 3 + 6 = 14." in said(spec, 4)


def test_clusters_and_classes_that_get_none_are_named() -> None:
    more = acc_spec(counts_of([[5, 1], [4, 3], [0, 0], [2, 9]]), "class")
    assert "c2 is empty and wants nothing." in said(more, 1)
    assert "4 clusters for 2 classes: c1 gets none" in said(more, 3)
    assert more["matched"] == [0, -1, -1, 1]
    fewer = acc_spec(counts_of([[5, 1, 7, 2], [4, 3, 1, 8]]), "digit")
    assert "only 2 clusters for 4 digits: n0 and n1 go without a cluster" in said(fewer, 3)


def test_wishes_without_conflict_come_true_and_acc_is_set_beside_the_runs() -> None:
    counts = counts_of([[0, 4], [5, 1]], run_accuracy=0.9)
    spec = acc_spec(counts, "digit")
    assert "No digit is wanted twice" in said(spec, 2)
    assert "just the wishes" in said(spec, 3)
    assert "That is the ACC of the run" in said(spec, 4)
    part = dataclasses.replace(counts, is_all=False, run_accuracy=0.8)
    assert "On all samples the run measured 80.0 %." in said(acc_spec(part, "digit"), 4)
    other = dataclasses.replace(counts, run_accuracy=0.8)
    assert "in lower precision" in said(acc_spec(other, "digit"), 4)


def test_a_supervised_model_is_not_said_to_be_blind() -> None:
    counts = counts_of([[3, 0], [0, 3]])
    assert "never saw" in said(acc_spec(counts, "digit"), 0)
    learnt = dataclasses.replace(counts, supervised=True)
    assert "learnt from" in said(acc_spec(learnt, "digit"), 0)


def test_the_heat_map_counts_the_rows_that_are_nearest_to_their_own(runs: Path) -> None:
    run, _, facts = facts_and_model(runs / HOT)
    found = distances_of(run, facts)
    nearest = found.table.argmin(axis=1)
    right = int((nearest == np.arange(10)).sum())
    assert sentence_about(found).startswith(f"{right} of 10 matched clusters")
    wrong = dataclasses.replace(found, table=np.roll(found.table, 1, axis=0))
    assert "lies nearer to" in sentence_about(wrong)
    none = dataclasses.replace(found, own=[-1] * 10)
    assert sentence_about(none) == "No cluster is matched with a class."
    assert distances_of(*facts_and_model(runs / VAE)[::2]) is None


def test_samples_that_are_no_pictures_have_distances_too(runs: Path, made: Path) -> None:
    run, model, facts = facts_and_model(runs / PROFILES)
    kept = distances_of(run, facts)
    assert (kept.n_real, kept.more) == (20, True)
    read_samples(run, facts)
    found = distances_of(run, facts)
    assert (found.n_real, found.more) == (120, False)
    with np.load(made / f"{PROFILES}.npz") as arrays:
        X, y = arrays["X"], arrays["y"]
    drawn = np.stack([model.sample(10, cluster=c, random_state=0) for c in range(3)])
    for c, label in ((0, 0), (1, 2)):
        far = np.linalg.norm(drawn[c][:, None] - X[y == label][None], axis=2)
        expected = np.sort(far, axis=1)[:, :10].mean()
        assert found.table[c, label] == pytest.approx(expected, rel=1e-5)
    plain, _, known = facts_and_model(runs / PLAIN)
    by_cluster = distances_of(plain, known)
    assert (by_cluster.noun, by_cluster.columns) == ("cluster", ["c0", "c1", "c2"])
    np.savez(made / f"{PLAIN}.npz", X=X + 1)
    try:
        with pytest.raises(DataError, match="changed"):
            read_samples(plain, known)
    finally:
        np.savez(made / f"{PLAIN}.npz", X=X)
