"""How long-running programs log: one line an event, key=value, to stderr; Celery's own words included."""

import logging
from typing import Any

import structlog
from structlog.typing import Processor

from jobs.masking import mask

#: Loggers that tell more than anybody wants to read, and the least they may say.
_QUIET = {"alembic": logging.WARNING, "celery.utils.functional": logging.WARNING, "tornado.access": logging.WARNING}
_SHARED: tuple[Processor, ...] = (
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    structlog.processors.format_exc_info,
    structlog.processors.UnicodeDecoder(),
)


def set_up_logging(level: int = logging.INFO) -> None:
    """Send what structlog and the standard library's loggers are told through one format.

    Celery leaves a root logger alone that has a handler.
    """
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *_SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    logging.captureWarnings(capture=True)
    handler = logging.StreamHandler()
    handler.setFormatter(_formatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name, least in _QUIET.items():
        logging.getLogger(name).setLevel(least)


def _formatter() -> logging.Formatter:
    render = structlog.processors.LogfmtRenderer(key_order=["time", "level", "logger", "event"], drop_missing=True)
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_SHARED,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _with_words,
            _without_secrets,
            render,
            _legible,
        ],
    )


def _without_secrets(_logger: object, _method: str, facts: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Hide what URLs tell, in tracebacks too."""
    return {key: mask(value) if isinstance(value, str) else value for key, value in facts.items()}


def _legible(_logger: object, _method: str, line: Any) -> str:  # noqa: ANN401  (what the renderer made: a text)
    """Escape what would end the line, turn it around, or command a terminal: names of files may hold anything."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in line)


def _with_words(_logger: object, _method: str, facts: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Make keys that a line can hold: the renderer refuses blanks in them."""
    return {"".join(letter if letter > " " else "_" for letter in key): value for key, value in facts.items()}
