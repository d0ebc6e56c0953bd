"""Reads an audio disc's manifest file, the JSON in which a program says which files become tracks; docs/audio.md."""

from dataclasses import replace
from pathlib import Path

from jobs.audio import distinct_recordings, find_recordings
from jobs.audio_order import AudioOrder, PlannedTrack, Spot
from jobs.cue_sheet import ISRC, MCN, blocks_of
from jobs.decoding import Recording
from jobs.manifest_file import Fields, explain, load_document
from jobs.mastering.programme import MOST_TRACKS, DiscText
from jobs.mastering.redbook import BLOCK_SAMPLES
from jobs.roots import ContentRoots, shown

_TEXTS = ("title", "performer", "songwriter", "composer", "arranger", "message")
_HEAD = ("version", "format", *_TEXTS, "mcn", "tracks")
_TRACK = ("source", *_TEXTS, "isrc", "pregap", "copy_permitted", "pre_emphasis", "sha256")


def is_audio_manifest(path: Path) -> bool:
    """Say whether a manifest file is of an audio disc; what is no manifest file at all is none."""
    try:
        document = load_document(path)
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(document, dict) and document.get("format") == "redbook"


def read_audio_manifest(path: Path, roots: ContentRoots) -> AudioOrder:
    """Read a manifest file and look at all it names; relative sources are relative to the file's folder."""
    try:
        head = Fields(load_document(path), _HEAD)
    except (OSError, ValueError, RecursionError) as error:
        return AudioOrder(faults=(f"{shown(path)} is no manifest file: {explain(error)}",))
    text, mcn = _text_of(head), head.text("mcn")
    if mcn and not MCN.fullmatch(mcn):
        head.faults.append("'mcn' must be 13 digits")
    reading = _Reading(path.absolute().parent, roots)
    if head.is_version(1) and head.is_format("redbook"):
        tracks = head.items("tracks")
        if not head.faults and not 1 <= len(tracks) <= MOST_TRACKS:
            head.faults.append(f"{len(tracks)} tracks; an audio disc has 1 to {MOST_TRACKS}")
        for number, value in enumerate(tracks[:MOST_TRACKS]):
            reading.read(number, value)
    return AudioOrder(
        recordings=distinct_recordings(reading.recordings),
        tracks=tuple(reading.tracks),
        mcn=mcn,
        text=text,
        faults=(*head.faults, *reading.faults),
    )


def _text_of(fields: Fields) -> DiscText:
    return DiscText(*(fields.text(key) for key in _TEXTS))


class _Reading:
    """Goes through the tracks of one file and gathers what they name."""

    def __init__(self, folder: Path, roots: ContentRoots) -> None:
        self.tracks: list[PlannedTrack] = []
        self.faults: list[str] = []
        self._folder = folder
        self._roots = roots
        self.recordings: list[Recording] = []

    def read(self, number: int, value: object) -> None:
        """Gather a track; each fault names it."""
        fields = Fields(value, _TRACK)
        source, isrc = fields.text("source"), fields.text("isrc").upper().replace("-", "")
        if not source and not fields.faults:
            fields.faults.append("'source' is missing")
        if isrc and not ISRC.fullmatch(isrc):
            fields.faults.append("'isrc' must be two letters, three letters or digits, and seven digits")
        track = PlannedTrack(
            start=Spot(len(self.recordings)),
            silence_before=_pregap(fields) * BLOCK_SAMPLES,
            isrc=isrc,
            copy_permitted=fields.flag("copy_permitted"),
            pre_emphasis=fields.flag("pre_emphasis"),
            text=_text_of(fields),
        )
        sha256 = fields.sha256("sha256")
        if source:
            found, faults = find_recordings([(self._folder / source, "")], self._roots)
            fields.faults += faults
            self.recordings += [replace(each, entry=replace(each.entry, sha256=sha256)) for each in found]
        self.tracks.append(track)
        self.faults += [f"tracks[{number}]: {fault}" for fault in fields.faults]


def _pregap(fields: Fields) -> int:
    text = fields.text("pregap")
    blocks = blocks_of(text)
    if text and blocks is None:
        fields.faults.append("'pregap' must be minutes, seconds and blocks of 1/75 second, such as 00:02:00")
    return blocks or 0
