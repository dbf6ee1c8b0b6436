"""What becomes of the classes at some K, in words: who shares a cluster, who is split, and how."""

from __future__ import annotations

from collections.abc import Sequence

from vade_core.granularity import (
    Census,
    Difference,
    Merge,
    Split,
    differences,
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
    "joined",
    "kinds_word",
]

# In standard deviations within the parts: below, nobody sees it.
SEEN = 0.5
MOST_DIFFERENCES = 2
THE_RULE = (
    "A class belongs to a cluster if it is at least 25 % of the cluster, or if at least 25 % of "
    "the class is in it. A class is split if it is the commonest one of several clusters that "
    "hold at least 25 % of it each."
)


def joined(words: Sequence[str]) -> str:
    """Words in a row.

    Examples
    --------
    >>> joined(["3", "5", "8"]), joined(["4", "9"]), joined(["1"])
    ('3, 5 and 8', '4 and 9', '1')
    """
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


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
    """What each cluster is called by what it holds, such as ``4+9``; c3 where nothing is known."""
    if counted.table is None:
        return [f"c{c}" for c in range(len(counted.sizes))]
    shared = {merge.cluster: merge for merge in merges(counted.table)}
    found = []
    for cluster in range(counted.table.shape[1]):
        column = counted.table[:, cluster]
        if cluster in shared:
            found.append("+".join(names[h.label] for h in shared[cluster].holdings))
        elif column.any():
            found.append(names[int(column.argmax())])
        else:
            found.append("empty")
    return found


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
    found = [merge_words(merge, names) for merge in merges(counted.table)]
    alone = matched_classes(counted.table)
    kind = kinds_word(names, many=False)
    for split in splits(counted.table):
        parts = differences(counted, split) if measured else []
        found.append(split_words(split, parts, names, measured))
    for held in small_pieces(counted.table):
        found.append(
            f"**c{held.cluster}** is matched with no {kind}: {share(held.of_cluster)} of it are "
            f"{names[held.label]}, {share(held.of_class)} of all {names[held.label]}."
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
            f"are in c{most}."
        )
    return found


def merge_words(merge: Merge, names: Sequence[str]) -> str:
    """A cluster that several classes share."""
    held = [f"**{names[h.label]}** ({share(h.of_cluster)})" for h in merge.holdings]
    words = f"Cluster **c{merge.cluster}** holds {joined(held)}"
    partly = [h for h in merge.holdings if h.of_class < 0.75]
    if partly:
        parts = [f"{share(h.of_class)} of all {names[h.label]}" for h in partly]
        words += f"; in it are {joined(parts)}"
    return f"{words}."


def split_words(
    split: Split, parts: Sequence[Difference], names: Sequence[str], measured: bool
) -> str:
    """A class that several clusters are made of, and how they differ."""
    held = [f"**c{h.cluster}** ({share(h.of_class)})" for h in split.holdings]
    words = f"**{names[split.label]}** is split: {joined(held)}."
    if measured:
        words += f" {difference_words(split, parts)}"
    return words


def difference_words(split: Split, parts: Sequence[Difference]) -> str:
    """How the pictures of the parts differ, with what was measured."""
    seen = [part for part in parts if part.effect >= SEEN][:MOST_DIFFERENCES]
    if not seen:
        return "Slant, ink and width hardly tell them apart."
    clusters = [f"c{h.cluster}" for h in split.holdings]
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
    return f"{clusters[one]} {joined(said)}."


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
        return f"{value:.0f}°".replace("-", "−")
    if measure == "ink":
        return f"{100 * value:.1f}\N{NO-BREAK SPACE}%"
    return f"{value:.2f}"
