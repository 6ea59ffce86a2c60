from __future__ import annotations

import numpy as np
import pytest

from realtime.view import ViewRequest


@pytest.mark.parametrize(
    ("asked", "drawn"),
    [
        ((7.0, 0.0, 0.9), ViewRequest(7.0 - 2 * np.pi, 0.0, 0.9)),
        ((0.0, 3.0, 0.9), ViewRequest(0.0, np.radians(80), 0.9)),
        ((0.0, -3.0, -1e300), ViewRequest(0.0, -np.radians(80), 0.35)),
        ((1e300, 0.0, 1e300), ViewRequest(np.remainder(0.0, 1.0), 0.0, 3.0)),
    ],
)
def test_views_are_kept_within_limits(asked: tuple[float, float, float], drawn: ViewRequest) -> None:
    view = ViewRequest.within_limits(*asked)
    assert abs(view.yaw) <= np.pi
    if asked[0] < 100:
        assert view.yaw == pytest.approx(drawn.yaw)
    assert (view.pitch, view.distance) == pytest.approx((drawn.pitch, drawn.distance))


def test_requests_that_round_to_equal_numbers_share_a_picture() -> None:
    assert ViewRequest(0.10004, 0.2, 0.9).rounded() == ViewRequest(0.1, 0.20001, 0.90004).rounded()
    assert ViewRequest(0.1).rounded() != ViewRequest(0.102).rounded()
