"""Compiles the Triton kernels for a GPU that need not be there, and prints as JSON what their machine code does.

    python triton_compile.py 80 90

``test_triton_gpu.py`` runs this in a process without Triton's interpreter.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

from trisparse.sparse3d.kernels import triton_conv, triton_kernel_map
from trisparse.sparse3d.neighbour_table import TILE_ROWS

WAYS = {
    "fp16": triton_conv._HALF,
    "bf16": triton_conv._HALF,
    "tf32": triton_conv._TF32,
    "ieee": triton_conv._IEEE,
    "fp64": triton_conv._DOUBLE,
}
POINTERS = {"tf32": "*fp32", "ieee": "*fp32", "fp16": "*fp16", "bf16": "*bf16", "fp64": "*fp64"}


def compiled(capability: int, kernel: Any, types: list[str], constants: dict[str, Any]) -> dict[str, Any]:
    """Facts about one kernel; ``types`` are those of the arguments that are no constants, in their order."""
    compiler, target = import_module("triton.compiler"), import_module("triton.backends.compiler")
    left = iter(types)
    signature = {name: "constexpr" if name in constants else next(left) for name in kernel.arg_names}
    # As Triton specialises a call with whole vectors of channels.
    wide = ("channels", "columns")
    aligned = [n for n, (name, kind) in enumerate(signature.items()) if kind.startswith("*") or name in wide]
    aligned = [n for n in aligned if kernel.arg_names[n] not in constants]
    source = compiler.ASTSource(kernel, signature, constants, {(n,): [["tt.divisibility", 16]] for n in aligned})
    options = {"enable_fp_fusion": True, "num_stages": triton_conv._STAGES}
    made = compiler.compile(source, target=target.GPUTarget("cuda", capability, 32), options=options)
    code = made.asm["ptx"]
    return {
        "tensor cores": sorted(set(re.findall(r"(?:wgmma\.mma_async|mma\.sync)\S*", code))),
        "atomics": sorted(set(re.findall(r"\b(?:atom|red)\.\S*", code))),
        "stack bytes": _stack_bytes(made.asm["cubin"]),
        "shared bytes": made.metadata.shared,
    }


def _stack_bytes(cubin: bytes) -> int:
    """Memory of a thread for what its registers do not hold, by the tool that Triton brings along."""
    tool = Path(import_module("triton").__file__ or "").with_name("backends") / "nvidia" / "bin" / "cuobjdump"
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        shown = subprocess.run([tool, "-res-usage", file.name], capture_output=True, text=True, check=True).stdout
    return int(re.findall(r"STACK:(\d+)", shown)[-1])


def convolution_kernels(name: str) -> dict[str, tuple[Any, list[str], dict[str, Any]]]:
    """Kernel, types and constants of the convolution in one arithmetic: the greatest tiles, and the smallest."""
    way, pointer = WAYS[name], POINTERS[name]
    common = {"ARITHMETIC": way.name, "WIDEN": False}
    sums = "*fp64" if name == "fp64" else "*fp32"
    small = {"CHANNELS": min(16, way.channels), "COLUMNS": min(16, way.columns), "CHUNKS": 1}
    small |= {"channels": 1, "columns": 1, "panels": 1}
    large = {"CHANNELS": way.channels, "COLUMNS": way.columns, "CHUNKS": 3}
    products = [pointer, pointer, "*i32", "*i32", "*i32", "*i32", pointer]
    outer = [pointer, pointer, "*i32", "*i32", "*i64", sums, *["i32"] * 5]
    return {
        "products": (triton_conv.products_kernel, [*products, *["i32"] * 3], common | large | {"ROWS": TILE_ROWS}),
        "small products": (triton_conv.products_kernel, products, common | small | {"ROWS": TILE_ROWS}),
        "outer products": (triton_conv.outer_products_kernel, outer, common | {"PAIRS": way.pairs, "SIDE": way.side}),
        "sum": (triton_conv.sum_parts_kernel, [sums, pointer, "i32", "i32"], {"BLOCK": triton_conv._BLOCK}),
    }


def main() -> None:
    """Compute capabilities (80 for 8.0) from the command line."""
    found: dict[str, dict[str, Any]] = {}
    table = {"SHIFT": 50, "EMPTY": triton_kernel_map._EMPTY, "BLOCK": triton_kernel_map._BLOCK}
    insert, find = triton_kernel_map.insert_kernel, triton_kernel_map.find_kernel
    for capability in map(int, sys.argv[1:]):
        for name in WAYS:
            for kernel, arguments in convolution_kernels(name).items():
                found[f"{capability} {name} {kernel}"] = compiled(capability, *arguments)
        found[f"{capability} insert"] = compiled(capability, insert, ["*i64", "*i64", "*i32", "i32"], table)
        found[f"{capability} insert one"] = compiled(capability, insert, ["*i64", "*i64", "*i32"], table | {"n": 1})
        types = ["*i64", "*i32", "*i64", "*i64", "*i32", "i32", "i32"]
        found[f"{capability} find"] = compiled(capability, find, types, table)
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
