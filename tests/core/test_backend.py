from __future__ import annotations

import sys
from types import ModuleType

import pytest
import torch
from trisparse.core.backend import Op
from trisparse.core.errors import BackendUnavailable, InvalidInput

CPU, GPU = torch.device("cpu"), torch.device("cuda")


def _kernels(name: str, runs_on: str, factor: int) -> ModuleType:
    module = ModuleType(name)

    def why_unusable(device: torch.device) -> str | None:
        return None if device.type == runs_on else f"needs {runs_on}"

    def multiply(x: int) -> int:
        return factor * x

    module.__dict__.update(why_unusable=why_unusable, multiply=multiply)
    return module


@pytest.fixture
def op(monkeypatch: pytest.MonkeyPatch) -> Op:
    for module in (_kernels("gpu_kernels", "cuda", 2), _kernels("cpu_kernels", "cpu", 3)):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    table = {"absent": "no_such_package.kernels:multiply", "gpu": "gpu_kernels:multiply", "cpu": "cpu_kernels:multiply"}
    return Op("multiply", table)


def test_auto_takes_the_first_that_is_usable(op: Op) -> None:
    assert op.pick(CPU)(10) == 30
    assert op.pick(GPU)(10) == 20


def test_a_backend_asked_for_by_name_is_used(op: Op) -> None:
    assert op.pick(CPU, "cpu")(10) == 30


def test_a_backend_asked_for_by_name_is_never_replaced(op: Op) -> None:
    with pytest.raises(BackendUnavailable, match="multiply: backend 'gpu' cannot be used on cpu: needs cuda"):
        op.pick(CPU, "gpu")


def test_a_missing_package_is_a_reason_not_a_crash(op: Op) -> None:
    with pytest.raises(BackendUnavailable, match="no_such_package"):
        op.pick(CPU, "absent")


def test_an_unknown_backend_is_refused_with_the_choices(op: Op) -> None:
    with pytest.raises(InvalidInput, match="choose from auto, absent, gpu, cpu"):
        op.pick(CPU, "fast")


def test_where_nothing_runs_every_reason_is_told(op: Op) -> None:
    with pytest.raises(BackendUnavailable, match=r"absent: .*gpu: needs cuda; cpu: needs cpu"):
        op.pick(torch.device("meta"))
