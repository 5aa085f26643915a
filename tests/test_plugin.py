"""The template of a package of parts, built, installed and used; and what packages at fault get."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # a package is built, and each command is a process

TEMPLATE = Path(__file__).parent / "plugin"
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


@dataclass(frozen=True)
class Place:
    """A working folder, and what is installed beside specnet's own environment."""

    folder: Path
    installed: Path

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run Python with these arguments."""
        return subprocess.run(
            [sys.executable, *map(str, arguments)],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(self.installed), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )

    def specnet(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run the command."""
        return self.run("-c", "from specnet.cli import main; main()", *arguments)

    def write(self, activation: str = "snake", layer: str = "shift") -> None:
        """Write the spec waves.toml."""
        (self.folder / "waves.toml").write_text(SPEC.format(activation=activation, layer=layer), encoding="utf-8")


@pytest.fixture(scope="module")
def waves(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The template, built and installed without an index."""
    place = Place(tmp_path_factory.mktemp("work"), tmp_path_factory.mktemp("installed"))
    copy = shutil.copytree(TEMPLATE, place.folder / "package", ignore=shutil.ignore_patterns("__pycache__", ".*"))
    options = ["--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    built = place.run("-m", "pip", "install", *options, "--target", place.installed, copy)
    assert built.returncode == 0, built.stderr
    place.write()
    return place


def test_its_own_tests_pass(waves: Place):
    ended = waves.run("-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", waves.folder / "package", "package")
    assert ended.returncode == 0, ended.stdout
    assert "2 passed" in ended.stdout or ended.stdout.startswith("..")


def test_the_catalogue_says_where_parts_come_from(waves: Place):
    ended = waves.specnet("parts", "snake", "--format", "json")
    (entry,) = json.loads(ended.stdout)["parts"]
    assert (entry["kind"], entry["name"], entry["aliases"]) == ("activation", "snake", ["serpent"])
    assert entry["origin"] == "specnet-waves 0.1.0"
    shown = waves.specnet("parts", "serpent").stdout
    assert "x + sin²(a·x)/a" in shown
    assert "specnet-waves 0.1.0" in shown
    assert "snake" in waves.specnet("parts", "activation").stdout


def test_a_spec_can_name_its_parts(waves: Place):
    assert waves.specnet("validate", "waves.toml").stdout == "1 spec, no mistakes\n"
    schema = json.loads(waves.specnet("schema").stdout)
    assert schema["definitions"]["activation.snake"]["properties"]["frequency"]["exclusiveMinimum"] == 0
    assert "layer.shift" in schema["definitions"]
    checked = waves.specnet("check", "waves.toml")
    assert checked.returncode == 0, checked.stderr
    assert "layers.1.shift" in checked.stdout


def test_a_network_of_its_parts_trains_and_its_model_answers(waves: Place):
    ended = waves.specnet("run", "waves.toml", "--out", "waves")
    assert ended.returncode == 0, ended.stderr
    model = waves.folder / "waves" / "model.safetensors"
    code = "import specnet, sys; print(specnet.load_model(sys.argv[1]).predict([[0.5, 0.2]]).shape)"
    assert waves.run("-c", code, model).stdout == "(1,)\n"
    alone = Place(waves.folder, waves.folder / "nothing").run("-c", code, model)
    assert alone.returncode == 1
    assert "unknown-part" in alone.stderr
    assert '"snake"' in alone.stderr
    exported = waves.specnet("export", model, "--to", "onnx", "-o", "waves.onnx")
    assert exported.returncode == 0, exported.stderr
    compare = (
        "import specnet, sys; from specnet.importing import open_model; X = [[0.5, 0.2], [-1.0, 3.0]];"
        "a, b = specnet.load_model(sys.argv[1]), open_model('waves.onnx');"
        "print((a.predict_proba(X) == b.predict_proba(X)).all(), b.spec.network.layers[0].activation.type)"
    )
    assert waves.run("-c", compare, model).stdout == "True snake\n"


Faulty = Callable[[str, str], Place]
PART = '''
from typing import Literal
from specnet.parts import Activation

class Wave(Activation):
    """A wave."""

    type: Literal["{name}"] = "{name}"

    def expression(self, x):
        return {value}
'''


@pytest.fixture
def faulty(tmp_path: Path) -> Faulty:
    """Return a function that installs a module with the part Wave, under the entry point of a name."""

    def install(name: str, code: str) -> Place:
        place = Place(tmp_path / "work", tmp_path / "installed")
        information = place.installed / "bad_waves-1.2.dist-info"
        information.mkdir(parents=True)
        place.folder.mkdir()
        (information / "METADATA").write_text("Metadata-Version: 2.1\nName: bad-waves\nVersion: 1.2\n")
        (information / "entry_points.txt").write_text(f"[specnet.parts]\n{name} = bad_waves:Wave\n")
        (place.installed / "bad_waves.py").write_text(code, encoding="utf-8")
        return place

    return install


@pytest.mark.parametrize(
    ("name", "code", "reason"),
    [
        ("wave", "import numba_of_mars", "ModuleNotFoundError: No module named 'numba_of_mars'"),
        ("wave", PART.format(name="ripple", value="x"), '"ripple"'),
        ("relu", PART.format(name="relu", value="x"), '"relu"'),
        ("wave", "Wave = 3", "bad_waves:Wave"),
    ],
    ids=["broken import", "wrong name", "name clash", "no part"],
)
def test_a_package_at_fault_is_named_and_hurts_only_who_uses_it(faulty: Faulty, name: str, code: str, reason: str):
    place = faulty(name, code)
    place.write("tanh", "dropout")
    unharmed = place.specnet("validate", "waves.toml")
    assert unharmed.returncode == 0
    assert f'"{name}" (bad_waves:Wave)' in unharmed.stderr
    assert "bad-waves 1.2" in unharmed.stderr
    assert reason in unharmed.stderr
    place.write(name, "dropout")
    ended = place.specnet("validate", "waves.toml")
    assert ended.returncode == 1
    assert "error[broken-plugin]" in ended.stderr
    assert reason in ended.stderr


UNHARMED = [("schema",), ("parts", "--format", "json"), ("validate", "waves.toml", "--format", "json")]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import sys; sys.exit(0)", "SystemExit: 0"),
        ("class Odd(BaseException): pass\nraise Odd('odd')", "Odd: odd"),
        (PART.format(name="wave", value="x") + "    size: float = float('nan')", "JSON"),
        (PART.format(name="wave", value="x") + "    size: float = object()", "JSON"),
        (PART.format(name="wave", value="x") + "    size: object = print", "JSON"),
        (PART.format(name="wave", value="x") + "    size: 'Missing' = 1", "JSON"),
        (PART.format(name="wave", value="x") + "    aliases = 'swell'", "aliases"),
        ("from specnet.parts.part import Part\nclass Wave(Part):\n    kind = 'wave'\n    type: str = 'wave'", "kind"),
    ],
    ids=["exit", "base exception", "NaN", "object", "function", "unknown type", "aliases", "kind"],
)
def test_a_package_that_cannot_be_loaded_disables_no_command(faulty: Faulty, code: str, reason: str):
    place = faulty("wave", code)
    place.write("tanh", "dropout")
    for arguments in UNHARMED:
        ended = place.specnet(*arguments)
        assert ended.returncode == 0, ended.stderr
        json.loads(ended.stdout)
        assert '"wave"' not in ended.stdout
        assert '"wave" (bad_waves:Wave)' in ended.stderr
        assert "bad-waves 1.2" in ended.stderr
        assert reason in ended.stderr
    place.write("wave", "dropout")
    ended = place.specnet("validate", "waves.toml")
    assert ended.returncode == 1
    assert "error[broken-plugin]" in ended.stderr


def test_what_a_package_prints_at_import_is_no_output_of_a_command(faulty: Faulty):
    loud = "import sys; print('hello'); sys.stdout.buffer.write(b'hello')\n"
    place = faulty("wave", loud + PART.format(name="wave", value="x").replace('"""A wave."""', ""))
    place.write("wave", "dropout")
    for arguments in UNHARMED:
        ended = place.specnet(*arguments)
        assert ended.returncode == 0, ended.stderr
        json.loads(ended.stdout)
        assert "hello" not in ended.stdout
    assert place.specnet("parts", "wave").returncode == 0


def test_ctrl_c_while_a_package_loads_ends_the_command(faulty: Faulty):
    place = faulty("wave", "raise KeyboardInterrupt")
    place.write("tanh", "dropout")
    ended = place.specnet("validate", "waves.toml")
    assert (ended.returncode, ended.stdout) == (130, "")
    assert ended.stderr.startswith("error[interrupted]: ")


VALIDATOR = """
    size: float = 1.0

    @field_validator("size")
    def check(cls, value):
        raise SystemExit(0)
"""


def test_a_part_that_ends_the_process_while_it_is_read_is_named(faulty: Faulty):
    code = "from pydantic import field_validator\n" + PART.format(name="wave", value="x") + VALIDATOR
    place = faulty("wave", code)
    place.write("wave", "dropout")
    spec = place.folder / "waves.toml"
    spec.write_text(spec.read_text().replace('"wave"', '"wave", size = 2.0'))
    ended = place.specnet("validate", "waves.toml")
    assert ended.returncode == 1
    assert re.search(r"bad_waves\.Wave.* bad-waves 1\.2.*SystemExit", ended.stderr)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("exit(0)", "SystemExit"),
        ("x * (1 / 0)", "ZeroDivisionError"),
        ("0.5", "AttributeError"),
        ("missing(x)", "NameError"),
        ("x.T", "AttributeError"),
    ],
)
def test_an_expression_that_fails_is_its_package_s_fault(faulty: Faulty, value: str, reason: str):
    place = faulty("wave", PART.format(name="wave", value=value))
    place.write("wave", "dropout")
    ended = place.specnet("run", "waves.toml", "--out", "waves")
    assert ended.returncode == 1
    assert re.search(r"error\[broken-part\]: .*bad_waves\.Wave.* bad-waves 1\.2", ended.stderr)
    assert reason in ended.stderr
    assert "error[internal]" not in ended.stderr
    assert not (place.folder / "waves" / "model.safetensors").exists()


SCHEDULE = '''
from typing import Literal
from specnet.parts import Schedule

class Wave(Schedule):
    """A factor that fails in the middle of a run."""

    type: Literal["wave"] = "wave"

    def multiplier(self, position, length):
        return 1 / (5 - position)
'''


def test_a_part_that_fails_while_a_network_trains_is_its_package_s_fault(faulty: Faulty):
    place = faulty("wave", SCHEDULE)
    place.write("tanh", "dropout")
    schedule = 'training.optimizer={ type = "sgd", schedule = "wave" }'
    ended = place.specnet("run", "waves.toml", "--out", "waves", "--set", schedule)
    assert ended.returncode == 1
    assert re.search(r"bad_waves\.Wave.* bad-waves 1\.2.*ZeroDivisionError", ended.stderr)


def test_a_value_of_another_shape_is_its_package_s_fault(faulty: Faulty):
    code = PART.format(name="wave", value="sum_over(x, 'features')").replace(
        "import Activation", "import Activation, sum_over"
    )
    place = faulty("wave", code)
    place.write("wave", "dropout")
    ended = place.specnet("show", "waves.toml", "--code")
    assert ended.returncode == 1
    assert re.search(r"bad_waves\.Wave.* bad-waves 1\.2.*ShapeError", ended.stderr)
