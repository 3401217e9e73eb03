"""The fixed evaluation set of events comes out as it was fixed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from trisparse.core.errors import CorruptFile, InvalidInput
from trisparse.events.evaluation_set import EventEvalSet

BEGINNING = [0, 0, 0, 0, 0, 49, 41, 0, 75, 206, 233, 61, 106, 352, 322, 171]
"""Events of the first 20 ms of "medium" in fields of 32 x 32 pixels, row by row."""
VIEW = [229.03, 231.46, 177.05, 176.3]
"""Mean brightness of the last test view in fields of 64 x 64 pixels, 0..255."""


def test_a_recording_begins_as_it_was_fixed() -> None:
    recording = EventEvalSet.read().record("medium", duration_ns=20_000_000)
    stream = recording.stream
    assert (stream.width, stream.height) == (128, 128)
    fields = np.bincount(stream.y // 32 * 4 + stream.x // 32, minlength=16)
    # Another processor may round a logarithm otherwise, which moves a few events over the end.
    assert np.abs(fields - BEGINNING).max() <= 2
    posed = recording.posed()
    assert posed.camera.refractory_period_ns == 8_000_000
    assert posed.camera.bayer_pattern == "RGGB"


def test_test_views_are_those_that_were_fixed() -> None:
    views = EventEvalSet.read().views()
    assert len(views) == 24
    fields = views.image(23).reshape(2, 64, 2, 64, 3).mean((1, 3, 4)) * 255
    np.testing.assert_allclose(fields.flatten().numpy(), VIEW, atol=0.1)


def test_a_grey_recording_has_the_same_path() -> None:
    fixed = EventEvalSet.read()
    assert fixed.setting("hard", is_color=False).spiral == fixed.setting("hard").spiral
    assert not fixed.camera(fixed.setting("hard", is_color=False)).is_color


def test_levels_and_files_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="easy, medium, hard"):
        EventEvalSet.read().setting("harder")
    (tmp_path / "set.json").write_text("{}")
    with pytest.raises(CorruptFile, match="no evaluation set"):
        EventEvalSet.read(tmp_path / "set.json")
