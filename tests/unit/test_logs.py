"""One line an event, whoever tells it; in a process of its own, since logging is set up for a whole process."""

import re
import subprocess
import sys

PROLOGUE = "import logging, structlog; from workers.logs import set_up_logging; set_up_logging()\n"


def log(script: str) -> list[str]:
    """Run a script after logging was set up; return the lines it logged."""
    done = subprocess.run([sys.executable, "-c", PROLOGUE + script], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    return done.stderr.splitlines()


def test_an_event_is_a_line_of_keys_and_values() -> None:
    (line,) = log("structlog.get_logger('rig').info('disc_done', recorder='left', copy=3, title='two words')")

    assert re.fullmatch(
        r"time=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z level=info logger=rig event=disc_done "
        r'recorder=left copy=3 title="two words"',
        line,
    )


def test_the_standard_librarys_loggers_are_told_in_the_same_way() -> None:
    (line,) = log("logging.getLogger('celery.worker').warning('lost %s', 'redis')")

    assert line.endswith('level=warning logger=celery.worker event="lost redis"')


def test_an_exception_stays_on_its_line() -> None:
    script = "try: int('no\\ndisc')\nexcept ValueError: logging.getLogger('rig').exception('a round failed')"

    (line,) = log(script)

    assert 'event="a round failed" exception="Traceback' in line
    assert "ValueError: invalid literal" in line


def test_a_warning_is_a_line_too() -> None:
    (line,) = log("import warnings; warnings.warn('careful')")

    assert "logger=py.warnings" in line


def test_what_is_not_worth_a_line_is_left_out() -> None:
    assert log("logging.getLogger('rig').debug('looked'); structlog.get_logger('rig').debug('looked_again')") == []


def test_a_key_that_no_line_can_hold_is_changed() -> None:
    (line,) = log("structlog.get_logger('rig').info('e', **{'two words': 1})")

    assert line.endswith("two_words=1")


def test_a_name_neither_ends_a_line_nor_commands_a_terminal() -> None:
    script = """
name = "a\\nlevel=critical\\r\\x1b[31m\\x07 \\u202e \\u2028 \\x85 \\udcff <b>"
logging.getLogger("rig").info("burning %s", name)
structlog.get_logger("rig").info("e", path=name)
try:
    raise ValueError(name)
except ValueError:
    logging.getLogger("rig").exception("a round failed")
"""

    lines = log(script)

    assert len(lines) == 3
    for line in lines:
        assert line.isprintable()
        assert r"a\nlevel=critical\r\x1b[31m\x07 \u202e \u2028 \x85 \udcff <b>" in line


def test_no_password_is_in_a_line_or_in_its_traceback() -> None:
    script = (
        "url = 'rediss://rig:tr0ub4dor@host/0?ssl_keyfile_password=tr0ub4dor'\n"
        "try: raise ConnectionError(url)\n"
        "except ConnectionError: logging.getLogger('rig').exception('no answer from %s', url)\n"
        "structlog.get_logger('rig').info('tried', url=url)"
    )

    first, second = log(script)

    assert "Traceback" in first
    assert "rediss://rig:***@host/0" in first
    assert "tr0ub4dor" not in first + second
