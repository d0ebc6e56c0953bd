"""The command line as a test types it: a home of its own, and nothing of the surroundings."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from models.database import Database
from workers.cli import app


@dataclass(frozen=True, slots=True)
class CommandLine:
    """Types commands in a home; content may be read from the home alone."""

    home: Path
    database: Database

    def run(self, *words: object, **settings: str) -> Result:
        """Type a command under these settings; the machine is that of `tests.builders`."""
        given = {"HOME": str(self.home), "CONTENT_ROOTS": str(self.home), "MACHINE_ID": "here", "CLIENT": "tests"}
        unsaid = dict.fromkeys(("CONFIG", "DATABASE_URL", "BROKER_URL", "FLOWER_PASSWORD"), "")
        environment = {f"DISCMILL_{name}": value for name, value in {**unsaid, **given, **settings}.items()}
        return CliRunner().invoke(app, [str(word) for word in words], env=environment)

    def read(self, *words: object) -> Any:  # noqa: ANN401  (JSON)
        """Type a command with --json, which has to succeed; return the one document it prints."""
        result = self.run(*words, "--json")
        assert result.exit_code == 0, result.stderr
        return json.loads(result.stdout)

    def write(self, name: str, content: str = "something to burn") -> Path:
        """Write a file of content."""
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return path


def url_of(home: Path) -> str:
    """Return the URL of a home's own database."""
    return f"sqlite:///{home / 'discmill.db'}"
