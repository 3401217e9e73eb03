"""Grounding measured on ScanRefer, NR3D and SR3D: scene by scene, resumable, with a table, JSON and a page to look at."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from ..core.errors import InvalidInput
from ..core.files import write_text
from ..sparse3d.checkpoint import load_grounder_network, text_weights_of
from ..sparse3d.grounder import Grounder
from ..sparse3d.text import load_text_encoder
from ..sparse3d.text_normalize import Rules
from ..sparse3d.vocabulary import default_vocabulary
from .dataset_report import TITLES, DatasetReport, make_report, page_of
from .datasets import Dataset, DatasetFiles, Questions, load_questions, load_scene
from .evaluation import evaluate_scene
from .evaluation_page import choose_examples, write_page
from .evaluation_records import ResultLog
from .fingerprint import hash_file
from .grounding import find_weights
from .grounding_data import SentenceStates


@dataclass(frozen=True)
class EvaluationJob:
    """What to evaluate, and where the results go."""

    files: DatasetFiles
    weights: str | Path
    """Bundled weights by name, or a file."""
    out: Path
    limit: int | None = None
    """Only the first scenes."""
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < 1:
            raise InvalidInput(f"at least one scene must be evaluated, got a limit of {self.limit}")
        if self.out.exists() and not self.out.is_dir():
            raise InvalidInput(f"--out {self.out}: a file is there already; name a folder")


def evaluate_dataset(job: EvaluationJob, *, progress: bool = True) -> DatasetReport:
    """Evaluate, or go on where an evaluation into the same folder was stopped.

    Writes ``results.jsonl`` (a line a sentence, whole scenes at a time), ``settings.json``, ``report.json``, ``report.html``.

    Args:
        job: What to do.
        progress: Show bars.

    Raises:
        MissingPart, CorruptFile: The data or weights are not there or malformed.
        InvalidInput: The folder holds results of other weights or sentences.
    """
    from rich.progress import track

    questions = load_questions(job.files)
    file = find_weights(job.weights)
    grounder = load_grounder_network(file).to(job.device)
    new_states = _state_maker(grounder, job, text_weights_of(file))
    log = ResultLog(job.out, _settings(job, questions, file))
    found = log.start()
    scenes = list(questions.by_scene)[: job.limit]
    title = f"evaluating {TITLES[job.files.dataset]}"
    for scene_id in track(scenes, title, disable=not progress):
        if scene_id not in found:
            found[scene_id] = evaluate_scene(grounder, new_states(), load_scene(questions, scene_id))
            log.append(found[scene_id])
    results = [result for scene_id in scenes for result in found[scene_id]]
    made = make_report(str(job.weights), questions, scenes, results)
    write_text(job.out / "report.json", json.dumps(made.to_dict(), indent=1) + "\n")
    examples = choose_examples(results)
    write_page(
        job.out / "report.html",
        page_of(made),
        examples,
        lambda scene_id: load_scene(questions, scene_id),
        progress=progress,
    )
    return made


def text_rules(trained_with: Rules, dataset: Dataset) -> Rules:
    """Text rules for a data set: its own for networks trained on such data, "free" for those trained on people's sentences."""
    return "free" if trained_with == "free" else dataset


def _state_maker(grounder: Grounder, job: EvaluationJob, text_weights: Path | None) -> Callable[[], SentenceStates]:
    """Makes an empty store of token states: one a scene, or memory would grow with the data set."""
    config = grounder.config
    encoder = load_text_encoder(config.text_encoder, weights=text_weights, device=job.device)
    rules, vocabulary = text_rules(config.text_rules, job.files.dataset), default_vocabulary()
    return lambda: SentenceStates(encoder, vocabulary, rules)


def _settings(job: EvaluationJob, questions: Questions, weights: Path) -> dict[str, Any]:
    """What results depend on, beside the scans themselves."""
    files = questions.files
    inputs = {
        "weights": weights,
        "sentences": files.sentences_file,
        "scans": files.scans_file,
        "labels": files.labels_file if questions.labels else None,
        "alignments": files.alignments_file,
    }
    hashes = {name: None if path is None else hash_file(path) for name, path in inputs.items()}
    return {"dataset": files.dataset, "split": files.split, "device": job.device.type, **hashes}
