"""What is chosen on the page Interpolate: ends, corners, a sum, and what a link says of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pages.shared.exploration import Exploration
from vade_core.latent_paths import WAYS

__all__ = [
    "VIEWS",
    "Choice",
    "checked_choice",
    "choice_from_link",
    "words_of_choice",
    "link_of_choice",
    "usual_choice",
]

VIEWS = ("path", "corners", "sum", "sliders", "plane", "draw")
"""The page's parts, as a link names them."""

HALF_WAY = 0.5
# Between the codes of a list in a link; no code holds it.
BETWEEN = "."
Values = NDArray[np.float64]


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
    as_usual = words_of_choice(usual)
    return {
        name: None if words == as_usual[name] else words
        for name, words in words_of_choice(choice).items()
    }


def words_of_choice(choice: Choice) -> dict[str, str]:
    """A choice in the words of a link."""
    return {
        name: BETWEEN.join(value) if isinstance(value, tuple) else str(value)
        for name, value in asdict(choice).items()
    }
