"""Settings: each one's values and errors, and that a newcomer finds every one of them written down."""

import re
from dataclasses import MISSING, fields
from pathlib import Path

import pytest

from container_manager.settings import Address, Settings, SettingsError

ROOT = Path(__file__).parents[2]
NAMES = [setting.name.upper() for setting in fields(Settings)]

WRONG = [
    ("APP_USER", "a:b"),
    ("APP_USER", "  "),
    ("APP_PASS", ""),
    ("DEFAULT_USER_UID", "0:0"),
    ("DEFAULT_USER_UID", "app"),
    ("DEFAULT_USER_UID", "1000:1000:1"),
    ("DEFAULT_USER_UID", "4294967295"),
    ("HOST", " "),
    ("PORT", "65536"),
    ("PORT", "-1"),
    ("PORT", "http"),
    ("APP_ENV", "prod"),
    ("REQUEST_TIMEOUT", "0"),
    ("REQUEST_TIMEOUT", "soon"),
    ("REQUEST_TIMEOUT", "nan"),
    ("REQUEST_TIMEOUT", "inf"),
    ("STOP_TIMEOUT", "-1"),
    ("MAX_WORKERS", "0"),
    ("MAX_WORKERS", "2.5"),
    ("ALLOWED_VOLUMES", "relative/path"),
    ("ALLOWED_VOLUMES", "/srv/../etc"),
    ("ALLOWED_VOLUMES", "/"),
    ("PUBLISH_ADDRESS", " "),
    ("DEFAULT_CPUS", "0"),
    ("DEFAULT_MEMORY", "5m"),
    ("DEFAULT_MEMORY", "much"),
    ("DEFAULT_PIDS", "0"),
    ("AUTH_ATTEMPTS", "-1"),
    ("TRUSTED_PROXIES", "proxy.example"),
    ("TRUSTED_PROXIES", "10.0.0.1/8"),
    ("MAX_UPLOAD_BYTES", "-1"),
    ("MAX_UPLOAD_BYTES", "lots"),
    ("MAX_UNPACKED_BYTES", "4 giga"),
    ("MAX_UNPACKED_FILES", "0"),
    ("MIN_FREE_BYTES", "none"),
    ("REQUIREMENTS_TIMEOUT", "0"),
    ("WHEEL_CACHE_BYTES", "some"),
    ("ALLOWED_ORIGINS", "school.example"),
    ("ALLOWED_ORIGINS", "https://school.example/path"),
    ("NETWORK", "host"),
    ("SESSION_GRACE", "-1"),
    ("MAX_SESSIONS", "0"),
    ("MAX_VIEWERS", "0"),
    ("SCROLLBACK_BYTES", "big"),
    ("RECORD_SESSIONS", "maybe"),
    ("LOG_FORMAT", "xml"),
]

GOOD = [
    ("DEFAULT_USER_UID", "1234", (1234, 1234)),
    ("DEFAULT_USER_UID", "1234:56", (1234, 56)),
    ("PORT", "0", 0),
    ("DATA_DIR", "/srv/data", Path("/srv/data")),
    ("REQUEST_TIMEOUT", "2.5", 2.5),
    ("STOP_TIMEOUT", "0", 0.0),
    ("ALLOWED_VOLUMES", "/srv/a, /srv/b", (Path("/srv/a"), Path("/srv/b"))),
    ("ALLOWED_ORIGINS", "https://School.example/", ("https://school.example",)),
    ("DEFAULT_MEMORY", "512M", "512m"),
    ("DEFAULT_MEMORY", "1GiB", "1g"),
    ("MAX_UNPACKED_BYTES", "1.5k", 1536),
    ("MIN_FREE_BYTES", "10MB", 10 << 20),
    ("RECORD_SESSIONS", "yes", True),
    ("RECORD_SESSIONS", "0", False),
    ("DOCKER_HOST", " unix:///run/engine.sock ", "unix:///run/engine.sock"),
]


def load(tmp_path: Path, **given: str) -> Settings:
    return Settings.load({"APP_PASS": "secret", **given}, tmp_path / "no.env")


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_value_is_one_line_that_names_the_setting(tmp_path, name, value):
    with pytest.raises(SettingsError) as raised:
        load(tmp_path, **{name: value})
    message = str(raised.value)
    assert message.startswith(f"{name} is wrong: ")
    assert "\n" not in message


@pytest.mark.parametrize(("name", "value", "expected"), GOOD)
def test_a_good_value_is_read(tmp_path, name, value, expected):
    assert getattr(load(tmp_path, **{name: value}), name.lower()) == expected


def test_every_setting_that_can_be_wrong_is_tried_here():
    # Any text is a docker host or a directory's name.
    assert set(NAMES) - {name for name, _ in WRONG} == {"DOCKER_HOST", "DATA_DIR"}


def test_without_a_password_the_message_says_what_to_do(tmp_path):
    with pytest.raises(SettingsError, match=r"^APP_PASS is not set: .*make setup"):
        Settings.load({}, tmp_path / "no.env")


def test_an_empty_value_means_the_default(tmp_path):
    given = {name: "" for name in NAMES if name != "APP_PASS"}
    assert load(tmp_path, **given) == load(tmp_path)


def test_the_environment_wins_over_the_file(tmp_path):
    file = tmp_path / ".env"
    file.write_text("APP_PASS=of-the-file\nPORT=1234\n# HOST=no\n")
    settings = Settings.load({"PORT": "4321"}, file)
    assert (settings.app_pass, settings.port, settings.host) == ("of-the-file", 4321, "0.0.0.0")


def test_a_dollar_in_the_file_stays_as_it_is(tmp_path):
    file = tmp_path / ".env"
    file.write_text("APP_PASS='a$HOME${PATH}b'\n")
    assert Settings.load({}, file).app_pass == "a$HOME${PATH}b"


def test_a_file_that_is_no_text_is_told(tmp_path):
    file = tmp_path / ".env"
    file.write_bytes(b"APP_PASS=\xff\xfe")
    with pytest.raises(SettingsError, match="cannot be read"):
        Settings.load({}, file)


def test_a_password_never_stands_in_a_message(tmp_path):
    for name, value in WRONG:
        with pytest.raises(SettingsError) as raised:
            load(tmp_path, **{"APP_PASS": "Hunter2", name: value})
        assert "Hunter2" not in str(raised.value)


def test_settings_cannot_be_changed(tmp_path):
    with pytest.raises(AttributeError):
        load(tmp_path).port = 1  # type: ignore[misc]


# --- what a newcomer finds ---------------------------------------------------------------------


def example() -> dict[str, str]:
    lines = (ROOT / ".env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_the_example_file_has_every_setting_and_no_other():
    assert sorted(example()) == sorted([*NAMES, "CONTAINER_MANAGER_URL"])


def test_the_example_file_shows_the_defaults(tmp_path):
    shown = Settings.load({**example(), "APP_PASS": "secret"}, tmp_path / "no.env")
    for setting in fields(Settings):
        if setting.default is not MISSING and setting.name != "data_dir":
            assert getattr(shown, setting.name) == setting.default, setting.name


def test_the_readme_tells_every_setting():
    told = set(re.findall(r"^\|\s*`([A-Z_]+)`", (ROOT / "README.md").read_text(), re.MULTILINE))
    assert told >= set(NAMES)


def test_the_address_of_a_server_elsewhere_wins_over_host_and_port(tmp_path):
    given = {"APP_PASS": "secret", "HOST": "10.0.0.1", "PORT": "81"}
    assert Address.load(given, tmp_path / "no.env").url == "http://10.0.0.1:81"
    given["CONTAINER_MANAGER_URL"] = "https://school.example/"
    assert Address.load(given, tmp_path / "no.env").url == "https://school.example"
