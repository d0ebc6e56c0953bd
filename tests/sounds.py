"""Sound files for tests: noise, so that no sample is like the next, and what a disc must hold of it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

#: Samples a second, and bytes of an audio block.
RATE, BLOCK = 44_100, 2352


def noise(seconds: float, seed: int) -> "np.ndarray[tuple[int, int], np.dtype[np.int16]]":
    """Make stereo noise, the same for the same seed."""
    random = np.random.default_rng(seed)
    return random.integers(-20_000, 20_000, (int(seconds * RATE), 2), dtype=np.int16)


def write_track(file: Path, seconds: float, seed: int, title: str = "", artist: str = "") -> bytes:
    """Write noise to a file of the kind its suffix names; return its samples as a disc holds them."""
    file.parent.mkdir(parents=True, exist_ok=True)
    samples = noise(seconds, seed)
    with soundfile.SoundFile(file, "w", RATE, channels=2, subtype="PCM_16") as sound:
        if title:
            sound.title = title
        if artist:
            sound.artist = artist
        sound.write(samples)
    return samples.astype("<i2").tobytes()


def disc_of(tracks: Sequence[bytes]) -> bytes:
    """Join tracks without a gap, and fill up the last block with silence."""
    whole = b"".join(tracks)
    return whole + bytes(-len(whole) % BLOCK)
