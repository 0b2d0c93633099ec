"""What counts as traffic on a container's ports, from the kernel's own tables."""

from container_manager.engine.traffic import counters, mark

SNMP = """\
Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab InSegs OutSegs
Tcp: 1 200 120000 -1 3 2 0 0 1 40 41
Udp: InDatagrams NoPorts InErrors OutDatagrams
Udp: 7 0 0 7
"""
HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
LISTENS = "   0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1\n"
TAKEN = "   1: 020012AC:1F90 010012AC:D431 01 00000000:00000000 00:00000000 00000000     0        0 2 1\n"
OUTWARD = "   2: 020012AC:D432 08080808:01BB 01 00000000:00000000 00:00000000 00000000     0        0 3 1\n"
UDP_PORT = "   3: 00000000:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4 2\n"
UDP_OUTWARD = "   4: 020012AC:C000 08080808:0035 01 00000000:00000000 00:00000000 00000000     0        0 5 2\n"


def test_counters_are_read_by_name() -> None:
    counted = counters(SNMP)
    assert (counted["Tcp.PassiveOpens"], counted["Tcp.InSegs"], counted["Udp.InDatagrams"]) == (2, 40, 7)


def test_segments_count_while_somebody_is_connected() -> None:
    counted = counters(SNMP)
    assert mark(counted, HEAD + LISTENS + TAKEN + OUTWARD, HEAD) == (2, 40, None)
    assert mark(counted, HEAD + LISTENS + OUTWARD, HEAD) == (2, None, None)
    assert mark(counted, HEAD + LISTENS, HEAD + UDP_OUTWARD) == (2, None, None)
    assert mark(counted, HEAD, HEAD + UDP_PORT) == (2, None, 7)
    assert mark({}, "", "") == (0, None, None)
