"""Formulas as MathML, which browsers show by themselves: of symbolic values and of texts in docstrings."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from markupsafe import escape

from specnet.compiler import Shape, Value, expressions, operations
from specnet.compiler import value as values
from specnet.compiler.expressions import CALL, COMPARISON, NAME, PRODUCT, UNARY, Form, Forms, Text
from specnet.compiler.reverse import postorder
from specnet.compiler.value import ADD, CONSTANT, DIVIDE, INPUT, MULTIPLY, NEGATIVE, STATE, SUBTRACT, number_of

MANY = 1009
"""Size of an axis that is written K: a number that no part has for anything else."""
LONG = 6
"""Signs of a part that gets a name where it is used more than once."""
TALL = re.compile("<mfrac|<munder|<mtable")
"""What stretches the parentheses around it."""
DIGITS = "₀₁₂₃"
INDICES = "ijkl"
"""Names of indices along the features, the first of them outside of sums."""
_WRITTEN = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))


def _form(template: str, level: str, *needs: str) -> Form:
    return Form(template, getattr(expressions, level), tuple(getattr(expressions, need) for need in needs))


FORMS: Forms = {
    getattr(values, name, None) or getattr(operations, name): _form(*row) for name, row in _WRITTEN["forms"].items()
}
"""How operations are written."""


class NoMathError(NotImplementedError):
    """An operation that has no sign in mathematics."""


def math(value: Value, result: str = "") -> str:
    """Return a value as an element of MathML that stands on a line of its own.

    Parameters
    ----------
    value : Value
    result : str
        The row in front of the equals sign; none without it. Long parts that are used twice stand below, by names.
    """
    names = _shared(value)
    lines = [f"{result}<mo>=</mo>{row(value, names)}" if result else row(value, names)]
    for each in sorted(names, key=lambda each: names[each]):
        rest = {other: name for other, name in names.items() if other is not each}
        lines.append(f"{_leaf(names[each], each.shape, 0)}<mo>=</mo>{row(each, rest)}")
    return display(lines)


def display(lines: Sequence[str]) -> str:
    """Return rows as an element that stands on a line of its own, one row below the other."""
    (first, *others) = lines
    rows = "".join(f"<mtr><mtd>{line}</mtd></mtr>" for line in lines)
    table = f'<mtable class="lines" displaystyle="true">{rows}</mtable>'
    content = _with_parentheses(table if others else f"<mrow>{first}</mrow>")
    return f'<div class="formula" tabindex="0"><math display="block">{content}</math></div>'


def _with_parentheses(content: str) -> str:
    """Return a text whose parentheses are elements, as high as what stands between them."""
    inner = re.compile(r"\(([^()]*)\)")
    while found := inner.search(content):
        flat = "" if TALL.search(found[1]) else ' stretchy="false"'
        opened, closed = (f"<mo{flat}>{sign}</mo>" for sign in ("&#40;", "&#41;"))
        content = f"{content[: found.start()]}<mrow>{opened}{found[1]}{closed}</mrow>{content[found.end() :]}"
    return content


def row(value: Value, names: Mapping[Value, str]) -> str:
    """Return what stands in a row; values that have names stand there by these."""
    return _text(value, names).code


def _shared(value: Value) -> dict[Value, str]:
    """Return the long parts of a value that are used more than once, and their names."""
    uses: Counter[Value] = Counter()
    for each in postorder([value], lambda value: value.arguments):
        base, power = _power(each)
        used = (base,) if power > 1 else each.arguments[:1] if each.operation.role == "name" else each.arguments
        uses.update(set(used))
    found = [x for x, count in uses.items() if count > 1 and x.arguments and len(_plain(x)) >= LONG]
    signs = "₁₂₃" if len(found) > 1 else [""]
    return {each: f"u{sign}" for each, sign in zip(found, signs, strict=False)}


def _plain(value: Value) -> str:
    """Return what a reader sees of a value in a row."""
    return re.sub(r"<[^>]*>", "", row(value, {}))


def identifier(name: str) -> str:
    """Return a name in the row: ``mean_square`` in one piece, and a digit at its end as an index."""
    base, digit = (name[:-1], name[-1]) if len(name) > 1 and name[-1] in DIGITS else (name, "")
    shown = f"<mi>{escape(base)}</mi>"
    return f"<msub>{shown}<mn>{DIGITS.index(digit)}</mn></msub>" if digit else shown


def _text(value: Value, names: Mapping[Value, str], depth: int = 0) -> Text:
    """Return a value within so many sums over features; values that have names stand there by these."""
    if value in names:
        return Text(_leaf(names[value], value.shape, depth))
    operation = value.operation
    if operation is CONSTANT:
        return _number(value.attributes)
    if operation in (INPUT, STATE):
        return Text(_leaf(_own_name(value), value.shape, depth))
    if operation.role == "name":
        return _text(value.arguments[0], names, depth)
    if operation is operations.ROWS:
        (whole,), (low, high) = value.arguments, value.attributes
        if high - low != 1:
            raise NoMathError("rows")
        return Text(f"<msub>{identifier(_own_name(whole))}<mn>{low + 1}</mn></msub>")
    if operation is operations.ONE_HOT:
        index = _text(value.arguments[0], names, depth)
        return Text(f"<mi>{INDICES[depth]}</mi><mo>=</mo>{index.code}", COMPARISON)
    if operation in (values.SUM, operations.MAX):
        sign = "<mo>∑</mo>" if operation is values.SUM else "<mi>max</mi>"
        inner = _text(value.arguments[0], names, depth + 1)
        under = f'<munder>{sign}<mi>{INDICES[depth + 1]}</mi></munder><mspace width=".17em"/>'
        return Text(f"{under}{inner.within(PRODUCT)}", PRODUCT)
    arguments = value.arguments
    if operation is MULTIPLY:
        first, second = arguments
        base, power = _power(value)
        if power > 1:
            shown = _text(base, names, depth).within(NAME)
            return Text(f"<msup><mrow>{shown}</mrow><mn>{power}</mn></msup>", CALL)
        if second.operation is DIVIDE and number_of(second.arguments[0]) == 1:
            operation, arguments = DIVIDE, (first, second.arguments[1])
        elif _is_given(second) and not _is_given(first):
            arguments = second, first
    if operation not in FORMS:
        raise NoMathError(operation.name)
    return FORMS[operation].write([_text(argument, names, depth) for argument in arguments])


def _power(value: Value) -> tuple[Value, int]:
    """Return the base and the exponent of a product of equal factors."""
    if value.operation is not MULTIPLY:
        return value, 1
    (base, power), (other, more) = map(_power, value.arguments)
    return (base, power + more) if base is other else (value, 1)


def _leaf(name: str, shape: Shape, depth: int) -> str:
    """Return a name, with the place along the features where there are many."""
    return f"<msub>{identifier(name)}<mi>{INDICES[depth]}</mi></msub>" if MANY in shape[:1] else identifier(name)


def _own_name(value: Value) -> str:
    return str(value.attributes).rpartition(".")[2].removeprefix("running_")


def _is_given(value: Value) -> bool:
    """Return whether a value begins with a number, or a field's, which stands in front of others."""
    first = value.arguments[0] if value.operation is MULTIPLY else value
    return first.operation in (CONSTANT, STATE) and first.shape == ()


def _number(number: float) -> Text:
    if number == MANY:
        return Text("<mi>K</mi>")
    digits, _, exponent = f"{abs(number):.6g}".partition("e")
    shown = f"<mn>{digits}</mn>"
    if exponent:
        power = f"<msup><mn>10</mn><mn>{int(exponent)}</mn></msup>".replace("-", "−")
        shown = power if digits == "1" else f"{shown}<mo>·</mo>{power}"
    return Text(f"<mo>−</mo>{shown}", UNARY) if number < 0 else Text(shown)


# ----------------------------------------------------------------------------------------- formulas in docstrings

NUMBER = r"\d+(?:\.\d+)?(?:e-?\d+)?"
WORD = r"[A-Za-zα-ω]+(?:_[A-Za-z0-9]+)*"
INDEX, EXPONENT, SAID = (_WRITTEN[name] for name in ("index", "exponent", "words"))
BRACKETS = {"(": (")", None), "⌊": ("⌋", operations.FLOOR), "|": ("|", operations.ABSOLUTE)}
"""What opens: what closes, and what is made of that between them."""
FUNCTIONS = ("cos", "log", "max", "min", "sign")
SIDE_BY_SIDE = Form("{}{}", PRODUCT, (PRODUCT, CALL))
FLAT_FRACTION = Form("{}<mo>/</mo>{}", PRODUCT, (PRODUCT, CALL))
"""As it stands in an exponent, where one above the other would be too small to read."""
IS_FORMULA = re.compile("<mo>|<mn>|<mfrac|<msub|<msup")
"""What a word has not."""
JOINS = re.compile("<mo>|<mfrac")
"""What a word, a number and a power have not."""


class NoFormulaError(ValueError):
    """What stands here is no formula."""


def assignments(text: str) -> Iterator[str]:
    """Yield the rows of what a text assigns or defines; a number alone is a default, and no formula."""
    for found in re.finditer(r"\S+(?= [←=] )", text):
        reader = _Reader(text, found.start())
        try:
            target, sign, value = reader.power(), reader.taken("[←=]"), reader.sum()
        except NoFormulaError:
            continue
        if not re.fullmatch("<mn>[^<]*</mn>", value.code):
            yield f"{target.code}<mo>{sign}</mo>{value.code}"


def expression(text: str) -> str:
    """Return the row of the first formula in a text, nothing if there is none."""
    for found in re.finditer(r"(?<!\S)\S", text):
        try:
            code = _Reader(text, found.start()).sum().code
        except NoFormulaError:
            continue
        if IS_FORMULA.search(code):
            return code
    return ""


def said(text: str) -> str:
    """Return the row of what a text begins to say in words and a formula, nothing if that is not one of `SAID`."""
    text = " ".join(text.split())
    for words, made in SAID.items():
        if found := re.match(words, text):
            try:
                code = _Reader(text, found.end()).sum().code
            except NoFormulaError:
                continue
            if JOINS.search(code):
                return made.format(code)
    return ""


class _Reader:
    """Reads a text from a place on, as far as it is a formula.

    Parameters
    ----------
    text : str
    place : int
    """

    def __init__(self, text: str, place: int) -> None:
        self._text, self._place, self._fraction = text, place, FORMS[DIVIDE]

    def taken(self, pattern: str, *, spaces: bool = True) -> str:
        """Take what is here if it has a pattern, and return it without the spaces around it."""
        found = re.compile(rf"\s*({pattern})\s*" if spaces else f"({pattern})").match(self._text, self._place)
        if found is None:
            return ""
        self._place = found.end()
        return found[1]

    def sum(self) -> Text:
        found = self._product()
        while (right := self._right("[+−]")) is not None:
            sign, value = right
            found = FORMS[ADD if sign == "+" else SUBTRACT].write([found, value])
        return found

    def _right(self, signs: str) -> tuple[str, Text] | None:
        """Take a sign with what it joins, or nothing."""
        before = self._place
        if sign := self.taken(signs):
            try:
                return sign, self._product() if sign in "+−" else self._signed()
            except NoFormulaError:
                self._place = before
        return None

    def _product(self) -> Text:
        found = self._signed()
        while True:
            if (right := self._right("[·/]")) is not None:
                sign, value = right
                found = (FORMS[MULTIPLY] if sign == "·" else self._fraction).write([found, value])
            elif re.match(rf"[(√]|{WORD}", self._text[self._place :]) and not self._text[self._place - 1].isspace():
                found = SIDE_BY_SIDE.write([found, self.power()])
            else:
                return found

    def _signed(self) -> Text:
        return FORMS[NEGATIVE].write([self.power()]) if self.taken("−", spaces=False) else self.power()

    def power(self) -> Text:
        base = self._operand()
        if self.taken(r"\^", spaces=False):
            around, self._fraction = self._fraction, FLAT_FRACTION
            exponent = self._signed().code
            self._fraction = around
        else:
            exponent = "".join(EXPONENT[sign] for sign in self.taken(f"[{''.join(EXPONENT)}]*", spaces=False))
        if not exponent:
            return base
        if indexed := re.fullmatch("<msub>(.*)</msub>", base.code):
            return Text(f"<msubsup>{indexed[1]}<mrow>{exponent}</mrow></msubsup>", CALL)
        return Text(f"<msup><mrow>{base.within(NAME)}</mrow><mrow>{exponent}</mrow></msup>", CALL)

    def _operand(self) -> Text:
        if opened := self.taken(r"[(⌊|]", spaces=False):
            closing, operation = BRACKETS[opened]
            (inner,) = self._until(closing)
            return inner if operation is None else FORMS[operation].write([inner])
        if self.taken("√", spaces=False):
            return FORMS[operations.SQRT].write([self._operand()])
        if self.taken("abs ", spaces=False):
            return FORMS[operations.ABSOLUTE].write([self._operand()])
        if self.taken("½", spaces=False):
            return Text("<mfrac><mn>1</mn><mn>2</mn></mfrac>")
        if self.taken("…", spaces=False):
            return Text("<mo>…</mo>")
        if number := self.taken(NUMBER, spaces=False):
            return Text(f"<mn>{number}</mn>")
        return self._name()

    def _name(self) -> Text:
        word = self.taken(WORD, spaces=False)
        if not word:
            raise NoFormulaError(self._text[self._place :])
        code = f"<mi>{word}</mi>"
        if self.taken("\u0302", spaces=False):
            code = f'<mover accent="true">{code}<mo>^</mo></mover>'
        if index := self.taken(f"[{''.join(INDEX)}]+", spaces=False):
            code = f"<msub>{code}<mrow>{''.join(INDEX[sign] for sign in index)}</mrow></msub>"
        if word in FUNCTIONS and self.taken(r"\(", spaces=False):
            return Text(f"{code}<mo>⁡</mo>({'<mo>,</mo>'.join(each.code for each in self._until(')'))})", CALL)
        return Text(code)

    def _until(self, closing: str) -> list[Text]:
        """Take what stands between brackets, parted by commas."""
        found = [self.sum()]
        while self.taken(","):
            found.append(self.sum())
        if not self.taken(re.escape(closing), spaces=False):
            raise NoFormulaError(self._text[self._place :])
        return found
