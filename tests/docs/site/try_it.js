// The exported networks, each a module of its own, train here; a point of the plane is chosen by pointer or by sliders.
const section = document.querySelector(".try-it"), plane = section.querySelector(".plane svg svg");
const losses = section.querySelector(".loss svg svg"), chart = plane.ownerSVGElement;
const [train, again] = section.querySelectorAll("button"), state = section.querySelector(".state");
const [rate, units, activation, ...point] = section.querySelectorAll("input");
const [words, call] = section.querySelectorAll("output, code");
const data = JSON.parse(document.querySelector(".try-it-rows").textContent);
const part = heldOut => data.x.flatMap((row, i) => (data.heldOut[i] === heldOut ? [[row, data.y[i]]] : []));
const rows = part(false), tested = part(true), x = rows.map(each => each[0]), y = rows.map(each => each[1]);
const frameOf = svg => Object.fromEntries(["x", "y", "width", "height"].map(name => [name, +svg.getAttribute(name)]));
const frame = frameOf(plane), lossFrame = frameOf(losses), grid = 90, STEPS = 20000;
const placed = ({ x, y, width, height }, across, down) =>
  `${(x + across * width).toFixed(1)} ${(y + down * height).toFixed(1)}`;
const drawn = (svg, name, attributes) => {
  const found = svg.appendChild(document.createElementNS(svg.namespaceURI, name));
  for (const each in attributes) found.setAttribute(each, attributes[each]);
  return found;
};
const marker = drawn(chart, "circle", { r: 7, class: "marker" });
const curve = drawn(losses.ownerSVGElement, "path", { class: "line series-1" });
const canvas = Object.assign(document.createElement("canvas"), { width: grid, height: grid });
const context = canvas.getContext("2d"), picture = plane.querySelector("image");
const [boundary, ...contours] = [...plane.parentNode.querySelectorAll("path.line")].reverse();
const valueOf = slider => slider.dataset.values.split(" ")[slider.value];
const grouped = number => String(number).replace(/\B(?=(\d{3})+$)/g, "\u202f");
const modules = {};
let module, network, step = STEPS, line = "", running = 0, usesOwnRate = true;

// The module of the chosen network, as `specnet export` has written it.
async function chosen() {
  const key = `${valueOf(units)}, ${valueOf(activation)}`;
  const text = [...document.querySelectorAll(".try-it-module")].find(each => each.dataset.network === key).textContent;
  modules[key] ??= import(URL.createObjectURL(new Blob([text], { type: "text/javascript" })));
  return modules[key];
}

function predicted() {
  const row = point.map(each => +each.value), probability = network.forward(row)[0], label = Number(probability > 0.5);
  const percent = 100 * Math.abs(probability - (label === 0));
  words.textContent = `Class ${label}: ${percent > 99.9 ? "over 99.9" : percent.toFixed(1)} %`;
  call.textContent = `forward([${row.map(each => each.toFixed(2)).join(", ")}]) // ${probability.toFixed(3)}`;
  const [across, up] = point.map(each => (each.value - each.min) / (each.max - each.min));
  marker.setAttribute("cx", frame.x + across * frame.width);
  marker.setAttribute("cy", frame.y + (1 - up) * frame.height);
}

// The probability over the plane, and the line on which it is one half.
function surface() {
  const at = (slider, k) => +slider.min + (k / (grid - 1)) * (slider.max - slider.min);
  const margins = new Float64Array(grid * grid), pixels = context.createImageData(grid, grid);
  for (let j = 0, k = 0; j < grid; j++) {
    for (let i = 0; i < grid; i++, k++) {
      const margin = margins[k] = 2 * network.forward([at(point[0], i), at(point[1], grid - 1 - j)])[0] - 1;
      pixels.data.set(margin > 0 ? [46, 124, 208] : [222, 116, 28], 4 * k);
      pixels.data[4 * k + 3] = 255 * 0.62 * Math.abs(margin);
    }
  }
  context.putImageData(pixels, 0, 0);
  picture.setAttribute("href", canvas.toDataURL());
  let path = "";
  for (let j = 0; j < grid - 1; j++) {
    for (let i = 0; i < grid - 1; i++) {
      const corners = [[i, j], [i + 1, j], [i + 1, j + 1], [i, j + 1]], ends = [];
      corners.forEach(([a, b], n) => {
        const [c, d] = corners[(n + 1) % 4], from = margins[b * grid + a], to = margins[d * grid + c];
        const share = from / (from - to);
        if (from > 0 !== to > 0) ends.push([a + share * (c - a), b + share * (d - b)]);
      });
      for (let n = 0; n + 1 < ends.length; n += 2) {
        const [from, to] = ends.slice(n, n + 2).map(([a, b]) => placed(frame, a / (grid - 1), b / (grid - 1)));
        path += `M${from}L${to}`;
      }
    }
  }
  boundary.setAttribute("d", path);
  for (const each of contours) each.remove();
}

function report(loss) {
  if (!Number.isFinite(loss)) {
    state.textContent = `Step ${grouped(step)}: the loss is not a number. Start again with a lower rate.`;
    return;
  }
  const right = tested.filter(([row, label]) => Number(network.forward(row)[0] > 0.5) === label).length;
  const percent = (100 * right / tested.length).toFixed(1);
  state.textContent = `Step ${grouped(step)}: loss ${loss.toFixed(4)}, ${percent} % of the held-out rows right.`;
  if (step === STEPS && usesOwnRate && valueOf(units) === "5" && valueOf(activation) === "relu") {
    const apart = Math.max(...network.weights.map((weight, i) => Math.abs(weight - module.trained[i])));
    state.textContent += ` No weight differs from those of specnet by more than ${apart.toExponential(0)}.`;
  }
}

function frameOfTraining() {
  const until = performance.now() + 12, learningRate = Number(valueOf(rate));
  usesOwnRate &&= learningRate === module.rate;
  let loss;
  do {
    loss = network.train(x, y, learningRate);
    if (step % 50 === 0 && step <= STEPS) {
      const height = Math.min(Math.max(loss, 0), 1) || 0;
      line += (line ? "L" : "M") + placed(lossFrame, step / STEPS, 1 - height);
    }
    step++;
  } while (performance.now() < until && step !== STEPS && Number.isFinite(loss));
  curve.setAttribute("d", line);
  surface();
  predicted();
  report(loss);
  if (step === STEPS || !Number.isFinite(loss)) stop();
  else running = requestAnimationFrame(frameOfTraining);
}

function stop() {
  cancelAnimationFrame(running);
  running = 0;
  train.textContent = "Train";
}

async function startAgain() {
  stop();
  module = await chosen();
  network = module.learner();
  [step, line, usesOwnRate] = [0, "", true];
  curve.setAttribute("d", line);
  state.textContent = "Before training.";
  surface();
  predicted();
}

for (const each of [rate, units, activation]) {
  each.oninput = () => {
    const shown = valueOf(each);
    each.previousElementSibling.querySelector("b").textContent = shown;
    each.setAttribute("aria-valuetext", shown);
    if (each !== rate) startAgain();
  };
}
train.onclick = async () => {
  if (running) return stop();
  if (step === STEPS) await startAgain();
  train.textContent = "Pause";
  running = requestAnimationFrame(frameOfTraining);
};
again.onclick = startAgain;
for (const each of point) each.oninput = predicted;
const choose = event => {
  const seen = chart.getBoundingClientRect(), { width, height } = chart.viewBox.baseVal;
  const across = (event.clientX - seen.left) / seen.width * width;
  const down = (event.clientY - seen.top) / seen.height * height;
  const fractions = [(across - frame.x) / frame.width, 1 - (down - frame.y) / frame.height];
  if (fractions.some(each => each < 0 || each > 1)) return;
  point.forEach((each, k) => each.value = +each.min + fractions[k] * (each.max - each.min));
  predicted();
};
Object.assign(chart, { onpointerdown: choose, onpointermove: event => event.buttons & 1 && choose(event) });
module = await chosen();
network = module.learner(module.trained);
predicted();
