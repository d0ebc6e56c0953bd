# ruff: noqa: PLC0415  (what takes long to import is imported when it is used: --help answers at once)
"""Commands that look: orders, discs, files, and what happened."""

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Annotated

import typer

from jobs.cli import console, doors
from jobs.cli.console import AsJson, Column, Document, Id, JobId
from models.vocabulary import JobState

if TYPE_CHECKING:
    from models.database import Database

app = typer.Typer()

#: Events asked for at once, and seconds between two looks for new ones.
_PAGE, _LOOK = 1000, 0.25
#: Attempts that a person is shown of one order.
_ATTEMPTS = 100
#: On PostgreSQL an event may become visible after a later one: so many are read again.
_OVERLAP = 200


def _verdict(disc: Document) -> object:
    if disc["outcome"] == "good" and not disc["verified"]:
        return "good, not verified"
    return disc["outcome"] or disc["stage"]


def _error_or_file(disc: Document) -> object:
    error = disc["error"]
    return f"{error['code']}: {error['message']}" if isinstance(error, dict) else disc["path"]


_JOB_COLUMNS = (
    Column("id", lambda job: Id(job["job"])),
    Column("state", lambda job: "cancelling" if job["cancelling"] else job["state"]),
    Column("title", lambda job: job["title"], wide=True),
    Column("good", lambda job: f"{job['good']}/{job['copies']}", right=True),
    Column("progress", lambda job: console.percent(job["progress"]), right=True),
    Column("medium", lambda job: job["medium"]),
    Column("created", lambda job: console.moment(job["created"])),
    Column("reason", lambda job: job["reason"], wide=True),
)
_DISC_COLUMNS = (
    Column("attempt", lambda disc: Id(disc["attempt"])),
    Column("copy", lambda disc: disc["copy"], right=True),
    Column("recorder", lambda disc: disc["recorder"]),
    Column("verdict", _verdict),
    Column("medium", lambda disc: disc["medium"]),
    Column("finished", lambda disc: console.moment(disc["finished"])),
    Column("error or file", _error_or_file, wide=True),
)
_JOB_OF_DISC = Column("job", lambda disc: Id(disc["job"]))
_FIND_COLUMNS = (
    Column("job", lambda file: Id(file["job"])),
    Column("title", lambda file: file["title"], wide=True),
    Column("path", lambda file: file["path"], wide=True),
    Column("size", lambda file: console.size(file["size"]), right=True),
    Column("good discs", lambda file: file["good"], right=True),
)
_EVENT_COLUMNS = (
    Column("at", lambda event: console.moment(event["at"])),
    Column("event", lambda event: event["kind"]),
    Column("job", lambda event: Id(event["job"] or "")),
    Column("copy", lambda event: event["copy"], right=True),
    Column("recorder", lambda event: event["recorder"]),
    Column("data", lambda event: _facts_of(event["data"]), wide=True),
)


@app.command("jobs", rich_help_panel=console.ORDERS)
def list_jobs(
    state: Annotated[JobState | None, typer.Option(help="Only jobs in this state.")] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="So many at most.")] = 50,
    *,
    as_json: AsJson = False,
) -> None:
    """List orders, the newest first."""
    from jobs.overview import job_documents

    with doors.reading() as db:
        documents = job_documents(db, state, limit)
    console.print_documents(documents, _JOB_COLUMNS, "there are no jobs", as_json=as_json)


@app.command(rich_help_panel=console.ORDERS)
def show(
    job: JobId,
    limit: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="The last N attempts; default: all with --json, else 100.")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Show one order and the attempts to make its discs."""
    from jobs.overview import job_document

    most = limit if as_json else limit or _ATTEMPTS
    with doors.reading() as db:
        document = job_document(db, doors.job_id(db, job), most)
    if as_json:
        console.print_json(document)
        return
    console.print_facts(_facts(document))
    attempts = document["discs"]
    if isinstance(attempts, list) and attempts:
        console.print_table(attempts, _DISC_COLUMNS)
        if len(attempts) == most:
            console.say(f"these are the last {most} attempts; `discmill discs --job {document['job']}` lists all discs")


@app.command(rich_help_panel=console.DISCS)
def discs(
    job: Annotated[str | None, typer.Option(metavar="ID", help="Only discs of this job.")] = None,
    recorder: Annotated[str | None, typer.Option(metavar="NAME", help="Only discs of this recorder.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """List every attempt that touched a disc."""
    from jobs.overview import disc_documents

    with doors.reading() as db:
        documents = disc_documents(db, job and doors.job_id(db, job), recorder)
    console.print_documents(documents, (*_DISC_COLUMNS, _JOB_OF_DISC), "no disc was touched", as_json=as_json)


@app.command(
    rich_help_panel=console.DISCS,
    epilog="Examples:\n\n  discmill find contract.pdf\n\n  discmill find letters/2026/contract.pdf",
)
def find(
    what: Annotated[
        str, typer.Argument(metavar="NAME|SHA256", help="A file's name, its place on the disc, or digest.")
    ],
    *,
    as_json: AsJson = False,
) -> None:
    """Find the orders and the good discs that hold a file."""
    from jobs.overview import find_documents

    with doors.reading() as db:
        documents = find_documents(db, what)
    console.print_documents(documents, _FIND_COLUMNS, f"no order holds {what}", as_json=as_json)


@app.command(rich_help_panel=console.ADMINISTRATION)
def events(
    job: Annotated[str | None, typer.Option(metavar="ID", help="Only what happened to this job.")] = None,
    *,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with what happens, until Ctrl-C.")] = False,
    limit: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="The last N; default: all of a job's, else 1000.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Tell what happened, the latest last; with --follow --json one document a line."""
    with doors.database() as database:
        with database.read() as db:
            whole_id = job and doors.job_id(db, job)
        past = past_events(database, whole_id, limit or (None if job else _PAGE))
        if not follow:
            documents = [document for _, document in past]
            console.print_documents(documents, _EVENT_COLUMNS, "nothing happened yet", as_json=as_json)
            return
        tell = console.print_json_line if as_json else _tell_event
        for document in chain((document for _, document in past), new_events(database, whole_id, past)):
            tell(document)


Numbered = tuple[int, Document]


def past_events(database: "Database", job: str | None, limit: int | None) -> list[Numbered]:
    """Return the last events, or all, each with its number, the oldest first."""
    from jobs.overview import event_documents, newest_event

    found: list[Numbered] = []
    with database.read() as db:
        after = max(0, newest_event(db) - limit) if limit and not job else 0
        while page := event_documents(db, job, after, _PAGE):
            found += page
            after = page[-1][0]
    return found[-limit:] if limit else found


def new_events(
    database: "Database", job: str | None, past: Sequence[Numbered], sleep: Callable[[float], object] = time.sleep
) -> Iterator[Document]:
    """Yield events as they happen, none of the past ones; ends when `sleep` raises."""
    from jobs.overview import event_documents

    told = {number for number, _ in past}
    floor, newest = (past[0][0] - 1, past[-1][0]) if past else (0, 0)
    while True:
        with database.read() as db:
            page = event_documents(db, job, max(floor, newest - _OVERLAP), _PAGE)
        yield from (document for number, document in page if number not in told)
        told = {number for number, _ in page}
        newest = max([newest, *told])
        if len(page) < _PAGE:
            sleep(_LOOK)


def _tell_event(event: Document) -> None:
    copy = f" copy {event['copy']}" if event["copy"] else ""
    subject = f" job {event['job']}{copy}" if event["job"] else ""
    recorder = f" on {event['recorder']}" if event["recorder"] else ""
    console.answer(
        f"{console.moment(event['at'])} {event['kind']}{subject}{recorder} {_facts_of(event['data'])}".rstrip()
    )


def _facts_of(data: object) -> str:
    facts = data.items() if isinstance(data, dict) else ()
    return " ".join(f"{name}={value}" for name, value in facts if value is not None)


def _facts(job: Document) -> Document:
    manifest = job["manifest"] if isinstance(job["manifest"], dict) else {}
    return {
        "job": job["job"],
        "title": job["title"],
        "state": "cancelling" if job["cancelling"] else job["state"],
        "reason": job["reason"],
        "discs": _counts(job),
        "progress": console.percent(job["progress"]),
        "content": f"{manifest['entries']} entries, {console.size(manifest['bytes'])}, {manifest['blocks']} blocks",
        "format": f"{job['format']} on {job['medium']}",
        "image SHA-256": job["image_sha256"],
        "client": job["client"],
        "priority": job["priority"],
        "created": console.moment(job["created"]),
        "finished": console.moment(job["finished"]),
    }


def _counts(job: Document) -> str:
    others = [f"{job[word]} {word}" for word in ("active", "queued", "spoiled", "surplus") if job[word]]
    return ", ".join([f"{job['good']} of {job['copies']} good", *others])
