"""The Red Book layout: samples on one timeline become tracks, cut at whole blocks, and not one of them is lost.

Nothing is dropped, inserted or moved: a boundary between two blocks is rounded down, so that the few samples before
it sound in the following track, and zeros are added behind the very last sample only.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise

from jobs.errors import Faults
from jobs.manifest import Entry, Manifest
from jobs.mastering.cd_text import text_faults
from jobs.mastering.extents import Extent, Source
from jobs.mastering.image import ExtentMap
from jobs.mastering.medium import AUDIO_BLOCK
from jobs.mastering.programme import MOST_TRACKS, DiscText, Programme, Track

#: Part of what names an audio master: raised whenever the same manifest would give other bytes or another programme.
AUDIO_LAYOUT_VERSION = 1
#: Samples (left and right) of a block; bytes of a sample.
BLOCK_SAMPLES, SAMPLE = 588, 4


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a track begins, and what is told of it. Positions are samples on the programme's timeline.

    `start` is index 1, `pregap_start` index 0 where the track has a pregap, `indexes` are index 2 and up. What lies
    before index 1 of the first track is its pregap, whatever its `pregap_start`: index 0 begins with the disc.
    """

    start: int
    pregap_start: int | None = None
    indexes: tuple[int, ...] = ()
    isrc: str = ""
    copy_permitted: bool = False
    pre_emphasis: bool = False
    text: DiscText = field(default_factory=DiscText)

    @property
    def begin(self) -> int:
        """The sample at which the track before ends."""
        return self.start if self.pregap_start is None else self.pregap_start

    @property
    def positions(self) -> tuple[int, ...]:
        """All positions, in the order they must have."""
        return (self.begin, self.start, *self.indexes)


def compose(samples: int, cuts: Sequence[Cut], mcn: str = "", text: DiscText | None = None) -> Programme:
    """Cut a timeline of samples into the tracks of a disc.

    Raises:
        Faults: positions out of order or out of range, or a programme that the Red Book forbids.
    """
    faults = list(_cut_faults(samples, cuts))
    if faults:
        raise Faults("no audio disc can be cut like this", faults)
    programme = Programme(tuple(_tracks(samples, cuts)), mcn, text or DiscText())
    if faults := programme_faults(programme):
        raise Faults("the programme is no audio disc's", faults)
    return programme


def programme_faults(programme: Programme) -> list[str]:
    """Name everything that the Red Book forbids of a programme, and text that CD-TEXT has no room for."""
    return programme.faults() or text_faults(programme)


def _tracks(samples: int, cuts: Sequence[Cut]) -> Iterator[Track]:
    begins = [0, *(cut.begin // BLOCK_SAMPLES for cut in cuts[1:]), -(-samples // BLOCK_SAMPLES)]
    for cut, (begin, end) in zip(cuts, pairwise(begins), strict=True):
        start = cut.start // BLOCK_SAMPLES
        indexes = tuple(index // BLOCK_SAMPLES - start for index in cut.indexes)
        told = (cut.isrc, cut.copy_permitted, cut.pre_emphasis, cut.text)
        yield Track(end - start, start - begin, indexes, *told)


def _cut_faults(samples: int, cuts: Sequence[Cut]) -> Iterator[str]:
    if not cuts:
        yield f"0 tracks; an audio disc has 1 to {MOST_TRACKS}"
    reached = 0
    for number, cut in enumerate(cuts, 1):
        for position in cut.positions:
            if not 0 <= position < samples:
                yield f"track {number}: sample {position} is not one of the {samples} there are"
            elif position < reached:
                yield f"track {number}: sample {position} lies before sample {reached}, which it must follow"
            reached = max(reached, position)


def audio_manifest(programme: Programme, placed: Iterable[tuple[Entry, int]]) -> Manifest:
    """Make the manifest of a programme: entries of samples, each with its byte offset in the image."""
    ordered = sorted(placed, key=lambda pair: pair[0].path)
    head = {"places": [place for _, place in ordered], "programme": asdict(programme)}
    text = json.dumps(head, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return Manifest.of((entry for entry, _ in ordered), text)


def layout_audio(manifest: Manifest) -> tuple[ExtentMap, Programme]:
    """Lay an audio manifest out: its samples at their places, silence where none are, and the programme they make.

    Raises:
        Faults: samples that overlap or reach beyond the programme, broken sample frames, a programme that the Red
            Book forbids, or a head that is none.
    """
    programme, places = _read_head(manifest)
    pairs = sorted(zip(places, manifest.entries, strict=True), key=lambda pair: pair[0])
    extents = tuple(_extent(place, entry) for place, entry in pairs)
    faults = [*programme_faults(programme), *_place_faults(extents, programme.blocks * AUDIO_BLOCK)]
    if faults:
        raise Faults("the manifest is no audio disc's", faults)
    return ExtentMap(AUDIO_BLOCK, programme.blocks, extents), programme


def _read_head(manifest: Manifest) -> tuple[Programme, list[int]]:
    try:
        head = json.loads(manifest.head)
        programme, places = Programme.read(json.dumps(head["programme"])), head["places"]
    except (ValueError, KeyError, TypeError) as error:
        raise Faults("the manifest is no audio disc's", [f"it has no programme that can be read ({error})"]) from error
    if not isinstance(places, list) or not all(type(place) is int for place in places):
        raise Faults("the manifest is no audio disc's", ["the places of its samples are not whole numbers"])
    if len(places) != len(manifest.entries):
        fault = f"{len(places)} places for {len(manifest.entries)} entries"
        raise Faults("the manifest is no audio disc's", [fault])
    return programme, places


def _extent(place: int, entry: Entry) -> Extent:
    return Extent(place, entry.size, None if entry.folder else Source.of(entry), place=entry.path)


def _place_faults(extents: Sequence[Extent], size: int) -> Iterator[str]:
    for extent in extents:
        end = extent.offset + extent.length
        if extent.source is None or not extent.length:
            yield f"{extent.place} holds no samples"
        if extent.offset % SAMPLE or extent.length % SAMPLE:
            yield f"{extent.place} is not whole samples of {SAMPLE} bytes: {extent.length} at {extent.offset}"
        if extent.offset < 0 or end > size:
            yield f"{extent.place} lies at bytes {extent.offset} to {end}, and the programme has {size}"
    for one, following in pairwise(extents):
        if one.offset + one.length > following.offset:
            yield f"{one.place} and {following.place} overlap at byte {following.offset}"
