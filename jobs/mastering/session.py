"""What the parts of a mastering session share: how far it is, and who may do what now, checked in IMAPI's order."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.errors import NoActiveFormat, NoActiveRecorder, NotOpened, Reentered, WrongFormat
from jobs.mastering.audience import Audience
from jobs.mastering.medium import MediumInfo
from jobs.mastering.stash import Stash
from models.vocabulary import DiscFormat

if TYPE_CHECKING:  # contents are built on the session
    from jobs.mastering.content import Content
    from jobs.mastering.handle import RecorderHandle


@dataclass(slots=True)
class MasteringSession:
    """The state of a `DiscMaster`: open, a format, a recorder with its medium, content; each needs those before it."""

    take_stash: Callable[[], Stash]
    audience: Audience = field(default_factory=Audience)
    is_open: bool = False
    format: DiscFormat | None = None
    content: "Content | None" = None
    recorder: "RecorderHandle | None" = None
    medium: MediumInfo | None = None
    _stash: Stash | None = None
    _recording_thread: int | None = None

    def check_open(self) -> None:
        """Refuse what needs an open session.

        Raises:
            NotOpened: it is not open.
            Reentered: it records right now; until that is over a listener's `query_cancel` is all that is heard.
        """
        if self._recording_thread is not None:
            same = self._recording_thread == threading.get_ident()
            who = "a listener" if same else "another thread"
            raise Reentered(f"{who} calls a disc master that records; answer query_cancel instead")
        if not self.is_open:
            raise NotOpened("the disc master is not open")

    def check_format(self) -> DiscFormat:
        """Return the active format.

        Raises:
            NoActiveFormat: there is none.
        """
        self.check_open()
        if self.format is None:
            raise NoActiveFormat("no format is selected")
        return self.format

    def check_active(self, content: "Content") -> None:
        """Refuse what is asked of a content that was given out before another format was selected.

        Raises:
            WrongFormat: it was.
        """
        self.check_format()
        if content is not self.content:
            raise WrongFormat("another format was selected meanwhile; use what selecting it returned")

    def check_recorder(self) -> "RecorderHandle":
        """Return the active recorder.

        Raises:
            NoActiveRecorder: there is none.
        """
        self.check_format()
        if self.recorder is None:
            raise NoActiveRecorder("no recorder is selected")
        return self.recorder

    def check_medium(self) -> MediumInfo:
        """Return the medium of the active recorder, as it was when it was selected for this image.

        Raises:
            NoActiveRecorder: none was selected since the last image was burnt.
        """
        self.check_recorder()
        if self.medium is None:
            raise NoActiveRecorder("select the recorder again: each image begins with its medium")
        return self.medium

    @property
    def room(self) -> int:
        """Blocks that the medium has for the image: a used one has none, unless the image continues what is on it."""
        medium, content = self.medium, self.content
        if medium is None or (medium.used and (content is None or not content.start)):
            return 0
        return medium.free_blocks

    @property
    def stash(self) -> Stash:
        """The session's stash, taken when it is first needed."""
        if self._stash is None:
            self._stash = self.take_stash()
        return self._stash

    def place(self, name: str) -> Path:
        """Return a place in the stash."""
        return self.stash.part(name)

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Refuse every other call meanwhile."""
        self._recording_thread = threading.get_ident()
        try:
            yield
        finally:
            self._recording_thread = None

    def forget_staged(self) -> None:
        """Remove what was staged, from the stash too."""
        if self.content is not None:
            self.content.forget()
        if self._stash is not None:
            self._stash.empty()

    def end(self) -> None:
        """Forget everything, and let go of the stash."""
        self.is_open = False
        self.format = self.content = self.recorder = self.medium = None
        if self._stash is not None:
            self._stash.close()
            self._stash = None
        self.audience.dismiss_all()
