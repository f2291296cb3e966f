// A small chart of the last parts, one mark each; verdicts differ by form, too.
const FORMS = { PASS: "dot", REJECT: "cross", REVIEW: "ring", FAULT: "cross" };
const COLOURS = { PASS: "--pass", REJECT: "--defect", REVIEW: "--review", FAULT: "--fault" };
const MARGIN = { left: 46, right: 8, top: 8, bottom: 8 };

/**
 * @param {HTMLCanvasElement} canvas
 * @param {[number, string][]} marks value and verdict, oldest first
 * @param {{line?: number, format: (value: number) => string}} options `line` is drawn across
 */
export function scatter(canvas, marks, { line, format }) {
  const { clientWidth: width, clientHeight: height } = canvas;
  if (!width || !height) return;
  const ratio = window.devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
  if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
  const ink = canvas.getContext("2d");
  ink.setTransform(ratio, 0, 0, ratio, 0, 0);
  ink.clearRect(0, 0, width, height);
  const style = getComputedStyle(canvas);
  const colour = (name) => style.getPropertyValue(name);
  const most = ceiling(Math.max(line ?? 0, ...marks.map(([value]) => value)) * 1.05 || 1);
  const y = (value) => height - MARGIN.bottom - (value / most) * (height - MARGIN.top - MARGIN.bottom);
  const x = (place) => MARGIN.left + ((place + 0.5) / Math.max(marks.length, 20)) * (width - MARGIN.left - MARGIN.right);

  ink.font = `12px ${style.fontFamily}`;
  ink.textAlign = "right";
  ink.textBaseline = "middle";
  for (const value of [0, most / 2, most]) {
    ink.fillStyle = colour("--muted");
    ink.fillText(format(value), MARGIN.left - 6, y(value));
    across(ink, colour("--line"), y(value), width, 1);
  }
  if (line !== undefined) across(ink, colour("--ink"), y(line), width, 1.5, [6, 4]);
  marks.forEach(([value, verdict], place) => mark(ink, FORMS[verdict], colour(COLOURS[verdict]), x(place), y(value)));
}

function across(ink, colour, y, width, thick, dashes = []) {
  ink.strokeStyle = colour;
  ink.lineWidth = thick;
  ink.setLineDash(dashes);
  ink.beginPath();
  ink.moveTo(MARGIN.left, y);
  ink.lineTo(width - MARGIN.right, y);
  ink.stroke();
  ink.setLineDash([]);
}

function mark(ink, form, colour, x, y) {
  ink.fillStyle = ink.strokeStyle = colour;
  ink.lineWidth = 2;
  ink.beginPath();
  if (form === "cross") {
    ink.moveTo(x - 4, y - 4);
    ink.lineTo(x + 4, y + 4);
    ink.moveTo(x + 4, y - 4);
    ink.lineTo(x - 4, y + 4);
    ink.stroke();
  } else {
    ink.arc(x, y, form === "ring" ? 3.5 : 3, 0, 2 * Math.PI);
    if (form === "ring") ink.stroke();
    else ink.fill();
  }
}

/** The next of 1, 2, 4, 5, 10, 20, ... */
function ceiling(value) {
  const scale = 10 ** Math.floor(Math.log10(value));
  return scale * ([1, 2, 4, 5, 10].find((step) => step * scale >= value) ?? 10);
}
