"""The examples of docs/rooms.md run."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parents[3] / "docs" / "rooms.md"


def test_the_example_of_an_annotated_layout_runs_and_says_what_it_prints() -> None:
    blocks = re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)
    (example,) = [b for b in blocks if "rooms.annotated" in b]
    names: dict[str, object] = {}
    exec(example, names)
    said = re.search(r"# (\[.*\])$", example, re.MULTILINE)
    assert said is not None
    assert str(names["found"]) == said.group(1)
