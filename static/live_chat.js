// The chat of a live room: the list, the form, and for the room's moderators what to do about a message.
// Each message has a number, so one that comes twice, by the answer and as an event, is shown once.
import { ask, byId, now, onSession, session, words } from "./api.js";
import { logIn } from "./login.js";

const MOST = 200; // messages in the list
const NEAR = 60; // pixels from the end of the list, within which it follows
const FRESH = 15_000; // milliseconds: an older message does not fly
const MUTE = 600_000; // milliseconds

const list = byId("messages");
const tell = (text) => { byId("chatError").textContent = text; };
const shown = new Map(); // by number
let path, stage, room, me = null;

/** Show the chat of a room: { add, hide, clear, update }. */
export function showChat(id, made) {
  path = `/live/${id}`;
  stage = made;
  onSession(readMember);
  readMember();
  return { add, hide, clear, update };
}

/** Add messages, in their order. */
function add(items) {
  const isNear = list.scrollHeight - list.scrollTop - list.clientHeight < NEAR;
  for (const item of items) {
    if (item.kind === "hide") hide(item.hidden_seq);
    else if (!shown.has(item.seq)) show(item);
  }
  while (list.children.length > MOST) forget(list.firstElementChild);
  if (isNear) list.scrollTop = list.scrollHeight;
  byId("newest").hidden = isNear || !items.length;
}

function show(message) {
  const item = byId("message").content.cloneNode(true).firstElementChild;
  const find = (selector) => item.querySelector(selector);
  item.dataset.seq = message.seq;
  find(".author").textContent = message.username ?? words.nobody;
  find(".said").textContent = message.text;
  find(".mark").hidden = !(message.is_owner || message.is_moderator);
  find(".mark").textContent = message.is_owner ? words.streamer : words.roomModerator;
  find(".hide").addEventListener("click", () => act("DELETE", `/messages/${message.seq}`, undefined, () => hide(message.seq)));
  find(".mute").addEventListener("click", () => {
    const until = new Date(now() + MUTE).toISOString();
    act("PUT", `/bans/${encodeURIComponent(message.username)}`, { until, hide_messages: true });
  });
  shown.set(message.seq, { item, message });
  list.append(item);
  showActs({ item, message });
  const isOwn = message.user_id === session?.user.id;
  if (now() - new Date(message.sent_at) < FRESH) stage.fly({ text: message.text, mode: message.mode, color: message.color, isOwn });
}

/** Show the buttons that the viewer may press. */
function showActs({ item, message }) {
  const isOwn = Boolean(session) && message.user_id === session.user.id;
  item.querySelector(".hide").hidden = !(isOwn || me?.can_moderate);
  item.querySelector(".mute").hidden = !me?.can_moderate || isOwn || message.is_owner || !message.username;
}

function hide(seq) {
  const found = shown.get(seq);
  if (found) forget(found.item);
}

function forget(item) {
  shown.delete(Number(item.dataset.seq));
  item.remove();
}

function clear() {
  shown.clear();
  list.replaceChildren();
}

/** Take over what the room says of itself. */
function update(changed) {
  const isOther = room && (room.chat !== changed.chat || room.slow_seconds !== changed.slow_seconds);
  room = changed;
  if (isOther) readMember();
  else showForm();
}

/** Ask what the viewer may do here. */
async function readMember() {
  me = session ? await ask(`${path}/member`).catch(() => null) : null;
  shown.forEach(showActs);
  showForm();
}

function showForm() {
  byId("chatForm").hidden = !session || me?.can_write === false;
  byId("chatLogin").hidden = Boolean(session) || room?.chat === "closed";
  byId("chatNote").textContent = note();
}

/** Say what is not as usual in this chat. */
function note() {
  if (me?.banned_until) return words.muted.replace("{}", new Date(me.banned_until).toLocaleString(document.documentElement.lang));
  if (room?.chat === "closed" && !me?.can_write) return words.codeChatClosed;
  if (room?.chat === "followers" && !me?.can_write) return words.codeFollowersOnly;
  if (room?.slow_seconds && !me?.can_moderate) return words.slow.replace("{}", room.slow_seconds);
  return "";
}

async function act(method, place, body, after = () => {}) {
  tell("");
  try {
    await ask(path + place, {}, { method, body });
    after();
  } catch (problem) {
    tell(problem.message);
  }
}

byId("chatForm").addEventListener("submit", async (event) => {
  event.preventDefault();
  const [field, button] = [byId("chatText"), byId("chatSend")];
  const body = { text: field.value, color: byId("color").value };
  if (button.disabled) return;
  button.disabled = true;
  tell("");
  try {
    add([await ask(`${path}/messages`, {}, { method: "POST", body })]);
    list.scrollTop = list.scrollHeight;
    if (field.value === body.text) field.value = ""; // they may be writing the next one
  } catch (problem) {
    tell(problem.message); // what was written stays
    if (problem.status === 403) readMember();
  } finally {
    button.disabled = false;
  }
});

byId("chatLogin").addEventListener("click", async () => { if (await logIn()) byId("chatText").focus(); });
byId("newest").addEventListener("click", () => {
  list.scrollTop = list.scrollHeight;
  byId("newest").hidden = true;
});
