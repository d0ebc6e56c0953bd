"""The check of a master before the first blank is used, and of ready-made images, by readers of our own."""

import os
import stat
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from jobs.errors import InvalidImage
from jobs.manifest import Entry, Manifest
from jobs.mastering.boot import BootImage
from jobs.mastering.extents import Extent, Source
from jobs.mastering.image import ExtentMap, ImageReader
from jobs.mastering.inspection_boot import check_boot
from jobs.mastering.inspection_iso import Descriptor, Faults, Found, Tree, best_tree, descriptors
from jobs.mastering.inspection_pycdlib import MOST_ENTRIES, Disc, ask_pycdlib
from jobs.mastering.inspection_records import BLOCK, Read
from jobs.mastering.inspection_udf import UdfTree, has_udf
from jobs.mastering.joliet_names import Node, plan
from jobs.mastering.opening import open_unlinked
from jobs.mastering.previous_session import PreviousSession, merged

#: Faults named in one message.
_MOST_FAULTS = 20


@dataclass(frozen=True, slots=True)
class IsoSummary:
    """What a ready-made image holds: `blocks` of 2048 bytes in all, `bytes` of its files."""

    volume_id: str
    blocks: int
    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class IsoEntry:
    """A file of a ready-made image; `mtime` in seconds since 1970, `parts` are (offset, length) in bytes."""

    path: str
    size: int
    mtime: int
    parts: tuple[tuple[int, int], ...]

    @property
    def offset(self) -> int:
        """Where the content starts; 0 for an empty file."""
        return self.parts[0][0] if self.parts else 0

    @property
    def length(self) -> int:
        """Bytes from there on that belong to the file: all of them, unless it is scattered."""
        return self.parts[0][1] if self.parts else 0


def inspect(
    image: ExtentMap,
    manifest: Manifest,
    *,
    superseded: Sequence[Entry] = (),
    boot: Sequence[BootImage] = (),
    previous: PreviousSession | None = None,
) -> None:
    """Read every tree of an image and compare it with the manifest: names, kinds, sizes, times and places.

    What else was laid out is told like to `layout`, and compared too: boot images with the catalogue, and with a
    `previous` session its files, which the image must show where they lie on the disc. Contents are not read:
    digests are compared when the image passes through.

    Raises:
        InvalidImage: the image is not what the manifest says; the message names the faults.
    """
    faults = Faults(strict=True)
    start = previous.start * BLOCK if previous is not None else 0
    _check_extents(image, faults)
    places = _check_sources(image, _wanted(manifest, boot, superseded), faults)
    entries, earlier = merged(manifest.entries, previous)
    metadata = replace(image, extents=tuple(extent for extent in image.extents if extent.source is None))
    with ImageReader(metadata) as reader:
        disc = Disc(reader, start)
        volume = descriptors(disc.read_session, faults)
        if any(descriptor.blocks != image.blocks for descriptor in volume):
            faults.add(f"the volume does not have the image's {image.blocks} blocks")
        trees: list[Tree | UdfTree] = [Tree(one, disc.read, start + image.size, faults) for one in volume]
        if [tree.name for tree in trees] != ["Rock Ridge", "Joliet"]:
            faults.add("the image does not have a tree with Rock Ridge and one of Joliet")
        udf = has_udf(disc.read_session)
        if udf and previous is not None:
            faults.add("a session that follows another has UDF, which would hide the files of that one")
        elif udf:
            trees.append(UdfTree(disc.read_session, image.blocks, faults))
        root = plan(entries, udf=udf, earlier=earlier)
        wanted = _places(places, start)
        for tree in trees:
            _compare(tree, dict(_paths(root, tree.name)), wanted, faults)
        check_boot(disc.read_session, boot, _boot_places(boot, places, start), faults)
        if len(entries) <= MOST_ENTRIES and not faults:
            ask_pycdlib(disc, start + image.size, root, faults)
    if faults:
        raise InvalidImage(_listed(faults))


def _check_extents(image: ExtentMap, faults: Faults) -> None:
    for one, following in pairwise(image.extents):
        if one.offset + one.length > following.offset:
            faults.add(f"extents overlap at byte {following.offset}")
    ends = (extent.offset + extent.length for extent in image.extents)
    if image.block_size != BLOCK or max(ends, default=0) > image.size:
        faults.add("the extents do not fit the image")


def _wanted(manifest: Manifest, boot: Sequence[BootImage], superseded: Sequence[Entry]) -> list[tuple[str, Entry]]:
    """Say what must be read for which place; files come last, as they lie behind what no tree shows."""
    return [
        *(("(boot image)", image.content) for image in boot if image.hidden),
        *((f"(superseded) {entry.path}", entry) for entry in superseded),
        *((entry.path, entry) for entry in manifest.entries if not entry.folder),
    ]


def _check_sources(image: ExtentMap, wanted: Sequence[tuple[str, Entry]], faults: Faults) -> list[tuple[str, int]]:
    """Compare which file each place is read from; return where each that is wanted lies, in bytes of the image."""
    found: defaultdict[str, list[Extent]] = defaultdict(list)
    for extent in image.extents:
        if extent.source is not None:
            found[extent.place].append(extent)
    places: list[tuple[str, int]] = []
    for place, entry in wanted:
        source = Source.of(entry)
        there = found[place]
        right = [extent for extent in there if extent.source == source and extent.length == entry.size]
        if not right:
            faults.add(f"{place} is not read from the staged file")
        taken = (right or there)[:1]
        found[place] = [extent for extent in there if extent not in taken]
        places.append((place, taken[0].offset if taken else -1))
    faults.extend(f"{place} is read, but not in the manifest" for place, left in found.items() for _ in left)
    return places


def _places(places: Sequence[tuple[str, int]], start: int) -> dict[str, int]:
    """Say where files lie on the disc; what no tree shows gives way to files whose path reads the same."""
    return {place: start + offset for place, offset in places}


def _boot_places(boot: Sequence[BootImage], places: Sequence[tuple[str, int]], start: int) -> list[int]:
    shown = _places(places, start)
    hidden = iter([start + offset for place, offset in places if place == "(boot image)"])
    return [next(hidden) if image.hidden else shown.get(image.content.path, -1) for image in boot]


def _paths(root: Node, tree: str) -> Iterator[tuple[str, Node]]:
    """Yield every entry with its path in a tree."""
    pending = [("", root)]
    while pending:
        path, folder = pending.pop()
        for node in folder.children:
            name = {"Joliet": node.joliet, "UDF": node.udf}.get(tree, node.name)
            inner = f"{path}/{name}" if path else name
            yield inner, node
            if node.folder:
                pending.append((inner, node))


def _compare(tree: Tree | UdfTree, expected: dict[str, Node], places: Mapping[str, int], faults: Faults) -> None:
    for found in tree.entries():
        node = expected.pop(found.path, None)
        if node is None:
            faults.add(f"{tree.name}: {found.path} is there, but should not be, or only once")
            continue
        wrong = _difference(found, node, places)
        if wrong:
            faults.add(f"{tree.name}: {found.path} has {wrong}")
    faults.extend(f"{tree.name}: {path} is missing" for path in expected)


def _difference(found: Found, node: Node, places: Mapping[str, int]) -> str:
    if found.folder is not node.folder:
        return "another kind"
    if found.seconds != node.seconds:
        return f"the time {found.seconds} instead of {node.seconds}"
    if found.size != node.size:
        return f"{found.size} bytes instead of {node.size}"
    if node.size and _joined(found.parts) != _expected(node, places):
        return "its content at another place"
    return ""


def _expected(node: Node, places: Mapping[str, int]) -> tuple[tuple[int, int], ...]:
    if node.parts is None:
        return ((places.get(node.path, -1), node.size),)
    return _joined((block * BLOCK, size) for block, size in node.parts)


def _joined(parts: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Join parts that follow each other without a gap."""
    joined: list[tuple[int, int]] = []
    for position, size in parts:
        if joined and sum(joined[-1]) == position:
            joined[-1] = joined[-1][0], joined[-1][1] + size
        else:
            joined.append((position, size))
    return tuple(joined)


def _listed(faults: list[str]) -> str:
    more = [f"and {len(faults) - _MOST_FAULTS} more"] if len(faults) > _MOST_FAULTS else []
    return "; ".join(faults[:_MOST_FAULTS] + more)


def inspect_iso(path: Path) -> IsoSummary:
    """Check that a file is an ISO image that can be burnt as it is, and sum up what it holds.

    Raises:
        InvalidImage: it is none, or not all of it is there.
    """
    with _opened(path) as (read, size):
        volume = _volume(read, size)
        tree = best_tree(volume, read, size, Faults(strict=False))
        sizes = [found.size for found in tree.entries() if not found.folder]
    return IsoSummary(volume[0].volume_id, size // BLOCK, len(sizes), sum(sizes))


def iso_entries(path: Path) -> Iterator[IsoEntry]:
    """Yield the files of an ISO image as its best tree shows them: Rock Ridge, else Joliet, else ISO 9660.

    Raises:
        InvalidImage: it is no image, or a folder can't be read.
    """
    with _opened(path) as (read, size):
        for found in best_tree(_volume(read, size), read, size, Faults(strict=False)).entries():
            if not found.folder:
                yield IsoEntry(found.path, found.size, found.seconds, _joined(found.parts))


def _volume(read: Read, size: int) -> list[Descriptor]:
    if not size or size % BLOCK:
        raise InvalidImage(f"{size} bytes are not a whole number of blocks of {BLOCK}")
    volume = descriptors(read, Faults(strict=False))
    if volume[0].blocks * BLOCK > size:
        raise InvalidImage(f"cut short: its volume has {volume[0].blocks} blocks, the file {size // BLOCK}")
    return volume


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Read, int]]:
    """Open an image for reading at any position; what goes wrong inside is told with its path."""
    try:
        handle = open_unlinked(str(path.absolute()))
    except OSError as error:
        raise InvalidImage(f"{path} can't be opened ({error.strerror})") from error
    try:
        yield lambda position, size: os.pread(handle, size, position), _size(handle)
    except InvalidImage as error:
        raise InvalidImage(f"{path}: {error}") from error
    except OSError as error:
        raise InvalidImage(f"{path} can't be read ({error.strerror})") from error
    finally:
        os.close(handle)


def _size(handle: int) -> int:
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):
        raise InvalidImage("it is not a file")
    return found.st_size
