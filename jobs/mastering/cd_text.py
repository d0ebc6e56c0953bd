"""CD-TEXT as it lies in a disc's lead-in: packs of 18 bytes, made of a programme and read back (MMC-3 annex J).

A pack is: type, number of the track its text belongs to, number of the pack, characters of that text which earlier
packs hold, 12 bytes of text, CRC. The texts of one type follow each other, the disc's own first, each ended by a zero.
One block of packs is written, in ISO 8859-1.
"""

from binascii import crc_hqx
from collections.abc import Iterator, Sequence
from dataclasses import astuple

from jobs.errors import Faults, MediumDiffers
from jobs.mastering.programme import DiscText, Programme

#: Bytes of a pack; of the text in it.
PACK, _TEXT = 18, 12
#: Types of packs: the fields of `DiscText` in order; MCN and ISRC; the sizes of everything.
_FIELDS, _CODES, _SIZES = range(0x80, 0x86), 0x8E, 0x8F
#: Packs numbered 0 to 255, less the three that tell sizes.
_MOST_PACKS = 256 - 3
#: Stands for the text of the track before.
_SAME = b"\t"
_ENGLISH = 0x09
#: Character positions have four bits.
_MOST_POSITION = 15

Texts = Sequence[bytes]


def packs(programme: Programme) -> bytes:
    """Return the packs of a programme, nothing if it has no text. Repeated texts are abbreviated if need be.

    Raises:
        Faults: there is more text than a disc has room for.
    """
    if not programme.has_text:
        return b""
    by_type = _texts(programme)
    body = _body(by_type)
    if len(body) > _MOST_PACKS:
        body = _body({kind: _abbreviated(texts) for kind, texts in by_type.items()})
    if len(body) > _MOST_PACKS:
        fault = (
            f"its CD-TEXT takes {len(body)} packs of 12 characters, and a disc has room for {_MOST_PACKS}: shorten it"
        )
        raise Faults("the programme is no audio disc's", [fault])
    sizes = _sizes([pack[0] for pack in body], len(programme.tracks))
    numbered = (pack[:2] + bytes([number]) + pack[2:] for number, pack in enumerate(body + sizes))
    return b"".join(pack + _crc(pack) for pack in numbered)


def text_faults(programme: Programme) -> list[str]:
    """Say what keeps a programme's text from being written, if anything does."""
    try:
        packs(programme)
    except Faults as error:
        return list(error.faults)
    return []


def read_packs(data: bytes) -> tuple[DiscText, list[DiscText], str, list[str]]:
    """Read packs back: the disc's text, the tracks' texts, the MCN and the tracks' ISRC. Further languages are left.

    Raises:
        MediumDiffers: they are damaged, or not what they say of themselves.
    """
    found = list(_checked(data))
    tracks = _check_sizes(found)
    by_type = {kind: _read_texts(found, kind, tracks) for kind in (*_FIELDS, _CODES)}
    texts = [DiscText(*(by_type[kind][number] for kind in _FIELDS)) for number in range(tracks + 1)]
    mcn, *isrcs = by_type[_CODES]
    return texts[0], texts[1:], mcn, isrcs


def _texts(programme: Programme) -> dict[int, Texts]:
    rows = [astuple(programme.text), *(astuple(track.text) for track in programme.tracks)]
    by_type = dict(zip(_FIELDS, zip(*rows, strict=True), strict=True))
    by_type[_CODES] = (programme.mcn, *(track.isrc for track in programme.tracks))
    encoded = ((kind, [text.encode("latin-1") for text in texts]) for kind, texts in by_type.items())
    return {kind: texts for kind, texts in encoded if any(texts)}


def _abbreviated(texts: Texts) -> Texts:
    """Name a track's text that is the track's before it by a tab."""
    disc, first, *others = texts
    before = [first, *others]
    later = [_SAME if text and text == one else text for one, text in zip(before, others, strict=False)]
    return [disc, first, *later]


def _body(by_type: dict[int, Texts]) -> list[bytes]:
    return [pack for kind, texts in by_type.items() for pack in _packs_of(kind, texts)]


def _packs_of(kind: int, texts: Texts) -> Iterator[bytes]:
    """Yield the packs of one type, without their numbers and checksums."""
    places = [(number, place) for number, text in enumerate(texts) for place in range(len(text) + 1)]
    characters = b"".join(text + b"\0" for text in texts)
    for start in range(0, len(characters), _TEXT):
        number, place = places[start]
        yield bytes([kind, number, min(place, _MOST_POSITION)]) + characters[start : start + _TEXT].ljust(_TEXT, b"\0")


def _sizes(kinds: Sequence[int], tracks: int) -> list[bytes]:
    """Make the three packs that say how many of each type there are: of block 0, the only one."""
    counts = bytes(kinds.count(kind) for kind in range(0x80, _SIZES)) + b"\3"
    last = len(kinds) + 2
    info = bytes([0, 1, tracks, 0]) + counts + bytes([last]) + bytes(7) + bytes([_ENGLISH]) + bytes(7)
    return [bytes([_SIZES, part, 0]) + info[part * _TEXT : (part + 1) * _TEXT] for part in range(3)]


def _crc(pack: bytes) -> bytes:
    """CRC-16 of CCITT, inverted, high byte first."""
    return (crc_hqx(pack, 0) ^ 0xFFFF).to_bytes(2, "big")


def _checked(data: bytes) -> Iterator[bytes]:
    """Yield the packs of block 0, their checksums and numbers compared."""
    if len(data) % PACK:
        raise _damaged(f"{len(data)} bytes are not whole packs of {PACK}")
    number = 0
    for start in range(0, len(data), PACK):
        pack = data[start : start + PACK]
        if _crc(pack[:-2]) != pack[-2:]:
            raise _damaged(f"the checksum of pack {start // PACK} is wrong")
        if pack[3] >> 4 & 7:
            continue
        if pack[2] != number:
            raise _damaged(f"pack {number} is numbered {pack[2]}")
        number += 1
        yield pack


def _check_sizes(found: Sequence[bytes]) -> int:
    """Compare the packs with what they say of themselves; return the number of tracks."""
    info = b"".join(pack[4:-2] for pack in found if pack[0] == _SIZES)
    if len(info) != 3 * _TEXT:
        raise _damaged("its sizes are not told")
    kinds = [pack[0] for pack in found]
    counts = bytes(kinds.count(kind) for kind in range(0x80, 0x90))
    character_code, first, last = info[:3]
    if counts != info[4:20] or len(found) - 1 != info[20]:
        raise _damaged("there are other packs than it says")
    if character_code not in {0, 1} or first != 1 or not last or any(pack[3] & 0x80 for pack in found):
        raise _damaged("it is not in ISO 8859-1, or not of tracks from 1 on")
    return last


def _read_texts(found: Sequence[bytes], kind: int, tracks: int) -> list[str]:
    """Read the texts of one type: the disc's, then one a track."""
    own = [pack for pack in found if pack[0] == kind]
    if not own:
        return [""] * (tracks + 1)
    texts = b"".join(pack[4:-2] for pack in own).split(b"\0")[: tracks + 1]
    as_it_should_be = list(_packs_of(kind, texts))
    if len(texts) <= tracks or as_it_should_be != [pack[:2] + pack[3:-2] for pack in own]:
        raise _damaged(f"the texts of type {kind:#x} do not belong to {tracks} tracks")
    return _in_full(texts)


def _in_full(texts: Texts) -> list[str]:
    full: list[str] = []
    for text in texts:
        full.append(full[-1] if text == _SAME and full else text.decode("latin-1"))
    return full


def _damaged(how: str) -> MediumDiffers:
    return MediumDiffers(f"the disc's CD-TEXT can't be right: {how}")
