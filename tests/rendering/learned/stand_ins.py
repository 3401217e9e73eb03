"""Stand-ins for the packages of learned models: their interfaces as documented, and depth of a generated scene within."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from jaxtyping import Float
from torch import Tensor
from trisparse.data.cameras import Cameras
from trisparse.data.posed_images import PosedImages
from trisparse.data.still_life.render import photograph
from trisparse.data.still_life.rigs import Lens, forward_facing
from trisparse.data.still_life.scene import make_still_life
from trisparse.rendering.planesweep import MEASURED, DepthMaps


def _unspoilt(depth: Float[Tensor, "n h w"]) -> Float[Tensor, "n h w"]:
    return depth


@dataclass
class Model:
    """What a stand-in says, and what it was asked."""

    scale: float = 1.0
    """Of its world, by the true one's."""
    shift: float = 0.0
    """Added to its depth, in its own scale."""
    spoilt: Callable[[Float[Tensor, "n h w"]], Float[Tensor, "n h w"]] = _unspoilt
    asked: dict[str, Any] = field(default_factory=dict)
    loaded: list[str] = field(default_factory=list)

    def depth(self, width: int, height: int) -> Float[Tensor, "n h w"]:
        """At the model's size; infinite in the sky."""
        return self.spoilt(_seen(width, height)) * self.scale + self.shift

    def cameras(self) -> Cameras:
        """The photos' cameras, in another world."""
        turn = torch.eye(4, dtype=torch.float64)
        angle = torch.tensor(0.7, dtype=torch.float64)
        turn[:2, :2] = torch.tensor([[angle.cos(), -angle.sin()], [angle.sin(), angle.cos()]])
        turn[:3, 3] = torch.tensor([3.0, -2.0, 5.0])
        return photos().cameras.to(torch.float64).moved(self.scale, turn)


@cache
def scene() -> Any:
    """A table with things on it."""
    return make_still_life(0, kind="table")


@cache
def photos() -> PosedImages:
    """Three photos of it."""
    cameras = forward_facing(scene(), 3, Lens(112, 84)).to(torch.float32)
    return PosedImages.from_tensors(cameras, photograph(scene(), cameras, samples_per_pixel=4).images.float())


@cache
def _seen(width: int, height: int) -> Float[Tensor, "n h w"]:
    return photograph(scene(), photos().cameras.resized(width, height), samples_per_pixel=1).depth_z.float()


@cache
def truth() -> Float[Tensor, "n h w"]:
    """Depth of the photos' pixels."""
    return _seen(photos().cameras.width, photos().cameras.height)


@cache
def anchors() -> DepthMaps:
    """What a plane sweep might have measured: every third pixel, with some noise and some outliers."""
    generator = torch.Generator().manual_seed(0)
    depth = truth() * (1 + 0.01 * torch.randn(truth().shape, generator=generator))
    wrong = torch.rand(truth().shape, generator=generator) < 0.1
    depth = torch.where(wrong, depth * 1.7, depth)
    sure = (torch.rand(truth().shape, generator=generator) < 0.3) & depth.isfinite()
    return DepthMaps(torch.where(sure, depth, torch.ones(())), torch.where(sure, 0.8, 0.0).float())


def error_of(maps: DepthMaps, least: float = MEASURED) -> Float[Tensor, "p"]:
    """Relative error of depth of at least some confidence, where the truth is finite."""
    there = (maps.confidence >= least) & truth().isfinite()
    return ((maps.depth_z - truth()).abs() / truth())[there]


def folder(place: Path, card: str | None = None) -> Path:
    """A folder that looks like one of weights."""
    place.mkdir(parents=True, exist_ok=True)
    (place / "config.json").write_text(json.dumps({"model_name": "da3-base"}), encoding="utf-8")
    (place / "model.safetensors").write_bytes(b"")
    if card is not None:
        (place / "README.md").write_text(card, encoding="utf-8")
    return place


class _Hub:
    """What all three classes share: ``from_pretrained``, ``to``, ``eval``."""

    said: Model

    @classmethod
    def from_pretrained(cls, place: str) -> Any:
        print("Loading weights from local directory")
        cls.said.loaded.append(place)
        return cls()

    def to(self, device: str) -> Any:
        self.said.asked["device"] = device
        return self

    def eval(self) -> Any:
        return self


def _modules(monkeypatch: pytest.MonkeyPatch, name: str, **members: Any) -> None:
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        module = sys.modules.get(".".join(parts[:end]))
        if not isinstance(module, ModuleType):
            module = ModuleType(".".join(parts[:end]))
        monkeypatch.setitem(sys.modules, module.__name__, module)
    for key, value in members.items():
        setattr(sys.modules[name], key, value)


def depth_anything(monkeypatch: pytest.MonkeyPatch, said: Model) -> None:
    """``depth_anything_3.api``, as its docs/API.md has it."""

    class DepthAnything3(_Hub):
        def inference(
            self,
            image: list[np.ndarray],
            extrinsics: np.ndarray | None = None,
            intrinsics: np.ndarray | None = None,
            align_to_input_ext_scale: bool = True,
            process_res: int = 504,
        ) -> SimpleNamespace:
            said.asked.update(image=image, extrinsics=extrinsics, intrinsics=intrinsics)
            assert all(one.dtype == np.uint8 and one.shape == (84, 112, 3) for one in image)
            assert process_res == 504
            depth = said.depth(518, 392)  # of any size
            where = said.cameras().camera_from_world[:, :3].float().numpy()
            if extrinsics is not None:
                assert intrinsics is not None
                assert (extrinsics.shape, intrinsics.shape) == ((3, 4, 4), (3, 3, 3))
                centers = -np.einsum("nji,nj->ni", extrinsics[:, :3, :3], extrinsics[:, :3, 3])
                true = photos().cameras.centers.numpy()
                unit = float(np.linalg.norm(centers[2] - centers[0]) / np.linalg.norm(true[2] - true[0]))
                depth, where = depth / said.scale * unit, extrinsics[:, :3]
            sky = depth.isinf()
            depth = torch.where(sky, depth[~sky].max(), depth)
            return SimpleNamespace(
                depth=depth.numpy().astype(np.float32),
                conf=(1 + 1 / depth).numpy().astype(np.float32),
                sky=sky.numpy(),
                extrinsics=where.astype(np.float32),
                intrinsics=intrinsics,
            )

    DepthAnything3.said = said
    _modules(monkeypatch, "depth_anything_3.api", DepthAnything3=DepthAnything3)


def mapanything(monkeypatch: pytest.MonkeyPatch, said: Model) -> None:
    """``mapanything.models``, as its README and the docstring of ``infer`` have it."""

    class MapAnything(_Hub):
        encoder = SimpleNamespace(data_norm_type="dinov2")

        @classmethod
        def from_pretrained(cls, place: str) -> Any:
            torch.hub.load("facebookresearch/dinov2", "dinov2_vitg14", force_reload=False)
            return super().from_pretrained(place)

        def infer(
            self,
            views: list[dict[str, Any]],
            memory_efficient_inference: bool = True,
            use_amp: bool = True,
            apply_mask: bool = True,
            mask_edges: bool = True,
            apply_confidence_mask: bool = False,
        ) -> list[dict[str, Tensor]]:
            said.asked.update(views=views, use_amp=use_amp)
            allowed = {"img", "data_norm_type", "intrinsics", "camera_poses", "is_metric_scale"}
            assert all(set(view) <= allowed and view["data_norm_type"] == ["dinov2"] for view in views)
            height, width = views[0]["img"].shape[-2:]
            depth = said.depth(width, height)
            masks = depth.isfinite()
            poses = said.cameras().world_from_camera.float()
            return [
                {
                    "depth_z": torch.where(mask, one, 0.0)[None, ..., None],
                    "conf": torch.where(mask, 1 / one, 0.0)[None],
                    "mask": mask[None, ..., None],
                    "camera_poses": pose[None],
                }
                for one, mask, pose in zip(depth, masks, poses, strict=True)
            ]

    MapAnything.said = said
    _modules(monkeypatch, "mapanything.models", MapAnything=MapAnything)


def vggt(monkeypatch: pytest.MonkeyPatch, said: Model) -> None:
    """``vggt.models.vggt`` and ``vggt.utils.pose_enc``, as README and docstrings have them."""

    class VGGT(_Hub):
        def load_state_dict(self, state: dict[str, Tensor]) -> None:
            if set(state) != {"weight"}:
                raise RuntimeError("Error(s) in loading state_dict for VGGT: Missing key(s)")
            said.loaded.append("state")

        def __call__(self, images: Float[Tensor, "s 3 h w"]) -> dict[str, Tensor]:
            assert images.shape[1] == 3
            assert not any(size % 14 for size in images.shape[2:])
            assert 0 <= float(images.min()) <= float(images.max()) <= 1
            said.asked["images"] = images
            depth = said.depth(images.shape[3], images.shape[2])
            return {
                "pose_enc": torch.zeros(1, len(images), 9),
                "depth": depth[None, ..., None],
                "depth_conf": 1 + 1 / depth[None],
                "images": images[None],
            }

    def pose_encoding_to_extri_intri(pose_encoding: Tensor, image_size_hw: tuple[int, int]) -> tuple[Tensor, Tensor]:
        assert pose_encoding.shape[-1] == 9
        cameras = said.cameras().resized(image_size_hw[1], image_size_hw[0])
        return cameras.camera_from_world[None, :, :3].float(), cameras.K[None].float()

    VGGT.said = said
    _modules(monkeypatch, "vggt.models.vggt", VGGT=VGGT)
    _modules(monkeypatch, "vggt.utils.pose_enc", pose_encoding_to_extri_intri=pose_encoding_to_extri_intri)


INSTALL: dict[str, Callable[[pytest.MonkeyPatch, Model], None]] = {
    "depth-anything-3": depth_anything,
    "mapanything": mapanything,
    "vggt": vggt,
}
"""By the names of the models."""
