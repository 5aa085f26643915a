"""`specnet predict` and `specnet evaluate`: answers and figures are the model's, with intervals and sets too."""

import json

import numpy as np
import pytest

from specnet import Network, fit
from tests.cli.conftest import arrays_in, csv_rows, spec_of_rows, write_rows

X = np.random.default_rng(0).normal(size=(60, 2))
WORDS = np.array(["=a", "b c", "d"])[np.digitize(X[:, 0], [-0.4, 0.4])]


def test_two_classes_give_the_label_and_both_probabilities(specnet, moons, folder, monkeypatch):
    """And each row goes through the network once."""
    X, outputs, seen = arrays_in(folder / "rows.npz")["X"], Network.predict_checked, []
    labels, expected = moons.predict(X), moons.predict_proba(X)

    def counted(self, theta, X, *others, **options):
        seen.append(len(X))
        return outputs(self, theta, X, *others, **options)

    monkeypatch.setattr(Network, "predict_checked", counted)
    header, rows = csv_rows(specnet("predict moons/model.safetensors rows.npz").went())
    assert sum(seen) == len(X)
    assert header == ["prediction", "probability_0", "probability_1"]
    assert [int(row[0]) for row in rows] == labels.tolist()
    np.testing.assert_array_equal(np.array([row[1:] for row in rows], moons.theta.dtype), expected)


def test_labels_of_a_csv_and_columns_by_name(specnet, kinds, folder):
    (folder / "new.csv").write_text("third,other,second,first\n1,x,0,2\n4,y,3.5,-1\n")
    header, rows = csv_rows(specnet("predict kinds/model.safetensors new.csv").went())
    assert header == ["prediction", "probability_kind a", "probability_kind b", "probability_kind c"]
    X = np.array([[2, 0, 1], [-1, 3.5, 4]])
    assert [row[0] for row in rows] == kinds.predict(X).tolist()
    np.testing.assert_array_equal(np.array([row[1:] for row in rows], np.float32), kinds.predict_proba(X))


def test_predictions_go_to_a_file(specnet, moons, folder):
    command = "predict moons rows.npz"
    printed = specnet(command).out
    ended = specnet(f"{command} -o answers.csv").ok()
    assert (ended.out, ended.err) == ("", "answers.csv   7 rows\n")
    assert (folder / "answers.csv").read_text() == printed
    assert specnet(f"{command} -q --force --out answers.csv").went() == ""
    document = specnet(f"{command} -o answers.csv --force --format json").document
    assert document == {"errors": [], "rows": 7, "file": "answers.csv"}


def trained(y, loss):
    """Return a model that was trained on half of the rows and validated on the others."""
    network = {"dtype": "float64", "hidden_layer_sizes": [4]}
    training = {"loss": loss, "epochs": 20, "optimizer": {"type": "adam", "learning_rate": 0.05}}
    return fit({"network": network, "training": training}, X[:30], y[:30], validation=(X[30:], y[30:]))


@pytest.fixture
def rows(folder):
    np.savez(folder / "rows.npz", X=X)


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize(
    ("y", "names"),
    [(X[:, 0] ** 2, "prediction lower upper"), (X, "prediction_0 prediction_1 lower_0 upper_0 lower_1 upper_1")],
    ids=["one", "two"],
)
def test_values_and_intervals_are_columns_of_each_output_with_every_digit(specnet, folder, y, names):
    model = trained(y, "mse")
    model.save(folder / "model.safetensors")
    expected = np.column_stack([model.predict(X), model.predict_interval(X, 0.8).reshape(60, -1)])
    for option, columns in (("", names.split()[: y.ndim]), ("--interval 80", names.split())):
        header, written = csv_rows(specnet(f"predict model.safetensors rows.npz {option}").went())
        assert header == columns
        np.testing.assert_array_equal(np.array(written, float), expected[:, : len(columns)])
        document = specnet(f"predict model.safetensors rows.npz {option} --format json").document
        assert (document["errors"], document["rows"], [*document["columns"]]) == ([], 60, columns)
        np.testing.assert_array_equal(np.column_stack([*document["columns"].values()]), expected[:, : len(columns)])


@pytest.mark.usefixtures("rows")
def test_a_set_is_a_text_of_labels(specnet, folder):
    model = trained(WORDS, "categorical_crossentropy")
    model.save(folder / "model.safetensors")
    command = "predict model.safetensors rows.npz --confidence-set 90"
    header, written = csv_rows(specnet(f"{command} --escape-formulas").out)
    assert header == ["prediction", *(f"probability_{label}" for label in ["=a", "b c", "d"]), "set"]
    texts = ["|".join(model.labels[row]) for row in model.predict_set(X)]
    assert {text.count("|") for text in texts} >= {0, 1}
    assert [row[-1].removeprefix("'") for row in written] == texts
    assert [row[-1].startswith("'") for row in written] == [text.startswith("=") for text in texts]
    assert specnet(f"{command} --format json").document["columns"]["set"] == texts


@pytest.mark.usefixtures("rows")
def test_what_is_refused(specnet, folder, pinned):
    trained(X[:, 0], "mse").save(folder / "values.safetensors")
    trained(np.char.replace(WORDS, " ", "|"), "categorical_crossentropy").save(folder / "classes.safetensors")
    for status, model, options in (
        (1, "values", "--confidence-set 90 -o out.csv"),
        (1, "values", "--interval 97 -o out.csv"),
        (2, "classes", "--confidence-set 90 -o out.csv"),
        (2, "values", "--interval 90 -o out.npy"),
    ):
        pinned(specnet(f"predict {model}.safetensors rows.npz {options}").failed(status))
    assert not list(folder.glob("out.*"))


TIES = """
data = {{ type = "csv", path = "all.csv", target = "y", split.column = "part" }}
training = {{ loss = "mse", epochs = 1, optimizer = {{ type = "sgd", learning_rate = 1e-30 }} }}
[network]
dtype = "{dtype}"
preprocessing = []
target_preprocessing = ["standardize"]
layers = [{{ type = "dense", units = 1, weight_initializer = "zeros" }}]
"""


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_metrics_say_how_many_rows_the_file_covers(specnet, folder, dtype):
    """All predictions are the same, the target is one of few numbers, and each end is one: the last digit decides."""
    x = np.random.default_rng(0).integers(0, 6, 300)
    part = np.array(["train", "validation", "test"])[np.arange(300) % 3]
    y = (np.random.default_rng(1).integers(0, 5, 300) ** 2 - 7) / 10
    rows = list(zip(x, y.tolist(), part, strict=True))
    write_rows("all.csv", "x,y,part", rows)
    write_rows("test.csv", "x,y,part", rows[2::3])
    (folder / "spec.toml").write_text(TIES.format(dtype=dtype))
    specnet("run spec.toml -o run --no-report").ok()
    stated = json.loads((folder / "run/metrics.json").read_text())["tables"]["test"]["coverage"]
    assert [each["level"] for each in stated] == [0.5, 0.8, 0.9, 0.95]
    for each in stated:
        header, rows = csv_rows(specnet(f"predict run test.csv --interval {100 * each['level']:g}").out)
        low, high = (np.array([float(row[header.index(name)]) for row in rows]) for name in ("lower", "upper"))
        assert each["covered"] == [np.mean((low <= y[2::3]) & (y[2::3] <= high))]
        assert each["size"] == pytest.approx([np.mean(high - low)])
        assert each["covered"][0] > each["level"] - 0.1


def test_an_evaluation_is_a_row_of_figures(specnet, moons, folder):
    rows = arrays_in(folder / "rows.npz")
    figures = moons.evaluate(rows["X"], rows["y"])
    header, row = specnet("evaluate moons/model.safetensors rows.npz").went().splitlines()
    assert header.split() == ["loss", "accuracy"]
    assert row.split() == ["rows.npz", f"{figures['loss']:.4f}", f"{100 * figures['accuracy']:.1f}", "%"]
    as_json = specnet("evaluate moons/model.safetensors rows.npz --format json")
    assert as_json.document == {"errors": [], "rows": 7, "metrics": figures}


def metrics(specnet, model, rows):
    return specnet("evaluate", model, rows, "--format", "json").document["metrics"]


def test_weights_of_a_table_count_as_in_its_run(specnet, folder):
    """And an evaluation on the training rows repeats the run's figures."""
    rows = np.random.default_rng(0).normal(size=(40, 2)).round(3)
    write_rows("rows.csv", "a,b,y,w", [[a, b, a > 0, "true" if b > 0 else "false"] for a, b in rows])
    spec = spec_of_rows(epochs=9, sample_weight="w", columns={"w": "boolean"}, split={"test_size": 0})
    (folder / "weighted.json").write_text(json.dumps(spec))
    specnet("run weighted.json -o out -q").ok()
    written = json.loads((folder / "out/metrics.json").read_text())["train"]
    assert metrics(specnet, "out", "rows.csv") == pytest.approx(written, rel=1e-6)
    (folder / "none.csv").write_text("a,b,y\n1,2,True\n")
    specnet("predict out none.csv").ok()
    lacking = specnet("evaluate out none.csv").failed(1)
    assert '"w"' in lacking
    assert "none.csv" in lacking


@pytest.mark.slow
def test_an_evaluation_on_rows_of_the_training_set_says_so(specnet, gappy, folder, pinned):
    header, *rows = (folder / "gappy.csv").read_text().splitlines()
    changed = [row.replace(",", "1,", 1) for row in rows]
    (folder / "some.csv").write_text("\n".join([header, *rows[40:], *changed[:30]]) + "\n")
    (folder / "other.csv").write_text("\n".join([header, *changed]) + "\n")
    for model in (gappy, gappy / "model.safetensors"):
        pinned(specnet("evaluate", model, "some.csv").ok().err)
        (warning,) = specnet("evaluate", model, "some.csv", "--format", "json").document["warnings"]
        assert warning["code"] == "training-rows"
        assert warning["message"].startswith("20 of 50 rows ")
        assert specnet("evaluate", model, "some.csv", "-q").err == ""
        specnet("evaluate", model, "other.csv").went()
    (gappy / "model.safetensors").rename(folder / "alone.safetensors")
    assert specnet("evaluate alone.safetensors some.csv").err == ""


def test_rows_that_were_held_out_are_no_training_rows(specnet, kinds, folder):
    (warning,) = specnet("evaluate kinds table.csv --format json").document["warnings"]
    rows = json.loads((folder / "kinds/metrics.json").read_text())["rows"]["train"]
    assert rows < 30
    assert warning["message"].startswith(f"{rows} of 30 rows ")


def test_a_figure_that_cannot_be_computed_is_null(specnet, folder):
    specnet("""run moons.toml --out m -q --set 'training.metrics=["roc_auc"]'""").ok()
    np.savez(folder / "zeros.npz", X=np.zeros((3, 2)), y=np.zeros(3, int))
    assert metrics(specnet, "m", "zeros.npz")["roc_auc"] is None
