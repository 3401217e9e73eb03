"""What is attacked: for each reader its files, valid examples of them, and how it is called.

A reader passes a case when it returns something sound or raises an error of ours that names the file.
"""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fuzz_photos as photos
import fuzz_records as records
import fuzz_seeds as seeds
import fuzz_splats as splats
import numpy as np
from fuzz_damage import Damage
from trisparse.core.errors import ArtifactCorrupt, TrisparseError
from trisparse.data.answers import read_answers
from trisparse.data.image_files import LazyPhoto, image_size, read_image
from trisparse.data.posed_images import PosedImages
from trisparse.data.readers import scan
from trisparse.data.readers.blender import read_blender
from trisparse.data.readers.camera_json import read_camera_json
from trisparse.data.readers.colmap import read_colmap
from trisparse.data.readers.dtu import read_dtu, read_dtu_masks
from trisparse.data.readers.glb import read_glb
from trisparse.data.readers.llff import read_llff, read_llff_bounds
from trisparse.data.readers.mesh import mesh_points
from trisparse.data.readers.middlebury import read_middlebury
from trisparse.data.readers.nerfstudio import read_transforms
from trisparse.data.readers.npz import ArrayFile
from trisparse.data.readers.obj import read_obj
from trisparse.data.readers.pcd import read_pcd
from trisparse.data.readers.ply import read_ply
from trisparse.data.readers.referit3d import read_nr3d, read_scan_list, read_sr3d
from trisparse.data.readers.scannet import read_label_table, read_scannet_scan
from trisparse.data.readers.scanrefer import read_scanrefer
from trisparse.data.readers.stored_photo import StoredPhoto, stored_size
from trisparse.data.readers.text_points import read_text_points
from trisparse.pipelines.artifact import Artifact
from trisparse.pipelines.checkpoint import load_checkpoint
from trisparse.pipelines.stage import ProgressLog
from trisparse.pipelines.step_log import StepLog
from trisparse.rendering.splat_files.files import read_splats
from trisparse.rendering.splat_files.points import to_point_cloud
from trisparse.sparse3d.checkpoint import load_grounder_network, load_weights, text_weights_of
from trisparse.sparse3d.published import convert_checkpoint

_SAMPLES = 200
"""Points on a mesh; with the usual 150,000 a case would be spent on sampling."""
_SMALL = 1 << 20
"""Pixels of an image that is also resized and turned."""
_LONGEST_MESSAGE = 100_000


@dataclass(frozen=True)
class Format:
    """One of the files that a reader reads: the kind of damage that fits it, and valid examples."""

    kind: str
    examples: tuple[bytes, ...]


@dataclass(frozen=True, eq=False)
class Target:
    """A reader. ``read`` gets the folder in which its files lie, one of them damaged."""

    name: str
    files: Mapping[str, Format]
    read: Callable[[Path], object]

    def cases(self) -> Iterator[bytes]:
        """The valid examples as cases: the number of a file in one byte, then what it holds."""
        for number, file in enumerate(self.files.values()):
            yield from (bytes([number]) + example for example in file.examples)

    def write(self, folder: Path, case: bytes) -> Path:
        """Lay a case's file out among valid ones; the file."""
        names = list(self.files)
        chosen = names[case[0] % len(names) if case else 0]
        for name, file in self.files.items():
            path = folder / name
            path.unlink(missing_ok=True)  # the one before may still be mapped into memory
            path.write_bytes(case[1:] if name == chosen else file.examples[0])
        return folder / chosen

    def damage(self, case: bytes, seed: int) -> bytes:
        """Another case from a case."""
        number = (case[0] if case else seed) % len(self.files)
        file = list(self.files.values())[number]
        return bytes([number]) + Damage(file.kind, file.examples)(case[1:], seed)


@dataclass(frozen=True)
class Outcome:
    """What came of a case: whether the reader refused it, and what is wrong with its answer, None for nothing."""

    is_refused: bool
    problem: str | None = None


def attack(target: Target, folder: Path) -> Outcome:
    """Call the reader on files that lie in a folder. Foreign errors pass through."""
    try:
        target.read(folder)
    except TrisparseError as error:
        return Outcome(True, _problem_with(str(error), (*target.files, folder.name)))
    return Outcome(False)


def _problem_with(message: str, names: tuple[str, ...]) -> str | None:
    if not any(name in message for name in names):
        return f"the message names no file: {message!r:.300}"
    if not message.isprintable():
        return f"the message holds line ends or control characters: {message!r:.300}"
    if len(message) > _LONGEST_MESSAGE:
        return f"the message is very long: {len(message)} characters, {message!r:.200}"
    return None


def clean(folder: Path) -> Path:
    """An empty folder in the place of whatever was there."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


# Calls


def _ply(folder: Path) -> None:
    for element in read_ply(folder / "a.ply").elements.values():
        assert all(len(column) == element.count for column in element.columns.values())


def _pcd(folder: Path) -> None:
    file = read_pcd(folder / "a.pcd")
    assert {len(field) for field in file.fields.values()} <= {file.width * file.height}


def _npz(folder: Path) -> None:
    file = ArrayFile(folder / "a.npz")
    for name in file.names[:20]:
        assert not file.read(name).dtype.hasobject


def _mesh(read: Callable[[Path], Any], folder: Path) -> None:
    parts, notes = read(folder)
    assert all(isinstance(note, str) for note in notes)
    mesh = mesh_points(parts, _SAMPLES)
    assert mesh.points.shape[1:] == (3,)
    assert mesh.colors is None or mesh.colors.shape == mesh.points.shape


def _text(folder: Path) -> None:
    columns = read_text_points(folder / "a.txt")
    assert len({len(columns[name]) for name in "xyz"}) == 1


def _scan(folder: Path) -> None:
    scan.mesh_points = functools.partial(mesh_points, n_samples=_SAMPLES)  # pyright: ignore[reportAttributeAccessIssue]
    try:
        file = scan.read_scan_file(folder / "scan.bin")
    finally:
        scan.mesh_points = mesh_points
    colors = file.cloud.colors
    assert len(file.cloud) > 0
    assert colors is not None
    assert 0 <= float(colors.min()) <= float(colors.max()) <= 1


def _scannet(folder: Path) -> None:
    scene = folder / records.SCENE
    clean(scene)
    for name in _SCENE:
        if name != "alignments.json":
            (scene / name).hardlink_to(folder / name)
    read_scannet_scan(scene, subsample=None)
    read_scannet_scan(scene, subsample=5, alignments=folder / "alignments.json")


def _tables(folder: Path) -> None:
    for call in (
        lambda: read_nr3d(folder / "nr3d.csv"),
        lambda: read_nr3d(folder / "nr3d.csv", scans=[records.SCENE], only_correct=False),
        lambda: read_sr3d(folder / "sr3d.csv"),
        lambda: read_scan_list(folder / "scans.txt"),
    ):
        call()


def _weights(folder: Path) -> None:
    path = folder / "w.safetensors"
    tensors, about = load_weights(path)
    assert all(not value.is_floating_point() or value.element_size() == 4 for value in tensors.values())
    assert isinstance(about, dict)
    text_weights_of(path)
    load_grounder_network(path)


def _published(folder: Path) -> None:
    convert_checkpoint(folder / "a.pth", folder / "out.safetensors", config=records.TINY, text_sizes=records.SIZES)


def _training(folder: Path) -> None:
    tree = folder / "step-000000007.json"
    try:  # whoever tampers with the tensors can write their hash, too
        about = json.loads(tree.read_bytes())
        about["sha256"] = hashlib.sha256((folder / "step-000000007.safetensors").read_bytes()).hexdigest()
        tree.write_text(json.dumps(about))
    except (ValueError, TypeError, RecursionError):
        pass
    load_checkpoint(folder)


def _runs(folder: Path) -> None:
    ProgressLog(folder / "log.jsonl").read()
    try:
        artifact = Artifact.open(folder, "toy")
        artifact.verify()
    except ArtifactCorrupt as error:
        if str(folder) not in str(error):
            raise AssertionError("the message names no folder") from error
    StepLog(folder / "losses.jsonl").read()


def _sound(found: PosedImages) -> None:
    assert len(found) == len(set(found.names)) > 0
    assert all(isinstance(warning, str) and warning.isprintable() for warning in found.warnings)
    assert found.points is None or found.points.visible.shape == (len(found.points.cloud), len(found))
    found.cameras.centers.numpy()
    found.image(0)


def _transforms(folder: Path) -> None:
    scan.mesh_points = functools.partial(mesh_points, n_samples=_SAMPLES)  # pyright: ignore[reportAttributeAccessIssue]
    try:
        _sound(read_transforms(folder))
    finally:
        scan.mesh_points = mesh_points


def _llff(folder: Path) -> None:
    _sound(read_llff(folder, "."))
    assert bool(read_llff_bounds(folder).isfinite().all())


def _dtu(folder: Path) -> None:
    photos = read_dtu(folder)
    _sound(photos)
    read_dtu_masks(folder, photos)


def _image(folder: Path) -> None:
    path = folder / "a.png"
    width, height = image_size(path)
    image = read_image(path, background=(255, 0, 9))
    assert image.rgb.shape == (height, width, 3)
    assert image.alpha is None or image.alpha.shape == (height, width)
    assert set(stored_size(path)) == {width, height}
    if width * height <= _SMALL:
        for load in (LazyPhoto(path, size=(3, 2)), StoredPhoto(path)):
            assert 0 <= float(load().min()) <= float(load().max()) <= 1


def _splats(name: str, folder: Path) -> None:
    file = read_splats(folder / name, drop_bad=True)
    assert len(file.cloud.finite_rows()) == len(file.cloud)
    assert all(note.isprintable() for note in file.notes)
    to_point_cloud(file.cloud)
    read_splats(folder / name)


# The table


def _one(name: str, kind: str, examples: list[bytes]) -> dict[str, Format]:
    return {name: Format(kind, tuple(examples))}


_SCENE = records.scene_files()
_TABLES = {name: Format("text", (content,)) for name, content in records.table_files().items()}
_KINDS = {
    ".json": "json",
    ".jsonl": "text",
    ".npy": "npy",
    ".npz": "npz",
    ".ply": "binary",
    ".png": "image",
    ".safetensors": "safetensors",
    ".txt": "text",
}


def _folder(files: Mapping[str, bytes]) -> dict[str, Format]:
    return {name: Format(_KINDS[Path(name).suffix], (content,)) for name, content in files.items()}


def _photo_set(
    files: Mapping[str, list[bytes]], kind: str | None = None, shown: Mapping[str, bytes] | None = None
) -> dict[str, Format]:
    damaged = {name: Format(kind or _KINDS[Path(name).suffix], tuple(examples)) for name, examples in files.items()}
    return {
        **damaged,
        **{name: Format("image", (content,)) for name, content in (shown or photos.photo_files()).items()},
    }


def _any_scan() -> list[bytes]:
    return [
        *(seeds.ply_files() + seeds.pcd_files() + seeds.array_files() + seeds.obj_files()),
        *(seeds.glb_files() + seeds.text_files()),
    ]


_OBJ = {
    **_one("a.obj", "text", seeds.obj_files()[::-1]),
    **_one("a.mtl", "text", seeds.mtl_files()),
    **_one("wall.png", "binary", [seeds.texture_file(f) for f in ("PNG", "JPEG", "BMP", "TGA", "TIFF", "WEBP")]),
}

TARGETS: dict[str, Target] = {
    target.name: target
    for target in (
        Target("ply", _one("a.ply", "binary", seeds.ply_files()), _ply),
        Target("pcd", _one("a.pcd", "binary", seeds.pcd_files()), _pcd),
        Target("npz", _one("a.npz", "npz", seeds.array_files()), _npz),
        Target("obj", _OBJ, lambda folder: _mesh(read_obj, folder / "a.obj")),
        Target("glb", _one("a.glb", "glb", seeds.glb_files()), lambda folder: _mesh(read_glb, folder / "a.glb")),
        Target("text", _one("a.txt", "text", seeds.text_files()), _text),
        Target("scan", _one("scan.bin", "binary", _any_scan()), _scan),
        Target("scannet", _folder(_SCENE), _scannet),
        Target(
            "labels", _one("labels.tsv", "text", records.label_files()), lambda f: read_label_table(f / "labels.tsv")
        ),
        Target("scanrefer", _one("a.json", "json", records.scanrefer_files()), lambda f: read_scanrefer(f / "a.json")),
        Target("referit3d", _TABLES, _tables),
        Target("answers", _one("a.json", "json", seeds.answers_files()), lambda f: read_answers(f / "a.json")),
        Target("weights", _one("w.safetensors", "safetensors", records.weights_files()), _weights),
        Target("published", _one("a.pth", "torch", records.published_files()), _published),
        Target("training", _folder(records.training_files()), _training),
        Target("runs", _folder(records.run_files()), _runs),
        Target("colmap", _photo_set(photos.colmap_files(binary=True), "binary"), lambda f: _sound(read_colmap(f))),
        Target("colmaptext", _photo_set(photos.colmap_files(binary=False)), lambda f: _sound(read_colmap(f))),
        Target("transforms", _photo_set(photos.transforms_files()), _transforms),
        Target("blender", _photo_set(photos.blender_files()), lambda f: _sound(read_blender(f))),
        Target("llff", _photo_set(photos.llff_files()), _llff),
        Target("dtu", _photo_set(photos.dtu_files(), shown=photos.dtu_photo_files()), _dtu),
        Target("camerasjson", _photo_set(photos.camera_json_files()), lambda f: _sound(read_camera_json(f))),
        Target("middlebury", _photo_set(photos.middlebury_files()), lambda f: _sound(read_middlebury(f))),
        Target("images", _one("a.png", "image", photos.image_files()), _image),
        Target("splatply", _one("a.ply", "binary", splats.splat_ply_files()), lambda f: _splats("a.ply", f)),
        Target("dotsplat", _one("a.splat", "binary", splats.dot_splat_files()), lambda f: _splats("a.splat", f)),
        Target("spz", _one("a.spz", "splat", splats.spz_files()), lambda f: _splats("a.spz", f)),
    )
}
"""By name, in the order of the report."""

assert np.iinfo(np.uint8).max >= max(len(target.files) for target in TARGETS.values())
