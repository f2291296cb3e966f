// Keys of the review, and pictures loaded in advance.
"use strict";

const TYPING = "input, textarea, select, [contenteditable=true], [role=dialog], [role=listbox], [role=menu]";
const PRESSED = "button, a, summary, [role=button]"; // the space bar presses these
const MOST_TILES = 30;

/** Tell the page which of these keys was pressed, unless somebody types. */
window.sightline.listen = (keys) => {
  if (window.sightline.listening) return;
  window.sightline.listening = true;
  const known = new Set(keys);
  const heard = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.(TYPING)) return;
    if (document.querySelector(".q-dialog")) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (!known.has(key) || (key === " " && event.target.closest?.(PRESSED))) return;
    if (key === "ArrowRight" && event.target.closest?.(".viewer")) return; // it moves the picture
    if (key === " " && event.target.matches?.(".viewer:not([data-tool=move]) .viewer-stage")) return; // it draws
    event.preventDefault();
    event.stopPropagation(); // the viewer has other uses for some of them
    if (!event.repeat) emitEvent("review-key", key);
  };
  document.addEventListener("keydown", heard, true);
};

/** Have the browser keep the tiles of a picture that will be shown whole, as the viewer asks for them. */
window.sightline.preload = async (digest) => {
  const path = `/pictures/${digest}/tiles`;
  const { width, height, side, levels } = await window.sightline.ask("GET", path);
  const stage = document.querySelector(".viewer-stage");
  if (!stage) return;
  const shown = Math.min(stage.clientWidth / width, stage.clientHeight / height) * (window.devicePixelRatio || 1);
  const level = Math.max(0, Math.min(levels - 1, Math.floor(-Math.log2(shown))));
  const count = (length) => Math.ceil(length / (side * 2 ** level));
  let left = MOST_TILES;
  for (let row = 0; row < count(height); row++)
    for (let column = 0; column < count(width) && left-- > 0; column++)
      new Image().src = `/api/v1${path}/${level}/${column}/${row}`;
};
