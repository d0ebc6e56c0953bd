import doctest
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs import masking
from jobs.cli import admin
from jobs.cli.console import explain
from jobs.errors import DiscError, Faults
from jobs.masking import MASK, mask
from jobs.settings import load_settings
from tests.command_line import CommandLine

SECRET = "tr0ub4dor"  # noqa: S105  (nothing opens to it)
URLS = [
    f"redis://:{SECRET}@host:6379/0",
    f"rediss://rig:{SECRET}@host/0?ssl_ca_certs=/etc/ca.pem",
    f"postgresql+psycopg://discmill:{SECRET}@db/discmill?sslmode=verify-full",
    f"postgresql+psycopg://db/discmill?user=discmill&password={SECRET}&sslmode=require",
    f"host=db user=discmill password={SECRET}",
    f"redis://:{SECRET}@with-at@host/0",
]


@pytest.mark.parametrize("module", [masking, admin])
def test_the_examples_are_true(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]


@pytest.mark.parametrize("url", URLS)
def test_a_password_is_hidden_wherever_it_stands(url: str) -> None:
    text = f"can't connect to {url}: refused ({url!r})"

    assert SECRET not in mask(text)
    assert mask(mask(text)) == mask(text)


@given(st.text(min_size=1), st.sampled_from(["redis", "rediss", "postgresql+psycopg", "amqp"]))
def test_any_password_written_as_a_url_wants_it_is_hidden(password: str, scheme: str) -> None:
    written = quote(password.encode(errors="replace").decode(), safe="")

    assert mask(f"{scheme}://user:{written}@host/0") == f"{scheme}://user:***@host/0"


@pytest.mark.parametrize("text", ["photos@home: 3 discs", "a=b", "http://host/path?x=1", "12:30 user@host", ""])
def test_what_is_no_secret_stays(text: str) -> None:
    assert mask(text) == text


def test_the_configuration_is_shown_without_secrets(shell: CommandLine) -> None:
    given = {"BROKER_URL": URLS[0], "FLOWER_PASSWORD": SECRET}

    for words in (["config"], ["config", "--json"], ["health"], ["health", "--json"]):
        shown = shell.run(*words, **given)
        assert SECRET not in shown.stdout + shown.stderr
    assert json.loads(shell.run("config", "--json", **given).stdout)["flower_password"] == MASK


@pytest.mark.parametrize("url", [f"postgresql+psycopg://u:{SECRET}@127.0.0.1:1/db", f"nonsense://u:{SECRET}@h/db"])
def test_a_database_that_can_t_be_used_tells_no_secret(shell: CommandLine, url: str) -> None:
    result = shell.run("jobs", DATABASE_URL=url)

    assert result.exit_code == 1
    assert SECRET not in result.stdout + result.stderr


def test_a_faulty_setting_is_told_without_the_secrets_beside_it() -> None:
    with pytest.raises(Faults) as refusal:
        load_settings(lease=-1, flower_password=SECRET, broker_url=URLS[0], database_url=f"no url {URLS[0]}")

    error: BaseException | None = refusal.value
    while error is not None and not error.__suppress_context__:
        assert SECRET not in str(error)
        error = error.__cause__ or error.__context__


def test_an_error_is_explained_without_secrets() -> None:
    assert SECRET not in str(explain(DiscError(f"no answer from {URLS[0]}")))
