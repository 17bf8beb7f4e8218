"""Reading ahead: the right batch for every position, the next one begun in time, and a failure where it belongs."""

import threading

import pytest

from msm.pretraining.ahead import ReadAhead


def test_every_place_gets_its_own_batch() -> None:
    positions = [(step, micro) for step in (3, 4, 5) for micro in (2, 3)]
    ahead = ReadAhead(lambda step, micro: (step, micro), range(2, 4))
    assert [ahead.get(*position) for position in positions] == positions
    # Training that goes on elsewhere, as after resuming, does not get what was read ahead.
    assert ahead.get(9, 2) == (9, 2)
    assert ahead.get(9, 3) == (9, 3)


def test_the_next_batch_is_read_while_one_is_at_work() -> None:
    starts = {position: threading.Event() for position in ((0, 0), (1, 0), (2, 0))}

    def read(step: int, micro: int) -> int:
        starts[step, micro].set()
        return step

    ahead = ReadAhead(read, range(1))
    assert ahead.get(0, 0) == 0
    assert starts[1, 0].wait(10), "nobody asked for step 1 yet"
    assert not starts[2, 0].is_set()


def test_a_failure_shows_at_its_own_place() -> None:
    def read(step: int, micro: int) -> int:
        if step:
            raise ValueError("damaged")
        return micro

    ahead = ReadAhead(read, range(1))
    assert ahead.get(0, 0) == 0
    with pytest.raises(ValueError, match="damaged"):
        ahead.get(1, 0)
