const box = document.querySelector(".live"), inputs = [...box.querySelectorAll("input")];
const each = g => z => z.map(g), f = {
  linear: z => z, relu: each(v => Math.max(0, v)), tanh: each(Math.tanh), sigmoid: each(v => 1 / (1 + Math.exp(-v))),
  softmax: z => z.map(v => 1 / z.reduce((s, u) => s + Math.exp(u - v), 0)),
};
const say = v => (Math.abs(v) < 10 ? v.toFixed(2) : v.toPrecision(3)).replace("-", "−");
const show = (n, values) => values.forEach((v, k) => {
  const place = kind => document.getElementById(`net-${kind}-${n}-${k}`), unit = place("unit");
  if (!unit) return;
  unit.style.opacity = .6 + .4 * Math.abs(v) / Math.max(...values.map(Math.abs), 1);
  place("value").textContent = say(v);
});
function move() {
  const x = inputs.map(i => +i.value);
  inputs.forEach((i, k) => i.nextElementSibling.value = say(x[k]));
  show(0, x);
  let a = x.map((v, k) => net.offset[k] + net.factor[k] * v);
  net.layers.forEach((l, n) => {
    a = f[l.activation](l.weight.map((w, k) => w.reduce((s, v, i) => s + v * a[i], l.bias[k])));
    show(n + 1, a);
  });
  const best = a.indexOf(Math.max(...a));
  box.lastElementChild.textContent = net.names[best] + ": " + say(net.shift + net.scale * a[best]);
}
inputs.forEach(i => i.oninput = move);
box.hidden = false;
move();
