"""The metadata of a data disc, made by pycdlib in memory: records, path tables, descriptors, and where all lies.

pycdlib makes the records, assigns the places and writes the bytes. Which record follows which in a folder, and
every date, are set here: pycdlib's own way of adding takes quadratic time, the clock and the time zone. Nothing
of pycdlib is patched, so other users of it in the same process notice nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, cast

from pycdlib import PyCdlib
from pycdlib.dr import DirectoryRecord
from pycdlib.headervd import PrimaryOrSupplementaryVD
from pycdlib.inode import Inode
from pycdlib.path_table_record import PathTableRecord
from pycdlib.rockridge import RockRidgeContinuationBlock

from jobs.mastering.joliet_dates import Dates
from jobs.mastering.joliet_names import Node, iso_order
from jobs.mastering.joliet_udf import Bridge
from jobs.mastering.medium import BLOCK

_FILE_MODE = 0o100444
_FOLDER_MODE = 0o040555
#: The most bytes of a file that one directory record can hold: whole blocks below 4 GiB.
_LARGEST_PART = 0xFFFFF800
#: Flag of a directory record that another part of the same file follows (ECMA-119, 9.1.6).
_MORE_PARTS = 0x80
#: Blocks of a volume until their number is known; pycdlib refuses to place anything beyond.
_ANY_SIZE = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Labels:
    """What a volume is called: 32 d-characters, 16 of UCS-2, more of it for UDF, and an id for UDF's volume set."""

    iso: str
    joliet: str
    udf: str
    set_id: str


@dataclass(frozen=True, slots=True)
class _Tree:
    """What differs between the trees of ISO 9660 and Joliet. `rock_ridge` is its version, or empty."""

    descriptor: PrimaryOrSupplementaryVD
    rock_ridge: str
    identifier: Callable[[Node], bytes]
    order: Callable[[Node], tuple[str, ...] | bytes]


class Volume(PyCdlib):
    """ISO 9660 with Rock Ridge, Joliet and, if asked for, UDF 1.02. Files are known by their size alone."""

    def __init__(self, root: Node, labels: Labels, *, udf: bool) -> None:
        super().__init__()
        self._track_writes = False  # the environment has no say in a layout
        self._dates = Dates()
        self._full_blocks: list[RockRidgeContinuationBlock] = []
        self.new(
            interchange_level=3,
            joliet=3,
            rock_ridge="1.09",
            udf="2.60" if udf else None,  # pycdlib's word for what is UDF 1.02
            app_ident_str="DISCMILL",
        )
        assert self.joliet_vd is not None  # noqa: S101  (it was just asked for)
        self._trees = (
            _Tree(self.pvd, self.rock_ridge, lambda node: node.iso.encode("ascii"), iso_order),
            _Tree(self.joliet_vd, "", _joliet_identifier, _joliet_identifier),
        )
        self._bridge = Bridge(self) if udf else None
        self._describe(labels, root.seconds)
        self._fill(root)

    def _describe(self, labels: Labels, newest: int) -> None:
        for tree in self._trees:
            date = self._dates.volume(newest)
            tree.descriptor.volume_creation_date = tree.descriptor.volume_effective_date = date
        self.pvd.volume_identifier = labels.iso.encode("ascii").ljust(32)
        self._trees[1].descriptor.volume_identifier = labels.joliet.ljust(16).encode("utf-16-be")
        if self._bridge is not None:
            self._bridge.describe(labels.udf, labels.set_id, self._dates, newest)

    def _fill(self, root: Node) -> None:
        inodes = {node.path: _inode(node.size) for node in root.below() if not node.folder}
        for tree in self._trees:
            self._grow(tree, root, inodes)
        if self._bridge is not None:
            self._bridge.grow(root, inodes, self._dates)
        self._inodes = inodes

    def _grow(self, tree: _Tree, root: Node, inodes: dict[str, Inode]) -> None:
        record = tree.descriptor.root_directory_record()
        for own in (record, *record.children):  # "." and ".." of the root are there from the start
            self._dates.set(own, root.seconds)
        pending = [(root, record)]
        while pending:
            folder, record = pending.pop()
            for node in sorted(folder.children, key=tree.order):
                if node.folder:
                    pending.append((node, self._add_folder(tree, node, record)))
                    self._dates.set(pending[-1][1].children[1], folder.seconds)
                else:
                    self._add_file(tree, node, record, inodes[node.path])
            _set_size(record)

    def _add_folder(self, tree: _Tree, node: Node, parent: DirectoryRecord) -> DirectoryRecord:
        volume, version, identifier = tree.descriptor, tree.rock_ridge, tree.identifier(node)
        record = DirectoryRecord()
        record.new_dir(
            volume, identifier, parent, 1, version, node.rock_ridge, BLOCK,
            rr_relocated_child=False, rr_relocated=False, xa=False, file_mode=_FOLDER_MODE, date_seconds=0,
        )  # fmt: skip
        self._append(record, parent, node.seconds)
        self._create_dot(volume, record, version, xa=False, file_mode=_FOLDER_MODE)
        self._create_dotdot(volume, record, version, relocated=False, xa=False, file_mode=_FOLDER_MODE)
        self._dates.set(record.children[0], node.seconds)
        pointer = PathTableRecord()
        pointer.new_dir(identifier)
        record.set_ptr(pointer)
        volume.add_to_ptr_size(PathTableRecord.record_length(len(identifier)))
        return record

    def _add_file(self, tree: _Tree, node: Node, parent: DirectoryRecord, inode: Inode) -> None:
        volume, identifier = tree.descriptor, tree.identifier(node)
        for start in range(0, node.size or 1, _LARGEST_PART):
            length = min(node.size - start, _LARGEST_PART)
            record = DirectoryRecord()
            record.new_file(
                volume, length, identifier, parent, 1, tree.rock_ridge, node.rock_ridge,
                xa=False, file_mode=_FILE_MODE, date_seconds=0,
            )  # fmt: skip
            record.data_extent_offset = start // BLOCK
            if start + length < node.size:
                record.file_flags |= _MORE_PARTS
            record.inode = inode
            inode.linked_records.append((record, volume is self.pvd))
            self._append(record, parent, node.seconds)

    def _append(self, record: DirectoryRecord, parent: DirectoryRecord, seconds: int) -> None:
        self._dates.set(record, seconds)
        parent.children.append(record)
        self._update_rr_ce_entry(record)
        blocks = self.pvd.rr_ce_blocks
        while len(blocks) > 1:  # pycdlib would search all blocks of long names for room, each time
            self._full_blocks.append(blocks.pop(0))

    def place(self) -> int:
        """Assign every place; return the blocks up to the end of the last file."""
        self.pvd.rr_ce_blocks[:0] = self._full_blocks
        for tree in self._trees:
            tree.descriptor.space_size = _ANY_SIZE
        self.force_consistency()
        rock_ridge = self.pvd.root_directory_record().children[0].rock_ridge
        assert rock_ridge is not None  # noqa: S101
        assert rock_ridge.dr_entries.ce_record is not None  # noqa: S101  (what the extension is called)
        end: int = rock_ridge.dr_entries.ce_record.bl_cont_area + 1
        return max([end, *(_end(inode) for inode in self._inodes.values() if inode.data_length)])

    def position_of(self, path: str) -> int:
        """Return where a file's content starts, in bytes; not for empty files."""
        return self._inodes[path].extent_location() * BLOCK

    def metadata(self, blocks: int) -> list[tuple[int, bytes]]:
        """Return the metadata of an image of so many blocks, padding included, as (position, bytes) in order."""
        for tree in self._trees:
            tree.descriptor.space_size = blocks
        if self._bridge is not None:
            self._bridge.close(blocks)
        sink = _Sink()
        self.write_fp(cast(BinaryIO, sink))
        descriptors = {tree.descriptor.extent_location() * BLOCK for tree in self._trees}
        return sorted((at, _redated(data) if at in descriptors else data) for at, data in sink.pieces)

    def release(self) -> None:
        """Cut the ties between records, so that they are freed at once: no garbage collection has to find them."""
        for inode in self._inodes.values():
            for record, _ in inode.linked_records:
                record.inode = None
            inode.linked_records.clear()
        self._inodes.clear()
        pending = [tree.descriptor.root_directory_record() for tree in self._trees]
        while pending:
            children = pending.pop().children
            pending += [record for record in children[2:] if record.isdir]
            children.clear()
        if self._bridge is not None:
            self._bridge.release()
        self.close()


def _joliet_identifier(node: Node) -> bytes:
    return node.joliet.encode("utf-16-be")


def _inode(size: int) -> Inode:
    inode = Inode()
    inode.new(size, "", manage_fp=False, offset=0)  # no file: pycdlib never reads content here
    return inode


def _end(inode: Inode) -> int:
    return inode.extent_location() + -(-inode.data_length // BLOCK)


def _set_size(folder: DirectoryRecord) -> None:
    """Give a folder, its "." and the ".." of its folders the size of its records: none crosses a block's end."""
    blocks, used = 1, 0
    for record in folder.children:
        if used + record.dr_len > BLOCK:
            blocks, used = blocks + 1, 0
        used += record.dr_len
    folder.data_length = folder.children[0].data_length = blocks * BLOCK
    if folder.is_root:
        folder.children[1].data_length = blocks * BLOCK
    for record in folder.children[2:]:
        if record.isdir:
            record.children[1].data_length = blocks * BLOCK


def _redated(descriptor: bytes) -> bytes:
    """Copy a volume descriptor's date of creation over that of modification, which pycdlib takes from the clock."""
    return descriptor[:830] + descriptor[813:830] + descriptor[847:]


class _Sink:
    """Takes what pycdlib writes, less the zeros that end each piece."""

    def __init__(self) -> None:
        self.pieces: list[tuple[int, bytes]] = []
        self._position = self._end = 0

    def seek(self, position: int, whence: int = 0) -> int:
        """Move; whence 2 is the end, as pycdlib asks for it in its last step."""
        self._position = self._end if whence else position
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def write(self, data: bytes) -> int:
        """Keep a piece."""
        kept = data.rstrip(b"\0")
        if kept:
            self.pieces.append((self._position, kept))
        self._position += len(data)
        self._end = max(self._end, self._position)
        return len(data)
