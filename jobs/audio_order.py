"""An audio disc before its files are decoded: which file sounds when, and where the tracks begin in them.

Lengths are not known yet, so places are told by file and sample; `lay` turns them into places on one timeline.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from jobs.decoding import Recording
from jobs.mastering.programme import DiscText
from jobs.mastering.redbook import Cut


@dataclass(frozen=True, slots=True, order=True)
class Spot:
    """A place in the audio: a recording by its number, and a sample of it (of 44,100 a second)."""

    recording: int
    sample: int = 0


@dataclass(frozen=True, slots=True)
class PlannedTrack:
    """A track that is cut out of the recordings.

    `start` is index 1, `pregap` index 0 where it lies in a recording, `indexes` are index 2 and up. `silence_before`
    is a pregap that no recording holds, `silence_after` the same at the track's end; in samples.
    """

    start: Spot
    pregap: Spot | None = None
    indexes: tuple[Spot, ...] = ()
    silence_before: int = 0
    silence_after: int = 0
    isrc: str = ""
    copy_permitted: bool = False
    pre_emphasis: bool = False
    text: DiscText = field(default_factory=DiscText)

    @property
    def begin(self) -> Spot:
        """Where it begins in the recordings."""
        return self.pregap or self.start


@dataclass(frozen=True, slots=True)
class AudioOrder:
    """An audio disc as it was ordered, and every fault found so far; `tagged` lets the files' tags be its text."""

    recordings: tuple[Recording, ...] = ()
    tracks: tuple[PlannedTrack, ...] = ()
    mcn: str = ""
    text: DiscText = field(default_factory=DiscText)
    tagged: bool = False
    notes: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of samples of one recording, and its place on the timeline."""

    recording: int
    begin: int
    end: int
    at: int


@dataclass(frozen=True, slots=True)
class Timeline:
    """All pieces in order, with silence where there is none, and the tracks cut out of them."""

    samples: int
    pieces: tuple[Piece, ...]
    cuts: tuple[Cut, ...]


def silences(tracks: Sequence[PlannedTrack]) -> Iterator[tuple[Spot, int]]:
    """Yield where silence is put in, and how many samples; what follows the last track has no spot."""
    after = 0
    for track in tracks:
        if after or track.silence_before:
            yield track.begin, after + track.silence_before
        after = track.silence_after


def lay(lengths: Sequence[int], tracks: Sequence[PlannedTrack]) -> Timeline:
    """Put recordings of these lengths behind each other, without any gap but the silences of the tracks.

    Every spot must lie within its recording (`spot_faults`).
    """
    pieces, end = _pieces(lengths, dict(silences(tracks)))
    return Timeline(end + tracks[-1].silence_after, tuple(pieces), tuple(_cut(track, pieces) for track in tracks))


def spot_faults(lengths: Sequence[int], tracks: Sequence[PlannedTrack]) -> Iterator[tuple[int, str]]:
    """Yield the number of each track with a spot beyond the end of its recording, and what is wrong."""
    for number, track in enumerate(tracks, 1):
        for spot in (*filter(None, [track.pregap]), track.start, *track.indexes):
            length = lengths[spot.recording]
            if spot.sample >= length:
                yield number, f"index at {clock(spot.sample)}, but its file ends at {clock(length)}"


def clock(samples: int) -> str:
    """Show a length as a CUE sheet does: minutes, seconds, blocks."""
    seconds, blocks = divmod(samples // 588, 75)
    return f"{seconds // 60:02}:{seconds % 60:02}:{blocks:02}"


def _pieces(lengths: Sequence[int], gaps: dict[Spot, int]) -> tuple[list[Piece], int]:
    pieces, at = list[Piece](), 0
    for number, length in enumerate(lengths):
        inner = sorted(spot.sample for spot in gaps if spot.recording == number)
        bounds = sorted({0, *inner, length})
        for begin, end in pairwise(bounds):
            at += gaps.get(Spot(number, begin), 0)
            pieces.append(Piece(number, begin, end, at))
            at += end - begin
    return pieces, at


def _cut(track: PlannedTrack, pieces: Sequence[Piece]) -> Cut:
    start = _place(track.start, pieces)
    pregap = _place(track.pregap, pieces) if track.pregap else None
    if track.silence_before:
        pregap = start - track.silence_before
    indexes = tuple(_place(spot, pieces) for spot in track.indexes)
    return Cut(start, pregap, indexes, track.isrc, track.copy_permitted, track.pre_emphasis, track.text)


def _place(spot: Spot, pieces: Sequence[Piece]) -> int:
    return next(
        piece.at + spot.sample - piece.begin
        for piece in pieces
        if piece.recording == spot.recording and piece.begin <= spot.sample < piece.end
    )
