"""Several processes training one network: averaged gradients, nothing hidden."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import distributed, nn

from .runner import Machine, run_stage
from .stage import AbstractStage, ProgressLog, StageContext, describe_stage, stage_key
from .store import Store


@dataclass(frozen=True)
class ProcessGroup:
    """This process among those that ``torchrun`` started; rank 0 of 1 without it."""

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and shows progress."""
        return self.rank == 0

    def average_gradients(self, module: nn.Module) -> None:
        """Replace each gradient by its mean over the processes.

        A parameter without a gradient in some process counts as zero there; without one in any, it keeps none.
        """
        if self.size == 1:
            return
        parameters = [p for p in module.parameters() if p.requires_grad]
        present = torch.tensor(
            [p.grad is not None for p in parameters], dtype=torch.float32, device=parameters[0].device
        )
        flat = torch.cat(
            [(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in parameters] + [present]
        )
        self._mean(flat)
        *parts, present = flat.split([*(p.numel() for p in parameters), len(parameters)])
        for parameter, part, anywhere in zip(parameters, parts, present.tolist(), strict=True):
            parameter.grad = part.view_as(parameter).clone() if anywhere else None

    def average_buffers(self, module: nn.Module) -> None:
        """Replace running statistics by their mean over the processes."""
        if self.size == 1:
            return
        buffers = [buffer for buffer in module.buffers() if buffer.is_floating_point()]
        flat = torch.cat([buffer.flatten() for buffer in buffers])
        self._mean(flat)
        for buffer, part in zip(buffers, flat.split([buffer.numel() for buffer in buffers]), strict=True):
            buffer.copy_(part.view_as(buffer))

    def wait(self) -> None:
        """Until every process is here."""
        if self.size > 1:
            distributed.barrier()

    def _mean(self, values: torch.Tensor) -> None:
        distributed.all_reduce(values)
        values /= self.size


@contextmanager
def process_group() -> Iterator[ProcessGroup]:
    """Join the processes that ``torchrun`` announced in the environment, and leave them at the end."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield ProcessGroup()
        return
    distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield ProcessGroup(distributed.get_rank(), size)
    finally:
        distributed.destroy_process_group()


def run_stage_together(stage: AbstractStage, store: Store, machine: Machine) -> Path:
    """Run a stage in all processes of a group: the first one owns the artifact, the others only compute with it.

    Returns:
        The artifact's folder (in the first process finished; in the others it is about to be).
    """
    slot = store.slot(stage.stage_name(), stage_key(describe_stage(stage, {}, machine.device, machine.dtype)))
    if int(os.environ.get("RANK", "0")) == 0:
        return run_stage(stage, store, machine=machine).folder
    if not slot.is_finished:
        stage.run(StageContext(slot.partial, ProgressLog(slot.log), {}, machine.device, machine.dtype))
    return slot.folder
