"""A command of a built page that prints something else than is shown is named, and charts of reports are found."""

from pathlib import Path

from tests.docs.documents import ROOT, Document
from tests.docs.site.examples import differences, write_charts

TEXT = """
```sh
echo seen
```

```text
seen
```

```sh
echo other
```

```text
shown
```

<!-- sh: false -->

```python
print(1 + 1)  # 3
```
"""
REPORT = """
<figure class="card" id="chart-loss"><figcaption><a class="anchor" href="#chart-loss"><b>Loss.</b></a> It falls.\
<a class="help" href="#read-loss">?</a></figcaption><svg/></figure>
"""


def test_what_differs_is_named(tmp_path: Path) -> None:
    document = Document(ROOT / "docs" / "index.md")
    document.__dict__["text"] = TEXT
    found = [each.splitlines()[0] for each in differences(document, tmp_path)]
    assert found == [
        "docs/index.md: echo other prints",
        "docs/index.md: false failed:",
        "docs/index.md: print(1 + 1)  # 3 prints",
    ]


def test_a_chart_has_its_caption_without_links(tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text(REPORT, encoding="utf-8")
    write_charts(tmp_path / "report.html", tmp_path / "charts")
    assert (tmp_path / "charts" / "chart-loss.html").read_text("utf-8") == (
        '<div class="pictures"><figure><svg/><figcaption><b>Loss.</b> It falls.</figcaption></figure></div>\n'
    )
