"""Burn programs that are killed and stopped, and workers killed beside them: real xorriso before a modelled drive."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import select

from jobs import Client, control, data_disc
from jobs.client import JobHandle
from jobs.settings import RecorderSetting, load_settings
from models.attempt import Attempt
from models.job import Copy
from models.recorder import Recorder
from models.vocabulary import Condition, JobState, Outcome, Stage
from tests.chaos.rig import FAST, send, short_folder
from tests.hardware.test_queue_on_mmc import Operator
from tests.reliability import Row, note, noting_into
from tests.rigs import wait_until
from tests.scsi_rig import forget_locks
from tests.servers import PostgresServer
from workers.evidence import read_evidence
from workers.mmc.drive import Drive
from workers.mmc.server import DriveServer
from workers.mmc.shelf import Shelf
from workers.mmc.shim import build_shim, environment
from workers.rig import Rig

NODE = "/dev/sr0"
#: Bytes of a disc, and bytes a second that the drive writes.
SIZE, RATE = 4 << 20, 1 << 20
_SYNCHRONIZE, _CLOSE = 0x35, 0x5B
_numbers = count(1)


class SlowDrive(Drive):
    """A drive whose closing takes as long as a test wants."""

    def __init__(self, serial: str, rate: float) -> None:
        super().__init__(serial, rate)
        self._keeps_closing = False
        for code in (_SYNCHRONIZE, _CLOSE):
            self._commands[code] = self._slowly(self._commands[code])
        self.closes = threading.Event()

    def hold(self) -> None:
        """Let whoever closes a session wait."""
        self.closes.clear()
        self._keeps_closing = True

    def go_on(self) -> None:
        """Let them have what they wait for."""
        with self.mechanism.held():
            self._keeps_closing = False

    def _slowly(self, command: Callable[[bytes, bytes], bytes | None]) -> Callable[[bytes, bytes], bytes | None]:
        def slow(cdb: bytes, data: bytes) -> bytes | None:
            if self._keeps_closing and self._has_written:
                self.closes.set()
                self.mechanism.hang_while(lambda: self._keeps_closing)
            return command(cdb, data)

        return slow

    @property
    def _has_written(self) -> bool:
        medium = self.mechanism.loaded
        return medium is not None and not medium.is_blank


@dataclass
class Mill:
    """A rig of one modelled drive, and the operator who serves it."""

    rig: Rig
    client: Client
    drive: SlowDrive
    operator: Operator
    database: str
    root: Path
    hold: threading.Lock = field(default_factory=threading.Lock)

    def keep_running(self, stop: threading.Event) -> None:
        """Start again what ended."""
        while not stop.wait(0.05):
            with self.hold:
                self.rig.keep_running()

    def order(self) -> JobHandle:
        folder = self.root / f"content {next(_numbers)}"
        folder.mkdir()
        (folder / "one.bin").write_bytes(os.urandom(SIZE))
        return self.client.submit(data_disc(folder), medium="cd")

    def attempts(self, job: JobHandle) -> list[Attempt]:
        with self.client.database.read() as db:
            return list(db.scalars(select(Attempt).where(Attempt.job_id == job.id).order_by(Attempt.id)))

    def outcomes(self, job: JobHandle) -> list[Outcome | None]:
        return [attempt.outcome for attempt in self.attempts(job)]

    def condition(self) -> Condition | None:
        with self.client.database.read() as db:
            row = db.get(Recorder, "r1")
            return None if row is None else row.condition

    @property
    def worker(self) -> int | None:
        (program,) = (each for each in self.rig.programs if each.name == "r1")
        return program.process.pid if program.process is not None and program.process.poll() is None else None

    def burner(self, attempt: Attempt) -> int:
        evidence = self.rig.settings.evidence / attempt.id
        return wait_until(lambda: read_evidence(evidence).pid, "its burner runs")

    def burn_program(self, burner: int) -> int:
        """Return the process id of a burner's program."""

        def child() -> int | None:
            words = Path(f"/proc/{burner}/task/{burner}/children").read_text().split()
            return next((int(pid) for pid in words if Path(f"/proc/{pid}/comm").read_text().strip() == "xorriso"), None)

        return wait_until(child, "its burn program runs")

    def reach(self, stage: str) -> tuple[JobHandle, int, int]:
        """Bring a disc to a stage; return its job, its burner and its burn program."""
        self.operator.pile.clear()
        if stage == "closing":
            self.drive.hold()
        job = self.order()
        (attempt,) = wait_until(lambda: self.attempts(job), "an attempt")
        burner = self.burner(attempt)
        program = self.burn_program(burner)
        if stage == "closing":
            wait_until(self.drive.closes.is_set, "the drive closes the session")
            wait_until(lambda: self.attempts(job)[0].stage is Stage.CLOSING, "its burner has heard of it")
        else:
            wait_until(lambda: self.attempts(job)[0].blocks_done > 0, "the disc is being written")
        return job, burner, program

    def end(self, job: JobHandle) -> None:
        """Let the drive go on, see to what a person has to see to, and wait until all is at rest."""
        self.drive.go_on()
        wait_until(lambda: self._is_over(job), "the job is over")
        wait_until(lambda: self.condition() is Condition.READY, "the recorder is ready again")

    def _is_over(self, job: JobHandle) -> bool:
        control.clear(self.client.database, ["r1"])
        return not job.report().needs_nobody

    def write_row(self, fault: str, stage: str, job: JobHandle) -> None:
        """Hold what the operator has in hand against the ledger, and note what became of the job's discs."""
        report = job.report()
        good = [attempt for attempt in self.attempts(job) if attempt.outcome is Outcome.GOOD]
        spoiled = [attempt for attempt in self.attempts(job) if attempt.outcome is Outcome.SPOILED]
        assert self.operator.closed_discs(report.document) == len(good) == 1
        assert len(self.operator.pile) == len(good) + len(spoiled)
        places = {Outcome.GOOD: "accept", Outcome.SPOILED: "reject", Outcome.UNUSED: "blank"}
        discs = ", then ".join(f"{one} ({places[one]})" for one in self.outcomes(job) if one is not None)
        with self.client.database.read() as db:
            (copy,) = db.scalars(select(Copy).where(Copy.job_id == job.id))
        note(Row(fault, stage, self.database, discs, str(copy.state), str(report.state)), noting_into())


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_shim(tmp_path_factory.mktemp("shim"))


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def mill(request: pytest.FixtureRequest, shim: Path) -> Iterator[Mill]:
    with ExitStack() as stack:
        folder = stack.enter_context(short_folder())
        url = ""
        if request.param == "postgresql":
            server = stack.enter_context(PostgresServer(stack.enter_context(short_folder())))
            url = server.url(server.new_database())
        shelf = stack.enter_context(Shelf(folder / "media"))
        drive = SlowDrive(f"MM{folder.name[-6:].upper()}", RATE)
        stack.callback(forget_locks, drive)
        served = stack.enter_context(DriveServer(drive, folder / "drive"))
        (folder / "content").mkdir()
        patient = {"replace_after": None, "stall_after": 60.0}
        settings = load_settings(
            home=folder / "home", content_roots=[folder / "content"], database_url=url, **{**FAST, **patient}
        )
        operator = Operator([drive], shelf)
        with pytest.MonkeyPatch.context() as seen:
            for name, value in environment(shim, {NODE: served.path}).items():
                seen.setenv(name, value)
            rig = stack.enter_context(Rig(settings, [RecorderSetting(name="r1", uri=f"scsi:{NODE}")], flower=False))
        client = stack.enter_context(Client(settings=settings))
        found = Mill(rig, client, drive, operator, request.param, folder / "content")
        stop = threading.Event()
        threads = [threading.Thread(target=operator.work), threading.Thread(target=found.keep_running, args=(stop,))]
        for thread in threads:
            thread.start()
            stack.callback(thread.join)
        stack.callback(operator.go_home)
        stack.callback(stop.set)
        stack.callback(drive.go_on)
        wait_until(lambda: found.condition() is Condition.READY, "the recorder is ready")
        yield found


@pytest.mark.parametrize("stage", ["writing", "closing"])
def test_a_burn_program_that_is_killed_costs_no_more_than_its_disc(mill: Mill, stage: str) -> None:
    job, _, program = mill.reach(stage)

    assert send(program, signal.SIGKILL)
    mill.end(job)

    assert mill.outcomes(job)[-1] is Outcome.GOOD
    assert job.report().state is JobState.COMPLETED
    mill.write_row("burn program killed", stage, job)


@pytest.mark.parametrize("stage", ["writing", "closing"])
def test_a_burn_program_that_is_stopped_for_a_while_goes_on(mill: Mill, stage: str) -> None:
    job, _, program = mill.reach(stage)

    assert send(program, signal.SIGSTOP)
    mill.drive.go_on()
    until_beats(mill)
    assert mill.outcomes(job) == [None]
    send(program, signal.SIGCONT)
    mill.end(job)

    assert mill.outcomes(job) == [Outcome.GOOD]
    mill.write_row("burn program stopped for a while", stage, job)


@pytest.mark.parametrize("stage", ["writing", "closing"])
def test_a_worker_that_is_killed_leaves_burner_and_program_alone_and_burns_nothing_twice(
    mill: Mill, stage: str
) -> None:
    job, burner, program = mill.reach(stage)
    send(program, signal.SIGSTOP)

    send(mill.worker, signal.SIGKILL)
    wait_until(lambda: mill.condition() is Condition.RECOVERING, "the next worker looks after it")
    until_beats(mill)
    assert mill.outcomes(job) == [None]
    assert send(burner, signal.SIGCONT)
    send(program, signal.SIGCONT)
    mill.end(job)

    assert mill.outcomes(job) == [Outcome.GOOD]
    mill.write_row("worker killed beside a burn program", stage, job)


@pytest.mark.parametrize("stage", ["writing", "closing"])
def test_a_worker_and_its_burn_program_that_are_killed_cost_no_more_than_the_disc(mill: Mill, stage: str) -> None:
    job, _, program = mill.reach(stage)

    send(mill.worker, signal.SIGKILL)
    send(program, signal.SIGKILL)
    mill.end(job)

    assert mill.outcomes(job)[-1] is Outcome.GOOD
    mill.write_row("worker and burn program killed", stage, job)


def until_beats(mill: Mill, beats: int = 4) -> None:
    """Wait until the worker's heart has gone on for a while."""
    before = heartbeat(mill)
    wait_until(lambda: heartbeat(mill) > before + beats, "its worker goes on")


def heartbeat(mill: Mill) -> int:
    with mill.client.database.read() as db:
        return db.get_one(Recorder, "r1").heartbeat
