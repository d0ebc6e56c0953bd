"""Reads what libsndfile does not, through the programs ffprobe and ffmpeg where they are installed.

A file is given to them only if its first bytes are of a known format, and that format's demuxer is named to them: so
no playlist, script or address inside a file is ever followed. They may open files, and nothing else.
"""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from jobs.decoder.containers import Bytes
from jobs.decoder.words import Request, Tags, Undecodable

#: Samples read at once.
_BLOCK = 1 << 16
#: A stream may be that much shorter than its container tells: lengths are rounded, and encoders' delays counted.
_TOLERANCE = 0.1
#: Bytes of an AU header (Sun, "The .au file format").
_AU_HEAD = 24
_MOST_TAG = 1000


@dataclass(frozen=True, slots=True)
class Format:
    """A format by its first bytes. `tells_length` is false where ffprobe can only guess it."""

    name: str
    demuxer: str
    place: int
    magic: bytes
    tells_length: bool = True


@dataclass(frozen=True, slots=True)
class _Stream:
    """What ffprobe tells of the audio; `bits` and `seconds` are 0 where it does not know."""

    bits: int
    seconds: float
    tags: Tags


_FORMATS = (
    Format("M4A", "mov", 4, b"ftyp"),
    Format("WMA", "asf", 0, bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")),
    Format("Matroska", "matroska", 0, b"\x1a\x45\xdf\xa3"),
    Format("Monkey's Audio", "ape", 0, b"MAC "),
    Format("WavPack", "wv", 0, b"wvpk"),
    Format("True Audio", "tta", 0, b"TTA1"),
    Format("TAK", "tak", 0, b"tBaK"),
    Format("Musepack", "mpc8", 0, b"MPCK"),
    Format("Musepack", "mpc", 0, b"MP+"),
    Format("CAF", "caf", 0, b"caff"),
    Format("AC-3", "ac3", 0, b"\x0b\x77", tells_length=False),
    Format("AAC", "aac", 0, b"\xff\xf1", tells_length=False),
    Format("AAC", "aac", 0, b"\xff\xf9", tells_length=False),
)


def recognised(handle: int) -> Format | None:
    """Tell the format of an open file by its first bytes, if it is one for ffmpeg."""
    content = Bytes(handle)
    head = content.at(content.after_id3(), 32)
    return next((each for each in _FORMATS if head[each.place :].startswith(each.magic)), None)


@contextmanager
def opened(request: Request, found: Format) -> Iterator["ForeignSound"]:
    """Start the decoder of a file of a format.

    Raises:
        Undecodable: the programs are missing, or they find no audio in the file.
    """
    if not request.ffmpeg or not request.ffprobe:
        remedy = "install ffmpeg (with ffprobe), or convert the file to WAV or FLAC"
        raise Undecodable(f"is {found.name}, which only the program ffmpeg decodes, and it is not installed; {remedy}")
    stream = _probe(request, found)
    command = [
        *(request.ffmpeg, "-nostdin", "-hide_banner", "-v", "error", "-threads", "1", "-xerror"),
        *("-err_detect", "explode", *_guards(request, found)),
        *("-map", "0:a:0", "-vn", "-sn", "-dn", "-c:a", "pcm_f32be", "-f", "au", "pipe:1"),
    ]
    receiving, sending = os.pipe()
    with (
        os.fdopen(receiving, "rb") as pipe,
        subprocess.Popen(command, **_inheriting(request), env=_CLEAN, stdout=sending) as program,
    ):
        os.close(sending)
        try:
            yield ForeignSound(program, pipe, found, stream)
        finally:
            program.kill()


def _guards(request: Request, found: Format) -> list[str]:
    # By /dev/fd and not by a pipe: the index of an M4A is often at its end.
    format_is = ["-f", found.demuxer, "-format_whitelist", found.demuxer]
    return ["-protocol_whitelist", "file", *format_is, "-i", f"/dev/fd/{request.source}"]


#: Nothing of the decoder's own environment.
_CLEAN = {"LC_ALL": "C.UTF-8"}


def _inheriting(request: Request) -> dict[str, Any]:
    return {
        "stdin": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
        "pass_fds": [request.source],
    }


def _probe(request: Request, found: Format) -> _Stream:
    """Ask ffprobe for the first audio stream."""
    entries = "stream=bits_per_raw_sample,duration:format=duration:format_tags:stream_tags"
    command = [
        *(request.ffprobe, "-hide_banner", "-v", "error", *_guards(request, found)),
        *("-select_streams", "a:0", "-show_entries", entries, "-of", "json"),
    ]
    said = subprocess.run(command, **_inheriting(request), env=_CLEAN, stdout=subprocess.PIPE, check=False).stdout
    try:
        answer = json.loads(said.decode("utf-8", "replace"))
        (stream,) = answer["streams"]
        told = answer.get("format", {})
        seconds = float(stream.get("duration") or told.get("duration") or 0)
        return _Stream(
            bits=int(stream.get("bits_per_raw_sample") or 0),
            seconds=seconds if found.tells_length else 0.0,
            tags=_tags(told.get("tags", {}) | stream.get("tags", {})),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Undecodable(f"is no {found.name} that can be read: ffprobe finds no audio in it") from error


class ForeignSound:
    """What ffmpeg decodes: floats through a pipe, behind a header that tells rate and channels."""

    def __init__(self, program: "subprocess.Popen[bytes]", pipe: BinaryIO, found: Format, stream: _Stream) -> None:
        self._program, self._pipe = program, pipe
        self.format = found.name
        self.bits = stream.bits
        self.exact = 0 < self.bits <= 16  # noqa: PLR2004  (a disc's bits)
        self.tags = stream.tags
        self._seconds = stream.seconds
        head = self._pipe.read(_AU_HEAD)
        begin, _, _, self.rate, self.channels = (int.from_bytes(head[at : at + 4], "big") for at in range(4, 24, 4))
        self._pipe.read(max(0, begin - _AU_HEAD))
        if len(head) < _AU_HEAD:
            raise Undecodable(f"is damaged: ffmpeg can't decode this {found.name}")

    def blocks(self) -> Iterator[npt.NDArray[np.int16] | npt.NDArray[np.float64]]:
        """Give its samples; ffmpeg must end well and have given as much as the file tells."""
        read = 0
        while data := self._pipe.read(_BLOCK * 4 * self.channels):
            floats = np.frombuffer(data[: len(data) // 4 * 4], ">f4").reshape(-1, self.channels).astype(np.float64)
            read += len(floats)
            yield np.rint(floats * 2**15).astype("<i2") if self.exact else floats
        if self._program.wait():
            raise Undecodable(f"is damaged: ffmpeg gives up on this {self.format} after {read / self.rate:.1f} s")
        if read / self.rate < self._seconds - _TOLERANCE:
            claim = f"it claims {self._seconds:.2f} s, and {read / self.rate:.2f} s can be decoded"
            raise Undecodable(f"is damaged: {claim}")

    def share(self, taken: int) -> float:
        """Say how much of it so many samples are."""
        return min(1.0, taken / self.rate / self._seconds) if self._seconds else 0.0


def _tags(found: Mapping[str, str]) -> Tags:
    good = {key.lower(): str(text)[:_MOST_TAG].strip() for key, text in found.items() if "\ufffd" not in str(text)}
    return Tags(
        title=good.get("title", ""),
        performer=good.get("artist", ""),
        album=good.get("album", ""),
        number=good.get("track", ""),
        isrc=good.get("isrc", ""),
    )
