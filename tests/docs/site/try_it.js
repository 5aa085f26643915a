
// The rest belongs to the documentation: a point of the plane by pointer, or by sliders, and its prediction.
{
  const section = document.querySelector(".try-it"), plane = section.querySelector(".plane svg svg");
  const chart = plane.ownerSVGElement;
  const sliders = [...section.querySelectorAll("input")], [words, call] = section.querySelectorAll("output, code");
  const marker = chart.appendChild(document.createElementNS(chart.namespaceURI, "circle"));
  const frame = Object.fromEntries(["x", "y", "width", "height"].map(name => [name, +plane.getAttribute(name)]));
  const fraction = slider => (slider.value - slider.min) / (slider.max - slider.min);
  const show = () => {
    const row = sliders.map(each => +each.value), label = predict(row);
    const percent = 100 * Math.abs(forward(row)[0] - (label === labels[0]));
    words.textContent = `Class ${label}: ${percent > 99.9 ? "over 99.9" : percent.toFixed(1)} %`;
    call.textContent = `predict([${row.map(each => each.toFixed(2)).join(", ")}]) // ${label}`;
    marker.setAttribute("cx", frame.x + fraction(sliders[0]) * frame.width);
    marker.setAttribute("cy", frame.y + (1 - fraction(sliders[1])) * frame.height);
  };
  const point = event => {
    const seen = chart.getBoundingClientRect(), { width, height } = chart.viewBox.baseVal;
    const x = (event.clientX - seen.left) / seen.width * width, y = (event.clientY - seen.top) / seen.height * height;
    const fractions = [(x - frame.x) / frame.width, 1 - (y - frame.y) / frame.height];
    if (fractions.some(each => each < 0 || each > 1)) return;
    sliders.forEach((each, k) => each.value = +each.min + fractions[k] * (each.max - each.min));
    show();
  };
  Object.assign(chart, { onpointerdown: point, onpointermove: event => event.buttons & 1 && point(event) });
  marker.setAttribute("r", 7);
  for (const each of sliders) each.oninput = show;
  show();
}
