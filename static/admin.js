// The page /admin: the desk of moderators and admins. It calls the API, which decides who may see and do what.
//   /admin#reports         a part of the page; each part loads when it is opened
//   /admin#comments/alice  a part, with a name in its form
// Text of people is set only with textContent, as on /watch.
import { showFigures } from "./admin_figures.js";
import { showPeople, showRegistrations } from "./admin_people.js";
import { showJobs, showLogs, showQueries } from "./admin_server.js";
import { showComments, showDanmaku, showReports, showRooms, showVideos } from "./admin_things.js";
import { showTags, showWords } from "./admin_words.js";
import { ask, byId, onSession, session, words } from "./api.js";
import "./frame.js";
import { logIn } from "./login.js";

const FOR_ADMINS = { registrations: showRegistrations, figures: showFigures, jobs: showJobs, logs: showLogs, queries: showQueries };
const PARTS = {
  reports: showReports, comments: showComments, danmaku: showDanmaku, videos: showVideos, live: showRooms, people: showPeople,
  blocked: showWords, tags: showTags, ...FOR_ADMINS,
};
let role = null;

/** Find out who is asking, and open the desk to moderators and admins. */
async function begin() {
  const used = session;
  role = null;
  byId("desk").hidden = true;
  if (!used) return tell(words.logIn);
  tell(words.loading);
  try {
    const account = await ask("/me");
    if (session !== used) return; // another login meanwhile
    role = account.role;
  } catch (problem) {
    return tell(session ? problem.message : words.logIn);
  }
  if (role === "user") return tell(words.notStaff);
  tell("");
  for (const link of document.querySelectorAll("[data-role=admin]")) link.hidden = role !== "admin";
  byId("desk").hidden = false;
  open();
}

function tell(text) {
  byId("notice").hidden = !text;
  byId("notice").textContent = text;
}

/** Show the part that the address names, or the first one. */
function open() {
  if (byId("desk").hidden) return;
  let [name, value = ""] = location.hash.slice(1).split("/");
  if (!Object.hasOwn(PARTS, name) || (Object.hasOwn(FOR_ADMINS, name) && role !== "admin")) [name, value] = ["reports", ""];
  for (const part of document.querySelectorAll(".part")) part.hidden = part.id !== `${name}Part`;
  for (const link of document.querySelectorAll("#desk nav a")) {
    if (link.hash === `#${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.querySelector("#desk nav [aria-current]").scrollIntoView({ block: "nearest", inline: "nearest" });
  PARTS[name](byId(`${name}Part`), { value: decode(value), role });
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch { // somebody has typed a lone %
    return text;
  }
}

addEventListener("hashchange", () => {
  open();
  document.querySelector(".part:not([hidden]) h2")?.focus();
});
onSession(begin);
await begin();
if (!session) logIn();
