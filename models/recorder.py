"""The rig: recorders as their workers and operators see them, and what is asked of them."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import ID, Base, UtcDateTime, Word, new_id, now
from models.vocabulary import Condition, Intent


class Recorder(Base):
    """A device that burns."""

    __tablename__ = "recorder"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    uri: Mapped[str] = mapped_column(Text)
    host: Mapped[str] = mapped_column(String(255))
    machine_id: Mapped[str] = mapped_column(String(64))  #: a name belongs to one (machine, device)
    device_id: Mapped[str] = mapped_column(String(255))
    vendor: Mapped[str] = mapped_column(String(64), default="")
    product: Mapped[str] = mapped_column(String(64), default="")
    serial: Mapped[str] = mapped_column(String(64), default="")

    intent: Mapped[Intent] = mapped_column(Word(Intent), default=Intent.ENABLED)
    condition: Mapped[Condition] = mapped_column(Word(Condition), default=Condition.OFFLINE)
    message: Mapped[str] = mapped_column(Text, default="")  #: what is going on, or what the tray needs
    attention: Mapped[str | None] = mapped_column(Text)  #: what a person has to do before it burns again
    attention_ends_with_medium: Mapped[bool] = mapped_column(default=False)  #: changing the medium is enough
    spoiled_in_row: Mapped[int] = mapped_column(default=0)
    cleared: Mapped[datetime | None] = mapped_column(UtcDateTime)  #: when an operator last said it is fit again

    epoch: Mapped[int] = mapped_column(default=0)  #: raised by each new owner, carried by its writes
    heartbeat: Mapped[int] = mapped_column(default=0)  #: a counter; observers judge it by their own clocks

    medium_kind: Mapped[str | None] = mapped_column(String(16))
    medium_status: Mapped[str | None] = mapped_column(String(16))
    medium_capacity: Mapped[int | None]  #: blocks of 2048 bytes
    medium_free_blocks: Mapped[int | None]
    medium_used: Mapped[bool] = mapped_column(default=False)  #: it holds user data
    medium_id: Mapped[str | None] = mapped_column(String(64))  #: minted at load, void once unobserved
    medium_erases: Mapped[int] = mapped_column(default=0)

    firmware: Mapped[str] = mapped_column(String(64), default="", server_default="")
    writes: Mapped[list[str]] = mapped_column(JSON, default=list, server_default="[]")  #: kinds of media, as it says


class RecorderRequest(Base):
    """Something an operator asks of a recorder; its worker carries it out."""

    __tablename__ = "recorder_request"
    __table_args__ = (Index(None, "recorder", "answered"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    recorder: Mapped[str] = mapped_column(ForeignKey("recorder.name"))
    verb: Mapped[str] = mapped_column(String(16))  #: "eject" or "verify"
    job_id: Mapped[str | None] = mapped_column(ForeignKey("job.id"))
    created: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    answered: Mapped[datetime | None] = mapped_column(UtcDateTime)
    answer: Mapped[dict[str, Any] | None] = mapped_column(JSON)
