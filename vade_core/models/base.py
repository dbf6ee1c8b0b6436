"""What every model of the VAE family shares: two networks, a prior, scikit-learn's habits."""

from __future__ import annotations

import copy
import warnings
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import reduce
from numbers import Integral
from typing import Any, Self, TypeVar, cast

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.exceptions import NotFittedError
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor, nn

from vade_core.draws import Shared
from vade_core.models.settings import RandomState, check_settings
from vade_core.networks import Networks, Posterior, sample_posterior
from vade_core.priors import Prior, Terms
from vade_core.samples import (
    DeviceSamples,
    Samples,
    as_numbers,
    chunks,
    from_device,
    holds_grey_levels,
    in_training_type,
    scale_words,
    to_device,
)
from vade_core.training import (
    EpochReport,
    Phase,
    Precision,
    Training,
    as_float,
    decayed,
    epoch_generator,
    fastest_precision,
)

# What validate_data takes as it is; other numbers become float64.
ACCEPTED: dict[str, Any] = {
    "accept_sparse": "csr",
    "dtype": [np.float64, np.float32, np.uint8],
}
# A scaler may put new data a little outside of the range that it has seen.
FAR_OUTSIDE = 2.0
# Rows encoded at a time: large enough for full speed, small enough to keep memory flat.
CHUNK = 4096
SCORE_DRAWS = 10  # of z, for the ELBO of single samples
GREY_LEVELS = "data.grey_levels"  # in a weights file: 1 if the samples of the fit were
M = TypeVar("M", bound=nn.Module)


def device_named(name: str) -> torch.device:
    """The device that a model's setting names; ``auto`` is a GPU where there is one."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        if device.type not in ("cpu", "cuda"):
            raise RuntimeError(f"{device} is none that models are trained on")
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"device must be 'auto', 'cpu' or 'cuda', not {name!r}.") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device is {name!r}, and PyTorch finds no GPU here: choose 'auto'.")
    return device


def seed_of(random_state: RandomState) -> int:
    """A seed of what scikit-learn takes for one: None and a RandomState give others each time."""
    if isinstance(random_state, (int, np.integer)):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31))


class Given(nn.Module):
    """The clusters or classes that a loss is given, of every sample; perhaps none.

    A module, so that several trainings at once each see their own.

    Parameters
    ----------
    assignment : Tensor of int64, shape (n,), or None
        Shared, not copied: what is written into it later counts.
    """

    assignment: Tensor | None

    def __init__(self, assignment: Tensor | None) -> None:
        super().__init__()
        self.register_buffer("assignment", assignment, persistent=False)

    def of(self, rows: Tensor) -> Tensor | None:
        """Those of the samples with these numbers, or None."""
        return None if self.assignment is None else self.assignment[rows]


@contextmanager
def unchanged_if_refused(models: Sequence[LatentModel]) -> Iterator[None]:
    """Let models be what they were before, fitted ones too, if what is done here fails."""
    before = [dict(vars(model)) for model in models]
    try:
        yield
    except Exception:
        for model, was in zip(models, before, strict=True):
            model.__dict__.clear()
            model.__dict__.update(was)
        raise


class LatentModel(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Base of the models: encoding, decoding, the ELBO, training, and what is kept in a file.

    A model file supplies the prior and the schedule: :meth:`_build_prior` and :meth:`_phases`.

    Attributes
    ----------
    networks_ : Networks
        Encoder and decoder.
    prior_ : Prior
        p(z).
    likelihood_ : str
        ``bernoulli`` or ``gaussian``.
    reports_ : list of EpochReport
        What :meth:`fit` went through.
    """

    supervised = False
    _scores_samples = True
    # What a fitted model has; a model without networks names something else.
    _fitted = "networks_"
    # Whether the samples of the fit were grey levels, which are divided by 255. None where that
    # is not known, as of older weights files: uint8 is then taken for them.
    _grey_levels: bool | None = None
    # Whether :meth:`update_clusters` was called since the training began.
    _updated = True

    # Set by the constructors of the models; named here for the type checker.
    latent_dim: int
    hidden: Sequence[int]
    likelihood: str
    observation_variance: str
    n_draws: int
    epochs: int
    batch_size: int
    learning_rate: float
    decay: float
    decay_every: int
    learning_rate_floor: float
    adam_eps: float
    reconstruction_weight: float
    kl_weight: float
    random_state: RandomState
    device: str
    precision: str

    # -- what a model file supplies ---------------------------------------------------------

    @abstractmethod
    def _build_prior(self) -> Prior:
        """The prior, with its starting values."""

    @abstractmethod
    def _phases(self, samples: DeviceSamples, targets: Tensor | None) -> list[Phase]:
        """The schedule of the training."""

    @property
    def latent_size(self) -> int:
        """Width of what :meth:`transform` gives and :meth:`decode` takes; J unless a model's
        latents hold more than z."""
        return self.latent_dim

    @property
    def _n_features_out(self) -> int:
        return self.latent_size

    def assigning_prior(self) -> Prior:
        """The mixture that assigns clusters; the prior itself unless a model has none."""
        return self.prior_

    def update_clusters(self, latents: NDArray[Any]) -> None:
        """Bring up to date what is fitted from outside to the latents, and is not trained: a
        mixture for models without clusters of their own, moments for one without a prior.

        Parameters
        ----------
        latents : ndarray, shape (n, J)
            Posterior means of the training samples.
        """
        self._updated = True

    def _check_updated(self) -> None:
        """Raise NotFittedError if what is fitted from outside was not, since training began."""
        if not self._updated:
            raise NotFittedError(
                f"What this {type(self).__name__} takes for clusters, or draws samples from, is "
                "fitted to its latents after a training, and was not since the last one began: "
                "call update_clusters(transform(X)) with the samples that it is trained on."
            )

    @classmethod
    def from_preset(cls, preset: str, n_samples: int, **settings: Any) -> Self:
        """A model by a recipe of :mod:`vade_core.presets`, as command line and app train it.

        Parameters
        ----------
        preset : str
            ``robust`` is what these take where nothing else is chosen.
        n_samples : int
            That it will be fitted to: batch and pretraining go by it.
        **settings
            Of the constructor; they come before the recipe's, whose stages are fitted to them.

        Raises
        ------
        ValueError
            If there is no such preset or setting, or the stages do not go together.

        Examples
        --------
        >>> from vade_core.models import VaDE
        >>> VaDE.from_preset("robust", n_samples=1_797, n_clusters=10).batch_size
        64
        """
        from vade_core.configure import chosen_parameters
        from vade_core.models import MODELS
        from vade_core.presets import PRESETS

        if not isinstance(n_samples, Integral) or n_samples < 1:
            raise ValueError("n_samples must be the number of samples, a whole number from 1 on.")
        if preset not in PRESETS:
            raise ValueError(f"There is no preset {preset!r}: choose one of {', '.join(PRESETS)}.")
        names = {entry.class_name: name for name, entry in MODELS.items()}
        name = next((names[each.__name__] for each in cls.__mro__ if each.__name__ in names), None)
        if name is None:
            raise ValueError(
                f"{cls.__name__} is no model of the registry: recipes have none for it."
            )
        # Of a recipe neither is a part, and the library takes more of them than a run does.
        own = {key: settings.pop(key) for key in ("n_init", "random_state") if key in settings}
        return cls(**chosen_parameters(name, preset, n_samples, settings) | own)

    # -- training ---------------------------------------------------------------------------

    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> LatentModel:
        """Train on samples X.

        Parameters
        ----------
        X : array-like or sparse matrix, shape (n, D)
            Numbers, or grey levels: uint8 whose largest value is 32 or more is taken as pictures
            of 0..255 and divided by 255, in every method. uint8 with smaller values is numbers.
        y : array-like, shape (n,), optional
            Classes; ignored by every model that is not supervised.

        Returns
        -------
        self
        """
        training = self._begin_fit(X, y)
        try:
            self.reports_.extend(training)
            self._end_fit(training)
        except Exception:
            self._unfit()
            raise
        return self

    def _begin_fit(self, X: ArrayLike, y: ArrayLike | None) -> Training:
        training = self.stream(X, y)
        self._warn_of_scale(training.samples)
        self.reports_: list[EpochReport] = []
        return training

    def _end_fit(self, training: Training) -> None:
        with warnings.catch_warnings():
            # These samples are the fit's own, and have lost the names of a table's columns.
            warnings.filterwarnings("ignore", "X does not have valid feature names")
            self._after_fit(from_device(training.samples))

    def _unfit(self) -> None:
        """Be as before any fit: what has diverged answers nonsense."""
        for name in [each for each in vars(self) if each.endswith("_") and each[0] != "_"]:
            delattr(self, name)

    def _warn_of_scale(self, samples: DeviceSamples) -> None:
        unbounded = self._fitted == "networks_" and self.likelihood_ == "gaussian"
        if not unbounded or not isinstance(samples, Tensor):
            return
        if words := scale_words(samples):
            warnings.warn(
                f"X is far from the unit scale at which the networks begin ({words}): standardise "
                "it, or little is learnt.",
                UserWarning,
                stacklevel=4,  # whoever called fit
            )

    def _after_fit(self, samples: Samples) -> None:
        self.update_clusters(self.latents(samples))

    def stream(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        *,
        between_batches: Callable[[float], bool | None] | None = None,
    ) -> Training:
        """Prepare the training on X and return it; iterating over it trains.

        For whoever wants to follow a training, or to end it early: the model answers in between,
        and what an earlier fit left is gone. A model without clusters or without a prior of its
        own wants ``update_clusters(transform(X))`` before it is asked for them. It is one
        training, whatever ``n_init`` is, and sets neither ``labels_`` nor ``reports_``.

        Parameters
        ----------
        X, y
            As for :meth:`fit`.
        between_batches : callable, optional
            See :class:`vade_core.training.Training`.

        Returns
        -------
        Training
            Yields one :class:`vade_core.training.EpochReport` an epoch.

        Raises
        ------
        ValueError
            If data or settings are refused; the model is then what it was.
        """
        with unchanged_if_refused([self]):
            check_settings(type(self).__name__, self.get_params(deep=False))
            samples, targets = self._checked(X, y)
            self._check_enough(samples.shape[0])
            self._build(samples)
            device = self._device
            on_device = to_device(samples, device)
            on_device_targets = None if targets is None else torch.from_numpy(targets).to(device)
            training = Training(
                on_device,
                self._phases(on_device, on_device_targets),
                seed=self._seed,
                batch_size=min(self.batch_size, len(on_device)),
                precision=self.precision_,
                between_batches=between_batches,
            )
        for name in ("labels_", "reports_", "edge_informations_"):
            self.__dict__.pop(name, None)
        self._updated = type(self).update_clusters is LatentModel.update_clusters
        return training

    def _check_enough(self, n_samples: int) -> None:
        """Refuse samples that are fewer than the clusters that they are to be sorted into."""
        n_clusters = getattr(self, "n_clusters", 0)
        if n_samples < n_clusters:
            raise ValueError(f"{n_samples} samples cannot be sorted into {n_clusters} clusters.")

    def _checked(
        self, X: ArrayLike, y: ArrayLike | None
    ) -> tuple[Samples, NDArray[np.int64] | None]:
        """Samples as uint8 or float32, and targets for supervised models."""
        array = validate_data(self, X, ensure_min_samples=2, order="C", **ACCEPTED)
        return self._trainable(array), None

    def _trainable(self, array: Samples) -> Samples:
        self._grey_levels = holds_grey_levels(array)
        if not self._grey_levels:
            array = as_numbers(array)
        inside = array.dtype == np.uint8 or bool(array.min() >= 0 and array.max() <= 1)
        if self.likelihood not in ("auto", "bernoulli", "gaussian"):
            raise ValueError(
                f"likelihood must be 'auto', 'bernoulli' or 'gaussian', not {self.likelihood!r}."
            )
        if self.likelihood == "bernoulli" and not inside:
            raise ValueError(
                "A Bernoulli likelihood needs values between 0 and 1: scale the data, "
                "or choose likelihood='gaussian'."
            )
        self.likelihood_ = (
            ("bernoulli" if inside else "gaussian")
            if self.likelihood == "auto"
            else self.likelihood
        )
        return in_training_type(array)

    def _build(self, samples: Samples) -> None:
        self._device = device_named(self.device)
        self._seed = seed_of(self.random_state)
        self._assemble(samples.shape[1])
        widest = max((p.shape for p in self.networks_.parameters() if p.ndim == 2), key=np.prod)
        if self.precision == "auto":
            self.precision_: Precision = fastest_precision(
                self._device, (widest[0], widest[1]), self.batch_size
            )
        elif self.precision in ("fp32", "bf16"):
            self.precision_ = "bf16" if self.precision == "bf16" else "fp32"
        else:
            raise ValueError(f"precision must be auto, fp32 or bf16, not {self.precision!r}.")

    def _assemble(self, n_features: int) -> None:
        """Networks and prior with seeded weights, leaving the CPU's random state alone."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self._seed)
            self.networks_ = cast(Networks, self._build_networks(n_features).to(self._device))
            self.prior_ = self._build_prior().to(self._device)

    def _build_networks(self, n_features: int) -> nn.Module:
        """Encoder and decoder with their starting weights; a model that returns anything else
        replaces whatever uses them."""
        return Networks(
            n_features,
            tuple(self.hidden),
            self.latent_dim,
            self.likelihood_,  # type: ignore[arg-type]
            self.observation_variance,  # type: ignore[arg-type]
        )

    def _training_phase(
        self,
        name: Any,
        words: str,
        epochs: int,
        assignment: Tensor | None = None,
        *,
        before: int = 0,
        before_epoch: Callable[[int], Mapping[str, object] | None] | None = None,
        guard: Callable[[], str | None] | None = None,
    ) -> Phase:
        """A phase that minimises -ELBO over networks and prior; ``before``: epochs that it had."""

        given = Given(assignment)

        def loss(x: Tensor, rows: Tensor, generator: torch.Generator) -> Mapping[str, Tensor]:
            return self._objective(self.elbo_terms(x, generator, given.of(rows)))

        return Phase(
            name,
            words,
            epochs,
            before=before,
            counted=self.epochs,
            loss=loss,
            modules=(self.networks_, self.prior_, given),
            parameters=self._parameters,
            learning_rate=decayed(
                self.learning_rate, self.decay, self.decay_every, self.learning_rate_floor
            ),
            adam_eps=self.adam_eps,
            before_epoch=before_epoch,
            guard=guard,
        )

    def _parameters(self) -> list[nn.Parameter]:
        return [*self.networks_.parameters(), *self.prior_.parameters()]

    def elbo_terms(
        self, x: Tensor, generator: torch.Generator, assignment: Tensor | None = None
    ) -> Terms:
        """The terms of -ELBO, unweighted, in nats a sample.

        Parameters
        ----------
        x : Tensor, shape (n, D)
            Floating point.
        generator : torch.Generator
            Source of the L draws of z.
        assignment : Tensor, shape (n,), optional
            Given clusters or classes.

        Returns
        -------
        dict of str to Tensor, each (n,)
            ``reconstruction`` and the prior's own terms; their sum is -ELBO.
        """
        posterior = self.networks_.encoder(x)
        z = sample_posterior(posterior, self.n_draws, generator)
        location, log_variance = self.networks_.decoder(z)
        likelihood = self.networks_.decoder.negative_log_likelihood(location, log_variance, x)
        return {"reconstruction": likelihood.mean(0), **self._divergence(posterior, z, assignment)}

    def _divergence(self, posterior: Posterior, z: Tensor, assignment: Tensor | None) -> Terms:
        """The terms of -ELBO beside the reconstruction: the prior's, see :meth:`Prior.kl`."""
        return self.prior_.kl(posterior, z, assignment)

    def _objective(self, terms: Terms) -> dict[str, Tensor]:
        """Means of the terms and the weighted sum that is minimised, as ``loss``."""
        means = {name: value.mean() for name, value in terms.items()}
        loss = reduce(torch.add, (self._weight(name) * value for name, value in means.items()))
        return {**means, "loss": loss}

    def _weight(self, term: str) -> float:
        """The factor on a term of -ELBO in what is minimised."""
        return self.reconstruction_weight if term == "reconstruction" else self.kl_weight

    # -- using the trained model --------------------------------------------------------------

    def _ready(self, X: ArrayLike) -> Samples:
        check_is_fitted(self, self._fitted)
        return self._as_in_training(validate_data(self, X, reset=False, **ACCEPTED))

    def _as_in_training(self, array: Samples) -> Samples:
        """Samples on the scale of those that the model was trained on."""
        in_unit_range = self.likelihood_ == "bernoulli"
        if array.dtype == np.uint8:
            # Grey levels are divided by 255 later; what was trained on as numbers stays numbers.
            if self._grey_levels is None:
                grey = in_unit_range or holds_grey_levels(array)
            else:
                grey = self._grey_levels or (in_unit_range and holds_grey_levels(array))
            if grey:
                return array
            array = as_numbers(array)
        far = in_unit_range or self._grey_levels
        if far and (array.max() > FAR_OUTSIDE or array.min() < -FAR_OUTSIDE):
            warnings.warn(
                f"X holds values from {array.min():g} to {array.max():g}, and the model was "
                "trained on values between 0 and 1: scale X as the training data were.",
                UserWarning,
                stacklevel=3,
            )
        return array

    @staticmethod
    def _in_dtype(module: M, dtype: np.dtype[Any]) -> M:
        """float64 samples are answered in float64, as scikit-learn's transformers do."""
        return copy.deepcopy(module).double() if dtype == np.float64 else module

    @torch.inference_mode()
    def _over_chunks(self, array: Samples, function: Callable[[Tensor], Tensor]) -> NDArray[Any]:
        return np.concatenate(
            [function(as_float(x)).cpu().numpy() for x in chunks(array, CHUNK, self._device)]
        )

    def transform(self, X: ArrayLike) -> NDArray[Any]:
        """Posterior means, (n, J)."""
        array = self._ready(X)
        encoder = self._in_dtype(self.networks_.encoder, array.dtype)
        return self._over_chunks(array, lambda x: encoder(x).mean)

    def latents(self, samples: Samples, *, precision: Precision = "fp32") -> NDArray[Any]:
        """Posterior means of samples that need no checks, (n, J).

        Parameters
        ----------
        samples : ndarray or CSR matrix, shape (n, D)
            uint8 or float32.
        precision : {"fp32", "bf16"}
            ``transform`` computes in fp32; bf16 is for a quick look between epochs.
        """
        encoder = self.networks_.encoder
        with torch.autocast(self._device.type, torch.bfloat16, enabled=precision == "bf16"):
            return self._over_chunks(samples, lambda x: encoder(x).mean)

    @torch.inference_mode()
    def _trained_latents(self, samples: DeviceSamples) -> NDArray[Any]:
        """Posterior means of the samples that it trains on, where they lie, (n, J)."""
        parts = [self.networks_.encoder(as_float(part)).mean for part in samples.split(CHUNK)]
        return torch.cat(parts).cpu().numpy()

    def posterior(self, X: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
        """Mean and log-variance of q(z|x), each (n, J)."""
        array = self._ready(X)
        encoder = self._in_dtype(self.networks_.encoder, array.dtype)
        both = self._over_chunks(array, lambda x: torch.cat(encoder(x), dim=1))
        return both[:, : self.latent_size], both[:, self.latent_size :]

    def responsibilities(self, latents: NDArray[Any]) -> NDArray[Any]:
        """gamma = p(c|z) of latents (n, J), shape (n, K)."""
        check_is_fitted(self, self._fitted)
        if self.assigning_prior() is not self.prior_:
            self._check_updated()
        array = self._as_latents(latents)
        prior = self._in_dtype(self.assigning_prior(), array.dtype)
        gamma = self._over_chunks(array, lambda z: prior.log_responsibilities(z).exp())
        if unknown := int(np.count_nonzero(~np.isfinite(gamma).all(axis=1))):
            raise ValueError(
                f"No cluster can be told for {unknown} of {len(gamma)} samples, whose numbers "
                "overflow: they are far too large, or the training diverged."
            )
        return gamma

    def predict_proba(self, X: ArrayLike) -> NDArray[Any]:
        """gamma = p(c|z) at the posterior mean, (n, K); no draw, so two calls agree."""
        return self.responsibilities(self.transform(X))

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """The most responsible cluster of each sample, (n,)."""
        return self.predict_proba(X).argmax(axis=1).astype(np.int64)

    def reconstruct(self, X: ArrayLike) -> NDArray[Any]:
        """Mean of p(x|z) at the posterior mean, (n, D)."""
        return self.decode(self.transform(X))

    def decode(self, latents: ArrayLike) -> NDArray[Any]:
        """Mean of p(x|z) for latents (n, J): (n, D), grey levels in [0, 1] for the Bernoulli."""
        check_is_fitted(self, self._fitted)
        array = self._as_latents(latents)
        decoder = self._in_dtype(self.networks_.decoder, array.dtype)
        return self._over_chunks(array, decoder.decode)

    def _as_latents(self, latents: ArrayLike) -> NDArray[Any]:
        """Latents in float64 where they are, else in float32: they may be written by hand."""
        array = np.asarray(latents)
        wide = array.dtype.kind == "f" and array.dtype.itemsize >= 8
        array = array.astype(np.float64 if wide else np.float32, copy=False)
        if array.ndim != 2 or array.shape[1] != self.latent_size:
            raise ValueError(
                f"latents must have the shape (n, {self.latent_size}), not {array.shape}."
            )
        return array

    def negative_log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """-log p(x|z) of samples (n, D) in floating point at latents (n, J), (n,), in nats."""
        decoder = self.networks_.decoder
        location, log_variance = decoder(z)
        return decoder.negative_log_likelihood(location, log_variance, x)

    def inverse_transform(self, X: ArrayLike) -> NDArray[Any]:
        """Samples of latents, as :meth:`decode`: scikit-learn's name for it."""
        return self.decode(X)

    def sample_latents(
        self,
        n: int = 1,
        *,
        cluster: int | None = None,
        temperature: float = 1.0,
        random_state: RandomState = 0,
    ) -> NDArray[Any]:
        """Draw n latents from the prior, (n, J); see :meth:`sample`."""
        check_is_fitted(self, self._fitted)
        if not isinstance(n, Integral) or n < 1 or not temperature >= 0:
            raise ValueError(
                "n must be a whole number from 1 on and temperature 0 or more, "
                f"not {n} and {temperature}."
            )
        if cluster is not None:
            if self.prior_.n_clusters == 0:
                raise ValueError(
                    "This model has one prior for everything, so no cluster can be asked for: "
                    "leave cluster out, or train VaDE or Lambda-Hot."
                )
            if not isinstance(cluster, Integral) or not 0 <= cluster < self.prior_.n_clusters:
                raise ValueError(
                    "cluster must be a whole number between 0 and "
                    f"{self.prior_.n_clusters - 1}, not {cluster}."
                )
        if self.prior_.stands_in:
            self._check_updated()
        generator = epoch_generator(seed_of(random_state), 0, 0, self._device)
        with torch.inference_mode():
            return self.prior_.sample(int(n), generator, cluster, temperature).cpu().numpy()

    def sample(
        self,
        n: int = 1,
        *,
        cluster: int | None = None,
        temperature: float = 1.0,
        random_state: RandomState = 0,
    ) -> NDArray[Any]:
        """Generate n samples: z from the prior, decoded to the mean of p(x|z).

        Parameters
        ----------
        n : int
        cluster : int, optional
            Component to draw from. Models without components of their own refuse.
        temperature : float
            Factor on the prior's standard deviation.
        random_state : int, RandomState or None
            The same seed gives the same samples, and every cluster the same noise; None gives
            others each time.

        Returns
        -------
        ndarray, shape (n, D)

        Raises
        ------
        ValueError
            If there is no such cluster.
        """
        return self.decode(
            self.sample_latents(
                n, cluster=cluster, temperature=temperature, random_state=random_state
            )
        )

    @torch.inference_mode()
    def loss_terms(
        self, X: ArrayLike, y: ArrayLike | None = None, *, random_state: int = 0
    ) -> dict[str, float]:
        """The terms of -ELBO on X and the weighted ``loss``, means in nats a sample.

        Parameters
        ----------
        X : array-like or sparse matrix, shape (n, D)
        y : array-like, shape (n,), optional
            Classes, for supervised models.
        random_state : int
            Seeds the draws of z.

        Returns
        -------
        dict of str to float
        """
        array = self._ready(X)
        targets = self._targets(y)
        if targets is not None and len(targets) != array.shape[0]:
            raise ValueError(f"X has {array.shape[0]} samples, and y has {len(targets)} classes.")
        generator = epoch_generator(random_state, 0, 0, self._device)
        sums: dict[str, float] = {}
        done = 0
        for rows in chunks(array, CHUNK, self._device):
            x = as_float(rows).float()
            given = None if targets is None else targets[done : done + len(x)].to(self._device)
            for name, value in self._objective(self.elbo_terms(x, generator, given)).items():
                sums[name] = sums.get(name, 0.0) + float(value) * len(x)
            done += len(x)
        return {name: value / done for name, value in sums.items()}

    def _targets(self, y: ArrayLike | None) -> Tensor | None:
        """Classes as the prior wants them; None for models that take none."""
        return None

    def score(self, X: ArrayLike, y: ArrayLike | None = None) -> float:
        """Minus the sum of the loss's terms, unweighted, in nats a sample; higher is better.

        It is the ELBO, with seeded draws of z, of a model that has one; of the GMM on the data
        log p(x), and of AE and LDMGI minus the reconstruction error.
        """
        terms = self.loss_terms(X)
        return -sum(value for name, value in terms.items() if name != "loss")

    @available_if(lambda model: model._scores_samples)
    @torch.inference_mode()
    def score_samples(self, X: ArrayLike, *, random_state: RandomState = 0) -> NDArray[np.float64]:
        """ELBO of each sample in nats, (n,): low where it is unlike what was trained on.

        A mean over ``SCORE_DRAWS`` times ``n_draws`` draws of z, whose noise is the same for all
        samples: two calls agree, and no sample depends on those beside it. Not of the supervised
        models, nor of those without an ELBO.

        Parameters
        ----------
        X : array-like or sparse matrix, shape (n, D)
        random_state : int, RandomState or None
        """
        array, seed = self._ready(X), seed_of(random_state)
        scorer = copy.copy(self)
        scorer.networks_ = self._in_dtype(self.networks_, array.dtype)
        scorer.prior_ = self._in_dtype(self.prior_, array.dtype)

        def elbo(x: Tensor) -> Tensor:
            noise: Any = Shared(epoch_generator(seed, 0, 0, self._device))
            terms = [scorer.elbo_terms(x, noise) for _ in range(SCORE_DRAWS)]
            every = [sum(drawn.values(), torch.zeros(())) for drawn in terms]
            return -torch.stack(every).double().mean(0)

        return self._over_chunks(array, elbo)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    # -- what a file keeps ----------------------------------------------------------------------

    def _modules(self) -> dict[str, nn.Module]:
        return {"networks": self.networks_, "prior": self.prior_}

    def tensors(self) -> dict[str, Tensor]:
        """Everything learnt, by name, for a weights file."""
        check_is_fitted(self, self._fitted)
        learnt = {
            f"{part}.{name}": value.detach().cpu().contiguous()
            for part, module in self._modules().items()
            for name, value in module.state_dict().items()
        }
        if self._grey_levels is None:
            return learnt
        # Not learnt, but without it uint8 samples would be read in two ways.
        return {**learnt, GREY_LEVELS: torch.tensor([self._grey_levels], dtype=torch.uint8)}

    def load_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over what :meth:`tensors` gave, into networks that are already built.

        Raises
        ------
        ValueError
            If a name is missing or a shape differs.
        """
        for part, module in self._modules().items():
            prefix = part + "."
            own = {
                name.removeprefix(prefix): value.to(torch.float32)
                if value.is_floating_point()
                else value
                for name, value in tensors.items()
                if name.startswith(prefix)
            }
            try:
                module.load_state_dict(own)
            except RuntimeError as error:
                raise ValueError(
                    f"These weights do not fit this {type(self).__name__}: {error}"
                ) from error
        if (grey_levels := tensors.get(GREY_LEVELS)) is not None:
            self._grey_levels = bool(grey_levels.any())
        self._updated = True

    def restore(self, n_features: int, likelihood: str, tensors: Mapping[str, Tensor]) -> None:
        """Become the fitted model that ``tensors`` describe, without any data.

        Parameters
        ----------
        n_features : int
            D.
        likelihood : str
            ``bernoulli`` or ``gaussian``.
        tensors : mapping of str to Tensor
            As :meth:`tensors` gave them.
        """
        self.likelihood_ = likelihood
        self.n_features_in_ = n_features
        self._device = torch.device("cpu")
        self._seed = 0
        self.precision_ = "fp32"
        self._restoring(tensors)
        self._assemble(n_features)
        self.load_tensors(tensors)

    def _restoring(self, tensors: Mapping[str, Tensor]) -> None:
        """Set what :meth:`_build_prior` needs to know before the weights are loaded."""
