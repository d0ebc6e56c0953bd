"""What goes on a disc, entry by entry; immutable once staged."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import SHA256, Base, UtcDateTime, now


class Manifest(Base):
    """A list of entries, identified by the digest of its canonical JSON."""

    __tablename__ = "manifest"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    sha256: Mapped[str] = mapped_column(SHA256, unique=True)
    entries: Mapped[int]
    bytes: Mapped[int] = mapped_column(BigInteger)
    complete: Mapped[bool] = mapped_column(default=False)  #: every batch of its entries is stored
    created: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    head: Mapped[str | None] = mapped_column(Text)  #: what the entries alone do not say, as canonical JSON


class ManifestEntry(Base):
    """One file or folder of a manifest."""

    __tablename__ = "manifest_entry"
    __table_args__ = (Index(None, "name"), Index(None, "sha256"), Index(None, "origin_sha256"))

    manifest_id: Mapped[int] = mapped_column(ForeignKey("manifest.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    path: Mapped[str] = mapped_column(Text)  #: place on the disc, parts joined by "/"
    name: Mapped[str] = mapped_column(Text)  #: the last part of the path, for `find`
    folder: Mapped[bool]
    source: Mapped[str | None] = mapped_column(Text)  #: absolute path it is read from; null for a folder
    size: Mapped[int] = mapped_column(BigInteger)  #: bytes
    mtime_ns: Mapped[int] = mapped_column(BigInteger)  #: the time it bears on the disc
    source_mtime_ns: Mapped[int] = mapped_column(BigInteger)  #: of the source, to notice a changed file; 0 for a folder
    inode: Mapped[int] = mapped_column(BigInteger)  #: of the source, to notice a replaced file
    sha256: Mapped[str | None] = mapped_column(SHA256)  #: null for a folder
    origin: Mapped[str | None] = mapped_column(Text)  #: the file that `source` was made of, where it was: decoded audio
    origin_sha256: Mapped[str | None] = mapped_column(SHA256)
