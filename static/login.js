// The login of the pages: the buttons in the header, and the dialog.
import { ask, begin, byId, end, onSession, session } from "./api.js";

const dialog = byId("login");
const form = byId("loginForm");

/** Ask for a login unless there is one. Return whether there is one then. */
export function logIn() {
  if (session) return Promise.resolve(true);
  byId("loginError").textContent = byId("password").value = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(Boolean(session)), { once: true });
  });
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const [button, error] = [byId("loginButton"), byId("loginError")];
  const body = { username: byId("username").value.trim(), password: byId("password").value };
  button.disabled = true;
  error.textContent = "";
  try {
    begin(await ask("/auth/login", {}, { method: "POST", body }));
    dialog.close();
  } catch (problem) {
    error.textContent = problem.message;
  } finally {
    button.disabled = false;
  }
  if (dialog.open) byId("password").select();
});

byId("cancelLogin").addEventListener("click", () => dialog.close());
addEventListener("hashchange", () => dialog.close()); // one of its links, on the page /account
dialog.addEventListener("close", () => { byId("password").value = ""; });
byId("enter").addEventListener("click", logIn);

byId("leave").addEventListener("click", async () => {
  await ask("/auth/logout", {}, { method: "POST" }).catch(() => {}); // without the server, this tab forgets it all the same
  end();
  location.reload(); // so that nothing of theirs stays on the screen
});

function show(reason = "") {
  byId("enter").hidden = Boolean(session);
  byId("me").hidden = !session;
  byId("myName").textContent = session?.user.username ?? "";
  byId("sessionNote").textContent = reason;
}
onSession(show);
show();
