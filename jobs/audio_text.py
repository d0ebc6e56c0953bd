"""Makes text fit for CD-TEXT: the printable characters of ISO 8859-1 (MMC-3 annex J), and not too many of them."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import fields, replace

from anyascii import anyascii

from jobs.mastering.programme import DiscText

#: Characters of one text; CD-TEXT has room for some 3000 on the whole disc, and players show far fewer.
MOST_CHARACTERS = 160

_UNSAYABLE = re.compile(r"[^\x20-\x7e\xa0-\xff]")
_BLANKS = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")


def sayable(text: str) -> str:
    """Return a text as CD-TEXT can hold it: what Latin-1 lacks is written in ASCII, control characters are blanks."""
    composed = _BLANKS.sub(" ", unicodedata.normalize("NFC", text))
    plain = _UNSAYABLE.sub(lambda found: _UNSAYABLE.sub("", anyascii(found[0])), composed)
    return " ".join(plain.split(" "))[:MOST_CHARACTERS].strip()


def sayable_text(text: DiscText, whose: str, notes: list[str]) -> DiscText:
    """Make all texts of a disc or a track sayable; what is not as it was is noted."""
    changed = dict(_changes(text))
    notes += [f"{whose}: {name} written as {said!r} (CD-TEXT)" for name, said in changed.items()]
    return replace(text, **changed)


def _changes(text: DiscText) -> Iterator[tuple[str, str]]:
    for field in fields(text):
        given: str = getattr(text, field.name)
        said = sayable(given)
        if said != given:
            yield field.name, said
