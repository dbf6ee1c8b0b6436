"""The tables and figures of the sources: which lines they have, and where each is measured.

A line names its reported figure (``papers_figures.json``) and the results that it is measured by;
no number stands here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from vade_core.papers_measures import Read, entry

__all__ = ["TABLES", "Line", "Picture", "Source", "Table"]


@dataclass(frozen=True)
class Source:
    """Results that measure a line: the cells of a row, or a recorded run.

    Attributes
    ----------
    folder : {"accuracy", "papers", "recorded"}
        Of ``benchmarks/results``, or the recorded runs.
    what : str
        The recipe's name, or the run's id.
    model : str
        Of the registry; what a cell of this row trains.
    split : bool
        Whether the test part is kept out of training.
    """

    folder: Literal["accuracy", "papers", "recorded"]
    what: str
    model: str = "vade"
    split: bool = False

    @property
    def row(self) -> str:
        """The name of the row's folder."""
        apart = self.split and self.folder == "accuracy"
        return f"{self.what}-split" if apart else self.what


@dataclass(frozen=True)
class Line:
    """A figure that is reported, measured, or both.

    Attributes
    ----------
    cell : str
        What ``--cell`` takes: lines of one cell are measured together.
    title : str
    measure : str
        Of :data:`vade_core.papers_measures.MEASURES`.
    sources : tuple of Source
        The first one that has results counts.
    method : str
        As the paper calls it; empty where it reports nothing.
    figure : str
        The reported figure's measure, where it has another name than ours.
    seeds : int
        How many are wanted; 1 where more cost too much.
    counted : bool
        Whether the figure is among those to be reached; if not, it is told for comparison.
    beside : (str, callable) or None
        A second way of counting, told beside the figure.
    across : str
        The setting, where lines that differ in it alone are shown side by side.
    note : str
    """

    cell: str
    title: str
    measure: str
    sources: tuple[Source, ...]
    method: str = ""
    figure: str = ""
    seeds: int = 5
    counted: bool = True
    beside: tuple[str, Read] | None = None
    across: str = ""
    note: str = ""

    @property
    def key(self) -> str:
        """Its name within a table and a data set."""
        return f"{self.cell}/{self.measure}"


@dataclass(frozen=True)
class Picture:
    """A figure of a paper that a page shows.

    Attributes
    ----------
    key, title, words : str
    page : str
        The address of the page.
    parameter : str
        Of the link; it takes the ids of the runs.
    runs : tuple of str
        Ids of the runs that it needs.
    more : tuple of (str, str)
        Further parameters of the link.
    """

    key: str
    title: str
    words: str
    page: str
    parameter: str
    runs: tuple[str, ...]
    more: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Table:
    """A table or a set of figures of one source.

    Attributes
    ----------
    name : str
        What ``--table`` takes.
    title : str
    paper : str
        Its key in ``papers_figures.json``.
    words : str
        How it is counted here.
    datasets : tuple of str
    lines : callable
        From a data set's name to the lines there are for it.
    pictures : tuple of Picture
    """

    name: str
    title: str
    paper: str
    words: str
    datasets: tuple[str, ...] = ()
    lines: Callable[[str], tuple[Line, ...]] = lambda dataset: ()
    pictures: tuple[Picture, ...] = ()


def _recorded(dataset: str, run_id: str) -> tuple[Source, ...]:
    """The recorded runs are of MNIST."""
    return (Source("recorded", run_id),) if dataset == "mnist" else ()


# -- Jiang et al. -----------------------------------------------------------------------------


def _by_recipe(model: str) -> Source:
    """A model as ``accuracy.py --model`` trains it."""
    return Source("accuracy", f"{model}-robust", model)


def _vade_acc(dataset: str) -> tuple[Line, ...]:
    methods = (
        ("gmm", "GMM", Source("accuracy", "gmm")),
        ("ae-gmm", "AE+GMM", Source("accuracy", "ae-gmm")),
        ("vae-gmm", "VAE+GMM", Source("accuracy", "vae-gmm")),
        ("ldmgi", "LDMGI", _by_recipe("ldmgi")),
        ("aae", "AAE", _by_recipe("aae")),
        ("dec", "DEC", _by_recipe("dec")),
    )
    own = (Source("accuracy", "robust"), *_recorded(dataset, "vade-k10"))
    return (
        *(Line(cell, title, "acc", (source,), title) for cell, title, source in methods),
        Line("vade", "VaDE", "acc", own, "VaDE", note="this software's recipe, robust"),
        Line(
            "vade-paper", "VaDE, the paper's recipe", "acc",
            (Source("accuracy", "paper"), *_recorded(dataset, "vade-paper")), "VaDE", seeds=1,
            note="the last epoch of every seed, where the paper keeps the best of ten",
        ),
    )  # fmt: skip


def _vade_knn(dataset: str) -> tuple[Line, ...]:
    rows = (
        ("vae", "VAE", (_by_recipe("vae"), *_recorded(dataset, "vae"))),
        ("dlgmm", "DLGMM", (_by_recipe("dlgmm"),)),
        ("sb-vae", "SB-VAE", (_by_recipe("sb-vae"),)),
        ("vade", "VaDE", (Source("accuracy", "robust"), *_recorded(dataset, "vade-k10"))),
    )
    return tuple(
        Line(cell, title, f"knn_error_{k}", sources, title)
        for cell, title, sources in rows
        for k in (3, 5, 10)
    )


CURVE = ("0", "1", "5", "50", "120", "end")


def _vade_curve(dataset: str) -> tuple[Line, ...]:
    paper = (Source("accuracy", "paper"), *_recorded(dataset, "vade-paper"))
    own = (Source("accuracy", "robust"), *_recorded(dataset, "vade-k10"))
    # Epoch 0 is before any training there, after the start here; the end is in vade-acc, too.
    return tuple(
        Line(
            cell, title, f"acc_at_{epoch}", sources, "VaDE", seeds=seeds,
            counted=epoch not in ("0", "end"),
        )
        for cell, title, sources, seeds in (
            ("vade", "VaDE", own, 5),
            ("vade-paper", "VaDE, the paper's recipe", paper, 1),
        )
        for epoch in CURVE
    )  # fmt: skip


def _vade_times(dataset: str) -> tuple[Line, ...]:
    own = (Source("accuracy", "robust"), *_recorded(dataset, "vade-k10"))
    paper = (Source("accuracy", "paper"), *_recorded(dataset, "vade-paper"))
    return (
        Line("vade", "VaDE", "seconds_an_epoch", own, "VaDE", note="batches of 256, or 64"),
        Line(
            "vade-paper", "VaDE, the paper's recipe", "seconds_an_epoch", paper, "VaDE", seeds=1,
            note="batches of 100, as in the paper",
        ),
    )  # fmt: skip


FIGURES = (
    Picture(
        "figure-2", "Figure 2: ACC by epoch",
        "The curves of VaDE beside those of other methods.",
        "compare", "runs", ("vade-k10", "vade-paper", "vae", "dec", "aae"), (("part", "curves"),),
    ),
    Picture(
        "figure-3", "Figure 3: t-SNE of the latents at chosen epochs",
        "Every epoch that was kept, as a film: play it, or go to an epoch.",
        "time-machine", "run", ("vade-paper",), (("lens", "tsne"),),
    ),
    Picture(
        "figure-4", "Figure 4: digits generated per cluster",
        "The same noise for every run, cluster by cluster.",
        "compare", "runs", ("vade-k10", "vae", "gmm", "infogan", "cgan"), (("part", "drawn"),),
    ),
    Picture(
        "figure-5", "Figure 5: 2,000 points of VAE, DEC and VaDE",
        "Coloured by label, or by whether they are rightly clustered.",
        "compare", "runs", ("vae", "dec", "vade-k10"),
    ),
    Picture(
        "figure-6", "Figure 6: K = 7 and K = 14",
        "Which digits share a cluster, and which are split.",
        "how-many-clusters", "with", ("vade-k7", "vade-k10", "vade-k14"),
    ),
)  # fmt: skip


# -- Czerwonski -------------------------------------------------------------------------------


def _czerwonski(dataset: str) -> tuple[Line, ...]:
    vade = (
        Source("papers", "czerwonski-vade", "vade", split=True),
        Source("accuracy", "czerwonski", split=True),
    )
    vae = (
        Source("papers", "czerwonski-vae", "vae", split=True),
        Source("accuracy", "vae-czerwonski", "vae", split=True),
    )
    own = (Source("accuracy", "robust", split=True),)
    of_clusters, of_latents = ("rand_index", "nmi"), ("silhouette", "calinski_harabasz")
    return (
        *(Line("vade", "VaDE, his recipe", m, vade, "VaDE") for m in (*of_clusters, *of_latents)),
        *(Line("vae", "VAE", measure, vae, "VAE") for measure in of_latents),
        *(
            Line("robust", "VaDE, robust", measure, own, "VaDE")
            for measure in (*of_clusters, *of_latents)
        ),
        Line("vade", "VaDE, his recipe", "lowest_val_loss", vade[:1], "VaDE", counted=False),
    )


# -- Wang, Blair and Belkhale -----------------------------------------------------------------

WANG = (
    ("vae", "VAE"),
    ("beta-vae", "beta-VAE"),
    ("cvae", "CVAE"),
    ("lambda-hot", "Lambda-Hot"),
    ("kmeans-vae", "K-means VAE"),
)
MOVABLE = ("lambda-hot-movable", "Lambda-Hot, movable centres")
STRENGTHS = range(1, 11)


def _wang(model: str) -> tuple[Source, ...]:
    return (Source("papers", f"wang-{model}", model, split=True),)


def _wang_reconstruction(dataset: str) -> tuple[Line, ...]:
    beside = ("at the posterior mean", entry("reconstruction"))
    return (
        *(
            Line(model, title, "reconstruction", _wang(model), title, beside=beside)
            for model, title in WANG
        ),
        Line(*MOVABLE, "reconstruction", _wang(MOVABLE[0]), beside=beside, note="future work"),
    )


def _wang_accuracy(dataset: str) -> tuple[Line, ...]:
    hot = _wang("lambda-hot")
    sweep = (
        Line(
            f"lambda-{strength}", f"Naive classifier, lambda = {strength}", "test_acc",
            # Wang's own lambda has its cells already.
            hot if strength == 5 else
            (Source("papers", f"wang-lambda-{strength}", "lambda-hot", split=True),),
            seeds=1, across=f"lambda {strength}",
        )
        for strength in STRENGTHS
    )  # fmt: skip
    linear = [pair for pair in (*WANG, MOVABLE) if pair[0] != "cvae"]
    return (
        Line(
            "lambda-hot", "Lambda-Hot, naive classifier", "test_acc", hot, "Lambda-Hot", "acc",
            note="the largest of the first ten latent dimensions",
        ),
        Line(
            "lambda-hot-deep", "Lambda-Hot, three hidden layers, naive classifier", "test_acc",
            (Source("papers", "wang-lambda-hot-deep", "lambda-hot", split=True),),
            "Lambda-Hot", "acc", note="500-500-2000 instead of one layer of 2,000",
        ),
        Line(*MOVABLE, "test_acc", _wang(MOVABLE[0]), note="the nearest centre; future work"),
        *(Line(model, title, "linear", _wang(model)) for model, title in linear),
        *(
            Line(model, title, "cluster_label", _wang(model))
            for model, title in WANG
            if model in ("kmeans-vae", "lambda-hot", "vae")
        ),
        *sweep,
    )  # fmt: skip


# -- Orbay ------------------------------------------------------------------------------------


def _orbay(dataset: str) -> tuple[Line, ...]:
    what = "orbay-gmvae" if dataset == "mnist" else "orbay-gmvae-synthetic"
    cells = (Source("papers", what, "gmvae"),)
    end = "cluster_end" if dataset == "mnist" else "cluster_end_near"
    return (
        Line("gmvae", "GMVAE", "cluster_jump", cells, "GMM-VAE"),
        Line("gmvae", "GMVAE", end, cells, "GMM-VAE", "cluster_end"),
    )


TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        Table(
            "vade-acc", "Clustering accuracy", "jiang2017",
            "ACC of all samples, which are trained on without labels, after the last epoch of "
            "every seed: none is chosen. The paper keeps the best of ten runs.",
            ("mnist", "har", "reuters10k", "reuters", "stl10"), _vade_acc,
        ),
        Table(
            "vade-curve", "ACC by epoch (figure 3)", "jiang2017",
            "Epochs of VaDE itself, counted after its start; a run that has ended counts with its "
            "last epoch. Epoch 0 is before any training in the paper, and after the start here.",
            ("mnist",), _vade_curve, (FIGURES[1],),
        ),
        Table(
            "vade-knn", "Nearest neighbours in the latent space", "jiang2017",
            "Errors are counted on the test part's posterior means, with neighbours from the "
            "train part. Encoders have seen the samples of both, and no label.",
            ("mnist",), _vade_knn,
        ),
        Table(
            "vade-times", "Time an epoch (table 3)", "jiang2016",
            "The first version's times are of a K40.",
            ("mnist", "har", "reuters10k", "reuters"), _vade_times,
        ),
        Table(
            "vade-figures", "Figures 2 to 6", "jiang2017",
            "Every figure is a page here, on the recorded runs.",
            pictures=FIGURES,
        ),
        Table(
            "czerwonski", "Scores and curves of a reimplementation", "czerwonski2025",
            "Trained on 60,000, counted on the 10,000 of the test part, after the last epoch; "
            "the report tells the highest of its curves.",
            ("mnist",), _czerwonski,
            (
                Picture(
                    "generated", "Ten digits of each kind",
                    "Drawn from each cluster by the model.", "clusters", "run", ("vade-k10",),
                ),
                Picture(
                    "heat-map", "Heat map of distances",
                    "From generated digits of each class to the closest real ones of each class.",
                    "clusters", "run", ("vade-k10",), (("part", "asked-for"),),
                ),
                Picture(
                    "curves", "Validation loss, Rand index and NMI by epoch",
                    "The curves of runs over one another.", "compare", "runs",
                    ("vade-k10", "vae"), (("part", "curves"),),
                ),
            ),
        ),
        Table(
            "wang-reconstruction", "Reconstruction loss", "wang",
            "Nats an image of the test part, which takes no part in training; latent size 20, one "
            "recipe for all. Counted at one draw of z from q(z|x): that is the term which training "
            "minimises. At the posterior mean, told beside it, the loss is lower as a rule.",
            ("mnist", "fashion_mnist"), _wang_reconstruction,
        ),
        Table(
            "wang-accuracy", "Classifiers on the latent space", "wang",
            "Trained on the train part, counted on the test part; latent size 20.",
            ("mnist", "fashion_mnist"), _wang_accuracy,
            (
                Picture(
                    "centres", "Samples around each cluster's centre",
                    "Drawn by Lambda-Hot, class by class.", "clusters", "run", ("lambda-hot",),
                ),
                Picture(
                    "wang-reconstructions", "Reconstructions",
                    "Samples, and what the decoders make of them.", "compare", "runs",
                    ("lambda-hot", "vae"), (("part", "rebuilt"),),
                ),
            ),
        ),
        Table(
            "orbay", "The cluster term and its threshold", "orbay2020",
            "The cluster term is ignored below the threshold, 1.5 nats by default, and counts "
            "beyond it. Figures that are reported as \"about\" count as reached within 15 %.",
            ("synthetic", "mnist"), _orbay,
            (
                Picture(
                    "pca", "Latents in two dimensions, by PCA",
                    "VAE beside GMVAE.", "compare", "runs", ("vae", "gmvae"), (("lens", "pca"),),
                ),
                Picture(
                    "style", "Samples of one cluster, with their style",
                    "The cluster decides what it is, the style how it is written.",
                    "clusters", "run", ("gmvae",),
                ),
            ),
        ),
    )
}  # fmt: skip
