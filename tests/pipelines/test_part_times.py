"""Times by part."""

import time

import pytest
import torch
from trisparse.pipelines.part_times import PartClock, part_times


def test_a_clock_adds_up_each_part_alone() -> None:
    clock = PartClock(torch.device("cpu"))
    for _ in range(2):
        with clock.part("long"):
            time.sleep(0.02)
    with clock.part("short"):
        pass
    assert clock.milliseconds["long"] >= 40
    assert clock.milliseconds["short"] < 20


def test_the_backbone_counts_once_a_scene_and_a_sentence_takes_all_parts() -> None:
    samples = [
        {"backbone": 100.0, "text": 1.0, "head": 10.0},
        {"backbone": 100.0, "text": 1.0, "head": 30.0},
        {"backbone": 300.0, "text": 1.0, "head": 20.0},
        {},
    ]
    times = {time.name: time for time in part_times(samples, ["a", "a", "b", "c"])}
    assert (times["backbone"].median, times["backbone"].count) == (200, 2)
    assert (times["head"].median, times["head"].count) == (20, 3)
    assert times["head"].slow == pytest.approx(28)
    assert times["sentence"].median == 131
    assert list(times) == ["backbone", "text", "head", "sentence"]


def test_without_times_there_is_no_table() -> None:
    assert part_times([{}], ["a"]) == []
