"""One tree of a volume, of ISO 9660 or of Joliet: its folders in the order of path tables, their size and content."""

from collections.abc import Iterator
from dataclasses import dataclass

from jobs.errors import DiscError
from jobs.mastering.joliet_dates import Made, record_date
from jobs.mastering.joliet_names import Node
from jobs.mastering.joliet_records import FOLDER, MORE_PARTS, Form, record
from jobs.mastering.medium import BLOCK

#: The most bytes of a file that one directory record can hold: whole blocks below 4 GiB.
_LARGEST_PART = 0xFFFFF800


@dataclass(slots=True, eq=False)
class Folder:
    """A folder of a tree; `parent` is the number in the path table, from 0, of the one it lies in."""

    node: Node
    parent: int
    children: list[Node]
    size: int = 0  #: bytes, in whole blocks
    continued: int = 0  #: blocks behind it, for what its records have no room for
    block: int = 0  #: where it lies, once that is known


class Tree:
    """A tree: measured when it is made, written when every place is known."""

    def __init__(self, root: Node, form: Form) -> None:
        self.form = form
        self.folders = [Folder(root, 0, [])]
        for number, folder in enumerate(self.folders):  # which grows meanwhile: level by level (ECMA-119, 6.9.1)
            folder.children = sorted(folder.node.children, key=form.order)  # type: ignore[arg-type]
            form.continuations.begin(0)
            folder.size = self._measured(folder, root=number == 0)
            folder.continued = form.continuations.blocks
            self.folders += [Folder(node, number, []) for node in folder.children if node.folder]

    def _measured(self, folder: Folder, *, root: bool) -> int:
        """Return the bytes of a folder's blocks: no record crosses the end of one (ECMA-119, 6.8.1.1)."""
        blocks, used = 1, self.form.dots_size(root=root)
        size = self.form.size
        for node in folder.children:
            length = size(node)
            for _ in range(_records(node)):
                if used + length > BLOCK:
                    blocks, used = blocks + 1, 0
                used += length
        return blocks * BLOCK

    @property
    def files(self) -> Iterator[Node]:
        """Every file, folder by folder."""
        return (node for folder in self.folders for node in folder.children if not node.folder)

    def place(self, block: int) -> int:
        """Let the folders lie one after the other from a block on; return the block behind them."""
        for folder in self.folders:
            folder.block = block
            block += folder.size // BLOCK + folder.continued
        return block

    def root_record(self) -> bytes:
        """Write the record of the root that a volume descriptor has."""
        root = self.folders[0]
        return record(b"\0", (root.block, root.size), record_date(root.node.seconds), FOLDER)

    def path_table(self, order: str) -> bytes:
        """Write the path table, its numbers "little" or "big" (ECMA-119, 9.4)."""
        rows = []
        for number, folder in enumerate(self.folders):
            identifier = self.form.identifier(folder.node) if number else b"\0"
            length = len(identifier)
            where = folder.block.to_bytes(4, order) + (folder.parent + 1).to_bytes(2, order)  # type: ignore[arg-type]
            rows.append(bytes((length, 0)) + where + identifier + bytes(length & 1))
        return b"".join(rows)

    @property
    def path_table_size(self) -> int:
        """Bytes of the path table."""
        lengths = [1, *(len(self.form.identifier(folder.node)) for folder in self.folders[1:])]
        return sum(8 + length + (length & 1) for length in lengths)

    def contents(self) -> Iterator[tuple[int, bytes]]:
        """Write each folder, as (position, bytes).

        Raises:
            DiscError: one has another size than it was measured; a fault of this program.
        """
        dates = Made(record_date)
        inner = iter(self.folders[1:])
        for folder in self.folders:
            self.form.continuations.begin(folder.block + folder.size // BLOCK)
            content = bytearray()
            for row in self._records(folder, inner, dates):
                if len(content) % BLOCK + len(row) > BLOCK:
                    content += bytes(-len(content) % BLOCK)
                content += row
            if not folder.size - BLOCK < len(content) <= folder.size:
                raise DiscError(f"{folder.node.path or 'the root'} takes {len(content)} bytes instead of {folder.size}")
            yield folder.block * BLOCK, bytes(content)
            yield from self.form.continuations.pieces

    def _records(self, folder: Folder, inner: Iterator[Folder], dates: Made) -> Iterator[bytes]:
        form, parent = self.form, self.folders[folder.parent]
        root = folder is parent
        for name, own in ((b"\0", folder), (b"\1", parent)):
            fields = form.dot_fields(own.node, root=root and name == b"\0")
            yield record(name, (own.block, own.size), dates[own.node.seconds], FOLDER, fields)
        for node in folder.children:
            identifier = form.identifier(node)
            fields, date = form.fields(node, identifier), dates[node.seconds]
            if node.folder:
                own = next(inner)
                yield record(identifier, (own.block, own.size), date, FOLDER, fields)
            elif node.parts is None and node.size <= _LARGEST_PART:
                yield record(identifier, (node.block, node.size), date, 0, fields)
            else:
                parts = parts_of(node)
                for number, part in enumerate(parts, 1):
                    yield record(identifier, part, date, MORE_PARTS if number < len(parts) else 0, fields)


def parts_of(node: Node) -> list[tuple[int, int]]:
    """Return the (block, bytes) of each record that a file needs; an empty file has one too."""
    if node.parts is not None:
        return list(node.parts) or [(0, 0)]
    starts = range(0, node.size or 1, _LARGEST_PART)
    return [(node.block + start // BLOCK, min(node.size - start, _LARGEST_PART)) for start in starts]


def _records(node: Node) -> int:
    if node.folder or (node.parts is None and node.size <= _LARGEST_PART):
        return 1
    return len(parts_of(node))
