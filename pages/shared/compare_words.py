"""What the words on a map mean, a sentence each: said once below the maps that use them."""

from __future__ import annotations

from collections.abc import Sequence

from vade_core.map_frames import MapFrames
from vade_core.run_frames import phase_title

__all__ = ["NUMBERED", "explained", "goes_by_number"]

RECALL = "10-NN recall: of a sample's ten nearest in latent space, how many the map keeps near."
HELD = "Clusters held: the model learns the clusters of the start; free: it may change them."
NUMBERED = "A name such as c7 is a cluster's number: just then no class is matched with it."


def goes_by_number(frames: MapFrames) -> bool:
    """Whether a cluster goes by its number at some moment, while others go by their class."""
    matched = frames.matched
    return matched is not None and any((row >= 0).any() and (row < 0).any() for row in matched)


def explained(maps: Sequence[MapFrames]) -> list[str]:
    """What is to be said below some maps, as far as they use such words.

    Parameters
    ----------
    maps : sequence of MapFrames

    Returns
    -------
    list of str
        A sentence each.
    """
    words = []
    if any(goes_by_number(frames) for frames in maps):
        words.append(NUMBERED)
    if any(phase_title("clamped") in frames.phases for frames in maps):
        words.append(HELD)
    if any(share is not None for frames in maps for share in frames.recall or []):
        words.append(RECALL)
    return words
