"""What all tests of the transaction start with."""

from __future__ import annotations

from pathlib import Path

import pytest
from _config_desk import Desk


@pytest.fixture(name="desk")
def scratch_desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)
