"""A manifest file is read as documented, or refused with everything that is wrong with it."""

import json
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs import manifest_file, scanning
from jobs.manifest_file import read_manifest_file
from jobs.ordering import Boot
from jobs.roots import ContentRoots
from jobs.scanning import Scan

Read = Callable[..., Scan]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Give a reader of entries; a file `a`, a folder `tree` with a file `b` lie beside the manifest."""
    (tmp_path / "a").write_bytes(b"content")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "b").write_bytes(b"")
    for name in ("a", "tree/b", "tree"):
        os.utime(tmp_path / name, ns=(0, 111))

    def read_entries(*entries: object, **head: object) -> Scan:
        file = tmp_path / "order.json"
        file.write_text(json.dumps({"version": 1, "entries": entries} | head))
        return read_manifest_file(file, ContentRoots([tmp_path]))

    return read_entries


def test_entries_are_read_as_documented(tmp_path: Path, read: Read) -> None:
    digest = "0A" * 32

    found = read(
        {"path": "docs/deep/a.txt", "source": "a", "sha256": digest, "mtime": "2024-05-17T11:30:00.5+02:00"},
        {"path": "tree", "source": str(tmp_path / "tree")},
        {"path": "empty", "folder": True},
        title="T",
        volume_id="V",
    )

    time = 1_715_938_200_500_000_000
    assert (found.faults, found.title, found.volume_id) == ((), "T", "V")
    assert [(entry.path, entry.folder, entry.mtime_ns, entry.source) for entry in found.entries] == [
        ("docs", True, time, ""),
        ("docs/deep", True, time, ""),
        ("docs/deep/a.txt", False, time, f"{tmp_path}/a"),
        ("empty", True, time, ""),
        ("tree", True, 111, ""),
        ("tree/b", False, 111, f"{tmp_path}/tree/b"),
    ]
    assert found.entries[2].sha256 == digest.lower()
    assert found.entries[2].source_mtime_ns == 111


def test_folders_of_several_entries_merge_in_any_order(read: Read) -> None:
    entries = [
        {"path": "x/more", "source": "a"},
        {"path": "x", "source": "tree"},
        {"path": "x/inner", "folder": True, "mtime": "1970-01-01T00:00:00Z"},
    ]

    one, other = read(*entries), read(*reversed(entries))

    assert one == other
    assert [(entry.path, entry.mtime_ns) for entry in one.entries] == [
        ("x", 111),
        ("x/b", 111),
        ("x/inner", 0),
        ("x/more", 111),
    ]


@pytest.mark.parametrize(
    ("entry", "faults"),
    [
        ("a", ["must be a JSON object", "'path' is missing"]),
        ({}, ["'path' is missing"]),
        ({"path": "x"}, ["needs a 'source', or 'folder': true"]),
        ({"path": "x", "folder": False}, ["needs a 'source', or 'folder': true"]),
        ({"path": "x", "source": "a", "size": 1}, ["'size' is unknown; there are path, source, sha256, mtime, folder"]),
        ({"path": 1, "source": None}, ["'path' must be a text", "'source' must be a text"]),
        ({"path": "", "source": ""}, ["'path' must be a text", "'source' must be a text"]),
        ({"path": "x", "folder": 1}, ["'folder' must be true or false"]),
        ({"path": "x", "folder": True, "source": "a"}, ["has a 'source' and 'folder': true"]),
        ({"path": "x", "folder": True, "sha256": "0" * 64}, ["is a folder, which has no 'sha256'"]),
        ({"path": "x", "source": "tree", "sha256": "0" * 64}, ["only a file can have a sha256"]),
        ({"path": "x", "source": "a", "sha256": "123"}, ["'sha256' must be 64 hexadecimal digits"]),
        ({"path": "x", "source": "a", "mtime": "yesterday"}, ["'mtime' must be a time as in RFC 3339"]),
        ({"path": "x", "source": "a", "mtime": "2024-05-17T09:30:00"}, ["'mtime' must be a time as in RFC 3339"]),
        ({"path": "x", "source": "a", "mtime": "2024-13-17T09:30:00Z"}, ["'mtime' must be a time as in RFC 3339"]),
        ({"path": "x", "source": "a", "mtime": "1899-12-31T23:59:59Z"}, ["'mtime' must be in the years 1900 to 2155"]),
        ({"path": "../x", "source": "a"}, ["'path' has the part '..'"]),
        ({"path": "x/./y", "source": "a"}, ["'path' has the part '.'"]),
        ({"path": "/x", "source": "a"}, ["'path' is absolute"]),
        ({"path": "x//y", "source": "a"}, ["'path' has an empty part"]),
        ({"path": "x/", "source": "a"}, ["'path' has an empty part"]),
        ({"path": "x\\y", "source": "a"}, ["'path' has a backslash; part folders with /"]),
        ({"path": "x/" * 512, "source": "a"}, ["'path' is longer than 1023 bytes"]),
        ({"path": "a\0b", "source": "a"}, ["'path' has characters that can't be stored"]),
        ({"path": "x", "source": "\ud800"}, ["'source' has characters that can't be stored"]),
        ({"path": "x", "source": "none"}, ["/none does not exist"]),
        ({"path": "x", "source": "/etc/passwd"}, ["/etc/passwd is outside the content roots"]),
    ],
)
def test_a_faulty_entry_is_named_with_its_faults(read: Read, entry: object, faults: list[str]) -> None:
    found = read({"path": "good", "source": "a"}, entry)

    assert len(found.faults) == len(faults)
    for said, expected in zip(found.faults, faults, strict=True):
        assert said.startswith("entries[1]")
        assert expected in said


@pytest.mark.parametrize(
    ("entries", "fault"),
    [
        (
            [{"path": "x", "source": "a"}, {"path": "x", "source": "a"}],
            "entries[1] (x): has the place of entries[0]",
        ),
        (
            [{"path": "x", "source": "a"}, {"path": "x/y", "source": "a"}],
            (
                "entries[1] (x/y): two things want the place x: {}/a and the folder that holds x/y; "
                "rename or leave out one"
            ),
        ),
        (
            [{"path": "x/y", "folder": True}, {"path": "x", "source": "a"}],
            "entries[1] (x): two things want the place x: the folder that holds x/y and {}/a; rename or leave out one",
        ),
        (
            [{"path": "x", "source": "tree"}, {"path": "x/b", "source": "a"}],
            "entries[1] (x/b): two things want the place x/b: {0}/tree/b and {0}/a; rename or leave out one",
        ),
    ],
)
def test_two_entries_with_one_place_are_a_fault(tmp_path: Path, read: Read, entries: list[object], fault: str) -> None:
    assert read(*entries).faults == (fault.format(tmp_path),)


@pytest.mark.parametrize(
    ("head", "fault"),
    [
        ({"version": 2}, "'version' must be 1"),
        ({"version": True}, "'version' must be 1"),
        ({"version": 1.0}, "'version' must be 1"),
        ({"entries": {}}, "'entries' must be a list"),
        ({"entries": []}, "there is nothing to burn: no file and no folder in the sources"),
        ({"title": 5}, "'title' must be a text that is not empty"),
        ({"volume_id": ""}, "'volume_id' must be a text that is not empty"),
        ({"titel": "x"}, "'titel' is unknown; there are version, format, title, volume_id, entries, boot"),
    ],
)
def test_a_faulty_head_is_a_fault(read: Read, head: dict[str, object], fault: str) -> None:
    assert read({"path": "x", "source": "a"}, **head).faults == (fault,)


def test_all_faults_come_at_once(read: Read) -> None:
    found = read({"path": "..", "source": "a"}, {"path": "x", "source": "none"}, title=1)

    assert [fault.split(" ")[0] for fault in found.faults] == ["'title'", "entries[0]", "entries[1]"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "Expecting value: line 1 column 1 (char 0)"),
        (b"{]", "Expecting property name"),
        (b"\xff", "can't decode byte 0xff"),
        (b"[" * 100_000, "it is nested too deeply"),
        (b"9" * 5_000, "Exceeds the limit"),
    ],
)
def test_what_is_not_json_is_refused(tmp_path: Path, text: bytes, reason: str) -> None:
    file = tmp_path / "order.json"
    file.write_bytes(text)

    [fault] = read_manifest_file(file, ContentRoots([tmp_path])).faults

    assert re.search(f"^{re.escape(str(file))} is no manifest file: .*{re.escape(reason)}", fault)


def test_a_key_that_is_there_twice_is_a_fault(tmp_path: Path) -> None:
    file = tmp_path / "order.json"
    file.write_text('{"version": 1, "entries": [{"path": "x", "path": "y", "folder": true}]}')

    found = read_manifest_file(file, ContentRoots([tmp_path]))

    assert found.faults == ("entries[0] (y): 'path' is there more than once",)


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "order.json"
    with file.open("wb") as out:
        out.truncate(manifest_file.MAX_SIZE + 1)

    [fault] = read_manifest_file(file, ContentRoots([tmp_path])).faults

    assert "it is larger than 67,108,864 bytes; make several orders of it" in fault


def test_too_many_entries_end_the_reading(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "MAX_ENTRIES", 10)

    found = read(*({"path": f"{number}/x", "folder": True} for number in range(100)))

    assert found.faults == ("there are more than 10 files and folders; make several orders of it",)


def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    reasons = {
        "fifo": "it is not a file",
        "missing": "it can't be read (No such file or directory)",
        "": "it can't be read (Is a directory)",
    }

    for name, reason in reasons.items():
        [fault] = read_manifest_file(tmp_path / name, ContentRoots([tmp_path])).faults
        assert fault.endswith(f" is no manifest file: {reason}")
    assert "null" in read_manifest_file(tmp_path / "a\0b", ContentRoots([tmp_path])).faults[0]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
_ENTRY = st.fixed_dictionaries(
    {},
    optional={
        "path": _JSON | st.text(),
        "source": _JSON | st.sampled_from(["a", ".", "tree", ".."]),
        "sha256": _JSON | st.just("0" * 64),
        "mtime": _JSON | st.from_regex(r"\A\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)\Z"),
        "folder": _JSON,
    },
)
_DOCUMENTS = st.fixed_dictionaries(
    {"version": st.just(1) | _JSON, "entries": st.lists(_ENTRY | _JSON, max_size=4) | _JSON},
    optional={"title": _JSON, "volume_id": _JSON},
)


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=40) | (_DOCUMENTS | _JSON).map(lambda value: json.dumps(value).encode()))
def test_whatever_is_in_the_file_ends_in_entries_or_faults(text: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "order.json")
        file.write_bytes(text)
        Path(folder, "a").write_bytes(b"")

        found = read_manifest_file(file, ContentRoots([Path(folder)]))

    assert found.entries or found.faults
    for place in (entry.path for entry in found.entries):
        assert place.encode()
        assert not {"", ".", ".."} & set(place.split("/"))


def test_boot_images_are_read_as_documented(read: Read) -> None:
    whole = {"path": "a", "platform": "efi", "emulation": "none", "manufacturer": "US"}

    found = read({"path": "a", "source": "a"}, boot=[{"path": "a"}, whole])

    assert found.faults == ()
    assert found.boot == (Boot("a"), Boot("a", "efi", "none", "US"))


@pytest.mark.parametrize(
    ("boot", "faults"),
    [
        ("a", ("'boot' must be a list",)),
        (["a"], ("boot[0]: must be a JSON object", "boot[0]: 'path' is missing")),
        ([{"path": "/a", "cpu": 1}], ("boot[0]: 'cpu' is unknown; there are path, platform, emulation, manufacturer",
                                      "boot[0]: 'path' is absolute; places on a disc begin without /")),
        ([{"path": "a", "platform": 7}], ("boot[0]: 'platform' must be a text that is not empty",)),
    ],
)  # fmt: skip
def test_faulty_boot_images_are_told_apart(read: Read, boot: object, faults: tuple[str, ...]) -> None:
    assert read({"path": "a", "source": "a"}, boot=boot).faults == faults
