"""Packages and weights of learned models: where they lie on this machine, how to get them, and under which licence."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...core.errors import BackendUnavailable, MissingPart

_FILE = "model.safetensors"
_CONFIG = "config.json"
_UNKNOWN = "a licence that is not known here; see where they come from"


@dataclass(frozen=True)
class Source:
    """Where a model comes from."""

    name: str
    """As its authors write it."""
    module: str
    """That is imported."""
    install: str
    """The command that installs its package."""
    repository: str
    """Of the weights on the Hugging Face hub, where none is named."""
    licences: dict[str, str] = field(default_factory=dict)
    """Of the weights by repository, as their authors state it."""
    single_files: bool = False
    """Whether a file of weights alone does, without the folder that describes the model."""

    def licence_of(self, place: Path, repository: str | None) -> str:
        """What is known of the licence of weights, as the end of a sentence.

        Args:
            place: Where they lie. The model card beside them is asked first.
            repository: Where they come from, if that is known.
        """
        folder = place if place.is_dir() else place.parent
        stated = _stated_licence(folder / "README.md")
        if stated is not None:
            return stated
        return self.licences.get(repository or _repository_of(folder), _UNKNOWN)

    def import_module(self, name: str | None = None) -> Any:
        """A module of the package.

        Raises:
            BackendUnavailable: It, or something that it needs, cannot be imported.
        """
        try:
            return importlib.import_module(name or self.module)
        except ImportError as error:
            raise BackendUnavailable(
                f"{self.name} runs in its own package, which cannot be imported ({error}); `{self.install}`, or put a copy of "
                "its sources on PYTHONPATH, or start from a plane sweep"
            ) from error


@dataclass(frozen=True)
class Weights:
    """Weights on this machine."""

    place: Path
    """A folder with ``config.json`` and ``model.safetensors``, or a file."""
    note: str
    """Which they are, and their licence."""


def find_weights(source: Source, given: Path | None, repository: str | None, *, allow_download: bool) -> Weights:
    """The weights that are given, or the hub's copy on this machine, or, if that is allowed, fresh from the hub.

    Raises:
        MissingPart: They are not here; says how to get them.
    """
    if given is not None:
        place = _given(source, given)
        return Weights(place, f"{source.name} with the weights in {given}; {source.licence_of(place, None)}")
    repository = repository or source.repository
    place = _cached(repository)
    if place is None:
        place = _download(source, repository) if allow_download else _refuse(source, repository)
    return Weights(place, f"{source.name} with the weights {repository}; {source.licence_of(place, repository)}")


def _given(source: Source, given: Path) -> Path:
    expected = f"a folder with {_CONFIG} and {_FILE}"
    if given.is_dir():
        missing = [name for name in (_CONFIG, _FILE) if not (given / name).is_file()]
        if missing:
            raise MissingPart(
                f"{given}: no {' and no '.join(missing)} in the folder of weights of {source.name}; expected {expected}, as "
                "the hub has it"
            )
        return given
    if not given.is_file():
        raise MissingPart(f"{given}: no such file or folder of weights of {source.name}; expected {expected}")
    if source.single_files:
        return given
    if given.name == _FILE and (given.parent / _CONFIG).is_file():
        return given.parent
    raise MissingPart(f"{given}: a file alone does not tell which {source.name} it is of; give {expected}")


def _cached(repository: str) -> Path | None:
    """The hub's copy on this machine, if it is whole."""
    from huggingface_hub import try_to_load_from_cache  # which tokenizers bring along

    config, file = (try_to_load_from_cache(repository, name) for name in (_CONFIG, _FILE))
    return Path(file).parent if isinstance(config, str) and isinstance(file, str) else None


def _download(source: Source, repository: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    try:
        place = snapshot_download(repository, allow_patterns=[_CONFIG, _FILE, "README.md"])
    except (HfHubHTTPError, OSError) as error:
        raise MissingPart(
            f"the weights {repository} of {source.name} could not be downloaded ({error!s:.300}); is the hub reached from "
            "here, and, if the weights ask for it, is a token there that accepted their terms? Or give a folder of weights"
        ) from error
    return _given(source, Path(place))


def _refuse(source: Source, repository: str) -> Path:
    licence = source.licences.get(repository, _UNKNOWN)
    raise MissingPart(
        f"the weights {repository} of {source.name} are not on this machine, and nothing is downloaded unasked; run `hf "
        f"download {repository}`, or allow the download, or give a folder of weights; they come under {licence}"
    )


def _stated_licence(card: Path) -> str | None:
    """The licence that the header of a model card names."""
    try:
        lines = card.read_text(encoding="utf-8", errors="replace").splitlines()[:100]
    except OSError:
        return None
    if not lines or lines[0].strip() != "---":
        return None
    for line in lines[1:]:
        key, _, value = line.partition(":")
        if line.strip() == "---":
            break
        if key in ("license", "licence") and value.strip():
            shown = "".join(c for c in value.strip().strip("\"'") if c.isprintable())
            return f"the licence {shown[:80]!r}, as their model card says"
    return None


def _repository_of(folder: Path) -> str:
    """The repository that a folder's name or its place in the hub's cache speaks of; empty for none."""
    for part in reversed(folder.absolute().parts):
        if part.startswith("models--"):
            return part.removeprefix("models--").replace("--", "/")
    return ""
