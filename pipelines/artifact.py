"""A finished result of a stage: a folder, and a manifest that says what made it and what it holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import ArtifactCorrupt
from ..core.files import write_text
from .fingerprint import hash_files

MANIFEST = "manifest.json"
"""A folder without this file is not finished."""


@dataclass(frozen=True, eq=False)
class Artifact:
    """One finished result.

    ``manifest["files"]`` maps each file's name, relative to ``folder``, to its size in bytes and SHA-256.
    """

    label: str
    key: str
    folder: Path
    manifest: Mapping[str, Any]

    @classmethod
    def open(cls, folder: Path, label: str) -> Artifact:
        """Read a finished folder's manifest.

        Raises:
            ArtifactCorrupt: The manifest is missing or not what a stage writes.
        """
        path = folder / MANIFEST
        try:
            manifest = json.loads(path.read_text(encoding="utf-8"))
            files = manifest["files"]
            key = manifest["key"]
            readable = isinstance(key, str) and all(
                isinstance(entry["bytes"], int) and len(entry["sha256"]) == 64 for entry in files.values()
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ArtifactCorrupt(f"{path}: not a readable manifest ({error}); {_remedy(folder)}") from error
        if not readable:
            raise ArtifactCorrupt(f"{path}: its key or its list of files is damaged; {_remedy(folder)}")
        return cls(label, key, folder, manifest)

    def file(self, name: str) -> Path:
        """Where one of the artifact's files lies.

        Raises:
            ArtifactCorrupt: The manifest lists no such file, or it is gone.
        """
        path = self.folder / name
        if name not in self.manifest["files"]:
            raise ArtifactCorrupt(
                f"{path}: no file of artifact {self.label!r}; it has {', '.join(self.manifest['files'])}"
            )
        if not path.is_file():
            raise ArtifactCorrupt(f"{path}: listed in the manifest, but not there; {_remedy(self.folder)}")
        return path

    def verify(self) -> None:
        """Compare every file's size and SHA-256 with the manifest.

        Raises:
            ArtifactCorrupt: Names the first file that is missing, new or different.
        """
        listed = self.manifest["files"]
        found = hash_files(self.folder)
        found.pop(MANIFEST, None)
        for name in sorted(listed.keys() | found.keys()):
            if listed.get(name) != found.get(name):
                raise ArtifactCorrupt(
                    f"{self.folder / name}: {_difference(listed.get(name), found.get(name))}; {_remedy(self.folder)}"
                )


def write_manifest(folder: Path, about: Mapping[str, Any]) -> None:
    """Write the manifest of a folder whose files are complete: what is said about it, and its files' hashes."""
    files = hash_files(folder)
    files.pop(MANIFEST, None)
    write_text(folder / MANIFEST, json.dumps({**about, "files": files}, indent=2) + "\n")


def _difference(listed: Mapping[str, Any] | None, found: Mapping[str, Any] | None) -> str:
    if found is None:
        return "listed in the manifest, but not there"
    if listed is None:
        return "not in the manifest"
    if listed["bytes"] != found["bytes"]:
        return f"found {found['bytes']} bytes, the manifest says {listed['bytes']}"
    return f"found SHA-256 {found['sha256'][:12]}..., the manifest says {listed['sha256'][:12]}..."


def _remedy(folder: Path) -> str:
    return f"remove {folder} to have it made again"
