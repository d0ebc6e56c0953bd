"""Reads the tree that a disc shows, so that its next session can show it too."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache

from jobs.errors import InvalidImage
from jobs.mastering.inspection_iso import Faults, Found, best_tree, descriptors
from jobs.mastering.inspection_records import Malformed
from jobs.mastering.joliet_names import name_faults
from jobs.mastering.medium import BLOCK
from jobs.mastering.previous_session import EarlierEntry, PreviousSession

#: Reads blocks of a disc: (first, count).
ReadBlocks = Callable[[int, int], bytes]
#: Entries of a disc that are believed; path tables number 65,535 folders, and files are no smaller than their records.
_MOST_ENTRIES = 1_000_000
#: Blocks that are read of a disc at most: half a gigabyte of folders, more than those entries take.
_MOST_BLOCKS = 1 << 18
#: Blocks kept from reading a drive again: names that continue in another place share a few.
_KEPT_BLOCKS = 64
#: Faults named in one message.
_MOST_FAULTS = 20


def import_session(read_blocks: ReadBlocks, last_session: int, next_writable: int) -> PreviousSession:
    """Read the tree that a disc shows: that of its last session, which lists what the ones before hold too.

    Rock Ridge's names are preferred, then Joliet's. Links and devices are left out, as a manifest would.

    Args:
        read_blocks: reads the disc, whose blocks count from its start.
        last_session: the block its last session starts at.
        next_writable: the block the next one would start at; nothing lies behind it.

    Raises:
        InvalidImage: what is there is no file system, is damaged, or can't be listed in another session.
    """
    if not 0 <= last_session < next_writable:
        raise InvalidImage(f"the last session can't start at block {last_session}, the next one at {next_writable}")
    disc = _Disc(read_blocks, last_session, next_writable)
    faults = Faults(strict=False)
    try:
        volume = descriptors(disc.read_session, faults)
        tree = best_tree(volume, disc.read, next_writable * BLOCK, faults)
        entries = sorted(_entries(tree.entries()), key=lambda entry: entry.path)
        _refuse_unlistable(entries)
    except (InvalidImage, Malformed) as error:
        raise InvalidImage(f"the session at block {last_session} can't be continued: {error}") from error
    return PreviousSession(next_writable, tuple(entries))


class _Disc:
    """Reads bytes of a disc from blocks of it, up to what a tree can need."""

    def __init__(self, read_blocks: ReadBlocks, session: int, blocks: int) -> None:
        self._read_blocks, self._session, self._blocks = read_blocks, session, blocks
        self._left = _MOST_BLOCKS
        self._read_one = lru_cache(_KEPT_BLOCKS)(lambda block: self._read_run(block, 1))

    def read(self, position: int, size: int) -> bytes:
        """Return bytes from a position; fewer only at the end of what was written."""
        first, offset = divmod(position, BLOCK)
        count = min(-(-(position + size) // BLOCK), self._blocks) - first
        if count < 1:
            return b""
        data = self._read_one(first) if count == 1 else self._read_run(first, count)
        return data[offset : offset + size]

    def _read_run(self, first: int, count: int) -> bytes:
        self._left -= count
        if self._left < 0:
            raise InvalidImage("its folders take more room than any tree needs")
        data = self._read_blocks(first, count)
        if len(data) != count * BLOCK:
            raise InvalidImage(f"blocks {first} to {first + count - 1} can't be read")
        return data

    def read_session(self, position: int, size: int) -> bytes:
        """Return bytes from a position in the last session."""
        return self.read(self._session * BLOCK + position, size)


def _entries(tree: Iterable[Found]) -> Iterator[EarlierEntry]:
    for number, found in enumerate(tree):
        if number == _MOST_ENTRIES:
            raise InvalidImage(f"it has more than {_MOST_ENTRIES:,} entries")
        if any(position % BLOCK for position, _ in found.parts):
            raise InvalidImage(f"{found.path} does not start with a block")
        parts = tuple((position // BLOCK, size) for position, size in found.parts)
        yield EarlierEntry(found.path, found.folder, found.size, max(found.seconds, 0), parts)


def _refuse_unlistable(entries: Sequence[EarlierEntry]) -> None:
    """Refuse what another session could not show as it is: nothing of a disc may get lost by adding to it."""
    faults = name_faults([entry.entry for entry in entries])
    if faults:
        more = [f"and {len(faults) - _MOST_FAULTS} more"] if len(faults) > _MOST_FAULTS else []
        raise InvalidImage("its entries can't be listed again: " + "; ".join(faults[:_MOST_FAULTS] + more))
