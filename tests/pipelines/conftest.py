"""Fixtures of the pipelines' tests."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def tiny() -> ModuleType:
    """The module ``tiny_grounding.py`` beside this file: a very small network, and scenes for it."""
    spec = importlib.util.spec_from_file_location("tiny_grounding", Path(__file__).with_name("tiny_grounding.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
