"""Colours for classes and clusters that colour-blind people can tell apart on any background.

The first ten colours were spread so that the nearest two stay apart in normal vision and in
simulated protanopia and deuteranopia (Machado, Oliveira and Fernandes, 2009). All lie
between the lightness of a white and of a nearly black page. No set of twenty is safe for
everybody, so pictures that use them also write the class's name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

PALETTE: list[str] = [
    "#1578c4",
    "#d9514c",
    "#05906f",
    "#af054f",
    "#b057fa",
    "#f0a705",
    "#fa83fa",
    "#05b1ca",
    "#9d5105",
    "#d705b2",
    "#0f5f4d",
    "#6408ef",
    "#fa60a2",
    "#ac980e",
    "#97059a",
    "#628ad3",
    "#bd7705",
    "#5356d3",
    "#d560e6",
    "#22c66a",
    "#8c5488",
    "#64b3fa",
    "#966f05",
    "#efa185",
]
"""Hex colours of classes 0, 1, 2 and so on; they repeat after the last."""

RIGHT = "#2b83d6"
"""Points whose cluster's class is their own."""

WRONG = "#e8720c"
"""Points whose cluster's class is another; drawn as crosses, not by colour alone."""

RAMP: list[str] = ["#e8720c", "#c98a4b", "#9a938f", "#5f8bb8", "#2b83d6"]
"""From doubtful (orange) through grey to sure (blue), even in lightness."""

UNKNOWN = "#8b8f98"
"""Points and clusters of no class."""

# Names in a sentence; the others are counted.
_MOST_LISTED = 8


def colour_of(class_index: int) -> str:
    """Hex colour of a class.

    Parameters
    ----------
    class_index : int
        The class, from 0. A negative number means "no class" and is grey.

    Returns
    -------
    str
        A colour such as ``"#1578c4"``.

    Examples
    --------
    >>> colour_of(0), colour_of(-1), colour_of(24) == colour_of(0)
    ('#1578c4', '#8b8f98', True)
    """
    return UNKNOWN if class_index < 0 else PALETTE[class_index % len(PALETTE)]


def cluster_looks(
    class_names: Sequence[str] | None, matched: Any, n_clusters: int, n_classes: int = 0
) -> tuple[list[str], list[tuple[str, str]]]:
    """Names of the classes, and name and colour of each cluster, as the map's legend has them.

    Parameters
    ----------
    class_names : sequence of str, or None
        As many as are known; further classes go by their numbers.
    matched : object
        The class of each cluster, as a run's file has it: anything but a list of whole numbers
        from 0 stands for no class.
    n_clusters : int
        K.
    n_classes : int
        How many classes there are at least.

    Returns
    -------
    names : list of str
        Of the classes.
    looks : list of (str, str)
        Of each cluster: that of its class, else its number, as c9, and a colour of its own.

    Examples
    --------
    >>> names, looks = cluster_looks(["cat", "dog"], [1, -1], 2)
    >>> names, [name for name, colour in looks]
    (['cat', 'dog'], ['dog', 'c1'])
    """
    given = matched if isinstance(matched, list) else []
    codes = [code if isinstance(code, int) else -1 for code in given[:n_clusters]]
    codes += [-1] * (n_clusters - len(codes))
    names = [str(name) for name in class_names or []]
    most = max([len(names), n_classes, *(code + 1 for code in codes)])
    names += [str(code) for code in range(len(names), most)]
    looks = [
        (names[code], colour_of(code)) if code >= 0 else (f"c{c}", colour_of(len(names) + c))
        for c, code in enumerate(codes)
    ]
    return names, looks


def legend_of_numbers(
    names: Sequence[str], commonest: Sequence[str | None] | None = None, *, noun: str = "class"
) -> str:
    """What a name such as c7 means, in a sentence: for those clusters that go by their number.

    Parameters
    ----------
    names : sequence of str
        Of each cluster, as `cluster_looks` gives them.
    commonest : sequence of (str or None), optional
        The name of the class that each cluster holds most of; None for an empty one.
    noun : str
        What a class is called, such as digit.

    Returns
    -------
    str
        Empty where every cluster goes by a class.

    Examples
    --------
    >>> legend_of_numbers(["4", "c1"], ["4", "9"], noun="digit")
    'c1 is cluster number 1, matched with no digit. It holds mostly 9.'
    >>> legend_of_numbers(["c0", "c1"])
    'c0 is cluster number 0, and so on.'
    """
    alone = [c for c, name in enumerate(names) if name == f"c{c}"]
    if not alone:
        return ""
    if commonest is None and len(alone) == len(names):
        return f"c{alone[0]} is cluster number {alone[0]}, and so on."
    known = [] if commonest is None else [(c, commonest[c]) for c in alone if commonest[c]]
    if len(alone) == 1:
        holds = f" It holds mostly {known[0][1]}." if known else ""
        return f"c{alone[0]} is cluster number {alone[0]}, matched with no {noun}.{holds}"
    # "1 more" would be as long as its name.
    listed = alone if len(alone) <= _MOST_LISTED + 1 else alone[:_MOST_LISTED]
    shown = [f"c{c}" for c in listed]
    if len(alone) > len(listed):
        shown.append(f"{len(alone) - len(listed)} more")
    words = f"{', '.join(shown[:-1])} and {shown[-1]} go by their numbers, matched with no {noun}."
    holds = ", ".join(f"c{c} holds mostly {name}" for c, name in known[:_MOST_LISTED])
    return f"{words} {holds}." if holds else words


def text_on(colour: str) -> str:
    """Black or white, whichever reads better on a colour.

    Parameters
    ----------
    colour : str
        A hex colour, ``"#rrggbb"``.

    Returns
    -------
    str
        ``"#000000"`` or ``"#ffffff"``, the one of the higher contrast ratio (WCAG 2).

    Raises
    ------
    ValueError
        If the colour is not written as ``"#rrggbb"``.

    Examples
    --------
    >>> text_on("#f0a705"), text_on("#af054f")
    ('#000000', '#ffffff')
    """
    lit = _luminance(colour) + 0.05
    contrast_of_black, contrast_of_white = lit / 0.05, 1.05 / lit
    return "#000000" if contrast_of_black > contrast_of_white else "#ffffff"


def _luminance(colour: str) -> float:
    """Relative luminance of an sRGB colour, 0 for black to 1 for white (WCAG 2)."""
    if len(colour) != 7 or colour[0] != "#":
        raise ValueError(f"{colour!r} is not a colour; write it as #rrggbb.")
    try:
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    except ValueError:
        raise ValueError(f"{colour!r} is not a colour; write it as #rrggbb.") from None
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
