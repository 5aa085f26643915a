"""The benchmark of the compiled engine's cost measures new processes, which share no library."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

import specnet
from specnet.compiler.native import missing
from tests.benchmarks.whole.cost import SPECS, building_seconds, cached_building_seconds, cost_of


def test_all_reference_specs_are_run():
    assert {"moons.toml", "iris.json", "realmlp.toml"} <= {spec.name for spec in SPECS}
    assert all(specnet.parse_spec(spec).name for spec in SPECS)


@pytest.mark.slow
def test_a_run_leaves_its_choice_and_a_model_to_build(tmp_path):
    (spec,) = (spec for spec in SPECS if spec.stem == "moons")
    found = cost_of(spec, tmp_path, rounds=1)
    assert found.chosen in ("numpy", "compiled")
    assert min(*found.auto, *found.numpy) > 0
    if missing() is None:
        model = tmp_path / "numpy" / "model.safetensors"
        (seconds,) = cached_building_seconds([model], rounds=1)
        assert seconds > 0
        cache = tmp_path / "cache"
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            assert len(pool.submit(building_seconds, [model], cache).result()) == 1
        assert len([*cache.iterdir()]) == 1
