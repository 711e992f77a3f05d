"""How long a request may hang once docc was told to end."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from docc.adapters.kube_connection import Request
from docc.adapters.patience import LEAST_SECONDS, OutOfTime, Patience
from docc.model.errors import Unreachable
from tests.adapters.kubeconfig import connect
from tests.adapters.server import LIMIT_SECONDS, Exchange, serve


@pytest.mark.parametrize(
    ("began", "over_at"),
    [(0.0, 12.0), (9.9, 12.0), (10.0, 14.0), (13.0, 14.0), (13.9, 13.9 + LEAST_SECONDS), (20.0, 20.3)],
)
def test_what_was_under_way_has_half_of_the_time_and_everybody_a_moment(began: float, over_at: float) -> None:
    """Four seconds, from the tenth on."""
    now = 10.0
    patience = Patience(lambda: now)
    assert not patience.over(began)
    patience.end_within(4)
    now = over_at - 0.01
    assert not patience.over(began)
    now = over_at + 0.01
    assert patience.over(began) and isinstance(patience.spent(), OutOfTime) == (over_at >= 14)


def test_a_second_hurry_gives_no_more_time() -> None:
    now = 10.0
    patience = Patience(lambda: now)
    patience.end_within(4)
    now = 13.0
    patience.end_within(4)
    now = 14.1
    assert patience.over(0.0) and patience.over(11.0)


def test_a_request_under_way_leaves_time_for_another_and_that_one_is_the_last(tmp_path: Path) -> None:
    asked = threading.Semaphore(0)

    def hang(exchange: Exchange) -> None:
        asked.release()
        exchange.hang()

    with serve(hang) as server:
        connection = connect(tmp_path, server.url)
        caught: list[Unreachable] = []

        def ask() -> None:
            with pytest.raises(Unreachable) as error:
                connection.send(Request("get", "/api"))
            caught.append(error.value)

        first = threading.Thread(target=ask)
        first.start()
        assert asked.acquire(timeout=LIMIT_SECONDS)
        connection.patience.end_within(2)
        began = time.monotonic()
        first.join(LIMIT_SECONDS)
        assert time.monotonic() - began >= 0.9
        ask()
    assert [error.last for error in caught] == [False, True]
