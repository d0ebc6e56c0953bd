"""What a real kernel makes of a drive, and how the recorder gets along with it: sizes, changes, mounts, the door."""

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from jobs.mastering.medium import BLOCK
from tests.kernel.guest import DEADLINE, run
from tests.kernel.one_drive import SERIAL
from workers.mmc.drive import Drive

pytestmark = pytest.mark.timeout(DEADLINE + 60)

CONTENT = hashlib.shake_128(b"content").digest(3_000_000)
#: Root mounts the disc, as an automounter does.
SCRIPT = """
see() { burner "$python" -m tests.kernel.one_drive "$1" >"/share/$2.json"; }
see burn burnt
see reload reloaded
mkdir -p /tmp/mounted
mount -o ro /dev/sr0 /tmp/mounted
see look mounted
cp /tmp/mounted/content.bin /share/copied
umount /tmp/mounted
setpriv --reuid nobody --clear-groups "$python" -m tests.kernel.one_drive look >/share/stranger.json
"""


class Told:
    """What was told in the guest, by step."""

    def __init__(self, share: Path) -> None:
        self.share = share

    def __getattr__(self, step: str) -> Any:  # noqa: ANN401  (JSON)
        return json.loads((self.share / f"{step}.json").read_text())


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    share = tmp_path_factory.mktemp("drive")
    (share / "tree").mkdir()
    (share / "tree" / "content.bin").write_bytes(CONTENT)
    image = ["xorriso", "-as", "mkisofs", "-quiet", "-r", "-o", str(share / "image.iso"), str(share / "tree")]
    subprocess.run(image, check=True, capture_output=True)

    ended = run(SCRIPT, share, [Drive(SERIAL)])

    assert ended.code == 0, f"{ended.said}\n{ended.console}"
    return Told(share)


def test_the_drive_is_enumerated_without_opening_it(told: Told) -> None:
    (drive,) = told.burnt["drives"]

    assert (drive["node"], drive["vendor"], drive["product"]) == ("/dev/sr0", "DISCMILL", "MMC RECORDER")
    assert (drive["serial"], drive["device_id"]) == (SERIAL, f"DISCMILL-MMC_RECORDER-{SERIAL}")


def test_each_change_of_the_medium_is_seen_and_has_a_name_of_its_own(told: Told) -> None:
    started, gone, cd, gone_again, dvd = told.burnt["watched"]

    assert (gone, gone_again) == (None, None)
    assert [medium["kind"] for medium in (started, cd, dvd)] == ["cd-r", "cd-r", "dvd+r"]
    assert len({medium["load"] for medium in (started, cd, dvd)}) == 3


def test_the_kernel_keeps_a_stale_size_and_the_disc_is_read_back_whole_all_the_same(told: Told) -> None:
    size = (told.share / "image.iso").stat().st_size

    assert told.burnt["stale"] < size
    assert told.burnt["read"]


def test_a_tray_that_went_out_and_in_gives_the_disc_its_size(told: Told) -> None:
    size, medium = (told.share / "image.iso").stat().st_size, told.reloaded["medium"]

    assert medium["size"] == -(-size // (16 * BLOCK)) * 16 * BLOCK
    assert (medium["status"], medium["used"]) == ("complete", True)
    assert medium["load"] != told.burnt["watched"][-1]["load"]


def test_the_kernel_s_own_file_system_reads_what_was_burnt(told: Told) -> None:
    assert (told.share / "copied").read_bytes() == CONTENT


def test_a_mounted_disc_is_left_alone(told: Told) -> None:
    assert told.mounted["error"] == "RecorderBusy"
    assert "mounted" in told.mounted["message"]


def test_who_is_not_in_the_group_is_told_so(told: Told) -> None:
    assert told.stranger["error"] == "RecorderNotAccessible"
    assert "let this user be in group cdrom" in told.stranger["message"]
