"""mtx moves discs of a changer that the kernel drives. What loads recorders from a changer is tested beside it."""

import re
from pathlib import Path

import pytest

from tests.kernel.changer import CHANGER, LABELS, SLOTS
from tests.kernel.guest import DEADLINE, run

pytestmark = pytest.mark.timeout(DEADLINE + 60)

SCRIPT = """
burner mtx -f "$changer" status
burner mtx -f "$changer" load 2 1
burner mtx -f "$changer" status
echo "drives: $(ls /sys/block | grep -c sr)"
"""


def test_mtx_loads_a_drive_from_a_changer_as_a_user_who_may_burn(tmp_path: Path) -> None:
    ended = run(CHANGER + SCRIPT, tmp_path)

    assert ended.code == 0, f"{ended.said}\n{ended.console}"
    _, before, after = ended.said.split("Storage Changer ")
    assert re.findall(r"VolumeTag ?= ?(\w+)", before) == LABELS
    assert len(re.findall(r"Storage Element \d+:", before)) == SLOTS
    assert re.search(r"Data Transfer Element 1:Full \(Storage Element 2 Loaded\):VolumeTag = BLANK001", after), after
    assert re.search(r"Storage Element 2:Empty", after)
    assert "drives: 2" in after
