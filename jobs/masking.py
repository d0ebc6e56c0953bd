"""Hides secrets in texts that people and logs get to see."""

import re

MASK = "***"
#: A password in a URL: between the user's name and the host. It may have / and @ in it, which it should not.
_USER_INFO = re.compile(r"(?<=://)([^:/@\s]*):([^\s'\"]*)(?=@)")
#: One that is an option of a URL, or of a connection's description.
_OPTION = re.compile(r"([?&\s][^=&\s?]*(?:pass|secret|token)[^=&\s]*=)[^&\s'\"]+", re.IGNORECASE)


def mask(text: str) -> str:
    """Hide the passwords of all URLs in a text.

    >>> mask("redis://:geheim@host/0 and postgresql://host/db?user=a&password=geheim")
    'redis://:***@host/0 and postgresql://host/db?user=a&password=***'
    """
    if "=" not in text and "@" not in text:
        return text
    return _OPTION.sub(rf"\1{MASK}", _USER_INFO.sub(rf"\1:{MASK}", text))
