"""Recordings of the RPG event camera data set: events, poses, calibration, photos; and their conversion."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from trisparse.core.errors import CorruptFile, MissingPart
from trisparse.data.event_recording import EventRecording
from trisparse.data.readers.esim import write_esim_recording
from trisparse.data.readers.event_recordings import read_recording

from .recording_parts import HEIGHT, WIDTH, assert_same, camera, rpg_folder, stream, trajectory


def test_an_rpg_folder_is_read_with_poses_calibration_and_photos(tmp_path: Path) -> None:
    recording = read_recording(rpg_folder(tmp_path / "a"), size=(WIDTH, HEIGHT))
    assert_same(EventRecording(stream(), "", trajectory(), camera(bayer_pattern="")), recording)
    assert recording.frames is not None
    assert recording.frames.t_ns == (-10_000, 140_000)
    photos = recording.posed_frames()
    assert photos is not None
    assert (photos.names, photos.cameras.model) == (("1.png",), "pinhole")
    expected = trajectory().pose_at(torch.tensor([140_000.0], dtype=torch.float64))
    torch.testing.assert_close(photos.cameras.centers, expected.centers)
    torch.testing.assert_close(photos.cameras.world_from_camera[:, :3, :3], expected.rotations)
    torch.testing.assert_close(photos.image(0), torch.full((HEIGHT, WIDTH, 3), 40 / 255))  # nothing black at the edges


def test_an_rpg_folder_becomes_one_of_robust_e_nerf_with_views(tmp_path: Path) -> None:
    recording = read_recording(rpg_folder(tmp_path / "a"), size=(WIDTH, HEIGHT))
    photos = recording.posed_frames()
    write_esim_recording(tmp_path / "b", recording, photos=photos)
    assert_same(recording, read_recording(tmp_path / "b"))
    document = json.loads((tmp_path / "b" / "views" / "transforms_val.json").read_text())
    assert photos is not None
    K = photos.cameras.K[0] - torch.tensor([[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]])
    np.testing.assert_allclose(document["intrinsics"], K)
    world_from_gl = np.array(document["frames"][0]["transform_matrix"])
    world_from_camera = photos.cameras.world_from_camera[0].numpy()
    np.testing.assert_allclose(world_from_gl[:3, 3], world_from_camera[:3, 3])
    np.testing.assert_allclose(world_from_gl[:3, 2], -world_from_camera[:3, 2])  # OpenGL looks along -z
    assert (tmp_path / "b" / "views" / f"{document['frames'][0]['file_path']}.png").is_file()


@pytest.mark.parametrize(
    ("line", "kind", "message"),
    [
        ("0.1 ../secret.png", CorruptFile, "line 1: the photo '../secret.png' lies outside"),
        ("0.1", CorruptFile, "line 1: '0.1'; expected a time in seconds and a file name"),
        ("soon images/0.png", CorruptFile, "line 1: holds something that is no number"),
        ("0.1 images/9.png", MissingPart, "no such file, though line 1 of"),
    ],
)
def test_lists_of_photos_that_lead_astray_are_refused(
    tmp_path: Path, line: str, kind: type[Exception], message: str
) -> None:
    rpg_folder(tmp_path / "a")
    (tmp_path / "a" / "images.txt").write_text(line + "\n")
    with pytest.raises(kind, match=message):
        read_recording(tmp_path / "a", size=(WIDTH, HEIGHT))
