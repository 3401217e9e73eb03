"""``trisparse convert-checkpoint``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import tyro


@dataclass(frozen=True)
class ConvertCheckpoint:
    """Convert a published TSP3D checkpoint to weights that 'trisparse ground --weights' takes.

    Nothing in the checkpoint is run. Beside the weights come the training configuration (.json) and, where the checkpoint holds
    them, RoBERTa's weights (.text.safetensors). What is converted keeps the checkpoint's licence, CC BY-NC-SA 4.0.
    """

    source: tyro.conf.Positional[Path]
    """Published checkpoint (ckpt_scanrefer.pth, ckpt_nr3d.pth, ckpt_sr3d.pth)."""
    target: tyro.conf.Positional[Path]
    """Weights to write (.safetensors)."""
    json: bool = False
    """Print JSON for machines."""

    def run(self) -> None:
        from ...sparse3d.published import LICENCE, convert_checkpoint

        report = convert_checkpoint(self.source, self.target)
        values = {
            "weights": str(report.weights),
            "text_weights": None if report.text_weights is None else str(report.text_weights),
            "settings": str(report.settings),
            "epoch": report.epoch,
            "parameters": report.parameters,
            "left_out": list(report.left_out),
            "licence": LICENCE,
        }
        if self.json:
            print(json.dumps(values))
            return
        print(f"weights: {report.weights} ({report.parameters:,} parameters, epoch {report.epoch})")
        print(f"text weights: {report.text_weights or 'none in the checkpoint; RoBERTa-base will be used'}")
        print(f"settings: {report.settings}")
        if report.left_out:
            print(f"left out: {', '.join(report.left_out)}")
        print(f"licence: {LICENCE}")
