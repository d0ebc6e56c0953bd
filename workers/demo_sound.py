"""The demo's audio: a few seconds of tones in WAV files, one of them not as a disc needs it."""

import math
import wave
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Tune:
    """A track: its title, its notes in Hz, samples a second, and bytes of one sample of one channel."""

    title: str
    notes: tuple[float, ...]
    rate: int = 44_100
    width: int = 2


_TUNES = (
    Tune("Calling On", (261.63, 329.63, 392.00, 523.25)),
    Tune("Halfway There", (293.66, 369.99, 440.00, 587.33), rate=48_000, width=3),
    Tune("Lead-Out", (523.25, 392.00, 329.63, 261.63)),
)
_SECONDS_A_NOTE = 1.5
#: Share of full scale; seconds to swell and fade, so that no note begins or ends with a click.
_LOUDNESS, _EDGE = 0.3, 0.05


def write_tunes(folder: Path, tunes: Sequence[Tune] = _TUNES) -> list[Path]:
    """Write the tracks, one file each, named by number and title; return the files in the order of the disc."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{number:02d} {tune.title}.wav" for number, tune in enumerate(tunes, 1)]
    for file, tune in zip(files, tunes, strict=True):
        with wave.open(str(file), "wb") as sound:
            sound.setnchannels(2)
            sound.setsampwidth(tune.width)
            sound.setframerate(tune.rate)
            sound.writeframes(b"".join(chain.from_iterable(_note(pitch, tune) for pitch in tune.notes)))
    return files


def _note(pitch: float, tune: Tune) -> Iterator[bytes]:
    """Make the samples of one note, the left channel a little before the right."""
    count, most = int(tune.rate * _SECONDS_A_NOTE), (1 << (8 * tune.width - 1)) - 1
    for sample in range(count):
        time = sample / tune.rate
        swell = min(1.0, time / _EDGE, (count - sample) / tune.rate / _EDGE) * _LOUDNESS * most
        for phase in (0.0, 0.3):
            level = int(swell * math.sin(2 * math.pi * pitch * time - phase))
            yield level.to_bytes(tune.width, "little", signed=True)
