"""What recovery does with discs that nobody can judge yet, step by step in the test's own process."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.errors import RecorderStalled
from models.vocabulary import Condition, JobState, Outcome
from tests.builders import attempt_row, job_row, recorder_row
from tests.steps import Worker, burn, fails_once, stepwise
from workers import attempt as attempt_story
from workers import caretaker, recovery
from workers.attempt import run_attempt


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    """Give a worker of an emulated recorder whose steps the test takes."""
    with stepwise(tmp_path) as found:
        yield found


def test_a_disc_whose_burner_does_not_stop_is_judged_when_it_has_ended(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = worker.promise()
    fails_once(monkeypatch, attempt_story, "verify", RecorderStalled("the burner does not stop"))
    with monkeypatch.context() as hangs:
        hangs.setattr(recovery, "drive_is_free", lambda _: False)
        run_attempt(worker.station, attempt)
    row = attempt_row(worker.database, attempt)
    before = (row.outcome, worker.shelf("accept"), worker.shelf("reject"))

    worker.binding._tend(caretaker.round_trip)

    assert before == (Outcome.LOST, [], [])
    assert attempt_row(worker.database, attempt).outcome is Outcome.GOOD
    assert (len(worker.shelf("accept")), worker.shelf("reject")) == (1, [])
    assert job_row(worker.database, row.job_id).state is JobState.COMPLETED
    assert recorder_row(worker.database, "r1").attention == "the burner does not stop"


def test_a_recovery_that_fails_for_an_unknown_reason_tells_a_person(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = worker.promise()

    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    for module in (attempt_story, recovery):
        monkeypatch.setattr(module, "verify", fail)

    burn(worker, attempt)
    worker.binding._tend(caretaker.round_trip)

    row = recorder_row(worker.database, "r1")
    assert attempt_row(worker.database, attempt).outcome is None
    assert row.condition is Condition.ATTENTION
    assert "Input/output error" in row.message
