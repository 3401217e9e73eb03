"""Write the tables of ``docs/architecture.md``: every module with the first line of its docstring.

python docs/list_modules.py
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "architecture.md"
FOLDERS = ("core", "data", "sparse3d", "events", "rendering", "pipelines")
OTHERS = {
    "sparse3d": "| `weights/` | Bundled weights, `<name>.safetensors`, each with its model card `<name>.md`. |",
    "events": "| `eval-v2.json` | What the fixed recordings of `events-eval-v2` follow from. |",
}
"""Rows of what is no module."""
ABOUT = "Each module with the first line of its docstring (`python docs/list_modules.py` writes them, a test compares)."


def first_line(path: Path) -> str:
    """Of a module's docstring, the period included."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(re.split(r"\n\s*\n", text)[0].split("\n")).replace("``", "`").replace("|", r"\|")


def tables() -> str:
    """All of them, each package under a line that says what it is for."""
    parts = []
    for folder in FOLDERS:
        for package in sorted((ROOT / folder).rglob("__init__.py"), key=lambda path: (len(path.parts), path)):
            place = package.parent
            name = place.relative_to(ROOT).as_posix()
            rows = [f"| `{path.name}` | {first_line(path)} |" for path in sorted(place.glob("[!_]*.py"))]
            rows += [OTHERS[name]] if name in OTHERS else []
            if rows:
                head = f"**`{name}/`** — {first_line(package).removesuffix('.')}"
                parts.append("\n".join([head, "", "| file | what |", "|---|---|", *rows]))
    return "\n\n".join(parts)


def page(text: str) -> str:
    """The page with its tables made anew."""
    begin, end = text.index("## Files\n"), text.index("## Types that everything shares")
    return f"{text[:begin]}## Files\n\n{ABOUT}\n\n{tables()}\n\n{text[end:]}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
