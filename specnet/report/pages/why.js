// How each column moves the prediction from the typical one to this row: Shapley values against the rows in `ask.why`,
// computed as `Model.contributions` does, from the same orders of the columns.
const whyBox = find(".why"), REST = 300, WHY_SLICE = 24, REDRAWN = 250, SHOWN_CAUSES = 8;
const typical = [];  // what the model predicts for each of the training rows
let whyWaits = 0, whyWork = null;

// Yields while it computes, the contributions so far after each of the rows: values and standard errors, [column][output],
// the mean prediction of the rows, and how many of them are compared with. In the end it returns those of all rows.
function* contributionsTo(row) {
  const { rows, weights, ranks } = ask.why, after = answers(row), zeros = () => after.map(() => 0);
  while (typical.length < rows.length) {
    typical.push(answers(rows[typical.length]));
    yield;
  }
  const base = after.map((_, k) => typical.reduce((sum, y, b) => sum + weights[b] * y[k], 0));
  const [sums, squares, variances] = Array.from({ length: 3 }, () => row.map(zeros));
  let weight = 0, found;
  for (const [b, other] of rows.entries()) {
    const differs = row.map((cell, j) => cell !== other[j]);  // other columns contribute nothing
    const own = yield* ranks ? alongOrders(row, other, differs, ranks[b], typical[b], after) : ofAllCoalitions(row, other, differs, typical[b], after);
    weight += weights[b];
    sums.forEach((sum, j) => sum.forEach((_, k) => {
      sum[k] += weights[b] * own.values[j][k];
      squares[j][k] += weights[b] * own.values[j][k] ** 2;
      variances[j][k] += weights[b] ** 2 * (own.variances?.[j][k] ?? 0);
    }));
    const used = b + 1, isLast = used === rows.length, rest = (1 - used / rows.length) / Math.max(used - 1, 1);
    const values = sums.map(sum => sum.map(v => v / weight));
    // Of a finite number of rows, from the spread of those used and the orders of each.
    const errors = (isLast ? !ranks : used === 1) ? null : values.map((value, j) => value.map((v, k) =>
      Math.sqrt(variances[j][k] / weight ** 2 + rest * Math.max(squares[j][k] / weight - v * v, 0))));
    found = { values, errors, base, used };
    if (!isLast) yield found;
  }
  return found;
}

// Shapley values against one row, from the predictions for all coalitions of the columns that differ.
function* ofAllCoalitions(row, other, differs, before, after) {
  const values = row.map(() => after.map(() => 0)), players = row.map((_, j) => j).filter(j => differs[j]);
  const columns = players.length, all = 2 ** columns, worth = [before];
  for (let coalition = 1; coalition < all - 1; coalition++) {
    const mixed = [...other];
    players.forEach((j, bit) => { if (coalition >> bit & 1) mixed[j] = row[j]; });
    worth.push(answers(mixed));
    yield;
  }
  worth[all - 1] = after;
  const factorial = n => n < 2 ? 1 : n * factorial(n - 1), size = n => n ? (n & 1) + size(n >> 1) : 0;
  players.forEach((j, bit) => {
    for (let coalition = 0; coalition < all; coalition++) if (!(coalition >> bit & 1)) {
      const count = size(coalition), weight = factorial(count) * factorial(columns - 1 - count) / factorial(columns);
      after.forEach((_, k) => values[j][k] += weight * (worth[coalition | 1 << bit][k] - worth[coalition][k]));
    }
  });
  return { values };
}

// Shapley values against one row, and their variances, from the predictions along random orders and their reverses.
function* alongOrders(row, other, differs, orders, first, after) {
  const columns = row.length, pairs = [];
  for (const forward of orders) {
    const added = row.map(() => after.map(() => 0));
    for (const order of [forward, forward.map(rank => columns - 1 - rank)]) {
      const mixed = [...other], columnAt = [];
      order.forEach((rank, j) => columnAt[rank] = j);
      let before = first;
      for (const [rank, j] of columnAt.entries()) {
        mixed[j] = row[j];
        const now = rank + 1 === columns ? after : differs[j] ? answers(mixed) : before;
        now.forEach((v, k) => added[j][k] += (v - before[k]) / 2);
        before = now;
        yield;
      }
    }
    pairs.push(added);
  }
  const count = pairs.length, values = row.map((_, j) => after.map((_, k) => pairs.reduce((sum, added) => sum + added[j][k], 0) / count));
  const variances = values.map((value, j) => value.map((v, k) => pairs.reduce((sum, added) => sum + (added[j][k] - v) ** 2, 0) / (count - 1) / count));
  return { values, variances };
}

// Without contributions it draws lines of the same height, so that those which come later move nothing.
function drawWhy(row, now, found) {
  const { values, errors, base, used } = found ?? { values: row.map(() => now.map(() => 0)) }, all = ask.why.rows.length;
  const output = classes ? best(ask.kind === "binary" ? [now[1]] : now) : 0, name = ask.names[output];
  const areChances = classes || ask.kind === "multilabel", scale = areChances ? 100 : 1;
  const causes = values.map((value, j) => ({ j, v: value[output] })).sort((a, b) => Math.abs(b.v) - Math.abs(a.v));
  const shown = causes.slice(0, SHOWN_CAUSES).map(({ j, v }) => {
    const column = ask.columns.find(each => each.index === j), cell = row[j];
    return [`${ask.why.names[j]}: ${column ? cellText(column, cell) : cell === null ? "missing" : typeof cell === "number" ? number(cell) : cell}`, v];
  });
  const others = causes.slice(SHOWN_CAUSES);
  if (others.length) shown.push([`${others.length} other${others.length > 1 ? "s" : ""}`, others.reduce((sum, { v }) => sum + v, 0)]);
  const largest = Math.max(...shown.map(([, v]) => Math.abs(v)));
  const decimals = stepDecimals(scale * Math.abs(causes[0].v), areChances ? 1 : ask.decimals?.[output] ?? null);
  const size = v => fixed(scale * v, decimals), text = v => size(v) + (areChances ? " %" : "");
  const change = v => size(v).replace(/^(?!−)/, "+");
  const unknown = "…".padEnd(text(now[output]).length, "\u2007");  // as wide as digits, so that lines break alike
  whyBox.textContent = "";
  make("h3", whyBox, { textContent: "Why" });
  make("p", whyBox, { textContent: sentence(`${name}: typical ${base ? text(base[output]) : unknown}, this row ${text(now[output])}. ${areChances ? "In percentage points, each" : "Each"} column moves it by:`) });
  for (const [label, v] of shown) {
    const line = make("div", whyBox, { className: "bar" }), half = 50 * Math.abs(v) / (largest || 1);
    make("span", line, { textContent: sentence(label), title: label });
    Object.assign(make("i", make("span", line, { ariaHidden: "true" })).style, {
      width: `${half}%`, marginLeft: `${v < 0 ? 50 - half : 50}%`,
    });
    make("b", line, { textContent: found ? change(v) : "…" });
  }
  const compared = used < all ? `${used} of ${all}` : all, last = scale * 10 ** (decimals ?? 9);
  const most = errors && size(Math.ceil(last * Math.max(...errors.map(each => each[output]))) / last);
  const accuracy = errors ? `Standard errors are at most ${most}${areChances ? " points" : ""}.` : used === all ? "Exact: all combinations of columns." : "…";
  make("p", whyBox, { className: "quiet", textContent: unbroken(`Compared with ${compared} training rows.\n${accuracy}`) });
}

// Waits until the controls rest, then computes a few milliseconds at a time, so that the page stays fluid. Bars are
// drawn as soon as there are any, and again while they become more accurate.
function showWhy(cells, now) {
  clearTimeout(whyWaits);
  const row = [...cells];
  if (!typical.length) drawWhy(row, now, null);
  whyBox.ariaBusy = "true";
  whyWork = contributionsTo(row);
  let found = null, drawn = 0;
  const goOn = () => {
    const end = performance.now() + WHY_SLICE;
    let state;
    do {
      state = whyWork.next();
      found = state.value ?? found;
    } while (!state.done && performance.now() < end);
    if (found && (state.done || performance.now() > drawn + REDRAWN)) {
      drawWhy(row, now, found);
      [found, drawn] = [null, performance.now()];
    }
    if (state.done) whyBox.ariaBusy = "false";
    else whyWaits = setTimeout(goOn);
  };
  whyWaits = setTimeout(goOn, REST);
}
