"""The template of a package of parts, built, installed and used; and what packages at fault get."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from specnet import FileError, load_model
from specnet.importing import open_model
from specnet.parts.registry import installed_registry
from tests.cli.conftest import Ended, Specnet, folder, specnet

__all__ = ["folder", "specnet"]

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]  # a package is built; warnings are shown

TEMPLATE = Path(__file__).parents[1] / "plugin"
SPEC = """\
name = "waves"
[data]
type = "make_moons"
n_samples = 80
[network]
layers = [
    {{ type = "dense", units = 6, activation = {{ type = "{activation}" }} }},
    {{ type = "{layer}" }},
    {{ type = "dense", units = 1 }},
]
[training]
loss = "binary_crossentropy"
epochs = 5
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the template, which is built and installed in its folder "installed" without an index."""
    copy = tmp_path_factory.mktemp("work") / "package"
    shutil.copytree(TEMPLATE, copy, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    options = ["--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    python("-m", "pip", "install", *options, "--target", copy / "installed", copy)
    return copy


def python(*arguments: str | Path, **environment: str) -> str:
    """What Python prints with these arguments."""
    command = [sys.executable, *map(str, arguments)]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environment}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, encoding="utf-8", timeout=120)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@contextmanager
def installed(folder: Path) -> Iterator[None]:
    """Let this process find what is installed in a folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        installed_registry.cache_clear()
        yield
    installed_registry.cache_clear()


@pytest.fixture
def waves(package: Path, folder: Path) -> Iterator[None]:
    """The template is installed; the working folder has a spec that names its parts."""
    (folder / "waves.toml").write_text(SPEC.format(activation="snake", layer="shift"), encoding="utf-8")
    with installed(package / "installed"):
        yield


def test_its_own_tests_pass(package: Path):
    beside = f"{package / 'installed'}{os.pathsep}{Path(__file__).parents[2]}"  # where exports run as in other tests
    arguments = ["-q", "-p", "no:cacheprovider", "-p", "tests.exporting.at_home", "--rootdir", package, package]
    printed = python("-m", "pytest", *arguments, PYTHONPATH=beside)
    assert "2 passed" in printed or printed.startswith("..")


@pytest.mark.usefixtures("waves")
def test_the_catalogue_says_where_parts_come_from(specnet: Specnet):
    (entry,) = specnet("parts", "snake", "--format", "json").document["parts"]
    assert (entry["kind"], entry["name"], entry["aliases"]) == ("activation", "snake", ["serpent"])
    assert entry["origin"] == "specnet-waves 0.1.0"
    shown = specnet("parts", "serpent").out
    assert "x + sin²(a·x)/a" in shown
    assert "specnet-waves 0.1.0" in shown
    assert "snake" in specnet("parts", "activation").out


@pytest.mark.usefixtures("waves")
def test_a_spec_can_name_its_parts(specnet: Specnet):
    assert specnet("validate", "waves.toml").out == "1 spec, no mistakes\n"
    schema = specnet("schema").document
    assert schema["definitions"]["activation.snake"]["properties"]["frequency"]["exclusiveMinimum"] == 0
    assert "layer.shift" in schema["definitions"]
    checked = specnet("check", "waves.toml")
    assert checked.status == 0, checked.err
    assert "layers.1.shift" in checked.out


def test_a_network_of_its_parts_trains_and_its_model_answers(specnet: Specnet, package: Path, folder: Path):
    (folder / "waves.toml").write_text(SPEC.format(activation="snake", layer="shift"), encoding="utf-8")
    model, X = folder / "waves" / "model.safetensors", [[0.5, 0.2], [-1.0, 3.0]]
    with installed(package / "installed"):
        ended = specnet("run", "waves.toml", "--out", "waves")
        assert ended.status == 0, ended.err
        ended = specnet("export", model, "--to", "onnx", "-o", "waves.onnx")
        assert ended.status == 0, ended.err
        trained, imported = load_model(model), open_model("waves.onnx")
        assert (trained.predict_proba(X) == imported.predict_proba(X)).all()
        assert imported.spec.network.layers[0].activation.type == "snake"
    with pytest.raises(FileError, match='unknown activation "snake"'):
        load_model(model)


Faulty = Callable[[str, str], None]
PART = '''
from typing import Literal
from specnet.parts import Activation, sum_over

class Wave(Activation):
    """A wave."""

    type: Literal["{name}"] = "{name}"

    def expression(self, x):
        return {value}
'''


def part(name: str = "wave", value: str = "x", more: str = "") -> str:
    return PART.format(name=name, value=value) + more


@pytest.fixture
def faulty(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Faulty]:
    """Return a function that installs a module with the part Wave, under the entry point of a name."""

    def install(name: str, code: str) -> None:
        information = folder / "installed" / "bad_waves-1.2.dist-info"
        information.mkdir(parents=True)
        (information / "METADATA").write_text("Metadata-Version: 2.1\nName: bad-waves\nVersion: 1.2\n")
        (information / "entry_points.txt").write_text(f"[specnet.parts]\n{name} = bad_waves:Wave\n")
        (folder / "installed" / "bad_waves.py").write_text(code, encoding="utf-8")
        monkeypatch.syspath_prepend(folder / "installed")
        installed_registry.cache_clear()

    yield install
    monkeypatch.undo()
    installed_registry.cache_clear()


@pytest.fixture
def command(specnet: Specnet, folder: Path) -> Callable[..., Ended]:
    """Return a function that runs a command about a spec with an activation, as if in a process of its own."""

    def run(activation: str, *arguments: str) -> Ended:
        (folder / "waves.toml").write_text(SPEC.format(activation=activation, layer="dropout"), encoding="utf-8")
        sys.modules.pop("bad_waves", None)
        installed_registry.cache_clear()
        return specnet(*arguments)

    return run


VALIDATE = ("validate", "waves.toml")
UNHARMED = [("schema",), ("parts", "--format", "json"), (*VALIDATE, "--format", "json")]


@pytest.mark.parametrize(
    ("name", "code", "reason"),
    [
        ("wave", "import numba_of_mars", "ModuleNotFoundError: No module named 'numba_of_mars'"),
        ("relu", part("relu"), '"relu"'),
        ("wave", "import sys; sys.exit(0)", "SystemExit: 0"),
        ("wave", "class Odd(BaseException): pass\nraise Odd('odd')", "Odd: odd"),
        ("wave", part(more="    size: float = float('nan')"), "JSON"),
        ("wave", part(more="    size: 'Missing' = 1"), "JSON"),
    ],
    ids=["import", "clash", "exit", "base", "NaN", "type"],
)
def test_a_package_at_fault_is_named_and_hurts_only_who_uses_it(faulty, command, name: str, code: str, reason: str):
    faulty(name, code)
    for arguments in UNHARMED:
        ended = command("tanh", *arguments)
        assert ended.status == 0, ended.err
        assert ended.document is not None
        assert '"wave"' not in ended.out
        assert f'"{name}" (bad_waves:Wave)' in ended.err
        assert "bad-waves 1.2" in ended.err
        assert reason in ended.err
    ended = command(name, *VALIDATE)
    assert ended.status == 1
    assert "error[broken-plugin]" in ended.err
    assert reason in ended.err


def test_what_a_package_prints_at_import_is_no_output_of_a_command(faulty, command):
    loud = "import sys; print('hello'); sys.stdout.buffer.write(b'hello')\n"
    faulty("wave", loud + part().replace('"""A wave."""', ""))
    for arguments in UNHARMED:
        ended = command("wave", *arguments)
        assert ended.status == 0, ended.err
        assert ended.document is not None
        assert "hello" not in ended.out
    assert command("wave", "parts", "wave").status == 0


def test_ctrl_c_while_a_package_loads_ends_the_command(faulty, command):
    faulty("wave", "raise KeyboardInterrupt")
    ended = command("tanh", *VALIDATE)
    assert (ended.status, ended.out) == (130, "")
    assert ended.err.startswith("error[interrupted]: ")


VALIDATOR = """
    size: float = Field(1.0, validate_default=True)

    @field_validator("size")
    def check(cls, value):
        raise SystemExit(0)
"""
SCHEDULE = '''
from typing import Literal
from specnet.parts import Schedule

class Wave(Schedule):
    """A factor that fails in the middle of a run."""

    type: Literal["wave"] = "wave"

    def multiplier(self, position, length):
        return 1 / (5 - position)
'''
RUN = ("run", "waves.toml", "--out", "waves")
FAILING = [
    ("from pydantic import Field, field_validator\n" + part(more=VALIDATOR), "wave", VALIDATE, "SystemExit"),
    (part(value="exit(0)"), "wave", RUN, "SystemExit"),
    (part(value="x * (1 / 0)"), "wave", RUN, "ZeroDivisionError"),
    (part(value="0.5"), "wave", RUN, "AttributeError"),
    (part(value="missing(x)"), "wave", RUN, "NameError"),
    (part(value="x.T"), "wave", RUN, "AttributeError"),
    (part(value="sum_over(x, 'features')"), "wave", ("show", "waves.toml", "--code"), "ShapeError"),
    (SCHEDULE, "tanh", (*RUN, "--set", 'training.optimizer={ type = "sgd", schedule = "wave" }'), "ZeroDivisionError"),
]


@pytest.mark.parametrize(("code", "activation", "arguments", "reason"), FAILING)
def test_a_part_that_fails_is_its_package_s_fault(faulty, command, folder, code, activation, arguments, reason):
    faulty("wave", code)
    ended = command(activation, *arguments)
    assert ended.status == 1
    assert re.search(rf"bad_waves\.Wave.* bad-waves 1\.2.*{reason}", ended.err)
    assert "error[internal]" not in ended.err
    assert not (folder / "waves" / "model.safetensors").exists()
