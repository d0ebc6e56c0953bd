"""The metadata of a data disc: descriptors, path tables and trees, and where all lies."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from jobs.mastering.boot import BootImage, boot_catalogue, boot_record
from jobs.mastering.joliet_dates import NEVER, volume_date
from jobs.mastering.joliet_names import Node
from jobs.mastering.joliet_records import JolietForm, RockRidgeForm, both
from jobs.mastering.joliet_tree import Tree
from jobs.mastering.joliet_udf import FIRST_BLOCK, Bridge
from jobs.mastering.medium import BLOCK

#: Where volume descriptors start, in blocks from the start of a session (ECMA-119, 6.2.1).
_FIRST_DESCRIPTOR = 16
_PRIMARY, _SUPPLEMENTARY, _TERMINATOR = 1, 2, 255
#: UCS-2 level 3: what Joliet calls its characters in a descriptor.
_UCS_2 = b"%/E"
_APPLICATION = "DISCMILL"


@dataclass(frozen=True, slots=True)
class Labels:
    """What a volume is called: 32 d-characters, 16 of UCS-2, more of it for UDF, and an id for UDF's volume set."""

    iso: str
    joliet: str
    udf: str
    set_id: str


@dataclass(frozen=True, slots=True)
class Shape:
    """What a volume is made of besides its tree: `start` is the block its session starts at."""

    udf: bool = False
    boot: Sequence[BootImage] = ()
    start: int = 0


class Volume:
    """ISO 9660 with Rock Ridge, Joliet and, if asked for, UDF 1.02. Blocks are those of the disc."""

    def __init__(self, root: Node, labels: Labels, shape: Shape) -> None:
        self._labels, self._shape, self._root = labels, shape, root
        self._trees = (Tree(root, RockRidgeForm()), Tree(root, JolietForm()))
        self._bridge = Bridge(root, labels.udf, labels.set_id) if shape.udf else None
        self._tables: list[tuple[int, int]] = []  #: of each tree, the blocks of its path tables
        self._catalogue = 0
        self.first_content = self._place()

    def _place(self) -> int:
        """Give the metadata its place; return the block behind it."""
        block = self._shape.start + _FIRST_DESCRIPTOR + len(self._trees) + 1 + bool(self._shape.boot)
        if self._bridge is not None:
            block = self._bridge.place(FIRST_BLOCK)
        if self._shape.boot:
            self._catalogue, block = block, block + 1
        for tree in self._trees:
            blocks = -(-tree.path_table_size // BLOCK)
            self._tables.append((block, block + blocks))
            block += 2 * blocks
        for tree in self._trees:
            block = tree.place(block)
        return block

    @property
    def files(self) -> Iterator[Node]:
        """Every file, in the order in which they are listed."""
        return self._trees[0].files

    def metadata(self, blocks: int, boot_blocks: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        """Write the metadata of a session of so many blocks, padding included, as (position, bytes) in any order.

        `boot_blocks` says where each boot image lies; every file must have its place.
        """
        sectors = list(self._descriptors(blocks))
        if self._bridge is not None:
            sectors += self._bridge.recognition()
        for number, sector in enumerate(sectors, self._shape.start + _FIRST_DESCRIPTOR):
            yield number * BLOCK, sector
        if self._shape.boot:
            yield self._catalogue * BLOCK, boot_catalogue(self._shape.boot, boot_blocks)
        for tree, tables in zip(self._trees, self._tables, strict=True):
            for block, order in zip(tables, ("little", "big"), strict=True):
                yield block * BLOCK, tree.path_table(order)
            yield from tree.contents()
        if self._bridge is not None:
            yield from self._bridge.metadata(blocks)

    def _descriptors(self, blocks: int) -> Iterator[bytes]:
        yield self._descriptor(0, blocks)
        if self._shape.boot:
            yield boot_record(self._catalogue)
        yield self._descriptor(1, blocks)
        yield _head(_TERMINATOR)

    def _descriptor(self, number: int, blocks: int) -> bytes:
        """Write the primary (0) or the supplementary (1) volume descriptor (ECMA-119, 8.4 and 8.5)."""
        tree, (little, big), wide = self._trees[number], self._tables[number], bool(number)
        label = self._labels.joliet if wide else self._labels.iso
        date = volume_date(self._root.seconds)
        return b"".join((
            _head(_SUPPLEMENTARY if wide else _PRIMARY),
            b"\0",
            _text("", 32, wide=wide),
            _text(label, 32, wide=wide),
            bytes(8),
            both(blocks),
            (_UCS_2 if wide else b"").ljust(32, b"\0"),
            both(1, 2) + both(1, 2) + both(BLOCK, 2),
            both(tree.path_table_size),
            little.to_bytes(4, "little") + bytes(4) + big.to_bytes(4, "big") + bytes(4),
            tree.root_record(),
            *(_text(text, 128, wide=wide) for text in ("", "", "", _APPLICATION)),  # set, publisher, preparer
            *(_text("", 37, wide=wide) for _ in range(3)),  # files of copyright, abstract and bibliography
            date + date + NEVER + date,  # made, changed, expires, effective
            b"\1",
        ))  # fmt: skip


def _head(kind: int) -> bytes:
    return bytes((kind,)) + b"CD001\1"


def _text(text: str, size: int, *, wide: bool) -> bytes:
    """Fill a field of a volume descriptor; of an odd number of bytes, UCS-2 leaves the last one zero."""
    if wide:
        return text.ljust(size // 2).encode("utf-16-be") + bytes(size & 1)
    return text.ljust(size).encode("ascii")
