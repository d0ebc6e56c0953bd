"""The UDF side of a data disc's metadata: what pycdlib leaves to chance, or to the clock, is set here."""

from pycdlib import PyCdlib
from pycdlib.inode import Inode
from pycdlib.udf import UDFFileEntry, UDFFileIdentifierDescriptor

from jobs.mastering.joliet_dates import Dates
from jobs.mastering.joliet_names import Node
from jobs.mastering.medium import BLOCK


class Bridge:
    """The UDF 1.02 tree of a volume that pycdlib was asked to make with UDF."""

    def __init__(self, volume: PyCdlib) -> None:
        assert volume.udf_root is not None  # noqa: S101  (made with the volume)
        self._volume = volume
        self._root: UDFFileEntry = volume.udf_root
        self._folders: list[tuple[UDFFileEntry, UDFFileEntry]] = []  # each with its parent
        self._files = 0

    def describe(self, label: str, set_id: str, dates: Dates, newest: int) -> None:
        """Name and date the descriptors; `set_id` is what no other volume set should have."""
        volume, stamp = self._volume, dates.stamp(newest)
        for sequence in (volume.udf_main_descs, volume.udf_reserve_descs):
            primary = sequence.pvds[0]
            primary.vol_ident, primary.vol_set_ident = _dstring(label, 32), _dstring(set_id, 128)
            primary.recording_date = stamp
            sequence.logical_volumes[0].logical_vol_ident = _dstring(label, 128)
            sequence.impl_use[0].impl_use.log_vol_ident = _dstring(label, 128)
        volume.udf_file_set.log_vol_ident = _dstring(label, 128)
        volume.udf_file_set.file_set_ident = _dstring(label, 32)
        volume.udf_file_set.recording_date = stamp
        integrity = volume.udf_logical_volume_integrity
        assert integrity is not None  # noqa: S101  (made with the volume)
        integrity.recording_date = stamp

    def grow(self, root: Node, inodes: dict[str, Inode], dates: Dates) -> None:
        """Put the entries below `root` into the tree."""
        _set_date(self._root, root.seconds, dates)
        pending = [(root, self._root)]
        while pending:
            folder, parent = pending.pop()
            for node in folder.children:
                entry = _add(node, parent)
                _set_date(entry, node.seconds, dates)
                if node.folder:
                    self._folders.append((entry, parent))
                    pending.append((node, entry))
                else:
                    self._files += 1
                    _link(entry, inodes[node.path])

    def close(self, blocks: int) -> None:
        """Let the partition end just before the image's last block, which gets the second anchor."""
        volume = self._volume
        main, reserve = volume.udf_main_descs, volume.udf_reserve_descs
        volume.udf_anchors[-1].set_extent_location(
            blocks - 1, main.pvds[0].extent_location(), reserve.pvds[0].extent_location()
        )
        start = main.partitions[0].part_start_location
        main.partitions[0].part_length = reserve.partitions[0].part_length = blocks - 1 - start
        integrity = volume.udf_logical_volume_integrity
        assert integrity is not None  # noqa: S101  (made with the volume)
        integrity.size_tables[0] = blocks - 1 - start
        integrity.logical_volume_impl_use.num_files = self._files
        integrity.logical_volume_impl_use.num_dirs = 1 + len(self._folders)
        self._root.unique_id = 0
        for entry, parent in self._folders:  # pycdlib points every ".." to the root
            place = parent.extent_location()
            next(iter(entry.fi_descs.values())).set_icb(place, place - start)

    def release(self) -> None:
        """Cut the ties between descriptors; see `Volume.release`."""
        for entry in (self._root, *(entry for entry, _ in self._folders)):
            for identifier in entry.fi_descs.values():
                if identifier.file_entry is not None:
                    identifier.file_entry.file_ident = None
                    identifier.file_entry = None
            entry.fi_descs.clear()


def _add(node: Node, parent: UDFFileEntry) -> UDFFileEntry:
    identifier = UDFFileIdentifierDescriptor()
    identifier.new(node.folder, isparent=False, name=node.udf.encode(), parent=parent)
    parent.add_file_ident_desc(identifier, BLOCK)
    entry = UDFFileEntry()
    entry.new(node.size, "dir" if node.folder else "file", parent, BLOCK)
    identifier.file_entry, entry.file_ident = entry, identifier
    if node.folder:
        up = UDFFileIdentifierDescriptor()
        up.new(isdir=True, isparent=True, name=b"", parent=parent)
        entry.add_file_ident_desc(up, BLOCK)
    return entry


def _link(entry: UDFFileEntry, inode: Inode) -> None:
    entry.inode = inode
    inode.linked_records.append((entry, False))
    inode.num_udf += 1


def _set_date(entry: UDFFileEntry, seconds: int, dates: Dates) -> None:
    entry.access_time = entry.mod_time = entry.attr_time = dates.stamp(seconds)


def _dstring(text: str, size: int) -> bytes:
    """Write a text in a field of `size` bytes: compression id, characters, zeros, length (UDF 1.02, 2.1.3)."""
    try:
        body = b"\x08" + text.encode("latin-1")
    except UnicodeEncodeError:
        body = b"\x10" + text[: (size - 2) // 2].encode("utf-16-be")
    body = body[: size - 1]
    return body.ljust(size - 1, b"\0") + bytes([len(body)])
