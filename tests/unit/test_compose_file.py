"""A container's Compose file: every value comes through, every hand-made key stays."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from container_manager.errors import ComposeFileBroken
from container_manager.models import ContainerSpec, Layout, PortMapping, Resources, Volume, new_cuid
from container_manager.settings import Settings
from container_manager.store.compose_edit import Editor, edited
from container_manager.store.compose_file import render
from container_manager.store.compose_read import parse
from container_manager.store.yaml_text import load

SETTINGS = Settings(app_pass="secret", data_dir=Path("/data"))
LAYOUT = Layout(Path("/data"))

texts = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\x00"), max_size=60)
names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,20}", fullmatch=True).filter(
    lambda name: name not in ("TAGS", "CONTAINER_UID")
)


def spec_of(**fields: object) -> ContainerSpec:
    values = {"cuid": new_cuid(), "created_at": datetime.now(UTC), "image": "python:3.12-slim", **fields}
    return ContainerSpec(**values)  # type: ignore[arg-type]


def written(spec: ContainerSpec) -> bytes:
    return render(spec, LAYOUT, SETTINGS)


def test_a_spec_comes_back_as_it_was_written() -> None:
    spec = spec_of(
        name="web",
        env={"A": "1", "EMPTY": ""},
        tags=("x", "y z"),
        resources=Resources(0.5, "64m", 20),
        ports=(PortMapping(8080, 80, "tcp", "127.0.0.1"), PortMapping(0, 53, "udp", "::1")),
        volumes=(Volume("/srv/shared", "/shared", True),),
        command=("sh", "-c", "echo $HOME"),
        user="1000:1000",
        restart="unless-stopped",
    )
    assert parse(spec.cuid, written(spec)) == spec


@given(env=st.dictionaries(names, texts, max_size=5), words=st.lists(texts, min_size=1, max_size=4))
def test_any_value_survives_writing_and_every_edit_after(env: dict[str, str], words: list[str]) -> None:
    spec = spec_of(env=env, command=tuple(words))
    text = written(spec)
    assert parse(spec.cuid, text).env == env
    assert parse(spec.cuid, text).command == tuple(words)
    again = edited(spec.cuid, text, lambda editor: editor.merge_env({"ONE_MORE": "$x"}))
    assert parse(spec.cuid, again).env == {**env, "ONE_MORE": "$x"}
    assert parse(spec.cuid, again).command == tuple(words)


def test_compose_sees_every_dollar_doubled() -> None:
    spec = spec_of(env={"A": "${APP_PASS}"})
    assert load(written(spec))["services"][spec.cuid]["environment"]["A"] == "$${APP_PASS}"


def test_a_container_without_limits_gets_the_defaults() -> None:
    spec = spec_of()
    assert parse(spec.cuid, written(spec)).resources == Resources(1.0, "1g", 512)


def hand_edited(spec: ContainerSpec) -> bytes:
    text = written(spec).decode()
    text = text.replace("    init: true\n", "    init: true  # reaps zombies\n    # my own\n    hostname: mine\n")
    return (text + "# at the end\nx-anchor: &keep\n  k: v\nx-alias: *keep\n").encode()


def test_what_a_person_wrote_survives_every_change() -> None:
    spec = spec_of(env={"A": "1"}, ports=(PortMapping(1, 2),))
    text = hand_edited(spec)

    def everything(editor: object) -> None:
        editor.set_image("busybox")  # type: ignore[attr-defined]
        editor.merge_env({"A": None, "B": "2"})  # type: ignore[attr-defined]
        editor.set_tags(("t",))  # type: ignore[attr-defined]
        editor.merge_resources(Resources(memory="2g"))  # type: ignore[attr-defined]
        editor.set_ports((PortMapping(3, 4),), "0.0.0.0")  # type: ignore[attr-defined]
        editor.set_runs("boot", {"user": "1000:1000", "environment.HOME": "/app"})  # type: ignore[attr-defined]

    result = edited(spec.cuid, text, everything).decode()
    for kept in ("# reaps zombies", "# my own", "hostname: mine", "# at the end", "&keep", "*keep"):
        assert kept in result
    after = parse(spec.cuid, result.encode())
    assert (after.image, dict(after.env), after.tags) == ("busybox", {"B": "2"}, ("t",))
    assert after.ports == (PortMapping(3, 4, host_ip="0.0.0.0"),)
    assert after.resources.memory == "2g"
    assert after.runs == "boot"


def test_no_difference_leaves_the_very_bytes() -> None:
    spec = spec_of(env={"A": "1"})
    text = hand_edited(spec)
    assert edited(spec.cuid, text, lambda editor: editor.merge_env({"A": "1", "GONE": None})) is text


def test_a_container_that_starts_at_once_is_written_once() -> None:
    spec = spec_of(command=("sleep", "1"), runs="command")
    text = written(spec)
    assert parse(spec.cuid, text).runs == "command"

    def start(editor: Editor) -> None:
        editor.set_identity(spec.cuid)
        editor.set_runs("command", {})
        editor.set_network(SETTINGS.network)

    assert edited(spec.cuid, text, start) is text


def test_keys_of_boot_go_when_boot_goes_and_those_by_hand_stay() -> None:
    spec = spec_of(user="7:7")
    boot = {"user": "1000:1000", "cap_drop": ["ALL"], "entrypoint": ["sh", "-c", "a\nb\n"]}
    booted = edited(spec.cuid, written(spec), lambda editor: editor.set_runs("boot", boot))
    service = load(booted)["services"][spec.cuid]
    assert (service["user"], service["cap_drop"], service["entrypoint"]) == ("7:7", ["ALL"], ["sh", "-c", "a\nb\n"])
    plain = load(edited(spec.cuid, booted, lambda editor: editor.set_runs("image", boot)))["services"][spec.cuid]
    assert plain["user"] == "7:7"
    assert "cap_drop" not in plain
    assert "entrypoint" not in plain


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ("[A=1, 'B=x=y', C]", {"A": "1", "B": "x=y"}),
        ("{A: 1, B: true, C: null, D: $$x}", {"A": "1", "B": "true", "D": "$x"}),
    ],
)
def test_both_forms_of_environment_are_read(environment: str, expected: dict[str, str]) -> None:
    cuid = new_cuid()
    text = f"services: {{{cuid}: {{image: a, environment: {environment}}}}}".encode()
    assert parse(cuid, text).env == expected


def test_a_list_of_variables_is_edited_in_place() -> None:
    cuid = new_cuid()
    text = f"services:\n  {cuid}:\n    image: a\n    environment:\n      - A=1  # one\n      - B=2\n".encode()
    result = edited(cuid, text, lambda editor: editor.merge_env({"A": "$9", "B": None, "C": "3"}))
    assert parse(cuid, result).env == {"A": "$9", "C": "3"}
    assert b"# one" in result


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"a: [1\n", "line 2"),
        (b"a: 1\n b: 2\n", "line 2"),
        (b"", "mapping"),
        (b"services: {}", "no service"),
        (b"a: \xff", "line 1: it is not UTF-8"),
        (b"a: 1\na: 2\n", "line 2"),
        (b"[" * 30000 + b"]" * 30000, "YAML"),
    ],
)
def test_a_broken_file_says_what_is_wrong(text: bytes, said: str) -> None:
    cuid = new_cuid()
    broken = parse(cuid, text).broken
    assert broken is not None
    assert said in broken
    with pytest.raises(ComposeFileBroken):
        edited(cuid, text, lambda editor: None)


@pytest.mark.parametrize(
    ("line", "port"),
    [
        ("'8080:80'", PortMapping(8080, 80, "tcp", "0.0.0.0")),
        ("'127.0.0.1:1:2/udp'", PortMapping(1, 2, "udp", "127.0.0.1")),
        ("'[::1]:1:2'", PortMapping(1, 2, "tcp", "::1")),
        ("80", PortMapping(0, 80, "tcp", "0.0.0.0")),
        ("{target: 80, published: '81', protocol: udp, host_ip: 0.0.0.0}", PortMapping(81, 80, "udp", "0.0.0.0")),
    ],
)
def test_ports_in_every_form_are_read(line: str, port: PortMapping) -> None:
    cuid = new_cuid()
    assert parse(cuid, f"services: {{{cuid}: {{image: a, ports: [{line}]}}}}".encode()).ports == (port,)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(text: bytes) -> None:
    assert parse(new_cuid(), text).broken is not None
