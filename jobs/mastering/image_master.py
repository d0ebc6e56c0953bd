"""Staging a ready-made image, which IMAPI v1 can't burn: checked, and then burnt bit for bit."""

from pathlib import Path

from jobs.errors import InvalidImage
from jobs.manifest import Entry, Manifest
from jobs.mastering.content import Content, check_room
from jobs.mastering.image import ExtentMap, as_it_is
from jobs.mastering.inspection import inspect_iso
from jobs.mastering.masters import master_key
from jobs.mastering.medium import BLOCK
from jobs.mastering.programme import Programme
from jobs.mastering.progress import AddProgress
from jobs.mastering.session import MasteringSession
from jobs.roots import ContentRoots
from jobs.scanning import scan_image
from jobs.staging import stage
from models.vocabulary import DiscFormat

#: Whoever uses the library reads what its own rights allow; orders have roots of their own.
_ANYWHERE = ContentRoots([Path("/")])


class ImageDiscMaster(Content):
    """A ready-made image of a data disc."""

    format = DiscFormat.IMAGE
    block_size = BLOCK

    def __init__(self, session: MasteringSession) -> None:
        super().__init__(session)
        self._entry: Entry | None = None

    def set_image(self, path: Path) -> None:
        """Stage an image file; it is read once, for its digest, and guarded from then on.

        Raises:
            InvalidImage: it is none, or something is staged already.
            DiscFull: it does not fit the medium.
            BurnCancelled: a listener asked for it.
        """
        self._session.check_active(self)
        self._session.check_medium()
        if not self.is_empty:
            raise InvalidImage("an image is staged already; clear it first")
        inspect_iso(path)
        scanned = scan_image(path, _ANYWHERE)
        if scanned.faults:
            raise InvalidImage("; ".join(scanned.faults))
        check_room(scanned.entries[0].size // BLOCK, self._session)
        (self._entry,) = stage(scanned.entries, _ANYWHERE, progress=self._tell).entries

    def _tell(self, done: int, total: int, _: int) -> None:
        self._session.audience.heed_cancel("adding the image")
        self._session.audience.notify(AddProgress(done, total))

    def check_complete(self) -> None:
        """Let it be burnt: an image is complete once it is staged."""

    def _has_staged(self) -> bool:
        return self._entry is not None

    def _manifest(self) -> Manifest:
        return Manifest.of([self._entry] if self._entry is not None else [])

    def _measure(self) -> int:
        return self._manifest().bytes // BLOCK

    def _lay_out(self) -> tuple[str, ExtentMap, Programme | None]:
        manifest = self._manifest()
        return master_key(manifest.sha256, DiscFormat.IMAGE), as_it_is(manifest), None

    def _drop(self) -> None:
        self._entry = None
