"""The page of best and worst answers."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import torch
from trisparse.data.point_cloud import PointCloud
from trisparse.data.scene import Scene
from trisparse.pipelines.evaluation import SentenceResult, report
from trisparse.pipelines.evaluation_page import Examples, Page, choose_examples, write_page
from trisparse.pipelines.part_times import PartTime

BASE = SentenceResult(
    "a", "the chair", "chair", ("hard",), 1, 0.5, 0.0, 0.5, (0.1, 0.1), (0.5, 0.5), (0.0,) * 3, (1.0,) * 3, False
)


def _results(*values: tuple[str, float, float]) -> list[SentenceResult]:
    return [
        replace(BASE, scene_id=scene, iou=iou, score=score, sentence=f"sentence {number}")
        for number, (scene, iou, score) in enumerate(values)
    ]


def test_the_best_have_the_greatest_iou_and_the_worst_were_surest() -> None:
    results = _results(
        ("a", 0.9, 0.2), ("b", 0.0, 0.9), ("c", 0.5, 0.5), ("d", 0.0, 0.1), ("e", 0.0, 0.95), ("f", 0.8, 0.9)
    )
    examples = choose_examples(results, count=2)
    assert [r.scene_id for r in examples.best] == ["a", "f"]
    assert [r.scene_id for r in examples.worst] == ["e", "b"]


def test_no_answer_is_of_both_sorts_and_no_scene_fills_the_page() -> None:
    results = _results(("a", 0.9, 0.5), ("a", 0.8, 0.5), ("a", 0.7, 0.5), ("b", 0.6, 0.5), ("b", 0.1, 0.5))
    examples = choose_examples(results, count=3, per_scene=1)
    assert [r.sentence for r in examples.best] == ["sentence 0", "sentence 3"]
    assert [r.sentence for r in examples.worst] == ["sentence 4", "sentence 2"]
    assert choose_examples(results[:1]) == Examples((results[0],), ())
    assert choose_examples([]) == Examples((), ())


def _scene(scene_id: str) -> Scene:
    points = torch.rand(3000, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor([4.0, 4.0, 1.0])
    return Scene(scene_id, PointCloud(points, torch.full((3000, 3), 0.5)))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[str]]:
    """The text of a page, and the scenes that were asked for."""
    asked: list[str] = []

    def scene_of(scene_id: str) -> Scene:
        asked.append(scene_id)
        return _scene(scene_id)

    right = replace(
        BASE, sentence="<b>a</b> & 'b'", true_center=(2.0, 2.0, 0.5), true_size=(1.0, 1.0, 1.0), target_id=5
    )
    wrong = replace(right, scene_id="b", iou=0.0, fell_back=True, tags=("hard", "template:x"))
    examples = Examples((right, replace(right, iou=0.4)), (wrong, replace(wrong, true_center=(), true_size=())))
    text = Page(
        "A <title>", [("weights", "<w>")], report([right, wrong]), [PartTime("head", 1.5, 2.0, 9)], ["a note \ud800"]
    )
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_page(path, text, examples, scene_of, progress=False)
    assert [file.name for file in path.parent.iterdir()] == ["report.html"]
    return path.read_text(), asked


def test_the_page_loads_nothing_from_elsewhere(page: tuple[str, list[str]]) -> None:
    text, _ = page
    sources = re.findall(r"""(?:src|href|url)\s*[=(]\s*['"]?([^'">\s]{0,30})""", text)
    assert len(sources) == 4
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert "<script" not in text
    assert "default-src 'none'" in text


def test_sentences_are_text_never_markup(page: tuple[str, list[str]]) -> None:
    text, _ = page
    assert text.count("&lt;b&gt;a&lt;/b&gt; &amp; &#x27;b&#x27;") == 4
    assert "<b>" not in text
    assert "<title>A &lt;title&gt;</title>" in text
    assert "&lt;w&gt;" in text


def test_each_answer_says_what_was_found_and_what_is_true(page: tuple[str, list[str]]) -> None:
    text, _ = page
    assert "IoU 0.50, score 0.50, chair" in text
    assert (
        "found box at 0.00 0.00 0.00, size 1.00 1.00 1.00; true box at 2.00 2.00 0.50, size 1.00 1.00 1.00 (m)" in text
    )
    assert "weak: nothing seemed to fit" in text
    assert "template:x" not in text
    assert "a note" in text


def test_a_scene_is_read_once_and_pictures_are_small(page: tuple[str, list[str]]) -> None:
    text, asked = page
    assert asked == ["a", "b"]
    assert len(text) < 4 * 200_000
