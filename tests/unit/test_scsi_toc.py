"""What a CD tells of itself."""

from hypothesis import given
from hypothesis import strategies as st

from workers.mmc.answers import msf
from workers.recorders import scsi_toc as tocs


@given(block=st.integers(-150, 1_000_000))
def test_times_and_blocks_are_each_other(block: int) -> None:
    assert tocs.block_of(*msf(block)) == block


def test_the_table_tells_starts_control_and_lead_out() -> None:
    data = bytes.fromhex("001A 01 02 00 10 01 00 00000000 00 12 02 00 000002A3 00 10 AA 00 0000061A")

    toc = tocs.parse_toc(data)

    assert [(track.number, track.start, track.copy_permitted) for track in toc.tracks] == [
        (1, 0, False),
        (2, 675, True),
    ]
    assert toc.lead_out == 1562
    assert (toc.end_of(1), toc.end_of(2)) == (675, 1562)


def test_the_full_table_tells_sessions() -> None:
    rows = (
        "01 14 00 A0 00 00 00 00 01 00 00",
        "01 14 00 A1 00 00 00 00 01 00 00",
        "01 14 00 A2 00 00 00 00 00 0F 0F",
        "01 14 00 01 00 00 00 00 00 02 00",
        "02 10 00 02 00 00 00 00 02 2F 0F",
        "02 10 00 A2 00 00 00 00 03 00 00",
        "01 54 00 B0 04 00 00 02 4F 3B 4A",
    )
    body = bytes.fromhex("".join(rows))

    toc = tocs.parse_full_toc((len(body) + 2).to_bytes(2, "big") + bytes([1, 2]) + body)

    assert [(track.number, track.session, track.start, track.is_audio) for track in toc.tracks] == [
        (1, 1, 0, False),
        (2, 2, (2 * 60 + 45) * 75 + 15, True),
    ]
    assert toc.lead_out == (2 * 60 + 58) * 75


def test_the_groove_tells_room_and_maker() -> None:
    data = bytes.fromhex("001A 00 00 D0 00 80 00 61 1A 42 00 4F 3B 48 00") + bytes(12)

    atip = tocs.parse_atip(data)

    assert atip is not None
    assert (atip.capacity, atip.rewritable, atip.lead_in) == (359_847, False, "97m26s66f")
    assert tocs.parse_atip(b"") is None


def test_numbers_are_told_where_they_are_valid_and_well_formed() -> None:
    mcn = bytes.fromhex("00 15 00 14 02 00 00 00") + b"\x800724354526824\0\0"
    isrc = bytes.fromhex("00 15 00 14 03 10 01 00") + b"\x80GBAYE0000351\0\0\0"

    assert (tocs.parse_mcn(mcn), tocs.parse_isrc(isrc)) == ("0724354526824", "GBAYE0000351")
    assert (tocs.parse_mcn(mcn.replace(b"\x80", b"\0")), tocs.parse_isrc(isrc.replace(b"\x80", b"\0"))) == ("", "")
    assert (tocs.parse_mcn(mcn.replace(b"7", b"\0")), tocs.parse_isrc(isrc.replace(b"GB", b"g "))) == ("", "")


def test_cd_text_is_whole_packs() -> None:
    packs = bytes(range(36))

    assert tocs.parse_cd_text(bytes([0, 38, 0, 0]) + packs + b"more") == packs
    assert tocs.parse_cd_text(bytes([0, 30, 0, 0]) + packs) == packs[:18]
