// A stored picture, loaded in tiles as they come into view.
const MOST_KEPT = 120; // tiles of 1 MB
const AGAIN_MS = 2000;
const TRIES = 5;

export class Pyramid {
  width = 0; // px; 0: not known yet
  height = 0;
  #tiles = new Map(); // key -> {image, ready, tries}; the one used last is the last
  #closed = false;

  /**
   * @param digest of the picture
   * @param changed called when there is something new to draw
   * @param failed called with the reason when there is no such picture
   */
  constructor(digest, changed, failed) {
    this.path = `/pictures/${digest}/tiles`;
    this.changed = changed;
    window.sightline
      .ask("GET", this.path)
      .then((found) => {
        if (this.#closed) return;
        Object.assign(this, found);
        changed();
      })
      .catch((error) => this.#closed || failed(error.message));
  }

  close() {
    this.#closed = true;
    for (const tile of this.#tiles.values()) tile.image.src = "";
    this.#tiles.clear();
  }

  /**
   * Draw what the view shows, from the coarsest level that is here to the one that fits.
   * @param ratio device px for a CSS px
   * @param stretch px of the view's picture for a pixel of this one
   */
  draw(context, view, ratio, stretch = 1) {
    if (!this.width) return;
    const shown = view.scale * ratio * stretch; // device px for a pixel
    const fine = Math.max(0, Math.min(this.levels - 1, Math.floor(-Math.log2(shown))));
    const wanted = new Set();
    for (let level = this.levels - 1; level >= fine; level--) {
      const load = level === fine || level === this.levels - 1;
      context.imageSmoothingEnabled = level > 0 || shown < 1 || stretch > 1;
      for (const place of this.#seen(level, view, stretch)) {
        const key = `${level}/${place.column}/${place.row}`;
        const tile = this.#tiles.get(key) ?? (load ? this.#load(key) : null);
        if (!tile) continue;
        wanted.add(key);
        this.#tiles.delete(key); // to the end: it was used last
        this.#tiles.set(key, tile);
        if (tile.ready) this.#put(context, tile.image, level, place, view, ratio, stretch);
      }
    }
    this.#forget(wanted);
  }

  *#seen(level, view, stretch) {
    const step = this.side * 2 ** level;
    const from = view.toPicture({ x: 0, y: 0 });
    const to = view.toPicture({ x: view.paneWidth, y: view.paneHeight });
    const last = { column: Math.ceil(this.width / step) - 1, row: Math.ceil(this.height / step) - 1 };
    const range = (low, high, end) => [Math.max(0, Math.floor(low / stretch / step)), Math.min(end, Math.floor(high / stretch / step))];
    const [left, right] = range(from.x, to.x, last.column);
    const [top, bottom] = range(from.y, to.y, last.row);
    for (let row = top; row <= bottom; row++) for (let column = left; column <= right; column++) yield { column, row };
  }

  /** Only the part that is seen: a tile of large pixels would be larger than any canvas. */
  #put(context, image, level, place, view, ratio, stretch) {
    const pixel = 2 ** level * stretch; // px of the view's picture for a pixel of the tile
    const left = place.column * this.side;
    const top = place.row * this.side;
    const from = view.toPicture({ x: 0, y: 0 });
    const to = view.toPicture({ x: view.paneWidth, y: view.paneHeight });
    const x0 = Math.max(0, Math.floor(from.x / pixel) - left);
    const y0 = Math.max(0, Math.floor(from.y / pixel) - top);
    const x1 = Math.min(image.naturalWidth, Math.ceil(to.x / pixel) - left);
    const y1 = Math.min(image.naturalHeight, Math.ceil(to.y / pixel) - top);
    if (x1 <= x0 || y1 <= y0) return;
    const a = view.toScreen((left + x0) * pixel, (top + y0) * pixel);
    const b = view.toScreen((left + x1) * pixel, (top + y1) * pixel);
    const at = { x: Math.round(a.x * ratio), y: Math.round(a.y * ratio) }; // whole device px, or seams would show
    const end = { x: Math.round(b.x * ratio), y: Math.round(b.y * ratio) };
    context.drawImage(image, x0, y0, x1 - x0, y1 - y0, at.x, at.y, end.x - at.x, end.y - at.y);
  }

  #load(key) {
    const image = new Image();
    const tile = { image, ready: false, tries: 0 };
    image.onload = () => {
      tile.ready = true;
      this.changed();
    };
    image.onerror = () => {
      if (this.#closed || ++tile.tries >= TRIES) return;
      setTimeout(() => this.#tiles.get(key) === tile && (image.src = `/api/v1${this.path}/${key}`), AGAIN_MS);
    };
    image.src = `/api/v1${this.path}/${key}`;
    return tile;
  }

  /** What is out of sight and not here yet is no longer asked for; of the rest, those used last are kept. */
  #forget(wanted) {
    for (const [key, tile] of this.#tiles) {
      if (wanted.has(key) || (tile.ready && this.#tiles.size <= MOST_KEPT)) continue;
      if (!tile.ready) tile.image.src = "";
      this.#tiles.delete(key);
    }
  }
}
