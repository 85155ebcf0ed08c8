// The calls of the pages to the API: the signed link, the session, and errors as sentences for the viewer.
export const page = new URL(location);
export const language = document.documentElement.lang;
export const words = document.getElementById("words").dataset; // the page's texts in this language
export const byId = (id) => document.getElementById(id);

/** Return a copy of what is in a template. */
export const copy = (id) => byId(id).content.cloneNode(true).firstElementChild;

/** Return the page's text for a value of the API: for "code" and "too_late" that of data-code-too-late, if there is one. */
export const wordFor = (kind, value) => words[kind + `_${value}`.replace(/[^a-z]+([a-z]?)/gi, (_, letter) => letter.toUpperCase())];

/** Its token opens a private video. It goes along with each request about the video; see ask(). */
export const link = { token: new URLSearchParams(page.hash.slice(1)).get("token") };

const KEPT = "session"; // in sessionStorage, which ends with the tab

/** The session: { token, user }, or null. begin() and end() change it. */
export let session = read();
let clock = 0; // milliseconds that the server's clock is ahead of the viewer's

export class Problem extends Error {
  constructor(sentence, status = 0, code = null) {
    super(sentence);
    Object.assign(this, { status, code, isPassing: !status || status === 429 || status >= 500 });
  }
}

/** Return the time of the server, which decides how long a comment may be changed. */
export const now = () => Date.now() + clock;

/** Call the API. Return the JSON, or throw a Problem with a sentence for the viewer. `isAnonymous`: without the session. */
export async function ask(path, parameters = {}, { method = "GET", body, keepalive = false, isAnonymous = false } = {}) {
  const used = isAnonymous ? null : session;
  let answer, result = null;
  try {
    answer = await fetch(address(path, parameters), {
      method,
      keepalive,
      headers: { ...asking(used), ...(body && { "Content-Type": "application/json" }) },
      body: body && JSON.stringify(body),
    });
    const text = await answer.text();
    if (text) result = JSON.parse(text); // 202 and 204 have no body
  } catch { // no answer, or not from our API
    throw new Problem(words.gone);
  }
  const date = Date.parse(answer.headers.get("Date"));
  if (date) clock = date - Date.now();
  if (answer.ok) return result;
  const problem = explain(answer, result, used, path, body);
  if (problem.isOver && method === "GET") return ask(path, parameters); // everybody may read what is public
  throw problem;
}

/** Return the headers that say who asks, and in which language the page is: it may have been chosen by a link. */
export const asking = (used = session) => ({ "Accept-Language": language, ...(used && { Authorization: `Bearer ${used.token}` }) });

/** Return the Problem of an answer, and end the session that was used if it is over. */
export function explain(answer, result, used, path, body) {
  const isOver = Boolean(used) && (answer.status === 401 || result.code === "banned");
  const text = isOver && answer.status === 401 ? words.ended : sentence(answer, result, path, body);
  if (isOver && session === used) end(text); // not if another request has noticed it, or if there is a new session
  return Object.assign(new Problem(text, answer.status, result.code), { isOver });
}

/** Send a change about what the link opens. */
export const send = (method, path, body) => ask(path, { token: link.token }, { method, body });

/** Return an address of the API, with the parameters that have a value. */
export function address(path, parameters = {}) {
  const url = new URL(document.body.dataset.api + path, page);
  for (const [name, value] of Object.entries(parameters)) if (value) url.searchParams.set(name, value);
  return url;
}

/** Say in the viewer's language what is wrong. */
function sentence({ status, headers }, { code, detail, errors = {} }, path, body) {
  const known = wordFor("code", code);
  if (known) return known;
  if (code === "banned") return words.banned.replace("{}", () => detail);
  if (status === 401) return words.wrongPassword;
  if (status === 404) return path.startsWith("/comments/") || body?.parent_id ? words.noComment : words.nothing;
  if (status === 422) return words.invalid.replace("{}", () => Object.values(errors).join(" ") || detail);
  if (status === 429) return words.tooMany.replace("{}", span(Number(headers.get("Retry-After")) || 1));
  if (status === 503) return words.busy;
  return status < 500 && detail ? detail : words.fault;
}

/** 90 -> 90 seconds, 120 -> 2 minutes. */
function span(seconds) {
  const [amount, unit] = seconds >= 120 ? [Math.ceil(seconds / 60), "minute"] : [seconds, "second"];
  return new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "long" }).format(amount);
}

// The session

function read() {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT));
  } catch { // the browser keeps nothing, so a login is for this page alone
    return null;
  }
}

function change(next, text = "") {
  session = next;
  try {
    if (next) sessionStorage.setItem(KEPT, JSON.stringify(next));
    else sessionStorage.removeItem(KEPT);
  } catch { /* see read() */ }
  document.dispatchEvent(new CustomEvent("session", { detail: text }));
}

/** Begin a session with the answer to a login. */
export const begin = ({ token, user }) => change({ token, user: { id: user.id, username: user.username } });

/** Forget the session, and tell why if the viewer has not ended it. */
export const end = (text) => change(null, text);

/** Call a function when a session begins or ends, with the reason if there is one to tell. */
export const onSession = (call) => document.addEventListener("session", ({ detail }) => call(detail));
