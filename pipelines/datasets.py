"""The sentences of ScanRefer, NR3D and SR3D, and the scans that they are about, from a user's own copy of the data."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from ..core.errors import InvalidInput, MissingPart
from ..data.readers.referit3d import read_nr3d, read_scan_list, read_sr3d
from ..data.readers.scannet import LabelRow, ScannetScan, read_label_table, read_scannet_scan
from ..data.readers.scanrefer import read_scanrefer
from ..data.referral import Referral
from ..data.scene import Scene
from ..data.uniqueness import unique_among_described, unique_in_scene

Dataset = Literal["scanrefer", "nr3d", "sr3d"]
Split = Literal["val", "train"]

META = "meta_data"
"""Folder beside ``scans`` of what belongs to no single scene."""
LABELS = "scannetv2-labels.combined.tsv"
ALIGNMENTS = "scans_axis_alignment_matrices.json"

OFFICIAL_UNIQUE, OFFICIAL_MULTIPLE = "official-unique", "official-multiple"
TSP3D_UNIQUE, TSP3D_MULTIPLE = "tsp3d-unique", "tsp3d-multiple"
"""Tags of ScanRefer's sentences by both definitions, see :mod:`..data.uniqueness`."""


@dataclass(frozen=True)
class DatasetFiles:
    """Where the parts of a data set lie; what is None is looked for under ``data``."""

    dataset: Dataset
    data: Path
    """Holds ``scans``, and beside it ``ScanRefer``, ``ReferIt3D`` and ``meta_data``."""
    split: Split = "val"
    """"val" is what ReferIt3D calls its test scenes."""
    annotations: Path | None = None
    """The file of sentences."""
    scans: Path | None = None
    """A list of scenes: only sentences about these."""

    @property
    def sentences_file(self) -> Path:
        """The file of sentences."""
        if self.annotations is not None:
            return self.annotations
        if self.dataset == "scanrefer":
            return self.data / "ScanRefer" / f"ScanRefer_filtered_{self.split}.json"
        return self.data / "ReferIt3D" / f"{self.dataset}.csv"

    @property
    def scans_file(self) -> Path | None:
        """The list of scenes; ScanRefer's files need none."""
        if self.scans is not None or self.dataset == "scanrefer":
            return self.scans
        return self.data / META / scans_name(self.dataset, self.split)

    @property
    def labels_file(self) -> Path:
        """ScanNet's label table, which not everybody has."""
        return self.data / META / LABELS

    @property
    def alignments_file(self) -> Path | None:
        """The matrices that published evaluations use; None where only the scenes' own are there."""
        path = self.data / META / ALIGNMENTS
        return path if path.is_file() else None


def scans_name(dataset: Dataset, split: Split) -> str:
    """The name of ReferIt3D's list of scenes."""
    return f"{dataset}_{'test' if split == 'val' else 'train'}_scans.txt"


@dataclass(frozen=True, eq=False)
class Questions:
    """Sentences by scene, scenes sorted; ``labels`` is empty where the table is not there, and ``notes`` say so."""

    files: DatasetFiles
    by_scene: Mapping[str, tuple[Referral, ...]]
    labels: Mapping[str, LabelRow] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def load_questions(files: DatasetFiles) -> Questions:
    """Read all sentences of a split, with tags for reports.

    NR3D gives those by which another person found the object (as the published test does), SR3D those that name the category.
    ScanRefer's get "official-unique" or "official-multiple" where the label table is there.

    Raises:
        MissingPart: A file, or a scene's folder, is not there; says what it is and who publishes it.
        CorruptFile: A file is malformed.
        InvalidInput: No sentence is left.
    """
    listed = None if files.scans_file is None else frozenset(_scans(files.scans_file))
    if files.dataset != "scanrefer":
        read = read_nr3d if files.dataset == "nr3d" else read_sr3d
        return _by_scene(files, read(files.sentences_file, scans=listed))
    referrals: Sequence[Referral] = read_scanrefer(files.sentences_file)
    try:
        labels = read_label_table(files.labels_file)
    except MissingPart as error:
        if files.labels_file.is_file():
            raise
        note = f"unique / multiple by ScanRefer's and by TSP3D's definition are left out: {error}"
        return _by_scene(files, _listed(referrals, listed), notes=(note,))
    unique = unique_among_described(referrals, labels)
    referrals = [
        _tagged(referral, OFFICIAL_UNIQUE if alone else OFFICIAL_MULTIPLE)
        for referral, alone in zip(referrals, unique, strict=True)
    ]
    return _by_scene(files, _listed(referrals, listed), labels)


def load_scene(questions: Questions, scene_id: str) -> Scene:
    """One scan with those of its sentences whose object it has.

    Boxes are those of published evaluations: around an object's points in the subsample of seed 1184. A sentence about an
    object that is another's exact copy means that other; one about an object without points is left out.

    Raises:
        MissingPart, CorruptFile: As :func:`..data.readers.scannet.read_scannet_scan`.
    """
    files = questions.files
    scan = read_scannet_scan(files.data / "scans" / scene_id, alignments=files.alignments_file)
    return replace(scan.scene, referrals=_answerable(scan, questions))


def _answerable(scan: ScannetScan, questions: Questions) -> tuple[Referral, ...]:
    scene, first_of = scan.scene, dict(scan.duplicates)
    known = {item.object_id for item in scene.objects}
    kept = []
    for referral in questions.by_scene[scene.scene_id]:
        meant = replace(referral, target_id=first_of.get(referral.target_id, referral.target_id))
        if meant.target_id not in known:
            continue
        if questions.labels:
            alone = unique_in_scene(meant.target_id, scene.objects, questions.labels)
            meant = _tagged(meant, TSP3D_UNIQUE if alone else TSP3D_MULTIPLE)
        kept.append(meant)
    return tuple(kept)


def _scans(path: Path) -> tuple[str, ...]:
    try:
        return read_scan_list(path)
    except MissingPart as error:
        raise MissingPart(f"{error} (or name a list of scenes, one a line, with --scans)") from error


def _listed(referrals: Sequence[Referral], listed: frozenset[str] | None) -> list[Referral]:
    return [referral for referral in referrals if listed is None or referral.scene_id in listed]


def _tagged(referral: Referral, tag: str) -> Referral:
    return replace(referral, tags=(*referral.tags, tag))


def _by_scene(
    files: DatasetFiles,
    referrals: Sequence[Referral],
    labels: Mapping[str, LabelRow] | None = None,
    notes: tuple[str, ...] = (),
) -> Questions:
    by_scene: dict[str, list[Referral]] = defaultdict(list)
    for referral in referrals:
        by_scene[referral.scene_id].append(referral)
    if not by_scene:
        raise InvalidInput(
            f"{files.sentences_file}: no sentence of split {files.split!r} is left"
            + (f" of the scenes in {files.scans_file}" if files.scans_file else "")
            + "; check that the files belong together"
        )
    missing = sorted(scene for scene in by_scene if not (files.data / "scans" / scene).is_dir())
    if missing:
        raise MissingPart(
            f"{files.data / 'scans'}: {len(missing)} of {len(by_scene)} scenes are not there ({', '.join(missing[:3])}, ...); "
            "ScanNet v2 is given on request at http://www.scan-net.org; --scans FILE takes a list of those that you have"
        )
    return Questions(files, {scene: tuple(by_scene[scene]) for scene in sorted(by_scene)}, labels or {}, notes)
