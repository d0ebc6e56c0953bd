"""The driver of real recorders, from order to read-back, with real burn programs on modelled drives."""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from jobs.mastering.medium import MediumKind, MediumStatus
from jobs.mastering.programme import Programme
from jobs.mastering.programme_comparison import programme_differences
from tests.burn_programs import an_image, cdrskin, tray
from tests.burns import eventually
from tests.drive_alone import BLOCKS, PROGRAMME
from tests.scenarios import Done, Scenarios
from tests.scsi_rig import NODE, ScsiRig, ended
from workers.evidence import read_evidence

ROOT = Path(__file__).parents[2]
SCENARIOS = Scenarios()
CD, DVD = MediumKind.CD_R, MediumKind.DVD_PLUS_R

Said = dict[str, Any]


def drive(rig: ScsiRig, *words: str) -> Said:
    program = (sys.executable, "-m", "tests.drive_alone", NODE, str(rig.folder), *words)
    ran = ended(rig.start(*program, folder=ROOT))
    assert ran.code == 0, ran.words
    said: Said = json.loads(ran.out.splitlines()[-1])
    return said


def is_good(said: Said) -> bool:
    return "read" in said and said["read"] == said["sha256"]


def log_of(rig: ScsiRig) -> str:
    return "".join(path.read_text() for path in rig.folder.rglob("burner.log"))


@SCENARIOS.over(MediumKind)
def burnt(rig: ScsiRig, kind: MediumKind) -> tuple[Said, MediumStatus, str]:
    rig.insert(kind)
    return drive(rig, "burn"), tray(rig).status, log_of(rig)


@pytest.mark.parametrize("kind", MediumKind)
def test_what_was_ordered_is_read_back_from_the_disc(done: Done, kind: MediumKind) -> None:
    said, status, log = done(burnt, kind)

    assert is_good(said), (said, log)
    assert status is (MediumStatus.COMPLETE if kind.is_sequential else MediumStatus.OVERWRITABLE)
    assert (said["blocks"][0], said["blocks"][-1]) == (0, BLOCKS)
    assert said["events"] == ["PreparingBurn", "WriteProgress", "BlockProgress", "ClosingDisc"]


@SCENARIOS.over([CD, MediumKind.BD_R])
def unseen(rig: ScsiRig, kind: MediumKind) -> Said:
    rig.insert(kind)
    return drive(rig, "burn", "data", "large", "unseen")


@pytest.mark.parametrize("kind", [CD, MediumKind.BD_R])
def test_what_nobody_looked_at_on_its_way_is_read_back_from_the_disc(done: Done, kind: MediumKind) -> None:
    assert is_good(done(unseen, kind))


@SCENARIOS.over([CD, DVD, MediumKind.BD_R])
def turned_read_only(rig: ScsiRig, kind: MediumKind) -> tuple[Said, MediumStatus]:
    rig.insert(kind).becomes_read_only = True
    return drive(rig, "burn"), tray(rig).status


@pytest.mark.parametrize("kind", [CD, DVD, MediumKind.BD_R])
def test_a_disc_that_says_it_is_read_only_once_it_is_closed_is_as_good(done: Done, kind: MediumKind) -> None:
    """A DVD+R is booked as a DVD-ROM by many drives."""
    said, status = done(turned_read_only, kind)

    assert is_good(said), said
    assert status is MediumStatus.COMPLETE


@SCENARIOS.over(["audio"])
def audio(rig: ScsiRig, what: str) -> tuple[Said, Said, str, list[str]]:
    rig.insert(CD)
    said = drive(rig, "burn", what)
    left = [path.name for path in rig.folder.rglob("disc.*")]
    return said, drive(rig, "programme"), log_of(rig), left


def test_an_audio_disc_is_read_back_with_all_it_tells(done: Done) -> None:
    said, told, log, left = done(audio, "audio")

    assert is_good(said), (said, log)
    assert said["tracks"] == [0, 1, 2, 3]
    assert programme_differences(PROGRAMME, Programme.read(json.dumps(told))) == []
    assert "disc.bin" not in left


@SCENARIOS.over([100, 0])
def nearly_full(rig: ScsiRig, room: int) -> tuple[Said, str]:
    rig.insert(CD, PROGRAMME.blocks + room - 1)
    return drive(rig, "burn", "audio"), log_of(rig)


def test_audio_is_forced_past_a_wrong_count_only_where_it_fits(done: Done) -> None:
    fits, log = done(nearly_full, 100)
    does_not, other = done(nearly_full, 0)

    assert is_good(fits), (fits, log)
    assert "-force" in log
    assert does_not["error"] == "MediumTooSmall"
    assert "-force" not in other


@SCENARIOS.over([CD, MediumKind.DVD_R, DVD, MediumKind.BD_R])
def simulated(rig: ScsiRig, kind: MediumKind) -> tuple[Said, MediumStatus]:
    rig.insert(kind)
    return drive(rig, "burn", "data", "simulate"), tray(rig).status


@pytest.mark.parametrize("kind", [CD, MediumKind.DVD_R, DVD, MediumKind.BD_R])
def test_a_burn_is_simulated_where_the_medium_allows_it_and_else_refused(done: Done, kind: MediumKind) -> None:
    said, status = done(simulated, kind)

    assert said.get("error") == ("RecorderUnsuitable" if kind in {DVD, MediumKind.BD_R} else None), said
    assert status is MediumStatus.BLANK


@SCENARIOS.over([CD, DVD, MediumKind.BD_R])
def sessions(rig: ScsiRig, kind: MediumKind) -> tuple[Said, Said, int]:
    rig.insert(kind)
    first = drive(rig, "burn", "data", "leave_open")
    start = tray(rig).next_writable
    second = drive(rig, "burn", "data", f"start={start}")
    return first, second, tray(rig).last_session - start


@pytest.mark.parametrize("kind", [CD, DVD, MediumKind.BD_R])
def test_a_session_that_is_left_open_is_followed_by_another(done: Done, kind: MediumKind) -> None:
    first, second, shift = done(sessions, kind)

    assert is_good(first), first
    assert is_good(second), second
    assert shift == 0


TROUBLES = {
    "write-error@700": "WriteFailed",
    "sync-error": "SessionNotClosed",
    "unplug@700": "RecorderMissing",
    "remove@700": "MediumMissing",
}


@SCENARIOS.over(TROUBLES)
def in_trouble(rig: ScsiRig, spec: str) -> tuple[Said, bool, bool]:
    rig.insert(CD)
    rig.fault(spec)
    said = drive(rig, "burn")
    evidence = read_evidence(rig.folder / "content" / "evidence" / "burn-0")
    return said, evidence.wrote, evidence.closed


@pytest.mark.parametrize(("spec", "error"), TROUBLES.items())
def test_a_trouble_in_mid_burn_has_its_name_and_its_evidence(done: Done, spec: str, error: str) -> None:
    said, wrote, closed = done(in_trouble, spec)

    assert (said.get("error"), wrote, closed) == (error, True, False), said


REFUSALS = {
    "empty": "MediumMissing",
    "closed": "MediumNotWritable",
    "small": "MediumTooSmall",
    "dvd": "MediumUnsuitable",
}


@SCENARIOS.over(REFUSALS)
def refused(rig: ScsiRig, what: str) -> tuple[Said, bool]:
    if what == "closed":
        rig.insert(CD)
        an_image(rig.folder)
        assert cdrskin(rig).code == 0
    elif what != "empty":
        rig.insert(CD if what == "small" else DVD, 1000 if what == "small" else None)
    before = sum(cdb[0] in {0x2A, 0xAA} for cdb in rig.drive.history)
    said = drive(rig, "burn", "audio" if what == "dvd" else "data")
    return said, before == sum(cdb[0] in {0x2A, 0xAA} for cdb in rig.drive.history)


@pytest.mark.parametrize(("what", "error"), REFUSALS.items())
def test_a_wrong_medium_is_refused_before_anything_is_written(done: Done, what: str, error: str) -> None:
    said, untouched = done(refused, what)

    assert (said.get("error"), untouched) == (error, True), said


@SCENARIOS.over(["data", "audio"], rate=2_000_000)
def cancelled(rig: ScsiRig, what: str) -> tuple[Said, bool, MediumStatus]:
    rig.insert(CD)
    said = drive(rig, "burn", what, "cancel", "large")
    return said, rig.drive.mechanism.is_locked, tray(rig).status


@pytest.mark.parametrize("what", ["data", "audio"])
def test_a_cancelled_burn_leaves_the_tray_unlocked_and_the_disc_spoiled(done: Done, what: str) -> None:
    said, locked, status = done(cancelled, what)

    assert said.get("error") == "BurnCancelled", said
    assert not locked
    assert status is MediumStatus.COMPLETE


@SCENARIOS.over(["killed"])
def feeder_killed(rig: ScsiRig, _: str) -> tuple[str | None, bool, MediumStatus]:
    rig.insert(DVD)
    rig.fault("hang@700")
    words = ("burn", "data", "large")
    program = rig.start(sys.executable, "-m", "tests.drive_alone", NODE, str(rig.folder), *words, folder=ROOT)
    folder = rig.folder / "content" / "evidence" / "burn-0"
    eventually(lambda: any(cdb[0] in {0x2A, 0xAA} for cdb in rig.drive.history), "the laser is on")
    os.kill(read_evidence(folder).pid or 0, signal.SIGKILL)
    rig.fault()
    said = json.loads(ended(program).out.splitlines()[-1])
    eventually(lambda: not rig.drive.mechanism.is_locked, "the burn program ends")
    evidence = read_evidence(folder)
    return said.get("error"), evidence.fed_all or evidence.closed, tray(rig).status


def test_a_feeder_that_is_killed_never_makes_a_good_disc(done: Done) -> None:
    """The burn program pads what is missing and closes the disc, content with itself."""
    error, called_good, status = done(feeder_killed, "killed")

    assert (error, called_good) == ("WriteFailed", False)
    assert status is MediumStatus.COMPLETE


@SCENARIOS.over([MediumKind.CD_RW, MediumKind.DVD_RW])
def blanked(rig: ScsiRig, kind: MediumKind) -> tuple[Said, Said]:
    rig.insert(kind)
    return drive(rig, "burn"), drive(rig, "blank")


@pytest.mark.parametrize("kind", [MediumKind.CD_RW, MediumKind.DVD_RW])
def test_a_rewritable_is_blanked_while_it_is_held(done: Done, kind: MediumKind) -> None:
    said, after = done(blanked, kind)

    assert is_good(said), said
    assert after["medium"]["status"] == "blank", after
    assert after["events"] >= 1


@SCENARIOS.over(["told"])
def told(rig: ScsiRig, _: str) -> tuple[Said, Said, Said]:
    empty = drive(rig, "tell")
    rig.insert(CD)
    return empty, drive(rig, "tell"), drive(rig, "eject")


def test_a_drive_tells_of_itself_and_lets_its_medium_go(done: Done) -> None:
    empty, loaded, ejected = done(told, "told")

    identity = empty["identity"]
    assert identity["device_id"] == f"DISCMILL-MMC_RECORDER-{identity['serial']}"
    assert set(empty["kinds"]) == set(MediumKind)
    assert empty["medium"] is None
    assert loaded["medium"]["status"] == "blank"
    assert (loaded["stock"], ejected) == ([], {"medium": None})
