// The parts of the page /admin about what people report and make: reports, comments, danmaku, videos and live rooms.
import { askFor } from "./admin_dialog.js";
import { accountPath, personLink, untilDone, videoLink } from "./admin_entry.js";
import { fillList, setField } from "./list.js";
import { ask, copy, wordFor, words } from "./api.js";
import { entry } from "./entry.js";
import { counted, duration } from "./formats.js";

const put = (path, body) => ask(path, {}, { method: "PUT", body });
const remove = (path) => ask(path, {}, { method: "DELETE" });
const reported = (count) => (count ? counted(count, words.timesReported, words.timesReportedMany) : "");

// Reports

export const showReports = (place) => fillList(place, { path: "/admin/reports", show: (report) => entry(report, describeReport) });

function describeReport(report) {
  const isOpen = report.state === "open";
  return {
    title: wordFor("kind", report.kind),
    marks: [reported(report.report_count), wordFor("state", report.thing_state), wordFor("decided", report.decision)],
    time: report.last_at ?? report.created_at,
    text: report.text ?? "",
    facts: [
      [words.lastReason, report.last_reason],
      [words.author, personLink(report.author)],
      [words.onVideo, report.video_title === null ? null : videoLink(report.video_id, report.video_title)],
      [words.note, report.note],
    ],
    acts: [
      ...(isOpen ? decisions(report).map((decision) => [decision, () => decide(report, decision)]) : []),
      ["reasons", (item) => showReasons(item, report)],
    ],
  };
}

function decisions({ kind, thing_state: state, author }) {
  const isThing = !["message", "user"].includes(kind) && state !== "gone";
  return ["reject", ...(isThing ? ["hide", "delete"] : []), ...(author ? ["warn", "ban"] : [])];
}

async function decide(report, decision) {
  const fields = { warn: ["note"], ban: ["note", "days"], hide: ["note"], delete: ["note"] }[decision] ?? [];
  const needed = ["warn", "ban"].includes(decision) ? ["note"] : [];
  const text = decision === "delete" ? words.cannotBeUndone : "";
  const said = await askFor(wordFor("act", decision), { fields, needed, text });
  if (!said) return undefined;
  const until = decision === "ban" && said.until ? { until: said.until } : {};
  return put(`/admin/reports/${report.id}/decision`, { decision, note: fields.length ? said.note : "", ...until });
}

/** Show the single reports of a thing below it, or hide them again. */
function showReasons(item, report) {
  const inside = item.querySelector(".inside");
  if (inside.firstChild) return inside.replaceChildren();
  inside.append(copy("nested"));
  return void fillList(inside.firstChild, {
    path: `/admin/reports/${report.id}/reasons`,
    show: (one) => entry(one, () => ({
      title: one.username ?? words.nobody,
      time: one.created_at,
      text: one.reason,
      facts: one.text === report.text ? [] : [[wordFor("kind", report.kind), one.text]],
    })),
  });
}

// Comments, danmaku and videos

function fillThings(place, { value }, kind, describe) {
  setField(place, "author", value);
  return fillList(place, {
    path: `/admin/${kind}`,
    show: (thing) => entry(thing, describe),
    head: ({ author }) => (author ? [entry({ author }, () => describeAll(author, kind))] : []),
  });
}

/** The entry above a list, for everything that one person has made. */
function describeAll(author, kind) {
  return { title: words.everythingBy.replace("{}", () => author), acts: changes(author, [kind]) };
}

/** Return the buttons that change all that a person has made, of these kinds. */
export function changes(name, kinds) {
  return [["hideAll", "hidden"], ["restoreAll", "visible"], ["deleteAll", "deleted"]].map(([act, state]) => [act, async (item) => {
    const fields = kinds.length > 1 ? ["note", "kinds"] : ["note"];
    const said = await askFor(wordFor("act", act), { fields, text: state === "deleted" ? words.cannotBeUndone : "" });
    const chosen = kinds.length > 1 ? said?.kinds : kinds;
    if (!said || !chosen.length) return;
    const call = () => put(`${accountPath(name)}/content`, { kinds: chosen, state, note: said.note });
    const isDone = await untilDone(item, call, (sums) => sums.comments + sums.danmaku + sums.videos);
    if (isDone && kinds.length === 1) item.closest(".part").querySelector("[role=search]").requestSubmit(); // the list below
  }]);
}

/** Return the acts by which a thing is hidden and restored. */
function hiding(path, thing, { reason } = {}) {
  if (thing.state === "hidden") return [["restore", async () => ({ ...thing, state: "visible", ...(await remove(`${path}/hidden`)) })]];
  if (thing.state !== "visible") return [];
  return [["hide", async () => {
    const said = reason ? await askFor(words.actHide, { fields: ["note"] }) : {};
    if (!said) return undefined;
    await put(`${path}/hidden`, reason && { reason: said.note });
    return { ...thing, state: "hidden", hidden_reason: said.note };
  }]];
}

/** Return the act by which a thing is deleted. */
function deleting(path) {
  return [["delete", async () => {
    if (!(await askFor(words.actDelete, { text: words.cannotBeUndone }))) return undefined;
    await remove(path);
    return null;
  }]];
}

function describeComment(comment) {
  const approving = [["approve", async () => {
    await put(`/comments/${comment.id}/approval`);
    return { ...comment, state: "visible" };
  }]];
  return {
    title: comment.username ?? words.nobody,
    href: comment.username ? personLink(comment.username).href : undefined,
    marks: [wordFor("state", comment.state), reported(comment.report_count)],
    time: comment.created_at,
    text: comment.text,
    facts: [[words.onVideo, videoLink(comment.video_id, comment.video_title)]],
    acts: [
      ...(comment.state === "pending" ? approving : []),
      ...hiding(`/admin/comments/${comment.id}`, comment),
      ...deleting(`/comments/${comment.id}`),
    ],
  };
}

function describeDanmaku(danmaku) {
  return {
    title: danmaku.username ?? words.nobody,
    href: danmaku.username ? personLink(danmaku.username).href : undefined,
    marks: [wordFor("state", danmaku.state), reported(danmaku.report_count)],
    time: danmaku.created_at,
    text: danmaku.text,
    facts: [[`${words.onVideo} ${duration(danmaku.time * 1000)}`, videoLink(danmaku.video_id, danmaku.video_title)]],
    acts: [...hiding(`/admin/danmaku/${danmaku.id}`, danmaku), ...deleting(`/danmaku/${danmaku.id}`)],
  };
}

function describeVideo(video) {
  const thing = { state: video.visibility === "hidden" ? "hidden" : "visible", ...video };
  const path = `/admin/videos/${video.id}`;
  return {
    title: video.title,
    href: videoLink(video.id).href,
    marks: [wordFor("state", thing.state), reported(video.report_count)],
    time: video.created_at,
    text: video.description,
    facts: [[words.author, personLink(video.username)], [words.reason, thing.state === "hidden" ? video.hidden_reason : ""]],
    acts: [...hiding(path, thing, { reason: true }), ...deleting(path)],
  };
}

export const showComments = (place, where) => fillThings(place, where, "comments", describeComment);
export const showDanmaku = (place, where) => fillThings(place, where, "danmaku", describeDanmaku);
export const showVideos = (place, where) => fillThings(place, where, "videos", describeVideo);

// Live rooms

export function showRooms(place, { value }) {
  setField(place, "author", value);
  return fillList(place, { path: "/admin/live", show: (room) => entry(room, describeRoom) });
}

function describeRoom(room) {
  const path = `/admin/live/${room.id}/closed`;
  const closing = ["close", async () => {
    const said = await askFor(words.actClose, { fields: ["note"], needed: ["note"] });
    return said && { ...room, ...(await put(path, { reason: said.note })), closed_reason: said.note };
  }];
  const opening = ["open", async () => {
    await remove(path);
    return { ...room, closed_reason: null };
  }];
  return {
    title: room.title,
    marks: [room.is_live && words.stateLive, room.closed_reason !== null && words.stateClosed],
    time: room.created_at,
    facts: [
      [words.author, personLink(room.username)],
      [words.viewers, room.is_live ? String(room.viewer_count) : ""],
      [words.reason, room.closed_reason],
    ],
    acts: [room.closed_reason === null ? closing : opening],
  };
}
