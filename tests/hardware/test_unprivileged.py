"""Burning and reading back as an ordinary user: nothing that only root may do is part of it."""

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from jobs.mastering.medium import MediumKind
from tests.scenarios import Done, Scenarios
from tests.scsi_rig import NODE, ScsiRig, ended
from workers.recorders.libburn import locks_of

ROOT = Path(__file__).parents[2]
NOBODY = 65534
SCENARIOS = Scenarios()

Said = dict[str, Any]


def as_ordinary_user(*command: str) -> list[str]:
    """Return a command without any of root's powers; who has none needs nothing for that.

    One is left: to enter folders, since the interpreter and the project may lie in a home that is closed to others.
    What it can't do is write, mount, own, or reach a device.
    """
    if os.geteuid() != 0:
        return list(command)
    setpriv = shutil.which("setpriv")
    assert setpriv is not None, "setpriv is missing; install util-linux"
    who = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs"]
    power = ["--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search"]
    return [setpriv, *who, *power, "--bounding-set=-all,+dac_read_search", "--", *command]


def drive(rig: ScsiRig, *words: str) -> Said:
    program = as_ordinary_user(sys.executable, "-m", "tests.drive_alone", NODE, str(rig.folder), *words)
    ran = ended(rig.start(*program, folder=ROOT))
    assert ran.code == 0, ran.words
    said: Said = json.loads(ran.out.splitlines()[-1])
    return said


def hand_over(rig: ScsiRig) -> None:
    """Let the ordinary user have the folder, the drive's socket and the folder of its locks, as udev does a drive."""
    rig.folder.chmod(0o777)
    (rig.folder / "drive").chmod(0o666)
    locks = locks_of(f"DISCMILL-MMC_RECORDER-{rig.drive.serial}")
    locks.mkdir(parents=True, exist_ok=True)
    locks.chmod(0o1777)


@SCENARIOS.over(["data", "audio"])
def burnt(rig: ScsiRig, what: str) -> tuple[Said, Said, set[int]]:
    hand_over(rig)
    rig.insert(MediumKind.CD_R)
    said = drive(rig, "burn", what)
    owners = {path.stat().st_uid for path in (rig.folder / "content").rglob("*")}
    return said, drive(rig, "eject"), owners


@pytest.mark.parametrize("what", ["data", "audio"])
def test_an_ordinary_user_burns_reads_back_and_ejects(done: Done, what: str) -> None:
    said, ejected, owners = done(burnt, what)

    assert "read" in said, said
    assert said["read"] == said["sha256"]
    assert ejected == {"medium": None}
    assert owners == {NOBODY if os.geteuid() == 0 else os.geteuid()}


@SCENARIOS.over(["root"])
def after_root(rig: ScsiRig, _: str) -> Said:
    """Let root look at the drive first, which leaves locks of its own."""
    rig.folder.chmod(0o777)
    (rig.folder / "drive").chmod(0o666)
    first = rig.start(sys.executable, "-m", "tests.drive_alone", NODE, str(rig.folder), "tell", folder=ROOT)
    assert ended(first).code == 0
    return drive(rig, "tell")


def test_who_looked_at_a_drive_first_keeps_nobody_else_away_from_it(done: Done) -> None:
    said = done(after_root, "root")

    assert "identity" in said, said


@SCENARIOS.over(["chown"])
def root_only(rig: ScsiRig, _: str) -> tuple[int, str]:
    """Try what only root may do: were it possible, the other tests would prove nothing."""
    rig.folder.chmod(0o777)
    words = "import os, sys; os.chown(sys.argv[1], 0, 0)"
    (rig.folder / "mine").touch()
    ran = ended(rig.start(*as_ordinary_user(sys.executable, "-c", words, str(rig.folder / "mine"))))
    return ran.code, ran.err


def test_what_only_root_may_do_fails_here(done: Done) -> None:
    code, words = done(root_only, "chown")

    assert code != 0
    assert "PermissionError" in words
