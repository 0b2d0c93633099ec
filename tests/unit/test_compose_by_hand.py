"""Compose files as people write them: a change through the API touches what it names, and not one character more."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from container_manager.errors import ComposeFileBroken
from container_manager.models import LABEL, PortMapping, Resources, new_cuid
from container_manager.store.compose_edit import Editor, edited
from container_manager.store.compose_read import parse
from container_manager.store.yaml_text import load

CUID = new_cuid()


def everything(editor: Editor) -> None:
    """Each change that the API makes."""
    editor.set_identity(CUID)
    editor.set_image("busybox:2")
    editor.merge_env({"A": None, "B": "$2\n"})
    editor.set_tags(("t",))
    editor.merge_resources(Resources(memory="2g"))
    editor.set_ports((PortMapping(3, 4),), "0.0.0.0")
    editor.set_lifetimes(5, None)
    boot = {"user": "1:1", "cap_drop": ["ALL"], "environment.HOME": "/app", "volumes./launcher": "/x"}
    editor.set_runs("boot", boot)
    editor.set_network("isolated")


def holds_everything(text: bytes) -> bool:
    spec = parse(CUID, text)
    service = load(text)["services"][CUID]
    environment, labels = service["environment"], service["labels"]
    return (
        service["container_name"] == CUID
        and (labels.count(f"{LABEL}={CUID}") == 1 if isinstance(labels, list) else labels[LABEL] == CUID)
        and (spec.image, spec.env["B"], spec.tags, spec.resources.memory) == ("busybox:2", "$2\n", ("t",), "2g")
        and "A" not in spec.env
        and (spec.ports, spec.ttl, spec.runs) == ((PortMapping(3, 4, host_ip="0.0.0.0"),), 5, "boot")
        and ("HOME=/app" in environment if isinstance(environment, list) else environment["HOME"] == "/app")
        and spec.volumes == ()
    )


# Lines that a change may replace or remove end in "# ~"; every other one must stay as it is, in its place.
FILES = {
    "comments between what is changed": """
# first
services:
  CUID:
    # of the image
    image: a  # ~
    # of the ports
    ports:
      - "1:2"  # ~
    # of the host's name
    hostname: mine
    environment:
      # of A
      A: 1  # ~
      # of C
      C: 1e3   # as it is
# last
""",
    "a list of variables": """
services:
  CUID:
    labels:
    - container-manager.cuid=another # ~
    - mine=1
    environment:
    - A=1  # ~
    # of C
    - C=$$x # as it is
    image: 'a' # ~
    dns:
        - 1.1.1.1
        - 8.8.8.8
""",
    "what others share is theirs": """
x-base: &base   # shared
  environment: &env
    A: '1'   # theirs
    C: 3
  ports: ["1:2"]
  mem_limit: 1g
services:
  CUID:
    <<: *base
    image: a # ~
  other:
    <<: *base
    image: b
""",
    "an alias alone": """
x-env: &env
  A: '1'
services:
  CUID:
    image: a # ~
    environment: *env # ~
  other: {image: b, environment: *env}
""",
    "what came by a merge is written out": """
x-env: &env
  A: '1'
  C: '3'
services:
  CUID:
    image: a # ~
    environment:
      <<: *env # ~
      D: 4 # mine
""",
    "anchors that nobody uses": """
services: &services
  CUID: &service
    image: &image a # ~
    environment: &env
      C: &c 3
      D: &d
    ports: &ports
      - 1:2 # ~
""",
    "marks of a document": """
%YAML 1.2
---
services:
  CUID:
    image: a # ~
...
""",
    "tabs where they may be": """
services:
  CUID:
    image:\ta\t# ~
    hostname:\tx\t# mine
""",
    "long texts and odd keys": """
services:
  CUID:
    image: a # ~
    command: >
      sh -c
      'x'
    ? complex
    : v
    "quoted key": 0o17
    labels:
      x: |+
        kept


    # after two empty lines
x-ü: 'ñ 😀'  # é
""",
    "networks of one's own": """
services:
  CUID:
    image: a # ~
networks:
  default: {name: mine}  # my own
  extra: {}
""",
    "keys in a row of braces": """
services:
  CUID:
    image: a # ~
    environment: {A: 1, C: $$x} # ~
    volumes: ['/host:/data:ro'] # ~
    extra_hosts: {x: y}
""",
    "nothing but its name yet": """
x-container-manager: # ~
services:
  CUID:
    image: a # ~
    environment: # ~
    ports: [] # ~
    volumes: # ~
""",
}


@pytest.mark.parametrize("ending", ["\n", "\r\n", "no last"], ids=["LF", "CRLF", "no-last"])
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["", "BOM"])
@pytest.mark.parametrize("name", FILES)
def test_what_is_not_named_stays_to_the_letter(name: str, ending: str, mark: str) -> None:
    text = mark + FILES[name].lstrip().replace("CUID", CUID)
    text = text.rstrip("\n") if ending == "no last" else text.replace("\n", ending)
    assert parse(CUID, text.encode()).broken is None
    result = edited(CUID, text.encode(), everything)
    if name != "keys in a row of braces":
        assert holds_everything(result)
    kept = [line for line in text.splitlines() if not line.rstrip().endswith("# ~")]
    lines = iter(result.decode().splitlines())
    for line in kept:
        assert line in lines, f"{line!r} is gone, or not in its place:\n{result.decode()}"
    assert result.decode().startswith(mark)
    if ending == "\r\n":
        assert result.count(b"\n") == result.count(b"\r\n")
    assert edited(CUID, result, everything) is result
    theirs = load(text.encode())
    for own in theirs.keys() - {"services", "networks", "x-container-manager"}:
        assert load(result)[own] == theirs[own]


def test_a_file_in_braces_alone_is_written_anew() -> None:
    text = f"{{services: {{{CUID}: {{image: a, environment: {{A: 1}}, x: [1, {{y: z}}]}}}}}}".encode()
    result = edited(CUID, text, everything)
    assert holds_everything(result)
    assert load(result)["services"][CUID]["x"] == [1, {"y": "z"}]


@pytest.mark.parametrize(
    ("text", "change"),
    [
        ("x: *b\n", lambda editor: editor.merge_env({"A": "2"})),
        ("x: *b\n", lambda editor: editor.merge_env({"A": None})),
        ("x: *i\n", lambda editor: editor.set_image("other")),
        ("x:\n  <<: *s\n", lambda editor: editor.set_ports((PortMapping(1, 2),), "")),
    ],
)
def test_what_is_shared_with_others_is_not_changed_behind_their_backs(
    text: str, change: Callable[[Editor], None]
) -> None:
    shared = f"services:\n  {CUID}: &s\n    image: &i a\n    environment:\n      A: &b 1\n{text}".encode()
    assert parse(CUID, shared).broken is None
    with pytest.raises(ComposeFileBroken, match="anchor"):
        edited(CUID, shared, change)
    assert parse(CUID, edited(CUID, shared, lambda editor: editor.set_lifetimes(9, None))).ttl == 9


@pytest.mark.parametrize(
    "text",
    [
        "services:\n  CUID: &s\n    image: a\n    x: *s\n",
        "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
        + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 10)}]\n" for i in range(8))
        + "services: {CUID: {image: a}}\n",
    ],
    ids=["holds itself", "explodes"],
)
def test_aliases_without_end_are_no_trap(text: str) -> None:
    assert "alias" in (parse(CUID, text.replace("CUID", CUID).encode()).broken or "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("services:\n\tCUID:\n", "line 2: "),
        ("services:\n  CUID:\n    image: a\n    image: b\n", "line 4: found duplicate key"),
        ("services:\n  CUID:\n    image: a\n---\nservices: {}\n", "line 4: "),
        ("services:\n  CUID:\n    image: *nobody\n", "line 3: alias"),
        ("\0", "control characters are not allowed"),
        ("services:\n  CUID: a\n", "no service"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, said: str) -> None:
    assert said in (parse(CUID, text.replace("CUID", CUID).encode()).broken or "")


words = st.text(st.characters(categories=("L", "N", "P", "S", "Zs"), exclude_characters="<"), max_size=8)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
ENGINE_KEYS = (
    "environment ports volumes command user restart cpus mem_limit pids_limit networks network_mode cap_drop labels"
)
OWN_KEYS = "created name tags ttl idle_timeout runs set_for_boot"


@given(
    service=st.dictionaries(st.sampled_from(ENGINE_KEYS.split()), anything),
    extension=anything | st.dictionaries(st.sampled_from(OWN_KEYS.split()), anything),
    networks=anything,
)
def test_whatever_stands_at_our_keys_is_read_and_changed(
    service: dict[str, Any], extension: Any, networks: Any
) -> None:
    document = {
        "services": {CUID: {"image": "a", **service}},
        "x-container-manager": extension,
        "networks": networks,
        "x-kept": service,
    }
    lines = ["services:", f"  {CUID}:", "    image: a"]
    lines += [f"    {key}: {json.dumps(value, ensure_ascii=False)}" for key, value in service.items()]
    lines += [
        f"{key}: {json.dumps(document[key], ensure_ascii=False)}"
        for key in ("x-container-manager", "networks", "x-kept")
    ]
    text = "\n".join(lines).encode()
    assert parse(CUID, text).broken is None
    result = edited(CUID, text, everything)
    assert parse(CUID, result).image == "busybox:2"
    assert load(result)["x-kept"] == load(text)["x-kept"]
