// The page /embed/<id>: a player in a frame of another site. It counts a view after three seconds, as /watch does.
const player = document.getElementById("video");
let watched = 0, last = 0, isCounted = false;

function count() {
  if (isCounted) return;
  isCounted = true;
  fetch(player.dataset.views, { method: "POST" }).catch(() => {}); // the viewer need not see it if this fails
}

player?.addEventListener("timeupdate", () => {
  const step = player.currentTime - last; // a large step is a jump, which does not count as watching
  if (step > 0 && step < 1) watched += step;
  last = player.currentTime;
  if (watched >= 3) count();
});
player?.addEventListener("ended", count);
for (const name of ["play", "pause", "ended"]) player?.addEventListener(name, () => player.classList.toggle("playing", !player.paused));
