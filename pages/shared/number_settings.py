"""The numbers that a person may set on the Train page: from where to where, and what they do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Setting:
    """A constructor parameter that a person may set; empty means what model and preset say.

    Attributes
    ----------
    label : str
    low, high : float
        From where to where.
    whole : bool
    words : str
        What it does, for whoever asks.
    """

    label: str
    low: float = 1
    high: float = 100_000
    whole: bool = True
    words: str = ""


def _weight(label: str, words: str) -> Setting:
    return Setting(label, 0.0, 1000.0, whole=False, words=words)


SETTINGS: dict[str, Setting] = {
    "pretrain_epochs": Setting(
        "Pretraining epochs",
        0,
        1000,
        words="How often the networks go through the samples before there are clusters. Small data "
        "get more of them, so that there are as many steps. Layer by layer, each layer has half as "
        "many before.",
    ),
    "clamped_epochs": Setting(
        "Epochs with clusters held",
        0,
        1000,
        words="For so many epochs the model learns the clusters that the start gave; from then on "
        "it chooses by itself.",
    ),
    "latent_dim": Setting(
        "Latent size",
        1,
        1000,
        words="How many numbers stand for a sample in the latent space.",
    ),
    "batch_size": Setting(
        "Batch size",
        1,
        100_000,
        words="How many samples the networks see before each step of the training.",
    ),
    "learning_rate": Setting(
        "Learning rate",
        1e-6,
        1.0,
        whole=False,
        words="How far each step goes. The pretraining has its own.",
    ),
    "strength": _weight(
        "Lambda", "How far from the middle the classes' Gaussians stand: at 0 all are one."
    ),
    "beta": _weight("Beta", "How much the KL term counts: 1 is a plain VAE."),
    "held_epochs": Setting(
        "Epochs with centres held",
        0,
        1000,
        words="For so many epochs the centres of the clusters stay where they began.",
    ),
    "reconstruction_weight": _weight(
        "Weight of the reconstruction",
        "How much it counts that samples are rebuilt well: 1 in the paper. Less keeps the clusters "
        "of the start together, more rebuilds samples better.",
    ),
    "kl_weight": _weight(
        "Weight of the KL terms",
        "How much it counts that latents lie where the clusters' Gaussians are: 1 in the paper. "
        "With 0, what is drawn from a Gaussian looks less like its cluster.",
    ),
    "agreement_weight": _weight(
        "Weight of the disagreement with held clusters",
        "While clusters are held: how much it counts that the model's own clusters agree with "
        "them. At 0 the networks need not learn them.",
    ),
    "renew_every": Setting(
        "Epochs between renewals of held clusters, 0: never",
        0,
        1000,
        words="Neighbours are the nearest in the latents and in the data. Where a sample's are of "
        "another cluster, it is held in theirs from then on.",
    ),
    "style_dim": Setting(
        "Size of the style", 1, 1000, words="How many numbers say what the cluster does not."
    ),
    "n_codes": Setting(
        "Continuous codes",
        1,
        1000,
        words="How many numbers beside the cluster can be read back from a sample.",
    ),
    "information_weight": _weight(
        "Weight of the cluster's code",
        "How much it counts that the cluster can be read back from a sample.",
    ),
    "code_weight": _weight(
        "Weight of the continuous codes",
        "How much it counts that the codes can be read back from a sample.",
    ),
    "minimum_information": Setting(
        "Minimum information, nats",
        0.0,
        100.0,
        whole=False,
        words="Below it, telling clusters apart costs nothing: so that not all become one.",
    ),
    "concentration": Setting(
        "Concentration of the weights",
        1e-3,
        1000.0,
        whole=False,
        words="Low: a few of the weights take most. High: all are alike.",
    ),
    "separation": Setting(
        "Distance of the prior means",
        0.0,
        100.0,
        whole=False,
        words="How far from the middle the clusters' Gaussians are.",
    ),
    "n_neighbours": Setting(
        "Samples of a clique",
        2,
        1000,
        words="So many are looked at together: each sample and its nearest neighbours.",
    ),
    "regularisation": Setting(
        "Regularisation",
        1e-9,
        1e9,
        whole=False,
        words="Keeps the model of each clique from following its few samples too closely.",
    ),
    "most_samples": Setting(
        "Samples clustered at most",
        20,
        1_000_000,
        words="Of more samples so many are clustered; the others are treated as new ones.",
    ),
    "tolerance": Setting(
        "Changes that end the training, share",
        0.0,
        1.0,
        whole=False,
        words="The training ends when fewer samples than this share change their cluster.",
    ),
}
EPOCHS = Setting(
    "Epochs",
    1,
    100_000,
    words="How often the model goes through the samples. Pretraining is not counted.",
)
SEED = Setting(
    "Seed",
    0,
    2**32 - 1,
    words="Where chance begins: the same seed and settings give the same training.",
)
FREE = Setting("K", 1, 1000)


def read_number(name: str, text: str, setting: Setting) -> float:
    """What a link says of a setting.

    Raises
    ------
    ValueError
        With a sentence for the page.
    """
    try:
        value = int(text) if setting.whole else float(text)
    except ValueError:
        value = float("nan")
    if not setting.low <= value <= setting.high:
        kind = "a whole number" if setting.whole else "a number"
        low, high = written(setting.low), written(setting.high)
        raise ValueError(f"{name} is {text[:40]!r}: give {kind} from {low} to {high}.")
    return value


def check_number(setting: Setting, value: float | None) -> str:
    """A sentence where a number is outside what a setting takes; else nothing.

    The widgets take any number: one with limits of its own turns red, keeps what it had before,
    and a training would start without what is written there.
    """
    if value is None or setting.low <= value <= setting.high:
        return ""
    shown, low, high = map(written, (value, setting.low, setting.high))
    return f"{setting.label}: {shown} is out of range. Give a number from {low} to {high}."


def written(value: float) -> str:
    """A number for people.

    Examples
    --------
    >>> written(100_000), written(1e-6)
    ('100,000', '1e-06')
    """
    return f"{int(value):,}" if value == int(value) else f"{value:g}"
