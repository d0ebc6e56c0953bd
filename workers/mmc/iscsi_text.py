"""What initiator and target agree on at login, as `key=value` (RFC 7143 chapters 6 and 13).

The target asks for the simplest: one connection, no digests, no data but what was asked for or came with the command.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from workers.mmc.iscsi_requests import ProtocolError

#: Bytes of data that one message to us may carry, once the login is over; and during it, or before we said so.
LONGEST_SEGMENT, FIRST_SEGMENT = 1 << 18, 8192
#: Bytes of text that one negotiation may have.
LONGEST_TEXT = 1 << 16
_LONGEST_BURST, _FIRST_BURST = 1 << 18, 1 << 16
#: What a length may be (RFC 7143 13.12 to 13.14).
_LENGTHS = range(512, 1 << 24)


@dataclass(frozen=True, slots=True)
class Terms:
    """What was agreed on, in bytes. `segment` is how much the initiator takes in one message."""

    segment: int = FIRST_SEGMENT
    burst: int = _LONGEST_BURST
    first_burst: int = _FIRST_BURST
    immediate_data: bool = True


def parse_text(data: bytes) -> dict[str, str]:
    """Read keys and values.

    Raises:
        ProtocolError: they are none, too many, or one is told twice.

    >>> parse_text(bytes("SessionType=Discovery", "ascii") + bytes(1))
    {'SessionType': 'Discovery'}
    """
    if len(data) > LONGEST_TEXT:
        raise ProtocolError(f"{len(data)} bytes of text")
    told: dict[str, str] = {}
    for pair in data.rstrip(b"\0").split(b"\0"):
        key, equals, value = pair.decode("utf-8", "replace").partition("=")
        if pair and (not equals or not key or key in told):
            raise ProtocolError(f"text that is no key and value, or told twice: {key!r}")
        if pair:
            told[key] = value
    return told


def format_text(told: Mapping[str, str]) -> bytes:
    """Write keys and values."""
    return b"".join(f"{key}={value}".encode() + b"\0" for key, value in told.items())


#: Keys that an initiator only tells.
_TOLD = {"InitiatorName", "InitiatorAlias", "TargetName", "SessionType"}
_YES, _NO, _REJECT = "Yes", "No", "Reject"


def _number(value: str) -> int:
    """Read a number, hexadecimal after 0x; -1 if it is none."""
    try:
        return int(value, 16 if value[:2].lower() == "0x" else 10)
    except ValueError:
        return -1


def _burst(value: str, terms: Terms) -> tuple[str, Terms]:
    asked = _number(value)
    if asked not in _LENGTHS:
        return _REJECT, terms
    agreed = min(asked, terms.burst)
    return str(agreed), replace(terms, burst=agreed)


def _first_burst(value: str, terms: Terms) -> tuple[str, Terms]:
    asked = _number(value)
    if asked not in _LENGTHS:
        return _REJECT, terms
    agreed = min(asked, terms.first_burst)
    return str(agreed), replace(terms, first_burst=agreed)


def _always(answer: str) -> Callable[[str, Terms], tuple[str, Terms]]:
    return lambda _, terms: (answer, terms)


def _one_of(*choices: str) -> Callable[[str, Terms], tuple[str, Terms]]:
    """Choose what we know of a list."""

    def agree(value: str, terms: Terms) -> tuple[str, Terms]:
        return next((offer for offer in value.split(",") if offer in choices), _REJECT), terms

    return agree


def _immediate_data(value: str, terms: Terms) -> tuple[str, Terms]:
    if value not in {_YES, _NO}:
        return _REJECT, terms
    return value, replace(terms, immediate_data=value == _YES)


def _time_to_wait(value: str, terms: Terms) -> tuple[str, Terms]:
    return (_REJECT if _number(value) < 0 else value), terms


#: How each key is answered: what both can do, of what was offered.
_AGREEMENTS: dict[str, Callable[[str, Terms], tuple[str, Terms]]] = {
    "AuthMethod": _one_of("None"),
    "HeaderDigest": _one_of("None"),
    "DataDigest": _one_of("None"),
    "MaxConnections": _always("1"),
    "InitialR2T": _always(_YES),
    "ImmediateData": _immediate_data,
    "MaxBurstLength": _burst,
    "FirstBurstLength": _first_burst,
    "DefaultTime2Wait": _time_to_wait,
    "DefaultTime2Retain": _always("0"),
    "MaxOutstandingR2T": _always("1"),
    "DataPDUInOrder": _always(_YES),
    "DataSequenceInOrder": _always(_YES),
    "ErrorRecoveryLevel": _always("0"),
    "IFMarker": _always(_NO),
    "OFMarker": _always(_NO),
    "TaskReporting": _one_of("RFC3720"),
    "iSCSIProtocolLevel": _always("0"),
}


def negotiate(offered: Mapping[str, str], terms: Terms) -> tuple[dict[str, str], Terms]:
    """Answer what an initiator offers, and say what is agreed on from now.

    Raises:
        ProtocolError: the initiator tells of a message length that is none.
    """
    answers: dict[str, str] = {}
    for key, value in offered.items():
        if key == "MaxRecvDataSegmentLength":
            terms = replace(terms, segment=_segment(value))
        elif key in _AGREEMENTS:
            answers[key], terms = _AGREEMENTS[key](value, terms)
        elif key not in _TOLD:
            answers[key] = "NotUnderstood"
    return answers, replace(terms, first_burst=min(terms.first_burst, terms.burst))


def _segment(value: str) -> int:
    told = _number(value)
    if told not in _LENGTHS:
        raise ProtocolError(f"MaxRecvDataSegmentLength={value}")
    return min(told, _LONGEST_BURST)
