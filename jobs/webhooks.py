"""Where news of a job may be sent, and how who receives it knows that it is ours."""

import hashlib
import hmac
from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit

_PORTS = {"http": 80, "https": 443}
#: Characters of a webhook's URL, at most.
_LONGEST = 2000


def webhook_fault(url: str, allowed: Sequence[str]) -> str | None:
    """Say why news may not be sent to a URL; None if it may.

    Nothing that somebody orders makes this host call an address that its administrator has not named.
    """
    parts = _parsed(url)
    if parts is None:
        return "--webhook must be a plain http or https URL, such as https://host/path: no user, no fragment, no '..'"
    if any(_covers(prefix, parts) for prefix in allowed):
        return None
    named = ", ".join(allowed) or "none"
    where = f"{parts.scheme}://{parts.netloc}/"
    return f"webhooks may be sent to {named}; the administrator allows more, as DISCMILL_WEBHOOKS={where}"


def prefix_fault(prefix: str) -> str | None:
    """Say what is wrong with the prefix of a URL that an administrator allows."""
    parts = _parsed(prefix)
    if parts is None or parts.query:
        return f"{prefix!r} is no beginning of a URL, such as https://host/path/"
    return None


def signature(secret: str, at: int, body: bytes) -> str:
    """Sign a body and the moment it is sent at (seconds since 1970), as the header `Discmill-Signature` has it.

    >>> signature("key", 0, b"{}")
    't=0,v1=7314351dd949aa7ec06f50fc2c96e618291447672c9b7f10b49d1ce46dad00b3'
    """
    digest = hmac.new(secret.encode(), b"%d." % at + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def _parsed(url: str) -> SplitResult | None:
    """Take a URL apart; None where two readers could understand it differently."""
    odd = not url.isascii() or not url.isprintable() or any(letter in url for letter in " \\#<>\"'{}|^`")
    if odd or len(url) > _LONGEST:
        return None
    try:
        parts = urlsplit(url)
        usable = bool(parts.scheme in _PORTS and parts.hostname and _port(parts))
    except ValueError:
        return None
    segments = parts.path.lower().replace("%2e", ".").replace("%2f", "/").replace("%5c", "/").split("/")
    return parts if usable and "@" not in parts.netloc and ".." not in segments else None


def _port(parts: SplitResult) -> int:
    return parts.port or _PORTS[parts.scheme]


def _covers(prefix: str, parts: SplitResult) -> bool:
    """Compare part by part: text that merely begins the same is another host, or another folder."""
    allowed = _parsed(prefix)
    if allowed is None or (allowed.scheme, allowed.hostname) != (parts.scheme, parts.hostname):
        return False
    folder = allowed.path.rstrip("/")
    return _port(allowed) == _port(parts) and (parts.path == folder or parts.path.startswith(f"{folder}/"))
