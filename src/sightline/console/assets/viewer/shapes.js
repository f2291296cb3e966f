// What is marked in a picture: drawn, found again under the pointer, changed and undone. All in px of the picture.
const MOST_SHAPES = 500;
const MOST_POINTS = 20_000; // of all shapes: they must fit in one message
const MOST_STEPS = 100; // that can be undone
const NEAR = 8; // CSS px that count as the same place
const COLOURS = ["#e69f00", "#56b4e9", "#f0e442", "#cc79a7", "#00c896", "#ff7f50", "#b3a5ff"]; // seen on grey, told apart

/** Of a label; its name stands beside it, as the colour alone tells nothing. */
export function colourOf(label, labels) {
  const place = labels.indexOf(label);
  return COLOURS[(place < 0 ? [...label].reduce((sum, letter) => sum + letter.codePointAt(0), 0) : place) % COLOURS.length];
}

/** The shapes that can be changed, and what was done to them. */
export class Drawing {
  shapes = [];
  selected = -1;
  draft = null; // what is being drawn
  #past = [];

  start(shapes) {
    Object.assign(this, { shapes, selected: -1, draft: null });
    this.#past = [];
  }

  get undoable() {
    return this.#past.length > 0;
  }

  undo() {
    if (!this.undoable) return false;
    Object.assign(this, { shapes: this.#past.pop(), selected: -1, draft: null });
    return true;
  }

  change(shapes) {
    this.#past.push(this.shapes);
    if (this.#past.length > MOST_STEPS) this.#past.shift();
    this.shapes = shapes;
    this.selected = -1;
  }

  /** Whether there is room for one more point. */
  get room() {
    const points = this.shapes.reduce((sum, shape) => sum + shape.points.length, this.draft?.points.length ?? 0);
    return this.shapes.length < MOST_SHAPES && points < MOST_POINTS;
  }

  /** The draft becomes a shape, unless it is too small to be one. */
  finish() {
    const shape = this.draft && complete(this.draft);
    this.draft = null;
    if (!shape) return false;
    this.change([...this.shapes, shape]);
    return true;
  }

  remove() {
    if (this.selected < 0) return false;
    this.change(this.shapes.filter((_, at) => at !== this.selected));
    return true;
  }

  /** Name the selected shape otherwise; a stored label thereby becomes a new one. */
  rename(label) {
    const at = this.selected;
    if (at < 0 || this.shapes[at].label === label) return false;
    this.change(this.shapes.with(at, { ...this.shapes[at], label, id: "" }));
    this.selected = at;
    return true;
  }

  /** Select the topmost shape at a place; -1: none is there. */
  select(at, view) {
    this.selected = this.shapes.findLastIndex((shape) => hit(shape, at, NEAR / view.scale));
  }
}

function complete(draft) {
  const shape = { ...draft, id: "" };
  if (draft.kind === "box") {
    const [a, b] = draft.points;
    const points = [
      [Math.floor(Math.min(a[0], b[0])), Math.floor(Math.min(a[1], b[1]))],
      [Math.ceil(Math.max(a[0], b[0])), Math.ceil(Math.max(a[1], b[1]))],
    ]; // whole pixels
    return points[1][0] - points[0][0] < 1 || points[1][1] - points[0][1] < 1 || !draft.moved ? null : strip({ ...shape, points });
  }
  if (draft.kind === "polygon" && draft.points.length < 3) return null;
  return strip(shape);
}

const strip = ({ kind, points, label, width, id }) => ({ kind, points, label, width: kind === "brush" ? width : 0, id });

/** Whether a place is near enough to where a polygon began to close it. */
export function closes(draft, at, view) {
  const [x, y] = draft.points[0];
  return draft.points.length >= 3 && Math.hypot(at.x - x, at.y - y) * view.scale <= NEAR * 1.5;
}

function hit(shape, at, near) {
  const { points } = shape;
  if (shape.kind === "box") {
    const [a, b] = points;
    return at.x >= a[0] - near && at.x <= b[0] + near && at.y >= a[1] - near && at.y <= b[1] + near;
  }
  const reach = near + shape.width / 2;
  const line = shape.kind === "polygon" ? [...points, points[0]] : points;
  if (line.some((point, place) => distance(at, line[Math.max(0, place - 1)], point) <= reach)) return true;
  return shape.kind === "polygon" && inside(points, at);
}

function distance(at, [ax, ay], [bx, by]) {
  const length = (bx - ax) ** 2 + (by - ay) ** 2;
  const along = length ? Math.max(0, Math.min(1, ((at.x - ax) * (bx - ax) + (at.y - ay) * (by - ay)) / length)) : 0;
  return Math.hypot(at.x - ax - along * (bx - ax), at.y - ay - along * (by - ay));
}

function inside(points, at) {
  let found = false;
  points.forEach(([x, y], place) => {
    const [px, py] = points.at(place - 1);
    if (y > at.y !== py > at.y && at.x < ((px - x) * (at.y - y)) / (py - y) + x) found = !found;
  });
  return found;
}

/** Draw a shape; `look` has its colour, whether it is selected, and the name to stand at it. */
export function paint(context, view, ratio, shape, look) {
  const points = shape.points.map(([x, y]) => {
    const at = view.toScreen(x, y);
    return [at.x * ratio, at.y * ratio];
  });
  const path = outline(shape.kind, points);
  context.lineJoin = context.lineCap = "round";
  if (shape.kind === "brush") {
    context.globalAlpha = look.selected ? 0.75 : 0.5;
    stroke(context, path, look.colour, Math.max(shape.width * view.scale * ratio, ratio));
    context.globalAlpha = 1;
  } else {
    stroke(context, path, "#000", (look.selected ? 6 : 4) * ratio); // dark around bright: seen on any part
    stroke(context, path, look.colour, (look.selected ? 3.5 : 2) * ratio);
  }
  if (look.name) name(context, points, look, ratio);
}

function outline(kind, points) {
  const path = new Path2D();
  if (kind === "box") path.rect(points[0][0], points[0][1], points[1][0] - points[0][0], points[1][1] - points[0][1]);
  else {
    points.forEach(([x, y], at) => (at ? path.lineTo(x, y) : path.moveTo(x, y)));
    if (points.length === 1) path.lineTo(points[0][0] + 0.01, points[0][1]);
    if (kind === "polygon") path.closePath();
  }
  return path;
}

function stroke(context, path, colour, width) {
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.stroke(path);
}

function name(context, points, look, ratio) {
  context.font = `600 ${13 * ratio}px system-ui, sans-serif`;
  const width = context.measureText(look.name).width + 10 * ratio;
  const x = Math.max(0, Math.min(...points.map((point) => point[0])));
  const y = Math.max(20 * ratio, Math.min(...points.map((point) => point[1])) - 4 * ratio);
  context.fillStyle = look.colour;
  context.fillRect(x, y - 19 * ratio, width, 19 * ratio);
  context.fillStyle = "#000";
  context.textBaseline = "middle";
  context.fillText(look.name, x + 5 * ratio, y - 9 * ratio);
}
