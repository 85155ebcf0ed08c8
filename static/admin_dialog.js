// What the dialog of the page /admin asks: why, for how long, and what else is needed.
import { byId, words } from "./api.js";
import { show } from "./dialog.js";

const form = byId("sureForm");
const DAY = 24 * 60 * 60 * 1000; // milliseconds

/** Ask, and return what was said; undefined if it was cancelled. `label` is that of the note; the others are for show(). */
export async function askFor(heading, { label = words.readByAuthor, ...asked } = {}) {
  byId("noteLabel").textContent = label;
  const answer = show(heading, asked);
  showDate();
  return (await answer) && read();
}

/** The date is asked only for a ban until a date. */
function showDate() {
  const { days, date } = form.elements;
  const isAsked = !days.disabled && days.value === "date";
  date.closest("label").hidden = !isAsked;
  date.disabled = !isAsked;
  date.required = isAsked;
  date.min = new Date(Date.now() + DAY).toISOString().slice(0, 10);
}
form.addEventListener("change", showDate);

function read() {
  const { note, days, date, keep, kinds, role, quota, action, into } = form.elements;
  return {
    note: note.value.trim(),
    until: days.value === "date" ? new Date(`${date.value}T00:00`).toISOString() : days.value && new Date(Date.now() + days.value * DAY).toISOString(),
    keep: keep.checked,
    kinds: [...kinds].filter((one) => one.checked).map((one) => one.value),
    role: role.value,
    quota: quota.value,
    action: action.value,
    into: into.value.trim(),
  };
}
