"""The steps of an acceptance: which media each needs, and what it has to show."""

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from jobs.errors import (
    BurnCancelled,
    DiscError,
    DiscUnreadable,
    MediumError,
    MediumUnsuitable,
    RecorderBusy,
    UnexpectedFailure,
)
from jobs.mastering.masters import StoredMaster
from jobs.mastering.medium import MediumInfo, MediumKind
from jobs.mastering.recorder import Device, DiscRecorder
from workers.acceptance.bench import Bench, Read
from workers.acceptance.hands import Hands
from workers.acceptance.material import Material
from workers.acceptance.report import Result, StepReport

_CDS = (MediumKind.CD_R, MediumKind.CD_RW)
_DVDS = (MediumKind.DVD_PLUS_R, MediumKind.DVD_R)
_MB = 1e6
#: Seconds that a drive may take to know a disc, and between two looks.
_PATIENCE, _LOOK = 60.0, 0.5
#: The speed at which a burn is called off, in multiples of 1x: slow enough for there to be a midst.
_SLOWLY = 4.0
#: The one step whose disc holds audio.
AUDIO = "audio-cd"


@dataclass(slots=True)
class Trial:
    """One step under way."""

    hands: Hands
    bench: Bench
    material: Material
    report: StepReport
    kinds: Sequence[MediumKind]

    @property
    def device(self) -> Device:
        """What is tried out."""
        return self.bench.device


@dataclass(frozen=True, slots=True)
class Step:
    """A step. `kinds` are the media that will do, the best first; `goes` carries it out and fills in the report."""

    name: str
    title: str
    kinds: tuple[MediumKind, ...]
    goes: Callable[[Trial], None]
    is_audio: bool = False

    @property
    def asked(self) -> str:
        """The media in words."""
        return " or ".join(self.kinds)


def run_step(trial: Trial, step: Step) -> None:
    """Carry out a step; what goes wrong is in its report.

    Raises:
        Skipped, Ended: the operator said so.
    """
    try:
        step.goes(trial)
    except DiscError as error:
        trial.report.fail(error)
        _clear(trial)
    except OSError as error:
        trial.report.fail(UnexpectedFailure(f"the system refuses {error.filename or ''}: {error.strerror}"))
    finally:
        trial.report.log = trial.bench.log()


def _clear(trial: Trial) -> None:
    """Have a disc taken out that a failed step has used, as far as the drive lets go of it."""
    with contextlib.suppress(DiscError):
        medium = trial.device.recorder.probe()
        if medium is not None and medium.used:
            trial.hands.take_out(trial.report.step, good=False)


def _good_disc(trial: Trial) -> None:
    """Burn, read back, expect every block."""
    medium, stored = _burnt(trial)
    _expect_equal(trial, _read(trial, stored, medium))
    trial.hands.take_out(trial.report.step, good=trial.report.result is Result.PASSED)


def _abort(trial: Trial) -> None:
    """Call a burn off in its midst; the drive has to come back."""
    meter, report = trial.bench.meter, trial.report
    medium = _chosen(trial)
    stored = trial.material.data(medium.kind.family)
    meter.abort = True
    try:
        trial.bench.burn(stored, medium, report.step, _SLOWLY)
    except BurnCancelled as error:
        if not meter.asked:
            raise  # an operator's Ctrl-C
        report.note(error)
        report.stop_seconds = round(time.monotonic() - meter.asked, 1)
    else:
        raise UnexpectedFailure("the burn was over before it could be called off; try again with a larger --size")
    left = trial.device.recorder.probe()
    state = "nothing it can read" if left is None else f"a {left.kind}, {left.status}"
    report.result, report.message = Result.PASSED, f"stopped in {report.stop_seconds} s; the drive has {state}"
    trial.hands.take_out(report.step, good=False)


def _bad_disc(trial: Trial) -> None:
    """Burn a good disc, have it scratched, and expect the verification to find that."""
    medium, stored = _burnt(trial)
    _expect_equal(trial, _read(trial, stored, medium))
    if trial.report.result is Result.PASSED:
        trial.report.result = Result.SKIPPED  # until it is scratched
        before = trial.device.recorder.probe()
        trial.hands.scratch(stored)
        try:
            _expect_fault(trial, stored, before)
        finally:
            trial.hands.mend()
    trial.hands.take_out(trial.report.step, good=False)


def _expect_equal(trial: Trial, read: Read) -> None:
    report = trial.report
    if read.comparison is not None and report.step == AUDIO:
        report.offset_samples = read.comparison.offset_samples
    if read.fault:
        report.result, report.message = Result.FAILED, read.fault
    else:
        report.result, report.message = Result.PASSED, "every block is the master's"


def _expect_fault(trial: Trial, stored: StoredMaster, before: MediumInfo | None) -> None:
    report = trial.report
    try:
        after = _settled(trial.device.recorder)
        if before is None or after is None or _essence(after) != _essence(before):
            raise MediumUnsuitable("another disc is in the tray than the one that was burnt")
        found = _read(trial, stored, after).fault
    except (DiscUnreadable, MediumError) as error:
        if isinstance(error, MediumUnsuitable):
            raise
        report.note(error)
        found = error.message
    if found:
        report.result, report.message = Result.PASSED, f"the damage was found: {found}"
    else:
        report.result = Result.FAILED
        report.message = "the verification calls a scratched disc good; were the scratches deep, and on the right side?"


def _essence(medium: MediumInfo) -> tuple[object, ...]:
    """Return what stays the same when a disc is taken out and put back."""
    return medium.kind, medium.sessions, medium.tracks, medium.last_session, medium.capacity


def _chosen(trial: Trial) -> MediumInfo:
    """Have a blank brought until one is right."""
    why = ""
    while True:
        trial.hands.bring(trial.kinds, why)
        try:
            medium = _settled(trial.device.recorder)
        except DiscError as error:
            why = error.message
            continue
        if medium is None:
            why = "Nothing is in the drive."
        elif medium.kind not in trial.kinds or medium.used:
            why = f"A {'used' if medium.used else 'blank'} {medium.kind} is in the drive, which will not do."
        else:
            trial.report.medium = f"{medium.kind}, {medium.status}, {medium.capacity} blocks"
            return medium


def _settled(recorder: DiscRecorder) -> MediumInfo | None:
    """Look at a disc that was just put in: the drive, and whatever else looks at it, may take a while.

    Raises:
        RecorderBusy: they take too long.
        DiscError: the drive can't say.
    """
    give_up = time.monotonic() + _PATIENCE
    while True:
        try:
            return recorder.probe()
        except RecorderBusy:
            if time.monotonic() >= give_up:
                raise
            time.sleep(_LOOK)


def _burnt(trial: Trial) -> tuple[MediumInfo, StoredMaster]:
    """Have a blank brought and burn the step's content on it."""
    report, bench = trial.report, trial.bench
    medium = _chosen(trial)
    stored = trial.material.audio() if report.step == AUDIO else trial.material.data(medium.kind.family)
    report.bytes = stored.size
    began = time.monotonic()
    try:
        bench.burn(stored, medium, report.step)
    finally:
        report.burn_seconds = round(time.monotonic() - began, 1)
        report.speed_x = bench.speed_x(stored, medium.kind.family)
        report.top_speed_x = round(bench.meter.top_speed_x, 1)
    return medium, stored


def _read(trial: Trial, stored: StoredMaster, medium: MediumInfo) -> Read:
    read = trial.bench.read_back(stored, medium.kind.family)
    trial.report.verify_seconds = round(read.seconds, 1)
    if read.comparison is not None:
        trial.report.verify_mb_s = round(read.comparison.bytes_read / _MB / max(read.seconds, 1e-3), 1)
    return read


STEPS = (
    Step("data-cd", "a data CD, every block read back", _CDS, _good_disc),
    Step(AUDIO, "an audio CD with CD-TEXT, ISRC and MCN", _CDS, _good_disc, is_audio=True),
    Step("dvd", "a data DVD", _DVDS, _good_disc),
    Step("bd", "a data Blu-ray disc", (MediumKind.BD_R, MediumKind.BD_RE), _good_disc),
    Step("abort", "a burn that is called off in its midst", (*_CDS, *_DVDS), _abort),
    Step("bad-disc", "a scratched disc, which the verification has to find", (*_CDS, *_DVDS), _bad_disc),
)


def folder_of(work: Path, step: Step) -> Path:
    """Return the folder of a step's evidence, made if missing."""
    folder = work / step.name
    folder.mkdir(parents=True, exist_ok=True)
    return folder
