"""What one disc costs end to end, against a plain copy of the same bytes and a digest of the copy."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measuring import Scale, boot_clock, fill, interleaved, run_program, seconds
from benchmarks.rigs import BenchRig, boot_time, running_rig
from benchmarks.table import Row, Sample, skipped
from jobs.ordering import data_disc

#: Debian's sha256sum does without the processor's SHA instructions; openssl uses them, as Python does.
_DIGESTS = (("openssl", "dgst", "-sha256"), ("sha256sum",))


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of an order, from one moment to the next, and the peer's part that does the like."""

    begin: str
    end: str
    name: str
    peer: str = ""


_PARTS = (
    _Part("called", "stored", "submit: hash, lay out, sum", "digest"),
    _Part("stored", "opened", "order stored -> laser on"),
    _Part("opened", "closed", "burn: write, hash, fsync", "copy"),
    _Part("closed", "settled", "read back, compare, verdict", "digest"),
)


def run(scale: Scale) -> list[Row]:
    """Make discs of 700 MB and 4.3 GB, unthrottled, in turns with the peers."""
    rows: list[Row] = []
    with running_rig(scale) as rig:
        for size, rounds in scale.pick([(700_000_000, 7), (4_300_000_000, 5)], [(30_000_000, 3)]):
            lack = scale.lacks_room(3 * size)
            rows += [skipped(_named(size), lack)] if lack else _measure(rig, scale, size, rounds)
    return rows


def _measure(rig: BenchRig, scale: Scale, size: int, rounds: int) -> list[Row]:
    content = rig.root / f"content {size}"
    content.mkdir()
    fill(content / "content.bin", size)
    discs = _Discs(rig, content)
    peers = [_Peer(content / "content.bin", scale.folder / "copy.bin", digest) for digest in _DIGESTS]
    present = [peer for peer in peers if shutil.which(peer.digest[0])]
    interleaved(rounds, {"disc": discs.make, **{peer.name: peer.copy_and_hash for peer in present}})
    shutil.rmtree(content)
    whole = Row(f"{_named(size)}: order -> verdict", "s", discs.between("called", "settled"))
    rows = [Row(whole.name, "s", whole.ours, f"cp, sync, {peer.name}", peer.part("whole")) for peer in present]
    return rows + [_part(discs, part, present[0]) for part in _PARTS]


def _part(discs: "_Discs", part: _Part, peer: "_Peer") -> Row:
    name, ours = f"  of that: {part.name}", discs.between(part.begin, part.end)
    if not part.peer:
        return Row(name, "s", ours)
    return Row(name, "s", ours, "cp, sync" if part.peer == "copy" else peer.name, peer.part(part.peer))


def _named(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"


class _Discs:
    """Orders discs of one content; each has a volume id of its own, so that none is laid out and summed before."""

    def __init__(self, rig: BenchRig, content: Path) -> None:
        self._rig = rig
        self._content = content
        self._moments: list[dict[str, float]] = []

    def make(self) -> float:
        """Order a disc and wait for its verdict; note when it passed each point of its road."""
        self._rig.until_ready()
        called = boot_clock()
        job = self._rig.mill.submit(data_disc(self._content, volume_id=f"RUN_{len(self._moments)}"))
        stored = boot_clock()
        attempt = self._rig.settled(job)
        if attempt.finished is None:
            raise RuntimeError("an attempt that is settled has no time of its end")
        evidence = self._rig.evidence(attempt.id)
        burnt = {event: float(evidence[event]["clock"]) for event in ("opened", "closed")}
        self._moments.append({"called": called, "stored": stored, "settled": boot_time(attempt.finished), **burnt})
        self._rig.until_ready()
        self._rig.clear_shelf()
        return self._moments[-1]["settled"] - called

    def between(self, begin: str, end: str) -> Sample:
        """Return the seconds from one moment to another."""
        return Sample.of(moments[end] - moments[begin] for moments in self._moments)


class _Peer:
    """Copies a file and brings the copy to the disk, then takes the digest of the copy."""

    def __init__(self, source: Path, copy: Path, digest: Sequence[str]) -> None:
        self._source = source
        self._copy = copy
        self.digest = digest
        self.name = " ".join(digest)
        self._parts: dict[str, list[float]] = {"copy": [], "digest": [], "whole": []}

    def copy_and_hash(self) -> float:
        """Do it; return the seconds."""
        copied = seconds(self._copy_durably)
        hashed = seconds(lambda: run_program([*self.digest, self._copy]))
        self._copy.unlink()
        for part, took in (("copy", copied), ("digest", hashed), ("whole", copied + hashed)):
            self._parts[part].append(took)
        return copied + hashed

    def _copy_durably(self) -> None:
        run_program(["cp", self._source, self._copy])
        run_program(["sync", self._copy])

    def part(self, name: str) -> Sample:
        """Return the seconds of "copy", "digest" or the "whole"."""
        return Sample.of(self._parts[name])
