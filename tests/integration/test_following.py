"""A job that is looked at again and again: each look tells what a look from scratch would."""

from sqlalchemy import update

from jobs import ledger
from jobs.following import Follower
from jobs.overview import job_document
from models.attempt import Attempt
from models.database import Database
from models.vocabulary import Outcome, Stage
from tests.builders import a_disc, an_attempt, make_ready, order, settle


def assert_tells_all(database: Database, follower: Follower, job: str) -> None:
    with database.read() as db:
        assert follower.look(db) == job_document(db, job)


def let_go(database: Database, attempt: str, path: str = "/shelf/disc.iso") -> None:
    with database.write() as db:
        ledger.mark_ejected(db, attempt, path)


def test_every_look_tells_what_one_from_scratch_would(database: Database) -> None:
    job = order(database, copies=4)
    follower = Follower(job)

    for outcome in (Outcome.GOOD, Outcome.UNUSED, Outcome.SPOILED, Outcome.LOST, Outcome.GOOD):
        attempt = an_attempt(database, Stage.PREPARING if outcome is Outcome.UNUSED else Stage.VERIFYING)
        assert_tells_all(database, follower, job)
        settle(database, attempt, outcome)
        assert_tells_all(database, follower, job)
        if outcome is not Outcome.UNUSED:
            let_go(database, attempt)
        assert_tells_all(database, follower, job)
        make_ready(database, "left")


def test_documents_of_discs_that_are_out_are_not_made_again(database: Database) -> None:
    job = order(database, copies=2)
    follower = Follower(job)
    let_go(database, a_disc(database, Outcome.GOOD))
    an_attempt(database, Stage.WRITING)

    with database.read() as db:
        first, second = follower.look(db)["discs"], follower.look(db)["discs"]

    assert isinstance(first, list)
    assert isinstance(second, list)
    assert second[0] is first[0]
    assert second[1] is not first[1]


def test_a_persons_word_on_an_old_disc_is_seen(database: Database) -> None:
    job = order(database, copies=2)
    follower = Follower(job)
    old = a_disc(database, Outcome.GOOD)
    let_go(database, old)
    assert_tells_all(database, follower, job)

    with database.write() as db:
        ledger.resolve(db, old, Outcome.SPOILED, "operator")

    assert_tells_all(database, follower, job)


def test_an_attempt_of_a_host_whose_clock_is_behind_is_seen(database: Database) -> None:
    job = order(database, copies=2, recorders=["left", "right"])
    follower = Follower(job)
    let_go(database, a_disc(database, Outcome.GOOD))
    assert_tells_all(database, follower, job)

    late = an_attempt(database, recorder="right")
    with database.write() as db:
        db.execute(update(Attempt).where(Attempt.id == late).values(id="00000000" + late[8:]))

    assert_tells_all(database, follower, job)
