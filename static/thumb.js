// The picture of a video, a room or an entry, with its first letters behind it.

/** Fill the element .thumb of an item. `badge` is the text in its corner. */
export function fillThumb(item, { id, title, picture, badge = "" }) {
  const place = item.querySelector(".thumb");
  place.dataset.hue = id % 6;
  place.querySelector(".letters").textContent = [...title].slice(0, 2).join("");
  const image = place.querySelector("img");
  image.onerror = () => image.remove(); // then the letters behind it show
  if (picture) image.src = picture;
  else image.remove();
  place.querySelector(".badge").textContent = badge;
}
