// The videos of the page /account: what has become of each, and what their owner may do with it.
import { ask, byId, wordFor, words } from "./api.js";
import { videoAddress } from "./account_upload.js";
import { show } from "./dialog.js";
import { entry } from "./entry.js";
import { compact, duration } from "./formats.js";
import { fillList } from "./list.js";
import { sendFile } from "./tus.js";

const LOOKS = [1, 2, 3, 5, 8, 13, 21, 34]; // seconds between two looks at what the worker has done

/** Show your videos, the newest first. */
export const showVideos = () => fillList(byId("videosPart"), { path: "/me/videos", show: (video) => entry(video, describe) });

function describe(video) {
  const path = `/videos/${video.id}`;
  const isOpen = video.visibility === "public"; // an <img> sends no token, so others have letters
  return {
    thumb: {
      id: video.id,
      title: video.title,
      picture: isOpen && video.thumbnail_url,
      badge: video.duration_ms === null ? "" : duration(video.duration_ms),
    },
    title: video.title,
    href: videoAddress(video),
    marks: [wordFor("state", video.visibility), !video.stream_url && words.noFile],
    time: video.created_at,
    text: video.hidden_reason ? words.hiddenReason.replace("{}", () => video.hidden_reason) : "",
    facts: [
      [words.views, compact(video.view_count)], [words.likes, compact(video.like_count)],
      [words.comments, compact(video.comment_count)], [words.danmaku, compact(video.danmaku_count)],
    ],
    acts: [
      ...(video.stream_url ? [] : [["file", (item) => addFile(item, path, video)]]),
      ["edit", () => change(path, video)],
      ["delete", async () => {
        if (!(await show(words.actDelete, { text: `${video.title}\n${words.cannotBeUndone}` }))) return undefined;
        await ask(path, {}, { method: "DELETE" });
        return null;
      }],
    ],
    begin: (item) => { if (video.stream_url && !video.thumbnail_url) follow(item, path); },
  };
}

async function change(path, { title, description, visibility }) {
  const fields = ["title", "description", ...(visibility === "hidden" ? [] : ["visibility"])];
  const values = { title, description, ...(visibility !== "hidden" && { visibility }) };
  const said = await show(words.actEdit, { fields, needed: ["title"], values });
  if (!said) return undefined;
  const body = Object.fromEntries(fields.map((name) => [name, name === "title" ? said[name].value.trim() : said[name].value]));
  return ask(path, {}, { method: "PATCH", body });
}

/** Choose a file for a video that has none, and send it. */
async function addFile(item, path, { id }) {
  const chosen = await choose();
  if (!chosen) return undefined;
  const place = item.querySelector(".progress");
  await sendFile(chosen, { video_id: String(id) }, {
    tell: (count) => { place.textContent = words.sent.replace("{}", `${Math.floor(100 * count / chosen.size)} %`); },
  });
  return ask(path);
}

function choose() {
  const input = Object.assign(document.createElement("input"), { type: "file", accept: "video/*" });
  return new Promise((resolve) => {
    input.onchange = () => resolve(input.files[0]);
    input.oncancel = () => resolve(null);
    input.click();
  });
}

/** Tell what the worker does with a new file, until it has done it. */
async function follow(item, path) {
  const place = item.querySelector(".progress");
  for (const seconds of LOOKS) {
    const job = (await ask(`${path}/jobs`).catch(() => ({ items: [] }))).items.at(-1);
    if (!job || !item.isConnected && seconds > 1) return;
    if (job.state === "done") {
      const video = await ask(path).catch(() => null);
      if (video?.thumbnail_url && item.ariaBusy !== "true") item.replaceWith(entry(video, describe));
      else place.textContent = "";
      return;
    }
    place.textContent = words[job.state === "failed" ? "processingFailed" : "processing"].replace("{}", () => job.last_error);
    if (job.state === "failed") return;
    await new Promise((resolve) => { setTimeout(resolve, seconds * 1000); });
  }
}
