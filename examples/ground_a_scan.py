"""Find objects in a scan from Python: encode once, ask several sentences, keep the points of the best answer.

    python examples/ground_a_scan.py [SCAN] [SENTENCE ...]

Without a scan a furnished room is generated; without a sentence a chair is looked for.
"""

from __future__ import annotations

import sys
from pathlib import Path

import trisparse
from trisparse.data.point_cloud import PointCloud
from trisparse.data.rooms.generate import generate_room
from trisparse.pipelines.grounding import inside


def main(arguments: list[str]) -> None:
    """Print the best box for each sentence and how many points lie in it."""
    scan: Path | PointCloud
    if arguments:
        scan, sentences = Path(arguments[0]), arguments[1:] or ["the chair"]
    else:
        room = generate_room(20_002)
        scan, sentences = room.cloud, [referral.sentence for referral in room.referrals[:2]]
    grounder = trisparse.load_grounder()
    scene = grounder.encode(scan)
    print(scene.alignment.report)
    grounded = grounder.ask(scene, sentences, top_k=1)
    for answer, boxes in zip(grounded.sheet.answers, grounded.boxes, strict=True):
        center = ", ".join(f"{value:.2f}" for value in answer.center)
        points = int(inside(scene.alignment.cloud, boxes).sum())
        print(f"{answer.sentence!r}: centre ({center}) m, score {answer.score:.2f}, {points} points")


if __name__ == "__main__":
    main(sys.argv[1:])
