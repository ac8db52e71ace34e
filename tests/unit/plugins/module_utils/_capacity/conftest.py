"""Trees of files that look like ``/proc`` and ``/sys`` of a host."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest


@pytest.fixture
def tree(tmp_path: Path) -> Callable[[Mapping[str, str]], str]:
    """Writes files, given by their absolute path on the host, below a directory and returns that."""

    def write(files: Mapping[str, str]) -> str:
        for name, text in files.items():
            path = tmp_path / "host" / name.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        (tmp_path / "host").mkdir(exist_ok=True)
        return str(tmp_path / "host")

    return write
