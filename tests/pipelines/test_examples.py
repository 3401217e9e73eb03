"""The examples run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from trisparse.core.errors import MissingPart
from trisparse.pipelines.grounding import find_weights
from trisparse.sparse3d.minilm import find_model


def why_not_runnable() -> str | None:
    """The reason why bundled weights cannot be used here."""
    try:
        find_weights("small")
        find_model()
    except MissingPart as error:
        return str(error)
    return None


@pytest.mark.long
def test_the_example_answers_two_sentences(repository: Path) -> None:
    reason = why_not_runnable()
    if reason is not None:
        pytest.skip(reason)
    command = [sys.executable, str(repository / "examples" / "ground_a_scan.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("centre (") == 2


@pytest.mark.long
def test_the_demo_writes_pictures_and_says_what_is_right(tmp_path: Path) -> None:
    reason = why_not_runnable()
    if reason is not None:
        pytest.skip(reason)
    command = [sys.executable, "-m", "trisparse", "demo", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {
        "answers.json",
        "room.ply",
        "answer-1.png",
        "answer-2.png",
        "answer-3.png",
    }
    assert "right?" in done.stdout


@pytest.mark.long
def test_the_example_renders_views_from_three_photos(repository: Path, tmp_path: Path) -> None:
    command = [sys.executable, str(repository / "examples" / "render_views.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    names = {path.name for path in (tmp_path / "runs" / "render_views").iterdir()}
    assert names == {"0.png", "1.png", "2.png", "3.png", "splats.ply"}


@pytest.mark.long
def test_the_example_of_events_writes_points(repository: Path, tmp_path: Path) -> None:
    out = tmp_path / "events.ply"
    command = [sys.executable, str(repository / "examples" / "events_to_points.py"), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "points: " in done.stdout
    assert out.is_file()
