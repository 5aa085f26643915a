"""The fits that are timed are what their titles say."""

import pytest

from tests.benchmarks.report import Report
from tests.benchmarks.steps import fits
from tests.benchmarks.steps.cases import Bound
from tests.benchmarks.steps.fits import FITS, ROWS
from tests.benchmarks.timing import Seconds
from tests.compiling import compiles


@pytest.mark.parametrize("title", FITS)
def test_a_fit_trains_to_its_end(title):
    fit = FITS[title]
    assert (fit.training["epochs"], fit.training["batch_size"]) in ((4000, "full"), (2600, ROWS // 8))
    short = fit._replace(training={**fit.training, "epochs": 3})
    model = short.train("numpy")
    assert [record["epoch"] for record in model.history] == [1, 2, 3]
    assert ("validation_loss" in model.history[0]) == ("validation" in title)
    layers = [type(node.layer).__name__.lower() for node in model.network.nodes]
    assert ("dropout" in layers) == ("dropout" in title)


@compiles
def test_each_is_held_against_its_bound(monkeypatch, capsys):
    seconds = {"compiled": Seconds(1, 0.3), "numpy": Seconds(1, 1)}
    monkeypatch.setattr(fits, "measured", lambda *_, **__: seconds)
    monkeypatch.setattr(fits, "FITS", {"a": FITS["2-5-1, 4 000 full batches"]._replace(bound=Bound(0.29, 0.2))})
    report = Report()
    fits.fits(report)
    assert report.missed == ["a against NumPy engine"]
    assert "| a | 300 | NumPy engine | 1000 | 0.3 | 0.29 (0.2) |" in capsys.readouterr().out
