"""Symbolic values as mathematics that browsers show by themselves: MathML."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from markupsafe import escape

from specnet.compiler import Shape, Value, operations
from specnet.compiler import value as values
from specnet.compiler.expressions import CALL, CHOICE, COMPARISON, NAME, PRODUCT, SIGN, SUM, Form, Forms, Text
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
"""Names of places along the features, the first of them outside of sums."""


def _called(name: str) -> Form:
    return Form(f"<mi>{name}</mi><mo>⁡</mo>({{}})")


FORMS: Forms = {
    ADD: Form("{}<mo>+</mo>{}", SUM, (SUM, SUM)),
    SUBTRACT: Form("{}<mo>−</mo>{}", SUM, (SUM, PRODUCT)),
    MULTIPLY: Form("{}<mo>·</mo>{}", PRODUCT, (PRODUCT, PRODUCT)),
    DIVIDE: Form("<mfrac><mrow>{}</mrow><mrow>{}</mrow></mfrac>", CALL),
    NEGATIVE: Form("<mo>−</mo>{}", SIGN, (PRODUCT,)),
    operations.EXP: Form("<msup><mi>e</mi><mrow>{}</mrow></msup>", CALL),
    operations.EXPM1: Form("<msup><mi>e</mi><mrow>{}</mrow></msup><mo>−</mo><mn>1</mn>", SUM),
    operations.LOG: _called("ln"),
    operations.LOG1P: Form("<mi>ln</mi><mo>⁡</mo>(<mn>1</mn><mo>+</mo>{})", CALL, (SUM,)),
    operations.SQRT: Form("<msqrt><mrow>{}</mrow></msqrt>", NAME),
    operations.ABSOLUTE: Form('<mo stretchy="false">|</mo>{}<mo stretchy="false">|</mo>', NAME),
    operations.FLOOR: Form('<mo stretchy="false">⌊</mo>{}<mo stretchy="false">⌋</mo>', NAME),
    **{each: _called(each.name) for each in (operations.SIN, operations.COS, operations.TANH, operations.ERF)},
    operations.SIGN: _called("sign"),
    operations.SIGMOID: Form(
        "<mfrac><mn>1</mn><mrow><mn>1</mn><mo>+</mo><msup><mi>e</mi><mrow><mo>−</mo>{}</mrow></msup></mrow></mfrac>",
        CALL,
        (PRODUCT,),
    ),
    operations.SOFTPLUS: Form("<mi>ln</mi><mo>⁡</mo>(<mn>1</mn><mo>+</mo><msup><mi>e</mi><mrow>{}</mrow></msup>)", CALL),
    operations.MAXIMUM: Form("<mi>max</mi><mo>⁡</mo>({}<mo>,</mo>{})"),
    operations.MINIMUM: Form("<mi>min</mi><mo>⁡</mo>({}<mo>,</mo>{})"),
    operations.GREATER: Form("{}<mo>&gt;</mo>{}", COMPARISON, (SUM, SUM)),
    operations.EQUAL: Form("{}<mo>=</mo>{}", COMPARISON, (SUM, SUM)),
    operations.WHERE: Form(
        "<mo>{{</mo><mtable><mtr><mtd>{1}</mtd><mtd><mtext>if </mtext>{0}</mtd></mtr>"
        "<mtr><mtd>{2}</mtd><mtd><mtext>otherwise</mtext></mtd></mtr></mtable>",
        CHOICE,
    ),
    values.CAST: Form('<mo stretchy="false">[</mo>{}<mo stretchy="false">]</mo>', NAME),
    values.EXPAND: Form("{}", NAME, (NAME,)),
    operations.AFFINE: Form("<mi>W</mi><mo>·</mo>{1}<mo>+</mo><mi>b</mi>", SUM, (CHOICE, CALL)),
    operations.MATMUL: Form("<mi>W</mi><mo>·</mo>{1}", PRODUCT, (CHOICE, CALL)),
}
"""Parentheses become operators of MathML at the end, so that forms need no others than those of texts."""


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
    return f'<div class="formula"><math display="block">{content}</math></div>'


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
    return Text(f"<mo>−</mo>{shown}", SIGN) if number < 0 else Text(shown)
