"""Settings of another type than they have: all faults at once, by their names."""

from pathlib import Path

import pytest

from jobs.errors import Faults
from jobs.settings import load_settings


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a home, and nothing else that settings come from."""
    for name in ("DISCMILL_CONFIG", "DISCMILL_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("lease = 'long'", "lease: Input should be a valid number"),
        ("tick = inf", "tick: Input should be a finite number"),
        ("back_off = nan", "back_off: Input should be a finite number"),
        ("metrics_port = true", "metrics_port: Value error, true says nothing here"),
        ("quarantine_after = 1.5", "quarantine_after: Input should be a valid integer"),
        ("content_roots = 7", "content_roots: Input should be a valid list"),
        ("webhooks = { a = 1 }", "webhooks: Input should be a valid list"),
        ("flower_password = 12", "flower_password: Input should be a valid string"),
        ("recorder = 'r1'", "recorder: Input should be a valid list"),
        ("[[recorder]]\nname = 1\nuri = []", "recorder.0.uri: Input should be a valid string"),
        ("[[recorder]]\nname = '../r1'\nuri = 'emulated:r1'", "recorder.0.name: String should match pattern"),
        ("leas = 30", "leas: Extra inputs are not permitted"),
        ("lease = ", "discmill.toml: Invalid value"),
    ],
)
def test_a_setting_of_another_type_is_a_fault_by_its_name(home: Path, line: str, fault: str) -> None:
    (home / "discmill.toml").write_text(line)

    with pytest.raises(Faults) as refused:
        load_settings(home=home)

    assert fault in str(refused.value)


def test_all_faults_are_told_at_once_and_no_secret_with_them(home: Path) -> None:
    (home / "discmill.toml").write_text(
        "lease = 'x'\ntick = []\nwebhook_secret = ['geheim']\nbroker_url = ['geheim']\n"
    )

    with pytest.raises(Faults) as refused:
        load_settings(home=home)

    assert len(refused.value.faults) == 4
    assert "geheim" not in str(refused.value)
