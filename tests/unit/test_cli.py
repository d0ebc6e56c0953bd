"""Commands that order, look and change: what they print where, and their exit codes."""

import json
from itertools import islice

import pytest
import typer

from jobs.cli import submit
from jobs.cli.look import new_events, past_events
from jobs.rollup import journal
from models.job import Job
from models.vocabulary import JobState, Outcome
from tests import builders
from tests.command_line import CommandLine


def a_job_in(shell: CommandLine, state: JobState) -> str:
    job = builders.order(shell.database)
    with shell.database.write() as db:
        db.get_one(Job, job).state = state
    return job


# Ordering


def test_an_order_prints_its_id_and_nothing_else(shell: CommandLine) -> None:
    result = shell.run("submit", "data", shell.write("photos/a.jpg"), "--copies", 3, "--title", "Photos")

    document = shell.read("show", result.stdout.strip())
    assert result.exit_code == 0
    assert (document["title"], document["copies"], document["queued"]) == ("Photos", 3, 3)
    assert document["client"] == "tests"


def test_the_whole_order_form_reaches_the_job(shell: CommandLine) -> None:
    words = ("--medium", "dvd+r", "--priority", 9, "--speed", "8x", "--no-verify", "--simulate", "--client", "archive")
    more = ("--nonblank", "blank", "--max-spoiled", 2, "--key", "k-1", "--volume-id", "TAPES", "--stage", "copy")

    job = shell.read("submit", "data", shell.write("a.txt"), *words, *more)["job"]

    row = builders.job_row(shell.database, job)
    assert (row.medium, row.priority, row.speed, row.verify, row.simulate) == ("dvd+r", 9, 8.0, False, True)
    assert (row.client, row.nonblank, row.max_spoiled, row.key) == ("archive", "blank", 2, "k-1")
    assert (row.volume_id, row.stage) == ("TAPES", "copy")


def test_the_same_key_gives_the_same_job(shell: CommandLine) -> None:
    words = ("submit", "data", shell.write("a.txt"), "--key", "order-1")

    assert shell.read(*words) == shell.read(*words)


def test_another_order_with_a_taken_key_is_refused(shell: CommandLine) -> None:
    shell.read("submit", "data", shell.write("a.txt"), "--key", "order-1")

    result = shell.run("submit", "data", shell.write("b.txt"), "--key", "order-1")

    assert result.exit_code == 1
    assert "use another key" in result.stderr


def test_a_manifest_can_be_ordered(shell: CommandLine) -> None:
    shell.write("a.txt")
    entries = [{"path": "letters/a.txt", "source": "a.txt"}]
    file = shell.write("order.json", json.dumps({"version": 1, "title": "Letters", "entries": entries}))

    job = shell.read("submit", "manifest", file)["job"]

    assert shell.read("show", job)["title"] == "Letters"
    assert [found["path"] for found in shell.read("find", "a.txt")] == ["letters/a.txt"]


def test_an_image_can_be_ordered_and_is_burnt_as_it_is(shell: CommandLine) -> None:
    image = shell.home / "a.iso"
    master = shell.run("master", shell.write("a.txt"), "--output", image)

    job = shell.read("submit", "image", image)["job"]

    assert shell.read("show", job)["image_sha256"] == master.stdout.split()[0]


def test_all_faults_of_an_order_are_named_on_stderr(shell: CommandLine) -> None:
    result = shell.run("submit", "data", shell.home / "gone", "/etc/hostname", "--json")

    assert result.exit_code == 1
    assert result.stdout == ""
    assert "discmill: " in result.stderr
    assert "gone does not exist" in result.stderr
    assert "outside the content roots" in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("--speed", "fast"),
        ("--speed", "0x"),
        ("--nonblank", "perhaps"),
        ("--timeout", "5"),
    ],
)
def test_a_wrong_word_in_the_order_form_is_wrong_usage(shell: CommandLine, words: tuple[str, ...]) -> None:
    result = shell.run("submit", "data", shell.write("a.txt"), *words)

    assert result.exit_code == 2
    assert shell.read("jobs") == []


def test_all_that_is_wrong_with_an_order_is_said_at_once(shell: CommandLine) -> None:
    wrong = ("--copies", 0, "--priority", 10, "--medium", "floppy", "--max-spoiled", 0)

    result = shell.run("submit", "data", shell.write("a.txt").with_name("gone"), *wrong)

    assert result.exit_code == 1
    said = ("gone does not exist", "0 copies", "priority 10", "unknown medium 'floppy'", "--max-spoiled 0")
    assert all(words in result.stderr for words in said), result.stderr
    assert shell.read("jobs") == []


@pytest.mark.parametrize(("text", "speed"), [("8", 8.0), ("8x", 8.0), ("2.4x", 2.4), ("max", None)])
def test_a_speed_may_be_written_with_or_without_x(text: str, speed: float | None) -> None:
    assert submit.read_speed(text) == speed


@pytest.mark.parametrize("text", ["", "x", "-1", "8X8", "٣x"])
def test_what_is_no_speed_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        submit.read_speed(text)


def test_waiting_for_an_order_in_vain_prints_its_document(shell: CommandLine) -> None:
    result = shell.run("submit", "data", shell.write("a.txt"), "--wait", "--timeout", 0, "--json")

    assert result.exit_code == 4
    assert json.loads(result.stdout)["state"] == "queued"


# Looking


@pytest.mark.parametrize("command", ["wait", "watch"])
@pytest.mark.parametrize(
    ("state", "code"),
    [(JobState.COMPLETED, 0), (JobState.FAILED, 1), (JobState.CANCELLED, 1), (JobState.WAITING, 3)],
)
def test_how_a_job_ends_is_the_exit_code(shell: CommandLine, command: str, state: JobState, code: int) -> None:
    job = a_job_in(shell, state)

    result = shell.run(command, job)

    assert result.exit_code == code
    assert f"is {state}" in result.stdout


def test_a_job_that_goes_on_is_waited_for_in_vain(shell: CommandLine) -> None:
    result = shell.run("wait", builders.order(shell.database), "--timeout", 0)

    assert result.exit_code == 4


def test_watching_as_json_prints_a_document_a_line(shell: CommandLine) -> None:
    result = shell.run("watch", a_job_in(shell, JobState.COMPLETED), "--json")

    (line,) = result.stdout.splitlines()
    assert json.loads(line)["state"] == "completed"


def test_an_id_may_be_abbreviated_to_its_end(shell: CommandLine) -> None:
    job = builders.order(shell.database)

    assert shell.read("show", job[-8:])["job"] == job


def test_an_abbreviation_of_several_ids_is_refused(shell: CommandLine) -> None:
    job = builders.order(shell.database)
    builders.order(shell.database, recorders=())

    result = shell.run("show", job[:3])

    assert result.exit_code == 1
    assert "type more" in result.stderr


@pytest.mark.parametrize("words", [("show", "?"), ("wait", "%"), ("cancel", "x"), ("retry", "x"), ("priority", "x", 1)])
def test_an_unknown_job_is_a_refusal_with_a_remedy(shell: CommandLine, words: tuple[object, ...]) -> None:
    result = shell.run(*words)

    assert result.exit_code == 1
    assert "`discmill jobs` lists them" in result.stderr


def test_tables_show_what_the_documents_say(shell: CommandLine) -> None:
    job = builders.order(shell.database, title="[bold]photos\x1b[31m")
    disc = builders.a_disc(shell.database, Outcome.GOOD)

    assert job in shell.run("jobs").stdout
    assert "[bold]photos\\x1b[31m" in shell.run("show", job).stdout
    assert disc in shell.run("discs", "--job", job).stdout
    assert "left" in shell.run("recorders").stdout
    assert "submitted" not in shell.run("find", "nothing").stdout


def test_an_empty_table_is_a_message_and_an_empty_document(shell: CommandLine) -> None:
    result = shell.run("jobs")

    assert (result.exit_code, result.stdout) == (0, "")
    assert "no jobs" in result.stderr
    assert shell.read("jobs") == []


def test_jobs_can_be_chosen_by_state(shell: CommandLine) -> None:
    done = a_job_in(shell, JobState.COMPLETED)
    builders.order(shell.database, recorders=())

    assert [job["job"] for job in shell.read("jobs", "--state", "completed")] == [done]
    assert len(shell.read("jobs", "--limit", 1)) == 1
    assert shell.run("jobs", "--state", "burning").exit_code == 2


def note(shell: CommandLine, *kinds: str) -> None:
    with shell.database.write() as db:
        for kind in kinds:
            journal(db, kind, job="a", copy=1, recorder="left", speed=8)


def test_events_are_the_last_ones_in_order(shell: CommandLine) -> None:
    note(shell, "one", "two", "three")

    assert [event["kind"] for event in shell.read("events", "--limit", 2)] == ["two", "three"]
    assert "speed=8" in shell.run("events").stdout


def test_new_events_follow_the_past_ones_and_none_twice(shell: CommandLine) -> None:
    note(shell, "one", "two")
    past = past_events(shell.database, None, 1)
    later = iter(("three", "four"))

    stream = new_events(shell.database, None, past, lambda _: note(shell, next(later), "and"))

    assert [event["kind"] for event in islice(stream, 4)] == ["three", "and", "four", "and"]
