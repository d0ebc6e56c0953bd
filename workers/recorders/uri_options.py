"""The options behind the `?` of a recorder's URI: `key=value&key=value`, all their faults found at once."""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TypeVar
from urllib.parse import unquote

from jobs.errors import Faults, OrderError

T = TypeVar("T")


class Options:
    """Reads options, gathering faults instead of stopping at the first."""

    def __init__(self, keys: Sequence[str], repeatable: Collection[str] = ()) -> None:
        self.faults: list[str] = []
        self.values: dict[str, list[str]] = {}
        self._keys = keys
        self._repeatable = repeatable

    def take(self, query: str) -> None:
        """Take what stands behind the `?`; an unknown option is a fault."""
        for option in filter(None, query.split("&")):
            key, equals, value = option.partition("=")
            if key not in self._keys or not equals:
                known = ", ".join(f"{key}=" for key in self._keys)
                self.faults.append(f"unknown option {option!r}; the options are {known}")
                continue
            self.values.setdefault(key, []).append(unquote(value))
        once = [key for key in self._keys if key not in self._repeatable]
        self.faults += [f"{key}= is given twice" for key in once if len(self.values.get(key, [])) > 1]

    def read_last(self, key: str, parse: Callable[[str], T], default: T) -> T:
        """Return what the last option of a key says."""
        return next(self._parsed(self.values.get(key, [])[-1:], parse, f"{key}="), default)

    def read_all(self, key: str, parse: Callable[[str], T]) -> Iterator[T]:
        """Yield what all options of a key say, several of them parted by semicolons."""
        return self._parsed([spec for value in self.values.get(key, []) for spec in value.split(";")], parse)

    def _parsed(self, texts: list[str], parse: Callable[[str], T], key: str = "") -> Iterator[T]:
        for text in texts:
            try:
                yield parse(text)
            except Faults as wrong:
                self.faults += [f"{text}: {fault}" for fault in wrong.faults]
            except OrderError as wrong:
                self.faults.append(f"{key}{text}: {wrong.message}")
