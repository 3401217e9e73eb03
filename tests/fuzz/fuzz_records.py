"""Valid annotations, scene folders, weights and run records, to be damaged."""

from __future__ import annotations

import argparse
import io
import json
import tempfile
import zipfile
from collections import Counter, OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fuzz_seeds import written
from trisparse.data.point_cloud import PointCloud
from trisparse.data.readers.referit3d import write_nr3d, write_scan_list, write_sr3d
from trisparse.data.readers.scannet import write_scannet_scene
from trisparse.data.readers.scanrefer import write_scanrefer
from trisparse.data.referral import Referral
from trisparse.data.scene import Scene, SceneObject
from trisparse.pipelines.artifact import write_manifest
from trisparse.pipelines.checkpoint import random_state, save_checkpoint
from trisparse.pipelines.step_log import StepLog
from trisparse.sparse3d.checkpoint import save_weights
from trisparse.sparse3d.config import GrounderConfig
from trisparse.sparse3d.grounder import Grounder
from trisparse.sparse3d.roberta import RobertaSizes, weight_shapes

SCENE = "scene0000_00"
TINY = GrounderConfig(
    stem_channels=2,
    stage_blocks=(1, 1, 1),
    stage_channels=(2, 2, 2),
    width=2,
    heads=1,
    fusion_layers=1,
    text_width=2,
)
"""The smallest network that is one."""
SIZES = RobertaSizes(layers=1, width=2, inner=2, vocabulary=3, positions=3)

_REFERRALS = (
    Referral(SCENE, "the chair between the table and the bin", 1, "chair", (2, 3), ("between",)),
    Referral(SCENE, "the bin, left of the chair", 3, "trash can", (1,), ("left", "heldout")),
)
_CATEGORIES = {SCENE: {1: "chair", 2: "table", 3: "trash can", 4: "chair"}}


def scene_files() -> dict[str, bytes]:
    """A scene folder in ScanNet's layout, with an alignment table beside it."""
    rng = np.random.default_rng(0)
    cloud = PointCloud(
        torch.from_numpy(rng.random((8, 3), dtype=np.float32)),
        torch.from_numpy(rng.random((8, 3), dtype=np.float32)),
        torch.tensor([1, 1, 1, 2, 2, 3, -1, -1]),
    )
    boxes = {i: SceneObject(i, name, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)) for i, name in _CATEGORIES[SCENE].items()}
    scene = Scene(SCENE, cloud, tuple(boxes[i] for i in (1, 2, 3)))
    with tempfile.TemporaryDirectory() as folder:
        place = write_scannet_scene(folder, scene)
        files = {path.name: path.read_bytes() for path in sorted(place.iterdir())}
    quarter_turn = [0, -1, 0, 2, 1, 0, 0, 3, 0, 0, 1, 0.5, 0, 0, 0, 1]
    return {**files, "alignments.json": json.dumps({SCENE: quarter_turn}).encode()}


def scanrefer_files() -> list[bytes]:
    """As our writer has it, and as it is published: without tokens."""
    ours = written(lambda path: write_scanrefer(path, _REFERRALS))
    records = json.loads(ours)
    for record in records:
        del record["token"]
    return [ours, json.dumps(records).encode()]


def table_files() -> dict[str, bytes]:
    """NR3D, SR3D and a list of scenes."""
    return {
        "nr3d.csv": written(lambda path: write_nr3d(path, _REFERRALS, _CATEGORIES)),
        "sr3d.csv": written(lambda path: write_sr3d(path, _REFERRALS, _CATEGORIES)),
        "scans.txt": written(lambda path: write_scan_list(path, [SCENE, "scene0001_00"])),
    }


def label_files() -> list[bytes]:
    """ScanNet's label table."""
    head = "id\traw_category\tcategory\tcount\tnyu40id\tnyu40class"
    return ["\n".join([head, "1\twall\twall\t8277\t1\twall", '22\t2" pipe\tpipe\t1\t\totherprop', ""]).encode()]


def weights_files() -> list[bytes]:
    """A whole tiny network, and files of few tensors."""
    about = {"network": TINY.to_dict(), "text_weights": "text.safetensors"}
    whole = {"network": TINY.to_dict(), "epoch": 3}
    return [
        written(lambda path: save_weights(path, Grounder(TINY).state_dict(), whole), "w.safetensors"),
        written(lambda path: save_weights(path, {"a": torch.ones(2, 3), "b": torch.tensor(1)}, about), "w.safetensors"),
        written(lambda path: save_weights(path, {"h": torch.ones(4)}, {}, dtype=torch.float16), "w.safetensors"),
    ]


def published_files() -> list[bytes]:
    """A whole tiny network in the published shape, few tensors of several kinds, a hostile pickle, a bare one."""
    model = OrderedDict((f"module.{name}", value) for name, value in Grounder(TINY).state_dict().items())
    text = {f"module.text_encoder.{n}": torch.ones(shape) for n, shape in weight_shapes(SIZES).items()}
    config = argparse.Namespace(lr=1e-4, steps=[50, (75, None)], nested=argparse.Namespace(flag=True))
    few = {
        "module.x": torch.nn.Parameter(torch.ones(2, 2)),
        "module.n": torch.arange(3),
        "module.h": torch.ones(2).half(),
    }
    scheduler = {"milestones": Counter({5: 1}), "last_epoch": 3}
    contents: list[dict[str, Any]] = [
        {"config": config, "save_path": "", "model": OrderedDict({**model, **text}), "epoch": 66},
        {"config": config, "model": few, "epoch": 1, "scheduler": scheduler},
        {"config": config, "model": {"module.d": torch.device("cpu")}, "epoch": 1},
    ]

    def saved(content: Any, **options: Any) -> bytes:
        out = io.BytesIO()
        torch.save(content, out, **options)
        return out.getvalue()

    stored = [saved(content) for content in contents]
    return [*stored, saved(contents[1], _use_new_zipfile_serialization=False), _hostile(stored[1])]


def _hostile(content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as archive, zipfile.ZipFile(out, "w") as other:
        for name in archive.namelist():
            pickled = b"\x80\x02cbuiltins\neval\nX\x01\x00\x00\x001\x85R."
            other.writestr(zipfile.ZipInfo(name), pickled if name.endswith("data.pkl") else archive.read(name))
    return out.getvalue()


def training_files() -> dict[str, bytes]:
    """A checkpoint of a training: the tree and the tensors."""
    state = {
        "model": {"w": torch.ones(2, 3), "n": torch.tensor(1)},
        "random": random_state(data=np.random.default_rng(0)),
        "history": [(1, 0.5, None), {"a": [1], 3: "x"}],
    }
    state["random"]["torch"] = torch.zeros(3, dtype=torch.uint8)
    with tempfile.TemporaryDirectory() as folder:
        save_checkpoint(Path(folder), 7, state)
        return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


def run_files() -> dict[str, bytes]:
    """A manifest, a log of steps, a log of progress."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for step in (1, 2, 3):
            StepLog(folder / "losses.jsonl").append(step, loss=0.5)
        write_manifest(folder, {"stage": "toy", "key": "ab", "seconds": 1.5})
        return {
            "manifest.json": (folder / "manifest.json").read_bytes(),
            "losses.jsonl": (folder / "losses.jsonl").read_bytes(),
            "log.jsonl": b'{"event": "started", "time": 1.5}\n{"event": "finished", "time": 2.5}\n',
        }
