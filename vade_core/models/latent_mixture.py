"""Mixtures on pretrained latents, and no VaDE after them: AE+GMM, AE+k-means, VAE+GMM."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from itertools import takewhile

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vade_core.fixed_mixture import FixedMixture
from vade_core.initialise import STARTS
from vade_core.models.settings import settings
from vade_core.models.vade import VaDE
from vade_core.pretraining import PRETRAINING
from vade_core.priors import Prior
from vade_core.samples import DeviceSamples, Samples
from vade_core.training import Phase


@settings
class LatentMixture(VaDE):
    """A mixture on pretrained latents, and no VaDE after it: AE+GMM, AE+k-means, VAE+GMM and
    AE+UMAP+GMM.

    It is VaDE stopped before its first own epoch: the same networks, the same pretraining, the
    same start of the mixture, draw for draw. With the settings of a VaDE it gives the very start
    that this VaDE has.

    New points go to the most responsible component of the mixture in the latent space, and for
    ``gmm`` the training samples do, too. Else their clusters, ``labels_``, are the start's own: for
    ``umap`` and ``kmeans`` the mixture has the moments of the start's clusters, and may sort a
    training sample otherwise than the start did.

    Parameters
    ----------
    pretraining : {"autoencoder", "stacked", "vae"}
        End to end, layer by layer and then end to end, or a VAE.
    start : {"gmm", "graph", "two-graphs", "kmeans", "umap"}
        How clusters are found on the latents.
    n_clusters, latent_dim, hidden, pretrain_epochs, pretrain_learning_rate, pretrain_warm_up, \
start_restarts, likelihood, observation_variance, batch_size, random_state, device, precision
        As for :class:`vade_core.models.VaDE`.

    Attributes
    ----------
    labels_ : ndarray of int64, shape (n,)
        Clusters of the training samples; ``start_clusters_`` are those that the start found.
    """

    # What VaDE's own epochs would need keeps VaDE's defaults: there are none.
    clamped_epochs: int = field(init=False)
    agreement_weight: float = field(init=False)
    renew_every: int = field(init=False)
    most_leaving: float | None = field(init=False)
    epochs: int = field(init=False)
    n_init: int = field(init=False)
    n_draws: int = field(init=False)
    learning_rate: float = field(init=False)
    decay: float = field(init=False)
    decay_every: int = field(init=False)
    learning_rate_floor: float = field(init=False)
    adam_eps: float = field(init=False)
    reconstruction_weight: float = field(init=False)
    kl_weight: float = field(init=False)

    def _phases(self, samples: DeviceSamples, targets: Tensor | None) -> list[Phase]:
        if self.pretraining not in PRETRAINING or self.pretrain_epochs < 1:
            raise ValueError(
                f"A mixture on latents needs pretrained ones: choose {', '.join(PRETRAINING)}, "
                f"and 1 epoch or more, not {self.pretraining!r} for {self.pretrain_epochs}."
            )
        if self.start not in STARTS:
            raise ValueError(f"start must be {', '.join(STARTS)}, not {self.start!r}.")
        schedule = super()._phases(samples, targets)
        return list(takewhile(lambda phase: phase.name in ("pretrain", "start"), schedule))

    def _after_fit(self, samples: Samples) -> None:
        # The same for EM's mixture, unless a cluster of barely trained networks is narrower than
        # the prior can be, whose variances end at e^-10.
        self.labels_ = self.predict(samples) if self.start == "gmm" else self.start_clusters_


@settings
class AEMixture(LatentMixture):
    """AE+GMM: an autoencoder, and a diagonal Gaussian mixture on its latents by EM.

    It is the start of a VaDE with the same settings; there are no epochs beyond the
    autoencoder's. Samples are drawn from the mixture and decoded by the autoencoder. The terms of
    :meth:`loss_terms` are those of the -ELBO with which that VaDE would begin.

    Parameters
    ----------
    n_clusters, latent_dim, hidden, pretrain_epochs, pretrain_learning_rate, pretrain_warm_up, \
start_restarts, likelihood, observation_variance, batch_size, random_state, device, precision
        As for :class:`vade_core.models.VaDE`.
    """

    pretraining: str = field(init=False, default="autoencoder")
    start: str = field(init=False, default="gmm")


@settings
class VAEMixture(LatentMixture):
    """VAE+GMM: a plain VAE, and a diagonal Gaussian mixture on its posterior means by EM.

    The mixture takes the place of the VAE's own prior: samples are drawn from it. The VAE of
    this project fits round Gaussians instead, and keeps its prior; the papers' VAE+GMM is this.

    Parameters
    ----------
    n_clusters, latent_dim, hidden, pretrain_epochs, pretrain_learning_rate, pretrain_warm_up, \
start_restarts, likelihood, observation_variance, batch_size, random_state, device, precision
        As for :class:`vade_core.models.VaDE`; the VAE's epochs are ``pretrain_epochs``.
    """

    pretraining: str = field(init=False, default="vae")
    start: str = field(init=False, default="gmm")


@settings
class AEKMeans(LatentMixture):
    """AE+k-means: an autoencoder, and k-means on its latents.

    A sample goes to the nearest centre. That is the most responsible component of
    ``centres_``, a mixture of equal weights with one round variance, that of the latents around
    their centres: the mixture whose hard limit k-means is. Samples are drawn from ``prior_``,
    which has each cluster's own weight, mean and variances.

    Parameters
    ----------
    n_clusters, latent_dim, hidden, pretrain_epochs, pretrain_learning_rate, pretrain_warm_up, \
start_restarts, likelihood, observation_variance, batch_size, random_state, device, precision
        As for :class:`vade_core.models.VaDE`.

    Attributes
    ----------
    centres_ : FixedMixture
        What assigns clusters.
    """

    pretraining: str = field(init=False, default="autoencoder")
    start: str = field(init=False, default="kmeans")

    def _assemble(self, n_features: int) -> None:
        super()._assemble(n_features)
        self.centres_ = FixedMixture(self.n_clusters, self.latent_dim).to(self._device)

    def assigning_prior(self) -> Prior:
        return self.centres_

    def _start_mixture(
        self, samples: DeviceSamples, components: Callable[[], NDArray[np.float32]]
    ) -> Mapping[str, object]:
        findings = super()._start_mixture(samples, components)
        with torch.no_grad():
            log_weights, means, log_variances = self.prior_.components()
            within = (log_weights.exp() @ log_variances.exp()).mean()
            equal = torch.full_like(log_weights, 1 / self.n_clusters)
            self.centres_.set_components(equal, means, within.expand_as(means))
        return findings

    def _modules(self) -> dict[str, nn.Module]:
        return {**super()._modules(), "centres": self.centres_}
