"""Write the frozen table of folded code points, from this Python's own Unicode data.

python -m tests.figures.make_folding

Once a release has the table, it must not change: the tokens of all models with texts depend on it.
"""

import unicodedata
from collections.abc import Iterator
from pathlib import Path

import specnet

TABLE = Path(specnet.__file__).parent / "parts" / "preprocessing" / "folding.txt"
VERSION = (15, 1)
"""The version of Unicode that the table has."""


def is_separator(character: str) -> bool:
    """Return whether a character stands between words."""
    category = unicodedata.category(character)
    return category[0] in "PZ" or category in {"Cc", "Cf", "Cs", "Sm", "Sc", "Sk"}


def without_case_and_accents(character: str) -> str:
    """Return what a character is folded to, by Unicode's own algorithms."""
    if is_separator(character):
        return " "
    lower = unicodedata.normalize("NFD", unicodedata.normalize("NFD", character).casefold())
    bare = "".join(each for each in lower if unicodedata.combining(each) < 10)
    if bare == unicodedata.normalize("NFD", character):
        return character
    return "".join(" " if is_separator(each) else each for each in unicodedata.normalize("NFC", bare))


def lines(found: dict[int, str]) -> Iterator[str]:
    """Yield the lines of the table: ranges that are replaced alike are joined."""

    def replaced(point: int) -> str:
        text = found[point]
        if text in (" ", ""):
            return "nothing" if not text else "separator"
        if len(text) == 1:
            return f"{ord(text) - point:+X}"
        return " ".join(f"{ord(each):X}" for each in text)

    left = dict.fromkeys(sorted(found))
    while left:
        first = next(iter(left))
        ranges = []
        for step in (1, 2):
            last = first
            while last + step in left and replaced(last + step) == replaced(first) and len(found[first]) < 2:
                last += step
            ranges.append(range(first, last + 1, step))
        longest = max(ranges, key=len)
        for point in longest:
            del left[point]
        where = f"{first:X}" if len(longest) == 1 else f"{first:X}-{longest[-1]:X}"
        yield where + (f"/{longest.step:X}" if longest.step > 1 else "") + f" {replaced(first)}"


def main() -> None:
    """Write the table."""
    assert unicodedata.unidata_version.startswith(f"{VERSION[0]}.{VERSION[1]}."), unicodedata.unidata_version
    every = {point: without_case_and_accents(chr(point)) for point in range(0x110000)}
    found = {point: text for point, text in every.items() if text != chr(point)}
    head = f"# Folding of code points, from Unicode {unicodedata.unidata_version}; folding.py says what it is.\n"
    TABLE.write_text(head + "".join(f"{line}\n" for line in lines(found)), "ascii")


if __name__ == "__main__":
    main()
