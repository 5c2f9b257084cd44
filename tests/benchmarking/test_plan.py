"""What a benchmark says it will do."""

from __future__ import annotations

from cass.benchmarking.plan import PlanLine, duration, plan_table


def test_the_plan() -> None:
    lines = [PlanLine("brain", "small", "cass", 2, 6, 6, 0.0), PlanLine("brain", "small", "dino", 2, 6, 1, 4000.0)]
    cells = plan_table(lines, seconds_left=4000.0)
    assert cells.title == "7 of 12 steps done; about 67 min left"
    assert cells.rows[0][-2:] == ["6", "-"]
    assert "unknown" in plan_table(lines, seconds_left=None).title
    assert [duration(seconds) for seconds in (45, 720, 12600)] == ["45 s", "12 min", "3.5 h"]
