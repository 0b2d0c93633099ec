"""Rows of `docker stats`."""

import pytest

from container_manager.engine.stats import Sample, parse, stats_argv

ROW = (
    b'\x1b[H{"BlockIO":"0B / 0B","CPUPerc":"12.34%","ID":"95a9","MemPerc":"0.07%",'
    b'"MemUsage":"696KiB / 1GiB","Name":"c58","NetIO":"1.5kB / 90B","PIDs":"2"} \x1b[K'
)


def test_a_row_becomes_numbers():
    assert parse(ROW) == Sample(cpu=0.1234, memory=696 << 10, memory_limit=1 << 30, processes=2, received=1500, sent=90)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\x1b[J",
        b"{}",
        b'{"CPUPerc": 3}',
        b"{not json}",
        b'{"MemUsage":"-- / --","CPUPerc":"--","NetIO":"--","PIDs":"--"}',
        ROW.replace(b"696KiB", b"696 parsecs"),
        ROW.replace(b'"2"', b'"many"'),
    ],
)
def test_what_is_no_row_of_a_running_container_is_none(line):
    assert parse(line) is None


def test_no_name_is_taken_for_an_option():
    assert stats_argv("docker", "--help")[-2:] == ["--", "--help"]
