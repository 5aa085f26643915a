"""Parts by kind and name: the built-in ones, those of a call, and those of plugins, good and bad."""

import re
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.metadata import EntryPoint
from pkgutil import iter_modules
from types import SimpleNamespace
from typing import Any, ClassVar, Literal

import pytest

from specnet import DataError, SpecError, parse_spec, parts, resolve
from specnet.parts import registry as module
from specnet.parts.part import Part
from specnet.parts.registry import Registry, built_in_registry, installed_registry, origin, parts_of
from tests.registry import find
from tests.texts.mistakes import mistake
from tests.texts.pinned import Pinned, Refused

Relu = find("activation", "relu")


class Cube(parts.Activation):
    """x³."""

    aliases = ("third_power",)
    type: Literal["cube"] = "cube"

    def expression(self, x: parts.Value, *parameters: parts.Value) -> parts.Value:
        return x**3


class FalseRelu(parts.Activation):
    """Has a name that is taken."""

    type: Literal["relu"] = "relu"


class Listed(Cube):
    """Has its aliases in a list."""

    aliases: ClassVar[Any] = ["wavy"]
    type: Literal["wave"] = "wave"


class Numbered(Cube):
    """Has a number among its aliases."""

    aliases: ClassVar[Any] = ("wavy", 3)
    type: Literal["wave"] = "wave"


class Kindless(Part):
    """Is of no kind."""

    type: Literal["wave"] = "wave"


class Undescribed(Cube):
    """Has a default that no JSON can say."""

    type: Literal["wave"] = "wave"
    of: Any = print


SPEC = "[network]\nlayer_sizes = [2, 3, 1]\nactivations = 'ACTIVATION'\n[training]\nloss = 'mse'\n"


def spec(activation: str) -> str:
    return SPEC.replace("ACTIVATION", activation)


def test_every_built_in_part_is_found_by_its_names():
    registry = built_in_registry()
    for part in registry:
        for name in (part.part_name(), *part.aliases):
            assert registry.find(part.kind, name) is part
        assert issubclass(part, Part)
        assert part in registry.of_kind(part.kind)
    assert registry.find("activation", "dense") is None
    assert registry.find("activation", ["relu"]) is None
    assert {part.kind for part in registry} == module.BUILT_IN.keys()


def test_the_other_names_are_these(pinned: Pinned):
    """The names themselves are in the committed schema."""
    others = [part for part in built_in_registry() if part.aliases]
    pinned("\n".join(sorted(f"{part.kind} {part.part_name()}: {', '.join(part.aliases)}" for part in others)))


def test_a_registry_is_a_value(refused: Refused):
    given = built_in_registry()
    with refused(DataError):
        given.with_parts([FalseRelu])
    more = given.with_parts([Cube])
    assert more.find("activation", "third_power") is Cube
    assert given.find("activation", "cube") is None
    assert given is built_in_registry()


def test_parts_that_a_registry_has_already_are_not_added_again():
    registry = Registry([Cube, Relu])
    assert registry.names("activation") == ("cube", "relu", "third_power"), "names come before aliases"
    assert list(registry.with_parts([Cube, Cube, Relu])) == [Cube, Relu]
    assert registry.with_parts(registry) is registry
    installed = installed_registry()
    assert len([*parse_spec(spec("relu"), parts=installed).registry]) == len([*installed])
    again = parse_spec(parse_spec(spec("cube"), parts=[Cube]), parts=[Cube, *installed])
    assert len([*again.registry]) == len([*installed]) + 1


def test_parts_of_a_module_are_those_with_a_name():
    names = [part.part_name() for part in parts_of(import_module("specnet.parts.layers"))]
    assert sorted(names) == sorted(built_in_registry().names("layer"))
    of_metrics = parts_of(import_module("specnet.parts.metrics"))
    assert set(of_metrics) == set(built_in_registry().of_kind("metric"))


@pytest.mark.parametrize("package", sorted({*module.BUILT_IN.values()} - {"averaging", "searches"}))
def test_a_package_lists_every_part_that_its_modules_define(package: str):
    listed = import_module(f"specnet.parts.{package}")
    modules = [import_module(f"{listed.__name__}.{each.name}") for each in iter_modules(listed.__path__)]
    defined = [part for each in modules for part in parts_of(each) if part.__module__ == each.__name__]
    assert sorted(part.__name__ for part in defined) == sorted(part.__name__ for part in parts_of(listed))


def test_a_spec_imports_no_parts_that_it_does_not_name():
    code = (
        "import sys, specnet; specnet.parse_spec({'network': {'layer_sizes': [2, 1]}, 'training': {'loss': 'hinge'}});"
        "print(*sorted(name for name in sys.modules if name.startswith('specnet.parts.')))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "specnet.parts.losses.margin_losses" in found
    unneeded = "losses.value_losses losses.class_losses schedules.factors initializers.matrices layers.embeddings"
    unneeded += " optimizers.scaled_steps data.table_files data.tables.duck"
    assert {f"specnet.parts.{name}" for name in unneeded.split()}.isdisjoint(found)


def test_parts_of_a_call_are_known_to_that_call_alone(refused: Refused):
    assert resolve(parse_spec(spec("third_power"), parts=[Cube])).spec.to_json().count('"cube"') == 1
    with refused(SpecError, code="unknown-part", at="network.activations"):
        parse_spec(spec("cube"))


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Return a function that makes entry points be the installed plugins."""

    def plugins(**points: Any) -> None:
        found = [EntryPoint(name, f"plugin:{name.title()}", module.PLUGINS) for name in points]
        package = SimpleNamespace(name="ripples", version="1.2")
        found = [point._for(package) if point.name == "cube" else point for point in found]
        monkeypatch.setattr("importlib.metadata.entry_points", lambda group: found if group == module.PLUGINS else [])

        def load(point: EntryPoint) -> Any:
            print("loading")
            if isinstance(points[point.name], BaseException):
                raise points[point.name]
            return points[point.name]

        monkeypatch.setattr(EntryPoint, "load", load)
        installed_registry.cache_clear()

    yield plugins
    monkeypatch.undo()
    installed_registry.cache_clear()


def test_an_installed_plugin_is_a_part_like_any_other(install: Callable[..., None], capsys: pytest.CaptureFixture[str]):
    install(cube=Cube)
    assert installed_registry().find("activation", "cube") is Cube
    assert (*capsys.readouterr(),) == ("", "loading\n")
    assert parse_spec(spec("cube")).network.activations == Cube()
    assert [origin(part) for part in (Cube, Relu, Listed)] == ["ripples 1.2", "built-in", __name__]


def test_an_interruption_while_a_plugin_loads_stays_one(install: Callable[..., None]):
    install(cube=KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        installed_registry()


PYDANTICS = re.compile(r"(?<=in JSON: ).*")


@pytest.mark.parametrize(
    ("name", "loaded"),
    [
        ("wave", ImportError("no module named numba")),
        ("wave", SystemExit(3)),
        ("cube", ImportError("no module named numba")),
        ("relu", FalseRelu),
        *(("wave", loaded) for loaded in (Cube, print, int, Listed, Numbered, Kindless, Undescribed)),
    ],
)
def test_a_plugin_at_fault_is_a_warning_and_an_error_only_where_its_name_is_used(
    install: Callable[..., None], name: str, loaded: Any, pinned: Pinned
):
    install(**{name: loaded})
    with pytest.warns(UserWarning, match=f'"{name}"') as warned:
        installed_registry()
    pinned(PYDANTICS.sub("…", str(warned[0].message)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        parse_spec(spec("tanh"))
        table = SPEC.replace("'ACTIVATION'", f"{{ type = '{name}', height = 2 }}")
        within = mistake(SpecError, lambda: parse_spec(table))
        diagnostic = mistake(SpecError, lambda: parse_spec(spec(name)))
    assert (within.message, within.position) == (diagnostic.message, (3, 24, 6))
    assert (diagnostic.code, diagnostic.position, diagnostic.hint) == ("broken-plugin", (3, 15, 6), None)
    pinned(PYDANTICS.sub("…", diagnostic.message))
