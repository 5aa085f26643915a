"""What an import brings, and what it must not bring."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # each is a process

HEAVY = {"sklearn", "scipy", "matplotlib", "pandas", "duckdb", "safetensors", "jsonschema", "rich", "tree_sitter"}


ROOT = Path(__file__).parents[1]


def modules_after(code: str) -> set[str]:
    listing = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sorted(sys.modules))"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return {name.partition(".")[0] for name in listing.stdout.split()}


@pytest.mark.parametrize(
    "code",
    [
        "import specnet",
        "import specnet; specnet.parse_spec('specs/moons.toml')",
        "import specnet; n = specnet.build('specs/moons.toml'); n.predict(n.initial_parameters(), [[1, 2]])",
    ],
)
def test_heavy_packages_stay_away(code: str):
    assert not modules_after(code) & HEAVY


def test_importing_the_package_brings_only_its_version():
    code = "import specnet, sys; print(*[name for name in sys.modules if name.startswith('specnet')])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert set(found) == {"specnet", "specnet.version"}
    assert not modules_after("import specnet") & {"numpy", "pydantic"}


def test_erf_is_imported_by_who_needs_it():
    fields = "'layer_sizes': [1, 2, 1], 'activations': '%s', 'dtype': '%s'"
    network = f"{{'network': {{{fields}}}, 'training': {{'loss': 'mse'}}}}"
    code = f"import specnet; n = specnet.build({network}); n.predict(n.initial_parameters(), [[1.0]])"
    assert "scipy" not in modules_after(code % ("silu", "float64"))
    assert "scipy" not in modules_after(code % ("gelu", "float32"))
    assert "scipy" in modules_after(code % ("gelu", "float64"))
