"""Decodes one file and tells of it in lines of JSON: `share` on the way, then `facts`, `fault` or `errno`."""

import json
import os
import resource
import sys
from dataclasses import asdict

from jobs.decoder.conversion import Converter
from jobs.decoder.sounds import opened
from jobs.decoder.words import MOST_SAMPLES, RATE, SAMPLE, Facts, Request, Undecodable


class _Unwritable(Exception):
    """The output can't be written."""

    def __init__(self, errno: int) -> None:
        self.errno = errno


def main() -> None:
    """Carry out the request in the first argument."""
    request = Request.read(sys.argv[1])
    _limit(request)
    try:
        _tell(facts=asdict(_decode(request)))
    except Undecodable as fault:
        _tell(fault=str(fault))
    except MemoryError:
        _tell(fault=f"needs more than the {request.memory >> 20} MiB of memory that decoding may use")
    except _Unwritable as failure:
        _tell(errno=failure.errno)
    except Exception as error:  # noqa: BLE001  (whatever a library raises is about the file)
        _tell(fault=f"can't be decoded ({type(error).__name__}: {error})"[:500])


def _limit(request: Request) -> None:
    """Bound what this process and its children may use, whatever a file makes them do."""
    limits = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_CPU: request.cpu_seconds,
        resource.RLIMIT_AS: request.memory,
        resource.RLIMIT_FSIZE: MOST_SAMPLES * SAMPLE,
    }
    for kind, most in limits.items():
        resource.setrlimit(kind, (most, most))


def _decode(request: Request) -> Facts:
    with opened(request) as sound:
        converter = Converter(sound, request.seed)
        for block in converter.blocks():
            _write(request.output, memoryview(block.tobytes()))
            _tell(share=sound.share(converter.taken))
    if not converter.samples:
        raise Undecodable("holds no samples")
    return Facts(
        samples=converter.samples,
        rate=sound.rate,
        bits=sound.bits,
        channels=sound.channels,
        format=sound.format,
        resampled=sound.rate != RATE,
        dithered=converter.dithers,
        clipped=converter.clipped,
        tags=sound.tags,
    )


def _write(handle: int, piece: memoryview) -> None:
    try:
        while piece:
            piece = piece[os.write(handle, piece) :]
    except OSError as error:
        raise _Unwritable(error.errno or 0) from error


def _tell(**words: object) -> None:
    """Say something. Where nobody listens any more this ends the process, which is what is wanted then."""
    os.write(1, json.dumps(words).encode() + b"\n")


if __name__ == "__main__":
    main()
