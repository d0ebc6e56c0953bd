"""Flower shows every order: to this host, or to who knows the password."""

import os

import pytest

from jobs.settings import load_settings
from tests.command_line import CommandLine
from workers.flower import run_flower


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.168.1.10", "rig.example", ""])  # noqa: S104
def test_it_does_not_start_on_a_network_without_a_password(shell: CommandLine, address: str) -> None:
    refused = shell.run("flower", FLOWER_ADDRESS=address or "*")

    assert refused.exit_code == 1
    assert "needs a password: set DISCMILL_FLOWER_PASSWORD" in refused.stderr


def test_a_rig_does_not_start_with_it_either(shell: CommandLine) -> None:
    refused = shell.run("up", FLOWER_ADDRESS="0.0.0.0")  # noqa: S104

    assert refused.exit_code == 1
    assert "needs a password" in refused.stderr


@pytest.mark.parametrize(("address", "password"), [("127.0.0.1", None), ("::1", None), ("0.0.0.0", "tr0ub4dor")])  # noqa: S104
def test_it_starts_read_only_and_with_its_secrets_off_the_command_line(
    shell: CommandLine, monkeypatch: pytest.MonkeyPatch, address: str, password: str | None
) -> None:
    started: list[tuple[list[str], dict[str, str]]] = []
    monkeypatch.setattr(os, "execve", lambda _file, words, environment: started.append((words, environment)))
    settings = load_settings(home=shell.home, flower_address=address, flower_password=password)

    run_flower(settings)

    ((words, environment),) = started
    assert "--read-only=True" in words
    assert f"--address={address}" in words
    assert "tr0ub4dor" not in " ".join(words)
    assert environment.get("FLOWER_BASIC_AUTH") == (password and f"discmill:{password}")
