"""Flower: the window on the rig, read-only, on loopback unless a password is set."""

import ipaddress
import os
import sys

from jobs.errors import NotAllowed
from jobs.settings import Settings, subprocess_environment
from workers.app import monitoring_app

#: Port where none is asked for and nobody chose a free one: Flower's own.
_USUAL_PORT = 5555
_COLUMNS = "name,uuid,state,args,result,received,started,runtime,worker"


def run_flower(settings: Settings) -> None:
    """Become Flower; does not return.

    Raises:
        NotAllowed: it would be open to a network without a password.
    """
    refuse_open_flower(settings)
    arguments = ["-A", "workers.flower", "flower", *_options(settings)]
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, "-m", "celery", *arguments], _environment(settings))  # noqa: S606


def refuse_open_flower(settings: Settings) -> None:
    """Refuse to show every order to a network.

    Raises:
        NotAllowed: Flower is not on loopback, and has no password.
    """
    if settings.flower_password is None and not _is_loopback(settings.flower_address):
        message = f"Flower on {settings.flower_address} needs a password: set DISCMILL_FLOWER_PASSWORD"
        raise NotAllowed(message)


def _options(settings: Settings) -> list[str]:
    database = settings.home / "flower" / "flower"
    database.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return [
        f"--address={settings.flower_address}",
        f"--port={settings.flower_port or _USUAL_PORT}",
        "--read-only=True",
        "--persistent=True",
        f"--db={database}",
        "--state-save-interval=60000",
        "--max-tasks=5000",
        "--purge-offline-workers=600",
        f"--tasks_columns={_COLUMNS}",
    ]


def _environment(settings: Settings) -> dict[str, str]:
    """Pass secrets by environment: a command line can be read by everybody on the host."""
    environment = subprocess_environment(settings)
    if settings.flower_password is None:
        return {**environment, "FLOWER_UNAUTHENTICATED_API": "true"}
    return {**environment, "FLOWER_BASIC_AUTH": f"{settings.flower_user}:{settings.flower_password.get_secret_value()}"}


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def __getattr__(name: str) -> object:
    """Make the app when Celery's command line asks this module for it."""
    if name == "app":
        from jobs.settings import load_settings  # noqa: PLC0415

        return monitoring_app(load_settings())
    raise AttributeError(name)
