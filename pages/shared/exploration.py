"""What the page Interpolate knows of a run: points of its last frame, its mixtures, its choices.

A choice is written in codes that a link can carry: ``p12`` is a point of the stage set, ``c3`` a
cluster's mean, ``z...`` a latent of one's own (float32, base64 with - and _).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from pages.shared.networks import cached_model
from pages.shared.session import cached_frame, cached_metrics, cached_stage
from vade_core.colours import PALETTE, UNKNOWN, cluster_looks, text_on
from vade_core.drawing import usual_box
from vade_core.latent_paths import WAYS
from vade_core.projection import LENSES
from vade_core.run_frames import frame_title, lenses_of
from vade_core.runs import Frame, Run, RunError, Stage

if TYPE_CHECKING:
    from vade_core.models.base import LatentModel
    from vade_core.priors import Prior

__all__ = [
    "VIEWS",
    "Choice",
    "Exploration",
    "checked_choice",
    "choice_from_link",
    "earlier_frames",
    "explore",
    "line_of",
    "link_of_choice",
    "pack_message",
    "usual_choice",
]

VIEWS = ("path", "corners", "sum", "sliders", "plane", "draw")
"""The page's parts, as a link names them."""

HALF_WAY = 0.5
# Between the codes of a list in a link; no code holds it.
BETWEEN = "."
# Labels beyond have no colours on the map either.
MOST_KINDS = 255
Values = NDArray[np.float64]
Mixture = tuple[Values, Values, Values]


@dataclass(frozen=True)
class Choice:
    """What is chosen on the page, in codes.

    Attributes
    ----------
    view : str
        One of `VIEWS`.
    a, b : str
        The ends of the path.
    way : str
        A name in ``vade_core.latent_paths.WAYS``.
    corners : tuple of four str
        Top left, top right, bottom left, bottom right.
    sum : tuple of three str
        A, B and C of A - B + C.
    digit : str
        What the latent sliders begin with.
    t : float
        The place on the path: 0 is A, 1 is B.
    """

    view: str
    a: str
    b: str
    way: str
    corners: tuple[str, ...]
    sum: tuple[str, ...]
    digit: str
    t: float = HALF_WAY


@dataclass(frozen=True, eq=False)
class Exploration:
    """A run as the page shows it.

    Attributes
    ----------
    name : str
        The run's id.
    title : str
        Of the frame whose points are shown.
    caption : str
        How the map was made.
    latents : ndarray of float32, shape (n, J)
    places : ndarray of float32, shape (n, 2)
        On the map.
    labels, clusters : ndarray of int64, shape (n,), or None
    class_names : list of str
        As many as there are labels and matched classes.
    looks : list of tuple of (name, colour)
        Of the K clusters, as on the map.
    pictures : ndarray of uint8, shape (n, h, w), or None
    shape : tuple of (height, width), or None
    n_features : int
    bernoulli : bool
    limits : tuple of float
        Lowest and highest value of samples that are no pictures.
    assigning, prior : tuple of ndarray
        log weights (K,), means (K, J), log-variances (K, J) of the mixture that assigns clusters
        and of the prior itself; they differ for a VAE alone.
    own_clusters : bool
        Whether the prior has clusters.
    box : int or None
        The side of the box that the pictures' ink fills; None where nothing can be drawn.
    """

    name: str
    title: str
    caption: str
    latents: NDArray[np.float32]
    places: NDArray[np.float32]
    labels: NDArray[np.int64] | None
    clusters: NDArray[np.int64] | None
    class_names: list[str]
    looks: list[tuple[str, str]]
    pictures: NDArray[np.uint8] | None
    shape: tuple[int, int] | None
    n_features: int
    bernoulli: bool
    limits: tuple[float, float]
    assigning: Mixture
    prior: Mixture
    own_clusters: bool
    box: int | None

    @property
    def latent_dim(self) -> int:
        """J."""
        return int(self.latents.shape[1])

    @property
    def n_clusters(self) -> int:
        """K."""
        return len(self.assigning[0])

    def latent(self, code: str) -> Values:
        """The latent that a code stands for, (J,).

        Raises
        ------
        ValueError
            If it stands for none here.
        """
        kind, rest = code[:1], code[1:]
        if kind == "z":
            return self._own(rest)
        table: NDArray[Any] | None = {"p": self.latents, "c": self.assigning[1]}.get(kind)
        # isdecimal takes other scripts' digits, too.
        if table is None or not (rest.isascii() and rest.isdecimal() and len(rest) < 9):
            raise ValueError(f"{code[:40]!r} is no code of a place in latent space.")
        if int(rest) >= len(table):
            raise ValueError(f"This run has no {code!r}.")
        return table[int(rest)].astype(np.float64)

    def _own(self, text: str) -> Values:
        try:
            content = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            found = np.frombuffer(content, "<f4").astype(np.float64)
        except (ValueError, binascii.Error):
            raise ValueError("These are no latents.") from None
        if len(found) != self.latent_dim or not np.isfinite(found).all():
            raise ValueError(f"A latent of this run has {self.latent_dim} finite numbers.")
        return found


def explore(run: Run, frame: int | None = None) -> Exploration | None:
    """Read what the page needs of a run.

    Parameters
    ----------
    run : Run
        With a checkpoint.
    frame : int, optional
        An earlier frame, where the run kept its model; by default the last one.

    Returns
    -------
    Exploration or None
        None where the run has no frame yet.

    Raises
    ------
    RunError
        If the run cannot be read, or its frame does not fit its model.
    """
    numbers = run.frame_numbers()
    if not numbers:
        return None
    shown = cached_frame(run, numbers[-1] if frame is None else frame)
    return _joined(run, shown, cached_stage(run), cached_model(run, frame))


def earlier_frames(run: Run) -> list[int]:
    """Frames before the last whose model the run kept, once there are clusters."""
    last = run.frame_numbers()[-1:]
    kept = [number for number in run.weights_numbers() if [number] < last]
    return [number for number in kept if line_of(run, number).get("sizes")]


def _joined(run: Run, frame: Frame, stage: Stage, model: LatentModel) -> Exploration:
    config = run.config
    where = run.frame_path(frame.number)
    latents = frame.latents
    prior, assigning = _mixture(model.prior_), _mixture(model.assigning_prior())
    if latents.ndim != 2 or latents.shape != (len(stage.rows), prior[1].shape[1]):
        raise RunError(f"{where} does not fit the run's checkpoint or its stage set.")
    if not np.isfinite(latents).all() or not len(latents):
        raise RunError(f"{where} holds no latents, or some that are not finite.")
    line = line_of(run, frame.number)
    labels = stage.labels
    if labels is not None and labels.size and not 0 <= labels.min() <= labels.max() < MOST_KINDS:
        labels = None
    places, caption = _map_of(run, frame)
    most = 0 if labels is None or not labels.size else int(labels.max()) + 1
    names, looks = cluster_looks(config.class_names, line.get("matched"), len(assigning[0]), most)
    shape = None if config.image_shape is None else (config.image_shape[0], config.image_shape[1])
    pictures = stage.pictures
    if pictures is not None and (shape is None or pictures.shape[1:] != shape):
        pictures = None
    bernoulli = config.likelihood == "bernoulli"
    return Exploration(
        name=run.id,
        title=frame_title(line) if line else f"frame {frame.number}",
        caption=caption,
        latents=latents,
        places=places,
        labels=labels,
        clusters=_clusters_of(frame, len(assigning[0])),
        class_names=names,
        looks=looks,
        pictures=pictures,
        shape=shape,
        n_features=config.n_features,
        bernoulli=bernoulli,
        limits=_limits(stage, frame),
        assigning=assigning,
        prior=prior,
        own_clusters=model.prior_.n_clusters > 0,
        box=_box(pictures) if bernoulli and pictures is not None else None,
    )


def line_of(run: Run, number: int) -> Mapping[str, Any]:
    """The line of metrics.jsonl that a frame belongs to; empty while it is not written yet."""
    for at, line in enumerate(cached_metrics(run)):
        if (at if line.get("report") is None else line["report"]) == number:
            return line
    return {}


def _mixture(prior: Prior) -> Mixture:
    weights, means, variances = (
        tensor.detach().cpu().numpy().astype(np.float64) for tensor in prior.components()
    )
    if not all(np.isfinite(values).all() for values in (weights, means, variances)):
        raise RunError("The mixture holds NaN or infinite values: the model has diverged.")
    return weights, means, variances


def _clusters_of(frame: Frame, k: int) -> NDArray[np.int64] | None:
    found = frame.clusters
    if found is None or (len(found) and not 0 <= found.min() <= found.max() < k):
        return None
    return found


def _map_of(run: Run, frame: Frame) -> tuple[NDArray[np.float32], str]:
    """Places of the points, and how they were found: with two dimensions the latents themselves."""
    if frame.latents.shape[1] == 2:
        return frame.latents, "The two latent dimensions"
    for lens in lenses_of(run):
        places = frame.maps.get(lens)
        if places is not None and np.isfinite(places).all():
            return places, LENSES[lens].title
    return _two_widest(frame.latents), "PCA"


def _two_widest(latents: NDArray[np.float32]) -> NDArray[np.float32]:
    """The latents along the two directions in which they differ most, (n, 2)."""
    middle = latents.astype(np.float64) - latents.mean(axis=0)
    axes = np.linalg.svd(middle, full_matrices=False)[2][:2]
    places = np.zeros((len(latents), 2), np.float32)
    places[:, : len(axes)] = middle @ axes.T
    return places


def _limits(stage: Stage, frame: Frame) -> tuple[float, float]:
    values = stage.samples if stage.samples.size else frame.reconstructions
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 1.0
    low, high = np.quantile(finite, [0.002, 0.998])
    return float(low), float(max(high, low + 1e-6))


def _box(pictures: NDArray[np.uint8]) -> int | None:
    try:
        return usual_box(pictures[:200])
    except ValueError:
        return None


# --- What is chosen -------------------------------------------------------------------------------


def usual_choice(found: Exploration) -> Choice:
    """What the page opens with: typical samples of clusters that lie far apart.

    Parameters
    ----------
    found : Exploration
    """
    typical = _typical(found)
    latents = found.latents.astype(np.float64)
    chosen = _far_apart(latents, typical, 4)
    a, b = chosen[0], chosen[1]
    first = _cluster_of(found, a)
    second = _cluster_of(found, b)
    return Choice(
        view="path",
        a=f"p{a}",
        b=f"p{b}",
        way="straight",
        corners=tuple(f"p{i}" for i in chosen),
        # What is particular about a digit, put on another cluster's mean.
        sum=(f"p{_peculiar(found, first)}", f"c{first}", f"c{second}"),
        digit=f"p{a}",
    )


def _typical(found: Exploration) -> list[int]:
    """A point of each cluster, the densest there, by the clusters' names.

    Where there are labels it is one whose class gave the cluster its name: what is shown first
    should not need an excuse. Clusters without such a point are left out, unless few are left.
    """
    density = _joint(found)
    own = density.argmax(axis=1)
    order = sorted(range(found.n_clusters), key=lambda c: (found.looks[c][0].zfill(8), c))
    named, picked = [], []
    for c in order:
        members = np.flatnonzero(own == c)
        if not len(members):
            continue
        picked.append(int(members[density[members, c].argmax()]))
        if found.labels is not None:
            called = np.array([found.class_names[v] == found.looks[c][0] for v in found.labels])
            members = members[called[members]]
            if len(members):
                named.append(int(members[density[members, c].argmax()]))
    return named if len(named) >= 2 else picked


def _joint(found: Exploration) -> Values:
    """log pi_c + log N(z; mu_c, sigma_c^2) of each point, less a constant, (n, K)."""
    weights, means, variances = found.assigning
    z = found.latents.astype(np.float64)
    joint = np.empty((len(z), len(weights)))
    for c in range(len(weights)):
        squared = (z - means[c]) ** 2 * np.exp(-variances[c])
        joint[:, c] = weights[c] - 0.5 * (squared + variances[c]).sum(axis=1)
    return joint


def _cluster_of(found: Exploration, point: int) -> int:
    return int(_joint(found)[point].argmax())


def _peculiar(found: Exploration, cluster: int) -> int:
    """A point that clearly belongs to a cluster and is unlike its mean."""
    joint = _joint(found)
    members = np.flatnonzero(joint.argmax(axis=1) == cluster)
    order = members[np.argsort(joint[members, cluster], kind="stable")]
    return int(order[len(order) // 10])


def _far_apart(latents: Values, first: Sequence[int], count: int) -> list[int]:
    """The first of some points, then those that lie farthest from the ones before."""
    chosen = [first[0]]
    while len(chosen) < count:
        rest: Sequence[int] = [i for i in first if i not in chosen]
        # Where there are too few clusters, any point will do.
        rest = rest or range(len(latents))
        distances = np.linalg.norm(latents[rest][:, None] - latents[chosen][None], axis=2)
        chosen.append(int(rest[int(distances.min(axis=1).argmax())]))
    return chosen


def checked_choice(told: Any, found: Exploration, otherwise: Choice) -> Choice:
    """A choice that fits a run, out of what a browser or a link says.

    Parameters
    ----------
    told : object
        A dict with some of the fields of `Choice`; lists for the tuples.
    found : Exploration
    otherwise : Choice
        Stands in for what is missing or does not fit.
    """
    given = told if isinstance(told, dict) else {}
    usual = asdict(otherwise)
    values: dict[str, Any] = {
        name: code if _fits(code := given.get(name), found) else usual[name]
        for name in ("a", "b", "digit")
    }
    for name in ("corners", "sum"):
        codes = given.get(name)
        right = (
            isinstance(codes, list | tuple)
            and len(codes) == len(usual[name])
            and all(_fits(code, found) for code in codes)
        )
        values[name] = tuple(codes) if right and codes is not None else usual[name]
    way, view = given.get("way"), given.get("view")
    values["way"] = way if isinstance(way, str) and way in WAYS else usual["way"]
    values["t"] = _place(given.get("t"), usual["t"])
    known = [name for name in VIEWS if name != "plane" or found.latent_dim == 2]
    values["view"] = view if isinstance(view, str) and view in known else usual["view"]
    return Choice(**values)


def _place(told: Any, otherwise: float) -> float:
    """A share of the way, to a thousandth."""
    try:
        share = float(told)
    except (TypeError, ValueError):
        return otherwise
    return round(share, 3) if 0 <= share <= 1 else otherwise


def _fits(code: Any, found: Exploration) -> bool:
    if not isinstance(code, str):
        return False
    try:
        found.latent(code)
    except ValueError:
        return False
    return True


def choice_from_link(query: Mapping[str, str]) -> dict[str, Any]:
    """What a link asks for, for `checked_choice`.

    Parameters
    ----------
    query : mapping of str to str
        Such as ``st.query_params``.
    """
    asked: dict[str, Any] = {
        name: query[name] for name in ("view", "a", "b", "way", "digit", "t") if name in query
    }
    for name in ("corners", "sum"):
        if name in query:
            asked[name] = query[name].split(BETWEEN)
    return asked


def link_of_choice(choice: Choice, usual: Choice) -> dict[str, str | None]:
    """What a link says of a choice; None for what is as usual."""
    found: dict[str, str | None] = {}
    for name, value in asdict(choice).items():
        text = BETWEEN.join(value) if isinstance(value, tuple) else str(value)
        found[name] = None if value == getattr(usual, name) else text
    return found


# --- The message ----------------------------------------------------------------------------------


@st.cache_resource(show_spinner=False, max_entries=16)
def pack_message(
    _found: Exploration, choice: Choice, digest: str | None, world: str
) -> tuple[bytes, str]:
    """Everything that the browser needs, as bytes, and the mark of the choice it begins with.

    Bytes 0-3 are ``VIPO``, 4-7 the format's number, 8-11 the length of the JSON header; its
    ``parts`` name offset, count and kind of the numbers that follow, each at a multiple of 8.

    Parameters
    ----------
    _found : Exploration
    choice : Choice
        What is shown at first.
    digest : str or None
        Of the networks; None where the server decodes.
    world : str
        Changes whenever `_found` does.
    """
    start = hashlib.sha256(repr(choice).encode()).hexdigest()[:12]
    mark = hashlib.sha256(repr((world, digest)).encode()).hexdigest()[:16]
    header = {
        "world": mark,
        "stamp": f"{mark}-{start}",
        "start": start,
        "choice": asdict(choice),
        "digest": digest,
        "name": _found.name,
        "caption": f"{_found.caption}, {_found.title}",
        "points": len(_found.latents),
        "latentDim": _found.latent_dim,
        "isPlane": _found.latent_dim == 2,
        "nFeatures": _found.n_features,
        "imageShape": _found.shape,
        "classNames": _found.class_names,
        "clusters": [
            {"name": name, "colour": colour, "ink": text_on(colour)}
            for name, colour in _found.looks
        ],
        "palette": PALETTE,
        "unknown": UNKNOWN,
        "ownClusters": _found.own_clusters,
        "low": _found.limits[0],
        "high": _found.limits[1],
        "box": _found.box,
        "canDraw": _found.box is not None,
        "whyNoDrawing": why_no_drawing(_found),
    }
    parts: dict[str, NDArray[Any]] = {
        "latents": _found.latents.astype("<f4"),
        "places": _found.places.astype("<f4"),
    }
    for name, codes in (("labels", _found.labels), ("clusters", _found.clusters)):
        if codes is not None:
            parts[name] = codes.astype("<i2")
    if _found.pictures is not None:
        parts["pictures"] = _found.pictures
    for name, mixture in (("assigning", _found.assigning), ("prior", _found.prior)):
        for part, values in zip(("logWeights", "means", "logVariances"), mixture, strict=True):
            parts[f"{name}.{part}"] = values.astype("<f4")
    return pack_parts(header, parts), start


def why_no_drawing(found: Exploration) -> str:
    """Why nothing can be drawn here, in a sentence; empty where it can."""
    if found.box is not None:
        return ""
    if found.shape is None or found.pictures is None:
        return "These samples are no pictures: there is nothing to draw."
    if not found.bernoulli:
        return "Drawing needs grey pictures between black and white; these have another scale."
    return "These pictures hold no ink: there is nothing to draw like them."


def pack_parts(header: dict[str, Any], parts: Mapping[str, NDArray[Any]]) -> bytes:
    """A JSON header and arrays as one message, little endian."""
    kinds = {"<f4": "f4", "|u1": "u1", "<i2": "i2"}
    directory, blobs, offset = {}, [], 0
    for name, values in parts.items():
        blob = np.ascontiguousarray(values).tobytes()
        directory[name] = [offset, int(values.size), kinds[values.dtype.str]]
        blobs += [blob, bytes(-len(blob) % 8)]
        offset += len(blob) + len(blobs[-1])
    text = json.dumps({**header, "parts": directory}, separators=(",", ":"), allow_nan=False)
    content = text.encode()
    content += b" " * ((4 - len(content)) % 8)
    return b"".join([b"VIPO", struct.pack("<II", 1, len(content)), content, *blobs])
