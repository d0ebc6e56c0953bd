"""The main job, for real, in one command: a rig of its own, real content, verified discs."""

import json
import sysconfig
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

import jobs
from jobs.cli.console import staging_bars
from jobs.cli.follow import follow_live
from jobs.client import Client, Report
from jobs.ordering import audio_disc, manifest_disc
from jobs.settings import Settings, load_settings
from models.vocabulary import JobState
from workers.demo_sound import write_tunes
from workers.rig import Rig, default_recorders

_COPIES, _AUDIO_COPIES = 3, 2
_RECORDERS = 2
#: Slow enough to be watched, fast enough to be waited for.
_SPEED = "?speed=150x"
#: Sources alone: what Python compiles beside them may change under our hands.
_WANTED = {".py", ".mako", ".txt", ".toml", ".html", ".json", ".md"}
_LEFT_OUT = {"site-packages", "dist-packages"}


def run_demo(home: Path | None) -> int:
    """Order a data disc and an audio disc, several copies each, on two emulated recorders; return 0 if all are good."""
    home = home or Path(tempfile.mkdtemp(prefix="discmill-demo-"))
    console = Console()
    library = Path(sysconfig.get_path("stdlib")).resolve()
    project = Path(jobs.__file__).resolve().parents[1]
    settings = load_settings(home=home, content_roots=[home, library, project], heartbeat=1, lease=10)
    console.print(f"[bold]discmill demo[/] in {home}", soft_wrap=True)
    with Rig(settings, default_recorders(settings, _RECORDERS, _SPEED)) as rig, Client(settings=settings) as mill:
        console.print(f"{_RECORDERS} emulated recorders, Redis on {settings.redis_socket}", soft_wrap=True)
        console.print(f"Flower at {rig.flower_url}")
        manifest = _list_content(settings, {**_packages(project), "python": library})
        with staging_bars() as bars:
            tunes = audio_disc(*write_tunes(home / "tunes"), title="discmill tunes")
            orders = [
                mill.submit(manifest_disc(manifest), copies=_COPIES, progress=bars),
                mill.submit(tunes, copies=_AUDIO_COPIES, progress=bars),
            ]
        for note in orders[-1].notes:
            console.print(f"note: {note}", soft_wrap=True, highlight=False)
        reports = [follow_live(job, settle=rig.keep_running) for job in orders]
    for report in reports:
        console.print(_table(report))
        _list_files(console, report)
    return max([_conclude(console, report) for report in reports])


def _packages(project: Path) -> dict[str, Path]:
    return {f"discmill/{name}": project / name for name in ("jobs", "models", "workers", "migrations")}


def _is_wanted(file: Path, tree: Path) -> bool:
    inside = file.resolve().is_relative_to(tree)  # distributions link some files elsewhere
    return inside and file.suffix in _WANTED and file.is_file() and _LEFT_OUT.isdisjoint(file.relative_to(tree).parts)


def _list_content(settings: Settings, trees: dict[str, Path]) -> Path:
    """Write a manifest file of real content: this project's packages and Python's standard library."""
    entries = [
        {"path": f"{name}/{file.relative_to(tree)}", "source": str(file)}
        for name, tree in trees.items()
        for file in sorted(tree.rglob("*"))
        if _is_wanted(file, tree)
    ]
    manifest = settings.home / "demo.json"
    manifest.write_text(json.dumps({"version": 1, "title": "discmill demo", "entries": entries}), encoding="utf-8")
    return manifest


def _table(report: Report) -> Table:
    table = Table("copy", "recorder", "verdict", "verified", "blocks", title=str(report.document["title"]))
    for disc in report.discs:
        table.add_row(
            f"{disc['copy']}/{report.copies}",
            str(disc["recorder"]),
            str(disc["outcome"]),
            "yes" if disc["verified"] else "no",
            str(disc["blocks_total"]),
            style=None if disc["outcome"] == "good" else "red",
        )
    return table


def _list_files(console: Console, report: Report) -> None:
    """Name digest and file of each disc, a line each as sha256sum writes and checks them."""
    for disc in report.discs:
        if disc["path"]:
            console.print(f"{disc['image_sha256']}  {disc['path']}", soft_wrap=True, highlight=False)


def _conclude(console: Console, report: Report) -> int:
    title = report.document["title"]
    if report.state is JobState.COMPLETED and report.good == report.copies:
        console.print(f"[green]{title}: all {report.good} discs are good[/]")
        return 0
    counts = f"{report.good} of {report.copies} discs are good"
    console.print(f"[red]{title}: {report.state}, {counts}; {report.reason or ''}[/]")
    return 1
