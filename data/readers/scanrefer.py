"""ScanRefer annotations: sentences that each mean one object of a ScanNet scene."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import Any

from ...core.errors import CorruptFile
from ...core.files import write_text
from ..referral import Referral
from .json_files import entry, read_json, shown

_WHAT = (
    "ScanRefer's list of sentences (ScanRefer_filtered_train.json or ScanRefer_filtered_val.json), published with ScanRefer "
    "on request at https://github.com/daveredrum/ScanRefer"
)


def read_scanrefer(path: str | PathLike[str]) -> tuple[Referral, ...]:
    """Read sentences in ScanRefer's JSON layout.

    A sentence is its tokens joined with spaces, as TSP3D and its forerunners take it; where an entry has no tokens, its
    description. The category is ``object_name`` with spaces for underscores. The optional keys ``tags`` and ``anchor_ids``
    of generated data pass through.

    Raises:
        MissingPart: No such file.
        CorruptFile: Names the entry, what was found and what was expected.
    """
    path = Path(path)
    records = read_json(path, _WHAT)
    if not isinstance(records, list):
        raise CorruptFile(path, "data", f"found {type(records).__name__}, expected a list of annotations")
    return tuple(_referral(path, f"entry {i}", record) for i, record in enumerate(records))


def write_scanrefer(path: str | PathLike[str], referrals: Iterable[Referral]) -> None:
    """Write sentences in ScanRefer's JSON layout, atomically; tokens are the words between spaces."""
    seen: Counter[tuple[str, int]] = Counter()
    records = []
    for referral in referrals:
        annotation = seen[referral.scene_id, referral.target_id]
        seen[referral.scene_id, referral.target_id] += 1
        record: dict[str, Any] = {
            "scene_id": referral.scene_id,
            "object_id": str(referral.target_id),
            "object_name": referral.category.replace(" ", "_"),
            "ann_id": str(annotation),
            "description": referral.sentence,
            "token": referral.sentence.split(),
        }
        if referral.tags:
            record["tags"] = list(referral.tags)
        if referral.anchor_ids:
            record["anchor_ids"] = [str(i) for i in referral.anchor_ids]
        records.append(record)
    write_text(path, json.dumps(records, indent=1) + "\n")


def _referral(path: Path, where: str, record: Any) -> Referral:
    scene_id = entry(path, where, record, "scene_id", str)
    category = entry(path, where, record, "object_name", str).replace("_", " ")
    if "token" in record or "description" not in record:
        sentence = " ".join(_strings(path, where, record, "token"))
    else:
        sentence = " ".join(entry(path, where, record, "description", str).split())
    if not sentence.strip():
        raise CorruptFile(
            path, where, f"found an empty sentence, expected words about object {shown(record.get('object_id'))}"
        )
    return Referral(
        scene_id=scene_id,
        sentence=sentence,
        target_id=_object_id(path, where, "object_id", entry(path, where, record, "object_id", (str, int))),
        category=category,
        anchor_ids=tuple(
            _object_id(path, where, "anchor_ids", i)
            for i in entry(path, where, {"anchor_ids": [], **record}, "anchor_ids", list)
        ),
        tags=tuple(_strings(path, where, {"tags": [], **record}, "tags")),
    )


def _strings(path: Path, where: str, record: dict, key: str) -> list[str]:
    words = entry(path, where, record, key, list)
    for word in words:
        if not isinstance(word, str):
            raise CorruptFile(path, where, f"{key!r} holds {shown(word)}, expected only str")
    return words


def _object_id(path: Path, where: str, key: str, value: Any) -> int:
    text = str(value)
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise CorruptFile(path, where, f"{key!r} is {shown(value)}, expected a whole number of at least 0")
    return int(text)
