// The danmaku over the picture of /watch. Where one is depends on two times alone, its own and that of the film. So all
// stand still while the film is paused, and keep its speed. Only those that are due are in the document.
const CROSSING = 8; // seconds from one edge to the other
const STANDING = 5; // seconds at the top or at the bottom
const LINE = 1.35; // of the size of the letters; style.css has the same
const GAP = 1; // between two in a lane, the same unit

const stillness = matchMedia("(prefers-reduced-motion: reduce)");

/** Return a stage in an element over the player: { show, add, turn }. */
export function makeStage(layer, player) {
  const pen = document.createElement("canvas").getContext("2d");
  let list = [], next = 0; // all danmaku in the order of time, and the first of them that is not due yet
  let live = [], lanes = [[], [], []]; // what is on the stage, and by mode the last one in each lane
  let width = 0, size = 0, isOn = false, frame = 0;

  /** Begin anew at the time of the film, with what is still to be seen of the last seconds. */
  function reset() {
    width = layer.clientWidth;
    size = Math.min(36, Math.max(15, width / 36));
    layer.style.fontSize = `${size}px`;
    pen.font = getComputedStyle(layer).font;
    const count = Math.max(2, Math.floor(layer.clientHeight / (size * LINE)));
    lanes = [count, count >> 1, count >> 1].map((many) => Array(many).fill(null));
    live = [];
    layer.replaceChildren();
    next = after(player.currentTime - CROSSING);
    draw();
  }

  /** Return the place in the list of the first that comes after a time. */
  const after = (time) => list.findLastIndex((one) => one.time <= time) + 1;

  function draw() {
    if (!isOn || !width) return;
    const now = player.currentTime;
    for (; next < list.length && list[next].time <= now; next++) put(list[next], list[next].time);
    live = live.filter(({ item, start, end, ...one }) => {
      if (now >= end) item.remove();
      else if (!one.mode) item.style.transform = `translateX(${width - ((now - start) / CROSSING) * (width + one.width)}px)`;
      return now < end;
    });
  }

  function run() {
    cancelAnimationFrame(frame);
    draw();
    if (isOn && !player.paused) frame = requestAnimationFrame(run);
  }

  /** Put a danmaku into the first free lane. Leave it out if there is none, but for the viewer's own. */
  function put(danmaku, start) {
    const mode = danmaku.mode || Number(stillness.matches); // for viewers who want no motion, all stand
    const end = start + (mode ? STANDING : CROSSING);
    if (end <= player.currentTime) return;
    danmaku.ems ??= pen.measureText(danmaku.text).width / size;
    const one = { mode, start, end, width: (danmaku.ems + GAP / 2) * size };
    one.lines = mode ? Math.min(lanes[mode].length, Math.ceil(one.width / (width * 0.9))) : 1;
    let lane = find(one, isAlone);
    if (lane < 0) lane = find(one);
    if (lane < 0 && !danmaku.isOwn) return;
    lane = Math.max(0, lane);
    lanes[mode].fill(one, lane, lane + one.lines);
    one.item = element(danmaku, one, mode === 2 ? lanes[0].length - lane - one.lines : lane);
    live.push(one);
    layer.append(one.item);
  }

  /** Return the first lane with room for all lines of one, or -1. */
  function find(one, isGood = () => true) {
    const [all, isUsed] = [lanes[one.mode], (last) => last && !isFree(last, one)];
    return all.findIndex((_, n) => n + one.lines <= all.length && !all.slice(n, n + one.lines).some(isUsed) && isGood(one, n));
  }

  /** Tell whether a lane has none that stands, or one is to stand as well. */
  function isAlone({ mode, start }, n) {
    return mode || ![lanes[1][n], lanes[2][lanes[0].length - 1 - n]].some((last) => last && last.end > start);
  }

  /** Tell whether one may follow another in its lane: the other has come in, and is gone before this one reaches it. */
  function isFree(last, one) {
    if (one.mode) return last.end <= one.start;
    const isIn = last.start + (CROSSING * (last.width + GAP * size)) / (width + last.width) <= one.start;
    return isIn && last.end <= one.start + (CROSSING * width) / (width + one.width);
  }

  /** Make the element, in a lane from the top. The text of strangers is text here, never markup. */
  function element({ text, color, isOwn }, { mode, lines }, lane) {
    const item = document.createElement("span");
    item.textContent = text;
    item.dir = "auto";
    item.className = `${mode ? "isStanding" : "isMoving"}${isDark(color) ? " isDark" : ""}${isOwn ? " isOwn" : ""}`;
    item.style.color = color;
    item.style.height = `${lines * LINE}em`;
    item.style.top = `${lane * LINE}em`;
    return item;
  }

  player.addEventListener("seeking", reset);
  player.addEventListener("play", run);
  stillness.addEventListener("change", reset);
  new ResizeObserver(reset).observe(layer);
  // The player's own button makes the <video> alone full screen. A popover that opens then is above it.
  document.addEventListener("fullscreenchange", () => {
    if (document.fullscreenElement !== player) return layer.removeAttribute("popover"); // which closes it
    layer.setAttribute("popover", "manual");
    layer.showPopover?.();
  });

  return {
    /** Show these, which are in the order of time. */
    show(danmaku) {
      list = danmaku;
      reset();
    },

    /** Add one of the viewer's, and show it now. One that scrolls begins within the picture if the film is paused. */
    add(sent) {
      const danmaku = { ...sent, isOwn: true };
      const place = after(danmaku.time);
      list.splice(place, 0, danmaku);
      if (place <= next) next++;
      const lead = player.paused && !danmaku.mode ? CROSSING / 3 : 0;
      if (isOn && width) put(danmaku, player.currentTime - lead);
      draw();
    },

    /** Show one that comes now, as in a live chat. Nobody sees it again. */
    fly(danmaku) {
      if (isOn && width && !player.paused) put(danmaku, player.currentTime);
    },

    /** Switch the stage on or off. */
    turn(isNowOn) {
      if (isOn === isNowOn) return; // else it would begin anew
      isOn = isNowOn;
      layer.hidden = !isOn;
      reset();
      run();
    },
  };
}

/** #222222 is dark. Such letters get a light edge. */
function isDark(color) {
  const [red, green, blue] = color.match(/[0-9a-f]{2}/gi).map((part) => parseInt(part, 16));
  return red * 0.3 + green * 0.59 + blue * 0.11 < 60;
}
