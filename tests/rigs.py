"""A rig of real processes for tests: Redis, dispatcher, Celery workers, emulated recorders, Flower."""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from jobs.client import Client, JobHandle
from jobs.settings import RecorderSetting, Settings, load_settings
from workers.programs import Program
from workers.recorders.emulated_drive import EmulatedDrive
from workers.rig import Rig

T = TypeVar("T")

#: Seconds a condition of a test may take; nothing waits for longer, nothing sleeps for a fixed time.
DEADLINE = 100.0


def wait_until(condition: Callable[[], T | None], what: str, deadline: float = DEADLINE) -> T:
    """Return the condition's first true value, or fail saying what never came true."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            message = f"after {deadline} seconds still not: {what}"
            raise AssertionError(message)
        time.sleep(0.02)


@dataclass(slots=True)
class TestRig:
    """A running rig, and what tests do to it."""

    __test__ = False

    rig: Rig
    mill: Client
    root: Path  #: content may be read below it

    @property
    def settings(self) -> Settings:
        return self.rig.settings

    def program(self, name: str) -> Program:
        return next(program for program in self.rig.programs if program.name == name)

    def pid(self, name: str) -> int:
        """Return the process id of a program, once it runs."""
        process = wait_until(lambda: self.program(name).process, f"{name} runs")
        return int(process.pid)

    def drive(self, recorder: str) -> EmulatedDrive:
        return EmulatedDrive(self.settings.home / "recorders" / recorder)

    def content(self, name: str, size: int = 6 << 20, files: int = 8) -> Path:
        """Make a folder of random files, `size` bytes in all."""
        folder = self.root / name
        (folder / "inner").mkdir(parents=True)
        for number in range(files):
            (folder / "inner" / f"file {number}.bin").write_bytes(os.urandom(size // files))
        (folder / "hello.txt").write_text(f"hello from {name}\n")
        return folder

    def disc_in_stage(self, job: JobHandle, *stages: str) -> dict[str, Any]:
        """Wait until an attempt of the job is in one of the stages; return its document."""

        def found() -> dict[str, Any] | None:
            return next((disc for disc in job.report().discs if str(disc["stage"]) in stages), None)

        return wait_until(found, f"an attempt of {job.id} in {stages}")

    def halfway(self, job: JobHandle, stage: str = "writing") -> dict[str, Any]:
        """Wait until an attempt is in the middle of a stage."""

        def found() -> dict[str, Any] | None:
            discs = job.report().discs
            return next((disc for disc in discs if str(disc["stage"]) == stage and disc["blocks_done"]), None)

        return wait_until(found, f"an attempt of {job.id} amid {stage}")

    def burner_pid(self, attempt: str) -> int:
        """Return the process id of an attempt's burner, from its evidence."""
        file = self.settings.evidence / attempt / "evidence.jsonl"

        def started() -> int | None:
            lines = file.read_text().splitlines() if file.exists() else []
            return next((json.loads(line)["pid"] for line in lines if '"started"' in line), None)

        return int(wait_until(started, f"the burner of {attempt}"))

    def shelf(self, which: str = "accept") -> list[Path]:
        """List the discs on the shelves of all recorders."""
        shelves = self.settings.home / "recorders"
        return sorted(disc for kind in ("iso", "bin") for disc in shelves.glob(f"*/shelf/{which}/*.{kind}"))

    def discs_of(self, job: JobHandle, which: str = "accept") -> list[Path]:
        """List the discs on the shelves that carry the label of one of a job's attempts."""
        endings = tuple(str(disc["attempt"])[-12:] for disc in job.report().discs)
        return [path for path in self.shelf(which) if path.stem.endswith(endings)]

    def until_idle(self) -> None:
        """Wait until every recorder is ready again."""
        wait_until(lambda: self.rig.are_ready(self.mill.database), "all recorders ready")


@contextmanager
def running_rig(
    home: Path, root: Path, *, recorders: int = 1, options: str = "?speed=20x", flower: bool = False, **given: object
) -> Iterator[TestRig]:
    """Run a rig with short intervals; programs that end are started again, as `discmill up` does."""
    fast: dict[str, object] = {"heartbeat": 0.3, "lease": 5.0, "tick": 0.2, "watch": 0.1, "back_off": 0.1}
    settings = load_settings(home=home, content_roots=[root], **{**fast, **given})
    folder = home / "recorders"
    named = [
        RecorderSetting(name=f"r{n}", uri=f"emulated:{folder / f'r{n}'}{options}") for n in range(1, recorders + 1)
    ]
    stop = threading.Event()
    with Rig(settings, named, flower=flower) as rig, Client(settings=settings) as mill:
        keeper = threading.Thread(target=_keep, args=(rig, stop), name="keeper")
        keeper.start()
        try:
            test_rig = TestRig(rig, mill, root)
            test_rig.until_idle()
            yield test_rig
        finally:
            stop.set()
            keeper.join()


def _keep(rig: Rig, stop: threading.Event) -> None:
    while not stop.wait(0.1):
        rig.keep_running()
