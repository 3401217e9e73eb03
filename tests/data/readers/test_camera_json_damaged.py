"""cameras.json, damaged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from trisparse.core.errors import CorruptFile, InvalidInput, MissingPart, TrisparseError, UnknownFormat
from trisparse.data.readers.camera_json import read_camera_json

from .camera_json_set import Content, camera_content, write_set
from .posed_scene import HEIGHT, WIDTH, shots


def _frame(**changes: Any) -> Callable[[Content], object]:
    return lambda content: content["frames"][1].update(changes)


def _drop(key: str) -> Callable[[Content], object]:
    return lambda content: content["frames"][1].pop(key)


def _shared(**changes: Any) -> Callable[[Content], object]:
    return lambda content: content.update(changes)


_R = shots()[1].rotation
_MIRRORED = (_R * [[-1], [1], [1]]).tolist()
_NAN = float("nan")


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (_frame(K=[[0, 0, 1], [0, 5, 1], [0, 0, 1]]), CorruptFile, "frame 1: the focal lengths are 0 and 5 pixels"),
        (_frame(K=[[5, 0, 1], [0, -5, 1], [0, 0, 1]]), CorruptFile, "the focal lengths are 5 and -5 pixels"),
        (_frame(K=[[0] * 3] * 3), CorruptFile, r"frame 1: K is .*expected \[\[fx, skew, cx\]"),
        (_frame(K=[[5, 0, 0], [0, 5, 0], [1, 1, 1]]), CorruptFile, r"frame 1: K is .*expected \[\[fx, skew, cx\]"),
        (_frame(K=[[5, 0, _NAN], [0, 5, 1], [0, 0, 1]]), CorruptFile, "frame 1: 'K' holds NaN or infinity"),
        (_frame(K=[[5, 0, 1], [0, 5, 1]]), CorruptFile, "frame 1: 'K' is not a list of 3 x 3 numbers"),
        (_frame(K=[[5, 0, 1], [0, 5], [0, 0, 1]]), CorruptFile, "'K' is not a list of 3 x 3 numbers"),
        (_frame(K=[[5, 0, 1], 3, [0, 0, 1]]), CorruptFile, "'K' is not a list of 3 x 3 numbers"),
        (_frame(K=[["5", 0, 1], [0, 5, 1], [0, 0, 1]]), CorruptFile, "'K' is not a list of 3 x 3 numbers"),
        (_frame(K=[[True, 0, 1], [0, 5, 1], [0, 0, 1]]), CorruptFile, "'K' is not a list of 3 x 3 numbers"),
        (_frame(K=[[10**400, 0, 1], [0, 5, 1], [0, 0, 1]]), CorruptFile, "'K' holds a whole number that is too large"),
        (_drop("K"), CorruptFile, r"frame 1: no key 'K' \(found "),
        (_frame(R=_MIRRORED), CorruptFile, "frame 1: the pose is mirrored"),
        (_frame(R=(2 * _R).tolist()), CorruptFile, "axes have lengths .2, 2, 2., expected 1"),
        (_frame(R=[[1.0, 0, 0]] * 3), CorruptFile, "axes have lengths"),
        (_frame(R=[[_NAN] * 3] * 3), CorruptFile, "'R' holds NaN or infinity"),
        (_frame(R=_R.ravel().tolist()), CorruptFile, "'R' is not a list of 3 x 3 numbers"),
        (_frame(t=[1, 2]), CorruptFile, "'t' is not a list of 3 numbers"),
        (_frame(t=[[1, 2, 3]]), CorruptFile, "'t' is not a list of 3 numbers"),
        (_frame(t=[1, 2, 1e13]), CorruptFile, "the pose is .*expected finite numbers below 1e12"),
        (_frame(t="123"), CorruptFile, "'t' is '123', expected list"),
        (_frame(file="../p1.png"), CorruptFile, "frame 1: the photo '../p1.png' lies outside the folder"),
        (_frame(file="a/../../p1.png"), CorruptFile, "lies outside the folder"),
        (_frame(file="/etc/p1.png"), CorruptFile, "lies outside the folder"),
        (_frame(file="C:\\p1.png"), CorruptFile, "lies outside the folder"),
        (_frame(file=""), CorruptFile, "cannot be the name of a photo"),
        (_frame(file="x\0.png"), CorruptFile, "cannot be the name of a photo"),
        (_frame(file=3), CorruptFile, "'file' is 3, expected str"),
        (_frame(file="./p0.png"), CorruptFile, "frame 1: the photo 'p0.png' is that of frame 0 already"),
        (_frame(width=0), CorruptFile, "frame 1: 'width' is 0, expected 1 to"),
        (_frame(height=10**30), CorruptFile, "'height' is 1000.*, expected 1 to"),
        (_frame(width=40.0), CorruptFile, "'width' is 40.0, expected int"),
        (_drop("t"), CorruptFile, r"frame 1: no key 't' \(found "),
        (_frame(width=HEIGHT, height=WIDTH), CorruptFile, "30 x 40 pixels, but the photo .* has 40 x 30"),
        (_frame(model="equirectangular"), UnknownFormat, "no camera model 'equirectangular'; choose from"),
        (_frame(model=["opencv"]), UnknownFormat, "no camera model a list"),
        (
            _frame(model="pinhole", distortion=[0.1]),
            CorruptFile,
            "frame 1: 1 coefficients of distortion; pinhole has at most 0",
        ),
        (
            _frame(model="fisheye", distortion=[0] * 5),
            CorruptFile,
            "5 coefficients of distortion; fisheye has at most 4",
        ),
        (_frame(model="opencv", distortion=0.1), CorruptFile, "'distortion' is 0.1, expected list"),
        (_frame(model="opencv", distortion=[None]), CorruptFile, "'distortion' is not a list of any numbers"),
        (_frame(model="opencv", distortion=[_NAN]), CorruptFile, "'distortion' holds NaN"),
        (_frame(model="fisheye"), InvalidInput, "'p1.png' has a fisheye lens, 'p0.png' none"),
        (_shared(pixel_centers=0.25), CorruptFile, "'pixel_centers' is 0.25, expected 0"),
        (_shared(pixel_centers=False), CorruptFile, "'pixel_centers' is False"),
        (_shared(pixel_centers=[0]), CorruptFile, "'pixel_centers' is a list"),
        (_shared(frames=[]), MissingPart, "has no frames"),
        (_shared(frames={}), CorruptFile, "'frames' is a dict, expected list"),
        (_shared(frames=[None]), CorruptFile, "frame 0: found None, expected an object"),
        (lambda content: content.pop("frames"), CorruptFile, "the document: no key 'frames'"),
    ],
)
def test_bad_content_is_refused_with_the_place(
    tmp_path: Path, change: Callable[[Content], object], error: type[TrisparseError], message: str
) -> None:
    content = camera_content()
    change(content)
    with pytest.raises(error, match=message) as caught:
        read_camera_json(write_set(tmp_path, content))
    assert "cameras.json" in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"frames": [[[' + "[" * 5000, '{"frames": "\\ud800"}', "\xff"])
def test_hostile_json_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "cameras.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(CorruptFile, match=r"cameras.json"):
        read_camera_json(tmp_path)
