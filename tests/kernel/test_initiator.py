"""The kernel's own initiator of iSCSI gets a modelled drive from the program that serves one."""

from pathlib import Path

import pytest

from tests.kernel.guest import DEADLINE, run

pytestmark = pytest.mark.timeout(DEADLINE + 60)

SCRIPT = """
modprobe iscsi_tcp
"$python" -m workers.mmc /tmp/drive --serial KERNELI1 --iscsi >/tmp/served &
until_ grep -q '^iscsi:' /tmp/served
"$python" -m workers.mmc /tmp/drive insert cd-r >/dev/null
iscsistart -i iqn.2026-01.localhost:guest -t iqn.2026-01.localhost:discmill.kerneli1 -g 1 -a 127.0.0.1
until_ test -e /dev/sr0
device_files
head -c 4000000 /dev/urandom >/tmp/image
burner cdrskin -v dev=/dev/sr0 fs=1m padsize=0 -sao /tmp/image
burner "$python" -c '
import hashlib
from pathlib import Path
from workers.recorders.scsi import ScsiDevice, SgIo
from workers.recorders.scsi_drive import ScsiDrive
drive = ScsiDrive(ScsiDevice(SgIo(Path("/dev/sr0"))))
image = Path("/tmp/image").read_bytes()
print("the disc is the image:", b"".join(drive.read(0, len(image))) == image)
'
"""


def test_a_disc_is_burnt_and_read_back_through_it(tmp_path: Path) -> None:
    ended = run(SCRIPT, tmp_path)

    assert ended.code == 0, f"{ended.said}\n{ended.console}"
    assert "burning done" in ended.said
    assert "the disc is the image: True" in ended.said
