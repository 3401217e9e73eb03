from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trisparse.core.errors import InvalidInput, MissingPart
from trisparse.pipelines.fingerprint import canonical_json, describe_config, hash_file, hash_path, hash_value


@dataclass(frozen=True)
class Config:
    steps: int = 10
    rate: float = 0.1
    scan: Path | None = None
    workers: int = field(default=4, metadata={"key": False})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_the_order_of_a_mapping_does_not_change_its_hash(value: dict[str, Any]) -> None:
    backwards = dict(reversed(value.items()))
    assert hash_value(value) == hash_value(backwards)


def test_canonical_json_is_what_is_promised() -> None:
    assert canonical_json({"b": [1, 2.5, "é"], "a": None}) == r'{"a":null,"b":[1,2.5,"\u00e9"]}'


def test_nan_has_no_place_in_a_key() -> None:
    with pytest.raises(InvalidInput, match="nan"):
        canonical_json({"rate": float("nan")})
    with pytest.raises(InvalidInput, match="inf"):
        describe_config(Config(rate=float("inf")))


def test_an_object_without_reproducible_text_is_refused() -> None:
    with pytest.raises(InvalidInput, match="object"):
        describe_config({"thing": object()})


def test_fields_outside_the_key_are_left_out() -> None:
    assert describe_config(Config(workers=1)) == describe_config(Config(workers=8))
    assert describe_config(Config(steps=1)) != describe_config(Config(steps=2))


def test_a_path_stands_for_its_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "a.ply", tmp_path / "b.ply"
    first.write_bytes(b"points")
    second.write_bytes(b"points")
    assert describe_config(Config(scan=first)) == describe_config(Config(scan=second))
    second.write_bytes(b"others")
    assert describe_config(Config(scan=first)) != describe_config(Config(scan=second))


def test_a_folder_stands_for_its_names_and_bytes(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder / "deep").mkdir(parents=True)
        (tmp_path / folder / "deep" / "x.txt").write_bytes(b"x")
    assert hash_path(tmp_path / "one") == hash_path(tmp_path / "two")
    (tmp_path / "two" / "deep" / "x.txt").rename(tmp_path / "two" / "deep" / "y.txt")
    assert hash_path(tmp_path / "one") != hash_path(tmp_path / "two")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingPart, match=r"gone\.ply"):
        describe_config(Config(scan=tmp_path / "gone.ply"))


def test_a_file_hash_is_the_sha256_of_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    assert hash_file(tmp_path / "empty") == hashlib.sha256(b"").hexdigest()
