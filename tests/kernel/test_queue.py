"""The whole queue on a real kernel's drives, as a user who may burn and nothing else."""

import grp
import hashlib
import json
import os
import subprocess
import sys
import wave
from pathlib import Path
from typing import Any

import pytest

from jobs.mastering.medium import AUDIO_BLOCK, BLOCK, Family, MediumKind
from models.vocabulary import JobState, Outcome
from tests.kernel.guest import DEADLINE, ROOT, run
from tests.kernel.story import LEFT, RIGHT
from workers.mmc.drive import Drive
from workers.mmc.sectors import SectorFile

#: Bytes of sources, and bytes a second that the right drive writes: its burn takes two minutes if nobody stops it.
SMALL, LARGE, SLOW = 6_000_000, 60_000_000, 5e5
SCRIPT = """
burner "$python" -m tests.kernel.story >/share/story.json || { tail -n 100 /tmp/mill/logs/*.log; exit 1; }
"""
DATA = {"cd": "cd", "dvd": "dvd", "bd": "bd", "unwritable": "cd", "unreadable": "dvd"}

pytestmark = pytest.mark.timeout(DEADLINE + 60)


class Told:
    """What the guest told, and what the host has beside it."""

    def __init__(self, share: Path, told: dict[str, Any]) -> None:
        self.share = share
        self.told = told

    def discs(self, name: str) -> list[dict[str, Any]]:
        """Return the rows of the ledger about a job, in the order of its discs."""
        rows: list[dict[str, Any]] = self.told[name]["report"]["discs"]
        return sorted(rows, key=lambda row: str(row["started"]))

    def burnt(self, name: str, size: int) -> bytes:
        """Return the first bytes of the last disc of a job, from the model's own file."""
        disc = self.told[name]["discs"][-1]
        assert disc["finalized"]
        is_cd = MediumKind(disc["kind"]).family is Family.CD
        block = AUDIO_BLOCK if name == "audio" else BLOCK
        file = SectorFile(Path(disc["file"]), AUDIO_BLOCK if is_cd else BLOCK)
        try:
            return file.read(0, size // block, block)
        finally:
            file.close()


def some_content(folder: Path) -> None:
    for name, size in (("small", SMALL), ("large", LARGE)):
        (folder / name).mkdir(parents=True)
        (folder / name / "one.bin").write_bytes(os.urandom(size))
    for number in (1, 2):
        with wave.open(str(folder / f"{number}.wav"), "wb") as out:
            out.setparams((2, 2, 44100, 0, "NONE", ""))
            out.writeframes(os.urandom(400 * AUDIO_BLOCK))


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    share = tmp_path_factory.mktemp("queue")
    some_content(share / "content")

    ended = run(SCRIPT, share, [Drive(LEFT), Drive(RIGHT, SLOW)])

    assert ended.code == 0, f"{ended.said}\n{ended.console}"
    return Told(share, json.loads((share / "story.json").read_text()))


def master(told: Told, family: str) -> bytes:
    """Lay the data disc out on the host, for a family of media."""
    file = told.share / f"{family}.iso"
    if not file.exists():
        source, environment = (
            told.share / "content" / "small",
            {**os.environ, "DISCMILL_CONTENT_ROOTS": str(told.share)},
        )
        command = [sys.executable, "-m", "workers", "master", str(source), "--output", str(file)]
        options = ("--medium", family, "--volume-id", "SMALL")
        subprocess.run([*command, *options], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, check=True)
    return file.read_bytes()


@pytest.mark.parametrize(("name", "family"), DATA.items())
def test_a_data_disc_has_every_byte_of_the_master(told: Told, name: str, family: str) -> None:
    image = master(told, family)

    burnt = told.burnt(name, len(image))

    assert burnt == image
    report = told.told[name]["report"]
    assert (report["state"], report["good"]) == (JobState.COMPLETED, 1)
    assert told.discs(name)[-1]["verified"]
    assert report["image_sha256"] == hashlib.sha256(image).hexdigest()


def test_an_audio_disc_has_every_sample_of_its_files(told: Told) -> None:
    samples = bytearray()
    for file in sorted((told.share / "content").glob("*.wav")):
        with wave.open(str(file)) as opened:
            samples += opened.readframes(opened.getnframes())

    burnt = told.burnt("audio", len(samples))

    assert burnt == samples
    assert told.told["audio"]["report"]["state"] == JobState.COMPLETED
    assert told.discs("audio")[-1]["verified"]


@pytest.mark.parametrize(("name", "code"), [("unwritable", "DISCMILL_E_WRITE"), ("unreadable", "DISCMILL_E_VERIFY")])
def test_a_bad_disc_is_spoiled_and_another_one_is_made(told: Told, name: str, code: str) -> None:
    bad, good = told.discs(name)

    assert (bad["outcome"], bad["verified"], bad["error"]["code"]) == (Outcome.SPOILED, False, code)
    assert (good["outcome"], good["verified"]) == (Outcome.GOOD, True)


def test_a_burn_that_is_called_off_amid_its_blocks_leaves_a_spoiled_disc(told: Told) -> None:
    called_off = told.told["called_off"]

    (disc,) = told.discs("called_off")

    assert called_off["report"]["state"] == JobState.CANCELLED
    assert (disc["outcome"], disc["error"]["code"]) == (Outcome.SPOILED, "IMAPI_E_USERABORT")
    written = called_off["discs"][0]["written"]
    assert 0 < written < LARGE // BLOCK


def test_the_tray_is_locked_while_a_disc_is_written_and_open_at_the_end(told: Told) -> None:
    amid = told.told["called_off"]["amid"]

    assert amid["locked"]
    assert not amid["open"]


def test_a_user_in_the_group_of_the_drives_is_enough(told: Told) -> None:
    assert told.told["user"] != 0
    assert grp.getgrnam("cdrom").gr_gid in told.told["groups"]


def test_drives_are_known_by_what_the_kernel_tells_of_them(told: Told) -> None:
    drives = [(row["name"], row["vendor"], row["product"], row["serial"]) for row in told.told["recorders"]]

    assert drives == [("left", "DISCMILL", "MMC RECORDER", LEFT), ("right", "DISCMILL", "MMC RECORDER", RIGHT)]
    assert [(row["good"], row["spoiled"]) for row in told.told["recorders"]] == [(6, 2), (0, 1)]
