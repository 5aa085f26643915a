const box = document.getElementById("ask"), find = name => box.querySelector(name);
const [answerBox, bars, truth, cards, more] = [".answer", ".bars", ".truth", ".controls", ".more .controls"].map(find);
const classes = ask.kind === "classes" || ask.kind === "binary";
const POINTS = 40, COARSE = 5, SLICE = 12, SHOWN = 12, MAX_BARS = 12, WIDTH = 240, HEIGHT = 64, DAY = 864e5;
const make = (kind, parent, more = {}) => parent.appendChild(Object.assign(document.createElement(kind), more));
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufefc]+(?: +[\u0590-\u08ff\ufb1d-\ufefc]+)*/g;
const isolated = text => text.replace(RIGHT_TO_LEFT, "\u2068$&\u2069");  // such a name would change the order of what follows it

const sentence = text => unbroken(isolated(text));

// A date in the file's notation, and what the browser's field for it needs.
const iso = v => new Date(Math.round(v * 86400) * 1000).toISOString();
const PARTS = { Y: [0, 4], y: [2, 4], m: [5, 7], d: [8, 10], H: [11, 13], M: [14, 16], S: [17, 19], f: [20, 23] };
function dateText(v, format) {
  const text = iso(v), date = new Date(text), hour = +text.slice(11, 13);
  const name = (options, length) => date.toLocaleDateString("en", { timeZone: "UTC", ...options }).slice(0, length);
  const others = {
    "%": () => "%", b: () => name({ month: "long" }, 3), B: () => name({ month: "long" }), a: () => name({ weekday: "long" }, 3),
    A: () => name({ weekday: "long" }), I: () => String(hour % 12 || 12).padStart(2, "0"), p: () => hour < 12 ? "AM" : "PM", z: () => "Z",
    j: () => String(1 + (Date.parse(text.slice(0, 10)) - Date.UTC(date.getUTCFullYear())) / DAY).padStart(3, "0"),
  };
  return format.replace(/%(.)/g, (_, letter) => PARTS[letter] ? text.slice(...PARTS[letter]) : others[letter]());
}
const dateField = format => !/%[Yy]/.test(format) ? "time" : /%[HI]/.test(format) ? "datetime-local" : "date";
const FIELDS = { time: [11, 19], "datetime-local": [0, 19], date: [0, 10] };
const fieldText = (v, field) => iso(v).slice(...FIELDS[field]);
const fieldValue = (text, field) => Date.parse(field === "date" ? text : (field === "time" ? "1970-01-01T" : "") + text + "Z") / DAY;
const colour = k => `var(--class-${classes ? k % 10 : k + 1})`;  // curves of values are at most three
let cells = [...ask.typical.cells], queued = 0, working = 0, jobs = [], range = [0, 1], isReady = false, now;

// What the model predicts for a row: the probability of each class, or each value.
function answers(row) {
  net.answered.length = 0;
  const y = Array.from(net.forward(row));
  return ask.kind === "binary" ? [1 - y[0], y[0]] : y;
}

// The index of the class that the model predicts, given what `forward` returns.
// Of two outputs with a softmax, the largest is predicted unless the model has a threshold other than a half.
const decides = ask.kind === "binary" || ask.kind === "classes" && ask.boundary > 0 && ask.boundary !== .5;
const best = y => decides ? +(y[y.length - 1] > ask.boundary) : y.reduce((most, p, k) => p > y[most] ? k : most, 0);

const cellText = (column, cell) => cell === null ? "missing"
  : column.kind === "date" ? dateText(cell, column.format) : column.words ? column.words[cell]
  : column.kind === "number" ? fixed(cell, column.decimals) : typeof cell === "number" ? number(cell) : cell;

// Curves are computed only while they are in sight.
const seen = new Map(), observer = new IntersectionObserver(entries => {
  for (const { target, isIntersecting } of entries) seen.get(target).isSeen = isIntersecting;
  plan();
}, { rootMargin: "100px" });

// A column's card: its control, its value, and the curve of the prediction if only this column changed.
function card(column, index) {
  const area = make("div", index < SHOWN ? cards : more), id = `ask-${index}`, { quantiles, options } = column;
  make("label", area, { htmlFor: id, textContent: column.name });
  const value = make("output", area), picture = make("div", area);
  if (column.kind !== "words") picture.style.aspectRatio = WIDTH / HEIGHT;  // curves that are drawn later move nothing
  const [low, high] = [quantiles[0], quantiles[quantiles.length - 1]], field = dateField(column.format);
  let control;
  if (column.kind === "choice") {
    control = make("select", area, { id });
    options.forEach((cell, k) => make("option", control, { value: k, textContent: cellText(column, cell) }));
    make("option", control, { value: -1, textContent: "another", hidden: true });
    if (column.may_be_missing) make("option", control, { value: -2, textContent: "missing" });
  } else if (column.kind === "words") control = make("textarea", area, { id, rows: 3 });
  else if (column.kind === "date") control = make("input", area, { id, type: field, min: fieldText(low, field), max: fieldText(high, field), step: field === "date" ? 1 : "any" });
  else {
    const digit = 10 ** -(column.decimals ?? 9), step = (high - low) / digit <= 1000 ? digit : "any";
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
  const read = () => column.kind === "date" ? fieldValue(control.value, field) : +control.value;
  const change = cell => { cells[column.index] = cell; truth.textContent = ""; update(); };
  control.oninput = () => {
    if (column.kind === "choice") change(+control.value < 0 ? null : options[+control.value]);
    else if (column.kind === "words") change(control.value);
    else if (Number.isFinite(read())) change(read());
  };
  // The cells that the curve needs: from, to and all between them, a coarse part of them first.
  let from = low, to = high, points = [];
  const needed = () => {
    const here = cells[column.index];
    if (column.kind === "words") return [];  // texts have no order
    if (column.kind === "choice") return options.slice(0, MAX_BARS).map((cell, k) => [k, cell]);
    [from, to] = here === null ? [low, high] : [Math.min(low, here), Math.max(high, here)];
    const every = Array.from({ length: POINTS + 1 }, (_, k) => [k, from + (to - from) * k / POINTS]);
    return [...every.filter(([k]) => k % COARSE === 0), ...every.filter(([k]) => k % COARSE)];
  };
  // A curve as work to do in pieces: each call computes a point; the result says whether the curve should be drawn.
  const job = () => {
    const own = needed(), count = own.length, part = column.kind === "choice" ? count : Math.ceil((POINTS + 1) / COARSE), row = [...cells], found = [];
    return {
      left: count,
      step() {
        const [k, cell] = own[found.length];
        row[column.index] = cell;
        found.push([k, answers(row), cell]);
        this.left--;
        if (this.left && found.length !== part) return false;
        points = [...found].sort((one, other) => one[0] - other[0]);
        return true;
      },
    };
  };
  const show = () => {
    const cell = cells[column.index];
    value.textContent = column.kind !== "words" ? cellText(column, cell) : cell ? "" : "missing";
    if (missing) missing.checked = cell === null;
    if (column.kind === "choice") {
      const known = options.findIndex(option => option === cell);
      control.value = cell === null ? -2 : known;
    } else if (column.kind === "words") control.value = cell ?? "";
    else if (cell !== null) control.value = column.kind === "date" ? fieldText(cell, field) : cell;
  };
  const draw = () => {
    if (!points.length) return;
    const [bottom, top] = range, here = cells[column.index];
    const y = v => HEIGHT - 4 - (HEIGHT - 8) * (top > bottom ? (v - bottom) / (top - bottom) : .5);
    const across = v => WIDTH * (to > from ? (v - from) / (to - from) : .5);
    const lines = shownOutputs(now).map(k => {
      if (column.kind === "choice") return points.map(([n, v, cell]) => `<circle cx="${WIDTH * (n + .5) / points.length}" cy="${y(v[k])}" r="${cell === here ? 5 : 2.5}" fill="${colour(k)}"/>`).join("");
      const isInside = points.map(([, , cell]) => cell >= low && cell <= high);
      const path = inside => points.map(([, v, cell], n) => {
        const there = n && isInside[n - 1] === inside && isInside[n] === inside;
        return `${there ? "L" : "M"}${across(cell).toFixed(1)} ${y(v[k]).toFixed(1)}`;
      }).join("");
      const point = here === null || to <= from ? "" : `<circle cx="${across(here)}" cy="${y(now[k])}" r="4.5" fill="${colour(k)}"/>`;
      return `<path d="${path(true)}" stroke="${colour(k)}"/><path class="beyond" d="${path(false)}" stroke="${colour(k)}"/>${point}`;
    });
    const ticks = quantiles.map(q => `M${across(q).toFixed(1)} ${HEIGHT}v-4`).join("");
    picture.innerHTML = `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" aria-hidden="true"><path class="rug" d="${ticks}"/>${lines.join("")}</svg>`;
  };
  picture.className = "curve";
  const made = { show, job, draw, points: () => points, isSeen: false, picture };
  observer.observe(area);
  seen.set(area, made);
  return made;
}

// The outputs that curves are drawn of: of two classes the second, of many those that are most probable now.
function shownOutputs(now) {
  if (ask.kind === "binary") return [1];
  const order = now.map((_, k) => k);
  return classes ? order.sort((a, b) => now[b] - now[a]).slice(0, 3) : order.slice(0, 3);
}

function showAnswer(now, chosen, votes) {
  bars.textContent = "";
  const order = now.map((_, k) => k);
  const shown = now.length > MAX_BARS ? order.sort((a, b) => now[b] - now[a]).slice(0, MAX_BARS) : order;
  for (const k of classes ? shown : []) {
    const line = make("div", bars, { className: "bar" });
    make("span", line, { textContent: ask.names[k] });
    Object.assign(make("i", make("span", line)).style, { width: `${100 * now[k] || 0}%`, background: colour(k) });
    make("b", line, { textContent: percent(now[k]) });
  }
  const words = classes ? inClasses(now, chosen, votes) : now.map((v, k) => inNumbers(v, k)).join("; ");
  answerBox.textContent = sentence(words);
  if (surface) mark(words);
}

// "Adelie 56.3 %, 7 of 8 networks agree".
function inClasses(now, chosen, votes) {
  const beyond = decides && ask.boundary !== .5 ? ` (threshold ${percent(ask.boundary)})` : "";
  const agree = votes.length ? `, ${votes.filter(vote => vote === chosen).length} of ${votes.length} networks agree` : "";
  return `${ask.names[chosen]}${/\d$/.test(ask.names[chosen]) ? "," : ""} ${percent(now[chosen])}${beyond}${agree}`;
}

// "Trial 0: Adelie 58.1 %, 7 of 8 networks; trial 3: Gentoo 51.4 %, 5 of 8."
function inTrials(members) {
  let end = 0;
  const texts = ask.trials.map(([name, count]) => {
    const own = members.slice(end, end += count), mean = own[0].map((_, k) => own.reduce((sum, y) => sum + y[k], 0) / count);
    if (!classes) return `${name}: ${mean.map((v, k) => ask.kind === "multilabel" ? `${ask.names[k]} ${percent(v)}` : fixed(v, ask.decimals?.[k] ?? null)).join(", ")}`;
    const chosen = best(mean), chance = ask.kind === "binary" ? [1 - mean[0], mean[0]] : mean;
    const agree = count > 1 ? `, ${own.filter(y => best(y) === chosen).length} of ${count} networks` : "";
    return `${name}: ${ask.names[chosen]}${/\d$/.test(ask.names[chosen]) ? "," : ""} ${percent(chance[chosen])}${agree}`;
  });
  return `${texts.join("; ").replace(/^t/, "T")}.`;
}

// "24.1 mpg, 90 %: 20.3–27.9".
function inNumbers(v, k) {
  if (ask.kind === "multilabel") return `${ask.names[k]} ${percent(v)}`;
  const decimals = ask.decimals?.[k] ?? null, ends = net.interval && isReady ? [net.interval(cells)].flat(2).slice(2 * k, 2 * k + 2) : [];
  if (!ends.length) return `${fixed(v, decimals)} ${ask.names[k]}`;
  const [low, high] = ends, width = high - low, largest = Math.max(Math.abs(low), Math.abs(high));
  // As many digits as distinguish the ends, of those that float32 has; rounding alone keeps an end from being 0.
  const digits = width > 0 ? Math.min(Math.max(4, Math.ceil(Math.log10(largest / width)) + 2), 9) : 4;
  const text = v => decimals !== null && width >= 10 ** -decimals ? fixed(v, decimals) : number(Math.abs(v) < 1e-5 * width ? 0 : v, digits);
  return `${text(v)} ${ask.names[k]}, ${ask.level} %: ${text(low)}${text(low)[0] === "−" ? " to " : "–"}${text(high)}`;
}

function draw() {
  queued = 0;
  if (!isReady) return drawUnknown();
  now = answers(cells);
  const votes = net.answered.map(best), y = ask.kind === "binary" ? [now[1]] : now;
  if (ask.trials.length) find(".trials").textContent = sentence(inTrials(net.answered));
  showAnswer(now, best(y), votes);
  plan();
  if (ask.why) showWhy(cells, now);
}

// Lines of the same height, which are invisible, while the numbers of the model are unpacked.
function drawUnknown() {
  const unknown = ask.names.map(() => NaN), members = ask.trials.flatMap(([, count]) => Array(count).fill(ask.kind === "binary" ? [NaN] : unknown));
  if (members.length) find(".trials").textContent = sentence(inTrials(members));
  showAnswer(unknown, 0, members.map(() => 0));
  if (ask.why) drawWhy(cells, unknown, null);
}

// Curves take longer than a prediction: they are computed a few milliseconds in each frame, the coarse points first.
function plan() {
  if (!now) return;
  const rank = card => jobs.findIndex(([other]) => other === card), waiting = all.filter(card => card.isSeen);
  // Those whose turn it was are last, so that all follow a control that moves.
  const first = jobs.length ? waiting.findIndex(card => rank(card) >= 0) : 0;
  jobs = [...waiting.slice(Math.max(first, 0)), ...waiting.slice(0, Math.max(first, 0))].map(card => [card, card.job()]).filter(([, job]) => job.left);
  working ||= requestAnimationFrame(work);
}

function work() {
  const end = performance.now() + SLICE;
  working = 0;
  while (jobs.length && performance.now() < end) {
    const [card, job] = jobs[0];
    if (!job.step()) continue;
    jobs.shift();
    if (job.left) jobs.push([card, job]);
    const values = classes ? [0, 1] : all.flatMap(each => each.points().flatMap(([, v]) => shownOutputs(now).map(k => v[k])));
    const before = String(range);
    range = classes ? [0, 1] : values.concat(now).reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [Infinity, -Infinity]);
    if (String(range) === before) card.draw();
    else for (const each of all) each.draw();
  }
  if (jobs.length) working = requestAnimationFrame(work);
}

function update() {
  all.forEach(each => each.show());
  pad?.show();
  queued ||= requestAnimationFrame(draw);
}

function choose(row) {
  cells = [...row.cells];
  update();
  truth.textContent = sentence(row.text);
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
  pointed.textContent = sentence(ask.columns.map(({ name, index }) => `${name} ${number(cells[index])}`).join(", ") + ": " + words);
}
if (surface) Object.assign(surface.closest("figure"), { onpointerdown: point, onpointermove: event => event.buttons & 1 && point(event) });

// The pad of a picture: its cells are the pixels, which are columns of the row.
function drawingPad([side, high]) {
  const area = make("div", cards, { className: "pad" }), grid = make("div", area);
  const set = (element, values) => Object.entries(values).forEach(pair => element.setAttribute(...pair));
  set(grid, { role: "grid", "aria-label": `Drawing pad of ${side} by ${side} pixels` });
  grid.style.setProperty("--side", side);
  const pixels = Array.from({ length: side }, (_, row) => {
    const line = make("div", grid);
    set(line, { role: "row" });
    return Array.from({ length: side }, (_, column) => {
      const pixel = make("div", line, { tabIndex: row + column ? -1 : 0 });
      set(pixel, { role: "gridcell" });
      return pixel;
    });
  }).flat();
  let at = 0, pen = null;
  const ink = k => Math.min(Math.max((cells[k] ?? 0) / high, 0), 1);
  const show = () => pixels.forEach((pixel, k) => {
    pixel.style.setProperty("--level", ink(k));
    pixel.ariaLabel = `row ${Math.floor(k / side) + 1}, column ${k % side + 1}: ${number(cells[k] ?? NaN)} of ${number(high)}`;
  });
  const changed = () => {
    truth.textContent = "";
    update();
  };
  const go = k => {
    pixels[at].tabIndex = -1;
    pixels[at = k].tabIndex = 0;
    pixels[k].focus();
  };
  grid.onkeydown = event => {
    const row = Math.floor(at / side), column = at % side, last = side - 1;
    const to = {
      ArrowUp: [row - 1, column], ArrowDown: [row + 1, column], ArrowLeft: [row, column - 1], ArrowRight: [row, column + 1],
      Home: [row, 0], End: [row, last],
    }[event.key];
    if (!to && event.key !== " " && event.key !== "Enter") return;
    event.preventDefault();
    if (to) return go(Math.min(Math.max(to[0], 0), last) * side + Math.min(Math.max(to[1], 0), last));
    cells[at] = ink(at) > .5 ? 0 : high;
    changed();
  };
  // The pointer's line is about two pixels wide, as the lines of scaled pictures are.
  const paint = event => {
    const { left, top, width } = grid.getBoundingClientRect(), x = (event.clientX - left) / width * side, y = (event.clientY - top) / width * side;
    pixels.forEach((_, k) => {
      const near = Math.min(Math.max(1.6 - Math.hypot(k % side + .5 - x, Math.floor(k / side) + .5 - y), 0), 1);
      if (near) cells[k] = Math.round(pen ? Math.max(cells[k] ?? 0, high * near) : Math.min(cells[k] ?? 0, high * (1 - near)));
    });
    changed();
  };
  grid.onpointerdown = event => {
    const target = pixels.indexOf(event.target);
    if (target < 0) return;
    event.preventDefault();
    go(target);
    grid.setPointerCapture(event.pointerId);
    pen = !(rub.ariaPressed === "true");
    paint(event);
  };
  grid.onpointermove = event => pen !== null && paint(event);
  grid.onpointerup = grid.onpointercancel = () => pen = null;
  const tools = make("p", area, { className: "rows" });
  const tool = (textContent, onclick) => make("button", tools, { type: "button", textContent, onclick });
  tool("Clear", () => {
    cells = cells.map(() => 0);
    changed();
  });
  const rub = tool("Rub out", () => rub.ariaPressed = String(rub.ariaPressed !== "true"));
  rub.ariaPressed = "false";
  return { show };
}

const all = ask.columns.map(card), pad = ask.pad && drawingPad(ask.pad), buttons = find(".rows");
const button = (text, row) => make("button", buttons, { type: "button", textContent: text, onclick: () => choose(row()) });
if (ask.rows.length) button("A row at random", () => ask.rows[Math.floor(Math.random() * ask.rows.length)]);
button(ask.rows.length ? "The typical row" : "Typical values", () => ask.typical);
ask.mistakes.forEach((row, k) => button(k ? String(k + 1) : ask.decimals ? "Largest error 1" : "Mistake 1", () => row));
find(".more").hidden = all.length <= SHOWN;
for (const part of document.querySelectorAll("#ask, .scripted")) part.hidden = false;
box.ariaBusy = "true";
choose(ask.typical);
net.ready.then(() => {
  box.ariaBusy = "false";
  isReady = true;
  update();
}, () => {
  box.ariaBusy = "false";
  box.replaceChildren(find("h2"), "This browser cannot unpack the model; one of 2023 or later can.");
});
