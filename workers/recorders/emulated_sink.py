"""The emulated drive's laser: writes a session to a medium's files, as fast and as badly as it is told."""

from pathlib import Path

from jobs.errors import BurnCancelled, LossOfStreaming, SessionNotClosed, WriteFailed, WriteNotBegun
from jobs.mastering.image import FileRun
from workers.evidence import Plan, ProgressWriter
from workers.recorders.emulated_buffer import Buffer
from workers.recorders.emulated_faults import FaultName
from workers.recorders.emulated_medium import Medium, Session
from workers.recorders.emulated_sessions import begun, ended
from workers.recorders.emulated_state import DriveFolder
from workers.recorders.emulated_watch import LOOK, Watch
from workers.recorders.flushed_file import FlushedFile
from workers.recorders.suitability import Wanted
from workers.sink import Cancel

#: What stops the laser before a block.
_TROUBLES = (FaultName.WRITE_ERROR, FaultName.STREAM_LOSS, FaultName.UNPLUG, FaultName.STALL)
#: Seconds that the laser pauses for when the buffer ran dry.
_PAUSE = 0.25


def open_sink(plan: Plan, cancel: Cancel, _: ProgressWriter) -> "EmulatedSink":
    """Make the sink of a plan.

    The plan tells the drive's `folder`, its `medium`, the `rate` in bytes a second, and whether the drive is
    `underrun_free`.
    """
    return EmulatedSink(plan, cancel)


class EmulatedSink:
    """A session on an emulated medium."""

    def __init__(self, plan: Plan, cancel: Cancel) -> None:
        folder = DriveFolder(Path(plan.sink["folder"]))
        self._plan = plan
        self._cancel = cancel
        self._drive = Watch(folder, plan.sink["medium"])
        self._medium = folder.medium(plan.sink["medium"])
        rate = plan.sink["rate"]
        self._buffer = None if rate is None else Buffer(rate, cancel.wait)
        self._paused: set[int] = set()
        self._session: Session | None = None
        self._file: FlushedFile | None = None
        self.written = 0

    @property
    def block(self) -> int:
        """The block of the medium that is written next."""
        first = 0 if self._session is None else self._session.first
        return first + self.written // self._plan.block_size

    @property
    def buffer_fill(self) -> float | None:
        """The share of the buffer that is full; a drive that is as fast as its host has no use for one."""
        return None if self._buffer is None else round(self._buffer.fill, 3)

    def check(self) -> None:
        """Refuse a medium that is gone or can't take the session; fail where the drive can't be set up."""
        self._drive.look()
        self._session = self._begin().open_session
        if self._drive.bites(FaultName.INIT_ERROR):
            raise WriteNotBegun("the emulated drive can't be set up for writing")

    def open(self) -> None:
        """Mark the medium as being written, then open its data."""
        if self._session is not None and not self._plan.simulate:
            self._mark(self._session)
        self._rest()

    def _mark(self, session: Session) -> None:
        medium = self._begin()
        facts = {"session": session.number, "first": session.first, "last": session.last, "label": session.label}
        self._medium.log("opened", **facts, erases=medium.erases)
        self._medium.save(medium)
        self._file = FlushedFile(self._medium.data, session.offset)

    def write(self, data: memoryview) -> None:
        """Write whole blocks, up to the next trouble; then meet it."""
        while data:
            self._drive.look_now_and_then()
            size = self._untroubled(len(data))
            if size:
                self._put(data[:size])
                data = data[size:]
            else:
                self._meet_trouble()
                self._rest()

    def write_file(self, run: FileRun) -> None:
        """Write whole blocks of a file; the laser looks at each of them."""
        self.write(memoryview(run.read()))

    def close(self) -> None:
        """Close the session, and the disc unless it is to be left open or is overwritable."""
        self._drive.look()
        if self._drive.bites(FaultName.CLOSE_ERROR):
            raise SessionNotClosed("the emulated drive can't close the session")
        if self._file is None:
            return
        self._file.close()
        self._file = None
        self._medium.save(ended(self._medium.load(), leave_open=self._plan.leave_open))
        self._log_end(cut=False)

    def abort(self) -> None:
        """Leave the medium as it is: spoiled, unless it can be written over or blanked."""
        if self._file is not None:
            self._file.abandon()
            self._file = None
            self._log_end(cut=True)

    def _begin(self) -> Medium:
        plan = self._plan
        return begun(
            self._medium.load(),
            Wanted(plan.start, plan.blocks, plan.block_size, plan.label, plan.programme),
        )

    def _log_end(self, *, cut: bool) -> None:
        number = None if self._session is None else self._session.number
        starved, deficit = (0, 0) if self._buffer is None else (self._buffer.starved, int(self._buffer.deficit))
        self._medium.log("closed", session=number, last=self.block - 1, cut=cut, starved=starved, deficit=deficit)

    def _untroubled(self, size: int) -> int:
        """Return how many of the next `size` bytes come before a trouble."""
        end = self.block + size // self._plan.block_size
        lean = set(self._drive.blocks((FaultName.STARVE,), self.block, end)) - self._paused
        stop = min([*self._drive.blocks(_TROUBLES, self.block, end), *lean], default=end)
        return (stop - self.block) * self._plan.block_size

    def _put(self, data: memoryview) -> None:
        if self._file is not None:
            self._file.write(self._flipped(data))
        self.written += len(data)
        if self._buffer is not None:
            self._buffer.take(len(data))

    def _flipped(self, data: memoryview) -> memoryview | bytearray:
        end = self.block + len(data) // self._plan.block_size
        bad = self._drive.blocks((FaultName.FLIP,), self.block, end)
        if not bad:
            return data
        wrong = bytearray(data)
        for block in bad:
            wrong[(block - self.block) * self._plan.block_size] ^= 1
        return wrong

    def _meet_trouble(self) -> None:
        if self._waits_at(FaultName.WRITE_ERROR):
            raise WriteFailed(f"the emulated drive can't write block {self.block}")
        if self._waits_at(FaultName.STREAM_LOSS):
            raise LossOfStreaming(f"the stream to the emulated drive broke off before block {self.block}")
        if self._waits_at(FaultName.UNPLUG):
            self._drive.unplug()
        while self._waits_at(FaultName.STALL):
            if self._cancel.wait(LOOK):
                raise BurnCancelled(f"the burn was called off while the drive did not answer at block {self.block}")
            self._drive.look()
        if self._waits_at(FaultName.STARVE):
            self._starve()

    def _starve(self) -> None:
        """Run out of data: pause where that is guarded against, else lose the stream."""
        if not (self._plan.guard_underrun and self._plan.sink["underrun_free"]):
            raise LossOfStreaming(f"the buffer of the emulated drive ran empty before block {self.block}")
        self._paused.add(self.block)
        if self._buffer is not None:
            self._buffer.run_dry()
        if self._file is not None:
            self._medium.log("paused", before=self.block)
        self._cancel.wait(_PAUSE)

    def _rest(self) -> None:
        if self._buffer is not None:
            self._buffer.pause()

    def _waits_at(self, name: FaultName) -> bool:
        return bool(self._drive.blocks((name,), self.block, self.block + 1))
