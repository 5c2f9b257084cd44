from __future__ import annotations

import numpy as np

from cass.groups import group_codes


def test_group_codes_leave_empty_cells_alone() -> None:
    codes = group_codes(np.array(["b", "", "a", "b", ""]), count=5)
    assert codes[0] == codes[3]
    assert len(set(codes.tolist())) == 4
    assert group_codes(None, count=3).tolist() == [0, 1, 2]
