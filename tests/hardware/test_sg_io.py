"""Our own SG_IO layer through a real ioctl, in a process of its own that finds the drive as a device file."""

import hashlib
import json
import sys
from pathlib import Path

from jobs.mastering.medium import MediumKind
from tests.burn_programs import an_image, cdrskin
from tests.scsi_rig import DEADLINE, NODE, Ran, ScsiRig

PROLOGUE = f"""
import contextlib, hashlib, json, sys
from pathlib import Path
from jobs.errors import DiscError
from workers.recorders.scsi import ScsiDevice, SgIo
from workers.recorders.scsi_drive import ScsiDrive

def open_drive(**options):
    return ScsiDrive(ScsiDevice(SgIo(Path({NODE!r}), **options)))

def tell(work):
    try:
        print(json.dumps(work()), flush=True)
    except DiscError as error:
        print(json.dumps([type(error).__name__, error.message]), flush=True)
"""
ROOT = Path(__file__).parents[2]


def source(*lines: str) -> str:
    return "\n".join([f"import sys; sys.path.insert(0, {str(ROOT)!r})", PROLOGUE, *lines])


def ask(rig: ScsiRig, *lines: str) -> Ran:
    return rig.run(
        sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{PROLOGUE}" + "\n".join(lines)
    )


def answers(ran: Ran) -> list[object]:
    assert ran.code == 0, ran.words
    return [json.loads(line) for line in ran.out.splitlines()]


def test_a_drive_says_who_it_is(rig: ScsiRig) -> None:
    ran = ask(rig, "me = open_drive().identify()", "tell(lambda: [me.vendor, me.product, me.serial, me.device_id])")

    assert answers(ran) == [["DISCMILL", "MMC RECORDER", rig.drive.serial, f"DISCMILL-MMC_RECORDER-{rig.drive.serial}"]]


def test_what_a_program_burnt_is_read_back_right_after_the_burn(rig: ScsiRig) -> None:
    rig.insert(MediumKind.DVD_PLUS_R)
    image = an_image(rig.folder)
    burnt = cdrskin(rig)

    read = ask(
        rig,
        "drive = open_drive(exclusive=True)",
        f"pieces = drive.read(0, {len(image)})",
        "tell(lambda: hashlib.sha256(b''.join(pieces)).hexdigest())",
        "tell(lambda: drive.medium().status)",
    )

    assert burnt.code == 0, burnt.words
    assert answers(read) == [hashlib.sha256(image).hexdigest(), "complete"]


def test_a_bad_block_is_named(rig: ScsiRig) -> None:
    rig.insert(MediumKind.DVD_PLUS_R)
    image = an_image(rig.folder)
    burnt = cdrskin(rig)
    rig.fault("read-error@77")

    read = ask(rig, f"tell(lambda: sum(map(len, open_drive().read(0, {len(image)}))))")

    assert burnt.code == 0, burnt.words
    (refusal,) = answers(read)
    assert refusal == [
        "MediumDiffers",
        "block 77 can't be read: the drive refuses to read 1 blocks at 77: 3/11/00 (unreadable)",
    ]


def test_an_empty_tray_is_no_error(rig: ScsiRig) -> None:
    ran = ask(rig, "tell(lambda: open_drive().medium())")

    assert answers(ran) == [None]


def test_who_asks_for_a_drive_that_is_held_is_refused(rig: ScsiRig) -> None:
    ran = ask(
        rig,
        "held = open_drive(exclusive=True)",
        "tell(lambda: open_drive(exclusive=True))",
        "tell(lambda: open_drive().medium())",
        "held.close()",
        "tell(lambda: open_drive(exclusive=True).medium())",
    )

    assert answers(ran) == [["RecorderBusy", f"{NODE} is used by another program, or its disc is mounted"], None, None]


def test_a_drive_that_is_gone_is_missing(rig: ScsiRig) -> None:
    rig.drive.mechanism.unplug()

    ran = ask(rig, "tell(lambda: open_drive().medium())")

    assert answers(ran) == [["RecorderMissing", f"{NODE} is no drive: No such device or address"]]


def test_a_drive_that_vanishes_is_missing(rig: ScsiRig) -> None:
    lines = ["drive = open_drive()", "tell(drive.medium)", "sys.stdin.read()", "tell(drive.medium)"]
    program = rig.start_talking(sys.executable, "-c", source(*lines))

    rig.drive.mechanism.unplug()
    out, err = program.communicate("", timeout=DEADLINE)

    assert json.loads(out) == ["RecorderMissing", f"{NODE} is gone; see to the cable and the drive's power"], err


def test_a_file_that_is_no_drive_is_missing(rig: ScsiRig) -> None:
    ran = ask(
        rig,
        "tell(lambda: ScsiDrive(ScsiDevice(SgIo(Path('/dev/sr7')))).medium())",
        "tell(lambda: ScsiDrive(ScsiDevice(SgIo(Path('/dev/null')))).medium())",
    )

    assert answers(ran) == [
        ["RecorderMissing", "/dev/sr7 is no drive: No such file or directory"],
        ["RecorderMissing", "/dev/null is no drive"],
    ]
