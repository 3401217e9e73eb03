"""The fixed evaluation on generated rooms: sentences, other wordings, absent objects, other scans, no colours."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch

from ..core.errors import InvalidInput
from ..core.files import write_text
from ..data.alignment import align_scan
from ..data.boxes import Boxes3D, iou_axis_aligned
from ..data.readers.scannet import read_scannet_scene, write_scannet_scene
from ..data.readers.scanrefer import read_scanrefer, write_scanrefer
from ..data.referral import Referral
from ..data.rooms.evaluation import EvalSet, generate_eval_room, load_eval_v2
from ..data.rooms.generate import generate_room, scene_id_of
from ..data.rooms.scan_variants import CONDITIONS, rescan, turn_of
from ..data.scene import Scene
from ..sparse3d.checkpoint import load_grounder_network, text_weights_of
from ..sparse3d.grounder import Grounder
from ..sparse3d.text import load_text_encoder
from ..sparse3d.vocabulary import default_vocabulary
from .ablation import VARIANTS, AblationRow, ablation_row, ask_variant, variant_of
from .calibration import Calibration, calibrate
from .evaluation import ReportRow, SentenceResult, evaluate_scene, report
from .evaluation_page import Page, choose_examples, write_page
from .grounding import choose_points, find_weights
from .grounding_data import SentenceStates, with_known_targets
from .miss_kinds import KINDS, count_kinds
from .part_times import part_times

Part = Literal["sentences", "wordings", "absent", "scans", "ablation"]
SIDE_ROOMS = 30
"""The wordings and scans are measured on the first rooms of the set."""


ABLATION_ROOMS = 20
"""Rooms of the ablation."""


@dataclass(frozen=True, eq=False)
class RoomsReport:
    """What an evaluation found; parts that were not asked for are empty."""

    rows: list[ReportRow]
    wordings: list[ReportRow]
    """Usual sentences, then each other wording, on the same rooms."""
    scans: list[ReportRow]
    """One row a condition, on the same rooms."""
    calibration: Calibration | None
    ablation: list[AblationRow]
    misses: Counter[str]
    """How many answers to the sentences are of each kind, see :mod:`~.miss_kinds`."""
    results: list[SentenceResult]
    """Of the sentences."""


@dataclass(frozen=True, eq=False)
class CachedRoom:
    """A verified room as the network gets it: 50,000 of its points, boxes around an object's points among them."""

    seed: int
    scene: Scene
    wordings: tuple[Referral, ...]
    absent: tuple[tuple[str, str], ...]


def evaluate_rooms(
    weights: str | Path,
    *,
    data: Path,
    rooms: int | None = None,
    parts: Sequence[Part] = ("sentences",),
    progress: bool = True,
) -> RoomsReport:
    """Evaluate weights on ``rooms-eval-v2``.

    Args:
        weights: Bundled weights by name, or a file.
        data: Where generated rooms are kept.
        rooms: Only the first rooms; all by default.
        parts: "sentences": accuracy by kind of sentence. "wordings": the first rooms' sentences said otherwise. "absent":
            scores of sentences that mean nothing, against those of "sentences". "scans": the first rooms scanned otherwise.
            "ablation": the first rooms without pruning, completion or both.
        progress: Show a bar.

    Raises:
        InvalidInput: Fewer than one room asked for.
        DataError: A room is not the one that was fixed.
    """
    chosen = load_eval_v2()
    if rooms is not None and rooms < 1:
        raise InvalidInput(f"at least one room must be evaluated, got {rooms}")
    file = find_weights(weights)
    grounder = load_grounder_network(file)
    states = sentence_states(grounder, text_weights_of(file))
    seeds = chosen.seeds[:rooms]

    def each(title: str, n: int | None = None) -> Iterable[CachedRoom]:
        from rich.progress import track

        for seed in track(seeds[:n], title, disable=not progress):
            yield cached_room(chosen, seed, data)

    results: list[SentenceResult] = []
    misses: Counter[str] = Counter()
    for room in each("sentences"):
        found = evaluate_scene(grounder, states, room.scene)
        results += found
        misses += count_kinds(found, room.scene)
    wordings: list[ReportRow] = []
    if "wordings" in parts:
        said = [
            r for room in each("wordings", SIDE_ROOMS) for r in evaluate_scene(grounder, states, _with_wordings(room))
        ]
        own = {scene_id_of(seed) for seed in seeds[:SIDE_ROOMS]}
        kinds = sorted({tag for r in said for tag in r.tags if tag.startswith("wording:")})
        wordings = [_named("as made", [r for r in results if r.scene_id in own])]
        wordings += [_named(kind.removeprefix("wording:"), [r for r in said if kind in r.tags]) for kind in kinds]
    calibration = None
    if "absent" in parts:
        absent = [pair for room in each("absent objects") for pair in absent_scores(grounder, states, room)]
        calibration = calibrate(results, absent)
    scans: list[ReportRow] = []
    for condition in CONDITIONS if "scans" in parts else ():
        found = [
            r
            for room in each(condition, SIDE_ROOMS)
            for r in evaluate_condition(grounder, states, room, chosen, condition)
        ]
        scans.append(_named(condition, found))
    ablation = [
        ablation_row(name, [a for room in each(name, ABLATION_ROOMS) for a in ask_variant(variant, states, room.scene)])
        for name in VARIANTS
        if "ablation" in parts
        for variant in [variant_of(grounder, name)]
    ]
    return RoomsReport(report(results), wordings, scans, calibration, ablation, misses, results)


def _named(name: str, results: Sequence[SentenceResult]) -> ReportRow:
    return replace(report(results)[0], name=name)


def _with_wordings(room: CachedRoom) -> Scene:
    return replace(room.scene, referrals=room.wordings)


def sentence_states(grounder: Grounder, text_weights: Path | None = None) -> SentenceStates:
    """Token states from the text encoder that a network was trained with, its own weights if it came with some."""
    config = grounder.config
    encoder = load_text_encoder(config.text_encoder, weights=text_weights)
    return SentenceStates(encoder, default_vocabulary(), config.text_rules)


def cached_room(chosen: EvalSet, seed: int, data: Path) -> CachedRoom:
    """One room of the set: generated, verified, and kept for the next time."""
    name = scene_id_of(seed)
    sentences, absent = data / "ScanRefer" / f"{name}.json", data / "absent" / f"{name}.json"
    wordings = data / "wordings" / f"{name}.json"
    if not sentences.is_file():
        room = generate_eval_room(seed, chosen.config)
        chosen.verify(seed, room)
        write_scannet_scene(data / "scans", room.scene)
        write_scanrefer(wordings, [r for kind in room.wordings.values() for r in kind])
        write_text(absent, json.dumps(room.absent))
        write_scanrefer(sentences, room.scene.referrals)
    scene = with_known_targets(read_scannet_scene(data / "scans" / name), read_scanrefer(sentences))
    known = with_known_targets(scene, read_scanrefer(wordings)).referrals
    return CachedRoom(seed, scene, known, tuple((s, kind) for s, kind in json.loads(absent.read_text())))


def absent_scores(grounder: Grounder, states: SentenceStates, room: CachedRoom) -> list[tuple[str, float]]:
    """For each sentence about what is not there its sort and the best box's score."""
    colors = room.scene.cloud.colors
    assert colors is not None
    with torch.no_grad():
        encoded = grounder.encode_scene(room.scene.cloud.points.float(), colors.float())
        answers = grounder.answer(encoded, states.batch([sentence for sentence, _ in room.absent]))
    return [(kind, float(a.scores[0])) for (_, kind), a in zip(room.absent, answers, strict=True)]


def evaluate_condition(
    grounder: Grounder, states: SentenceStates, room: CachedRoom, chosen: EvalSet, condition: str
) -> list[SentenceResult]:
    """The sentences of a room that was scanned under a condition; boxes come back in the room's frame (m)."""
    whole = generate_room(room.seed, chosen.config).cloud
    scene = rescan(replace(room.scene, cloud=whole), room.seed, chosen.config, condition)
    if condition != "unknown yaw":
        return evaluate_scene(grounder, states, replace(scene, cloud=scene.cloud.select(choose_points(scene.cloud))))
    alignment = align_scan(scene.cloud)
    cloud = alignment.cloud
    aligned = replace(scene, cloud=cloud.select(choose_points(cloud)))
    results = evaluate_scene(grounder, states, aligned)
    # The boxes back into the room's frame: out of the network's, then by the turn that was hidden.
    back = torch.eye(4, dtype=torch.float64)
    back[:3, :3] = turn_of(room.seed).T
    room_from_network = back @ alignment.file_from_network
    return [_moved(result, room_from_network, scene) for result in results]


def _moved(result: SentenceResult, room_from_network: torch.Tensor, scene: Scene) -> SentenceResult:
    """A result whose box is moved to the room's frame, in which the IoU with the axis-aligned box around it counts."""
    center, size = torch.tensor([result.center]).double(), torch.tensor([result.size]).double()
    turn = room_from_network[:3, :3]
    moved = center @ turn.T + room_from_network[:3, 3]
    # Quarter turns exchange width and depth; the few degrees that may be left do not matter.
    quarter = torch.round(turn).abs()
    own = Boxes3D.axis_aligned(moved, size @ quarter.T)
    target = scene.object(result.target_id)
    truth = (torch.tensor([target.center]).double(), torch.tensor([target.size]).double())
    iou = float(iou_axis_aligned(own.centers, own.sizes, *truth)[0])
    return replace(result, iou=iou, center=tuple(own.centers[0].tolist()), size=tuple(own.sizes[0].tolist()))


def write_rooms_page(path: Path, made: RoomsReport, weights: str, *, data: Path) -> Path:
    """A page of the tables, the best and the worst answers."""
    chosen = load_eval_v2()
    seed_of = {scene_id_of(seed): seed for seed in chosen.seeds}
    facts = [("weights", weights), ("set", chosen.name), ("sentences", str(len(made.results)))]
    facts += [(f"answers: {kind}", str(made.misses[kind])) for kind in KINDS]
    page = Page(
        f"{chosen.name}, {weights}",
        facts,
        made.rows,
        part_times([r.milliseconds for r in made.results], [r.scene_id for r in made.results]),
    )
    return write_page(
        path, page, choose_examples(made.results), lambda name: cached_room(chosen, seed_of[name], data).scene
    )


def print_report(made: RoomsReport) -> None:
    """The tables, in percent with 95 % intervals."""
    from rich.console import Console
    from rich.table import Table

    console = Console(width=150)
    tables: list[tuple[str, Sequence[ReportRow]]] = [
        ("rooms-eval-v2, percent with 95 % intervals over rooms", made.rows),
        (f"other wordings, first {SIDE_ROOMS} rooms", made.wordings),
        (f"other scans, first {SIDE_ROOMS} rooms", made.scans),
    ]
    for title, rows in tables:
        if not rows:
            continue
        table = Table(title=title)
        for number, (name, _) in enumerate(COLUMNS):
            table.add_column(name, justify="right" if number else "left")
        for row in rows:
            table.add_row(*(text(row) for _, text in COLUMNS))
        console.print(table)
    total = max(sum(made.misses.values()), 1)
    console.print("answers: " + ", ".join(f"{kind} {100 * made.misses[kind] / total:.1f} %" for kind in KINDS))
    if made.ablation:
        table = Table(
            "variant", "Acc@0.25", "Acc@0.5", "voxels", "ms a sentence", title=f"first {ABLATION_ROOMS} rooms"
        )
        for row in made.ablation:
            table.add_row(row.name, *map(str, row.accuracy), f"{row.voxels:.0f}", f"{row.milliseconds:.0f}")
        console.print(table)
    if made.calibration is not None:
        console.print(made.calibration.text())


COLUMNS: tuple[tuple[str, Callable[[ReportRow], str]], ...] = (
    ("sentences", lambda row: row.name),
    ("n", lambda row: str(row.count)),
    ("Acc@0.25", lambda row: str(row.accuracy[0])),
    ("Acc@0.5", lambda row: str(row.accuracy[1])),
    ("shuffled @0.25", lambda row: f"{100 * row.shuffled[0].value:.1f}"),
    ("random of category @0.25", lambda row: f"{100 * row.random_of_category[0].value:.1f}"),
    ("random object @0.25", lambda row: f"{100 * row.random_object[0].value:.1f}"),
    (
        "gain @0.25",
        lambda row: f"{100 * row.gain[0].value:+.1f} [{100 * row.gain[0].low:+.1f}, {100 * row.gain[0].high:+.1f}]",
    ),
)
"""Columns of the table: title, and a row's text."""
