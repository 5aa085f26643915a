const box = document.getElementById("ask"), find = name => box.querySelector(name);
const [answerBox, truth, cards, more] = [".answers", ".truth", ".controls", ".more .controls"].map(find);
const classes = ask.kind === "classes" || ask.kind === "binary";
const POINTS = 40, SHOWN = 12, MAX_BARS = 12, WIDTH = 240, HEIGHT = 64, DAY = 864e5;
const make = (kind, parent, more = {}) => parent.appendChild(Object.assign(document.createElement(kind), more));
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufefc]+(?: +[\u0590-\u08ff\ufb1d-\ufefc]+)*/g;
const isolated = text => text.replace(RIGHT_TO_LEFT, "\u2068$&\u2069");  // such a name would change the order of what follows it
const minus = text => text.replace("-", "−");
const raised = { "+": "", "-": "⁻", ..."⁰¹²³⁴⁵⁶⁷⁸⁹" };
function number(v, digits = 4) {
  if (!Number.isFinite(v)) return "?";
  if (v && !(Math.abs(v) >= 1e-4 && Math.abs(v) < (Number.isInteger(v) ? 1e15 : 1e9))) {
    const [factor, power] = v.toExponential(digits - 1).split("e");
    return minus(`${+factor}·10${[...power].map(character => raised[character]).join("")}`);
  }
  return minus(Number.isInteger(v) || Math.abs(v) >= 10 ** (digits - 1) ? v.toFixed(0) : String(+v.toPrecision(digits)));
}
const percent = p => Number.isFinite(p) ? (100 * p).toFixed(p > .001 && p < .999 ? 1 : 2) + " %" : "?";
const day = v => new Date(Math.floor(v) * DAY).toISOString().slice(0, 10);
const colour = k => `var(--class-${classes ? k % 10 : k + 1})`;  // curves of values are at most three
let cells = [...ask.typical.cells], queued = 0;

// What the model predicts for a row: the probability of each class, or each value.
function answers(row) {
  const y = Array.from(net.forward(row));
  return ask.kind === "binary" ? [1 - y[0], y[0]] : y;
}

const cellText = (column, cell) => cell === null ? "missing"
  : column.kind === "date" ? day(cell) : column.kind === "number" ? number(cell) : String(cell);

// A column's card: its control, its value, and the curve of the prediction if only this column changed.
function card(column, index) {
  const area = make("div", index < SHOWN ? cards : more), id = `ask-${index}`, { quantiles, options } = column;
  make("label", area, { htmlFor: id, textContent: column.name });
  const value = make("output", area), picture = make("div", area);
  const [low, high] = [quantiles[0], quantiles[quantiles.length - 1]];
  let control;
  if (column.kind === "choice") {
    control = make("select", area, { id });
    options.forEach((cell, k) => make("option", control, { value: k, textContent: String(cell) }));
    make("option", control, { value: -1, textContent: "another", hidden: true });
    if (column.may_be_missing) make("option", control, { value: -2, textContent: "missing" });
  } else if (column.kind === "words") control = make("textarea", area, { id, rows: 3 });
  else if (column.kind === "date") control = make("input", area, { id, type: "date", min: day(low), max: day(high) });
  else {
    const step = column.is_whole && high - low < 1000 ? 1 : "any";
    control = make("input", area, { id, type: "range", min: low, max: high, step });
    if (step === "any") control.onkeydown = event => {
      const turn = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10 }[event.key];
      if (!turn) return;
      event.preventDefault();
      control.value = +control.value + turn * (high - low) / 100;
      control.oninput();
    };
  }
  let missing = null;
  if (column.may_be_missing && column.kind !== "choice") {
    const label = make("label", area, { className: "missing" });
    missing = make("input", label, { type: "checkbox" });
    label.append(" missing");
    missing.onchange = () => change(missing.checked ? null : read());
  }
  const read = () => column.kind === "date" ? Date.parse(control.value) / DAY : +control.value;
  const change = cell => { cells[column.index] = cell; truth.textContent = ""; update(); };
  control.oninput = () => {
    if (column.kind === "choice") change(+control.value < 0 ? null : options[+control.value]);
    else if (column.kind === "words") change(control.value);
    else if (Number.isFinite(read())) change(read());
  };
  const predicted = (cell, row = [...cells]) => { row[column.index] = cell; return answers(row); };
  const curve = () => {
    const here = cells[column.index];
    if (column.kind === "words") return [];  // texts have no order
    if (column.kind === "choice") return options.slice(0, MAX_BARS).map((cell, k, all) => [(k + .5) / all.length, predicted(cell), true]);
    const from = here === null ? low : Math.min(low, here), to = here === null ? high : Math.max(high, here);
    return Array.from({ length: POINTS + 1 }, (_, k) => {
      const x = from + (to - from) * k / POINTS;
      return [k / POINTS, predicted(x), x >= low && x <= high, to > from && here !== null ? (here - from) / (to - from) : null, from, to];
    });
  };
  const show = () => {
    const cell = cells[column.index];
    value.textContent = column.kind !== "words" ? cellText(column, cell) : cell ? "" : "missing";
    if (missing) missing.checked = cell === null;
    if (column.kind === "choice") {
      const known = options.findIndex(option => option === cell);
      control.value = cell === null ? -2 : known;
    } else if (column.kind === "words") control.value = cell ?? "";
    else if (cell !== null) control.value = column.kind === "date" ? day(cell) : cell;
  };
  const draw = ([bottom, top], points, now) => {
    if (!points.length) return;
    const y = v => HEIGHT - 4 - (HEIGHT - 8) * (top > bottom ? (v - bottom) / (top - bottom) : .5);
    const lines = shownOutputs(now).map(k => {
      if (column.kind === "choice") return points.map(([x, v], n) => `<circle cx="${WIDTH * x}" cy="${y(v[k])}" r="${options[n] === cells[column.index] ? 5 : 2.5}" fill="${colour(k)}"/>`).join("");
      const path = inside => points.map(([x, v], n) => {
        const there = n && points[n - 1][2] === inside && points[n][2] === inside;
        return `${there ? "L" : "M"}${(WIDTH * x).toFixed(1)} ${y(v[k]).toFixed(1)}`;
      }).join("");
      const at = points[0][3], point = at === null ? "" : `<circle cx="${WIDTH * at}" cy="${y(now[k])}" r="4.5" fill="${colour(k)}"/>`;
      return `<path d="${path(true)}" stroke="${colour(k)}"/><path class="beyond" d="${path(false)}" stroke="${colour(k)}"/>${point}`;
    });
    const [, , , , from, to] = points[0] ?? [], rug = quantiles.map(q => WIDTH * (to > from ? (q - from) / (to - from) : .5));
    const ticks = rug.map(x => `M${x.toFixed(1)} ${HEIGHT}v-4`).join("");
    picture.innerHTML = `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" aria-hidden="true"><path class="rug" d="${ticks}"/>${lines.join("")}</svg>`;
  };
  return { show, curve, draw };
}

// The outputs that curves are drawn of: of two classes the second, of many those that are most probable now.
function shownOutputs(now) {
  if (ask.kind === "binary") return [1];
  const order = now.map((_, k) => k);
  return classes ? order.sort((a, b) => now[b] - now[a]).slice(0, 3) : order.slice(0, 3);
}

function showAnswer(now) {
  answerBox.textContent = "";
  const lines = make("div", answerBox, { ariaHidden: "true" });
  const order = now.map((_, k) => k), best = now.indexOf(Math.max(...now));
  const shown = now.length > MAX_BARS ? order.sort((a, b) => now[b] - now[a]).slice(0, MAX_BARS) : order;
  for (const k of classes ? shown : []) {
    const line = make("div", lines, { className: "bar" });
    make("span", line, { textContent: ask.names[k] });
    Object.assign(make("i", make("span", line)).style, { width: `${100 * now[k]}%`, background: colour(k) });
    make("b", line, { textContent: percent(now[k]) });
  }
  const ends = net.interval ? [net.interval(cells)].flat(2) : [];
  const value = (v, k) => {
    if (!ends.length) return number(v);
    const [low, high] = ends.slice(2 * k, 2 * k + 2), width = high - low, largest = Math.max(Math.abs(low), Math.abs(high));
    // As many digits as distinguish the ends, of those that float32 has; rounding alone keeps an end from being 0.
    const digits = width > 0 ? Math.min(Math.max(4, Math.ceil(Math.log10(largest / width)) + 2), 9) : 4;
    const text = v => number(Math.abs(v) < 1e-5 * width ? 0 : v, digits);
    return `${text(v)}, between ${text(low)} and ${text(high)} with ${ask.level} % certainty`;
  };
  const words = classes ? `${ask.names[best]}, ${percent(now[best])}`
    : now.map((v, k) => `${ask.names[k]}: ${value(v, k)}`).join("; ");
  make("p", answerBox, { textContent: isolated(words) });
  if (surface) mark(words);
}

function draw() {
  queued = 0;
  const now = answers(cells), curves = all.map(each => each.curve()), flat = [];
  for (const points of curves) for (const [, v] of points) for (const k of shownOutputs(now)) flat.push(v[k]);
  const range = classes ? [0, 1] : flat.concat(now).reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [Infinity, -Infinity]);
  showAnswer(now);
  all.forEach((each, k) => each.draw(range, curves[k], now));
}

function update() {
  all.forEach(each => each.show());
  queued ||= requestAnimationFrame(draw);
}

function choose(row) {
  cells = [...row.cells];
  update();
  truth.textContent = row.text;
}

// The plane of two columns: pointing at its picture sets the row, and the prediction is written below it.
const surface = ask.plane && document.querySelector(".delivered image"), pointed = document.querySelector(".pointed");
const marker = surface && surface.ownerSVGElement.appendChild(document.createElementNS("http://www.w3.org/2000/svg", "ellipse"));
function point(event) {
  const { left, width, bottom, height } = surface.getBoundingClientRect();
  const positions = [(event.clientX - left) / width, (bottom - event.clientY) / height];
  if (positions.some(each => each < 0 || each > 1)) return;
  positions.forEach((each, k) => cells[k] = ask.plane[k][0] + each * (ask.plane[k][1] - ask.plane[k][0]));
  truth.textContent = "";
  if (slider) {
    slider.value = slider.max;
    slider.oninput();
  }
  update();
}
function mark(words) {
  const [left, top, width, height] = ["x", "y", "width", "height"].map(name => +surface.getAttribute(name));
  const [across, up] = ask.plane.map(([low, high], k) => Math.min(1, Math.max(0, (cells[k] - low) / (high - low))));
  const seen = surface.getBoundingClientRect(), center = { cx: left + across * width, cy: top + (1 - up) * height };
  const size = { rx: 7 * width / seen.width, ry: 7 * height / seen.height, class: "chosen-point" };
  for (const [name, value] of Object.entries({ ...center, ...size })) marker.setAttribute(name, value);
  pointed.textContent = isolated(ask.columns.map(({ name, index }) => `${name} ${number(cells[index])}`).join(", ") + ": " + words);
}
if (surface) Object.assign(surface.closest("figure"), { onpointerdown: point, onpointermove: event => event.buttons & 1 && point(event) });

const all = ask.columns.map(card), buttons = find(".rows");
const button = (text, row) => make("button", buttons, { type: "button", textContent: text, onclick: () => choose(row()) });
if (ask.rows.length) button("A row at random", () => ask.rows[Math.floor(Math.random() * ask.rows.length)]);
button("The typical row", () => ask.typical);
ask.worst.forEach((row, k) => button(k ? String(k + 1) : "Worst mistake 1", () => row));
find(".more").hidden = all.length <= SHOWN;
for (const part of document.querySelectorAll("#ask, .scripted")) part.hidden = false;
choose(ask.typical);
