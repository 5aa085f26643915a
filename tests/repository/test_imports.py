"""What an import brings, and what it must not bring."""

import ast
import subprocess
import sys
from functools import cache
from itertools import combinations
from pathlib import Path

import pytest

from tests.cli.conftest import folder, specnet

__all__ = ["folder", "specnet"]

pytestmark = pytest.mark.slow  # each is a process

HEAVY = {"sklearn", "scipy", "matplotlib", "pandas", "duckdb", "safetensors", "jsonschema", "rich", "tree_sitter"}
HEAVY |= {"tensorboard", "mlflow"}


ROOT = Path(__file__).parents[2]
RUN = "from specnet.cli import main; import sys; sys.argv[1:] = {}\ntry: main()\nexcept SystemExit: pass"
"""Runs a command of the command line, to the end of the process but for its exit."""
TOLD = "modules: "


def modules_after(*codes):
    """The packages that a process has after each of these, one after another."""
    program = "\n".join(f"{code}\nimport sys; print('{TOLD}', *sys.modules)" for code in codes)
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    told = [line.removeprefix(TOLD).split() for line in ended.stdout.splitlines() if line.startswith(TOLD)]
    return [{name.partition(".")[0] for name in names} for names in told]


def test_heavy_packages_stay_away():
    for modules in modules_after(
        "import specnet",
        "import specnet.loggers",
        "specnet.parse_spec('specs/moons.toml')",
        "n = specnet.build('specs/moons.toml'); n.predict(n.initial_parameters(), [[1, 2]])",
    ):
        assert not modules & HEAVY


def test_templates_and_contours_are_imported_by_pages_alone(tmp_path):
    pages = {"jinja2", "markupsafe", "contourpy"}
    arguments = ["run", "specs/moons.toml", "--out", str(tmp_path / "run"), "--set", "training.epochs=2", "--quiet"]
    commands = (["run", "--help"], [*arguments, "--no-report"], [*arguments, "--force"])
    *others, with_page = modules_after("import specnet", *map(RUN.format, commands))
    assert len(others) == 3
    assert not any(modules & pages for modules in others)
    assert with_page >= pages


def test_common_runs_need_no_scikit_learn(specnet, tmp_path):
    """The reference spec, and those of `specnet new`: data, split, metrics, baselines and page."""
    few = ["--set", "training.epochs=2", "--quiet"]
    commands = [["run", "specs/moons.toml", "--out", str(tmp_path / "moons"), *few]]
    # Ensembles for classes need it: their bins are those of trees.
    for target, option, others in (("species", "--quick", []), ("body_mass_g", "", ["--set", "training.ensemble=2"])):
        specnet(f"new {target}.toml --data {ROOT}/specs/data/penguins.csv --target {target} {option} -q").went()
        commands.append(["run", str(tmp_path / f"{target}.toml"), "--out", str(tmp_path / target), *others, *few])
    for modules in modules_after(*map(RUN.format, commands)):
        assert not modules & {"sklearn", "scipy", "pandas", "joblib"}
    assert len([*tmp_path.glob("*/report.html")]) == len(commands)


def test_importing_the_package_brings_nothing_of_its_packages():
    code = "import specnet, sys; print(*[name for name in sys.modules if name.startswith('specnet')])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert set(found) == {"specnet", "specnet.display", "specnet.lazy", "specnet.version"}
    assert not modules_after("import specnet")[0] & {"numpy", "pydantic"}


def test_erf_is_imported_by_who_needs_it():
    fields = "'layer_sizes': [1, 2, 1], 'activations': '%s', 'dtype': '%s'"
    network = f"{{'network': {{{fields}}}, 'training': {{'loss': 'mse'}}}}"
    code = f"import specnet; n = specnet.build({network}); n.predict(n.initial_parameters(), [[1.0]])"
    activations = ("silu", "float64"), ("gelu", "float32"), ("gelu", "float64")
    assert ["scipy" in modules for modules in modules_after(*(code % each for each in activations))] == [0, 0, 1]


# ------------------------------------------------------------------------------------------------ what imports what


def module_name(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_name(path): path for path in (ROOT / "specnet").rglob("*.py")}


@cache
def imported(name):
    """The package's modules that a module imports anywhere: within functions and for types too."""
    nodes = [*ast.walk(ast.parse(MODULES[name].read_text("utf-8")))]
    found = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in MODULES else node.module)
    return found & MODULES.keys()


def test_no_two_modules_import_each_other():
    pairs = [(a, b) for a, b in combinations(sorted(MODULES), 2) if a in imported(b) and b in imported(a)]
    assert not pairs


@cache
def chain(room):
    """The longest chain of rooms, each of which imports the next, from this one down."""
    below = {room_of(inner) for name in MODULES if room_of(name) == room for inner in imported(name)} - {room, ""}
    return (room, *max(map(chain, sorted(below)), key=len, default=()))


def room_of(module):
    """The folder or file within the package that a module belongs to; nothing for the package itself."""
    return module.split(".")[1] if "." in module else ""


def test_the_deepest_chain_of_rooms_has_at_most_eleven():
    longest = max((chain(room_of(name)) for name in MODULES if room_of(name)), key=len)
    assert len(longest) <= 11, longest
