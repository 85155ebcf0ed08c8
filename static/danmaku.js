// The danmaku of the video on /watch: they are loaded once, stage.js shows them, and the form sends.
import { ask, byId, link, onSession, send, session } from "./api.js";
import { logIn } from "./login.js";
import { reloadMarks } from "./marks.js";
import { makeStage } from "./stage.js";

const KEPT = "danmaku"; // in localStorage, once the viewer has changed something

const player = byId("video");
const tell = (text) => { byId("danmakuError").textContent = text; };
let stage, path, isLoaded = false;
let wanted = { isOn: true, opacity: 100, ...read() };

function read() {
  try {
    return JSON.parse(localStorage.getItem(KEPT));
  } catch { // the browser keeps nothing
    return null;
  }
}

function keep(changes) {
  wanted = { ...wanted, ...changes };
  try {
    localStorage.setItem(KEPT, JSON.stringify(wanted));
  } catch { /* see read() */ }
  show();
}

/** Show the danmaku of a video, and what the viewer can do with them. */
export function showDanmaku(video) {
  path = `/videos/${video.id}/danmaku`;
  stage = makeStage(byId("stage"), player);
  byId("danmaku").hidden = false;
  onSession(showForm);
  show();
}

function show() {
  byId("danmakuSwitch").setAttribute("aria-pressed", wanted.isOn);
  byId("opacity").closest("label").hidden = !wanted.isOn;
  byId("opacity").value = wanted.opacity;
  byId("stage").style.opacity = wanted.opacity / 100;
  showForm();
  stage.turn(wanted.isOn);
  if (wanted.isOn && !isLoaded) load();
}

/** Load them all. Of very many these are the newest, as many as the API sends at once. */
async function load() {
  isLoaded = true;
  tell("");
  try {
    stage.show(await ask(`${path}.art.json`, { token: link.token }));
  } catch (problem) {
    isLoaded = false; // the switch tries again
    tell(problem.message);
  }
}

function showForm() {
  byId("danmakuForm").hidden = !session || !wanted.isOn;
  byId("danmakuLogin").hidden = Boolean(session) || !wanted.isOn;
}

byId("danmakuSwitch").addEventListener("click", () => keep({ isOn: !wanted.isOn }));
byId("opacity").addEventListener("input", (event) => keep({ opacity: Number(event.target.value) }));
byId("danmakuLogin").addEventListener("click", async () => { if (await logIn()) byId("danmakuText").focus(); });

byId("danmakuForm").addEventListener("submit", async (event) => {
  event.preventDefault();
  const [field, button] = [byId("danmakuText"), byId("danmakuSend")];
  const body = { text: field.value, time: player.currentTime, mode: Number(byId("mode").value), color: byId("color").value };
  if (button.disabled) return;
  button.disabled = true;
  tell("");
  try {
    stage.add(await send("POST", path, body));
    if (field.value === body.text) field.value = ""; // they may be writing the next one
    reloadMarks().catch(() => {});
  } catch (problem) {
    tell(problem.message); // what was written stays
  } finally {
    button.disabled = false;
  }
});
