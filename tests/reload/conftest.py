"""The folder of a run that reloads."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.flow import FLOW, write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, app=FLOW)
    return tmp_path
