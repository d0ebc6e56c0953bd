"""What proves a disc: the evidence of its burn, and its own bytes against the master's."""

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from jobs.errors import MediumDiffers
from jobs.ledger import Verdict
from jobs.mastering.audio_verification import compare_audio
from jobs.mastering.masters import StoredMaster
from jobs.mastering.medium import Family, MediumInfo, requested_medium
from jobs.mastering.programme_comparison import programme_differences
from jobs.mastering.progress import ProgressListener
from jobs.mastering.recorder import DiscRecorder
from jobs.mastering.verification import Comparison, compare, describe
from models.job import Job
from models.vocabulary import Outcome
from workers.sources import changed
from workers.station import Station


@dataclass(frozen=True, slots=True)
class BurntMedium:
    """Which load of the tray a burn was permitted to write, and what the medium held before."""

    load: str
    kind: str
    used: bool = False
    sessions: int = 0
    next_writable: int = 0

    @classmethod
    def of(cls, medium: MediumInfo) -> "BurntMedium":
        """Note a medium."""
        return cls(medium.load, medium.kind, medium.used, medium.sessions, medium.next_writable)

    def is_untouched(self, medium: MediumInfo) -> bool:
        """Say whether the medium holds what it held then."""
        return self == BurntMedium.of(medium)


@dataclass(frozen=True, slots=True)
class Burnt:
    """What was burnt. If it was not hashed on its way, a disc may differ because its sources do."""

    master: StoredMaster
    hashed: bool = True


def verify(station: Station, job: Job, burnt: Burnt, listener: ProgressListener) -> Verdict:
    """Read the disc in the tray back and compare it with its master: all it holds, and of audio all it tells."""
    medium = requested_medium(job.medium)
    family = medium if isinstance(medium, Family) else medium.family
    try:
        comparison = compare_disc(station.device.recorder, family, burnt.master, listener)
    except MediumDiffers as error:
        return Verdict(Outcome.SPOILED, verified=False, error=error)
    if comparison.equal:
        return Verdict(Outcome.GOOD, verified=True, image_sha256=comparison.sha256)
    differs = MediumDiffers(describe(comparison.differences))
    cause = None if burnt.hashed else changed(burnt.master.load_image())
    return Verdict(Outcome.SPOILED, verified=False, error=cause or differs, image_sha256=comparison.sha256)


def compare_disc(
    recorder: DiscRecorder, family: Family, stored: StoredMaster, listener: ProgressListener
) -> Comparison:
    """Compare the disc in the tray with a master that was laid out for a family.

    Of a drive that does not read CD-TEXT no CD-TEXT is expected.

    Raises:
        MediumDiffers: a block can't be read, or an audio disc tells of itself what it should not.
    """
    programme = stored.programme
    if programme is None:
        return compare(recorder.read_back(stored.size), stored, listener, family)
    reads_text = recorder.features().reads_text
    told = programme_differences(programme, recorder.read_programme(), reads_text=reads_text)
    if told:
        raise MediumDiffers(f"the disc tells something else than its programme: {'; '.join(told)}")
    return compare_audio(lambda: recorder.read_back(stored.size), stored, listener)


def verify_digest(station: Station, size: int, sha256: str) -> Verdict:
    """Compare the disc in the tray with nothing but the digest of what was burnt: where the master is lost."""
    digest, left = hashlib.sha256(), size
    try:
        for piece in station.device.recorder.read_back(left):
            digest.update(piece[:left])
            left -= len(piece[:left])
    except MediumDiffers as error:
        return Verdict(Outcome.SPOILED, verified=False, error=error)
    if left == 0 and digest.hexdigest() == sha256:
        return Verdict(Outcome.GOOD, verified=True, image_sha256=sha256)
    differs = MediumDiffers(
        "the disc's digest is not its master's, which is lost, so that nobody can say where they differ"
    )
    return Verdict(Outcome.SPOILED, verified=False, error=differs, image_sha256=digest.hexdigest())


def evidence_folder(station: Station, attempt_id: str) -> Path:
    """Return the folder of one burn's plan, progress and evidence, made if missing."""
    folder = station.settings.evidence / attempt_id
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def note_medium(evidence: Path, medium: MediumInfo) -> None:
    """Keep beside the evidence which load of the tray is about to be written."""
    with (evidence / "medium.json").open("w", encoding="utf-8") as out:
        json.dump(asdict(BurntMedium.of(medium)), out)
        out.flush()
        os.fsync(out.fileno())


def noted_medium(evidence: Path) -> BurntMedium | None:
    """Read what `note_medium` kept; None where no permit was ever given, or the note was cut short."""
    try:
        return BurntMedium(**json.loads((evidence / "medium.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
