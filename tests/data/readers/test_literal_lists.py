"""Lists as Python prints them, read without evaluating anything."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trisparse.core.errors import InvalidInput
from trisparse.data.readers.literal_lists import parse_integers, parse_texts


@given(st.lists(st.integers(-999_999_999, 999_999_999)))
def test_integers_come_back_as_python_prints_them(numbers: list[int]) -> None:
    assert parse_integers(repr(numbers)) == tuple(numbers)


@given(st.lists(st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"]), max_size=8), max_size=6))
def test_texts_come_back_as_python_prints_them(texts: list[str]) -> None:
    assert parse_texts(repr(texts)) == tuple(texts)


def test_double_quotes_spaces_and_a_last_comma_are_read() -> None:
    assert parse_texts('  ["scene0000_00" ,\n "scene0001_00", ] ') == ("scene0000_00", "scene0001_00")
    assert parse_texts("""["it's", 'a "b"']""") == ("it's", 'a "b"')
    assert parse_integers("[ ]") == ()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "found '', expected a list"),
        ("3", "found '3', expected a list"),
        ("[3", "expected a list"),
        ("[3, 'a']", "found \"'a'\" as item 1"),
        ("[3 4]", "found '4' after item 0, expected a comma"),
        ("[3,,4]", "found ',4' as item 1"),
        ("[[3]]", "as item 0"),
        ("[0x10]", "after item 0"),
        ("[1.5]", "after item 0"),
        ("[" + "9" * 5000 + "]", "as item 0"),
        ("[__import__('os').system('true')]", "as item 0"),
        ("[" * 50_000 + "]" * 50_000, "as item 0"),
        ("[" + "1," * 60_000 + "]", "120002 characters, expected at most"),
    ],
)
def test_anything_else_than_integers_is_refused(text: str, found: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_integers(text)
    assert found in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("text", ["[3]", "['a]", "['a' 'b']", "[b'a']", "[f'{1}']", r"['\q']", r"['\x4']", "['a\nb']"])
def test_anything_else_than_texts_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_texts(text)


def test_hostile_quotes_take_no_time() -> None:
    with pytest.raises(InvalidInput):
        parse_texts("['" + "\\'" * 49_000 + "]")
