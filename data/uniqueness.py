"""Whether a sentence's target is the only one of its class in the scene, by the two definitions that are reported.

Both group ScanNet's raw categories into 17 classes and a rest, by the NYU40 class of ScanNet's label table. They differ in what
they call the classes (the table says "sofa" and "refridgerator") and in which objects they count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from .readers.scannet import LabelRow
from .referral import Referral
from .scene import SceneObject

_COMMON = (
    *("cabinet", "bed", "chair", "table", "door", "window", "bookshelf", "picture", "counter", "desk", "curtain"),
    *("refrigerator", "shower curtain", "toilet", "sink", "bathtub"),
)
SCANREFER_CLASSES = frozenset((*_COMMON, "sofa"))
"""ScanRefer's own; all else is one class."""
TSP3D_CLASSES = frozenset((*_COMMON, "couch"))
"""Those of TSP3D and its forerunners; all else is one class, which sofas by the table's spelling fall into."""
REST = "others"


def scannet_class(category: str, table: Mapping[str, LabelRow], classes: frozenset[str]) -> str:
    """The class of a raw category, ``REST`` where the table or the classes do not have it."""
    row = table.get(category)
    return row.nyu40class if row is not None and row.nyu40class in classes else REST


def unique_among_described(referrals: Sequence[Referral], table: Mapping[str, LabelRow]) -> tuple[bool, ...]:
    """ScanRefer's definition: no other object *that a sentence of the split describes* has the target's class.

    Args:
        referrals: All sentences of a split.
        table: See :func:`.readers.scannet.read_label_table`.

    Returns:
        One value a sentence.
    """
    described: dict[str, dict[int, str]] = {}
    for referral in referrals:
        kind = scannet_class(referral.category, table, SCANREFER_CLASSES)
        described.setdefault(referral.scene_id, {}).setdefault(referral.target_id, kind)
    counts = {scene_id: Counter(kinds.values()) for scene_id, kinds in described.items()}
    return tuple(counts[r.scene_id][scannet_class(r.category, table, SCANREFER_CLASSES)] == 1 for r in referrals)


def unique_in_scene(target_id: int, objects: Iterable[SceneObject], table: Mapping[str, LabelRow]) -> bool:
    """TSP3D's definition: no other object of the scene, described or not, has the target's class.

    Args:
        target_id: One of the objects.
        objects: All of the scene's.
        table: See :func:`.readers.scannet.read_label_table`.
    """
    kinds = {item.object_id: scannet_class(item.category, table, TSP3D_CLASSES) for item in objects}
    return Counter(kinds.values())[kinds[target_id]] == 1
