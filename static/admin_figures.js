// The part of the page /admin with the figures: totals, a chart for each thing that is counted by day, and the server.
import { showNumbers } from "./admin_entry.js";
import { ask, byId, copy, language, wordFor, words } from "./api.js";
import { bytes } from "./entry.js";

const FIGURES = ["user", "video", "comment", "danmaku", "message", "like", "report", "login"]; // each day has these counts
const [WIDTH, HEIGHT, GAP] = [300, 80, 2]; // of the chart's template

export async function showFigures(place) {
  const state = place.querySelector(".state");
  state.textContent = words.loading;
  try {
    const [{ totals, days }, system] = await Promise.all([ask("/admin/stats"), ask("/admin/system")]);
    state.textContent = "";
    showNumbers("totals", Object.entries(totals).map(([name, count]) => [wordFor("total", name), name === "used_bytes" ? bytes(count) : count]));
    byId("charts").replaceChildren(...FIGURES.map((name) => chart(wordFor("days", name), days, (day) => day[`${name}_count`])));
    showTable(days);
    showServer(system);
  } catch (problem) {
    state.textContent = problem.message;
  }
}

/** Return a chart with a bar for each day. The table has the same numbers for everybody who does not see it. */
function chart(name, days, count) {
  const figure = copy("chart");
  const find = (selector) => figure.querySelector(selector);
  const counts = days.map(count);
  const most = Math.max(...counts);
  const step = WIDTH / days.length;
  const bars = days.map(({ day }, n) => {
    const bar = find("rect").cloneNode(true);
    const height = most ? Math.max(counts[n] && 1.5, (counts[n] / most) * HEIGHT) : 0;
    for (const [key, value] of [["x", n * step + GAP / 2], ["width", step - GAP], ["y", HEIGHT - height], ["height", height]]) bar.setAttribute(key, value.toFixed(2));
    bar.querySelector("title").textContent = `${day}: ${write(counts[n])}`;
    return bar;
  });
  find("svg").replaceChildren(...bars);
  find(".name").textContent = name;
  find(".sum").textContent = write(counts.reduce((sum, one) => sum + one, 0));
  find(".from").textContent = short(days[0].day);
  find(".most").textContent = words.most.replace("{}", write(most));
  find(".to").textContent = short(days.at(-1).day);
  return figure;
}

const write = (count) => count.toLocaleString(language);
const short = (day) => new Date(day).toLocaleDateString(language, { month: "short", day: "numeric", timeZone: "UTC" });

/** The latest day comes first. */
function showTable(days) {
  const cells = (id, row, texts) => row.append(...texts.map((text) => {
    const cell = copy(id);
    cell.textContent = text;
    return cell;
  }));
  const [head, ...rows] = [null, ...[...days].reverse()].map((day) => {
    const row = copy("row");
    row.firstElementChild.textContent = day?.day ?? words.day;
    if (day) cells("cell", row, FIGURES.map((name) => write(day[`${name}_count`])));
    else cells("headCell", row, FIGURES.map((name) => wordFor("days", name)));
    return row;
  });
  head.firstElementChild.scope = "col";
  byId("dayTable").querySelector("thead").replaceChildren(head);
  byId("dayTable").querySelector("tbody").replaceChildren(...rows);
}

function showServer({ versions, process, disk, connections, database }) {
  showNumbers("server", [
    [words.freeDisk, `${bytes(disk.free_bytes)} / ${bytes(disk.total_bytes)}`],
    [words.database, `${database.kind} ${database.version}`],
    [words.databaseSize, bytes(database.size_bytes)],
    [words.process, process.memory_bytes === null ? "–" : bytes(process.memory_bytes)],
    [words.connections, `${connections.lent} / ${connections.open} / ${connections.size}`],
    [words.version, `Rawreel ${versions.rawreel}, Python ${versions.python}`],
  ]);
}
