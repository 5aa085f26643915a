"""Colours of charts and pages: there are some for every class, and all are told from the paper."""

from __future__ import annotations

import pytest

from specnet.report.svg.style import CHART_STYLE, DARK, LIGHT, PRINT, style_alone, theme


def test_every_class_has_its_colours() -> None:
    assert LIGHT.keys() == DARK.keys() == PRINT.keys()
    used = {name.split(")")[0] for name in CHART_STYLE.split("var(--")[1:]}
    assert used <= LIGHT.keys()
    # The contract of pages names these.
    assert (LIGHT["class-0"], DARK["class-0"]) == ("#bd5f10", "#f0994a")
    assert (LIGHT["class-1"], DARK["class-1"]) == ("#1f6bb8", "#6fb0f2")
    alone = style_alone(CHART_STYLE, "specnet-chart")
    assert "var(" not in alone
    assert alone.count("{") == alone.count("}")
    assert theme(":root").count("--ink:") == 3


def luminance(colour: str) -> float:
    """Return the relative luminance of WCAG 2."""
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("colours", [LIGHT, DARK, PRINT])
def test_colours_are_told_from_the_paper(colours: dict[str, str]) -> None:
    def contrast(one: str, other: str) -> float:
        light, dark = sorted((luminance(colours[one]), luminance(colours[other])), reverse=True)
        return (light + 0.05) / (dark + 0.05)

    for paper in ("paper", "card"):
        assert contrast("class-0", paper) > 3
        for text in ("ink", "muted", "class-0-text", *(f"class-{k}" for k in range(1, 10))):
            assert contrast(text, paper) > 4.5, (text, paper)
    for unit in ("hidden", "inputs", "outputs"):
        assert contrast("on-unit", unit) > 3
