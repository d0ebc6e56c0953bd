"""The reading side of a modelled drive: data, audio, and the Q channel beside it (MMC-6 6.15, 4.2.3.4)."""

import binascii

from workers.mmc.answers import msf
from workers.mmc.faults import Trouble
from workers.mmc.mechanism import Mechanism
from workers.mmc.medium import AUDIO, DATA, Medium, Track
from workers.mmc.refusals import BAD_FIELD, ILLEGAL_FOR_TRACK, NO_SUCH_BLOCK, READ_ERROR, RUN_OUT, Refused
from workers.mmc.sectors import PREGAP

#: Blocks that one command may read; programs ask for a hundred at most, and a hostile one for all of a disc.
_MOST_BLOCKS = 4096
#: Bytes beside each block, by sub-channel selection: none, P-W raw, Q formatted, R-W corrected.
_SUBCHANNELS = {0: 0, 1: 96, 2: 16, 4: 96}
_FORMATTED_Q, _PACKED = 16, 4
#: What READ CD may be asked for of a block of mode 1, in its byte 9 (MMC-6 table 342).
_SYNC, _HEADER, _USER, _CORRECTION = 0x80, 0x20, 0x10, 0x08
#: Of so many blocks in a row one tells the MCN and one the ISRC; Red Book: at least one each in a hundred.
_ROUND, _MCN_TURN, _ISRC_TURN = 90, 30, 60


def read_data(mechanism: Mechanism, first: int, count: int) -> bytes:
    """Read data blocks.

    Raises:
        Refused: they are audio, never written, or damaged.
    """
    if _check(mechanism, first, count):
        raise Refused(ILLEGAL_FOR_TRACK)
    return mechanism.medium.store.read(first, count, DATA)


def read_cd(mechanism: Mechanism, cdb: bytes) -> bytes:
    """Carry out READ CD: user data, sub-channels or both.

    Raises:
        Refused: the blocks are of another type, never written, or damaged.
    """
    first, count = int.from_bytes(cdb[2:6], "big", signed=True), int.from_bytes(cdb[6:9], "big")
    expected, wanted, beside = cdb[1] >> 2 & 7, cdb[9] & 0xF8, cdb[10] & 7
    if count == 0:
        return b""
    audio = _check(mechanism, first, count)
    if beside not in _SUBCHANNELS:
        raise Refused(BAD_FIELD)
    if expected not in ({0, 1} if audio else {0, 2}):
        raise Refused(ILLEGAL_FOR_TRACK)
    medium = mechanism.medium
    main = _audio_block if audio else _data_block
    blocks = range(first, first + count)
    return b"".join(main(medium, block, wanted) + _subchannel(medium, block, beside) for block in blocks)


def _audio_block(medium: Medium, block: int, wanted: int) -> bytes:
    return medium.store.read(block, 1, AUDIO) if wanted else b""


def _data_block(medium: Medium, block: int, wanted: int) -> bytes:
    """Return the parts of a block of mode 1 that are asked for; its error correction is told as zeros, never used."""
    parts = (
        (_SYNC, b"\0" + b"\xff" * 10 + b"\0"),
        (_HEADER, bytes([*map(_bcd, msf(block)), 1])),
        (_USER, medium.store.read(block, 1, DATA)),
        (_CORRECTION, bytes(288)),
    )
    return b"".join(data for bit, data in parts if wanted & bit)


def _subchannel(medium: Medium, block: int, which: int) -> bytes:
    size = _SUBCHANNELS[which]
    if not size:
        return b""
    return bytes(size) if which == _PACKED else _q_channel(medium, block, size)


def _check(mechanism: Mechanism, first: int, count: int) -> bool:
    """Refuse blocks that nobody wrote, a fault waits at, or that are too many; say whether they are audio."""
    if count > _MOST_BLOCKS:
        raise Refused(BAD_FIELD)
    tracks = [_track_of(mechanism.medium, block) for block in (first, max(first, first + count - 1))]
    if any(fault.trouble is Trouble.READ_ERROR for fault in mechanism.faults_in(first, first + count)):
        raise Refused(READ_ERROR)
    return any(track.is_audio for track in tracks)


def _track_of(medium: Medium, block: int) -> Track:
    track = medium.track_at(block)
    if track is None and medium.tracks and -PREGAP <= block < medium.tracks[0].start:
        return medium.tracks[0]
    if track is None or not track.blocks:
        raise Refused(NO_SUCH_BLOCK)
    if block >= track.start + track.blocks:
        raise Refused(RUN_OUT)
    return track


def _q_channel(medium: Medium, block: int, size: int) -> bytes:
    """Return the Q channel of a block: formatted, or as bit 6 of each byte (MMC-6 table 352)."""
    body = _mode_2(medium, block) or _mode_3(medium, block) or _mode_1(medium, block)
    body += (binascii.crc_hqx(body, 0) ^ 0xFFFF).to_bytes(2, "big")
    if size == _FORMATTED_Q:
        return body[:10].ljust(size, b"\0")
    return bytes((body[bit >> 3] >> (7 - (bit & 7)) & 1) << 6 for bit in range(size))


def _mode_1(medium: Medium, block: int) -> bytes:
    """Return where the block is: track, index, time in the track, time on the disc."""
    track = _track_of(medium, block)
    following = next((item for item in medium.tracks if item.number == track.number + 1), None)
    index, relative = 1, block - track.start
    if following is not None and block >= medium.index.get(following.number, following.start):
        track, index, relative = following, 0, following.start - block
    elif relative < 0:
        index, relative = 0, -relative
    time = (relative // 4500, relative // 75 % 60, relative % 75)
    return bytes([track.control << 4 | 1, *map(_bcd, (track.number, index, *time, 0, *msf(block)))])


def _mode_2(medium: Medium, block: int) -> bytes | None:
    """Return the catalogue number, in a block that it is the turn of."""
    if not medium.mcn or block % _ROUND != _MCN_TURN:
        return None
    control = _track_of(medium, block).control
    return bytes([control << 4 | 2]) + bytes.fromhex(medium.mcn + "000") + bytes([_bcd(msf(block)[2])])


def _mode_3(medium: Medium, block: int) -> bytes | None:
    """Return the track's ISRC: five characters of six bits, two zero bits, seven digits, four zero bits."""
    track = _track_of(medium, block)
    if not track.isrc or block % _ROUND != _ISRC_TURN:
        return None
    letters = "".join(f"{_six_bits(letter):06b}" for letter in track.isrc[:5])
    bits = letters + "00" + "".join(f"{int(digit):04b}" for digit in track.isrc[5:]) + "0000"
    return bytes([track.control << 4 | 3]) + int(bits, 2).to_bytes(8, "big") + bytes([_bcd(msf(block)[2])])


def _six_bits(letter: str) -> int:
    """Return the code of a letter of an ISRC (Red Book table 1): digits from 0, letters from 17."""
    return int(letter) if letter.isdigit() else ord(letter) - ord("A") + 17


def _bcd(value: int) -> int:
    return value // 10 % 10 << 4 | value % 10
