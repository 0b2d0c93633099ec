"""Files of /api/v1: written anywhere in a container, byte for byte."""

import base64
import itertools
import random

import pytest
from images import FEW, make_image
from surfaces import V1

from harness import PYTHON_IMAGE, Client

NUMBERS = itertools.count(1)
MARKER = "file of the app\n"


@pytest.fixture
def v1(client: Client) -> V1:
    return V1(client)


@pytest.fixture(scope="module")
def images(engine: str, python_image: str) -> dict[str, str]:
    return {"debian": python_image, "few": make_image("tests-neither:latest", FEW)}


@pytest.fixture(params=["debian", "few"])
async def container(request: pytest.FixtureRequest, v1: V1, images: dict[str, str]) -> str:
    name = f"files-{next(NUMBERS)}"
    status, body = await v1.create(name, image=images[request.param], command="sleep 100000", user="1000:1000")
    assert status == 200, body
    return name


async def content(v1: V1, container: str, path: str) -> bytes:
    answer = await v1.ok("POST", f"{await v1.path(container)}/exec", json={"command": f"cat '{path}'", "user": "0"})
    execution = answer["execution"]
    assert execution["exit_code"] == 0, execution
    return base64.b64decode(execution["output"]) if "encoding" in execution else execution["output"].encode()


@pytest.mark.parametrize(
    "text", ["", "Hello, World!\nThis is file content.", "é\N{SNOWMAN}\0\r\n\ttail without newline", "x" * 300_000]
)
async def test_text_arrives_as_it_was_sent(v1: V1, container: str, text: str) -> None:
    status, body = await v1.write(container, "/tmp/deep/er/my file.txt", text)
    assert status == 200, body
    assert body["file"] == {"dest_path": "/tmp/deep/er/my file.txt", "size": len(text.encode())}
    assert await content(v1, container, "/tmp/deep/er/my file.txt") == text.encode()


async def test_bytes_arrive_as_they_were_sent(v1: V1, container: str) -> None:
    data = random.Random(7).randbytes(100_000)
    status, body = await v1.write(container, "/opt/data.bin", base64.b64encode(data).decode(), encoding="base64")
    assert status == 200, body
    assert body["file"]["size"] == len(data)
    assert await content(v1, container, "/opt/data.bin") == data


async def test_a_file_that_is_there_is_replaced_and_keeps_its_mode(v1: V1, container: str) -> None:
    await v1.run(container, "echo old and longer >/opt.sh; chmod 750 /opt.sh; chown 7:8 /opt.sh", user="0")
    assert (await v1.write(container, "/opt.sh", "new"))[0] == 200
    assert await content(v1, container, "/opt.sh") == b"new"
    _, listing = await v1.run(container, "ls -ln /opt.sh")
    assert listing.startswith("-rwxr-x---")
    assert listing.split()[2:4] == ["7", "8"]
    _, rest = await v1.run(container, "ls -A / | grep part", user="0")
    assert rest == ""


async def test_links_and_files_that_are_mounted_are_written_through(v1: V1, container: str) -> None:
    await v1.run(container, "ln -s /tmp/target /tmp/link; ln -s /tmp /tmp/folder")
    for path, place in (("/tmp/link", "/tmp/target"), ("/tmp/folder/in", "/tmp/in"), ("/etc/hosts", "/etc/hosts")):
        status, body = await v1.write(container, path, "through")
        assert status == 200, body
        assert await content(v1, container, place) == b"through"
    _, listing = await v1.run(container, "ls -ld /tmp/link")
    assert listing.startswith("l")


@pytest.mark.parametrize(
    "path", ["", "relative", "/", "/tmp/", "/tmp/../etc/passwd", "/./x", "/a\0b", "/" + "n" * 256, 7, None]
)
async def test_what_is_no_path_is_a_400(v1: V1, path: object) -> None:
    status, body = await v1.request("POST", "/api/v1/containers/any/files", json={"dest_path": path, "content": "x"})
    assert status == 400, body
    assert "dest_path" in body["error"]["message"].lower()


@pytest.mark.parametrize("path", ["/tmp", "/dev/null", "/dev"])
async def test_a_directory_and_a_device_are_a_400(v1: V1, container: str, path: str) -> None:
    status, body = await v1.write(container, path, "x")
    assert status == 400, body
    assert (await v1.run(container, "test -c /dev/null && test -d /tmp"))[0] == 0


async def test_what_the_container_does_not_let_be_written_is_a_422(v1: V1, container: str) -> None:
    await v1.run(container, "echo kept >/tmp/file")
    for path in ("/proc/nothing", "/tmp/file/below"):
        status, body = await v1.write(container, path, "x")
        assert status == 422, body
    assert await content(v1, container, "/tmp/file") == b"kept\n"


async def test_a_path_is_never_read_by_a_shell(v1: V1, container: str) -> None:
    path = "/tmp/-n $(touch /tmp/fallen) `id`;\n*"
    assert (await v1.write(container, path, "x"))[0] == 200
    code, _ = await v1.run(container, "test -e /tmp/fallen")
    assert code == 1


@pytest.mark.parametrize("text", ["/wA", "not base64!", "é"])
async def test_what_is_no_base64_is_a_400(v1: V1, text: str) -> None:
    status, body = await v1.write("any", "/tmp/x", text, encoding="base64")
    assert status == 400, body


async def test_an_app_without_capabilities_gets_files_too(client: Client, v1: V1) -> None:
    name = f"files-{next(NUMBERS)}"
    cuid = await client.run("import time\nwhile True: time.sleep(60)", image=PYTHON_IMAGE, name=name)
    status, body = await v1.write(name, "/app/data/new.txt", MARKER)
    assert status == 200, body
    async with client.session.get(f"/containers/{cuid}/download", params={"path": "data/new.txt"}) as response:
        assert await response.text() == MARKER
    status, body = await v1.write(name, "/etc/new.conf", MARKER)
    assert status == 200, body


async def test_a_container_that_does_not_run_is_422(v1: V1, container: str) -> None:
    await v1.step(container, "stop")
    status, body = await v1.write(container, "/tmp/x", "x")
    assert status == 422, body
