"""The models, and the one registry that everything else reads them from.

A model's class is imported when it is first asked for: a list of names needs no torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vade_core.models.base import LatentModel
    from vade_core.models.lambda_hot import LambdaHot
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

    @property
    def estimator(self) -> type[LatentModel]:
        """The class, imported now."""
        found: type[LatentModel] = getattr(
            import_module(f"{__name__}.{self.file}"), self.class_name
        )
        return found


MODELS: dict[str, ModelEntry] = {
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
}


def __getattr__(name: str) -> Any:
    for entry in MODELS.values():
        if entry.class_name == name:
            return entry.estimator
    if name == "LatentModel":
        return import_module(f"{__name__}.base").LatentModel
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = ["MODELS", "LambdaHot", "LatentModel", "ModelEntry", "VAE", "VaDE"]
