"""Commands that change orders and recorders, write images, compare them, and look after the rig."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import typer
from sqlalchemy import select

from jobs.cli import doors
from jobs.masking import mask
from jobs.settings import RecorderSetting, Settings, load_settings
from models.base import now
from models.recorder import Recorder, RecorderRequest
from models.vocabulary import Condition, Intent, JobState, Outcome, Stage
from tests import builders
from tests.command_line import CommandLine
from workers.cli_recorder import read_recorder

# Orders


def test_a_queued_job_is_cancelled_at_once(shell: CommandLine) -> None:
    job = builders.order(shell.database)

    result = shell.run("cancel", job)

    assert (result.exit_code, result.stderr) == (0, "cancelled\n")
    assert builders.job_row(shell.database, job).state is JobState.CANCELLED


def test_a_job_that_is_burning_says_that_it_is_being_cancelled(shell: CommandLine) -> None:
    job = builders.order(shell.database)
    builders.an_attempt(shell.database, Stage.WRITING)

    result = shell.run("cancel", job)

    assert "cancelling" in result.stderr
    assert shell.read("show", job)["cancelling"] is True


def test_only_the_client_who_ordered_may_cancel(shell: CommandLine) -> None:
    job = builders.order(shell.database)

    result = shell.run("cancel", job, "--client", "somebody")

    assert result.exit_code == 1
    assert builders.job_row(shell.database, job).state is JobState.QUEUED


def test_retry_queues_what_is_missing(shell: CommandLine) -> None:
    job = builders.order(shell.database, copies=2, recorders=())
    shell.run("cancel", job)

    result = shell.run("retry", job)

    assert (result.exit_code, result.stderr) == (0, "2 discs queued\n")
    assert shell.read("show", job)["queued"] == 2


def test_a_job_can_be_given_another_priority(shell: CommandLine) -> None:
    job = builders.order(shell.database)

    assert shell.run("priority", job, 9).exit_code == 0
    assert shell.run("priority", job, 10).exit_code == 2
    assert shell.read("show", job)["priority"] == 9


def test_a_persons_word_settles_what_a_disc_is(shell: CommandLine) -> None:
    job = builders.order(shell.database)
    attempt = builders.a_disc(shell.database, Outcome.SPOILED)

    result = shell.run("resolve", attempt[-10:], "good")

    assert (result.exit_code, result.stderr) == (0, "the disc counts as good\n")
    assert shell.read("show", job)["good"] == 1
    assert shell.run("resolve", attempt, "perhaps").exit_code == 2


# Recorders


def test_recorders_are_paused_and_resumed_by_name(shell: CommandLine) -> None:
    builders.order(shell.database, recorders=("left", "right"))

    assert shell.run("recorders", "pause", "left", "right").exit_code == 0
    assert {each["state"] for each in shell.read("recorders")} == {"paused"}
    assert shell.run("recorders", "resume", "left").exit_code == 0
    assert [each["intent"] for each in shell.read("recorders")] == ["enabled", "paused"]


def test_an_unknown_recorder_changes_none(shell: CommandLine) -> None:
    builders.order(shell.database)

    result = shell.run("recorders", "pause", "left", "nobody")

    assert result.exit_code == 1
    assert "no recorder nobody" in result.stderr
    assert shell.read("recorders")[0]["intent"] == "enabled"


def test_clear_ends_a_quarantine(shell: CommandLine) -> None:
    builders.order(shell.database)
    with shell.database.write() as db:
        db.get_one(Recorder, "left").intent = Intent.QUARANTINED

    assert shell.run("recorders", "resume", "left").exit_code == 1
    assert shell.run("recorders", "clear", "left").exit_code == 0
    assert shell.read("recorders")[0]["state"] == "ready"


def test_a_request_nobody_answers_is_withdrawn(shell: CommandLine) -> None:
    builders.order(shell.database)

    result = shell.run("recorders", "eject", "left", "--timeout", 0)

    assert result.exit_code == 1
    assert "withdrawn" in result.stderr
    with shell.database.read() as db:
        assert db.scalars(select(RecorderRequest)).one().answered is not None


@pytest.mark.parametrize("condition", [Condition.BUSY, Condition.OFFLINE])
def test_nothing_is_asked_of_a_recorder_that_is_not_idle(shell: CommandLine, condition: Condition) -> None:
    builders.order(shell.database)
    builders.set_condition(shell.database, condition)

    result = shell.run("recorders", "eject", "left")

    assert result.exit_code == 1
    assert f"left is {condition}" in result.stderr


def answering(shell: CommandLine, answer: Mapping[str, object]) -> Callable[[float], None]:
    """Return a `sleep` in which the recorder's worker answers."""

    def answer_now(_seconds: float) -> None:
        with shell.database.write() as db:
            request = db.scalars(select(RecorderRequest)).one()
            request.answered, request.answer = now(), dict(answer)

    return answer_now


def test_an_answer_is_awaited(shell: CommandLine) -> None:
    builders.order(shell.database)
    said = {"ok": True, "message": "the tray is empty now"}

    answer = doors.ask(shell.database, "left", "eject", timeout=60, sleep=answering(shell, said))

    assert answer == said


# Content


@pytest.fixture
def job(shell: CommandLine) -> str:
    shell.write("tree/a.txt", "a" * 5000)
    shell.write("tree/b/c.txt", "c")
    return str(shell.read("submit", "data", shell.home / "tree")["job"])


def test_master_writes_the_image_that_a_job_of_the_same_content_burns(shell: CommandLine, job: str) -> None:
    image = shell.home / "out.iso"

    result = shell.run("master", shell.home / "tree", "--output", image)

    digest = shell.read("show", job)["image_sha256"]
    assert (result.exit_code, result.stdout) == (0, f"{digest}  {image}\n")
    assert shell.read("verify", image, "--job", job)["image_sha256"] == digest
    assert [path.name for path in shell.home.glob("*out.iso*")] == ["out.iso"]


def test_master_without_checks_writes_the_same_image_and_no_digest(shell: CommandLine, job: str) -> None:
    image = shell.home / "out.iso"

    result = shell.run("master", shell.home / "tree", "--output", image, "--no-check")

    assert (result.exit_code, result.stdout) == (0, f"{image}\n")
    assert shell.read("verify", image, "--job", job)["ok"] is True


def test_master_leaves_nothing_behind_when_the_content_has_faults(shell: CommandLine) -> None:
    image = shell.home / "out.iso"

    result = shell.run("master", shell.home / "gone", "--output", image)

    assert result.exit_code == 1
    assert list(shell.home.glob("*out.iso*")) == []


def test_a_file_that_differs_is_reported_by_blocks_and_files(shell: CommandLine, job: str) -> None:
    image = shell.home / "out.iso"
    shell.run("master", shell.home / "tree", "--output", image)
    content = bytearray(image.read_bytes())
    content[content.index(b"a" * 5000) + 2048] = 0
    image.write_bytes(content)

    result = shell.run("verify", image, "--job", job)

    assert (result.exit_code, result.stdout) == (1, "")
    assert "(a.txt)" in result.stderr
    assert "block " in result.stderr


@pytest.mark.parametrize(("change", "message"), [(-1, "ends after"), (1, "behind the master's end")])
def test_a_file_of_another_length_is_not_the_masters(shell: CommandLine, job: str, change: int, message: str) -> None:
    image = shell.home / "out.iso"
    shell.run("master", shell.home / "tree", "--output", image)
    content = image.read_bytes()
    image.write_bytes(content[:change] if change < 0 else content + b"x")

    result = shell.run("verify", image, "--job", job, "--json")

    assert result.exit_code == 1
    assert json.loads(result.stdout)["ok"] is False
    assert message in json.loads(result.stdout)["message"]


def test_verify_asks_a_recorder_by_its_name(shell: CommandLine, job: str) -> None:
    with shell.database.write() as db:
        builders.a_recorder(db, "left")

    result = shell.run("verify", "left", "--job", job, "--timeout", 0)

    assert result.exit_code == 1
    with shell.database.read() as db:
        request = db.scalars(select(RecorderRequest)).one()
    assert (request.verb, request.job_id) == ("verify", job)


def test_what_is_neither_file_nor_recorder_is_not_verified(shell: CommandLine, job: str) -> None:
    result = shell.run("verify", "gone.iso", "--job", job)

    assert result.exit_code == 1
    assert "neither a file nor a recorder" in result.stderr


# Administration


@pytest.mark.parametrize("words", [("config",), ("config", "--json")])
def test_config_shows_no_secret(shell: CommandLine, words: tuple[str, ...]) -> None:
    settings = {
        "DATABASE_URL": "postgresql+psycopg://me:geheim@host/db",
        "BROKER_URL": "redis://:geheim@host/0",
        "FLOWER_PASSWORD": "geheim",
    }

    result = shell.run(*words, **settings)

    assert result.exit_code == 0
    assert "geheim" not in result.output
    assert "postgresql+psycopg://me:***@host/db" in result.stdout


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://host:6379/0", "redis://host:6379/0"),
        ("redis://me:a/b:c@host", "redis://me:***@host"),
        ("redis+socket:///run/a:b@c?virtual_host=0", "redis+socket:///run/a:b@c?virtual_host=0"),
        ("postgresql://host/db?user=me&password=x&sslmode=on", "postgresql://host/db?user=me&password=***&sslmode=on"),
        ("sqlite:////home/me/discmill.db", "sqlite:////home/me/discmill.db"),
    ],
)
def test_passwords_in_urls_are_masked(url: str, shown: str) -> None:
    assert mask(url) == shown


def test_config_is_json_by_name(shell: CommandLine) -> None:
    assert shell.read("config")["home"] == str(shell.home)


def test_all_faults_of_the_settings_are_named(shell: CommandLine) -> None:
    result = shell.run("jobs", LEASE="0", TICK="soon")

    assert result.exit_code == 1
    assert "lease" in result.stderr
    assert "tick" in result.stderr


def test_a_home_without_a_database_is_not_filled_by_looking(tmp_path: Path, shell: CommandLine) -> None:
    empty = tmp_path / "elsewhere"

    result = shell.run("jobs", HOME=str(empty))

    assert result.exit_code == 1
    assert "`discmill up`" in result.stderr
    assert not empty.exists()


def test_the_schema_is_made_and_checked(tmp_path: Path, shell: CommandLine) -> None:
    home = str(tmp_path / "elsewhere")

    assert shell.run("db", "check", HOME=home).exit_code == 1
    assert shell.run("db", "upgrade", HOME=home).exit_code == 0
    assert shell.run("db", "check", HOME=home).exit_code == 0
    assert shell.run("jobs", HOME=home).exit_code == 0


def test_tables_that_no_migration_made_are_noticed(shell: CommandLine) -> None:
    with shell.database.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM alembic_version")

    result = shell.run("db", "check")

    assert result.exit_code == 1
    assert "`discmill db upgrade`" in result.stderr


def test_a_schema_of_a_newer_version_is_left_alone(shell: CommandLine) -> None:
    with shell.database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

    for words in (("db", "check"), ("db", "upgrade")):
        result = shell.run(*words)
        assert result.exit_code == 1
        assert "newer version" in result.stderr


def test_health_names_all_that_ails(shell: CommandLine) -> None:
    builders.order(shell.database, recorders=("left", "right"))
    builders.set_condition(shell.database, Condition.OFFLINE)

    result = shell.run("health", "--json")

    document = json.loads(result.stdout)
    assert (result.exit_code, document["ok"]) == (1, False)
    assert {check["name"]: check["ok"] for check in document["checks"]} == {
        "database": True,
        "broker": False,
        "recorder left": False,
        "recorder right": True,
    }


def test_a_database_that_is_away_is_a_message(shell: CommandLine) -> None:
    url = f"postgresql+psycopg://me@/db?host={shell.home}"

    result = shell.run("jobs", DATABASE_URL=url)

    assert result.exit_code == 1
    assert "the database can't be used" in result.stderr


# Running


def test_the_version_is_printed(shell: CommandLine) -> None:
    assert shell.run("--version").stdout.startswith("discmill")


@pytest.mark.parametrize("text", ["", "=uri", "a b=emulated:x", "left"])
def test_a_worker_needs_a_name_and_a_device(shell: CommandLine, text: str) -> None:
    assert shell.run("worker", "--recorder", text).exit_code == 2


def test_a_recorder_of_the_settings_is_named_alone() -> None:
    known = RecorderSetting(name="left", uri="scsi:/dev/sr0")
    settings = Settings(recorder=[known])

    assert read_recorder(settings, "left") == known
    assert read_recorder(settings, "right=emulated:a?b=c") == RecorderSetting(name="right", uri="emulated:a?b=c")


def test_a_recorder_is_shown_with_its_drive_and_what_that_writes(shell: CommandLine) -> None:
    builders.order(shell.database)
    with shell.database.write() as db:
        row = db.get_one(Recorder, "left")
        row.vendor, row.product, row.firmware, row.writes = "ACME", "BD WRITER", "1.05", ["cd-r", "dvd+r", "dvd-r"]

    said = shell.run("recorders").stdout

    assert "ACME BD WRITER 1.05" in said
    assert "cd dvd" in said


def test_the_drives_of_this_host_are_listed(shell: CommandLine) -> None:
    result = shell.run("recorders", "attached", "--json")

    assert result.exit_code == 0, result.stderr
    assert isinstance(json.loads(result.stdout), list)


def test_the_drives_of_this_host_are_listed_though_there_is_no_rig(shell: CommandLine) -> None:
    result = shell.run("recorders", "attached", HOME=str(shell.home / "elsewhere"))

    assert result.exit_code == 0, result.stderr
    assert "there is no database" in result.stderr
    assert not (shell.home / "elsewhere").exists()


@pytest.mark.parametrize("name", ["left\n", 'left"} 1', "../left", "", "-left", "l" * 64, "lêft"])
def test_a_recorder_gets_no_name_that_logs_paths_or_monitors_would_read_as_more(tmp_path: Path, name: str) -> None:
    with pytest.raises(typer.BadParameter, match="is no name"):
        read_recorder(load_settings(home=tmp_path), f"{name}=emulated:a")
