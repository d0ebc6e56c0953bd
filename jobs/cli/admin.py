# ruff: noqa: PLC0415  (what takes long to import is imported when it is used: --help answers at once)
"""Commands of an administrator: the settings, the health of the rig, the database's schema."""

from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from jobs.cli import console, doors
from jobs.cli.console import AsJson, Column, Document
from jobs.errors import DiscError, Remedy
from jobs.masking import MASK, mask

if TYPE_CHECKING:
    from jobs.settings import Settings

app = typer.Typer()
db_commands = typer.Typer(no_args_is_help=True, help="Look after the database's schema.")
app.add_typer(db_commands, name="db", rich_help_panel=console.ADMINISTRATION)

#: States of a recorder in which a person is needed.
_AILING = {"offline", "attention", "quarantined"}


class BrokerAway(DiscError):
    """The broker does not answer."""

    code = "DISCMILL_E_BROKER_AWAY"
    remedy = Remedy.TRY_AGAIN


_CONFIG_COLUMNS = (
    Column("setting", lambda setting: f"DISCMILL_{str(setting['name']).upper()}"),
    Column("value", lambda setting: setting["value"], wide=True),
    Column("meaning", lambda setting: setting["meaning"], wide=True),
)
_HEALTH_COLUMNS = (
    Column("what", lambda check: check["name"]),
    Column("well", lambda check: "yes" if check["ok"] else "no"),
    Column("message", lambda check: check["message"], wide=True),
)


@app.command(rich_help_panel=console.ADMINISTRATION)
def config(*, as_json: AsJson = False) -> None:
    """Show the settings in force: environment over discmill.toml over defaults; secrets are masked."""
    from jobs.settings import load_settings

    settings = load_settings()
    values = masked(settings)
    if as_json:
        console.print_json(values)
        return
    fields = type(settings).model_fields
    rows = [
        {"name": name, "value": _text(value), "meaning": fields[name].description} for name, value in values.items()
    ]
    console.print_table(rows, _CONFIG_COLUMNS)


class Part(StrEnum):
    """What of a rig can be asked for its health by itself, as a container does."""

    DATABASE = "database"
    BROKER = "broker"
    DISPATCHER = "dispatcher"
    RECORDER = "recorder"
    FLOWER = "flower"


@app.command(
    rich_help_panel=console.ADMINISTRATION,
    epilog="Examples:\n\n  discmill health\n\n  discmill health recorder left\n\n"
    "A recorder asked for by its name is well while its worker lives, whatever its tray needs.\n\n"
    "Exit code: 0 all is well, 1 something needs a person.",
)
def health(
    part: Annotated[Part | None, typer.Argument(help="One part alone; default: database, broker, recorders.")] = None,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Which recorder.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Check database, schema, broker and recorders, or one part; say what each that ails needs."""
    from jobs.settings import load_settings

    if (part is Part.RECORDER) != (name is not None):
        raise typer.BadParameter("a recorder has a name, and nothing else has", param_hint="NAME")
    settings = load_settings()
    checks = list(_checks(settings)) if part is None else [_check_part(settings, part, name or "")]
    well = all(check["ok"] for check in checks)
    if as_json:
        console.print_json({"ok": well, "checks": checks})
    else:
        console.print_table(checks, _HEALTH_COLUMNS)
    raise typer.Exit(0 if well else console.FAILED)


@db_commands.command()
def upgrade() -> None:
    """Make the tables, or bring them to what this version works with; nothing is lost."""
    from jobs import schema
    from jobs.settings import load_settings

    schema.upgrade(load_settings().database_url)
    console.say(f"the schema is at revision {schema.head_revision()}")


@db_commands.command()
def check() -> None:
    """Say whether the schema is what this version works with."""
    from jobs import schema
    from jobs.settings import load_settings

    settings = load_settings()
    with doors.database(settings):
        schema.check(settings.database_url)
    console.say(f"the schema is at revision {schema.head_revision()}, as it must be")


@db_commands.command(
    epilog="It may run at any time, beside workers and submits; once a day is usual.\n\n"
    "Example:\n\n  discmill db prune --older-than 90 --dry-run"
)
def prune(
    older_than: Annotated[int, typer.Option(metavar="DAYS", min=1, help="Forget what ended longer ago.")] = 365,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be forgotten.")] = False,
    as_json: AsJson = False,
) -> None:
    """Forget old events and what no unfinished order needs; never a disc's row in the ledger, never a digest."""
    from dataclasses import asdict
    from datetime import timedelta

    from jobs.retention import prune as forget
    from jobs.settings import load_settings
    from models.base import now

    settings = load_settings()
    with doors.database(settings) as database:
        pruned = asdict(forget(database, settings, now() - timedelta(days=older_than), dry_run=dry_run))
    if as_json:
        console.print_json({"older_than": older_than, "dry_run": dry_run, **pruned})
    else:
        console.say("would be forgotten:" if dry_run else "forgotten:")
        console.print_facts({name.replace("_", " "): str(number) for name, number in pruned.items()})


def masked(settings: "Settings") -> Document:
    """Return the settings as JSON values, without secrets."""
    from pydantic import SecretStr

    values = settings.model_dump(mode="json")
    secret = {name for name in values if isinstance(getattr(settings, name), SecretStr)}
    return {name: MASK if name in secret else mask_all(value) for name, value in values.items()}


def mask_all(value: object) -> object:
    """Hide secrets in a JSON value, wherever they are.

    >>> mask_all([{"uri": "http://:geheim@host"}])
    [{'uri': 'http://:***@host'}]
    """
    if isinstance(value, list):
        return [mask_all(each) for each in value]
    if isinstance(value, dict):
        return {key: mask_all(each) for key, each in value.items()}
    return mask(value) if isinstance(value, str) else value


def _text(value: object) -> object:
    if isinstance(value, list):
        return "\n".join(f"{each['name']}={each['uri']}" if isinstance(each, dict) else str(each) for each in value)
    return value


def _checks(settings: "Settings") -> Iterator[Document]:
    """Look at one thing after the other; without a database there is no use in asking for recorders."""
    database = _result("database", lambda: _check_database(settings))
    yield database
    yield _result("broker", lambda: _check_broker(settings))
    if database["ok"]:
        yield from _recorders(settings)


def _check_part(settings: "Settings", part: Part, name: str) -> Document:
    from jobs.cli import health

    looks: dict[Part, Callable[[], str]] = {
        Part.DATABASE: lambda: _check_database(settings),
        Part.BROKER: lambda: _check_broker(settings),
        Part.DISPATCHER: lambda: health.check_dispatcher(settings),
        Part.RECORDER: lambda: health.check_worker(settings, name),
        Part.FLOWER: lambda: health.check_flower(settings),
    }
    return _result(f"{part} {name}".strip(), looks[part])


def _result(name: str, look: Callable[[], str]) -> Document:
    """Make any failure a message: whoever asks for the health wants to hear of all that ails."""
    try:
        return {"name": name, "ok": True, "message": look()}
    except Exception as error:  # noqa: BLE001
        return {"name": name, "ok": False, "message": console.explain(error) or repr(error)}


def _check_database(settings: "Settings") -> str:
    from jobs import schema

    with doors.database(settings):
        schema.check(settings.database_url)
    return f"{mask(settings.database_url)}, revision {schema.head_revision()}"


def _check_broker(settings: "Settings") -> str:
    from jobs.dispatch import CeleryBell

    bell = CeleryBell(settings.broker_url)
    try:
        answers = bell.waiting("nobody") is not None
    finally:
        bell.close()
    if not answers:
        message = f"{mask(settings.broker_url)} does not answer; orders are kept, start Redis or `discmill up`"
        raise BrokerAway(message)
    return mask(settings.broker_url)


def _recorders(settings: "Settings") -> Iterator[Document]:
    from jobs.overview import recorder_documents

    with doors.database(settings) as database, database.read() as db:
        rig = recorder_documents(db)
    for recorder in rig:
        # Whoever paused a recorder knows that it is away.
        away_by_intent = recorder["state"] == "offline" and recorder["intent"] == "paused"
        ails = recorder["state"] in _AILING and not away_by_intent
        message = f"{recorder['state']}: {recorder['message']}" if recorder["message"] else str(recorder["state"])
        yield {"name": f"recorder {recorder['name']}", "ok": not ails, "message": message}
