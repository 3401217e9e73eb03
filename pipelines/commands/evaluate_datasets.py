"""``trisparse evaluate scanrefer``, ``evaluate nr3d`` and ``evaluate sr3d``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

Dataset = Literal["scanrefer", "nr3d", "sr3d"]
"""As in :mod:`..datasets`, whose import would slow ``--help`` down."""


@dataclass(frozen=True)
class AbstractEvaluation:
    """Options of all three."""

    dataset: ClassVar[Dataset]

    data: Path
    """Folder of your data: scans/<scene>/ as ScanNet gives it, and beside it ScanRefer/, ReferIt3D/ and meta_data/
    (docs/grounding.md lists the files)."""
    weights: str = "small"
    """Bundled weights by name, or a .safetensors file: of a training, or a published checkpoint after convert-checkpoint."""
    split: Literal["val", "train"] = "val"
    """"val" stands for ReferIt3D's test scenes too."""
    annotations: Path | None = None
    """The file of sentences, where it does not lie in its place under --data."""
    scans: Path | None = None
    """File that lists scenes, one a line or as ReferIt3D does: only sentences about these."""
    limit: int | None = None
    """Only the first scenes, by id (for a quick look; figures to report come from the whole split)."""
    out: Path | None = None
    """Folder for results.jsonl (a line a sentence), report.json and report.html; runs/evaluate-<data set> by default. The same
    command goes on where it was stopped."""
    device: str = "auto"
    """"cpu", "cuda", or "auto" for the GPU where there is one."""
    json: bool = False
    """Print the report as JSON and nothing else."""

    def run(self) -> None:
        from ..dataset_evaluation import EvaluationJob, evaluate_dataset
        from ..dataset_report import print_dataset_report
        from ..datasets import DatasetFiles
        from . import devices

        out = Path(f"runs/evaluate-{self.dataset}") if self.out is None else self.out
        files = DatasetFiles(self.dataset, self.data, self.split, self.annotations, self.scans)
        job = EvaluationJob(files, self.weights, out, self.limit, devices.choose(self.device))
        report = evaluate_dataset(job, progress=not self.json)
        if self.json:
            print(json.dumps(report.to_dict()))
            return
        print_dataset_report(report)
        print(f"a line a sentence, report.json, and report.html to look at: {out}")


@dataclass(frozen=True)
class EvaluateScanrefer(AbstractEvaluation):
    """Measure grounding weights on ScanRefer.

    Reads ScanRefer/ScanRefer_filtered_<split>.json. One box a sentence; it counts where its IoU with the object's axis-aligned
    box (of the 50,000-point subsample, as in published evaluations) is above 0.25 or 0.5. Prints both with 95 % intervals
    (bootstrap over scenes) by unique / multiple, each by ScanRefer's own definition (among the objects described) and by that
    of TSP3D (among all objects of the scene); both need meta_data/scannetv2-labels.combined.tsv.
    """

    dataset: ClassVar[Dataset] = "scanrefer"


@dataclass(frozen=True)
class EvaluateNr3d(AbstractEvaluation):
    """Measure grounding weights on NR3D.

    Reads ReferIt3D/nr3d.csv and meta_data/nr3d_test_scans.txt; sentences by which another person found the object. As TSP3D
    does, one box a sentence is found in the bare scan, and counts where its IoU with the object's box is above 0.25 or 0.5.
    (Choosing among given boxes, as ReferIt3D's own listeners do, is another and easier task, not measured here.) Prints both
    with 95 % intervals (bootstrap over scenes) by easy / hard (more than one other object of the category) and by whether the
    sentence depends on the view.
    """

    dataset: ClassVar[Dataset] = "nr3d"


@dataclass(frozen=True)
class EvaluateSr3d(AbstractEvaluation):
    """Measure grounding weights on SR3D.

    Reads ReferIt3D/sr3d.csv and meta_data/sr3d_test_scans.txt; sentences that name the category. As TSP3D does, one box a
    sentence is found in the bare scan, and counts where its IoU with the object's box is above 0.25 or 0.5. (Choosing among
    given boxes, as ReferIt3D's own listeners do, is another and easier task, not measured here.) Prints both with 95 %
    intervals (bootstrap over scenes) by easy / hard (more than one other object of the category), by whether the sentence
    depends on the view, and by reference type.
    """

    dataset: ClassVar[Dataset] = "sr3d"
