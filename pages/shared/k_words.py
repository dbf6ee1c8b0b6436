"""What becomes of the classes at some K, in words: who shares a cluster, who is split, and how."""

from __future__ import annotations

from collections.abc import Sequence

from pages.shared.session import joined
from vade_core.colours import cluster_looks, legend_of_numbers
from vade_core.granularity import (
    Census,
    Difference,
    Merge,
    Split,
    Table,
    differences,
    holdings,
    matched_classes,
    merges,
    small_pieces,
    splits,
)

__all__ = [
    "THE_RULE",
    "cluster_names",
    "difference_words",
    "findings",
    "headline",
    "kinds_word",
    "legend",
]

# In standard deviations within the parts: below, nobody sees it.
SEEN = 0.5
MOST_DIFFERENCES = 2
# Classes in the name of a cluster that they share.
MOST_NAMED = 3
THE_RULE = (
    "A class belongs to a cluster if it is at least 25 % of the cluster, or if at least 25 % of "
    "the class is in it. A class is split if it is the commonest one of several clusters that "
    "hold at least 25 % of it each."
)


def kinds_word(names: Sequence[str], many: bool = True) -> str:
    """What the classes are: digits, if that is what they are."""
    word = "digit" if all(name.isdecimal() and len(name) == 1 for name in names) else "class"
    return word if not many else {"digit": "digits", "class": "classes"}[word]


def share(value: float) -> str:
    r"""A share as whole per cent, with a space that no line ends at.

    Examples
    --------
    >>> share(0.484)
    '48\xa0%'
    """
    return f"{100 * value:.0f}\N{NO-BREAK SPACE}%"


def cluster_names(counted: Census, names: Sequence[str]) -> list[str]:
    """What each cluster is called: as on the maps, and by all the classes that share it.

    A cluster goes by the class that it is matched with, as ``4``; by that and the others that
    belong to it, as ``4+9``; else by its number, as ``c3``. So does one whose match hardly is in
    it: the matching leaves no class without a cluster while there is one to give.
    """
    k = len(counted.sizes)
    if counted.table is None:
        return [name for name, _ in cluster_looks(None, None, k)[1]]
    matched = _matches_that_belong(counted.table)
    found = [name for name, _ in cluster_looks(names, matched, k)[1]]
    for merge in merges(counted.table):
        if (own := matched[merge.cluster]) >= 0:
            held = [h.label for h in merge.holdings]
            parts = [names[own], *(names[label] for label in held if label != own)]
            more = ["…"] if len(parts) > MOST_NAMED else []
            found[merge.cluster] = "+".join([*parts[:MOST_NAMED], *more])
    return found


def _matches_that_belong(table: Table) -> list[int]:
    """The class that each cluster is matched with and that belongs to it; -1 for none."""
    belongs = {(h.cluster, h.label) for h in holdings(table)}
    matched: list[int] = matched_classes(table).tolist()
    return [label if (c, label) in belongs else -1 for c, label in enumerate(matched)]


def legend(counted: Census, names: Sequence[str]) -> str:
    """What the names of `cluster_names` mean, as far as they are no plain class; else empty."""
    called = cluster_names(counted, names)
    if counted.table is None:
        return legend_of_numbers(called)
    matched = _matches_that_belong(counted.table)
    words = []
    for merge in merges(counted.table)[:1]:
        if (own := matched[merge.cluster]) >= 0:
            others = [names[h.label] for h in merge.holdings if h.label != own]
            verb = "shares" if len(others) == 1 else "share"
            name = called[merge.cluster]
            words.append(f"{name} is matched with {names[own]}; {joined(others)} {verb} it.")
    most = [names[int(c.argmax())] if c.any() else None for c in counted.table.T]
    words.append(legend_of_numbers(called, most, noun=kinds_word(names, many=False)))
    for c, label in enumerate(matched_classes(counted.table).tolist()):
        if label >= 0 and matched[c] < 0:
            words.append(f"On the maps {called[c]} is called {names[label]}, which was left over.")
    return " ".join(sentence for sentence in words if sentence)


def headline(counted: Census, names: Sequence[str]) -> str:
    """What one sees at this K, in a sentence."""
    k = len(counted.sizes)
    used = int((counted.sizes > 0).sum())
    clusters = f"{k} cluster{'' if k == 1 else 's'}"
    if used < k:
        clusters += f", {k - used} of them empty,"
    if counted.table is None:
        return f"{clusters}; without labels nobody can say what they stand for."
    start = f"{clusters} for {len(names)} {kinds_word(names)}"
    shared = [" + ".join(names[h.label] for h in merge.holdings) for merge in merges(counted.table)]
    parts = [names[split.label] for split in splits(counted.table)]
    said = []
    if shared:
        each = "" if len(shared) == 1 else " each"
        said.append(f"{joined(shared)} share a cluster{each}")
    if parts:
        said.append(f"{joined(parts)} {'is' if len(parts) == 1 else 'are'} split")
    if not said:
        return f"{start}: none is merged or split."
    return f"{start}: {'; '.join(said)}."


def findings(counted: Census, names: Sequence[str], measured: bool) -> list[str]:
    """What is merged, split or left over at this K, a sentence each.

    Parameters
    ----------
    counted : Census
    names : sequence of str
        Of the classes.
    measured : bool
        Whether pictures could be measured; if not, that is not said at every split.
    """
    if counted.table is None:
        return []
    called = cluster_names(counted, names)
    found = [merge_words(merge, names, called) for merge in merges(counted.table)]
    alone = matched_classes(counted.table)
    kind = kinds_word(names, many=False)
    for split in splits(counted.table):
        parts = differences(counted, split) if measured else []
        found.append(split_words(split, parts, names, called, measured))
    for held in small_pieces(counted.table):
        found.append(
            f"**{called[held.cluster]}** is matched with no {kind}: {share(held.of_cluster)} of "
            f"it are {names[held.label]}, {share(held.of_class)} of all {names[held.label]}."
        )
    shared = {h.label for merge in merges(counted.table) for h in merge.holdings}
    without = [
        y
        for y in range(len(names))
        if y not in alone and y not in shared and counted.table[y].any()
    ]
    for label in without:
        row = counted.table[label]
        most = int(row.argmax())
        found.append(
            f"**{names[label]}** has no cluster of its own: {share(row[most] / row.sum())} of it "
            f"are in cluster {called[most]}."
        )
    return found


def merge_words(merge: Merge, names: Sequence[str], called: Sequence[str]) -> str:
    """A cluster that several classes share; `called` is what each cluster is called."""
    held = [f"**{names[h.label]}** ({share(h.of_cluster)})" for h in merge.holdings]
    words = f"Cluster **{called[merge.cluster]}** holds {joined(held)}"
    partly = [h for h in merge.holdings if h.of_class < 0.75]
    if partly:
        parts = [f"{share(h.of_class)} of all {names[h.label]}" for h in partly]
        words += f"; in it are {joined(parts)}"
    return f"{words}."


def split_words(
    split: Split,
    parts: Sequence[Difference],
    names: Sequence[str],
    called: Sequence[str],
    measured: bool,
) -> str:
    """A class that several clusters are made of, and how they differ."""
    held = [f"**{called[h.cluster]}** ({share(h.of_class)})" for h in split.holdings]
    words = f"**{names[split.label]}** is split, into clusters {joined(held)}."
    if measured:
        words += f" {difference_words(split, parts, called)}"
    return words


def difference_words(split: Split, parts: Sequence[Difference], called: Sequence[str]) -> str:
    """How the pictures of the parts differ, with what was measured."""
    seen = [part for part in parts if part.effect >= SEEN][:MOST_DIFFERENCES]
    if not seen:
        return "Slant, ink and width hardly tell them apart."
    clusters = [f"cluster {called[h.cluster]}" for h in split.holdings]
    if len(clusters) > 2:
        each = []
        for part in seen:
            values = ", ".join(
                f"{c} {_value(part.measure, v)}" for c, v in zip(clusters, part.values, strict=True)
            )
            each.append(f"{_TITLES[part.measure]}: {values}")
        return f"{'; '.join(each)}."
    # The one with more of what differs most is spoken of.
    one = 0 if seen[0].values[0] >= seen[0].values[1] else 1
    said = [
        _COMPARED[part.measure][part.values[one] < part.values[1 - one]]
        + f" ({_value(part.measure, part.values[one])} against "
        + f"{_value(part.measure, part.values[1 - one])})"
        for part in seen
    ]
    return f"C{clusters[one][1:]} {joined(said)}."


_TITLES = {
    "slant": "Slant to the right",
    "ink": "Ink, as a share of the picture",
    "aspect": "Width to height",
}
# What is said of a part that has more, and of one that has less.
_COMPARED = {
    "slant": ("leans further to the right", "leans less to the right"),
    "ink": ("has more ink", "has less ink"),
    "aspect": ("is wider", "is narrower"),
}


def _value(measure: str, value: float) -> str:
    if measure == "slant":
        return f"{round(value)}°".replace("-", "−")
    if measure == "ink":
        return f"{100 * value:.1f}\N{NO-BREAK SPACE}%"
    return f"{value:.2f}"
