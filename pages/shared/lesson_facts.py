"""What the lesson reads from a run: its digits, and the numbers that answer the questions.

Nothing here is typed in: every number is measured on the run's networks and frames.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from pages.shared.exploration import Exploration, explore
from pages.shared.networks import cached_model
from pages.shared.session import Stamp, cached_frame, cached_metrics, cached_stage, stamp_of
from vade_core.colours import colour_of
from vade_core.granularity import Census, census, matched_classes, picture_measures
from vade_core.portable import seeded_normals
from vade_core.runs import CHECKPOINT, CONFIG, METRICS, NOT_OWN, STAGE, Run, RunError

__all__ = [
    "Changes",
    "Confusion",
    "Digits",
    "Terms",
    "autoencoder_before",
    "changes_of_mind",
    "confusions",
    "counted",
    "digits_of",
    "drawn_back",
    "last_scores",
    "neighbours_of",
    "returned",
    "shared_slant",
    "staying",
    "terms_of",
    "world_of",
]

Values = NDArray[np.float64]
MOST_DIGITS = 10
# Samples that stand for all where something is measured: enough for a per cent or two.
MEASURED = 120
DRAWS = 60
FACTORS = (1.0, 2.0, 3.0)
STEPS = 201


@dataclass(frozen=True, eq=False)
class Digits:
    """Some samples of a run, one a class or a cluster, with their posteriors.

    Attributes
    ----------
    found : Exploration
        The run.
    points : ndarray of int64, shape (m,)
        Their places in the stage set.
    samples : ndarray of float32, shape (m, D)
    mean, log_variance : ndarray of float32, shape (m, J)
        Of q(z|x).
    names : list of str
        What each is: its label, or the cluster that it belongs to.
    kinds : list of int
        The same as numbers.
    """

    found: Exploration
    points: NDArray[np.int64]
    samples: NDArray[np.float32]
    mean: NDArray[np.float32]
    log_variance: NDArray[np.float32]
    names: list[str]
    kinds: list[int]


def world_of(run: Run) -> Stamp:
    """What changes whenever anything that the lesson reads of a run does."""
    files = [run.path / name for name in (CHECKPOINT, CONFIG, METRICS, STAGE)]
    return stamp_of(*files, *(run.frame_path(number) for number in run.frame_numbers()[-1:]))


def _opened(path: str) -> Run:
    return Run(path)


# --- The digits ---------------------------------------------------------------------------------


def digits_of(run: Run) -> Digits:
    """Typical samples of a run, ten at most, in the order of their classes.

    Raises
    ------
    RunError
        If the run cannot be read, or holds no samples.
    """
    return _digits(str(run.path), world_of(run))


@st.cache_resource(show_spinner=False, max_entries=6)
def _digits(path: str, stamp: Stamp) -> Digits:
    run = _opened(path)
    found, stage = explore(run), cached_stage(run)
    if found is None:
        raise RunError(f"{run.id} has no frames yet.")
    pictured = found.pictures is not None and found.bernoulli
    known = np.arange(len(found.latents)) if pictured else stage.shown[: len(stage.samples)]
    if not len(known):
        raise RunError(f"{run.id} keeps no samples to show.")
    kinds = kinds_of(found)
    chosen = _typical(found.latents[known].astype(np.float64), kinds[known])
    points = known[chosen]
    if pictured:
        assert found.pictures is not None
        samples = found.pictures[points].reshape(len(points), -1).astype(np.float32) / 255
    else:
        samples = stage.samples[chosen]
    mean, log_variance = cached_model(run).posterior(samples)
    return Digits(
        found=found,
        points=points,
        samples=samples,
        mean=mean.astype(np.float32),
        log_variance=log_variance.astype(np.float32),
        names=[kind_name(found, int(kinds[point])) for point in points],
        kinds=[int(kinds[point]) for point in points],
    )


def kinds_of(found: Exploration) -> NDArray[np.int64]:
    """What each point is: its label; its cluster where there are no labels, (n,)."""
    if found.labels is not None:
        return found.labels
    if found.clusters is not None:
        return found.clusters
    return np.zeros(len(found.latents), np.int64)


def kind_name(found: Exploration, kind: int) -> str:
    """What a kind of `kinds_of` is called."""
    if found.labels is not None:
        return found.class_names[kind]
    return found.looks[kind][0] if found.clusters is not None else ""


def kind_colour(found: Exploration, kind: int) -> str:
    """The colour of a kind, as on the maps."""
    if found.labels is not None:
        return colour_of(kind)
    return found.looks[kind][1] if found.clusters is not None else colour_of(-1)


def _typical(latents: Values, kinds: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of each kind the sample nearest to the kind's median; more where there are few kinds."""
    chosen: list[int] = []
    known = np.unique(kinds)[:MOST_DIGITS]
    for kind in known:
        members = np.flatnonzero(kinds == kind)
        middle = np.median(latents[members], axis=0)
        order = np.argsort(np.linalg.norm(latents[members] - middle, axis=1), kind="stable")
        chosen += members[order[: max(1, MOST_DIGITS // len(known))]].tolist()
    return np.array(chosen[:MOST_DIGITS], np.int64)


def _measured_samples(run: Run, found: Exploration) -> NDArray[np.float32]:
    """Samples of the stage set, evenly spread, (m, D)."""
    if found.pictures is not None and found.bernoulli:
        rows = np.unique(np.linspace(0, len(found.pictures) - 1, MEASURED).astype(int))
        return found.pictures[rows].reshape(len(rows), -1).astype(np.float32) / 255
    return cached_stage(run).samples[:MEASURED]


# --- 1: how many numbers ------------------------------------------------------------------------


def returned(run: Run) -> Values:
    """How much of the pictures comes back with 0, 1, 2 ... of the latents, (J + 1,).

    The latents that differ most from sample to sample come first, the others are 0, the prior's
    mean. It is 1 - |x - f(z)|^2 / |x - f(0)|^2, summed over samples: 0 with none of them.

    Parameters
    ----------
    run : Run
    """
    return _returned(str(run.path), world_of(run))


@st.cache_resource(show_spinner=False, max_entries=6)
def _returned(path: str, stamp: Stamp) -> Values:
    run = _opened(path)
    found, model = digits_of(run).found, cached_model(run)
    samples = _measured_samples(run, found)
    latents = model.latents(samples)
    order = np.argsort(-latents.var(axis=0), kind="stable")
    kept = np.zeros_like(latents)
    errors = []
    for place in range(-1, len(order)):
        if place >= 0:
            kept[:, order[place]] = latents[:, order[place]]
        errors.append(float(((samples - model.decode(kept)) ** 2).sum()))
    return 1 - np.array(errors) / max(errors[0], 1e-12)


# --- 2: what the noise does ---------------------------------------------------------------------


def staying(run: Run) -> dict[float, float]:
    """The share of draws z = mu + factor * sigma * epsilon that stay among their own kind.

    The kind is that of the nearest point of the stage set in latent space. Measured on the
    lesson's digits, 60 draws each.

    Returns
    -------
    dict of float to float
        By the factor: 1, 2 and 3.
    """
    return _staying(str(run.path), world_of(run))


@st.cache_resource(show_spinner=False, max_entries=6)
def _staying(path: str, stamp: Stamp) -> dict[float, float]:
    digits = digits_of(_opened(path))
    latents = digits.found.latents.astype(np.float64)
    kinds = kinds_of(digits.found)
    shares = {}
    for factor in FACTORS:
        hits = 0
        for i, kind in enumerate(digits.kinds):
            noise = seeded_normals(i, DRAWS, latents.shape[1])
            z = digits.mean[i] + factor * np.exp(0.5 * digits.log_variance[i]) * noise
            hits += int((kinds[nearest(z, latents)] == kind).sum())
        shares[factor] = hits / (DRAWS * len(digits.kinds))
    return shares


def nearest(z: NDArray[Any], latents: Values) -> NDArray[np.int64]:
    """For each of some latents (n, J) the nearest of others (m, J): its row, (n,)."""
    squared = (latents**2).sum(axis=1) - 2 * z.astype(np.float64) @ latents.T
    return squared.argmin(axis=1)


# --- 3: the bill --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Terms:
    """The two terms of -ELBO by epoch, in nats a sample.

    Attributes
    ----------
    epochs : list of int
    reconstruction, kl : list of float
    """

    epochs: list[int]
    reconstruction: list[float]
    kl: list[float]


def terms_of(run: Run) -> Terms:
    """The terms of a VAE's loss in its own epochs; empty lists where there are none."""
    lines = [
        line
        for line in cached_metrics(run)
        if line["phase"] not in NOT_OWN
        and all(_finite(line.get(name)) for name in ("reconstruction", "latent_kl"))
    ]
    return Terms(
        [int(line["epoch"]) for line in lines],
        [float(line["reconstruction"]) for line in lines],
        [float(line["latent_kl"]) for line in lines],
    )


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and np.isfinite(value)


def autoencoder_before(run: Run) -> tuple[float, float] | None:
    """What an autoencoder ended with that came before VaDE: without noise and without a KL.

    Returns
    -------
    tuple of two float, or None
        Its reconstruction in nats a sample, and the standard deviation of its latents over the
        stage set; None where there was none.
    """
    if run.config.parameters.get("pretraining") not in ("autoencoder", "stacked"):
        return None
    last = None
    for at, line in enumerate(cached_metrics(run)):
        if line["phase"] == "pretrain" and _finite(line.get("reconstruction")):
            last = (int(line.get("report", at)), float(line["reconstruction"]))
    if last is None:
        return None
    before = [number for number in run.frame_numbers() if number <= last[0]]
    # The very first frame may be of the untrained networks.
    phases = {int(line.get("report", at)): line for at, line in enumerate(cached_metrics(run))}
    before = [number for number in before if phases.get(number, {}).get("phase") == "pretrain"]
    if not before:
        return None
    latents = cached_frame(run, before[-1]).latents
    return last[1], float(latents.std(axis=0).mean())


# --- Scores -------------------------------------------------------------------------------------


def last_scores(run: Run) -> Mapping[str, Any]:
    """The last line of a run's metrics that has an ACC; empty without labels."""
    lines = cached_metrics(run)
    return next((line for line in reversed(lines) if line.get("acc") is not None), {})


def counted(run: Run) -> Census | None:
    """Classes by clusters of the stage set, at the last frame; None without labels or clusters.

    Parameters
    ----------
    run : Run
    """
    stage = cached_stage(run)
    if stage.labels is None:
        return None
    for number in reversed(run.frame_numbers()):
        clusters = cached_frame(run, number).clusters
        if clusters is not None:
            k = max(run.config.clusters, int(clusters.max(initial=0)) + 1)
            names = run.config.class_names
            classes = len(names) if names else None
            return census(clusters, k, stage.labels, n_classes=classes)
    return None


@dataclass(frozen=True)
class Confusion:
    """Samples of one class that lie in the cluster of another.

    Attributes
    ----------
    label, taken_for : int
    count : int
        How many, of the stage set.
    share : float
        Of the class, in [0, 1].
    """

    label: int
    taken_for: int
    count: int
    share: float


def confusions(run: Run, most: int = 3) -> list[Confusion]:
    """Which classes are taken for which, the most frequent first.

    Parameters
    ----------
    run : Run
    most : int
        How many are wanted.
    """
    found = counted(run)
    if found is None or found.table is None:
        return []
    table, matched = found.table, matched_classes(found.table)
    pairs: Counter[tuple[int, int]] = Counter()
    for label, cluster in np.argwhere(table > 0):
        meant = int(matched[cluster])
        if meant >= 0 and meant != label:
            pairs[int(label), meant] += int(table[label, cluster])
    sizes = table.sum(axis=1)
    return [
        Confusion(label, meant, count, count / int(sizes[label]))
        for (label, meant), count in pairs.most_common(most)
    ]


# --- 5: hills -----------------------------------------------------------------------------------


def drawn_back(run: Run, a_cluster: int = 40) -> float:
    """The share of drawn samples whose own encoder puts them back into the cluster asked for.

    Parameters
    ----------
    run : Run
    a_cluster : int
        Samples drawn of each cluster, all of the same noise.
    """
    return _drawn_back(str(run.path), a_cluster, world_of(run))


@st.cache_resource(show_spinner=False, max_entries=6)
def _drawn_back(path: str, a_cluster: int, stamp: Stamp) -> float:
    model = cached_model(_opened(path))
    drawn = _drawn(path, a_cluster, stamp)
    hits = 0
    for c, samples in enumerate(drawn):
        hits += int((model.responsibilities(model.latents(samples)).argmax(axis=1) == c).sum())
    return hits / (a_cluster * len(drawn))


@st.cache_resource(show_spinner=False, max_entries=2)
def _drawn(path: str, a_cluster: int, stamp: Stamp) -> NDArray[np.float32]:
    """Samples of every cluster, all of the same noise, (K, n, D)."""
    run = _opened(path)
    found, model = digits_of(run).found, cached_model(run)
    _, means, log_variances = found.prior
    noise = seeded_normals(0, a_cluster, found.latent_dim)
    z = means[:, None] + np.exp(0.5 * log_variances)[:, None] * noise
    decoded = model.decode(z.reshape(-1, found.latent_dim).astype(np.float32))
    return np.asarray(decoded, np.float32).reshape(len(means), a_cluster, -1)


def shared_slant(run: Run, a_cluster: int = 40) -> float | None:
    """How far clusters lean alike where they draw from the same noise.

    Parameters
    ----------
    run : Run
    a_cluster : int
        Samples drawn of each cluster.

    Returns
    -------
    float or None
        The mean correlation of the slants of two clusters' pictures, over all pairs of clusters;
        None where samples are no pictures of ink, or there are no two clusters that lean.
    """
    found = digits_of(run).found
    if found.shape is None or not found.bernoulli:
        return None
    drawn = _drawn(str(run.path), a_cluster, world_of(run))
    flat = drawn.reshape(-1, drawn.shape[2])
    slants = picture_measures(flat, found.shape)["slant"].reshape(drawn.shape[:2])
    slants = slants[np.isfinite(slants).all(axis=1) & (slants.std(axis=1) > 1e-9)]
    if len(slants) < 2:
        return None
    pairs = np.corrcoef(slants)[np.triu_indices(len(slants), 1)]
    return float(pairs.mean())


# --- 6: whose is it -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Changes:
    """Which clusters a straight path goes through.

    Attributes
    ----------
    at : list of float
        Where the most responsible cluster changes, in [0, 1].
    clusters : list of int
        The clusters, one more than there are changes.
    """

    at: list[float]
    clusters: list[int]


def neighbours_of(digits: Digits) -> tuple[int, int]:
    """The two digits nearest to each other in latent space that lie in different clusters.

    Places in `digits`; the first two where all lie in one cluster.
    """
    means = digits.mean.astype(np.float64)
    own = _shares(means, digits.found).argmax(axis=1)
    best = (np.inf, 0, min(1, len(means) - 1))
    for a in range(len(means)):
        for b in range(a + 1, len(means)):
            distance = float(np.linalg.norm(means[a] - means[b]))
            if own[a] != own[b] and digits.kinds[a] != digits.kinds[b] and distance < best[0]:
                best = (distance, a, b)
    return best[1], best[2]


def changes_of_mind(digits: Digits, a: int, b: int) -> Changes:
    """Where the straight path between two digits' means changes its cluster.

    Parameters
    ----------
    digits : Digits
    a, b : int
        Places in it.
    """
    t = np.linspace(0, 1, STEPS)[:, None]
    path = (1 - t) * digits.mean[a].astype(np.float64) + t * digits.mean[b].astype(np.float64)
    own = _shares(path, digits.found).argmax(axis=1)
    places = np.flatnonzero(np.diff(own))
    at = [float((t[i, 0] + t[i + 1, 0]) / 2) for i in places]
    return Changes(at, [int(own[0]), *(int(own[i + 1]) for i in places)])


def _shares(z: Values, found: Exploration) -> Values:
    import torch

    from vade_core.mixture import log_responsibilities

    tensors = [torch.from_numpy(np.asarray(values, np.float64)) for values in (z, *found.assigning)]
    return np.asarray(log_responsibilities(*tensors).exp().numpy(), np.float64)


def joined_names(found: Exploration, clusters: Sequence[int]) -> str:
    """Clusters by their names, in a row with arrows between."""
    return " → ".join(found.looks[c][0] for c in clusters)
