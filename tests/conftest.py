"""Fixtures that every folder's tests share."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# The same examples every time, and no verdict on how fast a busy machine is.
settings.register_profile("repository", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("repository")

_REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def repository() -> Path:
    """The repository's root, which is also the package's folder."""
    return _REPOSITORY


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of recorded oracles and small real data sets beside the repository; skips where it is absent."""
    folder = _REPOSITORY.parent / "shared"
    if not (folder / "oracles").is_dir():
        pytest.skip(f"recorded oracles and real data are not here: no folder {folder / 'oracles'}")
    return folder
