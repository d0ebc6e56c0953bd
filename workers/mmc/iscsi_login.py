"""How an initiator gets in: without a password, to look for targets or to use one (RFC 7143 chapter 6)."""

from collections.abc import Callable
from enum import IntEnum

from workers.mmc.iscsi_requests import Login, ProtocolError
from workers.mmc.iscsi_text import LONGEST_SEGMENT, LONGEST_TEXT, Terms, negotiate, parse_text

#: Where a login is: who the initiator is, what is agreed on, and past both.
_SECURITY, _OPERATION, _FULL = 0, 1, 3


class LoginStatus(IntEnum):
    """How a step of a login ended: class and detail (RFC 7143 11.13.5)."""

    GOOD = 0x0000
    INITIATOR_ERROR = 0x0200
    NOT_AUTHENTICATED = 0x0201
    NOT_FOUND = 0x0203
    UNKNOWN_VERSION = 0x0205
    PARAMETER_MISSING = 0x0207
    NO_SUCH_SESSION_TYPE = 0x0209
    NO_SUCH_SESSION = 0x020A
    UNAVAILABLE = 0x0301


class LoginTalk:
    """One login, step by step; what came of it are its attributes. `find` says whether a target can be used."""

    def __init__(self, find: Callable[[str], LoginStatus]) -> None:
        self.terms = Terms()
        self.initiator = ""
        self.target = ""
        self.is_discovery = False
        self.is_over = False
        self._find = find
        self._stage: int | None = None
        self._text = bytearray()
        self._declared = False

    def hear(self, request: Login) -> tuple[LoginStatus, dict[str, str]]:
        """Take a step; return how it ended and what to answer."""
        status = self._check(request)
        if status or request.goes_on:
            return status, {}
        try:
            told = parse_text(bytes(self._text))
            answers, self.terms = negotiate(told, self.terms)
        except ProtocolError:
            return LoginStatus.INITIATOR_ERROR, {}
        self._text.clear()
        status = self._meet(told) or _refusal(answers)
        if status:
            return status, {}
        self._declare(answers, is_first=self._stage is None, stage=request.stage)
        self._stage = request.stage if request.next_stage is None else request.next_stage
        self.is_over = self._stage == _FULL
        return LoginStatus.GOOD, answers

    def _check(self, request: Login) -> LoginStatus:
        """Take the text of a step, if the step is one that may come now."""
        if request.lowest_version:
            return LoginStatus.UNKNOWN_VERSION
        if request.handle:
            return LoginStatus.NO_SUCH_SESSION
        due = request.stage if self._stage is None else self._stage
        goes_to = {_SECURITY: {None, _OPERATION, _FULL}, _OPERATION: {None, _FULL}}.get(request.stage, set())
        moves_amid_text = request.goes_on and request.next_stage is not None
        if request.stage != due or request.next_stage not in goes_to or moves_amid_text:
            return LoginStatus.INITIATOR_ERROR
        self._text += request.data
        return LoginStatus.INITIATOR_ERROR if len(self._text) > LONGEST_TEXT else LoginStatus.GOOD

    def _meet(self, told: dict[str, str]) -> LoginStatus:
        """Learn who comes for what, from what is told first."""
        if self._stage is not None:
            return LoginStatus.GOOD
        kind = told.get("SessionType", "Normal")
        if kind not in {"Normal", "Discovery"}:
            return LoginStatus.NO_SUCH_SESSION_TYPE
        self.initiator, self.target = told.get("InitiatorName", ""), told.get("TargetName", "")
        self.is_discovery = kind == "Discovery"
        if not self.initiator or (not self.target and not self.is_discovery):
            return LoginStatus.PARAMETER_MISSING
        return LoginStatus.GOOD if self.is_discovery else self._find(self.target)

    def _declare(self, answers: dict[str, str], *, is_first: bool, stage: int) -> None:
        """Tell what only a target tells: its portal group at first, and how much it takes in one message."""
        if is_first and not self.is_discovery:
            answers["TargetPortalGroupTag"] = "1"
        if stage == _OPERATION and not self._declared:
            answers["MaxRecvDataSegmentLength"] = str(LONGEST_SEGMENT)
            self._declared = True


def _refusal(answers: dict[str, str]) -> LoginStatus:
    """Say what an initiator that insists on what we can't do is told."""
    if answers.get("AuthMethod") == "Reject":
        return LoginStatus.NOT_AUTHENTICATED
    digests = {answers.get("HeaderDigest"), answers.get("DataDigest")}
    return LoginStatus.INITIATOR_ERROR if "Reject" in digests else LoginStatus.GOOD
