"""A link that leads nowhere is found, and no other."""

from pathlib import Path

from tests.docs.site.links import broken


def test_links_that_lead_nowhere_are_named(tmp_path: Path) -> None:
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "index.html").write_text('<h1 id="here">x</h1><a href="../index.html#there">x</a>')
    (tmp_path / "index.html").write_text(
        '<a href="part/#here">x</a><a href="part/index.html#gone">x</a><img src="picture%20.png"><img src="lost.png">'
        '<a href="https://example.org/gone">x</a><a href="#">x</a><svg><use href="#dot"/></svg>'
    )
    (tmp_path / "picture .png").touch()
    count, wrong = broken(tmp_path)
    assert count == 7
    assert wrong == [
        "index.html: part/index.html#gone",
        "index.html: lost.png",
        "index.html: #dot",
        "part/index.html: ../index.html#there",
    ]
