// Where in a picture one looks, and how large. Lengths on the screen are CSS px of a pane, in the picture its px.
const MOST = 64; // CSS px for a pixel of the picture

export class View {
  width = 1; // of the picture
  height = 1;
  paneWidth = 1;
  paneHeight = 1;
  scale = 1; // CSS px for a pixel
  x = 0.5; // the place in the picture that is in the middle of the pane
  y = 0.5;

  /** The scale at which the whole picture is seen. */
  get whole() {
    return Math.min(this.paneWidth / this.width, this.paneHeight / this.height, MOST);
  }

  get fitted() {
    return this.scale <= this.whole * 1.001;
  }

  fit() {
    this.scale = this.whole;
    this.#bound();
  }

  /** A pane of another size; what was seen whole stays so. */
  resize(width, height) {
    const fitted = this.fitted;
    this.paneWidth = Math.max(1, width);
    this.paneHeight = Math.max(1, height);
    if (fitted) this.scale = this.whole;
    this.#bound();
  }

  /** The place `at` on the screen stays where it is. */
  zoom(factor, at = { x: this.paneWidth / 2, y: this.paneHeight / 2 }) {
    const before = this.toPicture(at);
    this.scale = Math.max(Math.min(this.whole, 1), Math.min(MOST, this.scale * factor));
    const after = this.toPicture(at);
    this.x += before.x - after.x;
    this.y += before.y - after.y;
    this.#bound();
  }

  /** Move the picture by CSS px. */
  pan(right, down) {
    this.x -= right / this.scale;
    this.y -= down / this.scale;
    this.#bound();
  }

  toPicture(at) {
    return { x: (at.x - this.paneWidth / 2) / this.scale + this.x, y: (at.y - this.paneHeight / 2) / this.scale + this.y };
  }

  toScreen(x, y) {
    return { x: (x - this.x) * this.scale + this.paneWidth / 2, y: (y - this.y) * this.scale + this.paneHeight / 2 };
  }

  #bound() {
    this.x = bounded(this.x, this.width, this.paneWidth / this.scale);
    this.y = bounded(this.y, this.height, this.paneHeight / this.scale);
  }
}

function bounded(middle, length, seen) {
  return seen >= length ? length / 2 : Math.max(seen / 2, Math.min(length - seen / 2, middle));
}
