"""The verdict, and then the disc: committed first, let go second."""

import contextlib

from jobs import ledger
from jobs.ledger import Verdict
from jobs.mastering.recorder import Bin
from models.attempt import Attempt
from models.job import Job
from models.vocabulary import Outcome
from workers.evidence import SAMPLES
from workers.reporting import Work
from workers.station import Station


def conclude(station: Station, work: Work, verdict: Verdict) -> None:
    """Commit the verdict; only then let the disc go."""

    def settle() -> Outcome:
        with station.database.write() as db:
            return ledger.settle(db, work.attempt, station.owner, verdict, station.rules)

    outcome = station.persist(settle)
    if outcome is not Outcome.LOST:  # else its burner may still be at it
        with contextlib.suppress(OSError):  # a killed burner leaves them; at worst they stay
            (station.settings.evidence / work.attempt / SAMPLES).unlink()
    station.voice.phase(work.attempt, "settled", f"{outcome} on {station.name}: job {work.job} copy {work.copy}")
    dispose(station, work, outcome)


def dispose(station: Station, work: Work, outcome: Outcome) -> None:
    """Take the disc out to where its outcome says; a medium that stays usable stays in, and one in a burner's hands.

    Raises:
        MediumMissing: somebody took it out already.
        RecorderError: the mechanism failed; the verdict stands.
    """
    if outcome in {Outcome.UNUSED, Outcome.SIMULATED, Outcome.LOST}:
        return
    loader = station.device.loader
    loader.unload(Bin.REJECT if outcome is Outcome.SPOILED else Bin.ACCEPT, disc_label(work))
    note_ejected(station, work, outcome)


def note_ejected(station: Station, work: Work, outcome: Outcome) -> None:
    """Write down that a disc has left the recorder, and where to, if the loader knows."""
    place = station.device.loader.place_of(disc_label(work))

    def note() -> None:
        with station.database.write() as db:
            ledger.mark_ejected(db, work.attempt, place)

    station.persist(note)
    station.farewell = farewell(work, outcome, place)


def farewell(work: Work, outcome: Outcome, place: str | None) -> str:
    """Say what became of a disc, and where it is or has to go."""
    disc = f"disc '{work.title} {work.copy}/{work.copies}'"
    if place is not None:
        return f"{outcome}: {disc} is in {place}"
    return f"{outcome}: take {disc} out" + (", into the bin" if outcome is Outcome.SPOILED else "")


def disc_label(work: Work) -> str:
    """Name a disc for people, and on an emulated shelf for file managers."""
    kept = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in work.title)[:60].strip("._")
    return f"{kept or 'disc'}-{work.copy:03d}-{work.attempt[-12:]}"


def work_of(attempt: Attempt, job: Job, copy: int) -> Work:
    """Gather what an attempt is about."""
    return Work(attempt.id, job.id, copy, job.copies, job.title, job.blocks)
