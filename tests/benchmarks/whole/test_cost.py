"""The benchmark of the compiled engine's cost measures runs of reference specs, and building in new processes."""

import time
from contextlib import nullcontext

import pytest

import specnet
from tests.benchmarks.processes import ROOT
from tests.benchmarks.whole import cost
from tests.benchmarks.whole.cost import SPECS, cached_building_seconds, cost_of
from tests.compiling import missing
from tests.processes.born_loaded import born_loaded


def test_all_reference_specs_are_run():
    assert {"moons.toml", "iris.json", "realmlp.toml"} <= {spec.name for spec in SPECS}
    assert all(specnet.parse_spec(spec).name for spec in SPECS)


@pytest.mark.slow
def test_a_run_leaves_its_choice_and_a_model_to_build(call_here, tmp_path, monkeypatch):
    call_here(cost)
    monkeypatch.setattr(cost, "children_seconds", time.process_time)
    spec = tmp_path / "short.toml"
    spec.write_text((ROOT / "specs/diabetes.toml").read_text("utf-8").replace("epochs = 60", "epochs = 20"), "utf-8")
    found = cost_of(spec, tmp_path, rounds=1)
    assert found.chosen in ("numpy", "compiled")
    assert min(*found.auto, *found.numpy) > 0
    if missing() is None:
        cache = tmp_path / "cache"
        monkeypatch.setattr(cost, "get_context", lambda _: born_loaded())  # new processes, which need not import all
        monkeypatch.setattr(cost, "TemporaryDirectory", lambda: nullcontext(cache))
        (seconds,) = cached_building_seconds([tmp_path / "numpy" / "model.safetensors"], rounds=1)
        assert seconds > 0
        assert len([*cache.iterdir()]) == 1
