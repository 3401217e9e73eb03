"""The stage that draws answers into renders of what was reconstructed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float64, UInt8
from torch import Tensor

from ...core.files import write_text
from ...data.answers import Answer, read_answers
from ...data.cameras import Cameras
from ...data.readers.photos import read_photos
from ...rendering.splat_files.files import read_splats
from ..event_nerf.saved import load_field
from ..event_nerf.space import cameras_on_path
from ..event_nerf.views import plain_images, render_event_views
from ..sparse_splats import prepare_photos
from ..stage import AbstractStage, StageContext
from ..views import as_bytes, render_views, write_picture
from .fit_splats import FitSplats
from .reconstruct_events import ReconstructEvents

_COLOR = (255, 120, 0)
_SAMPLES = 64
"""Parts of an edge, each drawn or not as it is seen or hidden."""
_SLACK = 0.03
"""Of the depth, by which an edge may lie behind the surface and still count as seen."""


@dataclass(frozen=True)
class DrawInViews(AbstractStage):
    """Draw each sentence's best box in perspective into the render of the camera that sees it best.

    Takes the artifacts ``answers`` (of GroundPoints), ``points`` (of FuseSplats or FuseField), and ``splats`` or ``field``.
    Writes ``view-N.png`` for the Nth sentence and ``views.json``: camera, box and how much of it is in the image.
    """

    version: ClassVar[int] = 1
    source: FitSplats | ReconstructEvents
    """What was reconstructed, and how."""

    def run(self, ctx: StageContext) -> None:
        sheet = read_answers(ctx.inputs["answers"].file("answers.json"))
        frame = json.loads(ctx.inputs["points"].file("frame.json").read_text(encoding="utf-8"))
        world_from_points = torch.linalg.inv(torch.tensor(frame["points_from_world"], dtype=torch.float64))
        cameras = self._cameras()
        said = []
        for number, sentence in enumerate(dict.fromkeys(answer.sentence for answer in sheet.answers), 1):
            answer = sheet.best(sentence)
            assert answer is not None
            corners = corners_of(answer, sheet.metres_per_unit) @ world_from_points[:3, :3].T + world_from_points[:3, 3]
            row, share = best_camera(cameras, corners)
            image, depth = self._render(ctx, cameras[row])
            write_picture(ctx.folder / f"view-{number}.png", with_box(image, depth, cameras[row], corners))
            said.append({"sentence": sentence, "score": answer.score, "camera": row, "share_in_image": round(share, 3)})
        write_text(ctx.folder / "views.json", json.dumps(said, indent=1) + "\n")

    def _cameras(self) -> Cameras:
        if isinstance(self.source, FitSplats):
            return prepare_photos(read_photos(self.source.photos), self.source.longest).cameras
        return cameras_on_path(self.source.posed(), 40)

    def _render(self, ctx: StageContext, camera: Cameras) -> tuple[UInt8[np.ndarray, "h w 3"], Tensor]:
        if isinstance(self.source, FitSplats):
            cloud = read_splats(ctx.inputs["splats"].file("splats.ply")).cloud
            about = json.loads(ctx.inputs["splats"].file("about.json").read_text(encoding="utf-8"))
            red, green, blue = about["background"]
            antialiased = self.source.method.fit.antialiased
            view = next(iter(render_views(cloud, camera, background=(red, green, blue), antialiased=antialiased)))
            return as_bytes(view.image), torch.where(view.alpha > 0.5, view.depth_z, torch.inf)
        model = load_field(ctx.inputs["field"].file("field.safetensors")).model
        seen = next(iter(render_event_views(model, camera)))
        return as_bytes(plain_images([seen])[0]), torch.where(seen.opacity > 0.5, seen.depth_z, torch.inf)


def corners_of(answer: Answer, metres_per_unit: float = 1.0) -> Float64[Tensor, "8 3"]:
    """Corners of an answer's box in the units of its file; x varies fastest, then y, then z."""
    steps = torch.tensor(
        [[x, y, z] for z in (-0.5, 0.5) for y in (-0.5, 0.5) for x in (-0.5, 0.5)], dtype=torch.float64
    )
    rotation = torch.tensor(answer.rotation, dtype=torch.float64)
    size, center = (torch.tensor(value, dtype=torch.float64) for value in (answer.size, answer.center))
    return ((steps * size) @ rotation.T + center) / metres_per_unit


def best_camera(cameras: Cameras, corners: Float64[Tensor, "8 3"]) -> tuple[int, float]:
    """The camera that has most of a box in its image, and of those the one in which it is nearest to the middle.

    Returns:
        Its number, and the share of the corners that it sees.
    """
    found = []
    for row in range(len(cameras)):
        pixels, depth = _project(cameras[row], corners)
        size = torch.tensor([cameras.width, cameras.height], dtype=torch.float64)
        is_in = (depth > 1e-6) & (pixels >= 0).all(-1) & (pixels < size).all(-1)
        away = float(((pixels.mean(0) - size / 2) / size).norm()) if bool((depth > 1e-6).all()) else float("inf")
        found.append((float(is_in.double().mean()), -away, -row))
    share, _, negative = max(found)
    return -negative, share


def with_box(
    image: UInt8[np.ndarray, "h w 3"], depth_z: Tensor, camera: Cameras, corners: Float64[Tensor, "8 3"]
) -> UInt8[np.ndarray, "h w 3"]:
    """The image with the edges of a box: thick where they are seen, thin and dashed behind surfaces.

    Args:
        image: Rendered by the camera.
        depth_z: Along its optical axis, infinity where nothing is, in the unit of the corners.
        camera: One pinhole camera.
        corners: In the camera's world, see :func:`corners_of`.
    """
    from PIL import Image, ImageDraw

    scale = 2
    height, width = image.shape[:2]
    large = Image.fromarray(image).resize((width * scale, height * scale), Image.Resampling.BILINEAR)
    draw = ImageDraw.Draw(large)
    along = torch.linspace(0, 1, _SAMPLES + 1, dtype=torch.float64)[:, None]
    thick = max(2, round(min(width, height) / 90))
    for first in range(8):
        for bit in (1, 2, 4):
            if first & bit:
                continue
            pixels, depth = _project(camera, corners[first] + along * (corners[first | bit] - corners[first]))
            column = pixels[:, 0].clamp(0, width - 1).long()
            row = pixels[:, 1].clamp(0, height - 1).long()
            is_seen = depth <= depth_z.cpu()[row, column].double() * (1 + _SLACK)
            for k in range(_SAMPLES):
                if float(depth[k : k + 2].min()) <= 1e-6:
                    continue
                line = [float(value) * scale for value in pixels[k : k + 2].flatten()]
                if bool(is_seen[k]):
                    draw.line(line, fill=_COLOR, width=thick * scale)
                elif k % 4 < 2:
                    draw.line(line, fill=_COLOR, width=scale)
    return np.asarray(large.resize((width, height), Image.Resampling.LANCZOS))


def _project(camera: Cameras, points: Float64[Tensor, "n 3"]) -> tuple[Float64[Tensor, "n 2"], Float64[Tensor, "n"]]:
    matrix, K = camera.camera_from_world[0].double().cpu(), camera.K[0].double().cpu()
    local = points @ matrix[:3, :3].T + matrix[:3, 3]
    depth = local[:, 2]
    on_plane = local[:, :2] / depth[:, None].clamp_min(1e-9)
    return torch.stack([on_plane[:, axis] * K[axis, axis] + K[axis, 2] for axis in (0, 1)], -1), depth
