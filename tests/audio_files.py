"""Writes audio files for tests, and reads back what became of them."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from jobs.decoding import Decoded, Recording
from jobs.manifest import Entry
from jobs.roots import ContentRoots
from jobs.scanning import scan_file

RATE = 44_100
Samples = npt.NDArray[np.int16]
Floats = npt.NDArray[np.float64]


def noise(count: int, seed: int = 1) -> Samples:
    """Make samples of 16 bits, left and right, in which no two places are alike."""
    generator = np.random.default_rng(seed)
    return generator.integers(-30_000, 30_000, (count, 2), dtype=np.int16)


def music(count: int, rate: int = RATE) -> Floats:
    """Make two soft tones with a little noise, which lossy encoders like better than noise alone."""
    time = np.arange(count) / rate
    tones = np.stack([0.5 * np.sin(2 * np.pi * 440 * time), 0.3 * np.sin(2 * np.pi * 997 * time)], 1)
    return tones + np.random.default_rng(1).normal(0, 0.003, (count, 2))


def write(path: Path, samples: Samples | Floats, subtype: str | None = None, rate: int = RATE, **tags: str) -> Path:
    """Write an audio file, its format as its suffix says; in blocks, since libsndfile crashes on large OGGs."""
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    with soundfile.SoundFile(path, "w", rate, channels, subtype) as file:
        for name, text in tags.items():
            setattr(file, name, text)
        for begin in range(0, len(samples), 4096):
            file.write(samples[begin : begin + 4096])
    return path


def encode(path: Path, samples: Samples | Floats, *command: str) -> Path:
    """Write an audio file by a program: IN and OUT in its arguments are the files."""
    wav = write(path.with_name(f"{path.name}.source.wav"), samples, "PCM_16")
    files = {"IN": str(wav), "OUT": str(path)}
    subprocess.run([files.get(word, word) for word in command], check=True, capture_output=True)
    wav.unlink()
    return path


def lame(path: Path, samples: Samples | Floats, *options: str) -> Path:
    """Write an MP3."""
    return encode(path, samples, "lame", "--quiet", *options, "IN", "OUT")


def ffmpeg(path: Path, samples: Samples | Floats, codec: str, *options: str) -> Path:
    """Write whatever else."""
    return encode(path, samples, "ffmpeg", "-v", "error", "-i", "IN", "-c:a", codec, *options, "OUT")


def damaged(path: Path, *, at: float = 0.6, count: int = 500) -> Path:
    """Copy a file with other bytes in the middle of it."""
    content = bytearray(path.read_bytes())
    place = int(len(content) * at)
    content[place : place + count] = np.random.default_rng(2).bytes(count)
    copy = path.with_name(f"damaged-{path.name}")
    copy.write_bytes(content)
    return copy


def cut_off(path: Path, share: float = 0.7) -> Path:
    """Copy the beginning of a file."""
    copy = path.with_name(f"cut-off-{path.name}")
    shutil.copy(path, copy)
    with copy.open("r+b") as file:
        file.truncate(int(path.stat().st_size * share))
    return copy


def entry_of(path: Path) -> Entry:
    """Scan a file."""
    found = scan_file(path, ContentRoots([path.parent]), "audio")
    assert not found.faults
    return found.entries[0]


def recording(path: Path, raw: str = "", cuts: tuple[int, ...] = ()) -> Recording:
    """Scan a file that is to be decoded."""
    return Recording(entry_of(path), raw, cuts)


def samples_of(decoded: Decoded) -> Samples:
    """Read the samples that a file became, all its pieces."""
    data = b"".join(Path(piece.source).read_bytes() for piece in decoded.pieces)
    return np.frombuffer(data, "<i2").reshape(-1, 2)
