"""The figures of a run, as lines for people."""

from collections.abc import Iterator

from tests.chaos.run import Result


def lines_of(result: Result) -> Iterator[str]:
    """Yield what was done, what came of it, how long recoveries took, and what does not hold."""
    yield f"  done      {_counted(result.done)}"
    yield f"  discs     {_counted(result.discs)}"
    yield f"  at rest   {result.settled:.1f} s after the last fault"
    for fault, (times, median, worst) in result.recovery.items():
        yield f"  recovery  {fault:16} {times:3} times, median {median:5.2f} s, worst {worst:5.2f} s"
    for violation in result.violations:
        yield f"  BROKEN    {violation}"
    yield f"  {'FAILED' if result.violations else 'all invariants hold'}; seed {result.chaos.seed}"


def _counted(counts: object) -> str:
    assert isinstance(counts, dict)
    return ", ".join(f"{count} {what}" for what, count in counts.items()) or "nothing"
