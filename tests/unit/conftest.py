"""What unit tests share."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.schema import upgrade
from models.database import Database
from tests.command_line import CommandLine, url_of


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a database once, to be copied."""
    home = tmp_path_factory.mktemp("migrated")
    upgrade(url_of(home))
    return home / "discmill.db"


@pytest.fixture
def shell(tmp_path: Path, migrated: Path) -> Iterator[CommandLine]:
    """Give a command line, and the empty database behind it."""
    shutil.copy(migrated, tmp_path)
    database = Database(url_of(tmp_path))
    try:
        yield CommandLine(tmp_path, database)
    finally:
        database.close()
