// Numbers as `specnet.number_texts` writes them.
const minus = text => text.replace("-", "−");
const raised = { "+": "", "-": "⁻", ..."⁰¹²³⁴⁵⁶⁷⁸⁹" };
function number(v, digits = 4) {
  if (!Number.isFinite(v)) return "?";
  if (v && !(Math.abs(v) >= 1e-4 && Math.abs(v) < (Number.isInteger(v) ? 1e15 : 1e9))) {
    const [factor, power] = v.toExponential(digits - 1).split("e");
    return minus(`${+factor}·10${[...power].map(character => raised[character]).join("")}`);
  }
  const power = +v.toExponential().split("e")[1];
  return Number.isInteger(v) || power >= digits - 1 ? fixed(v, 0) : minus(String(+decimal(v, digits - 1 - power)));
}
// A tie, such as 0.125, is rounded to the even digit, which toFixed does not do.
function decimal(v, decimals) {
  const text = v.toFixed(decimals), last = +text.at(-1), isTie = v.toFixed(decimals + 40).endsWith(`5${"0".repeat(39)}`);
  return isTie && last % 2 ? text.slice(0, -1) + (last - 1) : text;
}
const fixed = (v, decimals) => decimals === null || !Number.isFinite(v) ? number(v) : minus(decimal(v, decimals).replace(/^-(?=[0.]*$)/, ""));
const percent = (p, decimals = 1) => Number.isFinite(p) ? `${fixed(100 * p, decimals)} %` : "?";
// The decimals of all numbers in a picture: two digits of the largest step.
function stepDecimals(largest, least) {
  const power = largest ? +largest.toExponential(1).split("e")[1] : 9;
  return power < -5 || power >= 9 ? least : Math.max(1 - power, least ?? 0);
}

// No-break spaces within numbers, and between a number and its unit, as `specnet.report.svg.markup.unbroken` puts them.
const WITHIN_NUMBERS = /([0-9]|%(?= ±)) (?=[%±×]|[0-9]{3}(?![0-9])|(?:points|[kM]?B|GB|[nµm]?s|min|h)\b)|([±×²]|AUC|F1|[Cc]lass|[Tt]rial) (?=[−0-9])/g;
const unbroken = text => text.replace(WITHIN_NUMBERS, "$1$2\u00a0");

// The text of a mark is shown beside the pointer at once, and by touch; a browser's own hint takes a second.
const hint = document.body.appendChild(Object.assign(document.createElement("div"), { className: "hint", hidden: true }));
hint.setAttribute("aria-hidden", "true");
function showHint(event) {
  const mark = event.target.closest("svg *"), title = mark && mark.querySelector(":scope > title");
  if (title) {
    mark.dataset.title = title.textContent;
    title.remove();
  }
  hint.hidden = !(mark && mark.dataset.title);
  if (hint.hidden) return;
  hint.textContent = unbroken(mark.dataset.title);
  const { offsetWidth, offsetHeight } = hint, right = document.documentElement.clientWidth - offsetWidth - 8;
  hint.style.left = `${scrollX + Math.max(8, Math.min(event.clientX + 14, right))}px`;
  hint.style.top = `${scrollY + (event.clientY > offsetHeight + 24 ? event.clientY - offsetHeight - 12 : event.clientY + 20)}px`;
}
addEventListener("pointermove", showHint);
addEventListener("pointerdown", showHint);

// The time at which the page was written is that of its file, so that pages of equal runs are equal.
const stamp = document.querySelector(".beneath time");
if (stamp && location.protocol === "file:") {
  const date = new Date(document.lastModified);
  stamp.dateTime = date.toISOString();
  stamp.textContent = ` · written on ${date.toLocaleString("en-GB", { dateStyle: "long", timeStyle: "short" })}`;
  stamp.hidden = false;
}

// A picture with the colours that it has now, for another document.
const COPIED = ["fill", "fill-opacity", "stroke", "stroke-opacity", "stroke-width", "stroke-dasharray", "opacity", "font-family", "font-size", "font-weight", "text-anchor", "visibility"];
function copied(svg) {
  const copy = svg.cloneNode(true), from = [svg, ...svg.querySelectorAll("*")], to = [copy, ...copy.querySelectorAll("*")];
  from.forEach((element, k) => {
    const style = getComputedStyle(element);
    to[k].removeAttribute("class");
    to[k].setAttribute("style", COPIED.map(name => `${name}:${style.getPropertyValue(name)}`).join(";"));
  });
  const { width, height } = svg.viewBox.baseVal;
  Object.entries({ xmlns: "http://www.w3.org/2000/svg", width, height }).forEach(each => copy.setAttribute(...each));
  return new XMLSerializer().serializeToString(copy);
}
function copyButton(name, text) {
  const button = Object.assign(document.createElement("button"), { type: "button", className: "copy", textContent: name });
  button.onclick = () => navigator.clipboard.writeText(text()).then(() => button.textContent = "copied", () => button.textContent = "cannot copy");
  return button;
}
for (const card of document.querySelectorAll("figure.card")) {
  const svg = card.querySelector("svg.specnet-chart, svg.specnet-network");
  if (svg) card.append(copyButton("copy as SVG", () => copied(svg)));
}
for (const command of document.querySelectorAll(".command")) command.before(copyButton("copy", () => command.textContent));

// The predictions while the network was trained: the slider selects which group of the chart is shown.
const player = document.querySelector(".player"), slider = player && player.querySelector("input");
if (player) {
  const button = player.querySelector("button"), caption = player.querySelector("output"), captions = JSON.parse(player.dataset.captions);
  let playing = 0;
  const show = () => {
    document.querySelectorAll(".moment").forEach((moment, k) => moment.classList.toggle("shown", k === +slider.value));
    caption.textContent = slider.ariaValueText = captions[slider.value];
  };
  const stop = () => {
    clearInterval(playing);
    playing = 0;
    button.textContent = "Play";
  };
  const next = () => {
    slider.stepUp();
    show();
    if (slider.value === slider.max) stop();
  };
  slider.oninput = () => {
    stop();
    show();
  };
  button.onclick = () => {
    if (playing) return stop();
    if (slider.value === slider.max) slider.value = 0;
    show();
    button.textContent = "Stop";
    playing = setInterval(next, 900);
  };
  show();
  player.hidden = false;
}

// Two classes: a slider moves the probability above which the second one is predicted.
for (const box of document.querySelectorAll(".thresholds")) {
  const names = JSON.parse(box.dataset.names), { at, hits, alarms, positives, others } = JSON.parse(box.dataset.counts);
  const [slider, value, rates, typed] = ["input", "output", "[role=status]", ".to-type"].map(name => box.querySelector(name));
  const among = (part, whole) => whole ? percent(part / whole) : "–";
  slider.oninput = () => {
    const hit = hits[slider.value], alarm = alarms[slider.value], rest = others - alarm, miss = positives - hit;
    slider.ariaValueText = value.textContent = String(at[slider.value]);
    box.querySelectorAll("tbody td").forEach((cell, k) => cell.textContent = number([rest, alarm, miss, hit][k]));
    const precision = hit + alarm ? `Precision: ${among(hit, hit + alarm)} of ${number(hit + alarm)} rows predicted as ${names[1]}` : `No row is predicted as ${names[1]}`;
    rates.textContent = unbroken(`Accuracy ${among(hit + rest, positives + others)}. ${precision}. Recall: ${among(hit, positives)} of ${number(positives)} are found. False alarms: ${number(alarm)}.`);
    typed.hidden = slider.value === slider.defaultValue || !(at[slider.value] > 0 && at[slider.value] < 1);
    typed.querySelector("code").textContent = `--set training.decision_threshold=${at[slider.value]}`;
    movePoint("roc-point", alarm / others, hit / positives);
    const [own, given] = positives < others ? [hit, hit + alarm] : [rest, rest + miss];
    movePoint("recall-point", own / Math.min(positives, others), own / given);
  };
  box.hidden = false;
  slider.oninput();
  addEventListener("beforeprint", () => {
    slider.value = slider.defaultValue;
    slider.oninput();
  });
}

// The grid of such a chart has its lowest line at 0 and its highest one at 1, and both are as wide as the axis.
function movePoint(name, x, y) {
  const point = document.querySelector(`#${name} circle`);
  if (!point) return;
  point.style.visibility = Number.isNaN(y) ? "hidden" : "visible";
  if (Number.isNaN(y)) return;
  const [zero, one] = [...point.closest("svg").querySelectorAll(".grid")].map(line => line.getBBox()).filter((_, k, all) => !k || k === all.length - 1);
  point.setAttribute("cx", zero.x + x * zero.width);
  point.setAttribute("cy", zero.y + y * (one.y - zero.y));
}
