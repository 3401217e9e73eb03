"""``trisparse backends``."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Backends:
    """Show which implementation of each operation runs here, and why another does not."""

    json: bool = False
    """Print JSON for machines."""

    def run(self) -> None:
        import torch

        from ..backend_table import backend_rows

        devices = [torch.device("cpu"), *([torch.device("cuda")] if torch.cuda.is_available() else [])]
        rows = [row for device in devices for row in backend_rows(device)]
        if self.json:
            print(json.dumps([asdict(row) for row in rows], indent=2))
            return
        for row in rows:
            state = f"no: {row.why_not}" if row.why_not else "default" if row.is_default else "yes"
            print(f"{row.operation:<20} {row.backend:<8} {row.device:<5} {state}")
        if len(devices) == 1:
            print("cuda: PyTorch sees no GPU here, so only the CPU's rows are shown")
