// Texts that leave their picture, and pairs that lie on each other.
() => [...document.querySelectorAll("svg[role=img]")].flatMap((picture, number) => {
  const outer = picture.getBoundingClientRect(), found = [];
  const texts = [...picture.querySelectorAll("text")].filter(e => e.getBoundingClientRect().width);
  const boxes = texts.map(e => [e.textContent, e.getBoundingClientRect()]);
  const touch = (a, b) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 4 && b.top < a.bottom - 4;
  boxes.forEach(([text, box], k) => {
    const over = [outer.left - box.left, box.right - outer.right, outer.top - box.top, box.bottom - outer.bottom];
    if (Math.max(...over) > 1) found.push(`${number}: "${text}" leaves its picture`);
    for (const [other, place] of boxes.slice(k + 1))
      if (touch(box, place)) found.push(`${number}: "${text}" lies on "${other}"`);
  });
  return found;
})
