"""Opens an audio file: what it says of itself, and its samples block by block."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol, TypeGuard

import numpy as np
import numpy.typing as npt
import soundfile

from jobs.decoder import foreign
from jobs.decoder.containers import Container, examine
from jobs.decoder.words import MOST_SAMPLES, RATE, Request, Tags, Undecodable

Samples = npt.NDArray[np.int16]
Floats = npt.NDArray[np.float64]
Block = Samples | Floats

#: Samples read at once, some 1.5 seconds.
BLOCK = 1 << 16
#: Rates that audio has; others are lies, and expensive ones.
_SLOWEST, _FASTEST = 4_000, 768_000
#: Characters of a tag; more is not meant for people.
_MOST_TAG = 1000
#: libsndfile's kinds of samples that 16 bits hold exactly.
_EXACT = {"PCM_16", "PCM_S8", "PCM_U8", "ULAW", "ALAW", "IMA_ADPCM", "MS_ADPCM", "GSM610"}
_BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32, "FLOAT": 32, "DOUBLE": 64}
#: libsndfile's containers that are taken; it knows a dozen more, which nobody orders and nobody tested.
_FORMATS = {"WAV", "WAVEX", "RF64", "W64", "AIFF", "FLAC", "MP3", "OGG"}
#: libsndfile's word for "this is none of mine".
_UNRECOGNISED = 1
#: A file whose header says that nobody knew its length.
_ENDLESS = 1 << 60


class Sound(Protocol):
    """An open audio file. `exact` says that its blocks are 16-bit integers; else they are floats, full scale 1."""

    rate: int
    channels: int
    bits: int
    format: str
    exact: bool
    tags: Tags

    def blocks(self) -> Iterator[Block]:
        """Give its samples, one column a channel.

        Raises:
            Undecodable: it is damaged.
        """

    def share(self, taken: int) -> float:
        """Say how much of it so many samples are, 0 to 1."""


def is_floats(block: Block) -> TypeGuard[Floats]:
    """Tell the two kinds of blocks apart."""
    return block.dtype == np.float64


@contextmanager
def opened(request: Request) -> Iterator[Sound]:
    """Open the file of a request.

    Raises:
        Undecodable: it is damaged, of an unknown format, or its samples are not what a disc can be made of.
    """
    if request.raw:
        yield _checked(RawSound(request))
        return
    other = foreign.recognised(request.source)
    if other:
        with foreign.opened(request, other) as sound:
            yield _checked(sound)
        return
    container = examine(request.source)
    with _file(request.source) as file:
        yield _checked(FileSound(file, container))


def _file(handle: int) -> soundfile.SoundFile:
    try:
        return soundfile.SoundFile(handle, closefd=False)
    except soundfile.LibsndfileError as error:
        if error.code == _UNRECOGNISED:
            said = "is no audio file of a format that is known; convert it to WAV or FLAC"
        else:
            said = f"can't be decoded ({error.error_string.strip()})"
        raise Undecodable(said) from error


def _checked(sound: Sound) -> Sound:
    if sound.channels not in {1, 2}:
        remedy = "mix it down to stereo, which only you can decide how"
        raise Undecodable(f"has {sound.channels} channels, and a disc has two; {remedy}")
    if not _SLOWEST <= sound.rate <= _FASTEST:
        raise Undecodable(f"claims a rate of {sound.rate:,} Hz; {_SLOWEST:,} to {_FASTEST:,} can be converted")
    return sound


def _check_claim(seconds: float) -> None:
    """Refuse what is too long by its own account, before anything is decoded."""
    if seconds > MOST_SAMPLES / RATE:
        raise Undecodable(f"claims to be longer than {MOST_SAMPLES // RATE // 60} minutes; cut it")


class RawSound:
    """Samples without a header, as a disc has them (CUE sheets: BINARY and MOTOROLA)."""

    rate, channels, bits, format, exact, tags = RATE, 2, 16, "raw", True, Tags()

    def __init__(self, request: Request) -> None:
        self._handle = request.source
        self._type = "<i2" if request.raw == "little" else ">i2"
        self._frames, rest = divmod(os.fstat(request.source).st_size, 4)
        if rest:
            raise Undecodable("is no raw audio: it is not whole samples of 4 bytes")
        _check_claim(self._frames / RATE)

    def blocks(self) -> Iterator[Block]:
        """Give its samples."""
        for place in range(0, self._frames * 4, BLOCK * 4):
            data = os.pread(self._handle, BLOCK * 4, place)
            yield np.frombuffer(data, self._type).reshape(-1, 2).astype("<i2")

    def share(self, taken: int) -> float:
        """Say how much of it so many samples are."""
        return taken / max(1, self._frames)


class FileSound:
    """A file that libsndfile reads."""

    def __init__(self, file: soundfile.SoundFile, container: Container) -> None:
        self.rate, self.channels = file.samplerate, file.channels
        self.format, self.bits = file.format, _BITS.get(file.subtype, 0)
        self.exact = file.subtype in _EXACT
        self.tags = _tags(file.copy_metadata())
        self._file = file
        self._container = container
        self._frames = file.frames if file.frames < _ENDLESS else 0
        if file.format not in _FORMATS:
            raise Undecodable(f"is {file.format} audio, which is not taken; convert it to WAV or FLAC")
        if file.format == "MP3" and not container.mpeg:
            raise Undecodable("is no row of whole MP3 frames: damaged, or of free bit rate; convert it to WAV or FLAC")
        _check_claim(self._frames / max(self.rate, _SLOWEST))

    def blocks(self) -> Iterator[Block]:
        """Give its samples, and check in the end that all were there."""
        read = 0
        try:
            for block in self._flac_blocks() if self._container.flac_md5 else self._plain_blocks():
                read += len(block)
                yield block
        except soundfile.LibsndfileError as error:
            second = read / self.rate
            raise Undecodable(f"is damaged: nothing can be decoded after {second:.1f} s ({error})") from error
        is_known = self._frames and (self.format != "MP3" or self._container.mpeg_length)  # else it is a guess
        if is_known and read != self._frames:
            raise Undecodable(f"is damaged: it claims {self._frames:,} samples, and {read:,} can be decoded")

    def _plain_blocks(self) -> Iterator[Block]:
        kind = "int16" if self.exact else "float64"
        while len(block := self._file.read(BLOCK, dtype=kind, always_2d=True)):
            yield block

    def _flac_blocks(self) -> Iterator[Block]:
        """Give a FLAC's samples, which must have the MD5 that it carries (RFC 9639, 8.2)."""
        digest = hashlib.md5(usedforsecurity=False)
        bits = self._container.flac_bits
        width = -(-bits // 8)
        while len(block := self._file.read(BLOCK, dtype="int32", always_2d=True)):
            narrow = np.ascontiguousarray(block >> (32 - bits)).astype("<i4")
            digest.update(narrow.view(np.uint8).reshape(-1, 4)[:, :width].tobytes())
            yield (block >> 16).astype("<i2") if self.exact else block / 2**31
        if digest.digest() != self._container.flac_md5:
            raise Undecodable("is damaged: its samples have not the MD5 that it carries; get a good copy (flac -t)")

    def share(self, taken: int) -> float:
        """Say how much of it so many samples are."""
        return min(1.0, taken / self._frames) if self._frames else 0.0


def _tags(found: Mapping[str, str]) -> Tags:
    # What is not UTF-8 was replaced on the way: half a text is worse than none.
    good = {key: value[:_MOST_TAG].strip() for key, value in found.items() if "\ufffd" not in value}
    return Tags(
        title=good.get("title", ""),
        performer=good.get("artist", ""),
        album=good.get("album", ""),
        number=good.get("tracknumber", ""),
    )
