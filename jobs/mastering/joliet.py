"""The master of a data disc: ISO 9660 with Rock Ridge, Joliet and UDF as an extent map; nothing is read or written."""

import gc
import hashlib
import json
import re
import threading
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

from jobs.errors import BadName, DiscError, DiscFull, InvalidImage
from jobs.manifest import Entry, Manifest
from jobs.mastering.image import Extent, ExtentMap, Source
from jobs.mastering.joliet_names import name_faults, plan, second
from jobs.mastering.joliet_volume import Labels, Volume
from jobs.mastering.medium import BLOCK, Family

__all__ = ["LAYOUT_VERSION", "LayoutOptions", "default_volume_id", "layout", "name_faults"]

#: Raised whenever the same manifest and options would give other bytes than before: cached maps go stale.
LAYOUT_VERSION = 1
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

    `udf` adds UDF 1.02 or leaves it out; None adds it for a file above 4 GiB - 1 byte, and for BD.
    """

    family: Family
    volume_id: str
    udf: bool | None = None

    @property
    def canonical(self) -> str:
        """The options and the layout's version as canonical JSON, for the keys of caches."""
        value = {"family": self.family, "layout": LAYOUT_VERSION, "udf": self.udf, "volume_id": self.volume_id}
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    def bridges(self, entries: Iterable[Entry]) -> bool:
        """Say whether an image of these entries gets UDF."""
        if self.udf is not None:
            return self.udf
        return self.family is Family.BD or any(entry.size > _LARGEST_SIMPLE_FILE for entry in entries)


def layout(manifest: Manifest, options: LayoutOptions) -> ExtentMap:
    """Lay a manifest out: the same bytes for the same content and options, wherever, whenever and however often.

    The volume's size counts the padding, so that `isosize` and the image agree. Deep folders stay where they are:
    ECMA-119 ends at eight levels, but no reader of today does, and moved ones (RR_MOVED) show up as a stray folder.

    Raises:
        InvalidImage: nothing is staged.
        DiscFull: no disc of any kind could hold it.
        BadName: an entry's name or place is not possible on a disc; see `name_faults`.
    """
    _refuse_impossible(manifest)
    udf = options.bridges(manifest.entries)
    with _one_at_a_time():
        root = plan(manifest.entries, udf=udf)
        volume = Volume(root, _labels(manifest, options), udf=udf)
        blocks = _padded(volume.place(), options.family)
        extents = [*_merge(volume.metadata(blocks)), *_files(manifest, volume, blocks)]
        volume.release()
    image = ExtentMap(BLOCK, blocks, tuple(sorted(extents, key=lambda extent: extent.offset)))
    _check(image)
    return image


def _refuse_impossible(manifest: Manifest) -> None:
    if not manifest.entries:
        raise InvalidImage("nothing is staged")
    if manifest.bytes > _LARGEST_DISC:
        raise DiscFull(f"{manifest.bytes} bytes are more than any disc holds ({_LARGEST_DISC})")
    faults = name_faults(manifest.entries)
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


_LOCK = threading.Lock()


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Keep the garbage collector away: it would walk a million records again and again, for half the time.

    It is switched for the whole process, so layouts of several threads take turns; none is faster beside another.
    """
    with _LOCK:
        collects = gc.isenabled()
        gc.disable()
        try:
            yield
        finally:
            if collects:
                gc.enable()


_NOT_IN_JOLIET = re.compile("[\x00-\x1f\x7f\ud800-\udfff\U00010000-\U0010ffff]")


def _labels(manifest: Manifest, options: LayoutOptions) -> Labels:
    wide = _NOT_IN_JOLIET.sub("_", options.volume_id or default_volume_id(""))
    return Labels(
        iso=re.sub("[^A-Z0-9_]", "_", wide.upper())[:_LONGEST_ID],
        joliet=wide[:_LONGEST_JOLIET_ID],
        udf=wide,
        set_id=_content_id(manifest),
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


def _files(manifest: Manifest, volume: Volume, blocks: int) -> Iterator[Extent]:
    """Say where each file lies. Empty ones lie at the image's end: they are guarded, and in nobody's way."""
    for entry in manifest.entries:
        if not entry.folder:
            offset = volume.position_of(entry.path) if entry.size else blocks * BLOCK
            source = Source(entry.source, entry.size, entry.source_mtime_ns, entry.inode, entry.sha256)
            yield Extent(offset, entry.size, source, place=entry.path)


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
