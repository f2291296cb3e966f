// What keys do. While a tool is chosen, arrows move a cross over the picture, which draws as the pointer would: all can be
// drawn by keys alone. `viewer` is the component.
const ZOOM = 1.25;
const SHIFT = 0.15; // of a pane, by an arrow key
const STEP = 4; // CSS px that an arrow moves the cross; a pixel of the picture at least
const FAR = 10; // times as much with Shift
const ARM = 12; // CSS px, of the cross
const EDGE = 24; // CSS px that the cross stays away from the pane's edge: the picture moves instead
const NAMES = { box: "Box", polygon: "Polygon", brush: "Brush" };

/** Told where a tool is chosen. */
export const HINTS = {
  move: "Picture: + and - zoom, 0 shows all of it, arrows move",
  box: "Arrows move the cross, with Shift farther; Space sets a corner, Escape drops it",
  polygon: "Arrows move the cross, with Shift farther; Space sets a corner, Enter closes, Escape drops it",
  brush: "Arrows move the brush, with Shift farther; Space puts it down and lifts it, comma and full stop make it narrower and wider",
};

/** By the key's name, what it does now; each is given its event. */
export function keysOf(viewer) {
  const { paneWidth, paneHeight } = viewer.view;
  const go = (right, down) => () => (viewer.view.pan(right * SHIFT * paneWidth, down * SHIFT * paneHeight), viewer.redraw());
  const zoom = (factor) => () => viewer.zoom(factor);
  const looking = {
    ...{ "+": zoom(ZOOM), "=": zoom(ZOOM), "-": zoom(1 / ZOOM), 0: viewer.fit, 1: () => viewer.single(), f: viewer.fullScreen },
    ...{ ArrowLeft: go(1, 0), ArrowRight: go(-1, 0), ArrowUp: go(0, 1), ArrowDown: go(0, -1) },
  };
  if (viewer.whole && !document.fullscreenElement) looking.Escape = viewer.fullScreen;
  if (!viewer.editable) return looking;
  delete looking[1]; // where one draws, digits choose classes: they are the page's
  const drawing = { Delete: viewer.remove, Backspace: viewer.remove, "Ctrl+z": viewer.undo, v: () => viewer.setTool("move") };
  for (const [key, tool] of Object.entries({ b: "box", p: "polygon", r: "brush" }))
    if (viewer.tools.includes(tool)) drawing[key] = () => viewer.setTool(tool);
  if (viewer.tool !== "move") Object.assign(drawing, penKeys(viewer));
  else if (viewer.drawing.selected >= 0) drawing.Escape = () => viewer.choose(-1);
  return { ...looking, ...drawing };
}

function penKeys(viewer) {
  const go = (right, down) => (event) => move(viewer, right, down, event.shiftKey);
  const narrower = () => widen(viewer, -1);
  const wider = () => widen(viewer, 1);
  return {
    ...{ ArrowLeft: go(-1, 0), ArrowRight: go(1, 0), ArrowUp: go(0, -1), ArrowDown: go(0, 1) },
    ...{ " ": () => press(viewer), Enter: () => end(viewer) },
    ...(viewer.drawing.draft ? { Escape: () => drop(viewer) } : {}),
    ...(viewer.tool === "brush" ? { "[": narrower, ",": narrower, "]": wider, ".": wider } : {}),
  };
}

function place(viewer) {
  const { view } = viewer;
  const { x, y } = view.toPicture({ x: view.paneWidth / 2, y: view.paneHeight / 2 });
  viewer.cross ??= bounded(view, Math.round(x), Math.round(y));
  return viewer.cross;
}

const bounded = (view, x, y) => [Math.max(0, Math.min(view.width, x)), Math.max(0, Math.min(view.height, y))];

function move(viewer, right, down, far) {
  if (!viewer.known) return;
  const { view, drawing } = viewer;
  const [x, y] = place(viewer);
  const step = Math.max(1, Math.round(STEP / view.scale)) * (far ? FAR : 1);
  viewer.cross = bounded(view, x + right * step, y + down * step);
  follow(view, viewer.cross);
  if (drawing.draft?.kind === "polygon") viewer.hover = viewer.cross;
  else if (drawing.draft) viewer.extend(viewer.cross);
  tell(viewer, "");
}

function follow(view, cross) {
  const { x, y } = view.toScreen(...cross);
  const into = (at, length) => Math.max(EDGE - at, 0) + Math.min(length - EDGE - at, 0);
  view.pan(into(x, view.paneWidth), into(y, view.paneHeight));
}

/** A corner, or the brush put down and lifted. */
function press(viewer) {
  if (!viewer.known) return;
  const draft = viewer.drawing.draft;
  if (draft && draft.kind !== "polygon") return end(viewer);
  viewer.begin(place(viewer));
  const corners = viewer.drawing.draft?.points.length;
  if (corners) tell(viewer, viewer.tool === "brush" ? "The brush is down" : `${viewer.say("Corner")} ${viewer.tool === "box" ? 1 : corners}`);
}

/** What is being drawn is done; where nothing is, or a polygon has two corners only, Enter sets one. */
function end(viewer) {
  const draft = viewer.drawing.draft;
  if (!draft || (draft.kind === "polygon" && draft.points.length < 3)) return press(viewer);
  const before = viewer.drawing.shapes.length;
  viewer.finish();
  viewer.hover = null;
  const made = viewer.drawing.shapes.length > before;
  tell(viewer, made ? `${viewer.say(NAMES[draft.kind])} ${draft.label}` : "It is too small, and was dropped");
}

function drop(viewer) {
  viewer.hover = null;
  viewer.drop();
  tell(viewer, "Dropped");
}

function widen(viewer, step) {
  viewer.widen(step);
  viewer.told = `${viewer.say("Width")} ${viewer.width} px`;
  viewer.redraw();
}

/** For screen readers as for eyes: what happened, and where the cross is. */
function tell(viewer, what) {
  const where = viewer.cross ? viewer.cross.join(", ") : "";
  viewer.told = [viewer.say(what), where].filter(Boolean).join(": ");
  viewer.redraw();
}

/** The cross, and the brush around it. */
export function paintCross(context, view, ratio, cross, width) {
  const at = view.toScreen(...cross);
  const [x, y, arm] = [at.x * ratio, at.y * ratio, ARM * ratio];
  const path = new Path2D();
  for (const [right, down] of [[1, 0], [0, 1]]) {
    path.moveTo(x - right * arm, y - down * arm);
    path.lineTo(x + right * arm, y + down * arm);
  }
  if (width) {
    path.moveTo(x + (width / 2) * view.scale * ratio, y);
    path.arc(x, y, (width / 2) * view.scale * ratio, 0, 2 * Math.PI);
  }
  for (const [colour, thick] of [["#000", 4], ["#fff", 1.5]]) {
    Object.assign(context, { strokeStyle: colour, lineWidth: thick * ratio });
    context.stroke(path);
  }
}
