"""What an import brings, and what it must not bring."""

import ast
import subprocess
import sys
from functools import cache
from itertools import combinations
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # each is a process

HEAVY = {"sklearn", "scipy", "matplotlib", "pandas", "duckdb", "safetensors", "jsonschema", "rich", "tree_sitter"}


ROOT = Path(__file__).parents[2]
RUN = "from specnet.cli import main; import sys; sys.argv[1:] = {}\ntry: main()\nexcept SystemExit: pass"
"""Runs a command of the command line, to the end of the process but for its exit."""


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


def test_templates_and_contours_are_imported_by_pages_alone(tmp_path: Path):
    pages = {"jinja2", "markupsafe", "contourpy"}
    assert not modules_after("import specnet") & pages
    assert not modules_after(RUN.format(["run", "--help"])) & pages
    settings = ["--set", "training.epochs=2", "--quiet"]
    arguments = ["run", "specs/moons.toml", "--out", str(tmp_path / "run"), *settings]
    assert not modules_after(RUN.format([*arguments, "--no-report"])) & pages
    assert modules_after(RUN.format([*arguments, "--force"])) >= pages


@pytest.mark.parametrize(
    ("table", "target"), [(None, ""), ("penguins.csv", "species"), ("penguins.csv", "body_mass_g")], ids=str
)
def test_common_runs_need_no_scikit_learn(tmp_path: Path, table: str | None, target: str):
    """The reference spec, and those of `specnet new`: data, split, metrics, baselines and page."""
    spec, settings = ROOT / "specs" / "moons.toml", ["--set", "training.epochs=2", "--quiet"]
    if table is not None:
        spec, settings = (
            tmp_path / "new.toml",
            ["--set", "training.epochs=2", "--set", "training.ensemble=2", "--quiet"],
        )
        new = ["new", str(spec), "--data", str(ROOT / "specs" / "data" / table), "--target", target]
        subprocess.run([sys.executable, "-c", RUN.format(new)], check=True, capture_output=True)
    arguments = ["run", str(spec), "--out", str(tmp_path / "run"), *settings]
    modules = modules_after(RUN.format(arguments))
    assert (tmp_path / "run" / "report.html").exists()
    assert not modules & {"sklearn", "scipy", "pandas", "joblib"}


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


# ------------------------------------------------------------------------------------------------ what imports what


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_name(path): path for path in (ROOT / "specnet").rglob("*.py")}


@cache
def imported(name: str) -> set[str]:
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
def chain(room: str) -> tuple[str, ...]:
    """The longest chain of rooms, each of which imports the next, from this one down."""
    below = {room_of(inner) for name in MODULES if room_of(name) == room for inner in imported(name)} - {room, ""}
    return (room, *max(map(chain, sorted(below)), key=len, default=()))


def room_of(module: str) -> str:
    """The folder or file within the package that a module belongs to; nothing for the package itself."""
    return module.split(".")[1] if "." in module else ""


def test_the_deepest_chain_of_rooms_has_at_most_ten():
    longest = max((chain(room_of(name)) for name in MODULES if room_of(name)), key=len)
    assert len(longest) <= 10, longest
