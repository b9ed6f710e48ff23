"""What the tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from engine import Gate

#: The program that cargo has built last.
BUILT = [Path(__file__).parents[2] / "target" / profile / "tryout" for profile in ("release", "debug")]
if "TRYOUT_BINARY" not in os.environ and any(path.is_file() for path in BUILT):
    os.environ["TRYOUT_BINARY"] = str(max((path for path in BUILT if path.is_file()), key=lambda path: path.stat().st_mtime))


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    gate = Gate(tmp_path / "gate")
    yield gate
    os.close(gate.descriptor)
