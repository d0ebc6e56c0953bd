"""Staging an audio disc track by track (IMAPI IRedbookDiscMaster), with what its second version adds for raw discs.

A track is opened, fed with samples of 44.1 kHz, 16 bits, two channels in the byte order of WAV files, and closed.
Between tracks lies the recorder's gap. As IMAPI has it, each track costs two more blocks and its gap; without a gap
(AudioGapSize 0) tracks follow each other as they are fed, and cost nothing more.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from jobs.errors import (
    BurnCancelled,
    DiscFull,
    OrderError,
    PartialBlock,
    TooManyTracks,
    TrackNotOpen,
    TrackOpen,
    TrackTooShort,
)
from jobs.manifest import Entry
from jobs.mastering.content import Content
from jobs.mastering.image import ExtentMap
from jobs.mastering.masters import master_key
from jobs.mastering.medium import AUDIO_BLOCK
from jobs.mastering.programme import MOST_TRACKS, SHORTEST_TRACK, DiscText, Programme, Track
from jobs.mastering.progress import AddProgress
from jobs.mastering.redbook import audio_manifest, layout_audio
from jobs.mastering.session import MasteringSession
from jobs.mastering.stash import told
from models.vocabulary import DiscFormat

#: Blocks that follow each track wherever there are gaps (IMAPI, AudioGapSize).
_RUN_OUT = 2
#: Blocks of the pause before the first track, which every audio disc has (Red Book).
_PAUSE = 150
#: Bytes taken at once, between two questions whether to go on: a third of a second of a slow disk.
_STRIDE = AUDIO_BLOCK * 1024


@dataclass(slots=True)
class _Draft:
    """A track on its way into the stash."""

    track: Track
    file: Path
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    is_open: bool = True


class RedbookDiscMaster(Content):
    """The staged programme of an audio disc."""

    format = DiscFormat.REDBOOK
    block_size = AUDIO_BLOCK

    def __init__(self, session: MasteringSession) -> None:
        super().__init__(session)
        self._drafts: list[_Draft] = []
        self._mcn = ""
        self._text = DiscText()

    @property
    def total_tracks(self) -> int:
        """Tracks staged, an open one among them (GetTotalAudioTracks)."""
        self._session.check_active(self)
        return len(self._drafts)

    @property
    def total_blocks(self) -> int:
        """Blocks of the disc, those that gaps and the first pause take included (GetTotalAudioBlocks)."""
        return super().total_blocks + _PAUSE

    @property
    def used_blocks(self) -> int:
        """Blocks in tracks, gaps and the first pause (GetUsedAudioBlocks)."""
        self._session.check_active(self)
        if self._adopted is not None:
            return self._adopted.blocks + _PAUSE
        return self._cost(len(self._drafts)) + sum(draft.track.blocks for draft in self._drafts)

    @property
    def available_blocks(self) -> int:
        """Blocks that can still be added to the open track, or to a new one (GetAvailableAudioTrackBlocks)."""
        if self._open is not None:
            return super().available_blocks
        tracks = len(self._drafts)
        return max(0, super().available_blocks - (self._cost(tracks + 1) - self._cost(tracks)))

    def _cost(self, tracks: int) -> int:
        """Return the blocks that so many tracks cost beyond their own."""
        gap = self._gap
        if not tracks:
            return 0
        return _PAUSE + (tracks - 1) * gap + (tracks * _RUN_OUT if gap else 0)

    @property
    def _gap(self) -> int:
        recorder = self._session.recorder
        return 0 if recorder is None else recorder.settings.audio_gap

    @property
    def _open(self) -> _Draft | None:
        return self._drafts[-1] if self._drafts and self._drafts[-1].is_open else None

    def create_track(self, track: Track | None = None) -> None:
        """Open a track (CreateAudioTrack); `track` says what it tells of itself, its lengths do not count.

        Raises:
            TrackOpen: one is open already.
            TooManyTracks: there are 99.
        """
        self._session.check_active(self)
        self._session.check_medium()
        if self._open is not None:
            raise TrackOpen(f"track {len(self._drafts)} is open; close it first")
        if self._adopted is not None:
            raise TrackOpen("a whole programme is staged; clear it first")
        if len(self._drafts) == MOST_TRACKS:
            raise TooManyTracks(f"a disc has {MOST_TRACKS} tracks at most")
        file = self._session.place(f"audio/{len(self._drafts) + 1:02}.pcm")
        self._drafts.append(_Draft(replace(track or Track(0), blocks=0, pregap=0), file))

    def add_blocks(self, samples: bytes) -> None:
        """Append whole blocks of samples to the open track (AddAudioTrackBlocks).

        What fits is kept, also if not all does, and so is what was taken when a listener calls it off; the track
        stays open.

        Raises:
            TrackNotOpen: no track is open.
            PartialBlock: not a whole number of blocks; nothing is added.
            DiscFull: not all of it fits.
            BurnCancelled: a listener asked for it.
        """
        draft = self._need_open()
        if len(samples) % AUDIO_BLOCK:
            raise PartialBlock(f"{len(samples)} bytes are not a whole number of blocks of {AUDIO_BLOCK}")
        wanted = len(samples) // AUDIO_BLOCK
        fits = min(wanted, self.available_blocks)
        self._session.stash.reserve(fits * AUDIO_BLOCK)
        self._append(draft, memoryview(samples)[: fits * AUDIO_BLOCK])
        if fits < wanted:
            raise DiscFull(f"the disc is full: {fits} of {wanted} blocks were added, {wanted - fits} do not fit")

    def _append(self, draft: _Draft, samples: memoryview) -> None:
        audience = self._session.audience
        total = len(samples) // AUDIO_BLOCK
        audience.notify(AddProgress(0, total))
        with told(str(draft.file)), draft.file.open("ab") as file:
            for start in range(0, len(samples), _STRIDE):
                if audience.query_cancel():
                    raise BurnCancelled(f"adding was called off after {start // AUDIO_BLOCK} of {total} blocks")
                piece = samples[start : start + _STRIDE]
                file.write(piece)
                draft.digest.update(piece)
                draft.track = replace(draft.track, blocks=draft.track.blocks + len(piece) // AUDIO_BLOCK)
                audience.notify(AddProgress((start + len(piece)) // AUDIO_BLOCK, total))

    def close_track(self) -> None:
        """Commit the open track (CloseAudioTrack).

        Raises:
            TrackNotOpen: no track is open.
            TrackTooShort: it has less than four seconds; it stays open.
        """
        draft = self._need_open()
        if draft.track.blocks < SHORTEST_TRACK:
            short = f"track {len(self._drafts)} has {draft.track.blocks} blocks"
            raise TrackTooShort(f"{short}; a track has {SHORTEST_TRACK}, four seconds, at least")
        draft.is_open = False

    def describe(self, *, mcn: str = "", text: DiscText | None = None) -> None:
        """Say what the disc tells of itself: its catalogue number (13 digits) and CD-TEXT.

        Raises:
            OrderError: the Red Book has no such number.
        """
        self._session.check_active(self)
        described = Programme((Track(SHORTEST_TRACK),), mcn, text or DiscText())
        if described.faults():
            raise OrderError("; ".join(described.faults()))
        self._mcn, self._text = mcn, described.text

    def check_complete(self) -> None:
        """Refuse to burn while a track is open.

        Raises:
            TrackOpen: it is.
        """
        if self._open is not None:
            raise TrackOpen(f"track {len(self._drafts)} is open; close it before recording")

    def _need_open(self) -> _Draft:
        self._session.check_active(self)
        self._session.check_medium()
        draft = self._open
        if draft is None:
            raise TrackNotOpen("no track is open; create one first")
        return draft

    def _has_staged(self) -> bool:
        return bool(self._drafts)

    def _measure(self) -> int:
        return sum(track.pregap + track.blocks for track in self._tracks())

    def _lay_out(self) -> tuple[str, ExtentMap, Programme | None]:
        programme = Programme(tuple(self._tracks()), self._mcn, self._text)
        places = [start * AUDIO_BLOCK for start in programme.starts]
        manifest = audio_manifest(programme, list(zip(map(_entry, self._drafts), places, strict=True)))
        image, programme = layout_audio(manifest)
        return master_key(manifest.sha256, DiscFormat.REDBOOK), image, programme

    def _tracks(self) -> Iterator[Track]:
        gap = self._gap
        for number, draft in enumerate(self._drafts):
            yield replace(draft.track, pregap=gap + _RUN_OUT if number and gap else 0)

    def _drop(self) -> None:
        self._drafts.clear()
        self._mcn, self._text = "", DiscText()


def _entry(draft: _Draft) -> Entry:
    found = draft.file.stat()
    return Entry(
        path=draft.file.name,
        size=found.st_size,
        mtime_ns=found.st_mtime_ns,
        source=str(draft.file),
        inode=found.st_ino,
        sha256=draft.digest.hexdigest(),
        source_mtime_ns=found.st_mtime_ns,
    )
