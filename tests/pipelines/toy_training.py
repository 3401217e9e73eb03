"""A small training stage for the tests of resuming; a program, so that it can be killed.

python toy_training.py STORE [--kill-at STEP] [--seconds-per-step S]
"""

from __future__ import annotations

import argparse
import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn
from trisparse.pipelines.checkpoint import (
    load_checkpoint,
    random_state,
    remove_checkpoints,
    restore_random_state,
    save_checkpoint,
)
from trisparse.pipelines.runner import run_stage
from trisparse.pipelines.stage import AbstractStage, StageContext
from trisparse.pipelines.step_log import StepLog
from trisparse.pipelines.store import Store


@dataclass(frozen=True)
class ToyTraining(AbstractStage):
    """Fit a line with dropout and two sources of random numbers, with a checkpoint every third step."""

    version: ClassVar[int] = 1
    steps: int = 40
    kill_at: int = field(default=-1, metadata={"key": False})
    seconds_per_step: float = field(default=0.0, metadata={"key": False})

    def run(self, ctx: StageContext) -> None:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(8, 16), nn.Dropout(0.3), nn.Linear(16, 1))
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.05)
        rng = np.random.default_rng(0)
        log, checkpoints = StepLog(ctx.folder / "losses.jsonl"), ctx.folder / "checkpoints"
        done = 0
        saved = load_checkpoint(checkpoints)
        if saved is not None:
            model.load_state_dict(saved.state["model"])
            optimizer.load_state_dict(saved.state["optimizer"])
            restore_random_state(saved.state["random"], data=rng)
            done = saved.step
        log.rewind(done)
        ctx.log.write("from", step=done)
        for step in range(done + 1, self.steps + 1):
            x = torch.from_numpy(rng.standard_normal((32, 8), dtype=np.float32))
            loss = (model(x) - x.sum(1, keepdim=True)).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            log.append(step, loss=float(loss.detach()))
            if step % 3 == 0:
                state = {
                    "model": model.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "random": random_state(data=rng),
                }
                save_checkpoint(checkpoints, step, state)
            time.sleep(self.seconds_per_step)
            if step == self.kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
        save_file(model.state_dict(), ctx.folder / "weights.safetensors")
        remove_checkpoints(checkpoints)


if __name__ == "__main__":
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser()
    parser.add_argument("store", type=Path)
    parser.add_argument("--kill-at", type=int, default=-1)
    parser.add_argument("--seconds-per-step", type=float, default=0.0)
    arguments = parser.parse_args()
    stage = ToyTraining(kill_at=arguments.kill_at, seconds_per_step=arguments.seconds_per_step)
    print(run_stage(stage, Store(arguments.store)).folder)
