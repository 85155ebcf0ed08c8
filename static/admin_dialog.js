// The dialog of the page /admin, which asks before something is done: why, for how long, and what else it needs.
import { byId, words } from "./api.js";

const dialog = byId("sure");
const form = byId("sureForm");
const DAY = 24 * 60 * 60 * 1000; // milliseconds

/** Ask, and return what was said; undefined if it was cancelled.
 *
 *  `fields` are the names of what is asked; those in `needed` must be filled in. `values` is what the form shows at first. */
export function askFor(heading, { text = "", label = words.readByAuthor, fields = [], needed = [], values = {} } = {}) {
  form.reset();
  byId("sureHeading").textContent = byId("sureYes").textContent = heading;
  byId("sureText").textContent = text;
  byId("noteLabel").textContent = label;
  for (const place of form.querySelectorAll("[data-field]")) {
    place.hidden = !fields.includes(place.dataset.field);
    for (const input of place.querySelectorAll("input, select, textarea")) {
      input.required = needed.includes(input.name);
      input.disabled = place.hidden;
    }
  }
  for (const [name, value] of Object.entries(values)) form.elements[name].value = value ?? "";
  showDate();
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes" ? read() : undefined), { once: true });
  });
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
