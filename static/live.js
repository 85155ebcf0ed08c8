// The page /watch?live=5: a live room, with its picture, its chat and who watches. What happens comes as events of the
// server; if it has no place for another listener, the page asks again and again. Text is set only with textContent.
import { ask, byId, page, words } from "./api.js";
import { counted, linkTo, showAge } from "./formats.js";
import "./frame.js";
import { showChat } from "./live_chat.js";
import { makePlayer } from "./live_player.js";
import { makeStage } from "./stage.js";

const BEAT = 15_000; // milliseconds between two signs that the page is there
const LISTEN_AGAIN = 60_000; // milliseconds until a page that asks tries to listen
const WAIT = 20; // seconds that a question may wait for an answer

const id = byId("player").dataset.room;
const path = `/live/${id}`;
const video = byId("video");
const stage = makeStage(byId("stage"), video);
const player = makePlayer(video, byId("player").dataset.hlsScript, (name) => tell(name && words[name]));
const viewer = viewerId();
let room = null, chat;

function tell(text) {
  byId("fault").textContent = text ?? "";
  byId("fault").hidden = !text;
}

/** Take over what the room says of itself, and begin or end to play. */
function update(changed) {
  const [before, isNew] = [room, !room];
  room = { ...room, ...changed };
  document.title = `${room.title} · ${document.body.dataset.site}`;
  byId("title").textContent = room.title;
  byId("author").textContent = room.username;
  byId("author").href = linkTo({ user: room.username });
  byId("onAir").hidden = byId("time").hidden = !room.is_live;
  if (room.is_live) showAge(byId("time"), room.started_at);
  showViewers(room.is_live ? room.viewer_count : null);
  chat.update(room);
  if (room.is_live && (isNew || !before.is_live || before.started_at !== room.started_at)) begin();
  if (!room.is_live && (isNew || before.is_live)) end(isNew);
}

function begin() {
  tell(words.loading);
  player.start(new URL(room.hls_url, page).href);
  sendBeat();
}

/** The playlist has no end, so the picture would stand still. */
function end(isNew) {
  player.stop();
  tell(room.is_closed ? words.roomClosed : isNew ? words.roomOff : words.streamOver);
}

function showViewers(count) {
  byId("viewers").textContent = count === null ? "" : counted(count, words.viewer, words.viewers);
}

// What happens in the room

function listen() {
  const source = new EventSource(`${document.body.dataset.api}${path}/events`);
  const on = (kind, take) => source.addEventListener(kind, ({ data }) => take(JSON.parse(data)));
  on("room", update);
  on("message", (item) => chat.add([item]));
  on("hide", (item) => chat.hide(item.hidden_seq));
  on("viewers", ({ viewer_count }) => showViewers(room?.is_live ? viewer_count : null));
  on("end", () => update({ is_live: false }));
  on("reset", () => chat.clear());
  source.addEventListener("error", () => {
    if (source.readyState === EventSource.CLOSED) follow(); // else the browser comes again by itself
  });
  addEventListener("pagehide", () => source.close());
}

/** Ask what has happened until the server may have a place for another listener. */
async function follow() {
  const until = Date.now() + LISTEN_AGAIN;
  let after = null;
  while (Date.now() < until) {
    try {
      update(await ask(path));
      const found = await ask(`${path}/messages`, { after, wait: after === null ? 0 : WAIT });
      chat.add(found.items);
      after = found.last_seq;
      await pause(found.poll_after);
    } catch (problem) {
      if (!problem.isPassing) return tell(problem.message);
      await pause(5);
    }
  }
  listen();
}

const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

// Who watches

/** Return the random id of this tab. */
function viewerId() {
  const made = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  try {
    const kept = sessionStorage.getItem("viewer") ?? made;
    sessionStorage.setItem("viewer", kept);
    return kept;
  } catch { // the browser keeps nothing
    return made;
  }
}

async function sendBeat() {
  if (!room?.is_live) return;
  const answer = await ask(`${path}/viewers`, {}, { method: "POST", body: { id: viewer } }).catch(() => null);
  if (answer) showViewers(answer.is_live ? answer.viewer_count : null);
}

setInterval(sendBeat, BEAT);
addEventListener("pagehide", () => {
  const body = new Blob([JSON.stringify({ id: viewer, has_left: true })], { type: "application/json" });
  if (room?.is_live) navigator.sendBeacon(`${document.body.dataset.api}${path}/viewers`, body);
});

// The danmaku

let isOn = read() ?? true;

function read() {
  try {
    return JSON.parse(localStorage.getItem("danmaku"))?.isOn; // as danmaku.js keeps it
  } catch { // the browser keeps nothing
    return null;
  }
}

function turn(isNowOn) {
  isOn = isNowOn;
  byId("danmakuSwitch").setAttribute("aria-pressed", isOn);
  stage.turn(isOn);
}

byId("danmakuSwitch").addEventListener("click", () => turn(!isOn));

async function start() {
  document.body.classList.add("playing");
  byId("player").hidden = false;
  chat = showChat(id, stage);
  turn(isOn);
  try {
    update(await ask(path));
    listen();
  } catch (problem) {
    tell(problem.status === 404 ? words.noRoom : problem.message);
    byId("chat").hidden = true;
    if (problem.isPassing) setTimeout(() => location.reload(), 10_000);
  }
}
start();
