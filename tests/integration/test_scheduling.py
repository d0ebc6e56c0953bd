"""Which copy goes to which recorder: order, media, recorders that get nothing, copies that wait."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from jobs import control, ledger
from jobs.errors import DiscFull, RecorderStalled, Remedy
from jobs.ledger import Verdict
from jobs.mastering.medium import MediumInfo, MediumKind, MediumStatus
from jobs.scheduling import Assignment, Demand, assign, assign_to, classes_for, demand, fresh, media_class, suits
from models.attempt import Attempt
from models.base import now
from models.database import Database
from models.job import Copy, Job
from models.recorder import Recorder
from models.vocabulary import Condition, CopyState, Intent, JobState, Nonblank, Outcome, Stage
from tests.builders import (
    BLANK,
    a_disc,
    a_job,
    a_recorder,
    an_attempt,
    attempt_row,
    copy_rows,
    job_row,
    make_ready,
    order,
    set_condition,
    settle,
)

CD, DVD = MediumKind.CD_R, MediumKind.DVD_R


def used(kind: MediumKind) -> MediumInfo:
    return MediumInfo(kind, MediumStatus.COMPLETE, kind.capacity, 0, used=True, sessions=1)


def appendable(kind: MediumKind, free: int) -> MediumInfo:
    return MediumInfo(kind, MediumStatus.APPENDABLE, kind.capacity, free, used=True, sessions=1, next_writable=1000)


def orders(database: Database, *jobs: dict[str, object], medium: MediumInfo | None = BLANK) -> list[str]:
    """Order jobs on a rig of one recorder."""
    with database.write() as db:
        a_recorder(db, medium=medium)
        return [a_job(db, **job).id for job in jobs]  # type: ignore[arg-type]


def next_job(database: Database, recorder: str = "left") -> str | None:
    """Give the recorder its next copy, and make the disc; return whose it was."""
    assignment = assign_to(database, recorder)
    if assignment is None:
        return None
    with database.write() as db:
        attempt = db.get_one(Attempt, assignment.attempt)
        assert ledger.start(db, attempt.id, ledger.Owner(recorder, 1)) is not None
    settle(database, assignment.attempt, Outcome.SIMULATED)
    set_condition(database, Condition.READY, recorder)
    return attempt.job_id


def ring_nobody(assignment: Assignment) -> None:
    pytest.fail(f"{assignment} was promised")


# --- order


def test_the_highest_priority_is_first_then_the_oldest(database: Database) -> None:
    low, first, second, high = orders(
        database, {"priority": 0}, {"priority": 5, "copies": 2}, {"priority": 5}, {"priority": 9}
    )

    assert [next_job(database) for _ in range(6)] == [high, first, first, second, low, None]


def test_order_holds_across_classes_of_media(database: Database) -> None:
    any_dvd, dvd_r, urgent = orders(
        database, {"medium": "dvd"}, {"medium": "dvd-r"}, {"medium": "dvd-r", "priority": 9}
    )

    assert [next_job(database) for _ in range(3)] == [urgent, any_dvd, dvd_r]


def test_a_changed_priority_counts_at_once(database: Database) -> None:
    first, second = orders(database, {"copies": 2}, {"copies": 2})
    assert next_job(database) == first

    control.set_priority(database, second, 6)

    assert [next_job(database) for _ in range(3)] == [second, second, first]


# --- the promise


def test_a_promise_is_made_once_and_rung_after_it_was_committed(database: Database) -> None:
    job = order(database, 3, recorders=("left", "right"))
    rung: list[Assignment] = []

    def ring(assignment: Assignment) -> None:
        assert attempt_row(database, assignment.attempt).stage is Stage.ASSIGNED
        rung.append(assignment)

    made = assign(database, ring)

    assert made == rung
    assert [assignment.recorder for assignment in made] == ["left", "right"]
    assert [str(copy.state) for copy in copy_rows(database, job)] == ["assigned", "assigned", "queued"]
    row = attempt_row(database, made[0].attempt)
    assert (row.job_id, row.recorder, row.blocks_total, row.medium_kind) == (job, "left", 1000, "dvd-r")
    assert job_row(database, job).state is JobState.ACTIVE
    assert assign(database, ring) == []


def test_nothing_queued_nothing_promised(database: Database) -> None:
    orders(database)

    assert assign(database, ring_nobody) == []


# --- media


@pytest.mark.parametrize(
    ("medium", "blocks", "loaded", "served"),
    [
        ("cd", 300_000, fresh(CD), True),
        ("cd", 300_000, fresh(MediumKind.CD_RW), True),
        ("cd", 300_000, fresh(DVD), False),
        ("cd-r", 300_000, fresh(MediumKind.CD_RW), False),
        ("cd-rw", 300_000, fresh(MediumKind.CD_RW), True),
        ("dvd", 300_000, fresh(DVD), True),
        ("dvd", 300_000, fresh(MediumKind.DVD_PLUS_R), True),
        ("dvd", 300_000, fresh(MediumKind.DVD_R_DL), False),
        ("dvd+r", 300_000, fresh(DVD), False),
        ("dvd", 2_295_105, fresh(DVD), True),
        ("dvd", 2_295_105, fresh(MediumKind.DVD_PLUS_R), False),
        ("cd", 340_000, MediumInfo(CD, MediumStatus.BLANK, 333_000, 333_000), False),
        ("cd", 330_000, MediumInfo(CD, MediumStatus.BLANK, 333_000, 333_000), True),
        ("cd-r", 330_000, MediumInfo(CD, MediumStatus.BLANK, 333_000, 333_000), True),
        ("bd", 20_000_000, fresh(MediumKind.BD_R), False),
        ("bd", 20_000_000, fresh(MediumKind.BD_R_DL), True),
        ("bd", 12_000_000, fresh(MediumKind.BD_RE), False),
        ("bd-re", 11_000_000, fresh(MediumKind.BD_RE), True),
        ("dvd-dl", 4_000_000, fresh(MediumKind.DVD_PLUS_R_DL), True),
    ],
)
def test_a_medium_serves_what_asks_for_its_kind_or_family_and_fits(
    database: Database, medium: str, blocks: int, loaded: MediumInfo, *, served: bool
) -> None:
    orders(database, {"medium": medium, "blocks": blocks}, medium=loaded)

    assert (assign_to(database, "left") is not None) == served


@pytest.mark.parametrize(
    ("nonblank", "loaded", "served"),
    [
        (Nonblank.REJECT, used(MediumKind.DVD_RW), False),
        (Nonblank.BLANK, used(MediumKind.DVD_RW), True),
        (Nonblank.BLANK, used(MediumKind.DVD_R), False),
        (Nonblank.BLANK, fresh(MediumKind.DVD_R), True),
        (Nonblank.REJECT, MediumInfo(DVD, MediumStatus.COMPLETE, DVD.capacity, 0), False),
        (Nonblank.BLANK, MediumInfo(DVD, MediumStatus.COMPLETE, DVD.capacity, 0), False),
    ],
)
def test_a_used_medium_serves_only_orders_that_allow_it_to_be_blanked(
    database: Database, nonblank: Nonblank, loaded: MediumInfo, *, served: bool
) -> None:
    orders(database, {"nonblank": nonblank}, medium=loaded)

    assert (assign_to(database, "left") is not None) == served


@pytest.mark.parametrize(
    ("nonblank", "loaded", "served"),
    [
        (Nonblank.APPEND, appendable(DVD, 1000), True),
        (Nonblank.APPEND, appendable(DVD, 999), False),
        (Nonblank.APPEND, used(DVD), False),
        (Nonblank.APPEND, fresh(DVD), True),
        (Nonblank.APPEND, fresh(MediumKind.DVD_PLUS_RW), False),
        (Nonblank.APPEND, appendable(MediumKind.DVD_PLUS_RW, 2_000_000), False),
        (Nonblank.REJECT, appendable(DVD, 2_000_000), False),
        (Nonblank.BLANK, appendable(DVD, 2_000_000), False),
        (Nonblank.BLANK, appendable(MediumKind.DVD_RW, 999), True),
        (Nonblank.APPEND, appendable(MediumKind.DVD_RW, 999), False),
    ],
)
def test_a_session_is_appended_where_one_can_follow_and_has_room(
    database: Database, nonblank: Nonblank, loaded: MediumInfo, *, served: bool
) -> None:
    (job,) = orders(database, {"nonblank": nonblank}, medium=loaded)

    assert suits(job_row(database, job), loaded) == served
    assert (assign_to(database, "left") is not None) == served


def test_a_session_too_large_for_the_disc_in_the_tray_does_not_stop_a_smaller_one(database: Database) -> None:
    large = {"nonblank": Nonblank.APPEND, "blocks": 5000, "priority": 9}
    small = {"nonblank": Nonblank.APPEND, "blocks": 500}
    _, fitting = orders(database, large, small, medium=appendable(DVD, 1000))

    assert next_job(database) == fitting


def test_a_simulated_session_wants_a_blank_medium(database: Database) -> None:
    (job,) = orders(database, {"nonblank": Nonblank.APPEND, "simulate": True}, medium=None)

    assert not suits(job_row(database, job), appendable(DVD, 2_000_000))
    assert suits(job_row(database, job), fresh(DVD))


@pytest.mark.parametrize("kind", list(MediumKind))
def test_an_ordinary_blank_serves_every_order_that_fits_it(kind: MediumKind) -> None:
    classes = classes_for(fresh(kind))

    for blocks in [1, kind.capacity // 2, kind.capacity]:
        assert media_class(kind, blocks, Nonblank.REJECT) in classes
        assert media_class(kind.family, blocks, Nonblank.REJECT) in classes


def test_what_fits_no_medium_has_no_class() -> None:
    with pytest.raises(DiscFull, match="do not fit on a cd-r"):
        media_class(CD, CD.capacity + 1, Nonblank.REJECT)


def test_a_loader_is_asked_for_the_kind_that_the_next_copy_needs(database: Database) -> None:
    orders(database, {"medium": "bd"}, {"medium": "cd", "priority": 6}, {"medium": "dvd"}, medium=None)

    with database.read() as db:
        blocks = db.scalars(select(Job.blocks)).first() or 0
        assert demand(db, "left", [DVD, MediumKind.BD_R]) == Demand(MediumKind.BD_R, blocks)
        assert demand(db, "left", [DVD, CD]) == Demand(CD, blocks)
        assert demand(db, "left", [MediumKind.DVD_R_DL]) is None
        assert demand(db, "left", []) is None


# --- recorders that get nothing


@pytest.mark.parametrize(
    "row",
    [
        *({"condition": condition} for condition in Condition if condition is not Condition.READY),
        {"intent": Intent.PAUSED},
        {"intent": Intent.QUARANTINED},
        {"attention": "look at the tray"},
        {"medium_kind": None},
    ],
    ids=lambda row: "-".join(str(value) for value in row.values()),
)
def test_only_a_ready_recorder_gets_a_copy(database: Database, row: dict[str, object]) -> None:
    with database.write() as db:
        a_recorder(db, **row)  # type: ignore[arg-type]
        a_job(db)

    assert assign_to(database, "left") is None
    assert assign(database, ring_nobody) == []


def test_a_recorder_nobody_knows_gets_nothing(database: Database) -> None:
    order(database)

    assert assign_to(database, "middle") is None


def test_a_recorder_has_one_attempt_at_a_time(database: Database) -> None:
    order(database, 2)
    attempt = an_attempt(database, Stage.WRITING)
    make_ready(database, "left")  # its row says so, its attempt says otherwise

    assert assign_to(database, "left") is None
    settle(database, attempt, Outcome.GOOD)
    assert assign_to(database, "left") is not None


def test_a_paused_recorder_gets_nothing_until_it_is_resumed(database: Database) -> None:
    order(database)

    control.pause(database, ["left"])
    assert assign_to(database, "left") is None
    control.resume(database, ["left"])
    assert assign_to(database, "left") is not None


# --- copies that wait


def test_a_copy_does_not_go_back_to_the_recorder_that_failed_it_until_that_was_cleared(database: Database) -> None:
    job = order(database, recorders=("left", "right"))
    attempt = an_attempt(database, Stage.PREPARING)
    settle(database, attempt, Verdict(Outcome.UNUSED, error=RecorderStalled("it does not answer")))
    with database.write() as db:
        db.execute(update(Recorder).values(attention=None))
        other_job = a_job(db).id
    make_ready(database, "left")

    assert next_job(database, "left") == other_job
    assert next_job(database, "left") is None
    control.clear(database, ["left"])
    assert next_job(database, "left") == job


def test_an_avoided_recorders_copy_goes_to_another_one(database: Database) -> None:
    job = order(database, recorders=("left", "right"))
    attempt = an_attempt(database, Stage.WRITING)
    settle(database, attempt, Verdict(Outcome.SPOILED, error=RecorderStalled("it does not answer")))

    assert attempt_row(database, attempt).error_remedy == Remedy.USE_OTHER_RECORDER
    assert next_job(database, "right") == job


def test_a_held_copy_waits_and_does_not_stop_the_others(database: Database) -> None:
    held, other = orders(database, {"priority": 9}, {})
    with database.write() as db:
        db.execute(update(Copy).where(Copy.job_id == held).values(held=True))

    assert [next_job(database) for _ in range(2)] == [other, None]


def test_a_copy_that_was_put_off_waits_and_does_not_stop_the_others(database: Database) -> None:
    later, other = orders(database, {"priority": 9}, {})
    with database.write() as db:
        db.execute(update(Copy).where(Copy.job_id == later).values(not_before=now() + timedelta(minutes=5)))

    assert [next_job(database) for _ in range(2)] == [other, None]
    with database.write() as db:
        db.execute(update(Copy).where(Copy.job_id == later).values(not_before=now() - timedelta(seconds=1)))
    assert next_job(database) == later


def test_a_job_being_called_off_gets_nothing(database: Database) -> None:
    (job,) = orders(database, {})
    with database.write() as db:
        db.execute(update(Job).values(cancel_requested=True))

    assert assign_to(database, "left") is None
    assert copy_rows(database, job)[0].state is CopyState.QUEUED


def test_copies_that_are_done_or_called_off_are_not_made_again(database: Database) -> None:
    done, cancelled = orders(database, {}, {})
    a_disc(database, Outcome.GOOD)
    control.cancel(database, cancelled)

    assert next_job(database) is None
    assert job_row(database, done).state is JobState.COMPLETED
