"""InfoGAN: a generator whose code can be read off its samples (Chen et al. 2016, 1606.03657)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from sklearn.base import ClusterMixin
from torch import Tensor, nn

from vade_core.adversarial import (
    AdversarialModel,
    Generator,
    SampleCritic,
    blurred,
    frozen,
    in_full,
    passing_for_real,
    telling_apart,
)
from vade_core.models.settings import NetworkSettings, settings
from vade_core.priors import CornerMixture, Prior, Terms
from vade_core.samples import DeviceSamples, Samples
from vade_core.training import Phase


class ReadingCritic(SampleCritic):
    """D and Q: one body that judges a sample and reads the code that it was made with.

    Parameters
    ----------
    n_features : int
        D.
    hidden : sequence of int
        Widths of the hidden layers.
    noise_dim : int
        Dimensions of the noise, which cannot be read.
    n_codes : int
        Continuous codes.
    n_clusters : int
        K.
    """

    def __init__(
        self, n_features: int, hidden: Sequence[int], noise_dim: int, n_codes: int, n_clusters: int
    ) -> None:
        super().__init__(n_features, hidden)
        self.noise_dim = noise_dim
        width = self.verdict.in_features - 1
        self.codes = nn.Linear(width, n_codes)
        self.cluster = nn.Linear(width, n_clusters)

    def read(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Q: means of the codes (n, C) and logits of the clusters (n, K)."""
        return in_full(self.codes(features)), in_full(self.cluster(features))

    def forward(  # type: ignore[override]
        self, x: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Logits of being real (n,), and what :meth:`read` gives."""
        features = self.features(x, generator)
        return self.judge(features), *self.read(features)

    def latents(self, x: Tensor) -> Tensor:
        """[0, means of the codes, probabilities of the clusters], (n, J')."""
        codes, logits = self.read(self.features(x))
        noise = codes.new_zeros(len(codes), self.noise_dim)
        return torch.cat([noise, codes, logits.softmax(-1)], dim=-1)


class InfoGANNetworks(nn.Module):
    """The generator, as ``decoder``, and the critic that reads, which is the ``encoder``, too."""

    def __init__(self, decoder: Generator, critic: ReadingCritic) -> None:
        super().__init__()
        self.decoder = decoder
        self.critic = critic

    @property
    def encoder(self) -> ReadingCritic:
        return self.critic


@settings
class InfoGAN(ClusterMixin, NetworkSettings, AdversarialModel):
    """InfoGAN after Chen et al.: noise, continuous codes and a cluster make a sample.

    Generation: noise ~ N(0, I), codes ~ U(-1, 1), c ~ Cat(1 / K), x = G([noise, codes,
    onehot(c)]). A critic D tells x from real samples, and Q, which shares its hidden layers,
    reads codes and c off it again. What is read well is known of x: log K minus the error of c
    is a lower bound on the mutual information I(c; x), in nats (paper, equations 4 and 5).

    The latents are [noise, codes, cluster]. The noise cannot be inferred: the latents of samples
    have 0 there, its mean, and then what Q reads. :meth:`decode` is G itself, so that a sample's
    reconstruction is what G makes of its codes and cluster with average noise. There is no q(z|x).

    The terms are ``critic`` and ``generator``, see
    :func:`vade_core.adversarial.telling_apart` and
    :func:`vade_core.adversarial.passing_for_real`; ``cluster_information``, -log Q(c|x); and
    ``code_information``, -log Q(codes|x) with a normal Q of variance 1. Each is in nats a sample;
    the last two are counted on generated samples, whose codes are known. ``loss`` is the sum of
    the first two, ``information_weight`` times the third and ``code_weight`` times the fourth
    (paper, equation 6). It is no bound: what the critic gains, the generator loses.

    Our reading. The paper's networks for MNIST are convolutional and take turns; here they are
    fully connected, and one step of Adam moves both sides, through parts of the loss that reach
    disjoint parameters. So that this does not collapse, the generator's hidden values are
    standardised over the batch, and the critic sees samples through noise, sees how much a batch
    varies, drops units, and is not asked to be certain (:mod:`vade_core.adversarial`).

    Parameters
    ----------
    n_clusters : int
        K.
    latent_dim : int
        Dimensions of the noise; the paper's 62.
    n_codes : int
        Continuous codes; the paper's 2.
    hidden : sequence of int
        Widths of the critic's hidden layers; the generator mirrors them.
    likelihood : {"auto", "bernoulli", "gaussian"}
        Whether G's values lie in [0, 1] or anywhere; ``auto`` takes Bernoulli where the samples
        do. As a likelihood, the Gaussian has variance 1.
    epochs, batch_size, learning_rate, decay, decay_every, learning_rate_floor, adam_eps, \
random_state, device, precision
        As for :class:`vade_core.models.VAE`.
    information_weight : float
        Factor on the cluster's term; the paper's lambda is 1.
    code_weight : float
        Factor on the codes' term; smaller than lambda, to bring it to the scale of the others.

    Attributes
    ----------
    labels_ : ndarray, shape (n,)
        Clusters of the training samples, set by ``fit``.
    """

    n_clusters: int = 10
    latent_dim: int = 62
    n_codes: int = 2
    information_weight: float = 1.0
    code_weight: float = 0.1

    @property
    def latent_size(self) -> int:
        return self.latent_dim + self.n_codes + self.n_clusters

    def _build_prior(self) -> Prior:
        return CornerMixture(self.n_clusters, self.latent_dim, self.n_codes)

    def _build_networks(self, n_features: int) -> nn.Module:
        hidden = tuple(self.hidden)
        return InfoGANNetworks(
            Generator(
                self.latent_size,
                hidden[::-1],
                n_features,
                self.likelihood_,  # type: ignore[arg-type]
            ),
            ReadingCritic(n_features, hidden, self.latent_dim, self.n_codes, self.n_clusters),
        )

    def _phases(self, samples: DeviceSamples, targets: Tensor | None) -> list[Phase]:
        return [self._training_phase("train", "Training the InfoGAN", self.epochs)]

    def elbo_terms(
        self, x: Tensor, generator: torch.Generator, assignment: Tensor | None = None
    ) -> Terms:
        """The terms of the loss, unweighted, in nats a sample; there is no ELBO.

        Returns
        -------
        dict of str to Tensor, each (n,)
            ``critic``, ``generator``, ``cluster_information`` and ``code_information``; see the
            class.
        """
        critic = self.networks_.critic
        z = self.prior_.sample(len(x), generator)
        generated = blurred(self.networks_.decoder.generate(z), x, generator)
        real = critic.judge(critic.features(blurred(x, x, generator), generator))
        # The critic's side, and then the generator's: the same samples, other parameters.
        judged, *read = critic(generated.detach(), generator)
        passing, *readable = frozen(critic, generated, generator)
        errors = self._reading_errors(z, *read)
        of_generator = self._reading_errors(z, *readable)
        return {
            "critic": telling_apart(real, judged),
            "generator": passing_for_real(passing),
            "cluster_information": on_both_sides(errors[0], of_generator[0]),
            "code_information": on_both_sides(errors[1], of_generator[1]),
        }

    def _reading_errors(self, z: Tensor, codes: Tensor, logits: Tensor) -> tuple[Tensor, Tensor]:
        """-log Q of the cluster and of the codes in z, each (n,)."""
        prior = self.prior_
        drawn = z[:, prior.style_dim :].argmax(dim=-1)
        squared = (codes - z[:, prior.normal_dim : prior.style_dim]) ** 2
        constant = math.log(2.0 * math.pi)
        return (
            F.cross_entropy(logits, drawn, reduction="none"),
            0.5 * (squared + constant).sum(-1),
        )

    def _weight(self, term: str) -> float:
        weights = {
            "cluster_information": self.information_weight,
            "code_information": self.code_weight,
        }
        return weights.get(term, 1.0)

    def _after_fit(self, samples: Samples) -> None:
        super()._after_fit(samples)
        self.labels_ = self.predict(samples)

    def _restoring(self, tensors: Mapping[str, Tensor]) -> None:
        super()._restoring(tensors)
        self.n_clusters = len(tensors["prior.weights"])


def on_both_sides(one: Tensor, other: Tensor) -> Tensor:
    """The mean of two tensors, with the whole gradient of each.

    Two sides estimate one number, each for parameters of its own: it is reported once, and
    weighs fully with both.
    """
    mean = 0.5 * (one.detach() + other.detach())
    return mean + (one - one.detach()) + (other - other.detach())
