"""What the page Interpolate knows of a run: points of a frame, and its mixtures.

A latent is named by a code that a link can carry: ``p12`` is a point of the stage set, ``c3`` a
cluster's mean, ``z...`` a latent of one's own (float32, base64 with - and _).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pages.shared.networks import cached_model
from pages.shared.session import cached_frame, cached_metrics, cached_stage
from vade_core.colours import cluster_looks
from vade_core.drawing import usual_box
from vade_core.projection import LENSES
from vade_core.run_frames import frame_title, lenses_of
from vade_core.runs import Frame, Run, RunError, Stage

if TYPE_CHECKING:
    from vade_core.models.base import LatentModel
    from vade_core.priors import Prior

__all__ = ["Exploration", "earlier_frames", "explore", "line_of"]

# Labels beyond have no colours on the map either.
MOST_KINDS = 255
Values = NDArray[np.float64]
Mixture = tuple[Values, Values, Values]


@dataclass(frozen=True, eq=False)
class Exploration:
    """A run as the page shows it.

    Attributes
    ----------
    name : str
        The run's id.
    title : str
        Of the frame whose points are shown.
    caption : str
        How the map was made.
    latents : ndarray of float32, shape (n, J)
    places : ndarray of float32, shape (n, 2)
        On the map.
    labels, clusters : ndarray of int64, shape (n,), or None
    class_names : list of str
        As many as there are labels and matched classes.
    looks : list of tuple of (name, colour)
        Of the K clusters, as on the map.
    pictures : ndarray of uint8, shape (n, h, w), or None
    shape : tuple of (height, width), or None
    n_features : int
    bernoulli : bool
    limits : tuple of float
        Lowest and highest value of samples that are no pictures.
    assigning, prior : tuple of ndarray
        log weights (K,), means (K, J), log-variances (K, J) of the mixture that assigns clusters
        and of the prior itself; they differ for a VAE alone.
    own_clusters : bool
        Whether the prior has clusters.
    gaussian : bool
        Whether the prior is the mixture that `prior` holds, and not one that stands in for it.
    box : int or None
        The side of the box that the pictures' ink fills; None where nothing can be drawn.
    """

    name: str
    title: str
    caption: str
    latents: NDArray[np.float32]
    places: NDArray[np.float32]
    labels: NDArray[np.int64] | None
    clusters: NDArray[np.int64] | None
    class_names: list[str]
    looks: list[tuple[str, str]]
    pictures: NDArray[np.uint8] | None
    shape: tuple[int, int] | None
    n_features: int
    bernoulli: bool
    limits: tuple[float, float]
    assigning: Mixture
    prior: Mixture
    own_clusters: bool
    gaussian: bool
    box: int | None

    @property
    def latent_dim(self) -> int:
        """J."""
        return int(self.latents.shape[1])

    @property
    def n_clusters(self) -> int:
        """K."""
        return len(self.assigning[0])

    def latent(self, code: str) -> Values:
        """The latent that a code stands for, (J,).

        Raises
        ------
        ValueError
            If it stands for none here.
        """
        kind, rest = code[:1], code[1:]
        if kind == "z":
            return self._own(rest)
        table: NDArray[Any] | None = {"p": self.latents, "c": self.assigning[1]}.get(kind)
        # isdecimal takes other scripts' digits, too.
        if table is None or not (rest.isascii() and rest.isdecimal() and len(rest) < 9):
            raise ValueError(f"{code[:40]!r} is no code of a place in latent space.")
        if int(rest) >= len(table):
            raise ValueError(f"This run has no {code!r}.")
        return table[int(rest)].astype(np.float64)

    def _own(self, text: str) -> Values:
        try:
            content = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            found = np.frombuffer(content, "<f4").astype(np.float64)
        except (ValueError, binascii.Error):
            raise ValueError("These are no latents.") from None
        if len(found) != self.latent_dim or not np.isfinite(found).all():
            raise ValueError(f"A latent of this run has {self.latent_dim} finite numbers.")
        return found


def explore(run: Run, frame: int | None = None) -> Exploration | None:
    """Read what the page needs of a run.

    Parameters
    ----------
    run : Run
        With a checkpoint.
    frame : int, optional
        An earlier frame, where the run kept its model; by default the last one.

    Returns
    -------
    Exploration or None
        None where the run has no frame yet.

    Raises
    ------
    RunError
        If the run cannot be read, or its frame does not fit its model.
    """
    numbers = run.frame_numbers()
    if not numbers:
        return None
    shown = cached_frame(run, numbers[-1] if frame is None else frame)
    return _joined(run, shown, cached_stage(run), cached_model(run, frame))


def earlier_frames(run: Run) -> list[int]:
    """Frames before the last whose model the run kept, once there are clusters."""
    last = run.frame_numbers()[-1:]
    kept = [number for number in run.weights_numbers() if [number] < last]
    return [number for number in kept if line_of(run, number).get("sizes")]


def _joined(run: Run, frame: Frame, stage: Stage, model: LatentModel) -> Exploration:
    config = run.config
    where = run.frame_path(frame.number)
    latents = frame.latents
    prior, assigning = _mixture(model.prior_), _mixture(model.assigning_prior())
    if latents.ndim != 2 or latents.shape != (len(stage.rows), prior[1].shape[1]):
        raise RunError(f"{where} does not fit the run's checkpoint or its stage set.")
    if not np.isfinite(latents).all() or not len(latents):
        raise RunError(f"{where} holds no latents, or some that are not finite.")
    line = line_of(run, frame.number)
    labels = stage.labels
    if labels is not None and labels.size and not 0 <= labels.min() <= labels.max() < MOST_KINDS:
        labels = None
    places, caption = _map_of(run, frame)
    most = 0 if labels is None or not labels.size else int(labels.max()) + 1
    names, looks = cluster_looks(config.class_names, line.get("matched"), len(assigning[0]), most)
    shape = None if config.image_shape is None else (config.image_shape[0], config.image_shape[1])
    pictures = stage.pictures
    if pictures is not None and (shape is None or pictures.shape[1:] != shape):
        pictures = None
    bernoulli = config.likelihood == "bernoulli"
    return Exploration(
        name=run.id,
        title=frame_title(line) if line else f"frame {frame.number}",
        caption=caption,
        latents=latents,
        places=places,
        labels=labels,
        clusters=_clusters_of(frame, len(assigning[0])),
        class_names=names,
        looks=looks,
        pictures=pictures,
        shape=shape,
        n_features=config.n_features,
        bernoulli=bernoulli,
        limits=_limits(stage, frame),
        assigning=assigning,
        prior=prior,
        own_clusters=model.prior_.n_clusters > 0,
        gaussian=model.prior_.gaussian and not model.prior_.stands_in,
        box=_box(pictures) if bernoulli and pictures is not None else None,
    )


def line_of(run: Run, number: int) -> Mapping[str, Any]:
    """The line of metrics.jsonl that a frame belongs to; empty while it is not written yet."""
    for at, line in enumerate(cached_metrics(run)):
        if (at if line.get("report") is None else line["report"]) == number:
            return line
    return {}


def _mixture(prior: Prior) -> Mixture:
    weights, means, variances = (
        tensor.detach().cpu().numpy().astype(np.float64) for tensor in prior.components()
    )
    if not all(np.isfinite(values).all() for values in (weights, means, variances)):
        raise RunError("The mixture holds NaN or infinite values: the model has diverged.")
    return weights, means, variances


def _clusters_of(frame: Frame, k: int) -> NDArray[np.int64] | None:
    found = frame.clusters
    if found is None or (len(found) and not 0 <= found.min() <= found.max() < k):
        return None
    return found


def _map_of(run: Run, frame: Frame) -> tuple[NDArray[np.float32], str]:
    """Places of the points, and how they were found: with two dimensions the latents themselves."""
    if frame.latents.shape[1] == 2:
        return frame.latents, "The two latent dimensions"
    for lens in lenses_of(run):
        places = frame.maps.get(lens)
        if places is not None and np.isfinite(places).all():
            return places, LENSES[lens].title
    return _two_widest(frame.latents), "PCA"


def _two_widest(latents: NDArray[np.float32]) -> NDArray[np.float32]:
    """The latents along the two directions in which they differ most, (n, 2)."""
    middle = latents.astype(np.float64) - latents.mean(axis=0)
    axes = np.linalg.svd(middle, full_matrices=False)[2][:2]
    places = np.zeros((len(latents), 2), np.float32)
    places[:, : len(axes)] = middle @ axes.T
    return places


def _limits(stage: Stage, frame: Frame) -> tuple[float, float]:
    values = stage.samples if stage.samples.size else frame.reconstructions
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 1.0
    low, high = np.quantile(finite, [0.002, 0.998])
    return float(low), float(max(high, low + 1e-6))


def _box(pictures: NDArray[np.uint8]) -> int | None:
    try:
        return usual_box(pictures[:200])
    except ValueError:
        return None
