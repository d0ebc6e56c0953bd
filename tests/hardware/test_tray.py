"""A tray served by a person: what the recorder asks for, what it says of wrong discs, and when the tray is locked."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from jobs import Client, data_disc
from jobs.client import Report
from jobs.mastering.medium import MediumKind
from jobs.overview import recorder_documents
from jobs.settings import RecorderSetting, load_settings
from models.vocabulary import JobState
from tests.hardware.test_queue_on_mmc import FAST
from tests.rigs import wait_until
from tests.scsi_rig import ScsiRig
from workers.mmc.drive import Drive
from workers.mmc.faults import parse_fault
from workers.rig import Rig

#: Commands (SPC-4 6.15, SBC-3 5.12).
PREVENT_REMOVAL, READ_12 = 0x1E, 0xA8
CD, DVD = MediumKind.CD_R, MediumKind.DVD_R


@dataclass
class Desk:
    """A rig with one recorder, and what its operator sees."""

    drive: ScsiRig
    client: Client

    @property
    def seen(self) -> tuple[str, str]:
        """The recorder's state and its message."""
        with self.client.database.read() as db:
            shown = [(str(one["state"]), str(one["message"])) for one in recorder_documents(db)]
        return shown[0] if shown else ("", "")

    def sees(self, state: str, message: str) -> None:
        """Wait until exactly that is shown."""
        last: list[Any] = []

        def is_shown() -> bool:
            last[:] = self.seen
            return tuple(last) == (state, message)

        try:
            wait_until(is_shown, f"{state}: {message}")
        except AssertionError as error:
            error.add_note(f"shown is {last}")
            raise


@contextmanager
def a_desk(rig: ScsiRig, root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    for name, value in rig.variables.items():
        monkeypatch.setenv(name, value)
    settings = load_settings(home=rig.folder / "home", content_roots=[root], **FAST)
    with ExitStack() as stack:
        stack.enter_context(Rig(settings, [RecorderSetting(name="r2", uri="scsi:/dev/sr0")], flower=False))
        yield Desk(rig, stack.enter_context(Client(settings=settings)))


def blocks_of(report: Report) -> int:
    return int(str(dict(report.document["manifest"])["blocks"]))  # type: ignore[call-overload]


def reads_under_lock(drive: Drive) -> tuple[int, int]:
    """Count the commands that read blocks (READ(12)), and those of them that found the tray locked."""
    locked, reads, under_lock = False, 0, 0
    for cdb in drive.history:
        if cdb[0] == PREVENT_REMOVAL:
            locked = bool(cdb[4] & 1)
        elif cdb[0] == READ_12:
            reads, under_lock = reads + 1, under_lock + locked
    return reads, under_lock


def test_a_person_is_told_what_to_put_in_what_is_wrong_and_what_became_of_each_disc(
    rig: ScsiRig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, mechanism = tmp_path / "photos", rig.drive.mechanism
    folder.mkdir()
    (folder / "one.bin").write_bytes(os.urandom(2_000_000))
    mechanism.is_locked = True  # as a burn that was killed leaves it
    eject = "take it out (`discmill recorders eject r2`)"
    ask = "insert a blank DVD-R in r2"
    with a_desk(rig, tmp_path, monkeypatch) as desk:
        desk.sees("empty", "no medium is in; load a blank")
        assert (mechanism.is_open, mechanism.is_locked) == (False, False)
        job = desk.client.submit(data_disc(folder, volume_id="PHOTOS", title="Photos"), copies=2, medium="dvd-r")
        desk.sees("attention", ask)

        rig.insert(CD)
        desk.sees("attention", f"a blank CD-R is in r2; {eject} and {ask}")
        small = rig.insert(DVD, 500)
        room = f"with room for 500 blocks, and the next order is {blocks_of(job.report())},"
        desk.sees("attention", f"a blank DVD-R {room} is in r2; {eject} and {ask}")
        assert small.is_blank
        assert all(disc["outcome"] == "unused" for disc in job.report().discs)

        mechanism.script(parse_fault("hang@300"))
        first = rig.insert(DVD)
        wait_until(lambda: first.next_writable >= 256, "the disc is being written")
        wait_until(lambda: desk.seen[0] == "busy", "the recorder is at work")
        locked_while_burning = mechanism.is_locked
        mechanism.script()
        desk.sees("attention", f"good: take disc 'Photos 1/2' out; {ask}")
        assert locked_while_burning
        assert (mechanism.is_open, mechanism.is_locked) == (True, False)

        rig.reload(first)
        desk.sees("attention", f"a closed DVD-R, which is not blank, is in r2; {eject} and {ask}")
        mechanism.script(parse_fault("write-error@300"))
        rig.insert(DVD)
        desk.sees("attention", f"spoiled: take disc 'Photos 2/2' out, into the bin; {ask}")
        mechanism.script()
        rig.insert(DVD)
        report = job.wait(60)
        desk.sees("empty", "good: take disc 'Photos 2/2' out")

    assert report.state is JobState.COMPLETED
    assert [report.good, report.spoiled] == [2, 1]
    assert first.sessions == 1
    reads, under_lock = reads_under_lock(rig.drive)
    assert reads == under_lock > 0
