"""The models, and the one registry that everything else reads them from.

A model's class is imported when it is first asked for: a list of names needs no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vade_core.models.aae import AAE
    from vade_core.models.ae import AE
    from vade_core.models.base import LatentModel
    from vade_core.models.beta_vae import BetaVAE
    from vade_core.models.cgan import ConditionalGAN
    from vade_core.models.cvae import CVAE
    from vade_core.models.dec import DEC
    from vade_core.models.dlgmm import DLGMM
    from vade_core.models.gmm import DataMixture
    from vade_core.models.gmvae import GMVAE
    from vade_core.models.infogan import InfoGAN
    from vade_core.models.kmeans_vae import KMeansVAE
    from vade_core.models.lambda_hot import LambdaHot
    from vade_core.models.lambda_hot_movable import LambdaHotMovable
    from vade_core.models.latent_mixture import AEKMeans, AEMixture, VAEMixture
    from vade_core.models.ldmgi import LDMGI
    from vade_core.models.sb_vae import SBVAE
    from vade_core.models.vade import VaDE
    from vade_core.models.vae import VAE


@dataclass(frozen=True)
class ModelEntry:
    """A model as the command line and the pages offer it.

    Attributes
    ----------
    name : str
        What ``--model`` takes.
    title : str
        For people.
    class_name : str
        Of its estimator, in the module of ``vade_core.models`` that ``file`` names.
    file : str
    supervised : bool
        Whether it learns from labels.
    own_clusters : bool
        Whether its prior has clusters; otherwise a mixture is fitted to its latents afterwards.
    summary : str
        One sentence.
    source : str
        Where it comes from.
    baseline : bool
        Whether it is what models are held against; most of them have no epochs of their own.
    dimension_per_class : bool
        Whether it needs a latent dimension for each class.
    stages : mapping of str to str
        ``pretraining`` and ``start``, where the model itself settles them and they are no settings.
    """

    name: str
    title: str
    class_name: str
    file: str
    supervised: bool
    own_clusters: bool
    summary: str
    source: str
    baseline: bool = False
    dimension_per_class: bool = False
    stages: Mapping[str, str] = field(default_factory=dict)

    @property
    def estimator(self) -> type[LatentModel]:
        """The class, imported now."""
        found: type[LatentModel] = getattr(
            import_module(f"{__name__}.{self.file}"), self.class_name
        )
        return found


MODELS: dict[str, ModelEntry] = {
    "vade": ModelEntry(
        "vade",
        "VaDE",
        "VaDE",
        "vade",
        supervised=False,
        own_clusters=True,
        summary="A mixture of Gaussians as the prior: it sorts and generates without labels.",
        source="Jiang et al., Variational Deep Embedding (arXiv 1611.05148, IJCAI 2017)",
    ),
    "vae": ModelEntry(
        "vae",
        "VAE",
        "VAE",
        "vae",
        supervised=False,
        own_clusters=False,
        summary="One Gaussian for all: a mixture fitted to its latents afterwards finds clusters.",
        source="Kingma and Welling, Auto-Encoding Variational Bayes (arXiv 1312.6114)",
    ),
    "lambda-hot": ModelEntry(
        "lambda-hot",
        "Lambda-Hot",
        "LambdaHot",
        "lambda_hot",
        supervised=True,
        own_clusters=True,
        summary="A Gaussian for each class, set by its label: supervised.",
        source="Wang, Blair, Belkhale, Encouraging Categorical Meaning in the Latent Space of a "
        "VAE",
        dimension_per_class=True,
    ),
    "ae": ModelEntry(
        "ae",
        "AE",
        "AE",
        "ae",
        supervised=False,
        own_clusters=False,
        summary="An autoencoder: it only reconstructs, and its latent space has no prior.",
        source="Rumelhart, Hinton, Williams, Learning representations by back-propagating errors "
        "(Nature, 1986)",
    ),
    "beta-vae": ModelEntry(
        "beta-vae",
        "beta-VAE",
        "BetaVAE",
        "beta_vae",
        supervised=False,
        own_clusters=False,
        summary="A VAE whose divergence from its prior counts beta times, 5 by default.",
        source="Higgins et al., beta-VAE: Learning Basic Visual Concepts with a Constrained "
        "Variational Framework (ICLR 2017)",
    ),
    "cvae": ModelEntry(
        "cvae",
        "Conditional VAE",
        "CVAE",
        "cvae",
        supervised=True,
        own_clusters=True,
        summary="Encoder and decoder are told the class, so that z is left with style: supervised.",
        source="Sohn, Lee, Yan, Learning Structured Output Representation using Deep Conditional "
        "Generative Models (NeurIPS 2015)",
    ),
    "kmeans-vae": ModelEntry(
        "kmeans-vae",
        "K-means VAE",
        "KMeansVAE",
        "kmeans_vae",
        supervised=False,
        own_clusters=True,
        summary="A Gaussian around each k-means centre of the latents, renewed every epoch.",
        source="Wang, Blair, Belkhale, Encouraging Categorical Meaning in the Latent Space of a "
        "VAE",
    ),
    "lambda-hot-movable": ModelEntry(
        "lambda-hot-movable",
        "Lambda-Hot, movable",
        "LambdaHotMovable",
        "lambda_hot_movable",
        supervised=True,
        own_clusters=True,
        summary="Lambda-Hot whose class centres are learnt from where they start: supervised.",
        source="Wang, Blair, Belkhale, Encouraging Categorical Meaning in the Latent Space of a "
        "VAE (future work)",
        dimension_per_class=True,
    ),
    "gmvae": ModelEntry(
        "gmvae",
        "GMVAE",
        "GMVAE",
        "gmvae",
        supervised=False,
        own_clusters=True,
        summary="Clusters in a mixture that a style w moves: what is drawn, and how it is drawn.",
        source="Dilokthanakul et al., Deep Unsupervised Clustering with Gaussian Mixture "
        "Variational Autoencoders (arXiv 1611.02648), as in Orbay, GMM-VAE Experiment Report "
        "(2020)",
    ),
    "dec": ModelEntry(
        "dec",
        "DEC",
        "DEC",
        "dec",
        supervised=False,
        own_clusters=True,
        summary="An autoencoder's encoder, pulled towards its own surest clusters; no prior.",
        source="Xie, Girshick, Farhadi, Unsupervised Deep Embedding for Clustering Analysis "
        "(arXiv 1511.06335, ICML 2016)",
        stages={"start": "kmeans"},
    ),
    "aae": ModelEntry(
        "aae",
        "AAE",
        "AAE",
        "aae",
        supervised=False,
        own_clusters=True,
        summary="An autoencoder with a style and a cluster, which two critics shape.",
        source="Makhzani et al., Adversarial Autoencoders (arXiv 1511.05644)",
    ),
    "infogan": ModelEntry(
        "infogan",
        "InfoGAN",
        "InfoGAN",
        "infogan",
        supervised=False,
        own_clusters=True,
        summary="A generator against a critic; its cluster and codes must show in what it makes.",
        source="Chen et al., InfoGAN: Interpretable Representation Learning by Information "
        "Maximizing Generative Adversarial Nets (arXiv 1606.03657)",
    ),
    "cgan": ModelEntry(
        "cgan",
        "Conditional GAN",
        "ConditionalGAN",
        "cgan",
        supervised=True,
        own_clusters=True,
        summary="A generator that is told the class, against a critic that knows it: supervised.",
        source="Mirza and Osindero, Conditional Generative Adversarial Nets (arXiv 1411.1784)",
    ),
    "sb-vae": ModelEntry(
        "sb-vae",
        "SB-VAE",
        "SBVAE",
        "sb_vae",
        supervised=False,
        own_clusters=False,
        summary="A VAE whose latents are shares of a broken stick: as many as the data need.",
        source="Nalisnick and Smyth, Stick-Breaking Variational Autoencoders (arXiv 1605.06197, "
        "ICLR 2017)",
    ),
    "dlgmm": ModelEntry(
        "dlgmm",
        "DLGMM",
        "DLGMM",
        "dlgmm",
        supervised=False,
        own_clusters=True,
        summary="A mixture of Gaussians as the posterior of each sample, with weights of its own.",
        source="Nalisnick, Hertel, Smyth, Approximate Inference for Deep Latent Gaussian Mixtures "
        "(NIPS workshop on Bayesian deep learning, 2016)",
    ),
    "gmm": ModelEntry(
        "gmm",
        "GMM",
        "DataMixture",
        "gmm",
        supervised=False,
        own_clusters=True,
        summary="A Gaussian mixture on the samples themselves, without any network.",
        source="Dempster, Laird, Rubin, Maximum Likelihood from Incomplete Data via the EM "
        "Algorithm (1977)",
        baseline=True,
    ),
    "ae-gmm": ModelEntry(
        "ae-gmm",
        "AE + GMM",
        "AEMixture",
        "latent_mixture",
        supervised=False,
        own_clusters=True,
        summary="A Gaussian mixture on the latents of an autoencoder, which is then left alone.",
        source="Jiang et al., Variational Deep Embedding (arXiv 1611.05148, IJCAI 2017), table 2",
        baseline=True,
        stages={"pretraining": "autoencoder", "start": "gmm"},
    ),
    "ae-kmeans": ModelEntry(
        "ae-kmeans",
        "AE + k-means",
        "AEKMeans",
        "latent_mixture",
        supervised=False,
        own_clusters=True,
        summary="k-means on the latents of an autoencoder: each sample goes to the nearest centre.",
        source="Xie, Girshick, Farhadi, Unsupervised Deep Embedding for Clustering Analysis "
        "(ICML 2016), table 2",
        baseline=True,
        stages={"pretraining": "autoencoder", "start": "kmeans"},
    ),
    "vae-gmm": ModelEntry(
        "vae-gmm",
        "VAE + GMM",
        "VAEMixture",
        "latent_mixture",
        supervised=False,
        own_clusters=True,
        summary="A Gaussian mixture on the latents of a VAE, in place of its prior.",
        source="Jiang et al., Variational Deep Embedding (arXiv 1611.05148, IJCAI 2017), table 2",
        baseline=True,
        stages={"pretraining": "vae", "start": "gmm"},
    ),
    "ldmgi": ModelEntry(
        "ldmgi",
        "LDMGI",
        "LDMGI",
        "ldmgi",
        supervised=False,
        own_clusters=True,
        summary="Spectral clustering of the samples by what separates them from near neighbours.",
        source="Yang, Xu, Nie, Yan, Zhuang, Image Clustering Using Local Discriminant Models and "
        "Global Integration (IEEE Transactions on Image Processing, 2010)",
        baseline=True,
    ),
}


def __getattr__(name: str) -> Any:
    for entry in MODELS.values():
        if entry.class_name == name:
            return entry.estimator
    if name == "LatentModel":
        return import_module(f"{__name__}.base").LatentModel
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "AAE",
    "AE",
    "AEKMeans",
    "AEMixture",
    "BetaVAE",
    "CVAE",
    "ConditionalGAN",
    "DEC",
    "DLGMM",
    "DataMixture",
    "GMVAE",
    "InfoGAN",
    "KMeansVAE",
    "LDMGI",
    "LambdaHot",
    "LambdaHotMovable",
    "LatentModel",
    "MODELS",
    "ModelEntry",
    "SBVAE",
    "VAE",
    "VAEMixture",
    "VaDE",
]
