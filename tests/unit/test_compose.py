"""The production set-up, as far as it can be judged without starting it: its form, its commands, its doors."""

import importlib
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import typer
import yaml

from jobs.settings import Settings
from workers.doctor.programs import BURN_PROGRAMS, CHANGER
from workers.recorders.libburn import locks_of

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"].startswith("discmill:")}
MORE: dict[str, Any] = yaml.safe_load((ROOT / "examples/docker-compose.override.yml").read_text(encoding="utf-8"))
DRIVES = {name: service for name, service in SERVICES.items() if service.get("command", [])[:1] == ["supervise"]}
VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::(?P<kind>[-?])(?P<rest>[^}]*))?\}")


def filled_in(text: str) -> str:
    """Replace variables as Compose does: by their default, or by a word where one has to be set."""
    return VARIABLE.sub(lambda found: found["rest"] if found["kind"] == "-" else "word", text)


def command_lines() -> Iterator[Any]:
    """Yield every command line that our own containers are told to run."""
    for name, service in OURS.items():
        words = [filled_in(word) for word in service["command"]]
        yield pytest.param(words, id=name)
        if "--" in words:
            yield pytest.param(words[words.index("--") + 1 :], id=f"{name}, supervised")
        probe = service["healthcheck"].get("test")
        if probe:
            yield pytest.param(probe[2:], id=f"{name}, health")


def parse(words: Sequence[str]) -> None:
    """Take a command line to the point where it would be run; a wrong one raises."""
    command: Any = typer.main.get_command(importlib.import_module("workers.cli").app)
    rest = list(words)
    while rest and hasattr(command, "commands"):
        command = command.commands[rest.pop(0)]
    command.make_context(command.name, rest)


@pytest.mark.parametrize("document", [COMPOSE, MORE], ids=["docker-compose.yml", "docker-compose.override.yml"])
def test_it_is_what_the_specification_asks_for(document: dict[str, Any]) -> None:
    schema = json.loads((ROOT / "tests/data/compose-spec.json").read_text(encoding="utf-8"))

    jsonschema.Draft202012Validator(schema).validate(document)


def test_a_further_drive_is_like_those_that_are_there() -> None:
    text = json.dumps(SERVICES["worker-right"]).replace("right", "third").replace("/dev/sr1", "/dev/sr2")

    assert MORE["services"] == {"worker-third": json.loads(text)}


def test_the_doctor_looks_at_all_drives_as_their_workers_have_them() -> None:
    doctor = SERVICES["doctor"]

    asked = doctor["command"][2::2]
    assert asked == [service["command"][-1] for service in DRIVES.values()]
    assert doctor["devices"] == [device for service in DRIVES.values() for device in service["devices"]]
    same = ("group_add", "volumes", "environment", "cap_drop", "read_only")
    assert all(doctor[key] == service[key] for key in same for service in DRIVES.values())
    assert doctor["profiles"]  # it does not start with the rig


def test_the_drives_locks_can_be_written_by_whoever_runs_the_containers() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    place = locks_of("ID").parent

    assert f"install --directory --owner=discmill --mode=1777 {place}" in dockerfile
    assert all(f"locks:{place}" in service["volumes"] for service in DRIVES.values())


def test_the_image_has_the_programs_that_burn_and_move() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    (installed,) = re.findall(r"apt-get install [^\n]*--no-install-recommends ([^\\]*)", dockerfile)

    assert {program.package for program in (*BURN_PROGRAMS, CHANGER)} <= set(installed.split())


def test_no_container_is_unwell_because_a_recorder_needs_a_person() -> None:
    asked = {
        name: service["healthcheck"]["test"][2:] for name, service in OURS.items() if "test" in service["healthcheck"]
    }

    assert set(DRIVES) <= set(asked)
    for name, words in asked.items():
        part = words[words.index("health") + 1 :]  # without one, the whole rig is looked at
        assert part == (["recorder", name.removeprefix("worker-")] if name in DRIVES else part[:1]), name
        assert part, name


def test_it_has_all_the_services() -> None:
    assert {"dispatcher", "flower", "migrate", "postgres", "redis"} < set(SERVICES)
    assert DRIVES


@pytest.mark.parametrize("words", list(command_lines()))
def test_its_commands_are_ours(words: list[str]) -> None:
    parse(words)


@pytest.mark.parametrize("words", [["worker", "--recordr", "a=b"], ["no-such-command"], ["db", "upgrade", "--no"]])
def test_a_wrong_command_would_be_found(words: list[str]) -> None:
    with pytest.raises(Exception, match=r"no-such-command|No such option"):
        parse(words)


@pytest.mark.parametrize("service", OURS.values(), ids=OURS)
def test_its_settings_are_ours(service: dict[str, Any]) -> None:
    names = {name.removeprefix("DISCMILL_").lower() for name in service["environment"]}

    assert names <= set(Settings.model_fields)


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_its_doors_are_open_to_this_host_alone(service: dict[str, Any]) -> None:
    assert [port for port in service.get("ports", []) if not port.startswith("127.0.0.1:")] == []


@pytest.mark.parametrize("name", ["POSTGRES", "REDIS", "FLOWER"])
def test_it_starts_with_no_password_of_ours(name: str) -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    uses = [found for found in VARIABLE.finditer(text) if found["name"] == f"DISCMILL_{name}_PASSWORD"]

    assert uses
    assert all(found["kind"] == "?" for found in uses)


@pytest.mark.parametrize("service", DRIVES.values(), ids=DRIVES)
def test_a_burn_is_never_cut_short(service: dict[str, Any]) -> None:
    assert service["command"][:2] == ["supervise", "--"]
    assert service["stop_grace_period"] == "4h"
    assert service["restart"] == "unless-stopped"


def test_one_drive_can_t_have_two_workers() -> None:
    devices = [device for service in DRIVES.values() for device in service["devices"]]
    recorders = [service["command"][-1] for service in DRIVES.values()]

    assert len(set(devices)) == len(devices)
    assert all(len(set(device.split(":"))) == 1 for device in devices)  # its lock is named after its path
    assert [recorder.partition("=scsi:")[2] for recorder in recorders] == [device.split(":")[0] for device in devices]
    assert all("home:/var/lib/discmill" in service["volumes"] for service in OURS.values())
    assert all("locks:/run/lock/discmill" in service["volumes"] for service in OURS.values())


def test_each_of_our_containers_asks_for_its_own_health() -> None:
    asked = {
        name: service["healthcheck"]["test"][3:] for name, service in OURS.items() if "test" in service["healthcheck"]
    }
    workers = {name: ["recorder", service["command"][-1].partition("=")[0]] for name, service in DRIVES.items()}

    assert asked == workers | {"dispatcher": ["dispatcher"], "flower": ["flower"], "metrics": ["database"]}


def test_redis_keeps_what_it_was_told() -> None:
    words = SERVICES["redis"]["command"]
    settings = dict(zip(words[1::2], words[2::2], strict=True))

    assert settings["--appendonly"] == "yes"
    assert settings["--maxmemory-policy"] == "noeviction"
