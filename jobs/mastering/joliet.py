"""The master of a data disc: ISO 9660 with Rock Ridge, Joliet and UDF as an extent map; nothing is read or written."""

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import attrgetter

from jobs.errors import BadName, BootNeedsBlankDisc, DiscError, DiscFull, Faults, InvalidImage, OrderError
from jobs.manifest import Entry, Manifest
from jobs.mastering.boot import BootImage, boot_faults
from jobs.mastering.extents import Extent, Source
from jobs.mastering.image import ExtentMap
from jobs.mastering.joliet_names import name_faults, plan, second
from jobs.mastering.joliet_volume import Labels, Shape, Volume
from jobs.mastering.medium import BLOCK, Family
from jobs.mastering.previous_session import PreviousSession, merged

__all__ = ["LAYOUT_VERSION", "LayoutOptions", "default_volume_id", "layout", "name_faults"]

#: Raised whenever the same manifest and options would give other bytes than before: cached maps go stale.
LAYOUT_VERSION = 2
#: Bytes of the largest file that has one record only, which every reader of ISO 9660 handles.
_LARGEST_SIMPLE_FILE = 0xFFFFFFFF
#: Bytes of the largest disc there is, BD-R XL with four layers; beyond twice of it UDF would need another form.
_LARGEST_DISC = 128_001_769_472
#: Blocks of the shortest track that a CD may have: four seconds (Orange Book); drives differ in how they pad.
_SHORTEST_TRACK = 300
#: Bytes between two pieces of metadata up to which zeros are kept rather than another extent begun.
_SMALL_GAP = 512
#: Characters of a volume id in ISO 9660 and in Joliet.
_LONGEST_ID, _LONGEST_JOLIET_ID = 32, 16
#: Faults named in one message.
_MOST_FAULTS = 20


@dataclass(frozen=True, slots=True)
class LayoutOptions:
    """What besides the manifest decides an image's bytes.

    `udf` adds UDF 1.02 or leaves it out; None adds it for a file above 4 GiB - 1 byte, and for BD, but not to a
    disc that has sessions already. Of the `boot` images the first is the default.
    """

    family: Family
    volume_id: str
    udf: bool | None = None
    boot: tuple[BootImage, ...] = ()

    @property
    def canonical(self) -> str:
        """The options and the layout's version as canonical JSON, for the keys of caches."""
        value = {"family": self.family, "layout": LAYOUT_VERSION, "udf": self.udf, "volume_id": self.volume_id}
        boot = {"boot": [image.canonical for image in self.boot]} if self.boot else {}
        return json.dumps(value | boot, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    def bridges(self, entries: Iterable[Entry]) -> bool:
        """Say whether an image of these entries gets UDF."""
        if self.udf is not None:
            return self.udf
        return self.family is Family.BD or any(entry.size > _LARGEST_SIMPLE_FILE for entry in entries)


def layout(
    manifest: Manifest,
    options: LayoutOptions,
    *,
    superseded: Sequence[Entry] = (),
    previous: PreviousSession | None = None,
) -> ExtentMap:
    """Lay a manifest out: the same bytes for the same arguments, wherever, whenever and however often.

    `superseded` are files whose bytes stay in the image, though no tree names them. With a `previous` session the
    image is the one that follows it on its disc, and shows its files too: metadata has the blocks of the disc, the
    extents count from the start of the image.

    The volume's size counts the padding, so that `isosize` and the image agree. Deep folders stay where they are:
    ECMA-119 ends at eight levels, but no reader of today does, and moved ones (RR_MOVED) show up as a stray folder.

    Raises:
        InvalidImage: nothing is staged.
        DiscFull: no disc of any kind could hold it.
        BadName: an entry's name or place is not possible on a disc; see `name_faults`.
        Faults: the boot images have some; see `boot_faults`.
        BootNeedsBlankDisc: boot images are to go behind a previous session.
        OrderError: UDF is asked for behind a previous session.
        AlreadyStaged: a file would take the place of an earlier session's folder, or the other way round.
    """
    _refuse_impossible(manifest, options, superseded, previous)
    udf = options.bridges(manifest.entries) if previous is None else False
    entries, earlier = merged(manifest.entries, previous)
    _refuse_names(entries)
    root = plan(entries, udf=udf, earlier=earlier)
    start = previous.start if previous is not None else 0
    volume = Volume(root, _labels(manifest, options, udf=udf), Shape(udf, options.boot, start))
    contents = _Contents(volume, options.boot, superseded)
    blocks = _padded(contents.end - start, options.family)
    pieces = sorted(volume.metadata(blocks, contents.boot_blocks))
    extents = [*_merge(pieces), *contents.extents(start + blocks)]
    image = ExtentMap(BLOCK, blocks, tuple(_from_start(extents, start * BLOCK)))
    _check(image)
    return image


def _refuse_impossible(
    manifest: Manifest, options: LayoutOptions, superseded: Sequence[Entry], previous: PreviousSession | None
) -> None:
    if not manifest.entries:
        raise InvalidImage("nothing is staged")
    hidden = (image.content for image in options.boot if image.hidden)
    total = manifest.bytes + sum(entry.size for entry in (*superseded, *hidden))
    if total > _LARGEST_DISC:
        raise DiscFull(f"{total} bytes are more than any disc holds ({_LARGEST_DISC})")
    if previous is not None and options.boot:
        raise BootNeedsBlankDisc("a disc that has sessions can't be made bootable; use a blank one, or no boot image")
    if previous is not None and options.udf:
        raise OrderError("UDF can't show what earlier sessions hold; leave it out, or use a blank disc")
    faults = boot_faults(options.boot, manifest.entries)
    if faults:
        raise Faults("the boot images can't be used", faults)


def _refuse_names(entries: Sequence[Entry]) -> None:
    faults = name_faults(entries)
    if faults:
        more = [f"and {len(faults) - _MOST_FAULTS} more"] if len(faults) > _MOST_FAULTS else []
        raise BadName("; ".join(faults[:_MOST_FAULTS] + more))


def default_volume_id(title: str) -> str:
    """Make a volume id of a title: capital letters, digits and single "_", at most 32 characters.

    >>> default_volume_id("My Photos/2026")
    'MY_PHOTOS_2026'
    """
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().upper()
    return re.sub("[^A-Z0-9]+", "_", plain)[:_LONGEST_ID].strip("_") or "DISC"


_OFFSET = attrgetter("offset")
_NOT_IN_JOLIET = re.compile("[\x00-\x1f\x7f\ud800-\udfff\U00010000-\U0010ffff]")


def _labels(manifest: Manifest, options: LayoutOptions, *, udf: bool) -> Labels:
    wide = _NOT_IN_JOLIET.sub("_", options.volume_id or default_volume_id(""))
    return Labels(
        iso=re.sub("[^A-Z0-9_]", "_", wide.upper())[:_LONGEST_ID],
        joliet=wide[:_LONGEST_JOLIET_ID],
        udf=wide,
        set_id=_content_id(manifest) if udf else "",
    )


def _content_id(manifest: Manifest) -> str:
    """Name what the disc will show: 16 hexadecimal digits, whatever place the content was staged from."""
    digest = hashlib.sha256()
    for entry in manifest.entries:
        digest.update(f"{entry.path}\0{entry.folder}\0{second(entry.mtime_ns)}\0{entry.sha256}\0".encode())
    return digest.hexdigest()[:16]


def _padded(end: int, family: Family) -> int:
    blocks = end + family.padding
    if family is Family.CD:
        blocks = max(blocks, _SHORTEST_TRACK)
    return -(-blocks // family.rounding) * family.rounding


class _Contents:
    """Gives what is read from files its place, behind the metadata.

    What no tree shows comes first: 7-Zip takes what follows the last file of a UDF volume for a damaged header.
    """

    def __init__(self, volume: Volume, boot: Sequence[BootImage], superseded: Sequence[Entry]) -> None:
        self._placed: list[tuple[int, Entry, str]] = []
        self._empty: list[tuple[Entry, str]] = []
        self.end = volume.first_content  #: the block behind the last content
        booting = {image.content.path: 0 for image in boot}
        hidden = [self._place(image.content, "(boot image)") if image.hidden else 0 for image in boot]
        for entry in superseded:
            self._place(entry, f"(superseded) {entry.path}")
        for node in volume.files:
            if node.parts is None and node.entry is not None:
                node.block = self._place(node.entry, node.path)
                if node.path in booting:
                    booting[node.path] = node.block
        self.boot_blocks = [block or booting[image.content.path] for image, block in zip(boot, hidden, strict=True)]

    def _place(self, entry: Entry, place: str) -> int:
        if not entry.size:
            self._empty.append((entry, place))
            return 0
        block = self.end
        self._placed.append((block, entry, place))
        self.end += -(-entry.size // BLOCK)
        return block

    def extents(self, end: int) -> Iterator[Extent]:
        """Say where each file lies. Empty ones lie at the image's end: they are guarded, and in nobody's way."""
        for block, entry, place in (*self._placed, *((end, entry, place) for entry, place in self._empty)):
            yield Extent(block * BLOCK, entry.size, Source.of(entry), place=place)


def _from_start(extents: Sequence[Extent], start: int) -> list[Extent]:
    """Sort extents, and count their bytes from the start of the session."""
    moved = [extent._replace(offset=extent.offset - start) for extent in extents] if start else extents
    return sorted(moved, key=_OFFSET)


def _merge(pieces: Iterable[tuple[int, bytes]]) -> Iterator[Extent]:
    """Join pieces of metadata that lie close together; what lies between them is zeros."""
    start, run = 0, bytearray()
    for position, data in pieces:
        gap = position - (start + len(run))
        if gap < 0:
            raise DiscError(f"metadata is written twice at byte {position}")
        if run and gap > _SMALL_GAP:
            yield Extent(start, len(run), data=bytes(run))
            run.clear()
        if run:
            run += bytes(gap)
        else:
            start = position
        run += data
    yield Extent(start, len(run), data=bytes(run))


def _check(image: ExtentMap) -> None:
    """Refuse what would read wrong.

    Raises:
        DiscError: extents overlap or leave the image; a fault of this program.
    """
    for one, next_one in pairwise(image.extents):
        if one.offset + one.length > next_one.offset:
            raise DiscError(f"{one.place or 'metadata'} overlaps {next_one.place or 'metadata'}")
    first, last = image.extents[0], image.extents[-1]
    if first.offset < 0 or last.offset + last.length > image.size:
        raise DiscError(f"extents from {first.offset} to {last.offset + last.length} leave the image of {image.size}")
