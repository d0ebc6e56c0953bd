"""What one disc costs end to end, against a plain copy of the same bytes and a digest of the copy."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measuring import Scale, boot_clock, fill, interleaved, run, seconds
from benchmarks.rigs import BenchRig, boot_time, running_rig
from benchmarks.table import Row, Sample, skipped
from jobs.ordering import data_disc

_COREUTILS, _OPENSSL = ("sha256sum",), ("openssl", "dgst", "-sha256")
#: The parts of an order, and the peer of each.
_PARTS = {
    "submit": ("digest", "submit (hash; lay out; check; sum)"),
    "start": ("", "order stored -> laser on"),
    "burn": ("copy", "burn (write, hash, fsync)"),
    "verify": ("digest", "read back, compare, verdict"),
}


def run_size(rig: BenchRig, scale: Scale, size: int, rounds: int) -> list[Row]:
    """Measure discs of one size."""
    content = rig.root / f"content {size}"
    content.mkdir()
    source = content / "content.bin"
    fill(source, size)
    discs = _Discs(rig, content)
    peers = {"openssl": _Peer(scale, source, _OPENSSL), "coreutils": _Peer(scale, source, _COREUTILS)}
    present = {name: peer for name, peer in peers.items() if shutil.which(peer.digest[0])}
    found = interleaved(rounds, {"disc": discs.make, **{name: peer.run for name, peer in present.items()}})
    shutil.rmtree(content)
    return _rows(f"{size / 1e6:,.0f} MB", discs, found["disc"], {name: (present[name], found[name]) for name in present})


def run(scale: Scale) -> list[Row]:
    """Make discs of 700 MB and 4.3 GB, unthrottled, in turns with the peers."""
    rows: list[Row] = []
    with running_rig(scale) as rig:
        for size, rounds in scale.pick([(700_000_000, 7), (4_300_000_000, 5)], [(30_000_000, 3)]):
            lack = scale.lacks_room(3 * size)
            rows += [skipped(f"{size / 1e6:,.0f} MB", lack)] if lack else run_size(rig, scale, size, rounds)
    return rows


class _Discs:
    """Orders discs of one content; each in a layout of its own, so that none profits from the one before."""

    def __init__(self, rig: BenchRig, content: Path) -> None:
        self._rig = rig
        self._content = content
        self.parts: dict[str, list[float]] = {part: [] for part in _PARTS}

    def make(self) -> float:
        """Order a disc; return the seconds from the call until its verdict is committed."""
        number = len(self.parts["submit"])
        self._rig.until_ready()
        called = boot_clock()
        job = self._rig.mill.submit(data_disc(self._content, volume_id=f"RUN_{number}"))
        stored = boot_clock()
        attempt = self._rig.settled(job)
        evidence = self._rig.evidence(attempt.id)
        opened, closed = (float(evidence[event]["clock"]) for event in ("opened", "closed"))
        if attempt.finished is None:
            raise RuntimeError("an attempt that is settled has no time of its end")
        settled = boot_time(attempt.finished)
        moments = {"submit": stored - called, "start": opened - stored, "burn": closed - opened}
        for part, took in {**moments, "verify": settled - closed}.items():
            self.parts[part].append(took)
        self._rig.until_ready()
        self._rig.clear_shelf()
        return settled - called


@dataclass(slots=True)
class _Peer:
    """A copy that is brought to the disk, then the digest of the copy."""

    scale: Scale
    source: Path
    digest: tuple[str, ...]
    parts: dict[str, list[float]]

    def __init__(self, scale: Scale, source: Path, digest: tuple[str, ...]) -> None:
        self.scale = scale
        self.source = source
        self.digest = digest
        self.parts = {"copy": [], "digest": []}

    def run(self) -> float:
        """Do it; return the seconds."""
        copy = self.scale.folder / "copy.bin"
        copied = seconds(lambda: _copy(self.source, copy))
        hashed = seconds(lambda: run_program([*self.digest, copy]))
        copy.unlink()
        self.parts["copy"].append(copied)
        self.parts["digest"].append(hashed)
        return copied + hashed
