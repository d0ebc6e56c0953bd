"""What real burn programs say and return when something is wrong: the facts that our own verdicts are built on."""

import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from jobs.mastering.medium import MediumKind, MediumStatus
from tests.burn_programs import CDRSKIN, OPTIONS, WODIM, XORRISO, an_image, cdrskin, tray
from tests.burns import eventually
from tests.scenarios import Done, Scenarios
from tests.scsi_rig import NODE, Ran, ScsiRig, ended

CD, DVD = MediumKind.CD_R, MediumKind.DVD_PLUS_R
SCENARIOS = Scenarios()
COMMANDS = {
    "xorriso": (*XORRISO, *OPTIONS, "image.iso"),
    "cdrskin": (*CDRSKIN, *OPTIONS, "image.iso"),
    "wodim": (*WODIM, "-sao", "image.iso"),
}


def empty(_: ScsiRig) -> None:
    """Leave the tray empty."""


def closed(rig: ScsiRig) -> None:
    rig.insert(CD)
    assert cdrskin(rig).code == 0


def small(rig: ScsiRig) -> None:
    rig.insert(CD, 1000)


def faulty(spec: str, kind: MediumKind = CD) -> Callable[[ScsiRig], None]:
    def prepare(rig: ScsiRig) -> None:
        rig.insert(kind)
        rig.fault(spec)

    prepare.__name__ = spec
    return prepare


write_error, sync_error = faulty("write-error@700"), faulty("sync-error")
close_error, unplugged = faulty("close-error", DVD), faulty("unplug@700")
removed = faulty("remove@700")

#: Program, what is wrong, exit code, words.
TABLE = [
    ("xorriso", empty, 5, "FAILURE : No media detected in drive"),
    ("cdrskin", empty, 10, "FATAL : No suitable media detected"),
    ("wodim", empty, 255, "No disk / Wrong disk!"),
    ("xorriso", closed, 5, "FAILURE : Closed media with data detected. Need blank or appendable media."),
    ("cdrskin", closed, 10, "** closed ** CD-R"),
    ("wodim", closed, 254, "This media cannot be written in streaming mode anymore."),
    ("xorriso", small, 5, "FAILURE : Image size 1001s exceeds free space on media 1000s"),
    ("cdrskin", small, 10, "FATAL : predicted session size 1001s does not fit on media (1000s)"),
    ("wodim", small, 255, "Data may not fit"),
    ("xorriso", write_error, 5, "SCSI error on write(688,16): [3 0C 00] Medium error. Write error."),
    ("cdrskin", write_error, 10, "SCSI error on write(688,16): [3 0C 00] Medium error. Write error."),
    ("wodim", write_error, 254, "write track data: error after"),
    ("xorriso", sync_error, 5, "Failed to synchronize drive cache. SCSI error : [3 0C 00]"),
    ("cdrskin", sync_error, 10, "Failed to synchronize drive cache. SCSI error : [3 0C 00]"),
    ("xorriso", close_error, 5, "Failed to close track (1). SCSI error : [5 72 00]"),
    ("cdrskin", close_error, 10, "Failed to close track (1). SCSI error : [5 72 00]"),
    ("xorriso", unplugged, 5, "FATAL : Lost connection to drive"),
    ("cdrskin", unplugged, 10, "FATAL : Lost connection to drive"),
    ("xorriso", removed, 5, "SCSI error on write(688,16): [2 3A 01]"),
    ("cdrskin", removed, 10, "SCSI error on write(688,16): [2 3A 01]"),
]
CASES = [(program, prepare) for program, prepare, *_ in TABLE]


@SCENARIOS.over(CASES)
def in_trouble(rig: ScsiRig, case: tuple[str, Callable[[ScsiRig], None]]) -> Ran:
    program, prepare = case
    an_image(rig.folder)
    prepare(rig)
    return rig.run(*COMMANDS[program])


@pytest.mark.parametrize(("program", "prepare", "code", "words"), TABLE)
def test_a_trouble_has_its_exit_code_and_its_words(
    done: Done, program: str, prepare: Callable[[ScsiRig], None], code: int, words: str
) -> None:
    ran = done(in_trouble, (program, prepare))

    assert (ran.code, words in ran.words) == (code, True), ran.words


HOLDER = f"""
import os, sys
os.open({NODE!r}, os.O_RDWR | os.O_NONBLOCK | os.O_EXCL)
print("held", flush=True)
sys.stdin.read()
"""


@SCENARIOS.over(["xorriso", "cdrskin"])
def busy(rig: ScsiRig, program: str) -> Ran:
    rig.insert(CD)
    an_image(rig.folder)
    holder = rig.start_talking(sys.executable, "-c", HOLDER)
    ran = rig.run(*COMMANDS[program])
    holder.kill()
    ended(holder)
    return ran


@pytest.mark.parametrize(("program", "code"), [("xorriso", 5), ("cdrskin", 3)])
def test_a_drive_that_somebody_holds_is_refused(done: Done, program: str, code: int) -> None:
    ran = done(busy, program)

    assert (ran.code, f"Cannot open busy device '{NODE}'" in ran.words) == (code, True), ran.words


REFUSED: list[tuple[str, MediumKind, tuple[str, ...], int, str]] = [
    ("xorriso", DVD, ("-audio",), 5, "Option -audio not supported"),
    ("cdrskin", DVD, ("-audio",), 10, "audio track prohibited by non-CD"),
    ("xorriso", DVD, ("-dummy",), 5, "simulation of write job not supported by drive and media"),
    ("cdrskin", DVD, ("-dummy",), 10, "simulation of write job not supported by drive and media"),
    ("xorriso", MediumKind.BD_R, ("-dummy",), 5, "simulation of write job not supported by drive and media"),
    ("xorriso", CD, ("-nonsense",), 5, "Unknown option '-nonsense'"),
    ("cdrskin", CD, ("dev=/dev/sr7",), 3, "cannot find '/dev/sr7' among accessible drive devices"),
]


@SCENARIOS.over([case[:3] for case in REFUSED])
def asked_too_much(rig: ScsiRig, case: tuple[str, MediumKind, tuple[str, ...]]) -> tuple[Ran, MediumStatus]:
    program, kind, options = case
    rig.insert(kind)
    an_image(rig.folder)
    *command, image = COMMANDS[program]
    return rig.run(*command, *options, image), tray(rig).status


@pytest.mark.parametrize("case", REFUSED)
def test_what_can_not_be_is_refused_before_anything_is_written(
    done: Done, case: tuple[str, MediumKind, tuple[str, ...], int, str]
) -> None:
    program, kind, options, code, words = case
    ran, status = done(asked_too_much, (program, kind, options))

    assert (ran.code, words in ran.words) == (code, True), ran.words
    assert status is MediumStatus.BLANK


@dataclass(frozen=True, slots=True)
class Aborted:
    """What an abort left."""

    ran: Ran
    is_locked: bool
    status: MediumStatus
    used: bool


ABORTS = [(program, number) for program in ("xorriso", "cdrskin") for number in (signal.SIGTERM, signal.SIGINT)]


@SCENARIOS.over(ABORTS, rate=600_000)
def aborted(rig: ScsiRig, case: tuple[str, signal.Signals]) -> Aborted:
    program, number = case
    medium = rig.insert(CD)
    an_image(rig.folder)
    running = rig.start(*COMMANDS[program])
    eventually(lambda: medium.next_writable > 100, "blocks are written")
    running.send_signal(number)
    ran = ended(running)
    left = tray(rig)
    return Aborted(ran, rig.drive.mechanism.is_locked, left.status, left.used)


@pytest.mark.parametrize(("program", "number"), ABORTS)
def test_an_abort_ends_with_code_1_an_unlocked_tray_and_a_spoiled_disc(
    done: Done, program: str, number: signal.Signals
) -> None:
    left = done(aborted, (program, number))

    assert left.ran.code == 1, left.ran.words
    assert "Drive is released and library is shut down now." in left.ran.words
    assert not left.is_locked
    assert (left.status, left.used) == (MediumStatus.COMPLETE, True)


@SCENARIOS.over(["cdrskin"])
def killed(rig: ScsiRig, program: str) -> tuple[bool, bool]:
    medium = rig.insert(CD)
    an_image(rig.folder)
    rig.fault("hang@700")
    running = rig.start(*COMMANDS[program])
    eventually(lambda: medium.next_writable > 600, "blocks are written")
    running.kill()
    ended(running)
    rig.fault()
    locked = rig.drive.mechanism.is_locked
    rig.scsi.open_tray()
    return locked, rig.drive.mechanism.is_open


def test_a_killed_program_leaves_the_tray_locked_and_we_can_open_it(done: Done) -> None:
    assert done(killed, "cdrskin") == (True, True)


@SCENARIOS.over(["cdrskin"])
def hung(rig: ScsiRig, program: str) -> Ran:
    medium = rig.insert(CD)
    an_image(rig.folder)
    rig.fault("hang@700")
    running = rig.start(*COMMANDS[program])
    eventually(lambda: medium.next_writable > 600, "blocks are written")
    rig.fault()
    return ended(running)


def test_a_drive_that_hangs_for_a_while_spoils_nothing(done: Done) -> None:
    ran = done(hung, "cdrskin")

    assert ran.code == 0, ran.words


@SCENARIOS.over(["cat"])
def starved(rig: ScsiRig, _: str) -> tuple[Ran, MediumStatus]:
    rig.insert(DVD)
    an_image(rig.folder)
    command = " ".join((*CDRSKIN, *OPTIONS, f"tsize={2000 * 2048}", "-"))
    ran = rig.run("sh", "-c", f"head -c 500000 image.iso | {command}")
    return ran, tray(rig).status


def test_a_feeder_that_dies_early_makes_a_closed_disc_and_no_error(done: Done) -> None:
    """Why an exit code proves nothing: only the feeder's own record tells."""
    ran, status = done(starved, "cat")

    assert (ran.code, status) == (0, MediumStatus.COMPLETE), ran.words
