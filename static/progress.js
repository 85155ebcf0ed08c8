// How far the viewer of /watch has come: the player begins there, and tells the API while there is a session.
import { ask, link, session } from "./api.js";

const EVERY = 5000; // milliseconds

export function keepProgress(player, video) {
  let lastTime = 0, lastPosition = null; // when something was sent, and what
  const put = () => {
    const position = Math.round(player.currentTime * 1000);
    if (!session || !lastTime || position === lastPosition) return;
    [lastTime, lastPosition] = [Date.now(), position];
    // With keepalive it arrives although the page is closed. The viewer need not see it if it fails.
    const options = { method: "PUT", body: { position_ms: position }, keepalive: true };
    ask(`/videos/${video.id}/progress`, { token: link.token }, options).catch(() => {});
  };
  player.addEventListener("loadedmetadata", () => {
    if (video.progress_ms && !player.currentTime) player.currentTime = video.progress_ms / 1000;
  }, { once: true });
  player.addEventListener("playing", () => { lastTime ||= Date.now(); });
  player.addEventListener("timeupdate", () => { if (!player.paused && Date.now() - lastTime >= EVERY) put(); });
  for (const name of ["pause", "ended"]) player.addEventListener(name, put);
  document.addEventListener("visibilitychange", () => { if (document.visibilityState === "hidden") put(); });
  addEventListener("pagehide", put);
}
