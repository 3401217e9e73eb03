"""Sentences about generated rooms in the layouts of NR3D and SR3D, so that what reads real data can be tried on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

from ..data.readers.json_files import entry, read_json
from ..data.readers.referit3d import COARSE_TYPES, write_nr3d, write_scan_list, write_sr3d
from ..data.readers.scanrefer import read_scanrefer
from ..data.referral import Referral
from .datasets import META, Split, scans_name

REFERENCE_TYPES = {
    "nearest": "closest",
    "next-to": "closest",
    "farthest": "farthest",
    "on": "supported-by",
    "under": "below",
    "above": "above",
    "below": "below",
    "between": "between",
    "left": "left",
    "right": "right",
    "front": "front",
    "behind": "back",
}
"""Tags of generated sentences, and the type of SR3D that comes nearest. (Its sides are the anchor's own, ours the viewer's.)"""


def write_referit3d_layout(root: Path) -> dict[str, int]:
    """Write ``ReferIt3D/nr3d.csv`` and ``sr3d.csv`` from a folder's ScanRefer files, and lists of scenes into ``meta_data``.

    NR3D gets the sentences whose target has others of its category in the scene, SR3D those of them with an anchor and a
    relation that it knows.

    Args:
        root: Holds ``scans`` and ``ScanRefer``.

    Returns:
        Sentences in each table.

    Raises:
        MissingPart, CorruptFile: A scene's objects, or sentences, cannot be read.
    """
    nr3d: list[Referral] = []
    categories: dict[str, Mapping[int, str]] = {}
    for split in get_args(Split):
        path = root / "ScanRefer" / f"ScanRefer_filtered_{split}.json"
        referrals = read_scanrefer(path) if path.is_file() else ()
        scenes = sorted({referral.scene_id for referral in referrals})
        categories |= {scene: _categories(root, scene) for scene in scenes}
        nr3d += [referral for referral in referrals if _has_others(referral, categories)]
        for dataset in ("nr3d", "sr3d"):
            write_scan_list(root / META / scans_name(dataset, split), scenes)
    sr3d = [_with_type(referral) for referral in nr3d if referral.anchor_ids and _type(referral)]
    write_nr3d(root / "ReferIt3D" / "nr3d.csv", nr3d, categories)
    write_sr3d(root / "ReferIt3D" / "sr3d.csv", sr3d, categories)
    return {"nr3d": len(nr3d), "sr3d": len(sr3d)}


def _categories(root: Path, scene_id: str) -> dict[int, str]:
    """Category by object id, without reading the scene's points."""
    path = root / "scans" / scene_id / f"{scene_id}.aggregation.json"
    groups: Sequence[object] = entry(path, "data", read_json(path, "the scene's objects"), "segGroups", list)
    return {
        entry(path, f"segGroups entry {i}", group, "objectId", int): entry(path, f"entry {i}", group, "label", str)
        for i, group in enumerate(groups)
    }


def _has_others(referral: Referral, categories: Mapping[str, Mapping[int, str]]) -> bool:
    own = categories[referral.scene_id]
    return list(own.values()).count(own[referral.target_id]) > 1


def _type(referral: Referral) -> str | None:
    return next((REFERENCE_TYPES[tag] for tag in referral.tags if tag in REFERENCE_TYPES), None)


def _with_type(referral: Referral) -> Referral:
    kind = _type(referral)
    assert kind in COARSE_TYPES
    return replace(referral, tags=(kind,))
