// The part of the page /admin about people: bans, and for admins roles and quotas.
import { askFor } from "./admin_dialog.js";
import { accountPath, partLink } from "./admin_entry.js";
import { fillList, setField } from "./list.js";
import { changes } from "./admin_things.js";
import { ask, wordFor, words } from "./api.js";
import { bytes, entry, instant } from "./entry.js";

const GIB = 2 ** 30;
const FOR_GOOD = "9999-12-31"; // the end of a ban without an end begins so

export function showPeople(place, { value, role }) {
  setField(place, "q", value);
  const form = place.querySelector("[role=search]");
  const others = [form.elements.role, form.elements.is_banned];
  const update = () => { for (const one of others) one.disabled = Boolean(form.elements.q.value.trim()); }; // by name takes no other filter
  form.elements.q.oninput = update;
  update();
  return fillList(place, { path: "/admin/users", show: (account) => entry(account, (one) => describe(one, role)) });
}

/** The accounts that wait for approval, for admins. */
export const showRegistrations = (place) => fillList(place, { path: "/admin/registrations", show: (account) => entry(account, describeWaiting) });

function describeWaiting(account) {
  const path = `/admin/registrations/${encodeURIComponent(account.username)}`;
  const refuse = async () => {
    const said = await askFor(words.actRefuse, { text: `${account.username}: ${words.cannotBeUndone}` });
    return said && ask(path, {}, { method: "DELETE" });
  };
  return {
    title: account.username,
    facts: [[words.since, instant(account.created_at)], [words.email, account.email], [words.proven, account.email && (account.is_email_verified ? words.yes : words.no)]],
    acts: [["approve", () => ask(`${path}/approval`, {}, { method: "PUT" }).then(() => null)], ["refuse", refuse]],
  };
}

function describe(account, role) {
  const quota = account.quota_bytes === null ? words.defaultQuota : bytes(account.quota_bytes);
  const end = account.banned_until?.startsWith(FOR_GOOD) ? words.forGood : instant(account.banned_until);
  return {
    title: account.username,
    marks: [wordFor("role", account.role), account.is_banned && words.stateBanned, account.visibility === "hidden" && words.stateHidden, account.visibility === "waiting" && words.stateWaiting],
    facts: [
      [words.until, account.is_banned ? end : ""],
      [words.reason, account.is_banned ? account.ban_reason : ""],
      [words.since, instant(account.created_at)],
      [words.email, account.email],
      [words.room, words.roomOf.replace("{}", bytes(account.used_bytes)).replace("{}", quota)],
      ...["comments", "danmaku", "videos"].map((part) => ["", partLink(wordFor("to", part), part, account.username)]),
    ],
    acts: [
      account.is_banned ? ["unban", () => ask(`${accountPath(account.username)}/ban`, {}, { method: "DELETE" })] : ["ban", () => ban(account)],
      ...changes(account.username, ["comments", "danmaku", "videos"]),
      ...(role === "admin" ? [["role", () => setRole(account)], ["quota", () => setQuota(account)]] : []),
    ],
  };
}

const put = (account, what, body) => ask(`${accountPath(account.username)}/${what}`, {}, { method: "PUT", body });

async function ban(account) {
  const said = await askFor(words.actBan, { fields: ["note", "days", "keep"], needed: ["note"], text: account.username, label: words.readByPerson });
  return said && put(account, "ban", { reason: said.note, until: said.until || null, keep_videos: said.keep });
}

async function setRole(account) {
  const said = await askFor(words.actRole, { fields: ["role"], text: account.username, values: { role: account.role } });
  return said && put(account, "role", { role: said.role });
}

async function setQuota(account) {
  const quota = account.quota_bytes === null ? "" : account.quota_bytes / GIB;
  const said = await askFor(words.actQuota, { fields: ["quota"], text: account.username, values: { quota } });
  return said && put(account, "quota", { quota_bytes: said.quota === "" ? null : Math.round(said.quota * GIB) });
}
