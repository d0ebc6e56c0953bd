"""What is staged in a mastering session, whatever its format: append-only, and gone only as a whole."""

from abc import ABC, abstractmethod

from jobs.errors import BurnCancelled, DiscFull, InvalidImage, WrongFormat
from jobs.mastering.checksums import take_checksums
from jobs.mastering.image import ExtentMap
from jobs.mastering.masters import MasterStore, StoredMaster
from jobs.mastering.medium import AUDIO_BLOCK
from jobs.mastering.programme import Programme
from jobs.mastering.progress import AddProgress
from jobs.mastering.session import MasteringSession
from models.vocabulary import DiscFormat


class Content(ABC):
    """The staged content of one format; what `DiscMaster.set_format` returns is one of these."""

    format: DiscFormat
    #: Bytes of a block.
    block_size: int

    def __init__(self, session: MasteringSession) -> None:
        self._session = session
        self._adopted: StoredMaster | None = None

    @property
    def is_empty(self) -> bool:
        """True if nothing is staged."""
        return self._adopted is None and not self._has_staged()

    @property
    def used_blocks(self) -> int:
        """Blocks of the image that is staged, padding included; 0 if there is none."""
        self._session.check_active(self)
        if self._adopted is not None:
            return self._adopted.blocks
        return self._measure() if self._has_staged() else 0

    @property
    def start(self) -> int:
        """The block of the disc that the image is laid out for; 0 begins a disc, anything else continues one."""
        return 0

    @property
    def burnt_blocks(self) -> int:
        """Blocks that are going to be written."""
        return self._adopted.blocks if self._adopted is not None else self._measure()

    @property
    def total_blocks(self) -> int:
        """Blocks that the active recorder's medium has for the image."""
        self._session.check_active(self)
        self._session.check_medium()
        return self._session.room

    @property
    def available_blocks(self) -> int:
        """Blocks that are left."""
        return max(0, self.total_blocks - self.used_blocks)

    def adopt(self, master: StoredMaster) -> None:
        """Stage a master that was laid out before; all or nothing.

        Raises:
            InvalidImage: something is staged already; clearing it is the only way back.
            WrongFormat: it is audio and the format is data, or the other way round.
            DiscFull: it does not fit the medium.
        """
        self._session.check_active(self)
        self._session.check_medium()
        if not self.is_empty:
            raise InvalidImage("content is staged already; clear it first")
        if (master.block_size == AUDIO_BLOCK) is not (self.block_size == AUDIO_BLOCK):
            raise WrongFormat(f"a master with blocks of {master.block_size} bytes is none of this format")
        check_room(master.blocks, self._session)
        self._adopted = master
        self._session.audience.notify(AddProgress(master.blocks, master.blocks))

    def seal(self) -> StoredMaster:
        """Return what is staged as a master that can be burnt: laid out, checked and summed.

        Raises:
            SourceChanged: a source is not what was staged.
            BurnCancelled: a listener asked for it.
        """
        if self._adopted is not None:
            return self._adopted
        key, image, programme = self._lay_out()
        store = MasterStore(self._session.place("masters"))
        stored = store.get(key)
        if stored is None:
            checksums = take_checksums(image, self._heed_cancel)
            stored = store.put(key, image, checksums, programme)
        return stored

    @abstractmethod
    def check_complete(self) -> None:
        """Refuse to burn what is not finished; raises what says why."""

    def forget(self) -> None:
        """Drop everything that was staged."""
        self._adopted = None
        self._drop()

    def _heed_cancel(self, _: int) -> None:
        if self._session.audience.query_cancel():
            raise BurnCancelled("the burn was called off before it began")

    @abstractmethod
    def _has_staged(self) -> bool:
        """Say whether anything was staged piece by piece."""

    @abstractmethod
    def _measure(self) -> int:
        """Return the blocks of what was staged piece by piece."""

    @abstractmethod
    def _lay_out(self) -> tuple[str, ExtentMap, Programme | None]:
        """Lay out what was staged piece by piece; return its key, its image and, of audio, its programme."""

    @abstractmethod
    def _drop(self) -> None:
        """Drop what was staged piece by piece."""


def check_room(blocks: int, session: MasteringSession) -> None:
    """Refuse what does not fit the medium of the active recorder.

    Raises:
        DiscFull: it has less room.
    """
    medium = session.medium
    if medium is None or blocks <= session.room:
        return
    if session.room < medium.free_blocks:
        message = f"the {medium.kind} in the tray is used, and what is staged does not continue it; load a blank one"
        raise DiscFull(message)
    raise DiscFull(f"{blocks} blocks do not fit: the {medium.kind} has {medium.free_blocks} free")
