// The sessions of the page /account: where you are logged in.
import { ask, byId, end, words } from "./api.js";
import { show } from "./dialog.js";
import { entry } from "./entry.js";
import { showAge } from "./formats.js";
import { fillList } from "./list.js";

const BROWSERS = [["Edg", "Edge"], ["OPR", "Opera"], ["MicroMessenger", "WeChat"], ["Firefox"], ["Chrome"], ["Safari"], ["PostmanRuntime", "Postman"], ["curl"]];
const SYSTEMS = [["Windows"], ["Android"], ["iPhone"], ["iPad"], ["Mac OS X", "macOS"], ["Linux"]];

/** Show your sessions, the newest first. */
export const showSessions = () => fillList(byId("sessionsPart"), { path: "/auth/sessions", show: (session) => entry(session, describe) });

byId("endAll").addEventListener("click", async () => {
  if (!(await show(words.endAll, { text: words.endAllText }))) return;
  try {
    await ask("/auth/sessions", {}, { method: "DELETE" });
    end(words.allEnded);
  } catch (problem) {
    byId("endAllError").textContent = problem.message;
  }
});

function describe({ id, device, address, created_at, last_used_at, is_current }) {
  return {
    title: nameDevice(device),
    marks: [is_current && words.thisDevice],
    facts: [[words.begun, age(created_at)], [words.lastUsed, age(last_used_at)], [words.address, address]],
    acts: is_current ? [] : [["end", async () => {
      await ask(`/auth/sessions/${id}`, {}, { method: "DELETE" });
      return null;
    }]],
  };
}

function age(instant) {
  const time = document.createElement("time");
  showAge(time, instant);
  return time;
}

/** "Mozilla/5.0 (Windows NT 10.0; ...) ... Chrome/142 ..." -> Chrome, Windows. */
function nameDevice(text) {
  const find = (names) => {
    const found = names.find(([part]) => text.includes(part));
    return found?.at(-1);
  };
  return [find(BROWSERS), find(SYSTEMS)].filter(Boolean).join(", ") || text.slice(0, 60) || words.unknownDevice;
}
