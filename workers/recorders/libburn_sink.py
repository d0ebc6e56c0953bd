"""The burner's side of a real burn: a burn program between the image and the drive.

The program's word is not enough: success is its exit code and its line of success and no word of failure, and what the
drive says of the medium afterwards. That all bytes were fed, and the right ones, is in the burner's evidence.
"""

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from jobs.errors import BurnCancelled, DiscError, MediumMissing, RecorderError, SessionNotClosed
from jobs.mastering.image import ExtentMap, FileRun, ImageReader
from jobs.mastering.medium import MediumInfo, MediumStatus
from jobs.mastering.programme import Programme
from workers.evidence import SAMPLES, Plan, ProgressWriter
from workers.recorders.burn_program import BurnProgram
from workers.recorders.cdrskin_output import read_line as read_cdrskin
from workers.recorders.libburn_command import Target, audio_command, audio_sheets, data_command
from workers.recorders.scsi import ScsiDevice, SgIo
from workers.recorders.scsi_drive import ScsiDrive
from workers.recorders.suitability import Wanted, check_medium
from workers.recorders.xorriso_output import read_line as read_xorriso
from workers.sink import Cancel

#: Bytes copied at a time; bytes that feeding may be ahead of the laser where the program reads a file.
_STRIDE, _AHEAD = 1 << 20, 2 << 20
#: Seconds between two signs of life while nothing is fed.
_HEARTBEAT = 1.0
#: What a medium has to be afterwards.
_CLOSED = {MediumStatus.COMPLETE, MediumStatus.OVERWRITABLE}


def open_sink(plan: Plan, cancel: Cancel, progress: ProgressWriter) -> "LibburnSink":
    """Make the sink of a plan, which tells the drive's device file `node`, the `folder` of the burn and the `speed`."""
    return LibburnSink(plan, cancel, progress)


class LibburnSink:
    """A session that xorriso or cdrskin writes."""

    def __init__(self, plan: Plan, cancel: Cancel, progress: ProgressWriter) -> None:
        self._plan = plan
        self._cancel = cancel
        self._progress = progress
        self._folder = Path(plan.sink["folder"])
        self._medium: MediumInfo | None = None
        self._program: BurnProgram | None = None
        self._told = 0.0
        self.written = 0

    @property
    def block(self) -> int:
        """The block of the medium that is written next, as far as feeding goes."""
        return self._plan.start + self.written // self._plan.block_size

    @property
    def buffer_fill(self) -> float | None:
        """The share of the drive's buffer that is full, as the program last said."""
        return None if self._program is None else self._program.buffer_fill

    def check(self) -> None:
        """Refuse a medium that can't take the session, and a host without the program."""
        plan = self._plan
        program = "cdrskin" if plan.programme else "xorriso"
        if shutil.which(program) is None:
            raise RecorderError(f"{program} is not installed; install it")
        self._medium = self._look()
        check_medium(self._medium, Wanted(plan.start, plan.blocks, plan.block_size, plan.label, plan.programme))

    def open(self) -> None:
        """Start the program; for audio, lay out its files first."""
        if self._medium is None:
            raise RecorderError("nobody looked at the medium before it was to be written")
        plan = self._plan
        target = Target(plan.sink["node"], self._medium, plan.sink["speed"])
        if plan.programme:
            self._lay_out()
            command, read_line = audio_command(plan, target), read_cdrskin
        else:
            command, read_line = data_command(plan, target), read_xorriso
        fed = not plan.programme
        environment = plan.sink["environment"]
        program = BurnProgram(command, read_line, self._folder, [plan.lock], environment=environment, fed=fed)
        self._program = program
        self._cancel.wakes(program.hurry)

    def write(self, data: memoryview) -> None:
        """Feed the program; where it reads a file, keep pace with it.

        The last piece counts as given when the laser is done with it: what a buffer holds is not on the disc.
        """
        self._take(len(data), lambda program: program.feed(data, self._heed))

    def write_file(self, run: FileRun) -> None:
        """Let the system feed the program from a file."""
        self._take(run.length, lambda program: program.feed_file(run, self._heed))

    def _take(self, size: int, feed: Callable[[BurnProgram], None]) -> None:
        program, end = self._running, self.written + size
        if self._plan.programme:
            program.wait_for(end - _AHEAD, self._heed)
        else:
            feed(program)
        if end >= self._plan.size:
            program.wait_until_through(self._plan.size, self._heed)
        self.written = end

    def close(self) -> None:
        """Wait for the program's end, then ask the drive whether the session is closed."""
        error = self._running.wait(lambda: self._beat("closing"))
        self._clean_up()
        if error is not None:
            raise error
        if not self._plan.simulate:
            self._check_closed(self._look())

    def abort(self) -> None:
        """Ask the program to stop and wait, however long the drive takes; open the tray for nobody."""
        program = self._program
        if program is not None:
            if not program.has_ended:
                program.call_off()
            program.wait()
        self._clean_up()

    @property
    def _running(self) -> BurnProgram:
        if self._program is None:
            raise RecorderError("the burn program was not started")
        return self._program

    def _heed(self) -> None:
        if self._cancel.requested:
            raise BurnCancelled("the burn was called off")
        self._beat("writing")

    def _beat(self, phase: str) -> None:
        """Tell that a phase goes on, as long as the program says that it writes."""
        program, now = self._program, time.monotonic()
        if program is not None and program.moved > self._told and now - self._told > _HEARTBEAT:
            self._told = now
            self._progress.phase(phase, bytes=program.written)

    def _look(self) -> MediumInfo:
        with contextlib.closing(ScsiDrive(ScsiDevice(SgIo(Path(self._plan.sink["node"]))))) as drive:
            medium = drive.medium()
        if medium is None:
            raise MediumMissing("nothing is in the tray; load a blank medium")
        return medium

    def _check_closed(self, medium: MediumInfo) -> None:
        wanted = _CLOSED | {MediumStatus.APPENDABLE} if self._plan.leave_open else _CLOSED
        if medium.status not in wanted or not medium.used:
            raise SessionNotClosed(
                f"the burn program is content, and the drive says the {medium.kind} is {medium.status}"
            )

    def _lay_out(self) -> None:
        """Write the samples into a file, since a cue sheet's file needs its size; the sheets go beside it."""
        for name, text in audio_sheets(Programme.read(self._plan.programme)).items():
            (self._folder / name).write_bytes(text)
        with (self._folder / SAMPLES).open("wb") as samples, _reader(Path(self._plan.image)) as reader:
            for position in range(0, self._plan.size, _STRIDE):
                self._heed()
                buffer = memoryview(bytearray(min(_STRIDE, self._plan.size - position)))
                reader.readinto(position, buffer)
                samples.write(buffer)

    def _clean_up(self) -> None:
        (self._folder / SAMPLES).unlink(missing_ok=True)


@contextlib.contextmanager
def _reader(image: Path) -> Iterator[ImageReader]:
    try:
        with ImageReader(ExtentMap.load(image)) as reader:
            yield reader
    except OSError as error:
        raise DiscError(f"the samples can't be laid out: {error.strerror}") from error
