"""Random expressions: in range, varied, and with muscles that move together."""

from __future__ import annotations

import numpy as np

from models import arkit
from models.heads.registry import by_name
from models.synthetic.expressions import gaze_of, random_expression


def test_expressions_are_in_range_and_vary() -> None:
    rng = np.random.default_rng(0)
    model = by_name("anny")
    many = np.array([random_expression(rng, model) for _ in range(200)])
    assert many.shape == (200, 52) and many.min() >= 0 and many.max() <= 1
    i = arkit.INDEX
    assert (many[:, i["mouthClose"]] <= many[:, i["jawOpen"]]).all()
    left, right = many[:, i["mouthSmileLeft"]], many[:, i["mouthSmileRight"]]
    assert np.corrcoef(left, right)[0, 1] > 0.9
    assert np.corrcoef(left, many[:, i["cheekSquintLeft"]])[0, 1] > 0.4
    gaze = gaze_of(model, many[0])
    assert np.allclose(gaze[0], gaze[1], atol=1e-5)
