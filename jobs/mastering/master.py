"""DiscMaster: the lifecycle of a disc from open to close (IMAPI IDiscMaster), one step after the other."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from jobs.errors import (
    AlreadyOpen,
    DiscFull,
    InvalidImage,
    MediumMissing,
    NoActiveFormat,
    NoActiveRecorder,
    NotOpened,
    RecorderMissing,
    WrongFormat,
)
from jobs.mastering.masters import StoredMaster
from jobs.mastering.medium import MediumInfo
from jobs.mastering.progress import AddProgress, BurnComplete, ProgressEvent, ProgressListener, RecordersChanged
from jobs.mastering.recorder import BurnOrder, DiscRecorder, Permit
from models.vocabulary import DiscFormat

log = logging.getLogger(__name__)

#: What can be burnt today, in the order it is offered.
FORMATS = (DiscFormat.JOLIET, DiscFormat.IMAGE)


@dataclass(frozen=True, slots=True)
class RecordOptions:
    """How to burn: `speed` in multiples of 1x (None: the fastest); `label` names the disc for people."""

    evidence: Path
    label: str
    simulate: bool = False
    eject: bool = False
    speed: float | None = None


@dataclass(slots=True)
class _Audience:
    """The listeners; one that raises does not hurt the burn."""

    listeners: dict[int, ProgressListener] = field(default_factory=dict)

    def notify(self, event: ProgressEvent) -> None:
        for listener in list(self.listeners.values()):
            try:
                listener.notify(event)
            except Exception:
                log.exception("a progress listener failed")

    def query_cancel(self) -> bool:
        return any(self._asks(listener) for listener in list(self.listeners.values()))

    @staticmethod
    def _asks(listener: ProgressListener) -> bool:
        try:
            return listener.query_cancel()
        except Exception:
            log.exception("a progress listener failed")
            return False


def _always(_: MediumInfo) -> None:
    """Permit every burn: for programs that keep no ledger."""


class DiscMaster:
    """The mastering session of one program (IMAPI IDiscMaster).

    Steps: open, select a format, select a recorder, advise listeners, stage content, record, close. A step
    taken too early raises what IMAPI's result codes call it. Not for use by several threads at once.
    """

    def __init__(self, recorders: Sequence[DiscRecorder]) -> None:
        self._recorders = list(recorders)
        self._audience = _Audience()
        self._cookie = 0
        self._is_open = False
        self._format: DiscFormat | None = None
        self._recorder: DiscRecorder | None = None
        self._medium: MediumInfo | None = None
        self._staged: StoredMaster | None = None

    def open(self) -> Self:
        """Begin a session (Open).

        Raises:
            AlreadyOpen: it was begun before; nothing changes.
        """
        if self._is_open:
            message = "the disc master is open already"
            raise AlreadyOpen(message)
        self._is_open = True
        return self

    def close(self) -> None:
        """End the session: what was staged and not recorded is gone (Close). Closing twice is fine."""
        self._is_open = False
        self._format = self._recorder = self._medium = self._staged = None
        self._audience.listeners.clear()

    def __enter__(self) -> Self:
        return self if self._is_open else self.open()

    def __exit__(self, *_: object) -> None:
        self.close()

    def formats(self) -> Sequence[DiscFormat]:
        """List the formats there are (EnumDiscMasterFormats)."""
        self._need_open()
        return FORMATS

    def set_format(self, disc_format: DiscFormat) -> None:
        """Select a format (SetActiveDiscMasterFormat); wipes what was staged, may drop the recorder.

        Raises:
            WrongFormat: the format is not one of `formats()`.
        """
        if disc_format not in self.formats():
            message = f"format {disc_format} is not available"
            raise WrongFormat(message)
        self._format = disc_format
        self._staged = None
        self._audience.notify(RecordersChanged())

    def active_format(self) -> DiscFormat:
        """Return the selected format (GetActiveDiscMasterFormat)."""
        self._need_open()
        if self._format is None:
            message = "no format is selected"
            raise NoActiveFormat(message)
        return self._format

    def recorders(self) -> Sequence[DiscRecorder]:
        """List the recorders that can burn the active format (EnumDiscRecorders): a snapshot."""
        self.active_format()
        return tuple(self._recorders)

    def set_recorder(self, recorder: DiscRecorder) -> MediumInfo:
        """Select a recorder (SetActiveDiscRecorder); a medium must be in. Return what the medium is.

        Raises:
            RecorderMissing: it is not one of `recorders()`, or the device is gone.
            MediumMissing: the tray is empty.
            DiscFull: what is staged already does not fit.
        """
        if recorder not in self.recorders():
            message = f"recorder {recorder.uri} is not one of this session's"
            raise RecorderMissing(message)
        medium = recorder.probe()
        if medium is None:
            message = f"no medium is in {recorder.uri}; load one"
            raise MediumMissing(message)
        if self._staged is not None:
            _check_room(self._staged, medium)
        self._recorder, self._medium = recorder, medium
        return medium

    def active_recorder(self) -> DiscRecorder:
        """Return the selected recorder (GetActiveDiscRecorder); there is no default."""
        self.active_format()
        if self._recorder is None:
            message = "no recorder is selected"
            raise NoActiveRecorder(message)
        return self._recorder

    def advise(self, listener: ProgressListener) -> int:
        """Let a listener hear of progress (ProgressAdvise); return the cookie that ends it."""
        self._need_open()
        self._cookie += 1
        self._audience.listeners[self._cookie] = listener
        return self._cookie

    def unadvise(self, cookie: int) -> None:
        """End what `advise` began (ProgressUnadvise).

        Raises:
            KeyError: no such cookie.
        """
        self._need_open()
        del self._audience.listeners[cookie]

    @property
    def total_blocks(self) -> int:
        """Blocks the active recorder's medium can take (GetTotalDataBlocks)."""
        self.active_recorder()
        return self._medium.free_blocks if self._medium is not None else 0

    @property
    def used_blocks(self) -> int:
        """Blocks of what is staged (GetUsedDataBlocks)."""
        self._need_open()
        return 0 if self._staged is None else self._staged.blocks

    def stage(self, prepared: StoredMaster) -> None:
        """Stage a laid-out master; all or nothing.

        Raises:
            InvalidImage: something is staged already; `clear_content` is the only way back.
            DiscFull: it does not fit the medium.
        """
        self.active_recorder()
        if self._staged is not None:
            message = "content is staged already; clear it first"
            raise InvalidImage(message)
        if self._medium is not None:
            _check_room(prepared, self._medium)
        self._staged = prepared
        self._audience.notify(AddProgress(prepared.blocks, prepared.blocks))

    def clear_content(self) -> None:
        """Drop what is staged (ClearFormatContent)."""
        self._need_open()
        self._staged = None

    def record(self, options: RecordOptions, permit: Permit = _always) -> None:
        """Burn what is staged to the active recorder (RecordDisc); blocks until done.

        `permit(medium)` is called once, after preparing and before the first block; only its normal return
        allows writing. Listeners hear PreparingBurn, BlockProgress, ClosingDisc, BurnComplete. After a success
        the staged content is wiped, after a failure it is kept.

        Raises:
            NotOpened, NoActiveFormat, NoActiveRecorder, InvalidImage: a step is missing; in this order.
            BurnCancelled, MediumError, RecorderError, SourceChanged: what happened.
        """
        recorder = self.active_recorder()
        if self._staged is None:
            message = "nothing is staged"
            raise InvalidImage(message)
        try:
            recorder.record(_burn_order(self._staged, options), self._audience, permit)
            if options.eject and not options.simulate:
                recorder.eject()
        except Exception as error:
            self._audience.notify(BurnComplete(error))
            raise
        self._staged = None
        self._audience.notify(BurnComplete())

    def _need_open(self) -> None:
        if not self._is_open:
            message = "the disc master is not open"
            raise NotOpened(message)


def _burn_order(staged: StoredMaster, options: RecordOptions) -> BurnOrder:
    return BurnOrder(
        image=staged.image_path,
        size=staged.size,
        block_size=staged.block_size,
        sha256=staged.sha256,
        evidence=options.evidence,
        label=options.label,
        speed=options.speed,
        simulate=options.simulate,
    )


def _check_room(staged: StoredMaster, medium: MediumInfo) -> None:
    if staged.blocks > medium.free_blocks:
        message = f"{staged.blocks} blocks do not fit: the {medium.kind} has {medium.free_blocks} free"
        raise DiscFull(message)


@dataclass(frozen=True, slots=True)
class Listener:
    """A listener made of functions, for programs that need no class."""

    heard: Callable[[ProgressEvent], None]
    cancelled: Callable[[], bool] = lambda: False

    def notify(self, event: ProgressEvent) -> None:
        """Hear an event."""
        self.heard(event)

    def query_cancel(self) -> bool:
        """Say whether to cancel."""
        return self.cancelled()
