"""CD-TEXT packs say what the programme says, and what was changed on the way is noticed."""

import random
from binascii import crc_hqx
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.errors import Faults, MediumDiffers
from jobs.mastering.cd_text import PACK, packs, read_packs
from jobs.mastering.programme import DiscText, Programme, Track
from tests.programmes import programmes

TRACK = Track(300, isrc="GBAYE0000351", text=DiscText("Opening"))
SHORT = Programme((TRACK,), "0724354526824", DiscText("Live"))


def pack(text: str) -> bytes:
    """Complete a pack with its checksum."""
    body = bytes.fromhex(text)
    return body + (crc_hqx(body, 0) ^ 0xFFFF).to_bytes(2, "big")


#: "Live", "Opening", both ended; MCN and ISRC; the sizes: ISO 8859-1, track 1 to 1, 2 packs of titles, 3 of codes,
#: 3 of sizes, the last being number 7, English.
WRITTEN = (
    pack("80 00 00 00" + b"Live\0Opening".hex())
    + pack("80 01 01 07" + bytes(12).hex())
    + pack("8e 00 02 00" + b"072435452682".hex())
    + pack("8e 00 03 0c" + b"4\0GBAYE00003".hex())
    + pack("8e 01 04 0a" + b"51".hex() + bytes(10).hex())
    + pack("8f 00 05 00" + "00 01 01 00" + "02 00 00 00 00 00 00 00")
    + pack("8f 01 06 00" + "00 00 00 00 00 00 03 03" + "07 00 00 00")
    + pack("8f 02 07 00" + "00 00 00 00" + "09 00 00 00 00 00 00 00")
)


def test_packs_are_written_as_mmc_has_them() -> None:
    assert packs(SHORT).hex(" ", PACK) == WRITTEN.hex(" ", PACK)


def test_no_text_makes_no_packs() -> None:
    assert packs(replace(SHORT, text=DiscText(), tracks=(Track(300),))) == b""


@settings(max_examples=200, deadline=None)
@given(programmes())
def test_what_was_written_is_read(programme: Programme) -> None:
    written = packs(programme)
    if not programme.has_text:
        assert written == b""
        return

    text, texts, mcn, isrcs = read_packs(written)

    assert (text, texts) == (programme.text, [track.text for track in programme.tracks])
    assert (mcn, isrcs) == (programme.mcn, [track.isrc for track in programme.tracks])


@settings(deadline=None)
@given(programme=programmes(), data=st.data())
def test_any_flipped_bit_is_noticed(programme: Programme, data: st.DataObject) -> None:
    written = bytearray(packs(replace(programme, text=DiscText("Live"))))
    bit = data.draw(st.integers(0, len(written) * 8 - 1))
    written[bit // 8] ^= 1 << bit % 8

    with pytest.raises(MediumDiffers, match="the checksum of pack"):
        read_packs(bytes(written))


@pytest.mark.parametrize("number", range(8))
def test_a_missing_pack_is_noticed(number: int) -> None:
    with pytest.raises(MediumDiffers, match="the disc's CD-TEXT can't be right"):
        read_packs(WRITTEN[: number * PACK] + WRITTEN[(number + 1) * PACK :])


def test_broken_packs_are_noticed() -> None:
    with pytest.raises(MediumDiffers, match="not whole packs"):
        read_packs(WRITTEN[:-1])


@pytest.mark.parametrize(
    ("number", "place", "value", "how"),
    [
        (0, 1, 1, "do not belong to 1 tracks"),
        (1, 3, 8, "do not belong to 1 tracks"),
        (1, 15, 0x41, "do not belong to 1 tracks"),
        (2, 0, 0x81, "there are other packs than it says"),
        (5, 4, 0x80, "not in ISO 8859-1"),
        (5, 5, 2, "not of tracks from 1 on"),
        (5, 6, 99, "do not belong to 99 tracks"),
        (6, 12, 8, "there are other packs than it says"),
        (7, 0, 0x8D, "its sizes are not told"),
    ],
)
def test_packs_that_contradict_each_other_are_noticed(number: int, place: int, value: int, how: str) -> None:
    parts = [WRITTEN[start : start + PACK] for start in range(0, len(WRITTEN), PACK)]
    parts[number] = pack((parts[number][:place] + bytes([value]) + parts[number][place + 1 : -2]).hex())

    with pytest.raises(MediumDiffers, match=how):
        read_packs(b"".join(parts))


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_noise_is_no_text(noise: bytes) -> None:
    with pytest.raises(MediumDiffers):
        read_packs(noise)


def test_packs_of_another_language_are_left() -> None:
    other = pack("80 00 00 10" + b"Direct\0Offen".hex())

    assert read_packs(WRITTEN + other) == read_packs(WRITTEN)


def many(tracks: int, text: str) -> Programme:
    return Programme(tuple(Track(300, text=DiscText(performer=text)) for _ in range(tracks)), text=DiscText("Live"))


def test_a_text_said_of_every_track_is_said_once_where_room_is_short() -> None:
    programme = many(99, "The Bowed Piano Ensemble of the Lower Rhine Valley")

    written = packs(programme)

    assert len(written) // PACK < 40
    assert read_packs(written)[1] == [track.text for track in programme.tracks]


def test_a_text_said_of_every_track_is_written_out_where_there_is_room() -> None:
    assert b"\t" not in b"".join(packs(many(99, "The Lab"))[start + 4 : start + 16] for start in range(0, 18 * 60, 18))


def test_room_ends_after_253_packs_of_text() -> None:
    noise = random.Random(7)  # noqa: S311
    full = 253 * 12 - 2  # less the zeros that end the disc's text and the track's
    fits = Programme((Track(300, text=DiscText("".join(noise.choices("abcdefg", k=full)))),))

    assert len(packs(fits)) == 256 * PACK
    assert read_packs(packs(fits))[1] == [fits.tracks[0].text]
    with pytest.raises(Faults, match="its CD-TEXT takes 254 packs of 12 characters, and a disc has room for 253"):
        packs(Programme((Track(300, text=DiscText(fits.tracks[0].text.title + "x")),)))
