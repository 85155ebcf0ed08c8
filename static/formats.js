// How the pages /watch and /admin write numbers, times and links.
import { language, now, page } from "./api.js";

/** 65000 -> 1:05; with hours 1:01:05. */
export function duration(milliseconds) {
  const seconds = Math.round(milliseconds / 1000);
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  if (!parts[0]) parts.shift();
  return parts.map((part, n) => (n ? String(part).padStart(2, "0") : part)).join(":");
}

/** Show how long ago something was (3 days ago; 3天前), and in the tooltip when. */
export function showAge(time, instant) {
  time.textContent = age(instant);
  time.dateTime = instant;
  time.title = new Date(instant).toLocaleString(language);
}

function age(instant) {
  const format = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
  let amount = Math.min(0, new Date(instant) - now()) / 1000;
  for (const [unit, size] of [["second", 60], ["minute", 60], ["hour", 24], ["day", 30.4], ["month", 12]]) {
    if (Math.abs(amount) < size) return format.format(Math.trunc(amount), unit);
    amount /= size;
  }
  return format.format(Math.trunc(amount), "year");
}

/** 1234 -> 1.2K. */
export const compact = (count) => new Intl.NumberFormat(language, { notation: "compact" }).format(count);

/** Write a count: "{} view" for one, "{} views" for others. */
export const counted = (count, one, many) => (count === 1 ? one : many).replace("{}", compact(count));

/** Return a link to this page, or to another one, in the chosen language. */
export function linkTo(parameters, path = page.pathname) {
  const url = new URL(path, page);
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  if (page.searchParams.has("lang")) url.searchParams.set("lang", page.searchParams.get("lang"));
  return url;
}
