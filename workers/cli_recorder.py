# ruff: noqa: PLC0415  (what takes long to import is imported when it is used: --help answers at once)
"""How commands are told which recorder is meant."""

import re
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from jobs.settings import RecorderSetting, Settings


def read_recorder(settings: "Settings", text: str) -> "RecorderSetting":
    """Read NAME=URI, or the NAME of a recorder in the settings.

    Raises:
        typer.BadParameter: it is neither.
    """
    from jobs.settings import RECORDER_NAME, RecorderSetting

    name, equals, uri = text.partition("=")
    if not re.fullmatch(RECORDER_NAME, name):
        raise typer.BadParameter(f"{name!r} is no name; use letters, digits, - and _", param_hint="--recorder")
    if equals:
        return RecorderSetting(name=name, uri=uri)
    for known in settings.recorder:
        if known.name == name:
            return known
    raise typer.BadParameter(f"{name} is not in discmill.toml; write NAME=URI", param_hint="--recorder")
