"""Short texts on how to read each kind of chart, which stand at the end of each page for the kinds that it has."""

from __future__ import annotations

import re

HOW_TO_READ = {
    "now": (
        "What now",
        "The most useful next step, as a command to copy. An effect is measured on rows that the network was not "
        "trained on, or named as expected.",
    ),
    "expectations": (
        "Expectations",
        "Met: the whole 98 % interval is within the bound. Broken: all of it is beyond, as for 1 of 100 "
        "models that meet the bound exactly. Undecided: the interval contains the bound, and more test rows may "
        "decide. Single rows and directions do not depend on chance.",
    ),
    "gains": (
        "Gain over simpler predictors",
        "Right of 0 the network is better than the other predictor; an arrow leads beyond the axis. If a line, a 95 % "
        "interval, crosses 0, chance may explain the difference. The verdict is stricter, because all lines "
        "together have one error rate.",
    ),
    "scores": (
        "Scores",
        "Expect the scores of the test rows on new rows; those of rows that were used for training or for a choice "
        "are too good. After ± is the standard deviation over runs.",
    ),
    "importance": (
        "Importance",
        "Each bar shows how much the score suffers when the column is shuffled, so that its values no longer belong to "
        "their rows. If two columns carry the same information, both may seem unimportant.",
    ),
    "response": (
        "Response to a column",
        "One column is set to each value in turn; all others stay as they are. The line or dot is the mean prediction, "
        "the band or thin line contains the middle 80 % of the rows. It shows what the model does, not causes.",
    ),
    "predicted": (
        "Predicted and true values",
        "A dot is a row: the closer to the dashed diagonal, the better. Dots above it were predicted too low.",
    ),
    "residuals": (
        "Residuals",
        "True minus predicted. A good model leaves a shapeless cloud around 0; a curve can still be learned.",
    ),
    "confusion": (
        "Confusion",
        "Each row of the table is a true class, each column a predicted one. The diagonal has correct predictions, "
        "in the colour of the class. Grey cells are mistakes; the darker, the larger their fraction of the class.",
    ),
    "roc": (
        "ROC curve",
        "Each point is a threshold: its height is the fraction of the second class that is found, its distance from "
        "the left the fraction of the first class mistaken for it. The diagonal is guessing; an area of 1 is perfect.",
    ),
    "recall": (
        "Precision and recall",
        "Recall is the fraction of the rare class that is found; precision is the fraction of its predictions that are "
        "right. The dashed line is guessing.",
    ),
    "calibration": (
        "Calibration",
        "On the diagonal, probabilities are right: of all predictions with 70 %, 70 % come true. Below it they are too "
        "high. If most vertical lines cross the diagonal, you can trust the probabilities.",
    ),
    "threshold": (
        "Another threshold",
        "A lower threshold finds more of the class, and raises more false alarms. The confusion table follows.",
    ),
    "rows": ("The rows", "All rows by their two columns; shape and colour are the class, an edge marks test rows."),
    "answer": (
        "The answer",
        "The prediction at each point of the plane, over the rows: the stronger the colour, the surer. Where the "
        "colour changes, the prediction does.",
    ),
    "diagram": (
        "The network",
        "Inputs are on the left, outputs on the right. Thick lines are large weights; blue ones raise a unit, orange "
        "ones lower it.",
    ),
    "loss": (
        "Loss",
        "The error that training minimizes, by epoch; lower is better. If the validation line rises while the "
        "training line falls, the network learns its rows by heart. Compare lines of the same rows only.",
    ),
    "curves": (
        "Curves of several runs",
        "Each line is a run. Lines that end close together agree; an outlier had bad luck or another setting.",
    ),
    "layers": (
        "Diagnostics",
        "Each line is a layer. A layer whose line is a thousand times below the others hardly learns.",
    ),
    "spread": (
        "Each run",
        "A dot is a run, the band one standard deviation around the mean. Short lines are the best simpler predictor "
        "on the same rows.",
    ),
    "trials": (
        "The search",
        "A dot is a trial with its own settings; the line is the best so far. If it has been flat for long, more "
        "trials would hardly help.",
    ),
    "key": (
        "A searched key",
        "A dot is a trial at the value that it drew. If the best trials are at one end, search beyond it; if they are "
        "everywhere, the key matters little.",
    ),
}
"""Title and text by kind of chart; each text has two sentences or three."""
_LINKS = re.compile(r'href="#read-(\w+)"')


def kinds_on(page: str) -> list[tuple[str, str, str]]:
    """Return kind, title and text of each kind that the HTML of a page links to, in the order of the table."""
    linked = set(_LINKS.findall(page))
    return [(kind, *texts) for kind, texts in HOW_TO_READ.items() if kind in linked]
