from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from enrollment.prior_training import face_crops
from models.diffusion import weights
from models.diffusion.config import PriorConfigError
from server import cli
from server.evaluation import prior as evaluation
from server.evaluation.prior import PriorBenchmark
from tests.models.diffusion.tiny import config, trained


@pytest.mark.usefixtures("one_torch_thread")
def test_it_measures_against_the_coarse_view(benchmark_of_one: PriorBenchmark, tmp_path: Path) -> None:
    """An untrained prior changes nothing, so it is exactly as good as the coarse view; one of random weights is worse."""
    nothing = weights.Prior(config(expression={"crop": face_crops.CROP})).eval()
    result = evaluation.evaluate_prior(nothing, benchmark_of_one, steps=(1, 3), out_sheet=tmp_path / "s.png")
    assert [f.steps for f in result.figures] == [1, 3] and result.views == 8
    for f in result.figures:
        assert f.unseen_db == pytest.approx(result.painted_db, abs=1e-4) and f.seconds > 0
        assert f.normals_deg == pytest.approx(result.coarse_deg, abs=0.01)
    assert 5 < result.painted_db < 30 and 3 < result.coarse_deg < 60 and 3 < result.fitted_hair_deg < 90
    assert result.readout_r2 < 0.9 and 0 <= result.triples <= 1
    assert 0.02 < result.outline < 0.3
    assert (tmp_path / "s.png").stat().st_size > 1000
    again = evaluation.evaluate_prior(trained(nothing.config), replace(benchmark_of_one, outlines=[]), steps=(1,))
    assert again.painted_db == pytest.approx(result.painted_db) and again.figures[0].unseen_db < again.painted_db
    assert again.rows()[0]["gain_db"] == 0.0 and len(again.rows()) == 2
    with pytest.raises(PriorConfigError, match="expected to see faces on 128 pixels, it sees them on 64"):
        evaluation.evaluate_prior(trained(), benchmark_of_one)


@pytest.mark.usefixtures("one_torch_thread", "hardly_fitted", "few_faces")
def test_the_prior_that_ships_knows_more_than_the_coarse_view() -> None:
    assert weights.SHIPPED.stat().st_size < 40e6 and weights.notes(weights.SHIPPED)["steps"]
    shipped = weights.load(weights.SHIPPED)
    benchmark = evaluation.PriorBenchmark.generate(2, shipped.config.size, with_outlines=False)
    result = evaluation.evaluate_prior(shipped, benchmark, steps=(1,))
    (ours,) = result.figures
    assert ours.unseen_db > result.painted_db + 1 and ours.normals_deg < result.coarse_deg - 2
    assert ours.hair_deg < result.fitted_hair_deg - 2 and result.triples > 0.8


def test_the_verb_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("sys.argv", ["visavis", "eval", "prior", str(tmp_path / "none.safetensors")])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code != 0 and "weights none.safetensors are missing" in capsys.readouterr().err
