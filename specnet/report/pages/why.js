// How each column moves the prediction from the typical one to this row: Shapley values against the rows in `ask.why`,
// computed as `Model.contributions` does, from the same orders of the columns.
const whyBox = find(".why"), REST = 300, SHOWN_CAUSES = 8;
let whyWaits = 0, whyWork = null;

// What the model predicts for each of the training rows, and their mean.
function typicalAnswers() {
  const outputs = ask.why.rows.map(answers);
  return [outputs, outputs[0].map((_, k) => outputs.reduce((sum, y, b) => sum + ask.why.weights[b] * y[k], 0))];
}

// Yields while it computes; returns contributions and standard errors, [column][output], and the mean prediction of the rows.
function* contributionsTo(row) {
  const { rows, weights, ranks } = ask.why, columns = row.length;
  const [outputs, base] = typicalAnswers(), after = answers(row), zeros = () => after.map(() => 0);
  const values = row.map(zeros), errors = ranks && row.map(zeros);
  if (!ranks) {
    const all = 2 ** columns, worth = [base];
    for (let coalition = 1; coalition < all - 1; coalition++) {
      const mean = zeros();
      for (const [b, other] of rows.entries()) {
        answers(row.map((cell, j) => coalition >> j & 1 ? cell : other[j])).forEach((v, k) => mean[k] += weights[b] * v);
        yield;
      }
      worth.push(mean);
    }
    worth[all - 1] = after;
    const factorial = n => n < 2 ? 1 : n * factorial(n - 1), size = n => n ? (n & 1) + size(n >> 1) : 0;
    values.forEach((value, j) => {
      for (let coalition = 0; coalition < all; coalition++) if (!(coalition >> j & 1)) {
        const count = size(coalition), weight = factorial(count) * factorial(columns - 1 - count) / factorial(columns);
        value.forEach((_, k) => value[k] += weight * (worth[coalition | 1 << j][k] - worth[coalition][k]));
      }
    });
    return { values, errors, base };
  }
  for (const [b, other] of rows.entries()) {
    const pairs = [];
    for (const forward of ranks[b]) {
      const added = row.map(zeros);
      for (const order of [forward, forward.map(rank => columns - 1 - rank)]) {
        const mixed = [...other], columnAt = [];
        order.forEach((rank, j) => columnAt[rank] = j);
        let before = outputs[b];
        for (const [rank, j] of columnAt.entries()) {
          mixed[j] = row[j];
          const now = rank + 1 < columns ? answers(mixed) : after;
          now.forEach((v, k) => added[j][k] += (v - before[k]) / 2);
          before = now;
          yield;
        }
      }
      pairs.push(added);
    }
    const count = pairs.length;
    values.forEach((value, j) => value.forEach((_, k) => {
      const mean = pairs.reduce((sum, added) => sum + added[j][k], 0) / count;
      const squares = pairs.reduce((sum, added) => sum + (added[j][k] - mean) ** 2, 0) / (count - 1);
      value[k] += weights[b] * mean;
      errors[j][k] += weights[b] ** 2 * squares / count;
    }));
  }
  return { values, errors: errors.map(each => each.map(Math.sqrt)), base };
}

// Without contributions it draws lines of the same height, so that those which come later move nothing.
function drawWhy(row, now, found) {
  const { values, errors, base } = found ?? { values: row.map(() => now.map(() => 0)), errors: ask.why.ranks, base: typicalAnswers()[1] };
  const output = classes ? best(ask.kind === "binary" ? [now[1]] : now) : 0, name = ask.names[output];
  const areChances = classes || ask.kind === "multilabel";
  const text = v => areChances ? percent(v) : number(v);
  const change = v => (v < 0 ? "−" : "+") + text(Math.abs(v));
  const causes = values.map((value, j) => ({ j, v: value[output] })).sort((a, b) => Math.abs(b.v) - Math.abs(a.v));
  const shown = causes.slice(0, SHOWN_CAUSES).map(({ j, v }) => {
    const column = ask.columns.find(each => each.index === j), cell = row[j];
    return [`${ask.why.names[j]}: ${column ? cellText(column, cell) : cell === null ? "missing" : typeof cell === "number" ? number(cell) : cell}`, v];
  });
  const others = causes.slice(SHOWN_CAUSES);
  if (others.length) shown.push([`${others.length} other${others.length > 1 ? "s" : ""}`, others.reduce((sum, { v }) => sum + v, 0)]);
  const largest = Math.max(...shown.map(([, v]) => Math.abs(v))) || 1;
  whyBox.textContent = "";
  make("h3", whyBox, { textContent: "Why" });
  make("p", whyBox, { textContent: isolated(`${name}: typical ${text(base[output])}, this row ${text(now[output])}. Each column moves it by:`) });
  for (const [label, v] of shown) {
    const line = make("div", whyBox, { className: "bar" }), half = 50 * Math.abs(v) / largest;
    make("span", line, { textContent: isolated(label), title: label });
    Object.assign(make("i", make("span", line, { ariaHidden: "true" })).style, {
      width: `${half}%`, marginLeft: `${v < 0 ? 50 - half : 50}%`,
    });
    make("b", line, { textContent: found ? change(v) : "…" });
  }
  const error = errors && (found ? text(Math.max(...errors.map(each => each[output]))) : "…");
  make("p", whyBox, { className: "quiet", textContent: `Compared with ${ask.why.rows.length} training rows.${errors ? `\nStandard errors are at most ${error}.` : ""}` });
}

// Waits until the controls rest, then computes a few milliseconds at a time, so that the page stays fluid.
function showWhy(cells, now) {
  if (!ask.why) return;
  clearTimeout(whyWaits);
  const row = [...cells];
  if (!whyBox.firstChild) drawWhy(row, now, null);
  whyWork = contributionsTo(row);
  const goOn = () => {
    const end = performance.now() + SLICE;
    let state = whyWork.next();
    while (!state.done && performance.now() < end) state = whyWork.next();
    if (state.done) drawWhy(row, now, state.value);
    else whyWaits = setTimeout(goOn);
  };
  whyWaits = setTimeout(goOn, REST);
}
