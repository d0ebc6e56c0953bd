"""What an idle recorder shows: what it asks a person for, and which disc it refuses."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from celery import Celery
from sqlalchemy import select

from jobs import ledger
from jobs.errors import MechanismFault, OutputFull
from jobs.mastering.medium import MediumKind, MediumStatus
from jobs.mastering.recorder import Bin, Device
from jobs.scheduling import Assignment
from jobs.settings import load_settings
from models.database import Database
from models.event import Event
from models.recorder import Recorder
from models.vocabulary import Condition, Intent, Nonblank, Outcome, Stage
from tests.builders import a_job, a_recorder, an_attempt, attempt_row, empty, order, owner_of, recorder_row, settle
from tests.burns import beside, sha256_of
from workers import caretaker, recovery, wants
from workers.evidence import Plan, write_plan
from workers.flower_events import Voice
from workers.proof import evidence_folder
from workers.recorders import open_device
from workers.registry import Sight
from workers.station import Station

ASK = "insert a blank DVD-R in left"


class Deaf:
    """A bell that nobody hears."""

    def ring(self, _: Assignment) -> bool:
        return True


@pytest.fixture
def station(sqlite_database: Database, tmp_path: Path) -> Iterator[Station]:
    """Give a recorder that a person serves, its tray empty and nothing ordered."""
    empty(sqlite_database)
    with sqlite_database.write() as db:
        a_recorder(db, medium=None)
    device = open_device(f"emulated:{tmp_path / 'drive'}?feed=none&writes=cd-r,dvd-r,dvd-rw")
    settings = load_settings(home=tmp_path / "home")
    with closing(Voice(Celery(broker="memory://"), "left@here")) as voice:
        owner = owner_of(sqlite_database)
        yield Station("left", settings, sqlite_database, device, Deaf(), voice, owner)


def seen(station: Station, *, by_hand: bool = True) -> Sight:
    return wants.sight(station, station.device.recorder.probe(), by_hand=by_hand)


def ordered(station: Station, **over: object) -> str:
    with station.database.write() as db:
        return a_job(db, 1, **over).id


def put_in(station: Station, kind: str, status: MediumStatus = MediumStatus.BLANK, image: Path | None = None) -> None:
    drive = beside(station.device)
    drive.remove()
    drive.insert(kind, status, image)


def test_an_empty_tray_asks_for_nothing_while_nothing_is_ordered(station: Station) -> None:
    assert seen(station) == Sight(Condition.EMPTY, "no medium is in; load a blank")


def test_an_empty_tray_asks_for_what_the_next_order_needs_until_it_is_in(station: Station) -> None:
    ordered(station)

    asked = seen(station)
    put_in(station, "dvd-r")
    ready = seen(station)

    assert asked == Sight(Condition.ATTENTION, ASK)
    assert (ready.condition, ready.message, ready.medium_changed) == (Condition.READY, "", True)


def test_what_the_recorder_can_not_write_nobody_is_asked_for(station: Station) -> None:
    ordered(station, medium="bd")

    assert seen(station).condition is Condition.EMPTY


@pytest.mark.parametrize("over", [{"intent": Intent.PAUSED}, {"attention": "look at the drive"}])
def test_a_recorder_that_is_set_aside_asks_for_nothing(station: Station, over: dict[str, object]) -> None:
    ordered(station)
    with station.database.write() as db:
        for name, value in over.items():
            setattr(db.get_one(Recorder, "left"), name, value)

    assert seen(station).condition is Condition.EMPTY


def test_a_recorder_whose_loader_brings_blanks_asks_no_person(station: Station) -> None:
    ordered(station)

    assert seen(station, by_hand=False).condition is Condition.EMPTY


def test_a_blank_that_nobody_needs_is_fine_until_another_kind_is_ordered(station: Station) -> None:
    put_in(station, "cd-r")
    before = seen(station)

    ordered(station)
    after = seen(station)

    assert before.condition is Condition.READY
    take_out = "take it out (`discmill recorders eject left`)"
    assert (after.condition, after.message) == (Condition.ATTENTION, f"a blank CD-R is in left; {take_out} and {ASK}")


@pytest.mark.parametrize(("status", "word"), [(MediumStatus.COMPLETE, "closed"), (MediumStatus.APPENDABLE, "used")])
def test_a_disc_that_is_not_blank_is_named(station: Station, status: MediumStatus, word: str) -> None:
    put_in(station, "cd-r", status)

    assert seen(station).message == (
        f"a {word} CD-R, which is not blank, is in left; take it out (`discmill recorders eject left`)"
    )


def a_disc_made(station: Station, image: Path, outcome: Outcome = Outcome.GOOD) -> str:
    """Have one copy of a job made of an image, and its disc taken out."""
    job = order(station.database, 2, recorders=(), nonblank=Nonblank.BLANK, title="Photos")
    attempt = an_attempt(station.database, Stage.VERIFYING)
    settle(station.database, attempt, outcome)
    plan = Plan("", image.stat().st_size, 2048, sha256_of(image), "", simulate=False, lock=0, speed_1x=1, sink={})
    write_plan(evidence_folder(station, attempt), plan)
    with station.database.write() as db:
        ledger.mark_ejected(db, attempt, None)
    return job


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """Give an image of some blocks."""
    path = tmp_path / "image.iso"
    path.write_bytes(bytes(range(256)) * 8 * 40)
    return path


@pytest.fixture
def ready(station: Station) -> Station:
    """Give a recorder that can be assigned to."""
    with station.database.write() as db:
        db.delete(db.get_one(Recorder, "left"))
        db.flush()
        a_recorder(db)
    return station


def test_the_disc_that_was_just_made_is_not_erased_for_the_next_copy(ready: Station, image: Path) -> None:
    a_disc_made(ready, image)
    put_in(ready, "dvd-rw", MediumStatus.COMPLETE, image)

    again = seen(ready)

    assert (again.condition, again.message) == (
        Condition.ATTENTION,
        "the good disc that was just made is in left again; take it out and insert another one",
    )


def test_another_disc_is_erased_as_ordered(ready: Station, image: Path, tmp_path: Path) -> None:
    a_disc_made(ready, image)
    other = tmp_path / "other.iso"
    other.write_bytes(image.read_bytes()[::-1])
    put_in(ready, "dvd-rw", MediumStatus.COMPLETE, other)

    assert seen(ready).condition is Condition.READY


def test_a_spoiled_disc_may_be_erased_and_tried_again(ready: Station, image: Path) -> None:
    a_disc_made(ready, image, Outcome.SPOILED)
    put_in(ready, "dvd-rw", MediumStatus.COMPLETE, image)

    assert seen(ready).condition is Condition.READY


def test_another_order_may_erase_the_disc_that_was_just_made(ready: Station, image: Path) -> None:
    a_disc_made(ready, image)
    ordered(ready, nonblank=Nonblank.BLANK, priority=9)
    put_in(ready, "dvd-rw", MediumStatus.COMPLETE, image)

    assert seen(ready).condition is Condition.READY


def test_what_became_of_the_last_disc_is_said_again_after_a_restart(ready: Station, image: Path) -> None:
    a_disc_made(ready, image, Outcome.SPOILED)

    recovery.recall(ready)
    told = seen(ready)

    assert told.message == f"spoiled: take disc 'Photos 1/2' out, into the bin; {ASK}"


# --- loaders


@dataclass
class Broken:
    """A loader whose every move fails."""

    error: Exception
    tried: list[str] = field(default_factory=list)
    inlet: str = "slots 1-6 of the robot"

    def stock(self) -> list[MediumKind]:
        return [MediumKind.DVD_R]

    def load(self, kind: MediumKind) -> None:
        self.tried.append(kind)
        raise self.error

    def unload(self, to: Bin, label: str) -> None:
        raise AssertionError((to, label))

    def resume(self) -> None:
        """Have nothing to do."""

    def place_of(self, label: str) -> str | None:
        raise AssertionError(label)


@dataclass
class Sorted(Broken):
    """A loader that puts every disc into a slot once it resumes."""

    def resume(self) -> None:
        self.tried.append("resume")

    def place_of(self, label: str) -> str:
        self.tried.append(label)
        return "slot 7 of the robot"


def test_the_place_of_a_disc_that_left_during_a_crash_is_written_down(ready: Station) -> None:
    order(ready.database, 1, recorders=(), title="Photos")
    attempt = an_attempt(ready.database, Stage.VERIFYING)
    settle(ready.database, attempt, Outcome.GOOD)
    loader = Sorted(MechanismFault("never"))
    with_loader(ready, loader)

    recovery.recover(ready)

    assert attempt_row(ready.database, attempt).path == "slot 7 of the robot"
    assert ready.farewell == "good: disc 'Photos 1/1' is in slot 7 of the robot"
    assert loader.tried == ["resume", f"Photos-001-{attempt[-12:]}"]


def with_loader(station: Station, loader: Broken) -> Station:
    station.device = Device(station.device.recorder, loader)
    return station


def calls(database: Database) -> int:
    with database.read() as db:
        return len(db.scalars(select(Event).where(Event.kind == "recorder-attention")).all())


def test_a_fault_of_the_mechanism_calls_a_person_once_and_nothing_is_moved_until_then(station: Station) -> None:
    loader = Broken(MechanismFault("the arm is stuck"))
    with_loader(station, loader)

    rounds = [caretaker.tend(station, caretaker.look) for _ in range(3)]

    assert rounds == [False, True, True]
    assert loader.tried == ["dvd-r"]
    assert recorder_row(station.database).attention == "the arm is stuck"
    assert calls(station.database) == 1


def test_a_full_bin_is_shown_and_looked_at_again(station: Station) -> None:
    loader = Broken(OutputFull("the slots are full"))
    with_loader(station, loader)

    for _ in range(2):
        caretaker.tend(station, caretaker.look)

    row = recorder_row(station.database)
    assert (row.condition, row.message, row.attention) == (Condition.ATTENTION, "the slots are full", None)
    assert len(loader.tried) == 2


def test_a_changer_without_blanks_says_which_slots_to_fill(station: Station) -> None:
    loader = Broken(MechanismFault("never"))
    with_loader(station, loader)
    ordered(station)

    assert seen(station).message == "insert a blank DVD-R in slots 1-6 of the robot"
