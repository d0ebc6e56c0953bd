"""A bare initiator of iSCSI for tests: it sends what it is told to, right or wrong, and reads what comes back."""

import socket
import struct
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from workers.mmc.drive import Drive
from workers.mmc.iscsi_target import IscsiTarget, target_name

#: Seconds that a target may take to answer, or to hang up.
DEADLINE = 20.0
NAME = "iqn.2026-01.localhost:tests"
HEADER = 48
LOGIN, COMMAND, TEXT, NOP, TASK, DATA, LOGOUT = 0x43, 0x01, 0x04, 0x40, 0x42, 0x05, 0x46
SENT, NOP_ANSWERED, TASK_ANSWERED, LOGGED_IN, DATA_SENT, LOGGED_OUT, WANTED, REJECTED = (
    *(0x21, 0x20, 0x22, 0x23, 0x25),
    *(0x26, 0x31, 0x3F),
)
READS, WRITES, FINAL = 0x40, 0x20, 0x80


@dataclass(frozen=True, slots=True)
class Answer:
    """A message of the target."""

    header: bytes
    data: bytes

    @property
    def opcode(self) -> int:
        return self.header[0]

    @property
    def flags(self) -> int:
        return self.header[1]

    @property
    def status(self) -> int:
        return self.header[3]

    @property
    def login_status(self) -> int:
        return int.from_bytes(self.header[36:38], "big")

    @property
    def told(self) -> dict[str, str]:
        return dict(pair.split("=", 1) for pair in self.data.decode().rstrip("\0").split("\0") if pair)

    def word(self, at: int) -> int:
        return int.from_bytes(self.header[at : at + 4], "big")


class Initiator:
    """A connection to a target."""

    def __init__(self, target: IscsiTarget) -> None:
        self._socket = socket.create_connection(target.address, DEADLINE)
        self._number = 1
        self._tag = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._socket.close()

    def send(self, header: bytes, data: bytes = b"", *, claimed: int | None = None) -> None:
        """Send a message, with the length of its data or one that is `claimed`."""
        length = len(data) if claimed is None else claimed
        whole = header.ljust(HEADER, b"\0")
        whole = whole[:5] + length.to_bytes(3, "big") + whole[8:]
        self._socket.sendall(whole + data + bytes(-len(data) % 4))

    def receive(self) -> Answer | None:
        """Return the next message; None if the target hung up."""
        header = self._take(HEADER)
        if header is None:
            return None
        size = int.from_bytes(header[5:8], "big")
        return Answer(header, (self._take(size + -size % 4) or b"")[:size])

    def answer(self) -> Answer:
        """Return the next message, which has to come."""
        answer = self.receive()
        assert answer is not None, "the target hung up"
        return answer

    def _take(self, size: int) -> bytes | None:
        data = b""
        while len(data) < size:
            try:
                piece = self._socket.recv(size - len(data))
            except ConnectionError:
                return None
            if not piece:
                return None
            data += piece
        return data

    def log_in(self, drive: Drive | None, flags: int = 0x87, **keys: str) -> Answer:
        """Log in at once, to a drive or (None) to look for targets."""
        told = {"InitiatorName": NAME, "SessionType": "Normal" if drive else "Discovery"}
        told |= {"TargetName": target_name(drive)} if drive else {}
        text = b"".join(f"{key}={value}\0".encode() for key, value in {**told, **keys}.items())
        self.send(bytes([LOGIN, flags]) + bytes(22) + struct.pack(">I", self._number), text)
        return self.answer()

    def command(self, cdb: bytes, flags: int = 0, expected: int = 0, data: bytes = b"", *, lun: int = 0) -> int:
        """Send a command; return its tag."""
        self._tag += 1
        head = struct.pack(">BB6xxB6xIIII", COMMAND, FINAL | flags, lun, self._tag, expected, self._number, 0)
        self.send(head + cdb.ljust(16, b"\0"), data)
        self._number += 1
        return self._tag

    def data_out(self, asked: Answer, data: bytes, part: int = 0, offset: int = 0, *, final: bool = True) -> None:
        """Answer what the target asked for, or a part of it."""
        flags, place = FINAL * final, asked.word(40) + offset
        tags = asked.header[16:24]
        self.send(struct.pack(">BB6x8x8s12xII", DATA, flags, tags, part, place), data)

    def immediate(self, opcode: int, function: int = 0, about: int = 0xFFFFFFFF, data: bytes = b"") -> Answer:
        """Send a message that has its answer at once."""
        self._tag += 1
        self.send(struct.pack(">BB6x8xIII", opcode, FINAL | function, self._tag, about, self._number), data)
        return self.answer()
