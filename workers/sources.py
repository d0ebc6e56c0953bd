"""Whether the files of an image are still what was staged: before a burn, and after one that went wrong."""

import hashlib
from collections.abc import Callable

from jobs.errors import SourceChanged
from jobs.mastering.extents import Source
from jobs.mastering.image import ExtentMap
from jobs.mastering.opening import Folders, look_at, open_unlinked

_STRIDE = 1 << 20


def check_sources(image: ExtentMap) -> None:
    """Look at each file's size, time and inode, and whether it may be read.

    Raises:
        SourceChanged: the first that is not what it was.
    """
    with Folders() as folders:
        for source in image.sources:
            try:
                found = folders.look_at(source.path)
                source.check(found)
            except OSError as error:
                raise SourceChanged(source.path, f"can't be looked at ({error.strerror})") from error
            if not folders.may_read(source.path, found):
                raise SourceChanged(source.path, "can't be read any more")


def find_changed(image: ExtentMap, progress: Callable[[int], None] = lambda _: None) -> SourceChanged:
    """Find the file because of which the image's digest is wrong, by hashing them all; see `changed`."""
    return changed(image, progress) or SourceChanged("a file of the image", "changed and changed back")


def changed(image: ExtentMap, progress: Callable[[int], None] = lambda _: None) -> SourceChanged | None:
    """Find a file that is not what was staged, by hashing them all; None if there is none.

    `progress` hears the bytes hashed so far.
    """
    done = 0

    def hashed(size: int) -> None:
        nonlocal done
        done += size
        progress(done)

    for source in image.sources:
        try:
            source.check(look_at(source.path))
            if _hash(source, hashed) != source.sha256:
                return SourceChanged(source.path, "has other content")
        except SourceChanged as changed:
            return changed
        except OSError as error:
            return SourceChanged(source.path, f"can't be read ({error.strerror})")
    return None


def _hash(source: Source, progress: Callable[[int], None]) -> str:
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(_STRIDE))
    with open(open_unlinked(source.path), "rb", buffering=0) as content:  # noqa: PTH123  (a handle, not a path)
        while count := content.readinto(buffer):
            digest.update(buffer[:count])
            progress(count)
    return digest.hexdigest()
