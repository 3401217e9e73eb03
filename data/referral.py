"""A sentence that means one object of a scene."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Referral:
    """An utterance, the object that it means, and what is known of the pair.

    ``target_id`` and ``anchor_ids`` are object ids of the scene. ``category`` is the target's category in the words of the
    data set. ``tags`` are free labels for reports ("unique", "multiple", "nearest", "view-dependent", "heldout-template").
    """

    scene_id: str
    sentence: str
    target_id: int
    category: str
    anchor_ids: tuple[int, ...] = ()
    tags: tuple[str, ...] = ()
