// A view counts after three seconds of watching, and at the end of a shorter video.

/** Call send() once, when a view of what the player shows counts. */
export function countView(player, send) {
  let watched = 0, last = 0, isCounted = false;
  const count = () => {
    if (isCounted) return;
    isCounted = true;
    send().catch(() => {}); // the viewer need not see it if this fails
  };
  player.addEventListener("timeupdate", () => {
    const step = player.currentTime - last; // a large step is a jump, which does not count as watching
    if (step > 0 && step < 1) watched += step;
    last = player.currentTime;
    if (watched >= 3) count();
  });
  player.addEventListener("ended", count);
}
