"""The fixed evaluation on generated rooms."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..core.errors import InvalidInput
from ..data.readers.scannet import read_scannet_scene, write_scannet_scene
from ..data.readers.scanrefer import read_scanrefer, write_scanrefer
from ..data.rooms.evaluation import EvalSet, load_eval_v1
from ..data.rooms.generate import generate_room, scene_id_of
from ..data.scene import Scene
from ..sparse3d.checkpoint import load_grounder_network, text_weights_of
from ..sparse3d.grounder import Grounder
from ..sparse3d.text import load_text_encoder
from ..sparse3d.vocabulary import default_vocabulary
from .evaluation import ReportRow, SentenceResult, evaluate_scene, report
from .grounding import find_weights
from .grounding_data import SentenceStates, with_known_targets


def evaluate_rooms(
    weights: str | Path, *, data: Path, rooms: int | None = None, progress: bool = True
) -> tuple[list[ReportRow], list[SentenceResult]]:
    """Evaluate weights on ``rooms-eval-v1``.

    The network gets each room as it gets ScanNet's scans: 50,000 of its points, and boxes around an object's points among them.

    Args:
        weights: Bundled weights by name, or a file.
        data: Where generated rooms are kept.
        rooms: Only the first rooms; all by default.
        progress: Show a bar.

    Raises:
        InvalidInput: Fewer than one room asked for.
        DataError: A room is not the one that was fixed.
    """
    from rich.progress import track

    chosen = load_eval_v1()
    if rooms is not None and rooms < 1:
        raise InvalidInput(f"at least one room must be evaluated, got {rooms}")
    file = find_weights(weights)
    grounder = load_grounder_network(file)
    states = sentence_states(grounder, text_weights_of(file))
    results: list[SentenceResult] = []
    for seed in track(chosen.seeds[:rooms], "evaluating rooms", disable=not progress):
        results += evaluate_scene(grounder, states, eval_scene(chosen, seed, data))
    return report(results), results


def sentence_states(grounder: Grounder, text_weights: Path | None = None) -> SentenceStates:
    """Token states from the text encoder that a network was trained with, its own weights if it came with some."""
    config = grounder.config
    encoder = load_text_encoder(config.text_encoder, weights=text_weights)
    return SentenceStates(encoder, default_vocabulary(), config.text_rules)


def eval_scene(chosen: EvalSet, seed: int, data: Path) -> Scene:
    """One room of the set as the network gets it: generated, verified, and kept for the next time."""
    folder, sentences = data / "scans" / scene_id_of(seed), data / "ScanRefer" / f"{scene_id_of(seed)}.json"
    if not sentences.is_file():
        scene = generate_room(seed, chosen.config)
        chosen.verify_room(seed, scene)
        write_scannet_scene(data / "scans", scene)
        write_scanrefer(sentences, scene.referrals)
    return with_known_targets(read_scannet_scene(folder), read_scanrefer(sentences))


def print_report(rows: Sequence[ReportRow]) -> None:
    """The table, in percent with 95 % intervals."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title="rooms-eval-v1, percent with 95 % intervals over rooms")
    table.add_column("sentences")
    for name in (
        "n",
        "Acc@0.25",
        "Acc@0.5",
        "shuffled @0.25",
        "random of category @0.25",
        "random object @0.25",
        "gain @0.25",
    ):
        table.add_column(name, justify="right")
    for row in rows:
        gain = row.gain[0]
        table.add_row(
            row.name,
            str(row.count),
            str(row.accuracy[0]),
            str(row.accuracy[1]),
            f"{100 * row.shuffled[0].value:.1f}",
            f"{100 * row.random_of_category[0].value:.1f}",
            f"{100 * row.random_object[0].value:.1f}",
            f"{100 * gain.value:+.1f} [{100 * gain.low:+.1f}, {100 * gain.high:+.1f}]",
        )
    Console(width=150).print(table)
