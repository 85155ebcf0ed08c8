// The dialog of the pages /admin and /account, which asks before something is done, and for what is needed to do it.
import { byId } from "./api.js";

const dialog = byId("sure");
const form = byId("sureForm");

/** Ask, and return the fields of the form; undefined if it was cancelled.
 *
 *  `fields` are the names of what is asked; those in `needed` must be filled in. `values` is what the form shows at first. */
export function show(heading, { text = "", fields = [], needed = [], values = {} } = {}) {
  form.reset();
  byId("sureHeading").textContent = byId("sureYes").textContent = heading;
  byId("sureText").textContent = text;
  for (const place of form.querySelectorAll("[data-field]")) {
    place.hidden = !fields.includes(place.dataset.field);
    for (const input of place.querySelectorAll("input, select, textarea")) {
      input.required = needed.includes(input.name);
      input.disabled = place.hidden;
    }
  }
  for (const [name, value] of Object.entries(values)) form.elements[name].value = value ?? "";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes" ? form.elements : undefined), { once: true });
  });
}
