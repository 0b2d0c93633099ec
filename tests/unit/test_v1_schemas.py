"""Ports, volumes, users and files of /api/v1: every form that is taken, and what is refused."""

import pytest
from pydantic import ValidationError

from container_manager.api.schemas.v1 import AddFile, AddUser, CreateNamed
from container_manager.api.schemas.v1_forms import port_mappings, volumes_of
from container_manager.models import PortMapping, Volume


def created(**fields):
    return CreateNamed.model_validate({"image": "alpine:latest", "name": "one", **fields})


@pytest.mark.parametrize(
    ("ports", "expected"),
    [
        ({"8080": "80"}, [PortMapping(8080, 80)]),
        ({"8080": 80}, [PortMapping(8080, 80)]),
        ({"5353": "53/udp"}, [PortMapping(5353, 53, "udp")]),
        ({"5353/udp": "53/udp"}, [PortMapping(5353, 53, "udp")]),
        ({"53": ["53/tcp", "53/udp"]}, [PortMapping(53, 53, "tcp"), PortMapping(53, 53, "udp")]),
        ({"127.0.0.1:8080": "80"}, [PortMapping(8080, 80, "tcp", "127.0.0.1")]),
        ({"53/udp": "5353"}, [PortMapping(5353, 53, "udp")]),
        ({"80/tcp": 8080}, [PortMapping(8080, 80)]),
        ({"80/tcp": None}, [PortMapping(0, 80)]),
        ({"80/tcp": ["127.0.0.1", 8080]}, [PortMapping(8080, 80, "tcp", "127.0.0.1")]),
        ({"80/tcp": ["127.0.0.1", None]}, [PortMapping(0, 80, "tcp", "127.0.0.1")]),
        ({"80/tcp": [8080, 8081]}, [PortMapping(8080, 80), PortMapping(8081, 80)]),
    ],
)
def test_a_port_is_read_in_every_form(ports, expected):
    assert list(port_mappings(created(ports=ports).ports)) == expected


@pytest.mark.parametrize(
    "ports",
    [
        {"http": "80"},
        {"8080": "http"},
        {"8080": ""},
        {"8080": None},
        {"8080": "0"},
        {"65536": "80"},
        {"8080": "65536"},
        {"8080": "-1"},
        {"8080": True},
        {"8080/udp": "80/tcp"},
        {"8080": "127.0.0.1:80"},
        {"999.0.0.1:8080": "80"},
        {"8080/icmp": "80"},
        {"8080": "80", "08080": "81"},
        ["8080:80"],
    ],
)
def test_what_is_no_port_is_refused(ports):
    with pytest.raises(ValidationError):
        created(ports=ports)


@pytest.mark.parametrize(
    "volumes",
    [
        {"/srv/data": "/data"},
        {"/srv/data": {"bind": "/data"}},
        {"/srv/data": {"bind": "/data", "mode": "rw"}},
        {"/srv//data/": "/data/."},
        ["/srv/data:/data"],
        ["/srv/data:/data:rw"],
        [{"type": "bind", "source": "/srv/data", "target": "/data"}],
    ],
)
def test_a_volume_is_read_in_every_form(volumes):
    assert volumes_of(created(volumes=volumes).volumes) == (Volume("/srv/data", "/data"),)


@pytest.mark.parametrize(
    "volumes",
    [
        {"/srv/data": "/data:ro"},
        {"/srv/data": {"bind": "/data", "mode": "ro"}},
        ["/srv/data:/data:ro"],
        [{"source": "/srv/data", "target": "/data", "read_only": True}],
    ],
)
def test_a_volume_may_be_read_only(volumes):
    assert volumes_of(created(volumes=volumes).volumes) == (Volume("/srv/data", "/data", read_only=True),)


@pytest.mark.parametrize(
    "volumes",
    [
        {"/srv/data": "data"},
        {"/srv/data": "/"},
        {"/srv/data": "//"},
        {"/srv/data": "/app/"},
        {"/srv/data": "/x/../app"},
        {"/srv/data": "/proc/1"},
        {"/srv/data": "/opt/container-manager"},
        {"/srv/data": "/opt//container-manager/wheels/:ro"},
        ["/srv/data:/opt/container-manager/."],
        [{"source": "/srv/data", "target": "/opt/container-manager/start.sh"}],
        {"/srv/data": "/data:rox"},
        {"/srv/data": {"bind": "/data", "mode": "rw,shared"}},
        {"/srv/data": {"bind": "/data", "propagation": "shared"}},
        ["/srv/data"],
        [{"type": "volume", "source": "name", "target": "/data"}],
        {"/srv/a": "/data", "/srv/b": "/data/"},
    ],
)
def test_what_is_no_volume_is_refused(volumes):
    with pytest.raises(ValidationError):
        created(volumes=volumes)


def test_a_volume_above_or_beside_the_launcher_hides_nothing():
    for target in ("/opt", "/opt/container-manager-too", "/srv/opt/container-manager"):
        assert volumes_of({"/srv/data": target}) == (Volume("/srv/data", target),)


def test_a_path_upwards_reaches_the_rule_for_volumes_as_it_is():
    assert volumes_of({"/srv/data/../..": "/data"}) == (Volume("/srv/data/../..", "/data"),)


@pytest.mark.parametrize(
    "name", ["", "-x", "a/b", "a b", "../x", "ü", "a" * 64, "c123e4567-e89b-12d3-a456-426614174000"]
)
def test_what_is_no_name_is_refused(name):
    with pytest.raises(ValidationError):
        created(name=name)


@pytest.mark.parametrize("username", ["", "Anna", "1st", "a b", "a:b", "../x", "root\n", "-f", "a" * 33, "anna$", "ü"])
def test_what_is_no_user_name_is_refused(username):
    with pytest.raises(ValidationError):
        AddUser.model_validate({"username": username})


@pytest.mark.parametrize("shell", ["", "bash", "/bin/", "/bin/sh\n", "/bin/sh:x", "/bin/sh -c", "/bin/$(id)"])
def test_what_is_no_shell_is_refused(shell):
    with pytest.raises(ValidationError):
        AddUser.model_validate({"username": "anna", "shell": shell})


def test_a_password_may_be_anything_that_can_be_typed():
    assert AddUser.model_validate({"username": "anna", "password": "':$\\\n\N{SNOWMAN}\"`"}).password
    with pytest.raises(ValidationError):
        AddUser.model_validate({"username": "anna", "password": "\N{SNOWMAN}" * 171})


@pytest.mark.parametrize("path", ["", "x", "relative/x", "/", "/srv/", "/srv/../etc/passwd", "/./x", "/" + "n" * 256])
def test_what_is_no_path_of_a_file_is_refused(path):
    with pytest.raises(ValidationError):
        AddFile.model_validate({"dest_path": path, "content": ""})


def test_content_is_text_or_base64():
    assert AddFile.model_validate({"dest_path": "/x", "content": "é\0\r\n"}).data() == b"\xc3\xa9\0\r\n"
    encoded = {"dest_path": "/x", "content": "/wA=", "encoding": "base64"}
    assert AddFile.model_validate(encoded).data() == b"\xff\0"
    for wrong in ("/wA", "/wA=\n", "é", "ab!="):
        with pytest.raises(ValidationError):
            AddFile.model_validate({**encoded, "content": wrong})
