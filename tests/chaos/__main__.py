"""`make chaos`: breaks a rig on SQLite and on PostgreSQL, prints the figures, fails if an invariant does not hold."""

import argparse
import secrets
import sys

from tests.chaos.report import lines_of
from tests.chaos.rig import short_folder
from tests.chaos.run import Chaos, Result, run
from tests.servers import PostgresServer


def main() -> int:
    """Run chaos as the command line says; return the exit code."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="how long things are broken, on each database")
    parser.add_argument("--seed", type=int, default=None, help="default: a random one, printed")
    parser.add_argument("--database", choices=["sqlite", "postgresql", "both"], default="both")
    parser.add_argument("--recorders", type=int, default=4)
    parser.add_argument("--keep", action="store_true", help="keep the folder, its logs and discs")
    asked = parser.parse_args()
    seed = secrets.randbelow(1_000_000) if asked.seed is None else asked.seed
    databases = ["sqlite", "postgresql"] if asked.database == "both" else [asked.database]
    failed = False
    for database in databases:
        chaos = Chaos(seed, asked.seconds, postgresql=database == "postgresql", recorders=asked.recorders)
        say(f"chaos on {database}: seed {seed}, {len(chaos.steps)} steps in {asked.seconds:g} seconds")
        result = _run(chaos, keep=asked.keep)
        for line in lines_of(result):
            say(line)
        failed = failed or bool(result.violations)
    return int(failed)


def _run(chaos: Chaos, *, keep: bool) -> Result:
    with short_folder(keep=keep) as folder:
        if keep:
            say(f"folder {folder}")
        if not chaos.postgresql:
            return run(chaos, folder)
        with short_folder() as data, PostgresServer(data) as server:
            return run(chaos, folder, server)


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
