"""What programs rely on: commands, options and JSON keys, spelled out here a second time."""

from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from jobs.errors import WriteFailed
from jobs.ledger import Verdict
from models.vocabulary import Outcome, Stage
from tests import builders
from tests.command_line import CommandLine
from workers.cli import app

FORM = {
    *("--copies", "--medium", "--priority", "--speed", "--simulate", "--no-verify", "--nonblank", "--stage"),
    *("--client", "--key", "--title", "--max-spoiled", "--wait", "--timeout", "--json"),
}
COMMANDS = {
    "up": {"--recorders", "--home", "--no-flower"},
    "demo": {"--home"},
    "submit data": FORM | {"--volume-id"},
    "submit image": FORM,
    "submit audio": FORM | {"--cue"},
    "submit manifest": FORM | {"--volume-id"},
    "jobs": {"--state", "--limit", "--json"},
    "show": {"--json"},
    "watch": {"--json"},
    "wait": {"--timeout", "--json"},
    "cancel": {"--client"},
    "retry": set(),
    "priority": set(),
    "discs": {"--job", "--recorder", "--json"},
    "find": {"--json"},
    "recorders": {"--json"},
    "recorders list": {"--json"},
    "recorders attached": {"--json"},
    "recorders pause": set(),
    "recorders resume": set(),
    "recorders eject": set(),
    "recorders clear": set(),
    "resolve": set(),
    "events": {"--job", "--follow", "--json"},
    "emulate insert": set(),
    "emulate remove": set(),
    "emulate fault": set(),
    "emulate clear": set(),
    "emulate unplug": set(),
    "emulate replug": set(),
    "emulate status": {"--json"},
    "worker": {"--recorder"},
    "dispatcher": set(),
    "flower": set(),
    "supervise": set(),
    "db upgrade": set(),
    "db check": set(),
    "config": {"--json"},
    "health": {"--json"},
    "doctor": {"--recorder", "--json"},
    "acceptance": {"--recorder", "--report", "--steps", "--size", "--json"},
    "master": {"--output", "--medium", "--volume-id", "--no-check"},
    "verify": {"--job", "--json"},
}
JOB = {
    *("job", "state", "cancelling", "reason", "title", "client", "format", "medium", "copies", "good", "spoiled"),
    *("surplus", "queued", "active", "priority", "progress", "created", "finished", "manifest", "image_sha256"),
}
DISC = {
    *("attempt", "copy", "job", "recorder", "stage", "outcome", "verified", "medium", "medium_id", "blocks_done"),
    *("blocks_total", "speed_x", "started", "finished", "image_sha256", "path", "error"),
}
RECORDER = {
    *("name", "uri", "host", "vendor", "product", "serial", "intent", "condition", "state", "medium", "attempt"),
    *("progress", "good", "spoiled", "message", "firmware", "writes"),
}
EVENT = {"at", "kind", "job", "copy", "attempt", "recorder", "data"}
FOUND = {"path", "size", "sha256", "job", "title", "discs", "good"}


def commands(group: Any, above: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401  (typer exports no type)
    """Walk through all commands and groups."""
    for name, command in group.commands.items():
        yield f"{above}{name}", command
        if hasattr(command, "commands"):
            yield from commands(command, f"{above}{name} ")


ALL = dict(commands(get_command(app)))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_design_is_there_with_its_options(name: str) -> None:
    assert {option for param in ALL[name].params for option in param.opts} >= COMMANDS[name]


@pytest.mark.parametrize("name", ALL)
def test_every_command_and_option_says_what_it_does(name: str) -> None:
    command = ALL[name]

    assert command.help
    assert [param.name for param in command.params if not param.help] == []


@pytest.mark.parametrize("name", ALL)
def test_help_is_printed_without_a_rig(name: str) -> None:
    words = name.split()
    named = [words[0], "r1", *words[1:]] if words[0] == "emulate" and len(words) > 1 else words

    result = CliRunner().invoke(app, [*named, "--help"])

    assert result.exit_code == 0
    assert "Usage" in result.stdout


def test_submit_prints_the_jobs_id(shell: CommandLine) -> None:
    document = shell.read("submit", "data", shell.write("a.txt"))

    assert set(document) == {"job"}
    assert len(document["job"]) == 36


def test_jobs_have_the_keys_of_the_contract(shell: CommandLine) -> None:
    builders.order(shell.database)

    (job,) = shell.read("jobs")

    assert set(job) == JOB
    assert set(job["manifest"]) == {"sha256", "entries", "bytes", "blocks"}
    assert job["created"].endswith("Z")


def test_a_job_has_its_discs(shell: CommandLine) -> None:
    job = builders.order(shell.database)
    builders.a_disc(shell.database, Outcome.GOOD)

    document = shell.read("show", job)

    assert set(document) == JOB | {"discs"}
    assert set(document["discs"][0]) == DISC
    assert document["discs"][0]["error"] is None


def test_discs_have_the_keys_of_the_contract(shell: CommandLine) -> None:
    builders.order(shell.database)
    attempt = builders.an_attempt(shell.database, Stage.WRITING)
    builders.settle(shell.database, attempt, Verdict(Outcome.SPOILED, error=WriteFailed("block 7")))

    (disc,) = shell.read("discs")

    assert set(disc) == DISC
    assert disc["error"] == {"code": "DISCMILL_E_WRITE", "message": "block 7", "remedy": "try_again"}


@pytest.mark.parametrize("words", [("recorders",), ("recorders", "list")])
def test_recorders_have_the_keys_of_the_contract(shell: CommandLine, words: tuple[str, ...]) -> None:
    builders.order(shell.database)

    (recorder,) = shell.read(*words)

    assert set(recorder) == RECORDER
    assert set(recorder["medium"]) == {"kind", "status", "free_blocks"}


def test_events_have_the_keys_of_the_contract(shell: CommandLine) -> None:
    shell.read("submit", "data", shell.write("a.txt"))

    (event,) = shell.read("events")

    assert set(event) == EVENT
    assert event["kind"] == "submitted"


def test_what_is_found_has_the_keys_of_the_contract(shell: CommandLine) -> None:
    shell.read("submit", "data", shell.write("a.txt"))

    (found,) = shell.read("find", "a.txt")

    assert set(found) == FOUND
    assert found["discs"] == []
