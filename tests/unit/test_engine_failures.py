"""What the engine says on stderr, and the error that it means: every sentence as a real engine wrote it."""

import json
import re

import pytest

from container_manager.engine.failures import TABLE, NetworkMissing, PausedAlready, failure
from container_manager.errors import (
    AppError,
    ComposeError,
    ComposeFileBroken,
    EngineUnavailable,
    ImageNotFound,
    NameInUse,
    NoSpace,
    NotRunning,
    PortInUse,
    StartRefused,
)

DAEMON = "Error response from daemon: "
ENDPOINT = DAEMON + "driver failed programming external connectivity on endpoint x (e85da3): "
CREATE = DAEMON + "failed to create shim task: OCI runtime create failed: runc create failed: "
PROCESS = CREATE + "unable to start container process: "

SAID: list[tuple[str, type[AppError], dict[str, object]]] = [
    (
        ENDPOINT + "Error starting userland proxy: listen tcp4 0.0.0.0:18799: bind: address already in use",
        PortInUse,
        {"port": 18799},
    ),
    (ENDPOINT + "Bind for 127.0.0.1:8080 failed: port is already allocated", PortInUse, {"port": 8080}),
    (
        DAEMON + "failed to bind host port for 0.0.0.0:8080:172.18.0.2:80/tcp: address already in use",
        PortInUse,
        {"port": 8080},
    ),
    (
        DAEMON + "ports are not available: exposing port TCP 0.0.0.0:8081 -> 0.0.0.0:0: address already in use",
        PortInUse,
        {"port": 8081},
    ),
    (
        DAEMON + "cannot listen on the TCP port: listen tcp4 :8082: bind: address already in use",
        PortInUse,
        {"port": 8082},
    ),
    (DAEMON + "write /var/lib/docker/tmp/GetImageBlob1: no space left on device", NoSpace, {}),
    ("Cannot connect to the Docker daemon at unix:///x.sock. Is the docker daemon running?", EngineUnavailable, {}),
    (
        "failed to connect to the docker API at unix:///x.sock; check if the path is correct and if the daemon is "
        "running: dial unix /x.sock: connect: no such file or directory",
        EngineUnavailable,
        {},
    ),
    (
        'error during connect: Get "http://nohost:1/v1.50/containers/json": dial tcp: lookup nohost: no such host',
        EngineUnavailable,
        {},
    ),
    (
        "Failed to initialize: unable to resolve docker endpoint: invalid bind address format: ftp://127.0.0.1:1",
        EngineUnavailable,
        {},
    ),
    (DAEMON + "No such image: nosuch/image:1", ImageNotFound, {}),
    (DAEMON + "no such image: nosuch: No such image: nosuch:latest", ImageNotFound, {}),
    (DAEMON + "manifest for alpine:nosuch not found: manifest unknown", ImageNotFound, {}),
    (
        DAEMON + "pull access denied for nosuch, repository does not exist or may require 'docker login'",
        ImageNotFound,
        {},
    ),
    (
        DAEMON + 'Conflict. The container name "/x" is already in use by container "cf13". You have to remove',
        NameInUse,
        {},
    ),
    ("network nosuchnet declared as external, but could not be found", NetworkMissing, {}),
    (DAEMON + "network container-manager-isolated not found", NetworkMissing, {}),
    (DAEMON + "Container 72fa is paused, unpause the container before exec", PausedAlready, {}),
    (DAEMON + "Container 72fa is already paused", PausedAlready, {}),
    (DAEMON + "No such container: nosuch", NotRunning, {}),
    ('no container found for project "x": not found', NotRunning, {}),
    ('service "x" is not running', NotRunning, {}),
    (DAEMON + "Container 72fa is not running", NotRunning, {}),
    (DAEMON + "Container 11cc is restarting, wait until the container is running", NotRunning, {}),
    (
        "failed to parse /data/compose/x.yml: go-yaml load error in parser (while parsing a flow sequence) "
        "at L8.C12-L9.C14: did not find expected ',' or ']'",
        ComposeFileBroken,
        {"line": 8},
    ),
    ("validating /data/compose/x.yml: services.x.memlimit false schema", ComposeFileBroken, {"line": None}),
    ('compose file "/data/compose/x.yml" is invalid: open: no such file or directory', ComposeFileBroken, {}),
    (PROCESS + 'exec: "nosuchprog": executable file not found in $PATH: unknown', StartRefused, {}),
    (PROCESS + 'exec: "/etc/passwd": permission denied: unknown', StartRefused, {}),
    (PROCESS + 'exec: "/no/such": stat /no/such: no such file or directory: unknown', StartRefused, {}),
    (DAEMON + "unable to find user nosuch: no matching entries in passwd file", StartRefused, {}),
    (DAEMON + "unable to find group nosuch: no matching entries in group file", StartRefused, {}),
    (DAEMON + "Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available", StartRefused, {}),
    (DAEMON + "Minimum memory limit allowed is 6MB", StartRefused, {}),
    (DAEMON + "invalid restart policy 'foo'", StartRefused, {}),
    (DAEMON + "Cannot mkdir: /etc/passwd is not a directory", StartRefused, {}),
    (
        PROCESS + 'error during container init: error mounting "/x" to rootfs at "/etc/passwd": not a directory',
        StartRefused,
        {},
    ),
    (
        ENDPOINT + "Error starting userland proxy: listen tcp4 1.2.3.4:18798: bind: cannot assign requested address",
        StartRefused,
        {},
    ),
    (DAEMON + "something that no release has said so far", ComposeError, {}),
    ("", ComposeError, {}),
]


@pytest.mark.parametrize(("said", "kind", "details"), SAID, ids=[said[-50:] for said, _, _ in SAID])
def test_each_sentence_means_its_error(said: str, kind: type[AppError], details: dict[str, object]) -> None:
    for stderr in (said, json.dumps({"error": True, "message": said})):
        error = failure(["docker-compose", "up"], 1, stderr.encode())
        assert type(error) is kind
        assert error.details.items() >= details.items()
        assert error.details["exit_code"] == 1
        assert said.strip() in error.details["stderr"]
        assert error.message


def test_each_row_has_a_sentence() -> None:
    for pattern, _ in TABLE:
        assert any(re.search(pattern, said, re.IGNORECASE) for said, _, _ in SAID), pattern


def test_progress_is_no_part_of_the_error() -> None:
    stderr = b'{"id":"Container x","status":"Working","text":"Creating"}\n{"error":true,"message":"boom"}\n'
    error = failure(["docker-compose"], 1, stderr)
    assert (error.message, error.details["stderr"]) == ("boom", "boom")


def test_a_reason_unknown_becomes_what_was_asked_for() -> None:
    assert type(failure(["x"], 1, b"lookup registry: no such host", otherwise=ImageNotFound)) is ImageNotFound


def test_secrets_are_in_no_detail() -> None:
    argv = ["docker", "exec", "--env=TOKEN=s3cret", "-e", "OTHER=value", "--env", "NAME", "c1", "echo", "s3cret"]
    error = failure(argv, 1, b"invalid: s3cret-and-more, s3cret", secrets=["s3cret", "s3cret-and-more", ""])
    assert error.details["argv"] == [
        *("docker", "exec", "--env=TOKEN=***", "-e", "OTHER=***", "--env", "NAME", "c1", "echo", "***")
    ]
    assert error.details["stderr"] == "invalid: ***, ***"
    assert "s3cret" not in error.message


def test_only_the_end_of_a_long_stderr_is_kept() -> None:
    error = failure(["x"], 1, b"x" * 100_000 + b"\nthe reason")
    assert len(error.details["stderr"]) == 4000
    assert error.message == "the reason"
