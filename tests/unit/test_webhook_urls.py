import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs import webhooks
from jobs.errors import Faults
from jobs.settings import load_settings, subprocess_environment
from jobs.webhooks import webhook_fault

ALLOWED = ["https://hooks.example/rig/", "http://127.0.0.1:8080"]


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example/rig",
        "https://hooks.example/rig/a/b?c=d",
        "https://HOOKS.example:443/rig/a",
        "http://127.0.0.1:8080/",
        "http://127.0.0.1:8080/anything",
    ],
)
def test_what_lies_below_a_prefix_is_allowed(url: str) -> None:
    assert webhook_fault(url, ALLOWED) is None


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/rig/a",
        "https://hooks.example:8443/rig/a",
        "https://hooks.example/other",
        "https://hooks.example/rigged",
        "https://hooks.example/rig/../admin",
        "https://hooks.example/rig/%2e%2E/admin",
        "https://hooks.example/rig/%2e%2e%2fadmin",
        "https://hooks.example/rig\\..\\admin",
        "https://hooks.example.evil/rig/a",
        "https://hooks.example@evil/rig/a",
        "https://hooks.example:443@evil/rig/a",
        "https://user:pass@hooks.example/rig/a",
        "https://evil#@hooks.example/rig/",
        "https://evil\\@hooks.example/rig/",
        "https://hooks.example\n.evil/rig/a",
        "https:// hooks.example/rig/a",
        "https://hooks.example/rig/a\r\nHost: evil",
        "https://hooks\u3002example/rig/a",
        "http://127.0.0.1:80800/",
        "http://127.0.0.1:/x",
        "http://2130706433:8080/",
        "http://[::1]:8080/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:8080/",
        "//hooks.example/rig/a",
        "",
        "https://hooks.example/rig/" + "x" * 3000,
    ],
)
def test_everything_else_is_not(url: str) -> None:
    assert webhook_fault(url, ALLOWED) is not None


@given(st.text(max_size=60))
def test_no_text_leaves_the_host_that_is_allowed(text: str) -> None:
    assert (
        webhook_fault(f"https://{text}", ["https://hooks.example"]) is not None
        or text.lower().startswith(("hooks.example/", "hooks.example:443", "hooks.example?"))
        or text.lower() == "hooks.example"
    )


def test_nothing_is_allowed_unless_somebody_said_so() -> None:
    fault = webhook_fault("https://hooks.example/rig?token=x", [])

    assert fault is not None
    assert fault.endswith("the administrator allows more, as DISCMILL_WEBHOOKS=https://hooks.example/")


def test_webhooks_are_signed_or_refused() -> None:
    with pytest.raises(Faults, match="set webhook_secret"):
        load_settings(webhooks=ALLOWED)


@pytest.mark.parametrize(
    "prefix", ["hooks.example", "ftp://hooks.example", "https://u:p@hooks.example", "https://h/?a"]
)
def test_a_prefix_that_is_none_is_a_fault(prefix: str) -> None:
    with pytest.raises(Faults, match="is no beginning of a URL"):
        load_settings(webhooks=[prefix], webhook_secret="x")  # noqa: S106


def test_what_a_program_is_told_its_children_hear(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings(webhooks=", ".join(ALLOWED), webhook_secret="x")  # noqa: S106
    for name, value in subprocess_environment(settings).items():
        monkeypatch.setenv(name, value)

    again = load_settings()

    assert (again.webhooks, again.webhook_secret) == (ALLOWED, settings.webhook_secret)


def test_the_example_is_true() -> None:
    assert doctest.testmod(webhooks).failed == 0
