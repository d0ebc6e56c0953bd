"""Takes an audio disc from its order to staged content: looks at the files, decodes them, cuts them into tracks."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from jobs.audio_order import AudioOrder, PlannedTrack, Spot, Timeline, lay, silences, spot_faults
from jobs.audio_text import sayable_text
from jobs.cue_sheet import ISRC, MAX_SIZE, CueIndex, CueSheet, CueTrack, read_cue
from jobs.decoder.words import RATE, SAMPLE, Facts
from jobs.decoding import Decoded, Decoder, Limits, Progress, Recording
from jobs.errors import Faults
from jobs.manifest import Manifest
from jobs.manifest_file import explain
from jobs.mastering.cd_text import text_faults
from jobs.mastering.programme import MOST_TRACKS, DiscText, Programme, Track
from jobs.mastering.redbook import BLOCK_SAMPLES, audio_manifest, compose
from jobs.reading import read_small
from jobs.roots import ContentRoots, shown
from jobs.scanning import scan_file
from jobs.store import ContentStore

#: A track's number before its title in a file's name, as rippers write it: "01 - ", "1. ", "03_".
_NUMBERED = re.compile(r"\d{1,3}(?:\s*[-._)]\s*|\s+)(?=\S)", re.ASCII)
#: Characters that each text of a file's tags may keep, where all of them are too much for CD-TEXT.
_SHORTER = (80, 40, 20, 12, 0)
_TRACK = re.compile(r"^track (\d+)(?=:)")
_RAW = {"BINARY": "little", "MOTOROLA": "big"}


@dataclass(frozen=True, slots=True)
class StagedAudio:
    """An audio disc whose samples are in the store. `notes` are sentences for who ordered it."""

    manifest: Manifest
    programme: Programme
    notes: tuple[str, ...]


def scan_audio(paths: Sequence[Path], roots: ContentRoots) -> AudioOrder:
    """Look at audio files that are to be tracks, in this order, one behind the other; their tags become CD-TEXT."""
    recordings, faults = find_recordings([(path, "") for path in paths], roots)
    if not 1 <= len(paths) <= MOST_TRACKS:
        faults = [f"{len(paths)} files; an audio disc has 1 to {MOST_TRACKS} tracks", *faults]
    titles = (_NUMBERED.sub("", path.stem, count=1) for path in paths)
    tracks = tuple(PlannedTrack(Spot(number), text=DiscText(title)) for number, title in enumerate(titles))
    return AudioOrder(recordings, tracks, tagged=True, faults=tuple(faults))


def scan_cue(path: Path, roots: ContentRoots) -> AudioOrder:
    """Read a CUE sheet and look at the files it names; they are relative to its folder."""
    try:
        sheet = read_cue(read_small(path, MAX_SIZE, "name the sheet, not its audio"))
    except (OSError, ValueError) as error:
        return AudioOrder(faults=(f"{shown(path)} is no CUE sheet: {explain(error)}",))
    except Faults as error:
        return AudioOrder(faults=tuple(f"{shown(path)}: {fault}" for fault in error.faults))
    folder = path.absolute().parent
    recordings, faults = find_recordings([(folder / file.name, _RAW.get(file.kind, "")) for file in sheet.files], roots)
    return AudioOrder(
        recordings=recordings,
        tracks=tuple(map(_planned, sheet.tracks)),
        mcn=sheet.mcn,
        text=sheet.text,
        notes=tuple(_notes_of_sheet(sheet, shown(path))),
        faults=tuple(faults),
    )


def _planned(track: CueTrack) -> PlannedTrack:
    places = {index.number: _spot(index) for index in track.indexes}
    return PlannedTrack(
        start=places[1],
        pregap=places.get(0),
        indexes=tuple(spot for number, spot in places.items() if number > 1),
        silence_before=track.pregap * BLOCK_SAMPLES,
        silence_after=track.postgap * BLOCK_SAMPLES,
        isrc=track.isrc,
        copy_permitted=track.copy_permitted,
        pre_emphasis=track.pre_emphasis,
        text=track.text,
    )


def _spot(index: CueIndex) -> Spot:
    return Spot(index.file, index.time * BLOCK_SAMPLES)


def _notes_of_sheet(sheet: CueSheet, named: str) -> Iterator[str]:
    if sheet.encoding not in {"", "UTF-8"}:
        yield f"{named} is not UTF-8 and was read as {sheet.encoding}"
    if sheet.text_file:
        yield f"the CDTEXTFILE {sheet.text_file!r} is not read; CD-TEXT is what TITLE and PERFORMER say"


def find_recordings(wanted: Sequence[tuple[Path, str]], roots: ContentRoots) -> tuple[tuple[Recording, ...], list[str]]:
    """Look at files, each with its byte order if it is raw; return what is there, and what is wrong."""
    recordings, faults = list[Recording](), list[str]()
    for path, raw in wanted:
        found = scan_file(path, roots, "an audio track")
        faults += found.faults
        for entry in found.entries:
            recordings.append(Recording(entry, raw))
            if not entry.size:
                faults.append(f"{shown(entry.source)} is empty")
    return distinct_recordings(recordings), faults


def distinct_recordings(recordings: Sequence[Recording]) -> tuple[Recording, ...]:
    """Give each recording a place of its own."""
    places = distinct(each.entry.path for each in recordings)
    return tuple(
        replace(each, entry=replace(each.entry, path=place)) for each, place in zip(recordings, places, strict=True)
    )


def distinct(names: Iterable[str]) -> Iterator[str]:
    """Give each name once: a.wav, a (2).wav."""
    taken, last = set[str](), defaultdict[str, int](lambda: 1)
    for name in names:
        stem, dot, suffix = name.rpartition(".") if "." in name[1:] else (name, "", "")
        other = name
        while other in taken:
            last[name] += 1
            other = f"{stem} ({last[name]}){dot}{suffix}"
        taken.add(other)
        yield other


def stage_audio(
    order: AudioOrder,
    roots: ContentRoots,
    store: ContentStore,
    progress: Progress = lambda *_: None,
    limits: Limits | None = None,
) -> StagedAudio:
    """Decode all files of an order without faults into the store, and cut them into tracks.

    Raises:
        Faults: all that is wrong with the order, then with the files, then with the tracks.
        StoreError: the store can't keep the samples.
        DecoderFailed: the host has no room for a decoder.
    """
    if order.faults:
        raise Faults("the audio can't be staged", order.faults)
    recordings = [
        replace(recording, cuts=tuple(spot.sample for spot, _ in silences(order.tracks) if spot.recording == number))
        for number, recording in enumerate(order.recordings)
    ]
    decoded = Decoder(roots, store, limits or Limits()).decode_all(recordings, progress)
    notes = [*order.notes, *_notes_of_files(recordings, decoded)]
    timeline = _laid(order, decoded)
    programme = _composed(order, timeline, _texts(order, decoded), notes)
    entries = [piece for each in decoded for piece in each.pieces]
    places = distinct(entry.path for entry in entries)
    placed = [
        (replace(entry, path=place), piece.at * SAMPLE)
        for entry, place, piece in zip(entries, places, timeline.pieces, strict=True)
    ]
    return StagedAudio(audio_manifest(programme, placed), programme, tuple(notes))


def _notes_of_files(recordings: Sequence[Recording], decoded: Sequence[Decoded]) -> Iterator[str]:
    for recording, each in zip(recordings, decoded, strict=True):
        done = list(_done(each.facts))
        if done:
            yield f"{shown(recording.entry.path)}: {', '.join(done)}"


def _done(facts: Facts) -> Iterator[str]:
    """Say what was done to a file's samples: nothing, if they were a disc's already."""
    if facts.resampled:
        yield f"resampled from {facts.rate:,} Hz to {RATE:,} Hz"
    if facts.dithered:
        yield "dithered to 16 bits"
    if facts.channels == 1:
        yield "mono, written to both channels"
    if facts.clipped:
        yield f"{facts.clipped:,} samples louder than full scale, clipped"


def _laid(order: AudioOrder, decoded: Sequence[Decoded]) -> Timeline:
    lengths = [each.facts.samples for each in decoded]
    faults = [f"{_named(order, number)}: {fault}" for number, fault in spot_faults(lengths, order.tracks)]
    if faults:
        raise Faults("the audio can't be cut into tracks", faults)
    return lay(lengths, order.tracks)


def _named(order: AudioOrder, number: int) -> str:
    """Name a track by its number and the file it begins in."""
    recording = order.recordings[order.tracks[number - 1].start.recording]
    return f"track {number} ({shown(recording.entry.path)})"


@dataclass(frozen=True, slots=True)
class _Texts:
    """What the disc and its tracks say of themselves, before it is made fit for CD-TEXT."""

    disc: DiscText
    tracks: tuple[DiscText, ...]
    isrcs: tuple[str, ...]


def _texts(order: AudioOrder, decoded: Sequence[Decoded]) -> _Texts:
    """Take the texts of the order, or where it leaves them to the files, those of their tags."""
    isrcs = tuple(track.isrc for track in order.tracks)
    if not order.tagged:
        return _Texts(order.text, tuple(track.text for track in order.tracks), isrcs)
    tags = [each.facts.tags for each in decoded]
    titles = [tag.title or track.text.title for tag, track in zip(tags, order.tracks, strict=True)]
    return _Texts(
        disc=DiscText(order.text.title or _common(tag.album for tag in tags), _common(tag.performer for tag in tags)),
        tracks=tuple(DiscText(title, tag.performer) for title, tag in zip(titles, tags, strict=True)),
        isrcs=tuple(tag.isrc if ISRC.fullmatch(tag.isrc) else "" for tag in tags),
    )


def _common(values: Iterable[str]) -> str:
    """Return what all files agree on."""
    different = set(values)
    return different.pop() if len(different) == 1 else ""


def _composed(order: AudioOrder, timeline: Timeline, texts: _Texts, notes: list[str]) -> Programme:
    """Cut the timeline, with texts as CD-TEXT can hold them; faults name the files as well.

    Raises:
        Faults: a track that is too short, text without end, or whatever else the Red Book forbids.
    """
    disc = sayable_text(texts.disc, "the disc", notes)
    said = [sayable_text(text, f"track {number}", notes) for number, text in enumerate(texts.tracks, 1)]
    if order.tagged:
        said = _fitting(Programme(tuple(Track(0, text=text) for text in said), text=disc), notes)
    cuts = [
        replace(cut, text=text, isrc=isrc) for cut, text, isrc in zip(timeline.cuts, said, texts.isrcs, strict=True)
    ]
    try:
        return compose(timeline.samples, cuts, order.mcn, disc)
    except Faults as error:
        faults = [_TRACK.sub(lambda found: _named(order, int(found[1])), fault, count=1) for fault in error.faults]
        raise Faults("the audio is no audio disc", faults) from error


def _fitting(wanted: Programme, notes: list[str]) -> list[DiscText]:
    """Shorten the tracks' titles and performers until there is room for all: nobody wrote the tags for this disc."""
    if not text_faults(wanted):
        return [track.text for track in wanted.tracks]
    for most in _SHORTER:
        said = [_cut_off(track.text, most) for track in wanted.tracks]
        tracks = tuple(replace(track, text=text) for track, text in zip(wanted.tracks, said, strict=True))
        if not text_faults(replace(wanted, tracks=tracks)):
            break
    notes.append(f"titles and performers are cut off after {most} characters: CD-TEXT has no room for more")
    return said


def _cut_off(text: DiscText, most: int) -> DiscText:
    return DiscText(text.title[:most].strip(), text.performer[:most].strip())
