"""The story of an acceptance: one step after the other, the report kept up to date."""

import contextlib
import datetime as dt
import getpass
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from jobs.cli.console import say
from jobs.errors import RecorderBusy
from jobs.mastering.medium import MediumKind
from jobs.mastering.recorder import Device, RecorderFeatures
from jobs.settings import Settings
from models.vocabulary import DiscFormat
from workers.acceptance.bench import Bench, Meter
from workers.acceptance.hands import Ended, Feeder, Hands, Person, Skipped
from workers.acceptance.material import Material
from workers.acceptance.report import Report, Result, StepReport
from workers.acceptance.steps import Step, Trial, folder_of, run_step
from workers.doctor.programs import BURN_PROGRAMS, version_of
from workers.locks import FileLock
from workers.recorders import open_device
from workers.recorders.emulated_uri import SCHEME as EMULATED
from workers.recorders.emulated_uri import parse_uri


@dataclass(frozen=True, slots=True)
class Plan:
    """What is tried out: the recorder, the steps, bytes on each disc, and where the report goes."""

    uri: str
    steps: Sequence[Step]
    size: int
    report: Path


def run_acceptance(settings: Settings, plan: Plan) -> Report:
    """Try a recorder out; it is ours alone meanwhile.

    Raises:
        RecorderBusy: a worker owns it.
        DiscError: it is not there, or not for this user.
    """
    device = open_device(plan.uri, stall_after=settings.stall_after, home=settings.home)
    settings.home.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="acceptance-", dir=settings.home))
    try:
        with _owned(device, plan.uri):
            features = device.recorder.features()
            report = _new_report(device, features, plan, work)
            _carry_out(_Session(device, features, _hands(device, plan.uri), work, report), plan)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return report


@contextlib.contextmanager
def _owned(device: Device, uri: str) -> Iterator[None]:
    owner = FileLock(device.recorder.locks / "owner")
    try:
        owner.acquire()
    except RecorderBusy as error:
        raise RecorderBusy(f"a worker owns {uri}, or another acceptance; stop it first ({error.message})") from error
    with contextlib.closing(owner):
        yield


@dataclass(frozen=True, slots=True)
class _Session:
    """All that the steps share."""

    device: Device
    features: RecorderFeatures
    hands: Hands
    work: Path
    report: Report


def _carry_out(session: _Session, plan: Plan) -> None:
    reports = [StepReport(step.name, step.title, step.asked) for step in plan.steps]
    session.report.steps = reports
    session.report.write(plan.report)
    material = Material(session.work, plan.size)
    for number, (step, report) in enumerate(zip(plan.steps, reports, strict=True), 1):
        say(f"Step {number} of {len(plan.steps)}, {step.name}: {step.title}")
        goes_on = _one(session, material, step, report)
        say(f"  {report.result}{': ' if report.message else ''}{report.message}")
        session.report.write(plan.report)
        if not goes_on:
            break


def _one(session: _Session, material: Material, step: Step, report: StepReport) -> bool:
    """Carry out one step; say whether more are wanted."""
    kinds = tuple(kind for kind in step.kinds if kind in session.features.kinds)
    if not kinds or (step.is_audio and DiscFormat.REDBOOK not in session.features.formats):
        report.result = Result.NOT_APPLICABLE
        report.message = f"the drive writes no {'audio' if kinds else step.asked}"
        return True
    stop = threading.Event()
    bench = Bench(session.device, folder_of(session.work, step), Meter(called_off=stop.is_set))
    try:
        with _interrupts(bench, stop):
            run_step(Trial(session.hands, bench, material, report, kinds), step)
    except Skipped as reason:
        report.result, report.message = Result.SKIPPED, str(reason)
    except (Ended, KeyboardInterrupt):
        stop.set()
    if stop.is_set():
        report.result, report.message = Result.SKIPPED, "the operator ended it here"
    return not stop.is_set()


@contextlib.contextmanager
def _interrupts(bench: Bench, stop: threading.Event) -> Iterator[None]:
    """Let Ctrl-C call a burn off in good order; where none runs it ends the step at once."""

    def heed(*_: object) -> None:
        stop.set()
        if not bench.is_burning:
            raise KeyboardInterrupt
        say("  the burn is called off; the drive takes its time")

    before = signal.signal(signal.SIGINT, heed)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _hands(device: Device, uri: str) -> Hands:
    if uri.startswith(f"{EMULATED}:"):
        return Feeder(device, parse_uri(uri).folder)
    return Person(device)


def _new_report(device: Device, features: RecorderFeatures, plan: Plan, work: Path) -> Report:
    who = device.recorder.identify()
    recorder = {
        "uri": plan.uri.partition(":")[0],
        "vendor": who.vendor,
        "product": who.product,
        "firmware": who.revision,
        "serial": who.serial,
        "device_id": who.device_id,
        "writes": [kind for kind in MediumKind if kind in features.kinds],
        "formats": sorted(features.formats),
        "reads_text": features.reads_text,
    }
    return Report(
        discmill=_version(),
        started=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        emulated=plan.uri.startswith(f"{EMULATED}:"),
        recorder=recorder,
        programs={program.name: version_of(program) or "not installed" for program in BURN_PROGRAMS},
        secrets=tuple(filter(None, (str(work), str(work.parent), str(Path.home()), _user()))),
    )


def _user() -> str:
    """Return the user's name, which burn programs tell; not that of root, which is in every second word."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        return ""
    return name if os.geteuid() and len(name) > 3 else ""  # noqa: PLR2004  (shorter ones are in other words)


def _version() -> str:
    try:
        return version("discmill")
    except PackageNotFoundError:
        return "not installed"
