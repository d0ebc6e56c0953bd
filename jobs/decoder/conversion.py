"""What is done to samples on their way to a disc: nothing if they are a disc's already, else as little as needed.

Bit-exact are 16 bits or fewer at 44,100 Hz; one channel becomes two equal ones. Another rate is converted by soxr at
its highest quality, in double precision. Where precision is lost, triangular dither of one bit either way (TPDF)
makes the rounding error noise that does not depend on the music.
"""

from collections.abc import Iterator

import numpy as np
import soxr

from jobs.decoder.sounds import Block, Floats, Samples, Sound, is_floats
from jobs.decoder.words import MOST_SAMPLES, RATE, Undecodable

#: Full scale of 16 bits.
_FULL = 1 << 15
#: Louder is no audio; float files hold anything. 120 dB over full scale.
_LOUDEST = 1e6
#: Samples that the resampler may give too few by rounding.
_SLACK = 8


class Converter:
    """Turns the blocks of a sound into a disc's samples: 16 bits, little-endian, left and right."""

    def __init__(self, sound: Sound, seed: str) -> None:
        self.taken = 0  #: samples read, at the sound's own rate
        self.samples = 0  #: samples given
        self.clipped = 0
        self.dithers = not sound.exact or sound.rate != RATE
        self._sound = sound
        # A bit generator's own output is the same in every version of numpy; what distributions make of it is not.
        self._noise = np.random.PCG64(int(seed, 16))

    def blocks(self) -> Iterator[Samples]:
        """Give everything, block by block.

        Raises:
            Undecodable: it is not audio, or longer than a disc.
        """
        for block in self._resampled() if self._sound.rate != RATE else self._checked():
            samples = self._rounded(block) if is_floats(block) else block.astype("<i2", copy=False)
            self.samples += len(samples)
            if self.samples > MOST_SAMPLES:
                raise Undecodable(f"is longer than {MOST_SAMPLES // RATE // 60} minutes; cut it")
            yield np.repeat(samples, 2, axis=1) if samples.shape[1] == 1 else samples

    def _checked(self) -> Iterator[Block]:
        for block in self._sound.blocks():
            if is_floats(block):
                self._check(block)
            self.taken += len(block)
            yield block

    def _check(self, block: Floats) -> None:
        odd = ~(np.abs(block) < _LOUDEST)  # of what is no number any comparison is false
        if odd.any():
            second = (self.taken + int(odd.any(axis=1).argmax())) / self._sound.rate
            raise Undecodable(f"holds a sample that is no audio (not a number, infinite, or absurd) at {second:.3f} s")

    def _resampled(self) -> Iterator[Floats]:
        """Convert the rate, to the very sample: n samples become n * 44,100 / rate, rounded, with no delay."""
        stream = soxr.ResampleStream(self._sound.rate, RATE, self._sound.channels, dtype="float64", quality="VHQ")
        given = 0
        for block in self._checked():
            floats = block if is_floats(block) else block / _FULL
            converted = stream.resample_chunk(np.ascontiguousarray(floats, dtype=np.float64))
            given += len(converted)
            if len(converted):
                yield converted
        rest = stream.resample_chunk(np.zeros((0, self._sound.channels)), last=True)
        missing = (2 * self.taken * RATE + self._sound.rate) // (2 * self._sound.rate) - given
        if missing > len(rest) + _SLACK or missing < -_SLACK:
            raise Undecodable("can't be resampled")
        yield np.pad(rest, ((0, max(0, missing - len(rest))), (0, 0)))[: max(0, missing)]

    def _rounded(self, block: Floats) -> Samples:
        scaled = block * _FULL
        self.clipped += int((np.abs(scaled) > _FULL).sum())
        noise = self._noise.random_raw(scaled.size).reshape(scaled.shape)
        # Two halves of 32 random bits, one less the other: a triangle from -1 to 1.
        dither = ((noise >> np.uint64(32)).astype(np.float64) - (noise & np.uint64(0xFFFFFFFF))) / 2**32
        return np.clip(np.rint(scaled + dither), -_FULL, _FULL - 1).astype("<i2")
