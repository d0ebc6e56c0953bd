"""The Python API: submit orders and follow them."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from jobs import control
from jobs.dispatch import CeleryBell
from jobs.following import Follower
from jobs.intake import Progress, silent
from jobs.ordering import Content, Options
from jobs.overview import Document, discs_in_trays, job_document, notes_of
from jobs.settings import Settings, load_settings
from jobs.submission import Mill, assign_now, submit
from models.database import Database
from models.vocabulary import JobState, Nonblank, StageMode

#: Seconds between two looks at a job that is followed.
LOOK = 0.25
#: Seconds that the last discs of a job get to leave their trays before a wait for the job ends without them.
_EJECTING = 15.0


@dataclass(frozen=True, slots=True)
class Report:
    """A job as it stood at one moment; `document` has everything `discmill show --json` prints."""

    document: Document

    @property
    def job(self) -> str:
        """The job's id."""
        return str(self.document["job"])

    @property
    def state(self) -> JobState:
        """The job's state."""
        return JobState(str(self.document["state"]))

    @property
    def progress(self) -> float:
        """Share of the work that is done, 0 to 1 over all copies."""
        return float(str(self.document["progress"]))

    @property
    def copies(self) -> int:
        """Discs ordered."""
        return int(str(self.document["copies"]))

    @property
    def good(self) -> int:
        """Good discs so far."""
        return int(str(self.document["good"]))

    @property
    def spoiled(self) -> int:
        """Spoiled discs so far."""
        return int(str(self.document["spoiled"]))

    @property
    def reason(self) -> str | None:
        """Why the job waits, and what helps."""
        reason = self.document["reason"]
        return None if reason is None else str(reason)

    @property
    def discs(self) -> list[Document]:
        """One document for each attempt."""
        discs = self.document["discs"]
        assert isinstance(discs, list)  # noqa: S101  (made so by jobs.overview)
        return discs

    @property
    def needs_nobody(self) -> bool:
        """True if the job goes on by itself."""
        return not self.state.is_final and self.state is not JobState.WAITING


class JobHandle:
    """An order that was accepted."""

    def __init__(self, client: "Client", job_id: str) -> None:
        self._client = client
        self.id = job_id

    def report(self) -> Report:
        """Return how the job stands now.

        Raises:
            NotFound: no such job.
        """
        with self._client.database.read() as db:
            return Report(job_document(db, self.id))

    @property
    def notes(self) -> list[str]:
        """What is not quite as it was given: audio that was resampled, names that CD-TEXT can't hold."""
        with self._client.database.read() as db:
            return notes_of(db, self.id)

    def watch(self, timeout: float | None = None) -> Iterator[Report]:
        """Yield a report whenever something changed, the last when the job is over or waits for a decision.

        Raises:
            TimeoutError: after `timeout` seconds; the job goes on.
        """
        deadline = float("inf") if timeout is None else time.monotonic() + timeout
        before = None
        for report in self.looks():
            if report.document != before:
                yield report
                before = report.document
            if time.monotonic() >= deadline:
                if not report.needs_nobody:
                    return
                message = f"job {self.id} is {report.state} after {timeout} seconds; it goes on"
                raise TimeoutError(message)
            time.sleep(LOOK)

    def looks(self) -> Iterator[Report]:
        """Yield a report at every look, without a pause; the last when it is over and its discs left their trays."""
        over: float | None = None
        follower = Follower(self.id)
        while True:
            are_out = over is not None and self._discs_are_out()  # asked first: then the report knows their places
            with self._client.database.read() as db:
                report = Report(follower.look(db))
            yield report
            if report.needs_nobody:
                over = None
            elif over is None:
                over = time.monotonic()
            elif are_out or time.monotonic() >= over + _EJECTING:
                return

    def _discs_are_out(self) -> bool:
        """Say whether every disc has left its recorder; a verdict comes first, the tray a moment later."""
        with self._client.database.read() as db:
            return discs_in_trays(db, self.id) == 0

    def wait(self, timeout: float | None = None) -> Report:
        """Wait until the job is over or waits for a decision; return the last report.

        Raises:
            TimeoutError: after `timeout` seconds; the job goes on.
        """
        *_, last = self.watch(timeout)
        return last

    def result(self) -> Report:
        """Wait as long as it takes; return the last report."""
        return self.wait()

    def cancel(self, client: str | None = None) -> None:
        """Call the job off.

        Raises:
            NotAllowed: it is over, or somebody else than `client` ordered it.
        """
        control.cancel(self._client.database, self.id, client)

    def retry(self, client: str | None = None) -> int:
        """Make what is missing; return how many copies are queued anew.

        Raises:
            NotAllowed: nothing is missing, or somebody else than `client` ordered it.
        """
        count = control.retry(self._client.database, self.id, client)
        assign_now(self._client.mill)
        return count


class Client:
    """A program's door to discmill: settings from the environment, or as given."""

    def __init__(
        self,
        *,
        database_url: str | None = None,
        broker_url: str | None = None,
        home: Path | None = None,
        settings: Settings | None = None,
    ) -> None:
        self.settings = settings or load_settings(database_url=database_url, broker_url=broker_url, home=home)
        self.database = Database(self.settings.database_url)
        self._bell = CeleryBell(self.settings.broker_url)
        self.mill = Mill(self.settings, self.database, self._bell)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give all connections back."""
        self._bell.close()
        self.database.close()

    def submit(  # noqa: PLR0913  (the order form: each has a default)
        self,
        content: Content,
        *,
        copies: int = 1,
        medium: str = "",
        priority: int = 5,
        speed: float | None = None,
        simulate: bool = False,
        verify: bool = True,
        nonblank: str = Nonblank.REJECT,
        stage: str = StageMode.REFERENCE,
        client: str = "",
        key: str | None = None,
        max_spoiled: int | None = None,
        webhook: str | None = None,
        progress: Progress = silent,
    ) -> JobHandle:
        """Order discs; returns when the order is stored for good.

        Raises:
            Faults: all that is wrong with the order; nothing of it was stored.
            DiscError: what stopped it; nothing of it is visible.
        """
        options = Options(
            copies=copies,
            medium=medium,
            priority=priority,
            speed=speed,
            simulate=simulate,
            verify=verify,
            nonblank=Nonblank(nonblank),
            stage=StageMode(stage),
            client=client,
            key=key,
            max_spoiled=max_spoiled,
            webhook=webhook,
        )
        return JobHandle(self, submit(self.mill, content, options, progress))

    def job(self, job_id: str) -> JobHandle:
        """Return the handle of a job that was submitted before.

        Raises:
            NotFound: no such job.
        """
        handle = JobHandle(self, job_id)
        handle.report()
        return handle
