"""AAE: an autoencoder whose latents two critics shape (Makhzani et al. 2015, arXiv 1511.05644)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from sklearn.base import ClusterMixin
from torch import Tensor, nn

from vade_core.adversarial import (
    AdversarialModel,
    Critic,
    Recogniser,
    Standardised,
    frozen,
    passing_for_real,
    telling_apart,
)
from vade_core.models.settings import NetworkSettings, settings
from vade_core.networks import Decoder
from vade_core.priors import CornerMixture, Prior, Terms
from vade_core.samples import DeviceSamples, Samples
from vade_core.training import Phase

# Logits of a standard deviation of 3 make most clusters' probabilities near 0 or 1, as the
# corners are that the critic compares them with.
LOGIT_SPREAD = 3.0


class AAEEncoder(Recogniser):
    """q(z|x) and q(y|x): a style without noise, and a softmax over clusters."""

    def __init__(
        self, n_features: int, hidden: Sequence[int], style_dim: int, n_clusters: int
    ) -> None:
        super().__init__(n_features, hidden, style_dim, n_clusters)
        self.style_moments = Standardised(style_dim)
        self.logit_moments = Standardised(n_clusters)

    def forward(self, x: Tensor, learning: bool = False) -> tuple[Tensor, Tensor]:
        style, logits = super().forward(x)
        return (
            self.style_moments(style, learning),
            LOGIT_SPREAD * self.logit_moments(logits, learning),
        )


class AAENetworks(nn.Module):
    """Encoder, decoder of [z, y], the critic of z, which is told y, and the critic of y."""

    def __init__(self, encoder: AAEEncoder, decoder: Decoder, critic_hidden: Sequence[int]) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        style_dim, n_clusters = encoder.style.out_features, encoder.cluster.out_features
        self.style_critic = Critic(style_dim + n_clusters, critic_hidden)
        self.cluster_critic = Critic(n_clusters, critic_hidden)


@settings
class AAE(ClusterMixin, NetworkSettings, AdversarialModel):
    """Adversarial autoencoder for clustering, after Makhzani et al., section 6.

    The encoder gives a style z and a softmax y over K clusters, and the decoder makes the sample
    of [z, y]. One critic compares y with the one-hot corners of Cat(1 / K): what passes for a
    corner is sure of its cluster, and all clusters are used alike. Another compares z with
    N(0, I), and is told y.

    The latents are [z, y]. y is q(c|x), so :meth:`predict` takes its largest value.

    The terms are ``reconstruction``, -log p(x|z, y); ``critic``, what the two critics minimise,
    :func:`vade_core.adversarial.telling_apart`; and ``generator``, what the encoder minimises
    against them, :func:`vade_core.adversarial.passing_for_real`. Each is in nats a sample.
    ``loss`` is ``reconstruction_weight`` times the first, plus the others. It is no bound: what a
    critic gains, the encoder loses, so it need not fall.

    Our reading. The paper takes turns between reconstruction, critics and encoder, each with an
    optimiser of its own; here one step of Adam moves all of them, through parts of the loss that
    reach disjoint parameters. Its encoders are batch-normalised; here z and the logits of y are,
    without scale and shift. Without that the encoder sends all samples to one cluster after the
    other, always ahead of its critic. The paper's critic of z is not told y; then z and y have the
    right margins, but z still holds the digit, and a cluster that is asked for makes any of them.
    Its networks are wider, and it reports 16 and 30 clusters.

    Parameters
    ----------
    n_clusters : int
        K.
    latent_dim : int
        Dimensions of the style z; the latents have K more.
    hidden : sequence of int
        Widths of the encoder's hidden layers; the decoder mirrors them.
    critic_hidden : sequence of int
        Widths of each critic's hidden layers.
    likelihood, observation_variance, epochs, batch_size, learning_rate, decay, decay_every, \
learning_rate_floor, adam_eps, random_state, device, precision
        As for :class:`vade_core.models.VAE`.
    reconstruction_weight : float
        Factor on the reconstruction: at 1 its hundreds of nats outweigh the critics.

    Attributes
    ----------
    labels_ : ndarray, shape (n,)
        Clusters of the training samples, set by ``fit``.
    """

    n_clusters: int = 10
    latent_dim: int = 5
    critic_hidden: Sequence[int] = (500, 500)
    observation_variance: str = "shared"
    reconstruction_weight: float = 0.1

    @property
    def latent_size(self) -> int:
        return self.latent_dim + self.n_clusters

    def _build_prior(self) -> Prior:
        return CornerMixture(self.n_clusters, self.latent_dim)

    def _build_networks(self, n_features: int) -> nn.Module:
        hidden = tuple(self.hidden)
        return AAENetworks(
            AAEEncoder(n_features, hidden, self.latent_dim, self.n_clusters),
            Decoder(
                self.latent_size,
                hidden[::-1],
                n_features,
                self.likelihood_,  # type: ignore[arg-type]
                self.observation_variance,  # type: ignore[arg-type]
            ),
            tuple(self.critic_hidden),
        )

    def _phases(self, samples: DeviceSamples, targets: Tensor | None) -> list[Phase]:
        return [self._training_phase("train", "Training the AAE", self.epochs)]

    def elbo_terms(
        self, x: Tensor, generator: torch.Generator, assignment: Tensor | None = None
    ) -> Terms:
        """The terms of the loss, unweighted, in nats a sample; there is no ELBO.

        Returns
        -------
        dict of str to Tensor, each (n,)
            ``reconstruction``, ``critic`` and ``generator``; see the class.
        """
        networks, split = self.networks_, self.prior_.style_dim
        # Samples that are only looked at leave the moving averages as they are.
        style, logits = networks.encoder(x, learning=torch.is_grad_enabled())
        clusters = logits.softmax(-1)
        latents = torch.cat([style, clusters], dim=-1)
        drawn = self.prior_.sample(len(x), generator)
        # The style is judged beside its own sample's cluster, and so in every cluster apart.
        told = clusters.detach()
        pairs = (
            (
                networks.style_critic,
                torch.cat([drawn[:, :split], told], dim=-1),
                torch.cat([style, told], dim=-1),
            ),
            (networks.cluster_critic, drawn[:, split:], clusters),
        )
        return {
            "reconstruction": self.negative_log_likelihood(x, latents),
            "critic": torch.stack(
                [telling_apart(judge(real), judge(own.detach())) for judge, real, own in pairs]
            ).sum(0),
            "generator": torch.stack(
                [passing_for_real(frozen(judge, own)) for judge, _, own in pairs]
            ).sum(0),
        }

    def _weight(self, term: str) -> float:
        return self.reconstruction_weight if term == "reconstruction" else 1.0

    def _after_fit(self, samples: Samples) -> None:
        super()._after_fit(samples)
        self.labels_ = self.predict(samples)

    def _restoring(self, tensors: Mapping[str, Tensor]) -> None:
        super()._restoring(tensors)
        self.n_clusters = len(tensors["prior.weights"])
