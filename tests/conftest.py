"""Fixtures every room shares."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real logs beside the project; the test is skipped where it does not stand."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"no real logs at {SHARED_DATA.name}: they stand beside the project, not in it")
    return SHARED_DATA
