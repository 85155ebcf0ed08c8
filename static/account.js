// The page that our mails link to: #reset=<token>&account=<name>, or #verify=... Nothing is sent before the user presses a
// button, as mail scanners open links too. The token is removed from the address bar, and so from the history.
const api = document.body.dataset.api;
const [forms, result] = [document.forms, document.getElementById("result")];
let purpose, token;

function begin() {
  const asked = new URLSearchParams(location.hash.slice(1));
  purpose = ["reset", "verify"].find((name) => asked.get(name)) ?? "forgot";
  token = asked.get(purpose);
  history.replaceState(null, "", location.pathname);
  for (const line of document.querySelectorAll(".account")) {
    line.querySelector("bdi").textContent = asked.get("account") ?? "";
    line.hidden = !asked.get("account");
  }
  show(purpose, "");
}

function show(id, text) {
  for (const form of forms) form.hidden = form.id !== id;
  result.textContent = text;
  (forms[id]?.querySelector("input") ?? forms[id]?.querySelector("button") ?? result).focus();
}

/** Send a form, show the result, and show the next form. */
async function send(form, path, body, done) {
  const button = form.querySelector("button");
  button.disabled = true;
  result.textContent = "…";
  try {
    const answer = await fetch(api + path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    if (answer.ok) return show(null, done);
    const problem = await answer.json();
    const text = [problem.detail, ...Object.values(problem.errors ?? {})].join(" ");
    if (answer.status === 410) return show(purpose === "reset" ? "forgot" : null, `这个链接已失效。 · ${text}`);
    result.textContent = `没有成功。 · ${text}`;
  } catch {
    result.textContent = "连接不上服务器，请再试一次。 · The server cannot be reached: try again.";
  } finally {
    button.disabled = false;
  }
}

const actions = {
  reset: (form) => send(form, "/password/reset", { token, new_password: form.password.value },
    "密码已设置，请用它登录；所有设备都已退出。 · Your password is set: log in with it. All devices are logged out."),
  verify: (form) => send(form, "/email/verify", { token, password: form.current.value },
    "邮箱已确认。 · Your e-mail address is confirmed."),
  forgot: (form) => send(form, "/password/forgot", { username: form.username.value },
    "如果有这个账号，也有邮箱，邮件已经发出；链接一小时内有效。 · If there is such an account, and it has an address, a mail is on its way. Its link works for an hour."),
};
for (const form of forms) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    actions[form.id](form);
  });
}
document.getElementById("show").addEventListener("change", (event) => {
  forms.reset.password.type = event.target.checked ? "text" : "password";
});
addEventListener("hashchange", begin);
begin();
