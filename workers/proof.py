"""What proves a disc: the evidence of its burn, and its own bytes against the master's."""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from jobs.errors import MediumDiffers
from jobs.ledger import Verdict
from jobs.mastering.masters import StoredMaster
from jobs.mastering.medium import Family, MediumInfo, requested_medium
from jobs.mastering.progress import ProgressListener
from jobs.mastering.verification import compare, describe
from models.job import Job
from models.vocabulary import Outcome
from workers.station import Station


@dataclass(frozen=True, slots=True)
class BurntMedium:
    """Which load of the tray a burn was permitted to write."""

    load: str
    kind: str


def verify(station: Station, job: Job, stored: StoredMaster, listener: ProgressListener) -> Verdict:
    """Read the disc in the tray back and compare it with the job's master."""
    medium = requested_medium(job.medium)
    family = medium if isinstance(medium, Family) else medium.family
    pieces = station.device.recorder.read_back(stored.size)
    try:
        comparison = compare(pieces, stored, listener, family)
    except MediumDiffers as error:
        return Verdict(Outcome.SPOILED, verified=False, error=error)
    if comparison.equal:
        return Verdict(Outcome.GOOD, verified=True, image_sha256=comparison.sha256)
    differs = MediumDiffers(describe(comparison.differences))
    return Verdict(Outcome.SPOILED, verified=False, error=differs, image_sha256=comparison.sha256)


def verify_digest(station: Station, job: Job) -> Verdict:
    """Compare the disc in the tray with nothing but the digest of the job's image: where the master is lost."""
    digest, left = hashlib.sha256(), job.blocks * job.block_size
    try:
        for piece in station.device.recorder.read_back(left):
            digest.update(piece[:left])
            left -= len(piece[:left])
    except MediumDiffers as error:
        return Verdict(Outcome.SPOILED, verified=False, error=error)
    if left == 0 and digest.hexdigest() == job.image_sha256:
        return Verdict(Outcome.GOOD, verified=True, image_sha256=job.image_sha256)
    differs = MediumDiffers(
        "the disc's digest is not the job's; its master is lost, so nobody can say where it differs"
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
        json.dump({"load": medium.load, "kind": medium.kind}, out)
        out.flush()
        os.fsync(out.fileno())


def noted_medium(evidence: Path) -> BurntMedium | None:
    """Read what `note_medium` kept; None where no permit was ever given, or the note was cut short."""
    try:
        return BurntMedium(**json.loads((evidence / "medium.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
