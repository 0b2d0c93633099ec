"""Encoded containers and pages: made once, never older than what they show."""

from datetime import UTC, datetime
from itertools import count

from container_manager.api.views import MOST_PAGES, Views
from container_manager.models import ContainerSpec, EngineState, new_cuid


def test_a_page_is_made_once_for_each_version() -> None:
    views, numbers = Views(), count(1)

    def page(key: str, version: int) -> bytes:
        return views.page(key, version, lambda: {"made": next(numbers)})

    assert page("first", 1) == page("first", 1) == b'{"made":1}'
    assert page("second", 1) == b'{"made":2}'
    assert page("first", 2) == b'{"made":3}'
    # What belonged to the version before is gone for good.
    assert page("second", 2) == b'{"made":4}'


def test_few_pages_are_kept() -> None:
    views = Views()
    for number in range(10 * MOST_PAGES):
        views.page(number, 1, dict)
    assert len(views._pages) <= MOST_PAGES


def test_a_container_is_encoded_again_when_its_spec_or_state_is_another() -> None:
    views = Views()
    spec = ContainerSpec(new_cuid(), datetime(2026, 1, 1, tzinfo=UTC), "busybox")
    state = EngineState(spec.cuid, "id", "running")
    first = views.fragment(spec, None)
    assert views.fragment(spec, None) is first
    assert views.fragment(spec, state) is not first
    again = views.fragment(spec, state)
    assert views.fragment(spec, state) is again
    views.forget(spec.cuid)
    assert views.fragment(spec, state) is not again
