"""DEC: an encoder pulled towards its own surest assignments (Xie et al., ICML 2016)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClusterMixin
from torch import Tensor, nn

from vade_core import mixture
from vade_core.initialise import from_clusters, kmeans_start
from vade_core.models.base import CHUNK, LatentModel
from vade_core.models.settings import NetworkSettings, settings
from vade_core.networks import LOG_VARIANCE_BOUND
from vade_core.pretraining import PRETRAINING
from vade_core.priors import Prior
from vade_core.samples import DeviceSamples, Samples
from vade_core.student_clusters import StudentClusters, target_distribution
from vade_core.training import Phase, as_float, decayed


@settings
class DEC(ClusterMixin, NetworkSettings, LatentModel):
    """Deep embedded clustering (arXiv 1511.06335).

    An autoencoder is pretrained, k-means on its latents gives the centres, and then encoder and
    centres alone minimise KL(P || Q) (eq. 2): Q is the soft assignment by Student's t (eq. 1), P
    the target distribution made of it (eq. 3). No reconstruction holds the latents in place and
    the decoder stays the autoencoder's, so reconstructions fade as the encoder moves.

    The encoder gives points: :meth:`transform` is z itself, and :meth:`posterior` has the
    smallest variance that there is here. DEC has no prior. Samples are drawn from Gaussians with
    the moments of its clusters, as a stand-in, see
    :class:`vade_core.student_clusters.StudentClusters`. It is no generative model, and they look
    like it.

    The paper minimises by stochastic gradient descent; here it is Adam, as for every model. It
    does not say how often P is renewed: here before every epoch and, within one, after every
    ``target_every`` batches. Training ends when fewer than ``tolerance`` of the samples change
    their cluster within an epoch; the paper counts between two renewals of P. That last epoch is
    undone.

    ``loss`` and its only term ``cluster_kl`` are KL(P || Q) in nats a sample. Of samples that
    :meth:`loss_terms` and :meth:`score` are given, P is made of these very samples.

    Parameters
    ----------
    n_clusters : int
        K.
    latent_dim : int
        J.
    pretraining : {"stacked", "autoencoder", "vae", "none"}
        Layer by layer and then end to end (the paper's), only end to end, a VAE, or nothing.
    pretrain_epochs : int
        Its epochs; ``stacked`` gives each layer a half of them first.
    pretrain_learning_rate : float
    start_restarts : int
        Starts of k-means, the best by its squared distances kept; the paper's 20.
    epochs : int
        DEC's own epochs, at most; pretraining not counted.
    target_every : int
        Batches after which P is renewed within an epoch.
    tolerance : float, optional
        Share of the samples; None trains to the last epoch.
    learning_rate : float
        Adam's for encoder and centres, times ``decay`` every ``decay_every`` epochs, not below
        ``learning_rate_floor``.
    hidden, likelihood, observation_variance, batch_size, adam_eps, random_state, device, precision
        As for :class:`vade_core.models.VAE`; the likelihood is the autoencoder's.

    Attributes
    ----------
    labels_ : ndarray, shape (n,)
        Clusters of the training samples, set by ``fit``.
    """

    n_clusters: int = 10
    pretraining: str = "autoencoder"
    pretrain_epochs: int = 20
    pretrain_learning_rate: float = 1e-3
    start_restarts: int = 20
    target_every: int = 140
    tolerance: float | None = 0.001
    observation_variance: str = "shared"

    _scores_samples = False

    def _build_prior(self) -> Prior:
        return StudentClusters(self.n_clusters, self.latent_dim)

    # -- the schedule -----------------------------------------------------------------------

    def _phases(self, samples: DeviceSamples, targets: Tensor | None) -> list[Phase]:
        if self.pretraining not in (*PRETRAINING, "none"):
            raise ValueError(
                f"pretraining must be {', '.join(PRETRAINING)} or none, not {self.pretraining!r}."
            )
        phases: list[Phase] = []
        if self.pretraining != "none" and self.pretrain_epochs:
            pretrain = PRETRAINING[self.pretraining]
            phases += pretrain(self.networks_, self.pretrain_epochs, self.pretrain_learning_rate)
        phases.append(
            Phase("start", "k-means on the latents", action=lambda _: self._start(samples))
        )
        pull = _Pull(self, samples)
        phases.append(
            Phase(
                "train",
                "Training DEC",
                self.epochs,
                loss=pull.loss,
                parameters=self._moving,
                learning_rate=decayed(
                    self.learning_rate, self.decay, self.decay_every, self.learning_rate_floor
                ),
                adam_eps=self.adam_eps,
                before_epoch=pull.renew,
                guard=None if self.tolerance is None else pull.settled,
            )
        )
        return phases

    def _moving(self) -> list[nn.Parameter]:
        encoder = self.networks_.encoder
        own = [*encoder.body.parameters(), *encoder.mean.parameters()]
        return [*own, *self.prior_.parameters()]

    @torch.no_grad()
    def _start(self, samples: DeviceSamples) -> Mapping[str, object]:
        prior = self.prior_
        assert isinstance(prior, StudentClusters)
        latents = self._trained_latents(samples)
        found = kmeans_start(
            latents, self.n_clusters, seed=self._seed, restarts=self.start_restarts
        )
        prior.centres.copy_(torch.from_numpy(found.means))
        prior.set_moments(found)
        sizes = np.bincount(found.clusters, minlength=self.n_clusters)
        return {"method": "kmeans", "cluster_sizes": sizes.tolist()}

    @torch.no_grad()
    def soft_assignments(self, samples: DeviceSamples) -> Tensor:
        """Q of eq. 1 for all samples, (n, K), in the weights' own precision."""
        encoder, prior = self.networks_.encoder, self.prior_
        with torch.autocast(samples.device.type, enabled=False):
            return torch.cat(
                [
                    prior.log_responsibilities(encoder(as_float(part)).mean).exp()
                    for part in samples.split(CHUNK)
                ]
            )

    # -- using the trained model ------------------------------------------------------------

    def update_clusters(self, latents: NDArray[Any]) -> None:
        """Give the Gaussians that stand in for a prior the moments of the clusters as they are."""
        super().update_clusters(latents)
        prior = self.prior_
        assert isinstance(prior, StudentClusters)
        clusters = self.responsibilities(latents).argmax(axis=1).astype(np.int64)
        prior.set_moments(from_clusters(latents.astype(np.float64), clusters, self.n_clusters))

    @torch.inference_mode()
    def loss_terms(
        self, X: ArrayLike, y: ArrayLike | None = None, *, random_state: int = 0
    ) -> dict[str, float]:
        """KL(P || Q) on X as ``cluster_kl`` and as ``loss``, means in nats a sample.

        Parameters
        ----------
        X : array-like or sparse matrix, shape (n, D)
        y : ignored
        random_state : ignored
            There is no draw.

        Returns
        -------
        dict of str to float
        """
        soft = torch.from_numpy(self.predict_proba(X)).double()
        found = float(mixture.categorical_kl(target_distribution(soft).log(), soft.log()).mean())
        return {"cluster_kl": found, "loss": found}

    def score(self, X: ArrayLike, y: ArrayLike | None = None) -> float:
        """-KL(P || Q) in nats a sample: the surer the assignments, the higher."""
        return -self.loss_terms(X)["loss"]

    def posterior(self, X: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
        """The latents, and the log-variance that stands for a point, each (n, J)."""
        mean = self.transform(X)
        return mean, np.full_like(mean, -LOG_VARIANCE_BOUND)

    def _after_fit(self, samples: Samples) -> None:
        super()._after_fit(samples)
        self.labels_ = self.predict(samples)

    def _restoring(self, tensors: Mapping[str, Tensor]) -> None:
        self.n_clusters = int(tensors["prior.means"].shape[0])


class _Pull:
    """What DEC's epochs keep beside the weights: the targets, and the clusters at their start.

    All of it follows from the weights when an epoch begins, so a resumed training has the same.
    """

    def __init__(self, model: DEC, samples: DeviceSamples) -> None:
        self.model = model
        self.samples = samples
        self.batches = 0
        self.targets: Tensor | None = None
        self.before: Tensor | None = None

    def renew(self, epoch: int) -> None:
        soft = self.model.soft_assignments(self.samples)
        self.targets, self.before = target_distribution(soft), soft.argmax(dim=1)
        self.batches = 0

    def loss(self, x: Tensor, rows: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        if self.batches and self.batches % self.model.target_every == 0:
            self.targets = target_distribution(self.model.soft_assignments(self.samples))
        self.batches += 1
        assert self.targets is not None
        log_soft = self.model.prior_.log_responsibilities(self.model.networks_.encoder(x).mean)
        divergence = mixture.categorical_kl(self.targets[rows].log(), log_soft).mean()
        return {"cluster_kl": divergence, "loss": divergence}

    def settled(self) -> str | None:
        """A sentence if hardly a sample has changed its cluster in this epoch; it is the last."""
        model = self.model
        assert self.before is not None
        assert model.tolerance is not None
        after = model.soft_assignments(self.samples).argmax(dim=1)
        changed = float((after != self.before).double().mean())
        if changed >= model.tolerance:
            return None
        return (
            f"Only {100 * changed:.2f} % of the samples changed their cluster in this epoch: DEC "
            "has settled. The epoch was undone, and the training ended."
        )
