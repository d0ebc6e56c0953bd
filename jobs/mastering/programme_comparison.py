"""What an audio disc tells of itself, against the programme it was made of."""

from collections.abc import Iterator
from dataclasses import asdict

from jobs.mastering.programme import DiscText, Programme


def programme_differences(wanted: Programme, found: Programme, *, reads_text: bool = True) -> list[str]:
    """Say how a disc's own account of itself differs from the programme it was made of.

    Of pregaps and further indexes a table of contents says nothing: they are compared where `found` has any.
    CD-TEXT that is absent counts as missing, since there are programs that leave it out without a word; only of a
    drive that is known not to read it, `reads_text` false, nothing is expected.
    """
    return list(_programme_differences(wanted, found, reads_text=reads_text))


def _programme_differences(wanted: Programme, found: Programme, *, reads_text: bool) -> Iterator[str]:
    if len(wanted.tracks) != len(found.tracks):
        yield f"{len(found.tracks)} tracks instead of {len(wanted.tracks)}"
        return
    yield from _unlike("the programme's blocks", wanted.blocks, found.blocks)
    yield from _unlike("the MCN", wanted.mcn, found.mcn)
    if reads_text:
        yield from _text_differences("the disc", wanted.text, found.text)
    for number in range(1, len(wanted.tracks) + 1):
        yield from _track_differences(number, wanted, found)
        if reads_text:
            texts = wanted.tracks[number - 1].text, found.tracks[number - 1].text
            yield from _text_differences(f"track {number}", *texts)


def _track_differences(number: int, wanted: Programme, found: Programme) -> Iterator[str]:
    one, other = wanted.tracks[number - 1], found.tracks[number - 1]
    name = f"track {number}"
    yield from _unlike(f"the start of {name}", wanted.starts[number - 1], found.starts[number - 1])
    if any(track.pregap for track in found.tracks[1:]):
        yield from _unlike(f"the pregap of {name}", one.pregap, other.pregap)
    if any(track.indexes for track in found.tracks):
        yield from _unlike(f"the indexes of {name}", one.indexes, other.indexes)
    yield from _unlike(f"the ISRC of {name}", one.isrc, other.isrc)
    yield from _unlike(f"leave to copy {name}", one.copy_permitted, other.copy_permitted)
    yield from _unlike(f"the pre-emphasis of {name}", one.pre_emphasis, other.pre_emphasis)


def _text_differences(name: str, wanted: DiscText, found: DiscText) -> Iterator[str]:
    read = asdict(found)
    for word, said in asdict(wanted).items():
        yield from _unlike(f"the {word} of {name}", said, read[word])


def _unlike(what: str, wanted: object, found: object) -> Iterator[str]:
    if wanted != found:
        yield f"{what}: {found!r} instead of {wanted!r}"
