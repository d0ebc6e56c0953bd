"""What each entry is called in each tree of a disc; without it two files would share a name and one be lost.

All functions are pure: the same entries get the same names in any process, order and Python version we support.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import NamedTuple

from jobs.manifest import Entry

#: Bytes of a name in Rock Ridge that every POSIX system can hold.
_LONGEST_NAME = 255
#: Characters of a path; Linux takes 4095 bytes, others less.
_LONGEST_PATH = 4095
#: Folders that an entry may lie in, one in the other: 7-Zip gives up at 256.
_MOST_LEVELS = 255
#: Folders of a tree, the root among them: path tables number parents in 16 bits (ECMA-119, 9.4.4).
_MOST_FOLDERS = 65_535
#: Characters of a name in Joliet.
_JOLIET_ROOM = 64
#: Characters, dot included, up to which the end of a file's name is kept when the name is cut.
_LONGEST_ENDING = 16
#: Nanoseconds in a second.
_SECOND = 1_000_000_000
#: 2155-12-31 23:59:59, the last second of a directory record: its year is a byte, counted from 1900.
_LAST_SECOND = 5_869_583_999
#: Characters kept free for a mark and a number of six digits.
_NUMBER_ROOM = 7


#: Where a file lies that an earlier session wrote: (block, bytes) of each of its parts.
Parts = tuple[tuple[int, int], ...]


@dataclass(slots=True, eq=False)
class Node:
    """An entry, or the root, and its names. `iso` is the ISO 9660 identifier, version included.

    Rock Ridge keeps every `name`. `seconds` is the time of last change since 1970, `size` is in bytes. `block` is
    where a file lies, once it has a place; `parts` are set if it is on the disc already, where they say.
    """

    path: str
    name: str
    folder: bool
    size: int
    seconds: int
    entry: Entry | None = None
    children: Sequence["Node"] = ()
    folders: int = 0  #: how many of the children are folders
    iso: str = ""
    joliet: str = ""
    udf: str = ""
    block: int = 0
    parts: Parts | None = None

    def below(self) -> Iterator["Node"]:
        """Every entry below this one, folders before what is in them."""
        pending = [self]
        while pending:
            for node in pending.pop().children:
                yield node
                if node.folder:
                    pending.append(node)


class _Wish(NamedTuple):
    """A name as a tree would hold it: `stem` may have to be cut to `room` characters, `ending` never is."""

    stem: str
    ending: str
    room: int
    exact: bool  #: nothing is lost in it: it has precedence over names that were altered

    @property
    def whole(self) -> str:
        """The name without a number."""
        return self.stem[: self.room] + self.ending


def second(mtime_ns: int) -> int:
    """Return the second since 1970 that a time lies in, or the nearest one that a disc can hold."""
    return min(max(mtime_ns // _SECOND, 0), _LAST_SECOND)


def plan(entries: Iterable[Entry], *, udf: bool, earlier: Mapping[str, Parts] | None = None) -> Node:
    """Build the tree of entries and name each in every tree that the disc will have.

    The entries must be free of `name_faults`. The root is as new as the newest entry. `earlier` says where those
    files lie that are on the disc already.
    """
    ordered = sorted(entries, key=lambda entry: entry.path)
    newest = max((entry.mtime_ns for entry in ordered), default=0)
    children: dict[str, list[Node]] = {"": []}
    root = Node("", "", folder=True, size=0, seconds=second(newest), children=children[""])
    folders = {"": root}
    for entry in ordered:
        path = entry.path
        parent, _, name = path.rpartition("/")
        node = Node(path, name, entry.folder, entry.size, second(entry.mtime_ns), entry)
        if entry.folder:
            folders[path], children[path] = node, []
            node.children = children[path]
            folders[parent].folders += 1
        elif earlier:
            node.parts = earlier.get(path)
        children[parent].append(node)
    for siblings in children.values():
        _name(siblings, udf=udf)
    return root


def _name(siblings: Sequence[Node], *, udf: bool) -> None:
    names = [(node.name, node.folder) for node in siblings]
    for node, iso, joliet in zip(siblings, iso_names(names), joliet_names(names), strict=True):
        node.iso, node.joliet = iso, joliet
    if udf:
        for node, name in zip(siblings, udf_names(names), strict=True):
            node.udf = name


def iso_names(siblings: Sequence[tuple[str, bool]]) -> list[str]:
    """Name the (name, is folder) pairs of one folder for ISO 9660 level 3, unique among each other.

    Capital letters, digits and "_"; 30 characters and a dot for files, 31 characters for folders. A clash is
    settled by "_1", "_2" and so on; files get the version ";1".
    """
    plain = [_plain_iso(name, folder=folder) for name, folder in siblings]
    if all(plain) and len(set(plain)) == len(plain):
        return plain
    wishes = [_iso_wish(name, folder=folder) for name, folder in siblings]
    chosen = _unique(wishes, "_", lambda name: name.removesuffix("."))  # plain readers take "A." for "A"
    return [name if folder else f"{name};1" for name, (_, folder) in zip(chosen, siblings, strict=True)]


def joliet_names(siblings: Sequence[tuple[str, bool]]) -> list[str]:
    r"""Name the (name, is folder) pairs of one folder for Joliet, unique whatever the case of letters.

    A name that Joliet can hold and Windows can open is kept. `* / : ; ? \`, control characters, characters
    beyond UCS-2, and dots and spaces at the end become "_"; what is longer than 64 characters is cut before its
    ending. Of names that then clash, or that differ in case alone (Windows would open the first for the second),
    those that nothing was done to go first; the others get "~1", "~2" and so on. Rock Ridge keeps every name.
    """
    names = [name for name, _ in siblings]
    if all(map(_PLAIN_JOLIET.fullmatch, names)) and len(set(map(_ignoring_case, names))) == len(names):
        return names
    return _unique([_joliet_wish(name, folder=folder) for name, folder in siblings], "~", _ignoring_case)


def udf_names(siblings: Sequence[tuple[str, bool]]) -> list[str]:
    """Name the (name, is folder) pairs of one folder for UDF 1.02, unique among each other.

    Characters beyond UCS-2 become "_"; what exceeds 253 Latin-1 or 126 other characters is cut before its
    ending. Case counts: that readers without it find all files is their duty (UDF 1.02, 4.2.2.1).
    """
    return _unique([_udf_wish(name, folder=folder) for name, folder in siblings], "~", udf_identifier)


def udf_identifier(name: str) -> bytes:
    """Return the bytes a name has in UDF, without their compression id.

    Two names of one folder must not share them, though the ids differ: pycdlib keeps folders by these bytes.
    """
    try:
        return name.encode("latin-1")
    except UnicodeEncodeError:
        return name.encode("utf-16-be")


def _unique(wishes: Sequence[_Wish], mark: str, key: Callable[[str], object]) -> list[str]:
    """Grant each wish, or number it: linear in their count, whatever they are."""
    whole = [wish.whole for wish in wishes]
    if len(set(map(key, whole))) == len(whole):
        return whole
    chosen = [""] * len(wishes)
    taken: set[object] = set()
    numbers: defaultdict[object, Iterator[int]] = defaultdict(lambda: count(1))
    for exact in (True, False):
        for index, wish in enumerate(wishes):
            if wish.exact is exact and key(wish.whole) not in taken:
                chosen[index] = wish.whole
                taken.add(key(wish.whole))
    for index, wish in enumerate(wishes):
        while not chosen[index]:
            stem = wish.stem[: wish.room - _NUMBER_ROOM]
            name = f"{stem}{mark}{next(numbers[key(stem + wish.ending)])}{wish.ending}"
            if key(name) not in taken:
                chosen[index] = name
                taken.add(key(name))
    return chosen


def _split(name: str, *, folder: bool) -> tuple[str, str]:
    """Split off what must survive a cut: the ending of a file's name, its dot included."""
    stem, dot, ending = name.rpartition(".")
    if folder or not stem or not ending or len(ending) >= _LONGEST_ENDING:
        return name, ""
    return stem, dot + ending


_NOT_ISO = re.compile("[^A-Z0-9_]")
_PLAIN_ISO = re.compile(r"\w+\.\w{1,14}", re.ASCII)


def _plain_iso(name: str, *, folder: bool) -> str:
    """Return the name of a file with an ending that ISO 9660 can hold, at once; of anything else "".

    Nearly all names are such, and this is several times as fast as `_iso_wish`, which gives the same.
    """
    return f"{name.upper()};1" if len(name) <= 31 and not folder and _PLAIN_ISO.fullmatch(name) else ""  # noqa: PLR2004


def _iso_wish(name: str, *, folder: bool) -> _Wish:
    stem, ending = _split(name, folder=folder)
    clean = _NOT_ISO.sub("_", stem.upper())
    clean_ending = "" if folder else "." + _NOT_ISO.sub("_", ending[1:].upper())
    room = 31 - len(clean_ending)  # a file's dot does not count, but a folder may have one character more
    exact = (clean == stem.upper()) and len(clean) <= room and (not ending or clean_ending == ending.upper())
    return _Wish(clean, clean_ending, room, exact)


#: Characters that Joliet does not have, and names that are kept as they are.
_BARRED = "*/:;?\\\\\x00-\x1f\x7f\U00010000-\U0010ffff"
_NOT_JOLIET = re.compile(f"[{_BARRED}]")
_PLAIN_JOLIET = re.compile(f"[^{_BARRED}]{{0,63}}[^{_BARRED}. ]")
#: Windows drops dots and spaces that end a name, and so looks for another one; 7-Zip drops the dot.
_UNSEEN_END = re.compile("[. ](?=[. ]*$)")


def _joliet_wish(name: str, *, folder: bool) -> _Wish:
    clean = _UNSEEN_END.sub("_", _NOT_JOLIET.sub("_", name))
    stem, ending = _split(clean, folder=folder)
    if not ending:
        stem = _UNSEEN_END.sub("_", stem[:_JOLIET_ROOM])
    return _Wish(stem, ending, _JOLIET_ROOM - len(ending), exact=stem + ending == name and len(name) <= _JOLIET_ROOM)


_NOT_UCS2 = re.compile("[\U00010000-\U0010ffff]")


def _udf_wish(name: str, *, folder: bool) -> _Wish:
    clean = _NOT_UCS2.sub("_", name)
    stem, ending = _split(clean, folder=folder)
    longest = 126 if any(character > "\xff" for character in clean) else 253
    return _Wish(stem, ending, longest - len(ending), exact=clean == name and len(name) <= longest)


def _ignoring_case(name: str) -> str:
    """Fold case as Windows does: character by character, never changing their number."""
    upper = name.upper()
    if len(upper) == len(name):
        return upper
    return "".join(c.upper() if len(c.upper()) == 1 else c for c in name)


def name_faults(entries: Iterable[Entry]) -> list[str]:
    """Return every fault of a name or path as a sentence that names the entry."""
    entries = list(entries)
    kinds = {entry.path: entry.folder for entry in entries}
    faults = [fault for entry in entries if not _is_plain(entry.path, kinds) for fault in _faults_of(entry, kinds)]
    if len(kinds) < len(entries):
        times = Counter(entry.path for entry in entries)
        faults += [f"{_shown(path)} is listed {number} times" for path, number in times.items() if number > 1]
    folders = 1 + sum(kinds.values())
    if folders > _MOST_FOLDERS:
        faults.append(f"{folders} folders are more than a disc can number ({_MOST_FOLDERS}, its root included)")
    return faults


def _is_plain(path: str, kinds: dict[str, bool]) -> bool:
    """Say at once, of nearly all paths, that they have no fault."""
    parent, _, name = path.rpartition("/")
    if len(path) > _LONGEST_NAME or not name.isascii() or name in {"", ".", ".."} or "\0" in name:
        return False
    return not parent or kinds.get(parent, False)


def _faults_of(entry: Entry, kinds: dict[str, bool]) -> Iterator[str]:
    parent, _, name = entry.path.rpartition("/")
    shown = _shown(entry.path)
    if len(entry.path) > _LONGEST_PATH:
        yield f"{shown[:100]}…: the path has {len(entry.path)} characters, of which systems open {_LONGEST_PATH}"
    if entry.path.count("/") > _MOST_LEVELS:
        yield f"{shown[:100]}…: it lies in more than {_MOST_LEVELS} folders, one in the other"
    if name in {"", ".", ".."} or "\0" in name:
        yield f"{shown}: {_shown(name) or 'an empty name'} can't be a name on a disc"
    if parent and parent not in kinds:
        yield f"{shown}: its folder is not in the manifest"
    elif parent and not kinds[parent]:
        yield f"{shown}: {_shown(parent)} is a file, not a folder"
    if name.isascii() and len(name) <= _LONGEST_NAME:
        return
    try:
        length = len(name.encode())
    except UnicodeEncodeError:
        yield f"{shown}: the name is not valid UTF-8; rename it"
        return
    if length > _LONGEST_NAME:
        yield f"{shown}: the name has {length} bytes in UTF-8, of which a disc holds {_LONGEST_NAME}; shorten it"


def _shown(path: str) -> str:
    return path if path.isprintable() else path.encode("unicode_escape").decode()
