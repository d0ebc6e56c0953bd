"""A rig of real processes with the settings that users have, and what benchmarks read of it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select

from benchmarks.measuring import Scale, boot_time_of, wait_until
from jobs.client import Client, JobHandle
from jobs.overview import recorder_documents
from jobs.settings import Settings, load_settings
from models.attempt import Attempt
from models.event import Event
from workers.evidence import EVIDENCE, LineTail
from workers.rig import Rig, default_recorders


@dataclass(frozen=True, slots=True)
class BenchRig:
    """A running rig with emulated recorders."""

    rig: Rig
    mill: Client
    root: Path  #: content may be read below it

    @property
    def settings(self) -> Settings:
        """The rig's settings."""
        return self.rig.settings

    def worker_pid(self) -> int:
        """Return the process id of the recorder's worker."""
        process = next(program.process for program in self.rig.programs if program.name == "r1")
        if process is None:
            raise RuntimeError("the recorder's worker does not run")
        return process.pid

    def until_ready(self) -> None:
        """Wait until every recorder is idle, with a blank in its tray."""
        wait_until(self._is_ready, "the recorders are ready")

    def _is_ready(self) -> bool:
        with self.mill.database.read() as db:
            states = [row["state"] for row in recorder_documents(db)]
        return states == ["ready"] * len(self.rig.recorders)

    def attempt(self, job: JobHandle) -> Attempt | None:
        """Read the first attempt of a job, if there is one."""
        with self.mill.database.read() as db:
            return db.scalars(select(Attempt).where(Attempt.job_id == job.id).order_by(Attempt.id)).first()

    def settled(self, job: JobHandle) -> Attempt:
        """Wait for the verdict of a job's first attempt.

        Raises:
            RuntimeError: the disc is not good.
        """

        def found() -> Attempt | None:
            attempt = self.attempt(job)
            return attempt if attempt is not None and attempt.outcome is not None else None

        attempt = wait_until(found, f"a verdict on job {job.id}", pause=0.05)
        if str(attempt.outcome) != "good":
            raise RuntimeError(f"the disc of job {job.id} is {attempt.outcome}: {attempt.error_message}")
        return attempt

    def evidence(self, attempt_id: str) -> dict[str, dict[str, Any]]:
        """Read the lines of a burn's evidence, by event."""
        return {line["event"]: line for line in LineTail(self.settings.evidence / attempt_id / EVIDENCE).read()}

    def journal(self, job: JobHandle) -> dict[str, float]:
        """Read when a job's events happened, by kind, on the boot clock; the first of each kind counts."""
        with self.mill.database.read() as db:
            rows = db.execute(
                select(Event.kind, Event.at).where(Event.job_id == job.id).order_by(Event.id.desc())
            ).all()
        return {kind: boot_time(at) for kind, at in rows}

    def clear_shelf(self) -> None:
        """Throw finished discs away."""
        for file in (self.settings.home / "recorders").glob("*/shelf/*/*"):
            file.unlink(missing_ok=True)


def boot_time(moment: datetime) -> float:
    """Turn a time of the ledger into the boot clock's."""
    return boot_time_of(moment.astimezone(UTC).timestamp())


@contextmanager
def running_rig(
    scale: Scale, recorders: int = 1, options: str = "", database_url: str | None = None
) -> Iterator[BenchRig]:
    """Run a rig without Flower; all of it is in the scale's folder, but for a database that is named.

    `options` are those of the recorders' URIs.
    """
    root = scale.folder / "content"
    root.mkdir(exist_ok=True)
    settings = load_settings(home=scale.folder / "home", content_roots=[root], database_url=database_url)
    stop = threading.Event()
    named = default_recorders(settings, recorders, options)
    with Rig(settings, named, flower=False) as rig, Client(settings=settings) as mill:
        keeper = threading.Thread(target=_keep, args=(rig, stop), name="keeper")
        keeper.start()
        try:
            bench = BenchRig(rig, mill, root)
            bench.until_ready()
            yield bench
        finally:
            stop.set()
            keeper.join()


def _keep(rig: Rig, stop: threading.Event) -> None:
    while not stop.wait(0.5):
        rig.keep_running()
