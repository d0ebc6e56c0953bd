"""A session of iSCSI with one drive: commands, their data both ways, and what ends them.

Messages are heard while a command is carried out, so that a drive that hangs is a drive that hangs and no dead target.
Commands are carried out one after the other, as their data is complete.
"""

import contextlib
import queue
import threading
from dataclasses import dataclass, field
from functools import partial

from workers.mmc.drive import Drive, Reply
from workers.mmc.iscsi_requests import (
    NO_TAG,
    DataOut,
    Logout,
    NopOut,
    ProtocolError,
    Request,
    ScsiCommand,
    TaskManagement,
    Text,
)
from workers.mmc.iscsi_responses import (
    Amiss,
    Piece,
    Stretch,
    data_in,
    logout_response,
    nop_in,
    ready_to_transfer,
    scsi_response,
    task_management_response,
    text_response,
)
from workers.mmc.iscsi_text import Terms
from workers.mmc.iscsi_unit import execute
from workers.mmc.iscsi_wire import WINDOW, Wire
from workers.mmc.mechanism import Unplugged
from workers.mmc.refusals import BAD_FIELD, fixed_sense

_GOOD, _CHECK_CONDITION = 0, 2
#: Bytes that one command may move; programs and kernels ask for far less at a time.
_MOST = 4 << 20
#: Commands of which less data than was expected is news: their CDB says how much comes (READ(10), READ(12), READ CD).
_COUNTED = {0x28, 0xA8, 0xBE}


@dataclass(slots=True, eq=False)
class Task:
    """A command under way; an ended one is not answered.

    What was asked for of its data, `requests` times, ends at `asked`; the last time it came in `parts` so far.
    """

    command: ScsiCommand
    data: bytearray = field(default_factory=bytearray)
    asked: int = 0
    requests: int = 0
    parts: int = 0
    ended: bool = False

    @property
    def wants_data(self) -> bool:
        """True while what it writes is not all there."""
        return self.command.writes and len(self.data) < self.command.expected


class Session:
    """Serves one initiator with a drive, from login to logout."""

    def __init__(self, wire: Wire, drive: Drive, terms: Terms) -> None:
        self._wire = wire
        self._drive = drive
        self._terms = terms
        self._tasks: dict[int, Task] = {}
        self._lock = threading.Lock()
        self._ready: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._is_over = False

    def serve(self) -> None:
        """Serve until the initiator goes.

        Raises:
            EOFError, ProtocolError, OSError: it went without a word, or broke the rules.
        """
        worker = threading.Thread(target=self._work, name="mmc-iscsi-drive", daemon=True)
        worker.start()
        try:
            while not self._is_over:
                self._hear(self._wire.receive())
        finally:
            self._end_all()
            self._ready.put(None)

    def _hear(self, request: Request) -> None:
        if not self._wire.count(request):
            return
        match request:
            case ScsiCommand():
                self._begin(request)
            case DataOut():
                self._take(request)
            case NopOut():
                if request.tag != NO_TAG:
                    self._wire.send(partial(nop_in, request=request))
            case TaskManagement():
                self._manage(request)
            case Text():
                self._wire.send(partial(text_response, tag=request.tag, data=b""))
            case Logout():
                self._is_over = True
                self._wire.send(partial(logout_response, tag=request.tag))
            case _:
                raise ProtocolError(f"{type(request).__name__} amid a session")

    # Commands and what they write.

    def _begin(self, command: ScsiCommand) -> None:
        task = Task(command, bytearray(command.data))
        with self._lock:
            if command.tag in self._tasks or max(len(self._tasks), self._ready.qsize()) > WINDOW:
                raise ProtocolError("a tag that is in use, or too many commands")
            if len(task.data) > min(command.expected, self._terms.first_burst) * command.writes:
                raise ProtocolError("more data than the command has or was agreed on")
            self._tasks[command.tag] = task
        self._wire.begin_task()
        if command.expected > _MOST or (command.reads and command.writes):
            self._finish(task, Reply(sense=BAD_FIELD))
        else:
            self._go_on(task)

    def _go_on(self, task: Task) -> None:
        if not task.wants_data:
            self._ready.put(task)
            return
        offset = len(task.data)
        length = min(task.command.expected - offset, self._terms.burst)
        stretch = Stretch(task.command.tag, task.requests, offset, length)
        task.asked, task.requests, task.parts = offset + length, task.requests + 1, 0
        self._wire.send(partial(ready_to_transfer, stretch=stretch), has_status=False)

    def _take(self, piece: DataOut) -> None:
        """Take a piece of what a command writes; what comes for one that was ended meanwhile is dropped."""
        with self._lock:
            task = self._tasks.get(piece.tag)
        if task is None:
            return
        end = piece.offset + len(piece.data)
        due = task.requests - 1, task.parts, len(task.data)
        is_due = task.wants_data and (piece.target_tag, piece.piece, piece.offset) == due
        if not is_due or end > task.asked or piece.final != (end == task.asked):
            raise ProtocolError(f"data for {piece.offset} to {end} was not asked for")
        task.data += piece.data
        task.parts += 1
        if piece.final:
            self._go_on(task)

    # Carrying them out, in a thread of its own.

    def _work(self) -> None:
        with contextlib.suppress(OSError, Unplugged):
            try:
                self._carry_out()
            except BaseException:
                self._wire.close()  # for the initiator the drive is gone
                raise

    def _carry_out(self) -> None:
        while (task := self._ready.get()) is not None:
            if not task.ended:
                command = task.command
                self._finish(task, execute(self._drive, command.lun, command.cdb, bytes(task.data)))

    def _finish(self, task: Task, reply: Reply) -> None:
        """Answer a command, unless it was ended meanwhile."""
        with self._lock:
            if task.ended:
                return
            self._forget(task)
        command = task.command
        size = min(len(reply.data), command.expected) if command.reads else len(task.data)
        too_much = max(0, len(reply.data) - size) if command.cdb[0] in _COUNTED else 0
        amiss = Amiss(command.expected - size, too_much)
        if size and command.reads:
            self._send_data(command.tag, reply.data[:size], amiss)
            return
        status, sense = (_GOOD, b"") if reply.sense is None else (_CHECK_CONDITION, fixed_sense(reply.sense))
        self._wire.send(partial(scsi_response, tag=command.tag, status=status, sense=sense, amiss=amiss))

    def _send_data(self, tag: int, data: bytes, amiss: Amiss) -> None:
        for number, (offset, end) in enumerate(pieces(len(data), self._terms)):
            is_last = end == len(data)
            ends_burst = is_last or end % self._terms.burst == 0
            piece = Piece(tag, number, offset, data[offset:end], ends_burst, amiss if is_last else None)
            self._wire.send(partial(data_in, piece=piece), has_status=is_last)

    # Ending them.

    def _manage(self, request: TaskManagement) -> None:
        response = self._end(request.function, request.about)
        self._wire.send(partial(task_management_response, tag=request.tag, response=response))

    def _end(self, function: int, about: int) -> int:
        """Carry out a task management function; return the response (RFC 7143 11.5 and 11.6).

        What a drive is carrying out can't be stopped; it is not answered any more.
        """
        if function == _ABORT_TASK:
            return _COMPLETE if self._end_one(about) else _NO_SUCH_TASK
        if function not in _ENDS_ALL | _RESETS:
            return _REASSIGNS_NOT if function == _REASSIGN else _UNKNOWN_FUNCTION
        self._end_all()
        if function in _RESETS:
            self._drive.mechanism.reset()
        return _COMPLETE

    def _end_one(self, tag: int) -> bool:
        with self._lock:
            task = self._tasks.get(tag)
            if task is not None:
                self._forget(task)
            return task is not None

    def _end_all(self) -> None:
        with self._lock:
            for task in list(self._tasks.values()):
                self._forget(task)

    def _forget(self, task: Task) -> None:
        task.ended = True
        del self._tasks[task.command.tag]
        self._wire.end_task()


#: Task management functions and their responses.
_ABORT_TASK, _REASSIGN = 1, 8
_ENDS_ALL, _RESETS = {2, 4}, {5, 6, 7}
_COMPLETE, _NO_SUCH_TASK, _REASSIGNS_NOT, _UNKNOWN_FUNCTION = 0, 1, 4, 5


def pieces(size: int, terms: Terms) -> list[tuple[int, int]]:
    """Say where the messages that carry so many bytes begin and end: none is too long, none goes past a burst."""
    found, at = [], 0
    while at < size:
        end = min(size, at + terms.segment, at - at % terms.burst + terms.burst)
        found.append((at, end))
        at = end
    return found
