"""DiscMaster: the lifecycle of a disc from open to close (IMAPI IDiscMaster), one step after the other."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self, overload

from jobs.errors import (
    AlreadyOpen,
    DiscError,
    DiscFull,
    InvalidImage,
    MediumDiffers,
    MediumNotWritable,
    MediumUnsuitable,
    NothingStaged,
    RecorderError,
    RecorderMissing,
    UnexpectedFailure,
    WrongDisc,
    WrongFormat,
)
from jobs.mastering.audience import Listener
from jobs.mastering.content import Content, check_room
from jobs.mastering.handle import RecorderHandle
from jobs.mastering.image_master import ImageDiscMaster
from jobs.mastering.joliet_master import JolietDiscMaster
from jobs.mastering.masters import StoredMaster
from jobs.mastering.medium import Family, MediumInfo, MediumStatus
from jobs.mastering.progress import BurnComplete, ProgressListener, RecordersChanged
from jobs.mastering.recorder import BurnOrder, DiscRecorder, Permit
from jobs.mastering.redbook_master import RedbookDiscMaster
from jobs.mastering.session import MasteringSession
from jobs.mastering.session_import import import_session
from jobs.mastering.stash import Stash
from models.vocabulary import DiscFormat

__all__ = ["DiscMaster", "Listener", "RecordOptions"]

log = logging.getLogger(__name__)

#: The content of each format, in the order formats are offered.
_CONTENTS: dict[DiscFormat, type[Content]] = {
    DiscFormat.JOLIET: JolietDiscMaster,
    DiscFormat.REDBOOK: RedbookDiscMaster,
    DiscFormat.IMAGE: ImageDiscMaster,
}


@dataclass(frozen=True, slots=True)
class RecordOptions:
    """How to burn.

    `evidence` is a folder of this burn alone, where what happened is kept; None: in the stash, gone with it. `label`
    names the disc for people. `simulate` does all but switch the laser on, `eject` opens the tray after a burn that
    was written and closed. `leave_open` closes the session and not the disc: another session may follow. `keep`
    leaves what is staged in place after a success: to burn after a simulation, to compare with the disc, to burn
    another one. `speed` is in multiples of 1x; None is what the recorder's properties say. Without `digest` what is
    burnt is not hashed on its way: for a disc that is read back and compared, of content that was burnt well before.
    """

    evidence: Path | None = None
    label: str = "disc"
    simulate: bool = False
    eject: bool = False
    leave_open: bool = False
    keep: bool = False
    speed: float | None = None
    digest: bool = True


def _always(_: MediumInfo) -> None:
    """Permit every burn: for programs that keep no ledger."""


class DiscMaster:
    """The mastering session of one program (IMAPI IDiscMaster).

    Steps: open, select a format, select a recorder, advise listeners, stage content, record, close. A step taken too
    early raises what IMAPI's result codes call it, the first thing that is wrong first. `recorders` is read anew at
    every enumeration: devices may come and go in it. `stash` is a folder for what is staged; None: a new one of the
    session's own. Not for use by several threads at once; calls made while it records are refused.
    """

    def __init__(self, recorders: Sequence[DiscRecorder], stash: Path | None = None) -> None:
        self._devices = recorders
        self._stash_folder = stash
        self._session = MasteringSession(lambda: Stash(stash))
        self._handles: dict[int, RecorderHandle] = {}
        self._seen: tuple[int, ...] | None = None
        self._records = 0

    def open(self) -> Self:
        """Begin a session (Open).

        Raises:
            AlreadyOpen: it was begun before; nothing changes.
        """
        if self._session.is_open:
            raise AlreadyOpen("the disc master is open already")
        self._session.is_open = True
        return self

    def close(self) -> None:
        """End the session: what was staged and not recorded is gone, and so are properties (Close). Twice is fine.

        Raises:
            Reentered: it records.
        """
        if not self._session.is_open:
            return
        self._session.check_open()
        for handle in self._handles.values():
            handle.invalidate()
        self._handles.clear()
        self._seen = None
        self._session.end()

    def __enter__(self) -> Self:
        return self if self._session.is_open else self.open()

    def __exit__(self, *_: object) -> None:
        self.close()

    def formats(self) -> Sequence[DiscFormat]:
        """List the formats there are (EnumDiscMasterFormats): IMAPI's two, and ready-made images."""
        self._session.check_open()
        return tuple(_CONTENTS)

    @overload
    def set_format(self, disc_format: Literal[DiscFormat.JOLIET]) -> JolietDiscMaster: ...
    @overload
    def set_format(self, disc_format: Literal[DiscFormat.REDBOOK]) -> RedbookDiscMaster: ...
    @overload
    def set_format(self, disc_format: Literal[DiscFormat.IMAGE]) -> ImageDiscMaster: ...
    @overload
    def set_format(self, disc_format: DiscFormat) -> Content: ...

    def set_format(self, disc_format: DiscFormat) -> Content:
        """Select a format and return what its content is staged with (SetActiveDiscMasterFormat).

        Wipes what was staged, and drops the active recorder if it can't burn the format. Listeners hear
        RecordersChanged if the format's recorders are others than the last one's.

        Raises:
            WrongFormat: the format is not one of `formats()`.
        """
        if disc_format not in self.formats():
            raise WrongFormat(f"format {disc_format} is not available; there are {', '.join(_CONTENTS)}")
        session = self._session
        session.forget_staged()
        session.format = disc_format
        session.content = _CONTENTS[disc_format](session)
        session.medium = None
        if session.recorder is not None and not _burns(session.recorder.port, disc_format):
            session.recorder = session.medium = None
        self._enumerate()
        return session.content

    def active_format(self) -> DiscFormat:
        """Return the selected format (GetActiveDiscMasterFormat).

        Raises:
            NoActiveFormat: there is none; there is no default.
        """
        return self._session.check_format()

    def recorders(self) -> Sequence[RecorderHandle]:
        """List the recorders that are there and can burn the active format (EnumDiscRecorders): a snapshot.

        Raises:
            NoActiveFormat: recorders depend on the format.
        """
        self._session.check_format()
        return self._enumerate()

    def set_recorder(self, recorder: RecorderHandle) -> MediumInfo:
        """Select a recorder (SetActiveDiscRecorder); a medium must be in. Return what the medium is.

        To be done before the first content of every image. With a data disc in that has room for a further session
        the image will continue what is on it. A recorder selected while content is staged keeps it, if it fits.

        Raises:
            RecorderMissing: it is not one of `recorders()`, or the device is gone.
            MediumMissing: the tray is empty.
            DiscFull: what is staged already does not fit.
            StashInUse: another session has the stash.
        """
        if recorder not in self.recorders():
            raise RecorderMissing(f"recorder {recorder.path} is not one of this session's; enumerate them anew")
        if self._stash_folder is not None:
            _ = self._session.stash
        medium = recorder.probe()
        session, before = self._session, (self._session.recorder, self._session.medium)
        session.recorder, session.medium = recorder, medium
        try:
            self._check_staged(recorder, medium)
        except DiscError:
            session.recorder, session.medium = before
            raise
        return medium

    def _check_staged(self, recorder: RecorderHandle, medium: MediumInfo) -> None:
        content = self._session.content
        if isinstance(content, JolietDiscMaster):
            _follow(content, recorder.port, medium)
        if content is not None and not content.is_empty:
            check_room(content.used_blocks, self._session)

    def active_recorder(self) -> RecorderHandle:
        """Return the selected recorder (GetActiveDiscRecorder); there is no default.

        Raises:
            NoActiveRecorder: none is selected.
            RecorderMissing: it was unplugged.
        """
        recorder = self._session.check_recorder()
        if recorder not in self._enumerate():
            raise RecorderMissing(f"recorder {recorder.path} is gone; enumerate the others")
        return recorder

    def advise(self, listener: ProgressListener) -> int:
        """Let a listener hear of progress (ProgressAdvise); return the cookie that ends it."""
        self._session.check_open()
        return self._session.audience.admit(listener)

    def unadvise(self, cookie: int) -> None:
        """End what `advise` began (ProgressUnadvise).

        Raises:
            NotFound: no such cookie.
        """
        self._session.check_open()
        self._session.audience.dismiss(cookie)

    def stage(self, prepared: StoredMaster) -> None:
        """Stage a master that was laid out before; see `Content.adopt`."""
        self._session.check_recorder()
        self._content.adopt(prepared)

    def clear_content(self) -> None:
        """Drop what is staged, for good (ClearFormatContent); the next image begins a disc."""
        self._session.check_open()
        self._session.forget_staged()

    def record(self, options: RecordOptions | None = None, permit: Permit = _always) -> None:
        """Burn what is staged to the active recorder (RecordDisc); blocks until done.

        `permit(medium)` is called once, after preparing and before the first block; only its normal return allows
        writing. Listeners hear what `jobs.mastering.progress` says, BurnComplete last and on every path. After a
        success the staged content is wiped, a simulation's too, unless `keep` says otherwise; after a failure or a
        cancel it is kept. The medium of a cancelled burn is spoiled if its first block was written.

        Raises:
            NotOpened, NoActiveFormat, NoActiveRecorder, TrackOpen, NothingStaged: a step is missing; in this order.
            RecorderMissing, RecorderNotAccessible, RecorderBusy: the device.
            MediumMissing, MediumUnsuitable, MediumNotWritable, WrongDisc, DiscFull: the medium; load another one and
                record again.
            BurnCancelled, MediumError, RecorderError, SourceChanged: what happened.
            UnexpectedFailure: something nobody foresaw.
        """
        session = self._session
        session.check_open()
        try:
            recorder, content = self._check_ready()
            with session.recording():
                self._burn(recorder, content, options or RecordOptions(), permit)
        except DiscError as error:
            self._end_in(error)
            raise
        except Exception as error:
            log.exception("a burn failed unexpectedly")
            unexpected = UnexpectedFailure(f"{type(error).__name__}: {error}")
            self._end_in(unexpected)
            raise unexpected from error
        if options is None or not options.keep:
            session.forget_staged()
            session.medium = None
        session.audience.notify(BurnComplete())

    def _end_in(self, error: DiscError) -> None:
        if isinstance(error, RecorderMissing):
            self._enumerate()
        self._session.audience.notify(BurnComplete(error))

    def _check_ready(self) -> tuple[RecorderHandle, Content]:
        """Check every step that a burn needs, in IMAPI's order."""
        recorder = self._session.check_recorder()
        content = self._content
        content.check_complete()
        if content.is_empty:
            raise NothingStaged("nothing is staged; add content first")
        return recorder, content

    def _burn(self, recorder: RecorderHandle, content: Content, options: RecordOptions, permit: Permit) -> None:
        with recorder.burning() as port:
            port.identify()
            self._check_medium(recorder.probe(), content)
            order = self._order(recorder, content, options)
            port.record(order, self._session.audience, permit)
        if options.eject and not options.simulate:
            _eject(port)

    def _check_medium(self, medium: MediumInfo, content: Content) -> None:
        """Look at the medium that is in now: it need not be the one that was selected, unless the image continues it.

        Raises:
            WrongDisc: it must be.
            MediumUnsuitable: audio wants a CD; and what is not blank is not written over.
            MediumNotWritable: it is closed.
            DiscFull: it has less room.
        """
        selected = self._session.medium
        if content.start and selected is not None and medium.load != selected.load:
            raise WrongDisc("the disc was changed after its sessions were read; put it back, or clear what is staged")
        if content.format is DiscFormat.REDBOOK and medium.kind.family is not Family.CD:
            raise MediumUnsuitable(f"audio can't be burnt on a {medium.kind}; load a cd-r or cd-rw")
        if medium.status is MediumStatus.COMPLETE:
            raise MediumNotWritable(
                f"the {medium.kind} in the tray is closed; load a blank one, or erase it if it can be"
            )
        if medium.used and not content.start:
            raise MediumUnsuitable(f"the {medium.kind} in the tray is not blank; erase it, or load a blank one")
        if content.burnt_blocks > medium.free_blocks:
            raise DiscFull(f"{content.burnt_blocks} blocks do not fit: the {medium.kind} has {medium.free_blocks} free")

    def _order(self, recorder: RecorderHandle, content: Content, options: RecordOptions) -> BurnOrder:
        stored, chosen = content.seal(), recorder.settings
        self._records += 1
        evidence = options.evidence or self._session.place(f"burns/{self._records}")
        return BurnOrder(
            image=stored.image_path,
            size=stored.size,
            block_size=stored.block_size,
            sha256=stored.sha256,
            evidence=evidence,
            label=options.label,
            speed=_speed(options.speed or chosen.speed, recorder.features.max_speed),
            simulate=options.simulate,
            start=content.start,
            leave_open=options.leave_open,
            programme=stored.programme,
            guard_underrun=chosen.guard_underrun != 0,
            digest=options.digest,
        )

    @property
    def _content(self) -> Content:
        self._session.check_format()
        content = self._session.content
        assert content is not None  # noqa: S101  (selecting a format makes one)
        return content

    def _enumerate(self) -> tuple[RecorderHandle, ...]:
        """Look which recorders are there for the active format, and tell listeners if these are others than before."""
        disc_format = self._session.format
        present = [device for device in self._devices if disc_format is None or _burns(device, disc_format)]
        handles = tuple(self._handle(device) for device in present)
        seen = tuple(id(device) for device in present)
        if self._seen is not None and seen != self._seen:
            self._session.audience.notify(RecordersChanged())
        self._seen = seen
        return handles

    def _handle(self, device: DiscRecorder) -> RecorderHandle:
        if id(device) not in self._handles:
            self._handles[id(device)] = RecorderHandle(device, self._session.audience)
        return self._handles[id(device)]


def _burns(device: DiscRecorder, disc_format: DiscFormat) -> bool:
    """Say whether a recorder is there and can burn a format."""
    try:
        return disc_format in device.features().formats
    except RecorderError:
        return False


def _follow(content: JolietDiscMaster, port: DiscRecorder, medium: MediumInfo) -> None:
    """Let an image continue the sessions on its medium, if there are any and another can follow."""
    previous = obstacle = None
    if medium.used and medium.status is MediumStatus.APPENDABLE:
        try:
            previous = import_session(port.read_blocks, medium.last_session, medium.next_writable)
        except (InvalidImage, MediumDiffers) as error:
            obstacle = error
    content.follow(previous, obstacle)


def _speed(wanted: float | None, largest: float | None) -> float | None:
    return wanted if wanted is None or largest is None else min(wanted, largest)


def _eject(port: DiscRecorder) -> None:
    """Open the tray; that it jams does not make a good disc a bad one."""
    try:
        port.eject()
    except DiscError:
        log.warning("the disc is written, but %s does not let go of it", port.uri, exc_info=True)
