// The page /account:
//   /account                 register, or with a session: upload, your videos, your sessions
//   /account#forgot          ask for a mail with a link
//   /account#reset=TOKEN     our mails link here, and to #verify=TOKEN, with &account=NAME
// Nothing is sent before the user presses a button, as mail scanners open links too. The token is removed from the address
// bar, and so from the history.
import { showSessions } from "./account_sessions.js";
import { prepareUpload } from "./account_upload.js";
import { showVideos } from "./account_videos.js";
import { ask, begin, byId, end, onSession, session, words } from "./api.js";
import { bytes } from "./entry.js";
import "./frame.js";
import { logIn } from "./login.js";

const VIEWS = ["reset", "verify", "forgot", "register", "mine"];
let purpose = null, token;

function open() {
  const asked = new URLSearchParams(location.hash.slice(1));
  purpose = ["reset", "verify"].find((name) => asked.get(name)) ?? (asked.has("forgot") ? "forgot" : null);
  token = asked.get(purpose);
  if (token) history.replaceState(null, "", location.pathname + location.search);
  for (const line of document.querySelectorAll(".whose")) {
    line.querySelector("bdi").textContent = asked.get("account") ?? "";
    line.hidden = !asked.get("account");
  }
  if (purpose) show(purpose);
  else showOwn();
}

/** Show one of the forms, or what is yours; with null only the result. */
function show(name, result = "") {
  for (const view of VIEWS) byId(view).hidden = view !== name;
  byId("result").hidden = !result;
  byId("result").textContent = result;
  if (purpose || result) (byId(name ?? "result").querySelector("input") ?? byId("result")).focus();
}

/** Show what is yours; without a session, how to get one. */
async function showOwn() {
  if (!session) return show("register");
  show("mine");
  byId("hello").textContent = session.user.username;
  prepareUpload(showVideos);
  for (const part of document.querySelectorAll(".part")) part.hidden = false;
  showVideos();
  showSessions();
  const used = session;
  const account = await ask("/me").catch(() => null);
  if (!account || session !== used) return;
  const email = account.email && `${account.email}${account.is_email_verified ? "" : ` (${words.notProven})`}`;
  const room = words.room.replace("{}", () => bytes(account.used_bytes));
  byId("about").textContent = [email, room].filter(Boolean).join(" · ");
}

/** Send a form, and do what comes after it. */
async function send(form, work) {
  const [button, error] = [form.querySelector("button"), form.querySelector(".error")];
  button.disabled = true;
  error.textContent = "";
  try {
    await work(form.elements);
  } catch (problem) {
    if (problem.status !== 410) error.textContent = problem.message;
    else show(purpose = purpose === "reset" ? "forgot" : null, words.linkOver);
  } finally {
    button.disabled = false;
  }
}

const post = (path, body) => ask(path, {}, { method: "POST", body, isAnonymous: true });

const actions = {
  async reset({ new_password }) {
    await post("/auth/password/reset", { token, new_password: new_password.value });
    if (session) end(); // all sessions have ended
    purpose = null;
    show(null, words.passwordSet);
  },
  async verify({ current }) {
    await post("/auth/email/verify", { token, password: current.value });
    purpose = null;
    show(null, words.emailProven);
  },
  async forgot({ account }) {
    await post("/auth/password/forgot", { username: account.value });
    show(null, words.mailSent);
  },
  async register({ name, email, secret }) {
    const account = { username: name.value.trim(), password: secret.value };
    const made = await post("/auth/register", { ...account, ...(email.value && { email: email.value.trim() }) });
    if (made.is_waiting) show(null, words.mustWait);
    else begin(await post("/auth/login", account));
    byId("register").reset();
  },
};
for (const [name, work] of Object.entries(actions)) {
  byId(name).addEventListener("submit", (event) => {
    event.preventDefault();
    send(byId(name), work);
  });
}
for (const box of document.querySelectorAll(".reveal")) { // show the password
  box.addEventListener("change", () => { box.form.querySelector("[autocomplete=new-password]").type = box.checked ? "text" : "password"; });
}
byId("known").addEventListener("click", logIn);
addEventListener("hashchange", open);
onSession(() => {
  if (purpose === "forgot") purpose = null; // somebody has remembered the password
  if (!purpose) showOwn();
});
open();
