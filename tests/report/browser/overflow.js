// What stands beyond the window, unless it scrolls in a region of its own; and text that leaves its picture.
() => {
  const found = [], root = document.documentElement, width = root.clientWidth;
  const scrolls = e => e && (["auto", "scroll"].includes(getComputedStyle(e).overflowX) || scrolls(e.parentElement));
  const name = e => `<${e.tagName} class="${e.getAttribute("class") || ""}"> ${e.textContent.trim().slice(0, 30)}`;
  if (root.scrollWidth > width) found.push(`overflow: the page is ${root.scrollWidth} wide`);
  for (const e of document.querySelectorAll("main *")) {
    const box = e.getBoundingClientRect();
    const beyond = box.width && (box.right > width + 1 || box.left < -1);
    if (beyond && !scrolls(e)) found.push(`overflow: beyond the window: ${name(e)}`);
  }
  for (const e of document.querySelectorAll("svg[role=img] text")) {
    const inner = e.getBoundingClientRect(), outer = e.closest("svg[role=img]").getBoundingClientRect();
    const across = [outer.left - inner.left, inner.right - outer.right];
    const over = Math.max(...across, outer.top - inner.top, inner.bottom - outer.bottom);
    if (inner.width && over > 3) found.push(`overflow: text leaves its picture: ${name(e)}`);
  }
  return found;
}
