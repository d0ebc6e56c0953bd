"""From one copy to the next: nobody waits for somebody's next look."""

from dataclasses import dataclass, field

from sqlalchemy import select

from jobs.scheduling import Assignment
from models.attempt import Attempt
from models.event import Event
from models.vocabulary import Outcome, Stage
from tests.builders import attempt_row
from tests.steps import Worker
from workers import caretaker
from workers.evidence import read_evidence


@dataclass(slots=True)
class QuickBell:
    """A broker whose messages the test delivers."""

    rung: list[str] = field(default_factory=list)

    def ring(self, assignment: Assignment) -> bool:
        self.rung.append(assignment.attempt)
        return True


def with_bell(worker: Worker) -> QuickBell:
    bell = QuickBell()
    worker.station.bell = bell
    return bell


def test_the_next_copy_is_promised_and_its_message_sent_as_soon_as_a_disc_is_done(worker: Worker) -> None:
    bell = with_bell(worker)

    worker.binding.burn(worker.promise(copies=2))

    (following,) = bell.rung
    assert attempt_row(worker.database, following).stage is Stage.ASSIGNED


def test_the_next_copy_is_burnt_by_the_burner_that_waited_for_it(worker: Worker) -> None:
    bell = with_bell(worker)
    worker.binding.burn(worker.promise(copies=2))
    waited = worker.station.device.recorder._burns._understudy._waiting._process.pid  # type: ignore[attr-defined]

    worker.binding.burn(bell.rung[0])

    assert read_evidence(worker.settings.evidence / bell.rung[0]).pid == waited
    assert attempt_row(worker.database, bell.rung[0]).outcome is Outcome.GOOD


def test_no_burner_waits_where_no_copy_follows(worker: Worker) -> None:
    worker.binding.burn(worker.promise())

    assert worker.station.device.recorder._burns._understudy._waiting is None  # type: ignore[attr-defined]


def test_a_message_that_was_sent_at_once_is_not_sent_again_by_the_next_round(worker: Worker) -> None:
    bell = with_bell(worker)
    worker.binding.burn(worker.promise(copies=2))

    worker.binding._tend(caretaker.round_trip)

    assert len(bell.rung) == 1


def test_a_next_copy_whose_message_was_lost_is_started_by_the_next_round(worker: Worker) -> None:
    worker.binding.burn(worker.promise(copies=2))

    worker.binding._tend(caretaker.round_trip)

    assert len(worker.shelf("accept")) == 2


def test_a_worker_that_stops_promises_nothing_more(worker: Worker) -> None:
    bell = with_bell(worker)
    worker.order()
    caretaker.look(worker.station)
    worker.station.stopping.set()

    caretaker.go_on(worker.station)

    assert bell.rung == []
    with worker.database.read() as db:
        assert db.scalars(select(Attempt)).all() == []


def test_a_slow_burn_leaves_no_more_events_than_there_are_stages(worker: Worker) -> None:
    with_bell(worker)

    def events_of(**options: object) -> list[str]:
        attempt = worker.promise(**options)
        worker.binding.burn(attempt)
        with worker.database.read() as db:
            return sorted(db.scalars(select(Event.kind).where(Event.attempt_id == attempt)))

    quick, slow = events_of(), events_of(speed=0.3)

    assert len(slow) == len(set(slow))
    assert set(quick) ^ set(slow) <= {Stage.CLOSING}  # which may be over before it is seen
