"""The table of `msm run --times`."""

from msm.pipeline.times import Span, time_lines


def test_stages_stand_with_their_share_and_tasks_by_their_length() -> None:
    times = {"sources/world": Span(0, 2), "pretrain/msm-1": Span(2, 8), "pretrain/mlm-1": Span(2, 4)}
    head, first, second, together, longest = time_lines(times)
    assert head.split() == ["stage", "tasks", "seconds", "share"]
    assert first.split() == ["pretrain", "2", "8.0", "80%"]
    assert second.split() == ["sources", "1", "2.0", "20%"]
    assert together == "10.0 s of tasks in 8.0 s: 1.2 side by side"
    assert longest == "longest: pretrain/msm-1 6.0 s, sources/world 2.0 s, pretrain/mlm-1 2.0 s"
    assert list(time_lines({})) == ["nothing was run"]
