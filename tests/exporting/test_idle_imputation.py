"""Libraries without a step that fills gaps take models whose training rows had none, and say what they leave out."""

from pathlib import Path

import numpy as np
import pandas
import pytest

from specnet.errors import UnsupportedError
from specnet.estimators import SpecClassifier
from specnet.exporting import export
from specnet.importing import open_model

TABLE = pandas.DataFrame(np.random.default_rng(0).normal(size=(60, 2)), columns=["a", "b"])
Y = np.where(TABLE.a > 0, "yes", "no")


KERAS = (pytest.mark.peers, pytest.mark.filterwarnings("ignore::DeprecationWarning"))  # of Keras's own


@pytest.mark.parametrize(("target", "suffix"), [("sklearn", ".skops"), pytest.param("keras", ".keras", marks=KERAS)])
def test_a_default_classifier_of_a_complete_table_is_exported(target: str, suffix: str, tmp_path: Path):
    fitted = SpecClassifier(epochs=2).fit(TABLE, Y)
    assert [step.type for step in fitted.model_.spec.network.preprocessing] == ["impute", "standardize"]
    written = export(fitted.model_, target, tmp_path / f"model{suffix}")
    assert "missing cells are not filled" in written.note
    np.testing.assert_array_equal(open_model(written.files[0]).predict(TABLE.to_numpy()), fitted.predict(TABLE))
    gaps = SpecClassifier(epochs=2).fit(TABLE.mask(TABLE > 1), Y)
    with pytest.raises(UnsupportedError, match="impute"):
        export(gaps.model_, target, tmp_path / f"gaps{suffix}")
