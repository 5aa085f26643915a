"""The derivatives of a program as loops over the features of a single row, for C and JavaScript."""

from __future__ import annotations

from specnet.compiler.expressions import Text
from specnet.exporting.export_plan import NetworkPlan
from specnet.exporting.loops.language import Language, Variable
from specnet.exporting.loops.row_loops import Loops, Routine, StageLoops
from specnet.parts.arrays import FLOAT64


class GradientRoutine(Routine):
    """The function from raw columns `x` to derivatives `gradient`, in float64: for each output those by all features.

    Parameters
    ----------
    loops : Loops
    language : Language
        The language of computations in float64.

    Attributes
    ----------
    columns : str
        The name of the array of columns in float64, ``x`` itself if it has this precision.
    """

    def __init__(self, loops: Loops, language: Language) -> None:
        super().__init__(loops)
        program = loops.program
        self._language, self._features = language, program.starts[-1]
        self._several = program.is_team or any(each.is_averaged for each in program.networks)
        x = Variable("x", self._features, is_wide=True)
        if language.widening and program.column_dtype != FLOAT64:
            x = self._new("columns", self._features)
            self.lines += language.fill(x, Text(language.widening.format(f"x{_index(self._features)}")))
        self.columns, self._sources = x.name, [x]
        if program.outputs > 1:
            self._sources.append(self._new("weights", program.outputs))
        self._shared = {each.name for each in self._sources}
        size = program.outputs * self._features
        element = f"gradient{_index(size)}"
        if self._several:
            self.lines += language.loop(size, [f"{element} = {language.number(0.0).code};"])
        elif program.outputs == 1:
            assert program.networks[0].gradient is not None, "the program has derivatives"
            self.answer = Variable("gradient", self._features)
            self._last = frozenset([program.networks[0].gradient.output])
        for network in program.networks:
            body = language.loop(program.outputs, self._one_output(network), "k")
            self.lines += language.loop(len(network.members), body, loops.member) if network.is_averaged else body
        self.wide |= set(self.sizes)

    def _new(self, wish: str, size: int) -> Variable:
        name = self.loops.names.new(wish)
        self.sizes[name] = size
        self.wide |= {name}
        return Variable(name, size, is_wide=True)

    def _one_output(self, network: NetworkPlan) -> list[str]:
        """Return the statements that add the derivatives of one output, `k`."""
        program, language, features = self.loops.program, self._language, self._features
        assert network.gradient is not None, "the program has derivatives"
        lines: list[str] = []
        if len(self._sources) > 1:
            one, zero = language.number(1.0).code, language.number(0.0).code
            lines += language.fill(self._sources[1], Text(f"i == k ? {one} : {zero}"))
        written = StageLoops(network.gradient, self._sources, language, self)
        if written.result == self.answer:
            return written.lines
        found = written.result.at(features)
        element = f"gradient{_index(features)}" if program.outputs == 1 else f"gradient[k * {features} + i]"
        if program.outputs > 1 and features == 1:
            element = "gradient[k]"
        added = f"{element} = {found.code};"
        if self._several:
            factor = language.number(network.share / program.shares / len(network.members)).code
            added = f"{element} += {factor} * {found.code};"
        return [*lines, *written.lines, *language.loop(features, [added])]


def _index(size: int) -> str:
    return "[0]" if size == 1 else "[i]"
