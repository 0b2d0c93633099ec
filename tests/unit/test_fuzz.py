"""What the fuzzer found ends as it did then; and it goes on for a moment, from another place each time."""

import random

import fuzz
import pytest

CASES = [(kind, end, case) for kind in fuzz.KINDS for end, case in fuzz.kept(kind).items()]
MORE = {"archives": 300, "names": 2000, "paths": 2000}


def test_there_are_cases_of_each_kind() -> None:
    assert {kind: len(fuzz.kept(kind)) for kind in fuzz.KINDS if len(fuzz.kept(kind)) < 5} == {}


@pytest.mark.parametrize(("kind", "end", "case"), [pytest.param(*one, id=f"{one[0]} {one[1]}") for one in CASES])
def test_a_kept_case_ends_as_it_did(kind: str, end: str, case: object) -> None:
    assert fuzz.KINDS[kind][1](case) == end


@pytest.mark.parametrize("kind", fuzz.KINDS)
def test_new_cases_break_no_rule(kind: str) -> None:
    make, ends = fuzz.KINDS[kind]
    seed = random.randrange(1 << 32)
    cases = make(random.Random(seed))
    for _ in range(MORE[kind]):
        case = next(cases)
        try:
            ends(case)
        except Exception as error:
            pytest.fail(f"{error!r}: seed {seed}, case {case!r}")
