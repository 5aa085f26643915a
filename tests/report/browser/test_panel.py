"""The panel that one can ask: it answers as the model does, whatever a control is set to, by keyboard alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from specnet import Model, Observer, load_model, number_texts, run
from specnet.exporting.targets.javascript import inlined, shortened
from specnet.model import contributions
from specnet.number_texts import true_minus
from specnet.report.svg.colours import CLASS_COUNT
from specnet.report.svg.markup import isolated, unbroken
from specnet.running.panel import model_code
from specnet.running.panel.model_code import BITS
from tests.report.browser.tables import CLUMSY, table
from tests.texts.calling import called

pytestmark = pytest.mark.slow  # a browser is a process

NETWORK = {"hidden_layer_sizes": [6], "preprocessing": ["impute", "standardize"]}
KINDS = {"number": "numeric", CLUMSY: "numeric", "since": "datetime", "colour": "category", "open": "boolean"}
UNPACKED = "#ask[aria-busy=false]"
TARGETS = {"price": "values", "kind": "classes", "sold": "binary"}


@pytest.fixture(scope="module", params=[*TARGETS, "ensemble"])
def asked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Model]:
    """The page of a run, and its model."""
    folder = tmp_path_factory.mktemp("asked")
    target = "price" if request.param == "ensemble" else request.param
    others, classes = [name for name in TARGETS if name != target], target != "price"
    table().drop(columns=others).to_csv(folder / "table.csv", index=False)
    losses = {"price": "mean_squared_error", "kind": "categorical_crossentropy", "sold": "binary_crossentropy"}
    folds = request.param == "ensemble"
    kinds = KINDS | {target: "category" if classes else "numeric"}
    split = {"test_size": 0.3} if folds else {"test_size": 0.3, "validation_size": 0.2}
    data = {"type": "csv", "path": str(folder / "table.csv"), "target": target, "columns": kinds, "split": split}
    network = NETWORK if classes else NETWORK | {"target_preprocessing": ["standardize"]}
    training = {"loss": losses[target], "epochs": 3} | ({"ensemble": 3} if folds else {})
    run({"data": data, "network": network, "training": training}, folder / "run", observer=Observer())
    return folder / "run" / "report.html", load_model(folder / "run")


@pytest.fixture(scope="module")
def panel(chromium: Any, asked: tuple[Path, Model]) -> Iterator[tuple[Any, Model]]:
    """The page, opened once for all that is asked there, and the model."""
    tab = chromium.new_page(viewport={"width": 340, "height": 236})
    tab.goto(asked[0].as_uri())
    tab.wait_for_selector(UNPACKED)
    yield tab, asked[1]
    tab.close()


def expected(model: Model, rows: list[list[Any]]) -> np.ndarray:
    """What the model answers for raw cells, with what it has never seen among them."""
    frame = pd.DataFrame(rows, columns=list(model.feature_names or ()))
    frame["since"], frame["open"] = pd.to_datetime(frame["since"], unit="D"), frame["open"].astype(bool)
    if model.labels is not None:
        return model.predict_proba(frame)
    return model.predict(frame).reshape(len(rows), -1)


def shares(probability: float) -> str:
    """A probability as the panel writes it beside its class."""
    return f"{100 * probability:.1f} %"


def told(tab: Any) -> str:
    """What the panel says once it has drawn."""
    tab.wait_for_selector(UNPACKED)
    tab.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return str(tab.locator("#ask .answer").inner_text()).replace("\u00a0", " ")


def test_answers_for_rows_are_those_of_the_model(panel: tuple[Any, Model]) -> None:
    tab, model = panel
    rows = tab.evaluate("[...ask.rows, ...ask.mistakes, ask.typical].map(row => row.cells)")
    assert 50 + 1 < len(rows) <= 50 + 5 + 1
    assert any(None in row for row in rows)
    unseen = [[*rows[0]], [*rows[1]]]
    unseen[0][3], unseen[1][3] = "of another colour", None
    unseen[1][0] = 1e4
    found = tab.evaluate("rows => rows.map(answers)", [*rows, *unseen])
    with pytest.warns(UserWarning, match="colour"):  # it says that it has not seen it
        np.testing.assert_allclose(found, expected(model, [*rows, *unseen]), rtol=1e-5, atol=1e-5)
    if model.labels is None:
        ends = tab.evaluate("rows => rows.map(row => net.interval(row))", rows)
        of_model = model.error_quantiles.ends(expected(model, rows)[:, 0], 0.9)
        np.testing.assert_allclose(ends, of_model, rtol=1e-5, atol=1e-5)


def test_why_is_what_the_model_contributes(panel: tuple[Any, Model]) -> None:
    """The same rows, the same orders: exact for these columns, and once more by random orders.

    Before the end there are those of the first rows, with the standard errors of a sample of all.
    """
    tab, model = panel
    names, why = list(model.feature_names or ()), tab.evaluate("ask.why")
    row = tab.evaluate("ask.rows[0].cells")

    def frame(rows: list[list[Any]]) -> pd.DataFrame:
        made = pd.DataFrame(rows, columns=names)
        made["since"], made["open"] = pd.to_datetime(made["since"], unit="D"), made["open"].astype(bool)
        return made

    compute = """row => {
        const work = contributionsTo(row), parts = [];
        let state = work.next();
        for (; !state.done; state = work.next()) if (state.value) parts.push(state.value);
        return { ...state.value, parts };
    }"""
    of_model = model.contributions(frame([row]), frame(why["rows"]))
    assert why["ranks"] is None
    assert np.allclose(why["weights"], 1 / 20)
    found = tab.evaluate(compute, row)
    np.testing.assert_allclose(found["base"], of_model.base, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found["values"], of_model.values[0], rtol=1e-4, atol=1e-5)
    assert [part["used"] for part in found["parts"]] == [*range(1, 20)]
    of_rows = [model.contributions(frame([row]), frame([other])).values[0] for other in why["rows"][:5]]
    part = found["parts"][4]
    np.testing.assert_allclose(part["values"], np.mean(of_rows, axis=0), rtol=1e-4, atol=1e-5)
    errors = np.std(of_rows, axis=0, ddof=1) * np.sqrt((1 - 5 / 20) / 5)
    np.testing.assert_allclose(part["errors"], errors, rtol=1e-3, atol=1e-5)
    assert (found["parts"][0]["errors"], found["errors"]) == (None, None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(contributions, "EXACT_COLUMNS", 4)
        of_model = model.contributions(frame([row]), frame(why["rows"]))
        ranks = contributions.column_ranks(model.spec.seed, 20, len(row))[:, :, 0].tolist()
    found = tab.evaluate(f"([row, ranks]) => {{ ask.why.ranks = ranks; return ({compute})(row); }}", [row, ranks])
    tab.evaluate("ask.why.ranks = null")
    np.testing.assert_allclose(found["values"], of_model.values[0], rtol=1e-4, atol=1e-5)
    assert of_model.errors is not None
    np.testing.assert_allclose(found["errors"], of_model.errors[0], rtol=1e-3, atol=1e-5)
    tab.evaluate("choose(ask.rows[0])")
    tab.wait_for_selector("#ask .why[aria-busy=false] .bar")
    assert tab.locator("#ask .why .bar").count() == len(names)
    said = tab.locator("#ask .why p").first.inner_text()
    # All of one picture have the decimals of its largest step, and steps of probabilities are percentage points.
    texts = [*re.findall(r"(?:typical|row) (−?[\d.]+\d)", said), *tab.locator("#ask .why b").all_inner_texts()]
    assert len({len(text.partition(".")[2]) for text in texts}) == 1, texts
    assert all(re.fullmatch(r"[+−][\d.]+", text) for text in texts[2:])
    assert ("In percentage points, each column moves it by:" in said) is (model.labels is not None)
    tab.evaluate("choose(ask.typical)")


def test_what_is_drawn_when_the_model_is_unpacked_has_its_height_before(
    chromium: Any, asked: tuple[Path, Model]
) -> None:
    """Before that, a control can be moved. Only sentences with the name of a class may have more lines."""
    tab = chromium.new_page(viewport={"width": 340, "height": 600})
    tab.add_init_script("""
        const { DecompressionStream } = window, waits = new Promise((done) => window.goOn = done);
        window.DecompressionStream = function (format) {
            const wait = new TransformStream({ start: () => waits });
            const own = new DecompressionStream(format);
            return { writable: wait.writable, readable: wait.readable.pipeThrough(own) };
        };
    """)
    tab.goto(asked[0].as_uri())
    tab.locator("#ask-0").press("ArrowRight")
    tab.evaluate("() => new Promise(requestAnimationFrame)")
    boxes = "[...document.querySelectorAll('#ask > :not(.answer, .why), .why .bar')].map(each => each.offsetHeight)"
    cells = tab.evaluate("cells")
    assert not tab.locator("#ask .answer").is_visible()
    before = tab.evaluate(boxes)
    tab.evaluate("goOn()")
    answer = told(tab)
    assert tab.evaluate("cells") == cells
    assert tab.evaluate(boxes) == before
    model = asked[1]
    if model.labels is not None:
        probabilities = expected(model, [cells])[0]
        assert answer.startswith(f"{model.labels[probabilities.argmax()]} {shares(probabilities.max())}")
    tab.close()


def test_each_control_is_moved_by_keyboard(panel: tuple[Any, Model]) -> None:
    tab, model = panel
    controls = tab.locator("#ask [id^=ask-]")
    assert controls.count() == len(KINDS)
    for k in range(len(KINDS)):
        control, before = controls.nth(k), tab.evaluate("[...cells]")
        column = tab.evaluate("k => ask.columns[k]", k)
        control.focus()
        if column["kind"] == "date":
            tab.keyboard.type("06152021")
        elif column["kind"] == "choice":
            last = column["options"][-1]
            tab.keyboard.press("Home" if before[column["index"]] == last else "End")
        else:
            tab.keyboard.press("ArrowRight")
        now = tab.evaluate("[...cells]")
        assert [place for place, cell in enumerate(now) if cell != before[place]] == [column["index"]]
        answer, wanted = told(tab), expected(model, [now])[0]
        if model.labels is None:
            decimals = tab.evaluate("ask.decimals[0]")
            value = f"{float(f'{wanted[0]:.4g}'):g}" if decimals is None else f"{wanted[0]:z.{decimals}f}"
            assert answer.startswith(f"{value} price, 90 %: ".replace("-", "\u2212"))
        else:
            best = int(wanted.argmax())
            assert answer == f"{model.labels[best]} {shares(wanted[best])}"
    tab.locator("#ask .missing input").first.focus()
    tab.keyboard.press("Space")
    assert tab.evaluate("cells")[0] is None
    tab.locator("#ask .rows button", has_text="Largest error 1" if model.labels is None else "Mistake 1").press("Enter")
    assert tab.evaluate("cells") == tab.evaluate("ask.mistakes[0].cells")
    assert tab.locator("#ask .truth").inner_text().startswith("Test row, line ")


def test_pointing_at_the_plane_sets_the_row(tab: Any, report: Any) -> None:
    page = report("moons.toml")
    model = load_model(page.parent)
    tab.goto(page.as_uri())
    surface = tab.locator("#plane .delivered image")
    surface.scroll_into_view_if_needed()
    box = surface.bounding_box()
    tab.mouse.click(box["x"] + 0.25 * box["width"], box["y"] + 0.25 * box["height"])
    answer, cells = told(tab), tab.evaluate("cells")
    (low, high), (bottom, top) = tab.evaluate("ask.plane")
    np.testing.assert_allclose(cells, [low + 0.25 * (high - low), bottom + 0.75 * (top - bottom)], atol=0.01)
    best = model.predict_proba([cells])[0].max()
    assert answer.endswith(f", {shares(best)}")
    assert tab.locator(".pointed").inner_text().replace("\u00a0", " ").endswith(f": {answer}")
    mark = tab.locator(".chosen-point").bounding_box()
    assert mark["x"] + mark["width"] / 2 == pytest.approx(box["x"] + 0.25 * box["width"], abs=2)
    assert mark["y"] + mark["height"] / 2 == pytest.approx(box["y"] + 0.25 * box["height"], abs=2)


def test_the_panel_writes_numbers_as_the_rest_of_its_page_does(panel: tuple[Any, Model]) -> None:
    tab, _ = panel
    numbers = [0.0, 3.0, -0.25, 1234.56, 123_456_789.0, -1.9924e12, -1.99241e12 / 7, 4.321e-5, -2.888e-8, 3e17]
    drawn = np.random.default_rng(0)
    numbers += [k / 8 for k in range(-40, 40)] + [10.125, 1234.5, 0.03125]  # many are ties of two roundings
    numbers += (drawn.normal(size=200) * 10 ** drawn.uniform(-7, 9, 200)).tolist()
    assert tab.evaluate("numbers => numbers.map(v => number(v))", numbers) == [*map(number_texts.cell_text, numbers)]
    decimals = [0, 1, 2, 4]
    written = tab.evaluate("([vs, ds]) => vs.map(v => ds.map(d => [fixed(v, d), percent(v, d)]))", [numbers, decimals])
    for value, texts in zip(numbers, written, strict=True):
        percents = (true_minus(number_texts.percent(value, each)) for each in decimals)
        fixed = (number_texts.fixed(value, each) for each in decimals)
        assert texts == [[*both] for both in zip(fixed, percents, strict=True)]
    sizes = [0.0, 9.96, 99.5, 1e3, 43.8, 0.0996, 0.03, 1e-5, 9e-7, 1e9, *np.abs(numbers).tolist()]
    found = tab.evaluate("sizes => sizes.map(v => [stepDecimals(v, null), stepDecimals(v, 1)])", sizes)
    assert found == [[number_texts.step_decimals(v), number_texts.step_decimals(v, 1)] for v in sizes]
    sentence = "Trial 3: 50.0 % of 3 850, R² 0.853, ± 4.84 in 20 s; class 0, +3.0 points, AUC 0.7, 99.1 % ± 0.8, 9 MB"
    assert tab.evaluate("text => unbroken(text)", sentence) == unbroken(sentence)
    assert tab.evaluate("[number(-0), number(NaN)]") == ["0", "?"]
    name = "שלום עולם"
    assert tab.evaluate(f"isolated('{name}, 60.8 %')") == isolated(f"{name}, 60.8 %") == f"\u2068{name}\u2069, 60.8 %"


def test_classes_have_the_colours_that_they_have_in_charts(panel: tuple[Any, Model]) -> None:
    tab, model = panel
    if model.labels is not None:
        wanted = [f"var(--class-{kind % CLASS_COUNT})" for kind in range(2 * CLASS_COUNT)]
        assert tab.evaluate("count => [...Array(count).keys()].map(colour)", 2 * CLASS_COUNT) == wanted


def test_answers_stand_on_one_line_and_rounding_shows_no_end_but_zero(panel: tuple[Any, Model]) -> None:
    tab, model = panel
    tab.evaluate("() => showAnswer(classes ? ask.names.map((_, k) => +!k) : [1], 0, [])")
    heights = tab.evaluate("[...document.querySelectorAll('.bars .bar b')].map(each => each.offsetHeight)")
    assert len(heights) == (0 if model.labels is None else len(model.labels))
    assert max(heights, default=0) < 30
    if model.labels is None:
        between = """end => {
            const own = net.interval;
            [net.interval, ask.decimals[0]] = [() => [end], null];
            showAnswer([1]);
            net.interval = own;
        }"""
        tab.evaluate(between, [-2.888e-8, 0.6442])
        assert "1 price, 90 %: 0–0.6442" in told(tab)
        tab.evaluate(between, [99.99988, 100.00012])
        assert "1 price, 90 %: 99.99988–100.00012" in told(tab)


def test_a_text_is_typed_and_answered(chromium: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Letter by letter: in other letters and with accents it is the same text, and nothing at all is a missing cell.

    A page with less space answers as the model with rounded weights does, and says how much that differs.
    """
    rng = np.random.default_rng(0)
    liked = rng.random(120) < 0.5
    said = [" ".join(rng.choice(["crisp", "fresh"] if good else ["stale", "soggy"], 3)) + " noodles" for good in liked]
    frame = pd.DataFrame({"said": said, "price": rng.normal(5, 1, 120), "liked": np.where(liked, "yes", "no")})
    frame.to_csv(tmp_path / "table.csv", index=False)
    kinds = {"said": "text", "price": "numeric", "liked": "category"}
    split = {"test_size": 0.3, "validation_size": 0.2}
    data = {"type": "csv", "path": str(tmp_path / "table.csv"), "target": "liked", "columns": kinds, "split": split}
    training = {"loss": "categorical_crossentropy", "epochs": 30}
    run(
        {"data": data, "network": {"hidden_layer_sizes": [6]}, "training": training},
        tmp_path / "run",
        observer=Observer(),
    )
    model, tab = load_model(tmp_path / "run"), chromium.new_page()
    tab.goto((tmp_path / "run" / "report.html").as_uri())
    tab.wait_for_selector(UNPACKED)
    field = tab.get_by_role("textbox", name="said")
    assert field.input_value() in said
    for typed, same in [
        ("STÀLE, soggy! Noodles", "stale soggy noodles"),
        ("crisp <b>fresh</b>", "crisp b fresh b"),
        ("", ""),
    ]:
        field.fill(typed)
        cells = tab.evaluate("[...cells]")
        assert cells[0] == typed
        answer = model.predict_proba(pd.DataFrame([[same, cells[1]]], columns=["said", "price"]))
        np.testing.assert_allclose(tab.evaluate("answers(cells)"), answer[0], rtol=1e-5, atol=1e-5)
        best = int(answer[0].argmax())
        assert told(tab).startswith(f"{model.labels[best]} ")
    rows = [["stale crisp noodles", 5.0], ["soggy", 4.0], ["of other words", 3.25]]
    monkeypatch.setattr(model_code, "MAX_APART", 1)  # few weights differ much
    monkeypatch.setattr(model_code, "MAX_CHANGED", 1)
    for bits, vector_bits in BITS[:6:2]:  # with fewer, vectors of these few texts become very long
        short = shortened(model, bits, vector_bits)
        monkeypatch.setattr(model_code, "BITS", ((bits, vector_bits),))
        monkeypatch.setattr(model_code, "MAX_CODE", len(inlined(short)))
        called("report", tmp_path / "run").ok()
        tab.reload()
        tab.wait_for_selector(UNPACKED)
        found = tab.evaluate("rows => rows.map(answers)", rows)
        wanted = short.predict_proba(pd.DataFrame(rows, columns=["said", "price"]))
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)
        note = f"With weights of about {bits + 2:g} bits, so that the page is small: differs from the model by at most"
        assert note in tab.locator("#ask").inner_text()
    tab.close()


def test_a_picture_is_drawn_by_pointer_and_by_keyboard(tab: Any, report: Any) -> None:
    page = report("digits.toml")
    model = load_model(page.parent)
    tab.goto(page.as_uri())
    tab.get_by_role("button", name="Clear").click()
    assert tab.evaluate("cells") == [0] * 64
    grid = tab.get_by_role("grid", name="Drawing pad of 8 by 8 pixels")
    grid.get_by_role("gridcell").first.focus()
    for key in ("ArrowDown", "ArrowRight", "Space", "ArrowUp", "ArrowUp", "Space", "Space"):
        tab.keyboard.press(key)
    assert tab.evaluate("[cells[9], cells[1]]") == [16, 0]
    assert tab.evaluate("document.activeElement.ariaLabel") == "row 1, column 2: 0 of 16"
    box = grid.bounding_box()
    x, step = box["x"] + 4.5 * box["width"] / 8, box["height"] / 8
    tab.mouse.move(x, box["y"] + step / 2)
    tab.mouse.down()
    tab.mouse.move(x, box["y"] + 7.5 * step, steps=14)
    tab.mouse.up()
    answer, cells = told(tab), tab.evaluate("cells")
    assert [cells[8 * row + 4] for row in range(8)] == [16] * 8
    probabilities = model.predict_proba([cells])[0]
    best = int(probabilities.argmax())
    assert answer == f"{model.labels[best]}, {shares(probabilities[best])}"


def test_dates_are_in_the_notation_of_the_file(panel: tuple[Any, Model]) -> None:
    tab, _ = panel
    formats = ["%d/%m/%Y", "%b %d, %y", "%H:%M", "%I:%M %p", "%A %j", "%Y-%m-%dT%H:%M:%S"]
    moment = pd.Timestamp("2024-02-29T15:04:05")
    days = (moment - pd.Timestamp(0)) / pd.Timedelta(days=1)
    found = tab.evaluate("([days, formats]) => formats.map(each => dateText(days, each))", [days, formats])
    assert found == [moment.strftime(each) for each in formats]
    fields = tab.evaluate(
        "days => ['date', 'datetime-local', 'time'].map(each => fieldValue(fieldText(days, each), each))", days
    )
    np.testing.assert_allclose(fields, [np.floor(days), days, days % 1], atol=1e-8)


def test_the_prediction_stays_in_sight(panel: tuple[Any, Model]) -> None:
    tab, model = panel
    tab.locator("#ask .controls > div").last.scroll_into_view_if_needed()
    assert tab.locator("#ask h2").bounding_box()["y"] < 0
    assert tab.locator("#ask .answer").bounding_box()["y"] == pytest.approx(0, abs=1)
    if model.labels is not None:
        names = tab.evaluate("ask.names")
        answer = tab.evaluate("inClasses(ask.names.map((_, k) => [.3, .7, 0][k]), 1, [1, 0, 1])")
        assert answer == f"{names[1]} 70.0 %, 2 of 3 networks agree"


def test_curves_have_one_scale_also_when_some_are_out_of_sight(panel: tuple[Any, Model]) -> None:
    """A curve that leaves its card would cross the texts around it."""
    tab, _ = panel
    for control in tab.locator("#ask .controls > div").all():
        control.scroll_into_view_if_needed()
        told(tab)
        tab.wait_for_function("!jobs.length")
    heights = tab.evaluate(
        "[...document.querySelectorAll('#ask .curve path:not(.rug)')].flatMap("
        "path => [...path.getAttribute('d').matchAll(/ ([-\\d.]+)/g)].map(found => +found[1]))"
    )
    assert len(heights) > 100
    assert 0 <= min(heights) <= max(heights) <= tab.evaluate("HEIGHT")


def test_trials_of_a_team_have_answers_of_their_own(panel: tuple[Any, Model]) -> None:
    """A team has the networks of its trials one after the other."""
    tab, model = panel
    tab.evaluate("ask.trials = [['trial 3', 2], ['trial 0', 1]]")
    members = {
        "classes": [[0.5, 0.3, 0.2], [0.1, 0.2, 0.7], [0.6, 0.3, 0.1]],
        "binary": [[0.8], [0.4], [0.1]],
        "values": [[1.0], [2.0], [4.0]],
    }[tab.evaluate("ask.kind")]
    found = tab.evaluate("members => inTrials(members)", members)
    tab.evaluate("ask.trials = []")
    if model.labels is None:
        decimals = tab.evaluate("ask.decimals[0]")
        first, second = ("1.5", "4") if decimals is None else (f"{1.5:.{decimals}f}", f"{4:.{decimals}f}")
        assert found == f"Trial 3: {first}; trial 0: {second}."
    else:
        names = tab.evaluate("ask.names")
        first, second = (
            (f"{names[1]} 60.0 %", f"{names[0]} 90.0 %")
            if len(names) == 2
            else (f"{names[2]} 45.0 %", f"{names[0]} 60.0 %")
        )
        assert found == f"Trial 3: {first}, 1 of 2 networks; trial 0: {second}."
