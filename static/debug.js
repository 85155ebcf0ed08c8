// The drawing of /debug/schema: the table under the pointer, or with the focus, shows its own lines and dims the others.
const drawing = document.querySelector(".drawing");

function show(name) {
  const near = new Set([name]);
  for (const line of drawing.querySelectorAll(".line")) {
    const { from, to } = line.dataset;
    const isNear = from === name || to === name;
    line.classList.toggle("isNear", Boolean(name) && isNear);
    line.classList.toggle("isFar", Boolean(name) && !isNear);
    if (isNear) near.add(from).add(to);
  }
  for (const box of drawing.querySelectorAll(".box")) box.classList.toggle("isFar", Boolean(name) && !near.has(box.dataset.table));
}

for (const [begin, end] of [["pointerover", "pointerout"], ["focusin", "focusout"]]) {
  drawing.addEventListener(begin, (event) => show(event.target.closest(".box")?.dataset.table));
  drawing.addEventListener(end, () => show());
}
