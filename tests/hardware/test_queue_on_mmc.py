"""The whole queue with real burn programs: orders, two workers, modelled drives, a person who changes discs."""

import hashlib
import os
import threading
import wave
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from jobs import Client, audio_disc, data_disc
from jobs.errors import WriteFailed
from jobs.mastering.medium import AUDIO_BLOCK, BLOCK, MediumKind
from jobs.settings import RecorderSetting, load_settings
from models.vocabulary import DiscFormat, JobState
from tests.rigs import wait_until
from tests.scsi_rig import forget_locks
from workers.mmc.drive import Drive
from workers.mmc.faults import parse_fault
from workers.mmc.medium import Medium
from workers.mmc.server import DriveServer
from workers.mmc.shelf import Shelf
from workers.mmc.shim import environment
from workers.rig import Rig

NODES = ("/dev/sr0", "/dev/sr1")
#: Intervals of a rig that does not wait longer than it must.
FAST = {"heartbeat": 0.3, "lease": 5.0, "tick": 0.2, "watch": 0.2, "back_off": 0.1}


@dataclass
class Operator:
    """A person who puts a blank into every tray that is open or empty, and keeps what comes out."""

    drives: list[Drive]
    shelf: Shelf
    pile: list[Medium] = field(default_factory=list)
    _gone_home: threading.Event = field(default_factory=threading.Event)

    def work(self) -> None:
        while not self._gone_home.wait(0.1):
            for drive in self.drives:
                self._serve(drive)

    def _serve(self, drive: Drive) -> None:
        mechanism = drive.mechanism
        if not mechanism.is_open and mechanism.loaded is not None:
            return
        medium = mechanism.remove()
        if medium is not None:
            self.pile.append(medium)
            mechanism.script()  # what was wrong was that disc
        mechanism.insert(self.shelf.blank(MediumKind.CD_R))

    def go_home(self) -> None:
        self._gone_home.set()

    def closed_discs(self, job: Mapping[str, object]) -> int:
        """Count the closed discs that carry the image of a job."""
        blocks, wanted = int(str(dict(job["manifest"])["blocks"])), job["image_sha256"]  # type: ignore[call-overload]
        size = AUDIO_BLOCK if job["format"] == DiscFormat.REDBOOK else BLOCK
        images = (medium.store.read(0, blocks, size) for medium in self.pile if medium.finalized)
        return sum(hashlib.sha256(image).hexdigest() == wanted for image in images)


@dataclass
class Mill:
    """A running rig with its two drives and its operator."""

    client: Client
    drives: list[Drive]
    operator: Operator


@contextmanager
def mill(shim: Path, folder: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mill]:
    with ExitStack() as stack:
        shelf = stack.enter_context(Shelf(folder / "media"))
        drives = [Drive(f"MM{folder.name[-6:].upper()}{number}") for number in range(len(NODES))]
        for drive in drives:
            stack.callback(forget_locks, drive)
        servers = [
            stack.enter_context(DriveServer(drive, folder / f"d{number}")) for number, drive in enumerate(drives)
        ]
        sockets = {node: server.path for node, server in zip(NODES, servers, strict=True)}
        for name, value in environment(shim, sockets).items():
            monkeypatch.setenv(name, value)
        settings = load_settings(home=folder / "home", content_roots=[root], **FAST)
        named = [RecorderSetting(name=f"r{number}", uri=f"scsi:{node}") for number, node in enumerate(NODES, 1)]
        operator = Operator(drives, shelf)
        person = threading.Thread(target=operator.work, name="operator", daemon=True)
        rig = stack.enter_context(Rig(settings, named, flower=False))
        client = stack.enter_context(Client(settings=settings))
        person.start()
        stack.callback(person.join)
        stack.callback(operator.go_home)
        wait_until(lambda: rig.are_ready(client.database), "both recorders are seen")
        yield Mill(client, drives, operator)


def an_album(folder: Path) -> list[Path]:
    """Make two tracks of noise, of sample-exact length on the disc."""
    files = [folder / f"{number}.wav" for number in (1, 2)]
    for file in files:
        with wave.open(str(file), "wb") as out:
            out.setparams((2, 2, 44100, 0, "NONE", ""))
            out.writeframes(os.urandom(350 * AUDIO_BLOCK))
    return files


def test_data_and_audio_are_made_in_parallel_past_a_bad_disc(
    shim: Path, short_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "one.bin").write_bytes(os.urandom(2_000_000))

    with mill(shim, short_path, tmp_path, monkeypatch) as running:
        running.drives[0].mechanism.script(parse_fault("write-error@300"))
        data = running.client.submit(data_disc(folder, volume_id="PHOTOS"), copies=2, medium="cd")
        audio = running.client.submit(audio_disc(*an_album(tmp_path), title="Noise"), copies=2)

        reports = [job.wait(90) for job in (data, audio)]

        assert [report.state for report in reports] == [JobState.COMPLETED] * 2, [one.document for one in reports]
        assert [report.good for report in reports] == [2, 2]
        discs = [disc for report in reports for disc in report.discs]
        assert {disc["recorder"] for disc in discs} == {"r1", "r2"}
        assert all(disc["verified"] for disc in discs if disc["outcome"] == "good")
        (spoiled,) = (disc for disc in discs if disc["outcome"] == "spoiled")
        assert (spoiled["recorder"], dict(spoiled["error"])["code"]) == ("r1", WriteFailed.code)  # type: ignore[call-overload]
        wait_until(lambda: len(running.operator.pile) == 5, "all discs are out")
        assert [running.operator.closed_discs(report.document) for report in reports] == [2, 2]
