"""A drive as we speak of it: who it is, what is in it, its tray, its blocks; each an SG_IO conversation of its own.

Reading goes by blocks that are asked for and never past them: neither a device size that the kernel remembers from
before the burn nor a run-out that can't be read gets in the way.
"""

import contextlib
from collections.abc import Iterator

from jobs.errors import DiscUnreadable, MediumDiffers, MediumMissing, MediumUnsuitable, RecorderError
from jobs.mastering.medium import AUDIO_BLOCK, BLOCK, Family, MediumInfo, MediumKind, MediumStatus
from jobs.mastering.recorder import RecorderIdentity
from workers.recorders import scsi_answers as answers
from workers.recorders import scsi_commands as commands
from workers.recorders import scsi_toc as tocs
from workers.recorders.scsi import Command, ScsiDevice
from workers.recorders.scsi_answers import Configuration, DiscInformation, DiscStatus, SessionStatus
from workers.recorders.scsi_commands import Section, TocFormat
from workers.recorders.scsi_devices import stable_id
from workers.recorders.scsi_toc import Atip, Toc

#: Blocks read by one command: 64 KiB of data pass every kernel and adapter, and more gain little.
_STRIDE = 32
#: Blocks at the start of an overwritable medium that tell whether somebody has used it: ISO 9660 and UDF begin there.
_HEAD = 32
#: Seconds that a drive may take to get ready with a medium that it just took in.
_SPIN_UP = 60.0
#: The track that can be written next, on CD.
_NEXT_TRACK = 0xFF
#: A BD-R larger than this has two layers.
_ONE_LAYER = MediumKind.BD_R.capacity * 3 // 2


class ScsiDrive:
    """A drive that answers. Every method may raise RecorderMissing and RecorderStalled, and what it names."""

    def __init__(self, device: ScsiDevice) -> None:
        self._device = device

    def close(self) -> None:
        """Let go of the device."""
        self._device.close()

    # Who it is.

    def identify(self) -> RecorderIdentity:
        """Say which device this is."""
        said = answers.parse_inquiry(self._device.call(commands.inquiry()))
        serial = answers.parse_serial_page(self._device.ask(commands.serial_page()) or b"")
        serial = serial or self.configuration().serial
        device_id = stable_id("", said.vendor, said.product, serial)
        return RecorderIdentity(said.vendor, said.product, said.revision, serial, device_id)

    def configuration(self) -> Configuration:
        """Say what the drive can do, and what kind of medium is in."""
        return answers.parse_configuration(self._device.call(commands.get_configuration()))

    def write_speeds(self) -> tuple[int, ...]:
        """Return the speeds it writes the medium at, in bytes a second, fastest first; empty if it does not say."""
        told = self._device.ask(commands.get_performance())
        speeds = answers.parse_performance(told or b"")
        return speeds or answers.parse_capabilities(self._device.ask(commands.mode_sense(0x2A)) or b"")

    # What is in it.

    def wait_until_ready(self, patience: float = _SPIN_UP) -> bool:
        """Wait until the medium can be used, or until patience ends; False if there is none.

        Raises:
            DiscUnreadable, RecorderBusy: it can't be used.
        """
        ready = commands.unit_ready()
        answer = self._device.wait_until(ready, patience)
        if answer.sense is None:
            return True
        error = answer.sense.error(ready.doing)
        if isinstance(error, MediumMissing):
            return False
        raise error

    def medium(self, load: str = "", patience: float = _SPIN_UP) -> MediumInfo | None:
        """Say what is in the tray; None if nothing is. `load` is what the caller knows the medium change by.

        A disc that is read only is complete, whatever it once was.

        Raises:
            MediumUnsuitable: it is a medium that nobody writes.
            DiscUnreadable, RecorderBusy: the drive can't say.
        """
        if not self.wait_until_ready(patience):
            return None
        configuration = self.configuration()
        kind = configuration.kind or answers.READ_ONLY.get(configuration.current)
        if kind is None:
            message = f"nobody writes the kind of disc that is in the tray (profile {configuration.current:#x})"
            raise MediumUnsuitable(message)
        disc = answers.parse_disc_information(self._device.call(commands.read_disc_information()))
        if configuration.current in answers.OVERWRITABLE:
            return self._overwritable(kind, load)
        return self._sequential(kind, disc, load)

    def _overwritable(self, kind: MediumKind, load: str) -> MediumInfo:
        formatted, sizes = answers.parse_formats(self._device.ask(commands.read_format_capacities()) or b"")
        capacity = sizes[0].blocks if sizes else 0
        used = formatted and any(self._device.ask(commands.read_blocks(0, _HEAD)) or b"")
        return MediumInfo(
            kind, MediumStatus.OVERWRITABLE, capacity, capacity, used, sessions=int(used), tracks=int(used), load=load
        )

    def _sequential(self, kind: MediumKind, disc: DiscInformation, load: str) -> MediumInfo:
        status = _status(disc)
        open_ended = status is MediumStatus.APPENDABLE
        number = _NEXT_TRACK if kind.family is Family.CD else disc.last_track
        track = answers.parse_track_information(self._device.ask(commands.read_track_information(number)) or b"")
        writable = status is not MediumStatus.COMPLETE and track.next_writable is not None
        free, start = (track.free_blocks, track.next_writable or 0) if writable else (0, 0)
        capacity = self._capacity(kind, start + free)
        return MediumInfo(
            kind=MediumKind.BD_R_DL if kind is MediumKind.BD_R and capacity > _ONE_LAYER else kind,
            status=status,
            capacity=capacity,
            free_blocks=free,
            used=status is not MediumStatus.BLANK,
            sessions=0 if status is MediumStatus.BLANK else disc.sessions - open_ended,
            next_writable=start,
            last_session=self._last_session(status),
            tracks=0 if status is MediumStatus.BLANK else disc.last_track - open_ended,
            load=load,
            disc_id=disc.disc_id,
        )

    def _capacity(self, kind: MediumKind, writable: int) -> int:
        if kind.family is Family.CD:
            atip = self.atip()
            if atip is not None:
                return atip.capacity
        return writable or answers.parse_capacity(self._device.ask(commands.read_capacity()) or b"")

    def _last_session(self, status: MediumStatus) -> int:
        if status is MediumStatus.BLANK:
            return 0
        return tocs.parse_last_session(self._device.ask(commands.read_toc(TocFormat.SESSIONS)) or b"")

    def has_new_medium(self) -> bool:
        """Say whether a medium came in since this was last asked, as far as nobody else asked in between."""
        told = answers.parse_media_event(self._device.ask(commands.get_media_event()) or b"")
        return told.event == answers.NEW_MEDIUM

    def readable_blocks(self) -> int:
        """Return how many blocks can be read, as the drive counts: a CD's run-out may be among them."""
        return answers.parse_capacity(self._device.ask(commands.read_capacity()) or b"")

    def media_id(self, kind: MediumKind) -> str:
        """Say who made the medium, as its lead-in or groove tells; empty if it does not."""
        if kind.family is Family.CD:
            atip = self.atip()
            return atip.lead_in if atip else ""
        what = {MediumKind.DVD_R: 0x0E, MediumKind.DVD_RW: 0x0E, MediumKind.DVD_R_DL: 0x0E}.get(kind, 0x11)
        blu_ray = kind.family is Family.BD
        question = commands.read_disc_structure(0, 0 if blu_ray else what, blu_ray=blu_ray)
        return answers.parse_media_id(self._device.ask(question) or b"", kind)

    def atip(self) -> Atip | None:
        """Say what a recordable CD's groove tells; None if it tells nothing."""
        return tocs.parse_atip(self._device.ask(commands.read_toc(TocFormat.ATIP)) or b"")

    def toc(self) -> Toc:
        """Say where tracks start, those of all closed sessions.

        Raises:
            DiscUnreadable: it can't be read.
        """
        full = self._device.ask(commands.read_toc(TocFormat.FULL))
        toc = tocs.parse_full_toc(full) if full else tocs.parse_toc(self._told(TocFormat.TRACKS))
        if not toc.tracks:
            raise DiscUnreadable("the disc has no table of contents that can be read")
        return toc

    def _told(self, what: TocFormat) -> bytes:
        return self._device.ask(commands.read_toc(what)) or b""

    def cd_text(self) -> bytes:
        """Return the packs of CD-TEXT of the lead-in; empty if there are none."""
        return tocs.parse_cd_text(self._told(TocFormat.CD_TEXT))

    def mcn(self) -> str:
        """Return the media catalogue number; empty if the disc has none."""
        return tocs.parse_mcn(self._device.ask(commands.read_subchannel(Section.MCN)) or b"")

    def isrc(self, track: int) -> str:
        """Return a track's ISRC; empty if it has none."""
        return tocs.parse_isrc(self._device.ask(commands.read_subchannel(Section.ISRC, track)) or b"")

    # Its tray.

    def open_tray(self) -> None:
        """Unlock the tray and open it.

        Raises:
            RecorderBusy: it is locked by somebody else.
        """
        self.lock_tray(locked=False)
        self._device.call(commands.start_stop(start=False, load_or_eject=True))

    def close_tray(self) -> None:
        """Close the tray."""
        self._device.call(commands.start_stop(start=True, load_or_eject=True))

    def lock_tray(self, *, locked: bool) -> None:
        """Keep the tray from being opened, by its button too; or let it."""
        self._device.call(commands.prevent_removal(prevent=locked))

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep the tray closed for a while; a drive that is gone meanwhile has no lock to be opened."""
        self.lock_tray(locked=True)
        try:
            yield
        finally:
            with contextlib.suppress(RecorderError):
                self.lock_tray(locked=False)

    def stop(self) -> None:
        """Let the disc come to rest."""
        self._device.call(commands.start_stop(start=False, load_or_eject=False))

    # Its blocks.

    def read(self, first: int, size: int) -> Iterator[bytes]:
        """Yield `size` bytes of data from a block on, in pieces of at most 64 KiB.

        Raises:
            MediumDiffers: a block can't be read; the message names it.
        """
        yield from self._pieces(first, size, BLOCK)

    def read_audio(self, first: int, size: int) -> Iterator[bytes]:
        """Yield `size` bytes of samples from an audio block on.

        Raises:
            MediumDiffers: a block can't be read, or is no audio.
        """
        yield from self._pieces(first, size, AUDIO_BLOCK)

    def _pieces(self, first: int, size: int, block: int) -> Iterator[bytes]:
        stride = _STRIDE if block == BLOCK else _STRIDE * BLOCK // AUDIO_BLOCK
        for done in range(0, size, stride * block):
            wanted = min(stride * block, size - done)
            yield self._blocks(first + done // block, -(-wanted // block), block)[:wanted]

    def _blocks(self, first: int, count: int, block: int) -> bytes:
        """Read blocks; where that fails, halves of them, so that a bad one is named and its neighbours are not."""
        try:
            return self._whole(_reading(first, count, block))
        except MediumDiffers as error:
            if count == 1:
                raise MediumDiffers(f"block {first} can't be read: {error.message}") from error
        half = count // 2
        return self._blocks(first, half, block) + self._blocks(first + half, count - half, block)

    def _whole(self, command: Command) -> bytes:
        data = self._device.call(command)
        if len(data) != command.receive:
            raise MediumDiffers(f"the drive gave {len(data)} of {command.receive} bytes")
        return data


def _reading(first: int, count: int, block: int) -> Command:
    return commands.read_blocks(first, count) if block == BLOCK else commands.read_audio(first, count)


def _status(disc: DiscInformation) -> MediumStatus:
    """Say what can be done with a disc; one whose last session was broken off is as good as full."""
    if disc.status is DiscStatus.EMPTY:
        return MediumStatus.BLANK
    if disc.status is DiscStatus.INCOMPLETE and disc.last_session is SessionStatus.EMPTY:
        return MediumStatus.APPENDABLE if disc.sessions > 1 else MediumStatus.BLANK
    return MediumStatus.COMPLETE
