"""Formulas that stand in docstrings, such as ``θ ← θ − lr·m̂/(√v̂ + ε)``, as rows of MathML."""

from __future__ import annotations

import re
from collections.abc import Iterator

from specnet.compiler import operations
from specnet.compiler.expressions import CALL, NAME, PRODUCT, Form, Text
from specnet.compiler.value import ADD, DIVIDE, MULTIPLY, NEGATIVE, SUBTRACT
from tests.docs.reference.mathml import FORMS

NUMBER = r"\d+(?:\.\d+)?(?:e-?\d+)?"
WORD = r"[A-Za-zα-ω]+(?:_[A-Za-z0-9]+)*"
INDEX = {
    "₁": "<mn>1</mn>",
    "₂": "<mn>2</mn>",
    "ₖ": "<mi>k</mi>",
    "ₜ": "<mi>t</mi>",
    "₊": "<mo>+</mo>",
    "∞": "<mi>∞</mi>",
}
EXPONENT = {"²": "<mn>2</mn>", "ᵏ": "<mi>k</mi>", "ᵗ": "<mi>t</mi>", "ᶜ": "<mi>c</mi>"}
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
MEAN = "<mi>mean</mi><mo>⁡</mo>({})"
SAID = {
    "Mean (of )?": MEAN,
    "Negative mean of ": f"<mo>−</mo>{MEAN}",
    "Square root of the mean of ": f"<msqrt>{MEAN}</msqrt>",
    "Negative square root of the mean of ": f"<mo>−</mo><msqrt>{MEAN}</msqrt>",
    "Negative median of ": "<mo>−</mo><mi>median</mi><mo>⁡</mo>({})",
    "Negative of the largest ": "<mo>−</mo><mi>max</mi><mo>⁡</mo>({})",
    ".*? variance ": "<mi>Var</mi><mo>⁡</mo>(<mi>w</mi>)<mo>=</mo>{}",
    "Uniform within ±": '<mo stretchy="false">|</mo><mi>w</mi><mo stretchy="false">|</mo><mo>≤</mo>{}',
    "": "{}",
}
"""The words in front of a formula, and what they make of it."""


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
