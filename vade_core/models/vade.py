"""VaDE: a VAE whose prior is a mixture of Gaussians (Jiang et al. 2017, arXiv 1611.05148)."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from functools import cache, partial

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClusterMixin, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from vade_core.communities import (
    edge_information,
    enough_for_graph,
    graph_neighbours,
    mended,
    neighbour_graph,
)
from vade_core.initialise import STARTS
from vade_core.models.base import LatentModel
from vade_core.models.settings import ElboSettings, check_settings, settings
from vade_core.networks import Posterior, unbounded_log_variance
from vade_core.pretraining import PRETRAINING
from vade_core.principal import principal_components
from vade_core.priors import GaussianMixture, Prior, Terms
from vade_core.samples import DeviceSamples, Samples
from vade_core.together import fit_together
from vade_core.training import Phase, as_float

# Of a cluster's variance, what a sample's own posterior starts with. Between 0.1 and 0.3 the
# first epochs keep the start's clusters; at 1 they lose some, at 0.03 the KL jumps.
POSTERIOR_SHARE = 0.3
GUARDED_SAMPLE = 10_000  # samples that are looked at, after every epoch, for how many have left


@settings
class VaDE(ClusterMixin, ElboSettings, LatentModel):
    """Variational deep embedding: cluster and generate with one model, without labels.

    As it stands it is the plain VaDE, whose clusters often lose their samples: where it ends
    depends on luck. ``VaDE.from_preset("robust", n_samples)`` is what command line and app train.

    Generation: c ~ Cat(pi), z ~ N(mu_c, sigma_c^2 I), x ~ p(x|z). The cluster of a sample is
    the most responsible component, gamma_c = p(c|z), at its posterior mean.

    Parameters
    ----------
    n_clusters : int
        K.
    latent_dim : int
        J.
    hidden : sequence of int
        Widths of the encoder's hidden layers; the decoder mirrors them.
    pretraining : {"autoencoder", "stacked", "vae", "none"}
        What comes before the mixture: an autoencoder end to end, layer by layer and then end to
        end (the paper's), a VAE (Czerwonski's), or nothing.
    pretrain_epochs : int
        Its epochs; ``stacked`` gives each layer a half of them first.
    pretrain_learning_rate : float
    pretrain_warm_up : int
        For the first so many of these epochs the rate is lower, and rises in equal steps
        (:func:`vade_core.pretraining.warmed_up`); of each layer's, where they are ``stacked``.
    start : {"gmm", "graph", "two-graphs", "umap", "kmeans", "random"}
        The mixture's start on the pretrained latents: diagonal EM (the paper's), communities of
        their neighbour graph, the same with single samples moved by neighbours in the data as
        well, a mixture on their UMAP embedding, k-means, or random values.
    start_restarts : int
        Tries of the start, the best by its own measure kept: likelihood, edge information, or
        squared distances.
    epochs : int
        VaDE's own epochs, pretraining not counted.
    clamped_epochs : int
        Of these, the first so many with gamma fixed to the start's clusters; then gamma is free.
        It is an E-step with fixed responsibilities: still a lower bound, and no label is used.
    agreement_weight : float
        How much the loss of these epochs counts ``disagreement``, E_q[-log p(c|z)] of the held
        cluster c. The M2 model learns its labels by such a term (Kingma et al. 2014, arXiv
        1406.5298, eq. 9); here the start stands in for labels. It is never negative, so minus the
        sum of the terms stays a lower bound. Without it the networks take many epochs to sort
        samples as the start did.
    renew_every : int
        After every so many of these epochs, the last one excepted, the held clusters are renewed:
        single samples move by their neighbours in VaDE's own latents and in the data, as
        ``two-graphs`` moves them by those in the pretrained ones
        (:func:`vade_core.communities.mended`). 0: never.
    most_leaving : float, optional
        Of all samples, the share that may leave the cluster that they were held in during the
        free epochs, beyond those that were elsewhere when the held ones ended. An epoch after
        which more have left is undone, and the training ends. None lets them go, and so does
        holding none of the epochs.
    n_init : int
        Trainings that ``fit`` goes through, with random_state, random_state + 1 and so on, on a GPU
        at once (:func:`vade_core.together.fit_together`). Kept is the one whose clusters have the
        highest edge information in the neighbour graph of its own latents
        (:func:`vade_core.communities.edge_information`); no label is used.
    likelihood, observation_variance, n_draws, batch_size, learning_rate, decay, decay_every, \
learning_rate_floor, adam_eps, reconstruction_weight, kl_weight, random_state, device, precision
        As for :class:`vade_core.models.VAE`.

    Attributes
    ----------
    weights_ : ndarray, shape (K,)
        pi, the prior probability of each cluster.
    means_, variances_ : ndarray, shape (K, J)
        mu_c and sigma_c^2, of each cluster in the latent space.
    prior_ : GaussianMixture
        The mixture itself; ``networks_`` are the encoder and the decoder.
    likelihood_ : str
        ``bernoulli`` or ``gaussian``, where ``likelihood`` is ``auto`` decided by the data.
    reports_ : list of EpochReport
        What ``fit`` went through, an epoch each.
    start_clusters_ : ndarray of int64, shape (n,)
        The clusters that the start found; all -1 before it ran.
    held_clusters_ : ndarray of int64, shape (n,)
        The clusters that samples are held in, or were: the start's until they are renewed.
    held_agreement_ : float
        Share of samples in that cluster when the held epochs ended; 0 before.
    labels_ : ndarray, shape (n,)
        Clusters of the training samples, set by ``fit``.
    edge_informations_ : list of float
        Of each of the ``n_init`` trainings, in nats, set by ``fit`` where there are several.
    """

    n_clusters: int = 10
    pretraining: str = "autoencoder"
    pretrain_epochs: int = 10
    pretrain_learning_rate: float = 1e-3
    pretrain_warm_up: int = 0
    start: str = "gmm"
    start_restarts: int = 10
    clamped_epochs: int = 0
    agreement_weight: float = 0.0
    renew_every: int = 0
    most_leaving: float | None = None
    n_init: int = 1
    learning_rate: float = 2e-3
    decay: float = 0.9
    learning_rate_floor: float = 2e-4
    adam_eps: float = 1e-4

    def _build_prior(self) -> Prior:
        return GaussianMixture(self.n_clusters, self.latent_dim)

    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> VaDE:
        """Train on samples X, ``n_init`` times, and keep one training.

        Parameters
        ----------
        X : array-like or sparse matrix, shape (n, D)
            Numbers, best standardised or in [0, 1]; or grey levels: uint8 whose largest value is
            32 or more is taken as pictures of 0..255 and divided by 255, in every method.
        y : array-like, optional
            Ignored.

        Returns
        -------
        self
        """
        if self.n_init == 1:
            super().fit(X)
            return self
        check_settings(type(self).__name__, self.get_params(deep=False))
        seed = self.random_state
        if not isinstance(seed, (int, np.integer)):
            seed = int(check_random_state(seed).randint(2**31 - self.n_init))
        several = [
            clone(self).set_params(n_init=1, random_state=(int(seed) + restart) % 2**32)
            for restart in range(self.n_init)
        ]
        try:
            fit_together(several, X)
        except FloatingPointError:
            self._unfit()
            raise
        informations = [
            edge_information(neighbour_graph(one.transform(X)), one.labels_) for one in several
        ]
        best = several[int(np.argmax(informations))]
        settings = self.get_params(deep=False)
        for name, value in vars(best).items():
            if name not in settings:
                setattr(self, name, value)
        self.edge_informations_ = informations
        return self

    # -- the schedule -----------------------------------------------------------------------

    def _phases(self, samples: DeviceSamples, targets: Tensor | None) -> list[Phase]:
        if self.pretraining not in (*PRETRAINING, "none"):
            raise ValueError(
                f"pretraining must be {', '.join(PRETRAINING)} or none, not {self.pretraining!r}."
            )
        if self.start not in (*STARTS, "random"):
            raise ValueError(f"start must be {', '.join(STARTS)} or random, not {self.start!r}.")
        if self.clamped_epochs and self.start == "random":
            raise ValueError("A random start has no clusters to clamp to: set clamped_epochs=0.")
        if self.clamped_epochs >= self.epochs and self.clamped_epochs:
            raise ValueError(
                f"{self.clamped_epochs} of {self.epochs} epochs clamped leave none with free "
                "clusters, and that is VaDE: raise epochs, or lower clamped_epochs."
            )
        # Filled by the start and by the held epochs; they travel with the checkpoint.
        self.start_ = torch.full((len(samples),), -1, dtype=torch.int64, device=samples.device)
        self.held_ = self.start_.clone()
        self.agreement_ = torch.zeros(())
        # Start and renewals look for neighbours among the same numbers.
        components = cache(partial(principal_components, samples, seed=self._seed))
        phases: list[Phase] = []
        if self.pretraining != "none" and self.pretrain_epochs:
            phases += PRETRAINING[self.pretraining](
                self.networks_,
                self.pretrain_epochs,
                self.pretrain_learning_rate,
                self.pretrain_warm_up,
            )
        if self.start != "random":
            start = STARTS[self.start]
            phases.append(
                Phase(
                    "start",
                    start.words,
                    action=lambda generator: self._start_mixture(samples, components),
                    prepare=start.prepare,
                )
            )
        if self.clamped_epochs:
            words = "Training VaDE with clusters held to the start's"
            phases.append(
                self._training_phase(
                    "clamped",
                    words,
                    self.clamped_epochs,
                    assignment=self.held_,
                    before_epoch=partial(self._renew_held, samples, components),
                    guard=partial(self._note_agreement, samples),
                )
            )
        words = "Training VaDE" if not self.clamped_epochs else "Training VaDE, clusters free"
        name = "free" if self.clamped_epochs else "train"
        free = self.epochs - self.clamped_epochs
        guarded = self.clamped_epochs and self.most_leaving is not None
        guard = partial(self._leaving, samples) if guarded else None
        phases.append(
            self._training_phase(name, words, free, before=self.clamped_epochs, guard=guard)
        )
        return phases

    # -- the loss -----------------------------------------------------------------------------

    def _divergence(self, posterior: Posterior, z: Tensor, assignment: Tensor | None) -> Terms:
        terms = super()._divergence(posterior, z, assignment)
        if assignment is None or not self.agreement_weight:
            return terms
        log_gamma = self.prior_.log_responsibilities(z)
        held = assignment.expand(len(z), -1).unsqueeze(-1)
        return {**terms, "disagreement": -log_gamma.gather(-1, held).squeeze(-1).mean(0)}

    def _weight(self, term: str) -> float:
        return self.agreement_weight if term == "disagreement" else super()._weight(term)

    # -- keeping the start ------------------------------------------------------------------

    @torch.inference_mode()
    def _agreement(self, samples: DeviceSamples) -> float:
        """Share of a seeded sample of the rows that is in the cluster that it was held in."""
        n = len(samples)
        rows = np.arange(n)
        if n > GUARDED_SAMPLE:
            rows = np.random.default_rng(self._seed).choice(n, GUARDED_SAMPLE, replace=False)
        chosen = torch.from_numpy(rows).to(samples.device)
        together = 0
        for part in chosen.split(4096):
            x = as_float(samples.index_select(0, part))
            gamma = self.prior_.log_responsibilities(self.networks_.encoder(x).mean)
            together += int((gamma.argmax(dim=1) == self.held_[part]).sum())
        return together / len(rows)

    def _note_agreement(self, samples: DeviceSamples) -> None:
        self.agreement_.fill_(self._agreement(samples))

    def _leaving(self, samples: DeviceSamples) -> str | None:
        """Why the epoch that has just ended is to be undone; None if it is not."""
        assert self.most_leaving is not None
        now = self._agreement(samples)
        if not now < float(self.agreement_) - self.most_leaving:
            return None
        return (
            f"Only {100 * now:.1f} % of the samples were still in the cluster that they had been "
            f"held in, after {100 * float(self.agreement_):.1f} % when they were set free: the "
            "epoch was undone, and the training ended."
        )

    def _start_mixture(
        self, samples: DeviceSamples, components: Callable[[], NDArray[np.float32]]
    ) -> Mapping[str, object]:
        """Start pi, mu and sigma from the pretrained latents (VaDE paper, section 3.2)."""
        latents = self._trained_latents(samples)
        start = STARTS[self.start]
        of_data = {}
        if start.of_data:
            of_data["components"] = components()
        found = start.find(
            latents, self.n_clusters, seed=self._seed, restarts=self.start_restarts, **of_data
        )
        device = samples.device
        prior = self.prior_
        assert isinstance(prior, GaussianMixture)
        prior.set_components(
            *(
                torch.as_tensor(values, dtype=torch.float32, device=device)
                for values in (found.weights, found.means, found.variances)
            )
        )
        self._match_posterior_to(found.weights @ found.variances)
        self.start_.copy_(torch.from_numpy(found.clusters))
        self.held_.copy_(self.start_)
        sizes = np.bincount(found.clusters, minlength=self.n_clusters)
        # Where there are few samples, graph and UMAP leave it to a mixture, which has a likelihood.
        method = "gmm" if np.isfinite(found.log_likelihood) else self.start
        findings: dict[str, object] = {"method": method, "cluster_sizes": sizes.tolist()}
        for measure in ("log_likelihood", "edge_information"):
            if np.isfinite(value := getattr(found, measure)):
                findings[measure] = value
        return findings

    def _renew_held(
        self, samples: DeviceSamples, components: Callable[[], NDArray[np.float32]], epoch: int
    ) -> Mapping[str, object] | None:
        """Let single samples be held in another cluster, if it is time; which share of them."""
        if not self.renew_every or not epoch or epoch % self.renew_every:
            return None
        latents = self._trained_latents(samples)
        if not enough_for_graph(len(latents), self.n_clusters):
            return None
        before = self.held_.cpu().numpy()
        after, _ = mended(before, self.n_clusters, graph_neighbours(latents), components())
        moved = float(np.mean(after != before))
        self.held_.copy_(torch.from_numpy(after))  # before shares its memory
        return {"renewed": moved}

    @torch.no_grad()
    def _match_posterior_to(self, within_variance: NDArray[np.floating]) -> None:
        """Let q(z|x) begin with a share of the variance within clusters, (J,), for every sample.

        An autoencoder's latents have any scale. Where it is small, posteriors of the untrained
        head's variance (about 1) cover many clusters at once: the first KL is hundreds of nats,
        and the steps it causes tear the start apart. A VAE's posteriors are as wide in the latents
        that it does not use, where components are narrow: kept, they begin at thousands of nats.
        """
        head = self.networks_.encoder.log_variance
        log_variance = torch.as_tensor(np.log(POSTERIOR_SHARE * within_variance))
        head.weight.zero_()
        head.bias.copy_(unbounded_log_variance(log_variance))

    # -- what scikit-learn and the files expect ---------------------------------------------

    @property
    def weights_(self) -> NDArray[np.float32]:
        return self._component(0).exp().numpy()

    @property
    def means_(self) -> NDArray[np.float32]:
        return self._component(1).numpy()

    @property
    def variances_(self) -> NDArray[np.float32]:
        return self._component(2).exp().numpy()

    def _component(self, which: int) -> Tensor:
        check_is_fitted(self)
        return self.prior_.components()[which].detach().cpu()

    @property
    def start_clusters_(self) -> NDArray[np.int64]:
        check_is_fitted(self)
        return self.start_.cpu().numpy()

    @property
    def held_clusters_(self) -> NDArray[np.int64]:
        check_is_fitted(self)
        return self.held_.cpu().numpy()

    @property
    def held_agreement_(self) -> float:
        check_is_fitted(self)
        return float(self.agreement_)

    def _after_fit(self, samples: Samples) -> None:
        super()._after_fit(samples)
        self.labels_ = self.predict(samples)
        if (used := len(np.unique(self.labels_))) < self.n_clusters:
            better = " VaDE.from_preset('robust', n_samples) holds them at first."
            warnings.warn(
                f"Only {used} of {self.n_clusters} clusters hold samples: the others are "
                f"empty.{'' if self.clamped_epochs else better}",
                ConvergenceWarning,
                stacklevel=5,  # whoever called fit
            )

    def tensors(self) -> dict[str, Tensor]:
        learnt = super().tensors()  # or says that there is nothing yet
        start = {"start.clusters": self.start_.cpu(), "start.agreement": self.agreement_.clone()}
        if not torch.equal(self.held_, self.start_):
            start["held.clusters"] = self.held_.cpu()
        return {**learnt, **start}

    def load_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        super().load_tensors(tensors)
        start = tensors.get("start.clusters", torch.empty(0, dtype=torch.int64))
        held = tensors.get("held.clusters", start)
        for name, clusters in (("start_", start), ("held_", held)):
            # In place where there is a schedule, whose clamped phase looks at this very tensor.
            own = getattr(self, name, None)
            if own is not None and own.shape == clusters.shape:
                own.copy_(clusters)
            else:
                setattr(self, name, clusters.clone())
        self.agreement_ = tensors.get("start.agreement", torch.zeros(())).clone()

    def _restoring(self, tensors: Mapping[str, Tensor]) -> None:
        self.n_clusters = int(tensors["prior.means"].shape[0])
