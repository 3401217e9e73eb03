from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from trisparse.core.errors import MissingPart
from trisparse.rendering.learned import depth_anything, mapanything, vggt
from trisparse.rendering.learned.weights import find_weights

from .stand_ins import folder

DA3 = depth_anything.SOURCE


@pytest.fixture(autouse=True)
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub, and a hub that must not be asked."""

    def refuse(*_: Any, **__: Any) -> str:
        raise AssertionError("the hub was asked")

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.snapshot_download", refuse)
    return tmp_path / "hub"


def _cached(hub: Path, repository: str, card: str | None = None) -> Path:
    place = hub / f"models--{repository.replace('/', '--')}"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text("abc", encoding="utf-8")
    return folder(place / "snapshots" / "abc", card)


def test_the_hubs_copy_on_this_machine_is_taken(hub: Path) -> None:
    place = _cached(hub, "depth-anything/DA3-BASE")
    found = find_weights(DA3, None, None, allow_download=False)
    assert found.place == place
    assert found.note.endswith("the weights depth-anything/DA3-BASE; Apache-2.0, as their authors say")


def test_a_copy_without_its_weights_counts_as_none(hub: Path) -> None:
    (_cached(hub, "depth-anything/DA3-BASE") / "model.safetensors").unlink()
    with pytest.raises(MissingPart, match="hf download depth-anything/DA3-BASE"):
        find_weights(DA3, None, None, allow_download=False)


def test_other_repositories_have_other_licences(hub: Path) -> None:
    _cached(hub, "depth-anything/DA3-LARGE-1.1")
    _cached(hub, "somebody/finetuned")
    free = find_weights(DA3, None, "depth-anything/DA3-LARGE-1.1", allow_download=False)
    assert "not for commercial use" in free.note
    assert "not known here" in find_weights(DA3, None, "somebody/finetuned", allow_download=False).note


@pytest.mark.parametrize(
    ("source", "licence"),
    [(DA3, "Apache-2.0"), (mapanything.SOURCE, "Apache-2.0"), (vggt.SOURCE, "non-commercial use")],
)
def test_missing_weights_tell_their_licence(source: Any, licence: str) -> None:
    with pytest.raises(MissingPart, match=rf"{source.repository}.*come under .*{licence}"):
        find_weights(source, None, None, allow_download=False)


def test_a_download_happens_only_where_it_is_allowed(
    hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, list[str]]] = []

    def download(repository: str, allow_patterns: list[str]) -> str:
        asked.append((repository, allow_patterns))
        return str(folder(tmp_path / "fresh"))

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    with pytest.raises(MissingPart):
        find_weights(DA3, None, None, allow_download=False)
    assert not asked
    assert find_weights(DA3, None, None, allow_download=True).place == tmp_path / "fresh"
    assert asked == [("depth-anything/DA3-BASE", ["config.json", "model.safetensors", "README.md"])]


def test_a_download_that_fails_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> str:
        raise OSError("no route to host")

    monkeypatch.setattr("huggingface_hub.snapshot_download", fail)
    with pytest.raises(MissingPart, match=r"no route to host.*a token there.*Or give a folder"):
        find_weights(DA3, None, None, allow_download=True)


def test_given_weights_are_looked_at(tmp_path: Path) -> None:
    with pytest.raises(MissingPart, match="no such file or folder of weights of Depth Anything 3"):
        find_weights(DA3, tmp_path / "nowhere", None, allow_download=True)
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingPart, match=r"no config\.json and no model\.safetensors"):
        find_weights(DA3, tmp_path / "empty", None, allow_download=True)
    place = folder(tmp_path / "whole")
    assert find_weights(DA3, place / "model.safetensors", None, allow_download=False).place == place
    (tmp_path / "lone.pt").write_bytes(b"")
    with pytest.raises(MissingPart, match="a file alone does not tell which"):
        find_weights(DA3, tmp_path / "lone.pt", None, allow_download=False)
    assert find_weights(vggt.SOURCE, tmp_path / "lone.pt", None, allow_download=False).place == tmp_path / "lone.pt"


def test_licences_come_from_the_card_or_from_the_place_in_the_hubs_cache(hub: Path, tmp_path: Path) -> None:
    place = _cached(hub, "facebook/map-anything")
    assert "CC BY-NC 4.0" in find_weights(mapanything.SOURCE, place, None, allow_download=False).note
    carded = folder(tmp_path / "carded", "---\nlanguage: en\nlicense: 'mit'\n---\nlicense: wrong\n")
    assert "the licence 'mit', as their model card says" in find_weights(DA3, carded, None, allow_download=False).note
    bare = folder(tmp_path / "bare", "# no header\nlicense: wrong\n")
    assert "not known here" in find_weights(DA3, bare, None, allow_download=False).note
    ended = folder(tmp_path / "ended", "---\nlanguage: en\n---\nlicense: wrong\n")
    assert "not known here" in find_weights(DA3, ended, None, allow_download=False).note
