"""The template of a package of parts, built, installed and used; and what packages at fault get."""

import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from specnet import FileError, load_model
from specnet.importing import open_model
from specnet.parts.registry import installed_registry
from tests.cli.conftest import folder, specnet

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
def package(tmp_path_factory):
    """A copy of the template, which is built and installed in its folder "installed" without an index."""
    copy = tmp_path_factory.mktemp("work") / "package"
    shutil.copytree(TEMPLATE, copy, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    options = ["--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    python("-m", "pip", "install", *options, "--target", copy / "installed", copy)
    return copy


def python(*arguments, **environment):
    """What Python prints with these arguments."""
    command = [sys.executable, *map(str, arguments)]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environment}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, encoding="utf-8", timeout=120)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@contextmanager
def installed(folder):
    """Let this process find what is installed in a folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        installed_registry.cache_clear()
        yield
    installed_registry.cache_clear()


def test_its_own_tests_pass(package):
    beside = f"{package / 'installed'}{os.pathsep}{Path(__file__).parents[2]}"  # where exports run as in other tests
    arguments = ["-q", "-p", "no:cacheprovider", "-p", "tests.exporting.at_home", "--rootdir", package, package]
    printed = python("-m", "pytest", *arguments, PYTHONPATH=beside)
    assert "2 passed" in printed or printed.startswith("..")


def test_its_parts_are_listed_and_train_and_their_model_answers(specnet, package, folder):
    (folder / "waves.toml").write_text(SPEC.format(activation="snake", layer="shift"), encoding="utf-8")
    model, X = folder / "waves" / "model.safetensors", [[0.5, 0.2], [-1.0, 3.0]]
    with installed(package / "installed"):
        (entry,) = specnet("parts snake --format json").document["parts"]
        assert (entry["kind"], entry["name"], entry["aliases"]) == ("activation", "snake", ["serpent"])
        assert entry["origin"] == "specnet-waves 0.1.0"
        shown = specnet("parts serpent").out
        assert "x + sin²(a·x)/a" in shown
        assert "specnet-waves 0.1.0" in shown
        assert "snake" in specnet("parts activation").out
        assert specnet("validate waves.toml").out == "1 spec, no mistakes\n"
        definitions = specnet("schema").document["definitions"]
        assert definitions["activation.snake"]["properties"]["frequency"]["exclusiveMinimum"] == 0
        assert "layer.shift" in definitions
        assert "layers.1.shift" in specnet("check waves.toml").ok().out
        specnet("run waves.toml --out waves").ok()
        specnet("export waves --to onnx -o waves.onnx").ok()
        trained, imported = load_model(model), open_model("waves.onnx")
        assert (trained.predict_proba(X) == imported.predict_proba(X)).all()
        assert imported.spec.network.layers[0].activation.type == "snake"
    with pytest.raises(FileError, match='unknown activation "snake"'):
        load_model(model)


PART = '''
from typing import Literal
from specnet.parts import Activation, sum_over

class Wave(Activation):
    """A wave."""

    type: Literal["{name}"] = "{name}"

    def expression(self, x):
        return {value}
'''


def part(name="wave", value="x", more=""):
    return PART.format(name=name, value=value) + more


@pytest.fixture
def command(specnet, folder):
    """Return a function that runs a command about a spec with an activation, as if in a process of its own.

    What is installed is a module with the part Wave, under an entry point.
    """

    def run(code, activation, *arguments, name="wave"):
        information = folder / "installed" / "bad_waves-1.2.dist-info"
        information.mkdir(parents=True, exist_ok=True)
        (information / "METADATA").write_text("Metadata-Version: 2.1\nName: bad-waves\nVersion: 1.2\n")
        (information / "entry_points.txt").write_text(f"[specnet.parts]\n{name} = bad_waves:Wave\n")
        (folder / "installed" / "bad_waves.py").write_text(code, encoding="utf-8")
        (folder / "waves.toml").write_text(SPEC.format(activation=activation, layer="dropout"), encoding="utf-8")
        sys.modules.pop("bad_waves", None)
        with installed(folder / "installed"):
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
def test_a_package_at_fault_is_named_and_hurts_only_who_uses_it(command, name, code, reason):
    for arguments in UNHARMED:
        ended = command(code, "tanh", *arguments, name=name).ok()
        assert ended.document is not None
        assert '"wave"' not in ended.out
        assert f'"{name}" (bad_waves:Wave)' in ended.err
        assert "bad-waves 1.2" in ended.err
        assert reason in ended.err
    ended = command(code, name, *VALIDATE, name=name)
    assert ended.status == 1
    assert "error[broken-plugin]" in ended.err
    assert reason in ended.err


def test_what_a_package_prints_at_import_is_no_output_of_a_command(command):
    code = "import sys; print('hello'); sys.stdout.buffer.write(b'hello')\n" + part().replace('"""A wave."""', "")
    for arguments in UNHARMED:
        ended = command(code, "wave", *arguments).ok()
        assert ended.document is not None
        assert "hello" not in ended.out
    command(code, "wave", "parts", "wave").ok()


def test_ctrl_c_while_a_package_loads_ends_the_command(command):
    command("raise KeyboardInterrupt", "tanh", *VALIDATE).failed(130, "error[interrupted]: ")


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
def test_a_part_that_fails_is_its_package_s_fault(command, folder, code, activation, arguments, reason):
    ended = command(code, activation, *arguments)
    assert ended.status == 1
    assert re.search(rf"bad_waves\.Wave.* bad-waves 1\.2.*{reason}", ended.err)
    assert "error[internal]" not in ended.err
    assert not (folder / "waves" / "model.safetensors").exists()
