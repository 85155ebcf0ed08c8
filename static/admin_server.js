// The parts of the page /admin about the server: the jobs of the worker, the audit log, and slow queries.
import { personLink, videoLink } from "./admin_entry.js";
import { fillList, setField } from "./list.js";
import { ask, language, wordFor, words } from "./api.js";
import { entry, instant } from "./entry.js";

export const showJobs = (place) => fillList(place, { path: "/admin/jobs", show: (job) => entry(job, describeJob) });

function describeJob(job) {
  const retry = ["retry", () => ask(`/admin/jobs/${job.id}/retry`, {}, { method: "POST" })];
  return {
    title: `${job.kind} ${job.id}`,
    marks: [wordFor("state", job.state)],
    time: job.created_at,
    facts: [
      [words.onVideo, videoLink(job.video_id)],
      [words.tries, String(job.tries)],
      [words.lastError, job.last_error],
      [words.endedAt, instant(job.ended_at)],
    ],
    acts: job.state === "running" ? [] : [retry],
  };
}

export function showLogs(place, { value }) {
  setField(place, "actor", value);
  return fillList(place, { path: "/admin/logs", show: (log) => entry(log, describeLog) });
}

function describeLog(log) {
  const details = Object.keys(log.details ?? {}).length ? JSON.stringify(log.details) : "";
  return {
    title: log.action,
    time: log.created_at,
    facts: [
      [words.who, log.actor ? personLink(log.actor) : log.actor_id],
      [words.what, log.object_id],
      [words.details, details],
      [words.address, log.address],
      [words.request, log.request_id],
    ],
  };
}

export const showQueries = (place) => fillList(place, { path: "/admin/queries", show: (query) => entry(query, describeQuery) });

function describeQuery(query) {
  return {
    title: query.name,
    time: query.last_at,
    facts: [
      [words.longest, `${query.max_ms.toLocaleString(language)} ms`],
      [words.runs, query.runs.toLocaleString(language)],
      [words.first, instant(query.first_at)],
    ],
  };
}
