"""The recorder's own row: who owns it, whether it lives, and what is observed of it."""

import time
from dataclasses import dataclass

from sqlalchemy import case, select, update
from sqlalchemy.orm import Session

from jobs.errors import Fenced, RecorderBusy
from jobs.ledger import Owner
from jobs.mastering.medium import MediumInfo, MediumKind
from jobs.mastering.recorder import RecorderFeatures, RecorderIdentity
from jobs.rollup import journal
from jobs.settings import Settings
from models.database import Database
from models.recorder import Recorder
from models.vocabulary import Condition


@dataclass(frozen=True, slots=True)
class Sight:
    """What a look at an idle drive showed."""

    condition: Condition
    message: str = ""
    medium: MediumInfo | None = None
    medium_id: str | None = None
    medium_changed: bool = False


def register(database: Database, settings: Settings, name: str, uri: str, identity: RecorderIdentity) -> Owner:
    """Become the owner of a recorder's name: raise its epoch, void what was known of its medium.

    Raises:
        RecorderBusy: the name belongs to another device whose worker is alive.
    """
    _refuse_living_namesake(database, settings, name, identity)
    with database.write() as db:
        row = db.get(Recorder, name, with_for_update=True)
        if row is None:
            row = Recorder(name=name, epoch=0)
            db.add(row)
        row.uri, row.host, row.machine_id = uri, settings.host, settings.machine_id
        row.device_id, row.vendor = identity.device_id, identity.vendor
        row.product, row.serial, row.firmware = identity.product, identity.serial, identity.revision
        row.epoch = (row.epoch or 0) + 1
        row.heartbeat = (row.heartbeat or 0) + 1
        row.condition, row.message = Condition.RECOVERING, "finding out what became of the last disc"
        row.medium_kind = row.medium_status = row.medium_id = None
        journal(db, "recorder-owned", recorder=name, host=settings.host, epoch=row.epoch)
        return Owner(name, row.epoch)


def beat(database: Database, owner: Owner) -> bool:
    """Count one heartbeat; False if the recorder has a newer owner.

    Who was taken for gone is back at work; what exactly it does, its next look at the drive tells.
    """
    back = case((Recorder.condition == Condition.OFFLINE, Condition.BUSY), else_=Recorder.condition)
    with database.write(durable=False) as db:
        return bool(_update(db, owner, heartbeat=Recorder.heartbeat + 1, condition=back))


def observe(database: Database, owner: Owner, sight: Sight) -> None:
    """Store what was seen of the drive; the operator's intent is not touched.

    Raises:
        Fenced: the recorder has a newer owner.
    """
    values = _values(sight)
    with database.read() as db:
        row = db.scalar(select(Recorder).where(Recorder.name == owner.recorder, Recorder.epoch == owner.epoch))
        if row is not None and all(getattr(row, name) == value for name, value in values.items()):
            return
    with database.write() as db:
        known = _update(db, owner, **values)
        if sight.medium_changed:
            db.execute(
                update(Recorder)
                .where(Recorder.name == owner.recorder, Recorder.attention_ends_with_medium)
                .values(attention=None, attention_ends_with_medium=False)
            )
    if not known:
        message = f"recorder {owner.recorder} has a newer owner"
        raise Fenced(message)


def _values(sight: Sight) -> dict[str, object]:
    medium = sight.medium
    return {
        "condition": sight.condition,
        "message": sight.message,
        "medium_kind": medium.kind if medium else None,
        "medium_status": medium.status if medium else None,
        "medium_capacity": medium.capacity if medium else None,
        "medium_free_blocks": medium.free_blocks if medium else None,
        "medium_used": medium.used if medium else False,
        "medium_id": sight.medium_id,
    }


def tell_features(database: Database, owner: Owner, features: RecorderFeatures) -> None:
    """Store what the drive says it can write: it is asked once, while nobody burns."""
    with database.write() as db:
        _update(db, owner, writes=[kind for kind in MediumKind if kind in features.kinds])


def call_person(database: Database, owner: Owner, message: str) -> None:
    """Let nothing more be assigned to a recorder until somebody has seen to it."""
    with database.write() as db:
        _update(db, owner, attention=message, attention_ends_with_medium=False)
        journal(db, "recorder-attention", recorder=owner.recorder, message=message)


def retire(database: Database, owner: Owner) -> None:
    """Say that the worker leaves in good order."""
    with database.write() as db:
        _update(db, owner, condition=Condition.OFFLINE, message="its worker was stopped")


def _update(db: Session, owner: Owner, **values: object) -> int:
    changed = db.execute(
        update(Recorder)
        .where(Recorder.name == owner.recorder, Recorder.epoch == owner.epoch)
        .values(**values)
        .returning(Recorder.name)
    )
    return len(changed.all())


def _refuse_living_namesake(database: Database, settings: Settings, name: str, identity: RecorderIdentity) -> None:
    """Watch another claimant's heartbeat by our own clock: a name belongs to one (machine, device)."""
    first = _namesake(database, settings, name, identity)
    deadline = time.monotonic() + settings.lease
    while first is not None and time.monotonic() < deadline:
        time.sleep(min(settings.heartbeat / 2, 0.5))
        beat_now = _namesake(database, settings, name, identity)
        if beat_now is not None and beat_now != first:
            message = f"the name {name} belongs to another device whose worker is alive; choose another name"
            raise RecorderBusy(message)
        first = beat_now


def _namesake(database: Database, settings: Settings, name: str, identity: RecorderIdentity) -> int | None:
    """Return the heartbeat of another device of this name that is not known to be gone."""
    with database.read() as db:
        row = db.scalar(select(Recorder).where(Recorder.name == name))
        if row is None or row.condition is Condition.OFFLINE:
            return None
        same = (row.machine_id, row.device_id) == (settings.machine_id, identity.device_id)
        return None if same else row.heartbeat
