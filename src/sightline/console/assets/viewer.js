// A picture that one looks into, and draws on. The contract is in viewer.py.
import { coloured, gradient, loadMap, NAMES } from "sightline-viewer/colours.js";
import { HINTS, keysOf, paintCross } from "sightline-viewer/keys.js";
import { closes, colourOf, Drawing, paint } from "sightline-viewer/shapes.js";
import { Pyramid } from "sightline-viewer/tiles.js";
import { View } from "sightline-viewer/view.js";

const TAP = 5; // CSS px that a finger may move and still tap
const WIDEST = 200; // px of a brush
const GAP = 4; // CSS px between two pictures

const button = (name, icon, call, more = "") =>
  `<button type="button" class="viewer-button" :aria-label="say('${name}')" :title="say('${name}')" @click="${call}" ${more}>
     <i class="material-icons" aria-hidden="true">${icon}</i></button>`;
const ICONS = { move: "pan_tool_alt", box: "crop_square", polygon: "polyline", brush: "brush" };
const TOOL_NAMES = { move: "Move", box: "Box", polygon: "Polygon", brush: "Brush" };

export default {
  template: `
  <div class="viewer" :class="{ whole }" :data-tool="tool" :data-picture="picture" @keydown="key">
    <div class="viewer-bar" role="toolbar" :aria-label="say('Picture')">
      <div class="viewer-group">
      ${button("Zoom out", "zoom_out", "zoom(1 / 1.25)")}
      <output class="viewer-zoom" :aria-label="say('Magnification')">{{ percent }}</output>
      ${button("Zoom in", "zoom_in", "zoom(1.25)")}
      ${button("Whole picture", "fit_screen", "fit()")}
      ${button("One pixel is one pixel", "looks_one", "single()")}
      ${button("Full screen", "fullscreen", "fullScreen()", ':aria-pressed="whole"')}
      <button v-if="boxes.length" type="button" class="viewer-button" :aria-pressed="boxed" @click="boxed = !boxed; redraw()"
        :aria-label="say('Findings')" :title="say('Findings')"><i class="material-icons" aria-hidden="true">select_all</i></button>
      </div>
      <label v-if="overlay" class="viewer-slide"><span>{{ say("Overlay") }}</span>
        <input type="range" min="0" max="1" step="0.05" v-model.number="overlaid" @input="redraw"></label>
      <div v-if="model" class="viewer-group">
        <label class="viewer-slide"><span>{{ say("Map") }}</span>
          <input type="range" min="0" max="1" step="0.05" v-model.number="mapped" @input="slideMap"></label>
        <select class="viewer-select" v-model="colours" @change="recolour" :aria-label="say('Colours')">
          <option v-for="one in names" :value="one">{{ say(one) }}</option></select>
      </div>
      <div v-if="editable" class="viewer-group">
        <button v-for="one in allTools" type="button" class="viewer-button" :aria-pressed="tool === one" @click="setTool(one)"
          :aria-label="say(toolNames[one])" :title="say(toolNames[one])"><i class="material-icons" aria-hidden="true">{{ icons[one] }}</i></button>
        <label v-if="tool === 'brush'" class="viewer-slide"><span>{{ say("Width") }} {{ width }} px</span>
          <input type="range" min="1" max="${WIDEST}" v-model.number="width"></label>
        <select v-if="labels.length" class="viewer-select" :value="label" @change="setLabel($event.target.value)" :aria-label="say('Label')">
          <option v-for="one in allLabels" :value="one">{{ called(one) }}</option></select>
        ${button("Undo", "undo", "undo()", ':disabled="!undoable"')}
        ${button("Delete the selected", "delete", "remove()", ':disabled="!chosen"')}
        ${button("Clear", "layers_clear", "clear()", ':disabled="!count"')}
      </div>
    </div>
    <div class="viewer-stage" ref="stage" tabindex="0" role="group" :aria-label="hint">
      <canvas ref="canvas" role="img" :aria-label="described" @pointerdown="down" @pointermove="move" @pointerup="up"
        @pointercancel="cancel" @pointerleave="at = ''" @wheel="wheel" @dblclick="twice"></canvas>
      <span v-if="second" class="viewer-name">{{ name }}</span>
      <span v-if="second" class="viewer-name second" :style="secondAt">{{ second.name }}</span>
    </div>
    <div v-if="map && mapped" class="viewer-legend">
      <div class="viewer-scale" :style="{ background: ramp }"><span class="viewer-mark"></span></div>
      <div class="viewer-ends"><span>{{ figure(map.start) }}</span><strong>{{ say("Threshold") }} {{ figure(map.threshold) }}</strong>
        <span>{{ figure(map.full) }}</span></div>
      <div v-if="map.score !== null">{{ say("Score") }} {{ figure(map.score) }} · {{ map.model }} {{ map.version }}</div>
    </div>
    <div class="viewer-status"><span role="status">{{ told }}</span><span v-if="tool !== 'move' && !told" class="viewer-hint">{{ hint }}</span><span aria-hidden="true">{{ at }}</span></div>
  </div>`,
  props: {
    picture: String,
    overlay: { type: String, default: null },
    boxes: { type: Array, default: () => [] },
    stored: { type: Array, default: () => [] },
    editable: Boolean,
    tools: { type: Array, default: () => [] },
    labels: { type: Array, default: () => [] },
    model: String,
    product: String,
    name: String,
    second: { type: Object, default: null },
    wanted: { type: Object, default: () => ({}) },
    taken: { type: Number, default: null },
    turn: Number,
    texts: { type: Object, default: () => ({}) },
  },
  data() {
    return {
      ...{ percent: "", at: "", told: "", whole: false, boxed: true, overlaid: 0.6, mapped: 0, colours: NAMES[0], map: null },
      ...{ tool: "move", label: "", width: 12, undoable: false, chosen: false, count: 0, secondAt: {} },
      ...{ names: NAMES, icons: ICONS, toolNames: TOOL_NAMES },
    };
  },
  computed: {
    allTools() {
      return ["move", ...this.tools];
    },
    allLabels() {
      return this.labels.includes(this.label) || !this.label ? this.labels : [...this.labels, this.label];
    },
    hint() {
      return this.say(HINTS[this.tool]);
    },
    ramp() {
      return gradient(this.colours);
    },
    described() {
      const found = this.boxes.map((box) => this.called(box.label)).filter(Boolean);
      return [this.name || this.say("Picture"), ...found].join(", ");
    },
  },
  watch: {
    turn: "open",
    second: "openSecond",
    wanted: "obey",
  },
  created() {
    Object.assign(this, { view: new View(), drawing: new Drawing(), pointers: new Map(), panes: [], layer: null, second_: null, hover: null, cross: null });
    Object.assign(this, { scratch: document.createElement("canvas"), obeyed: {}, number: 0, numbers: new WeakMap() });
    this.obey();
  },
  mounted() {
    this.observer = new ResizeObserver(() => this.lay());
    this.observer.observe(this.$refs.stage);
    this.left = () => (this.whole = document.fullscreenElement === this.$el);
    document.addEventListener("fullscreenchange", this.left);
    this.open();
    this.openSecond(this.second);
  },
  beforeUnmount() {
    this.observer.disconnect();
    document.removeEventListener("fullscreenchange", this.left);
    this.close();
    this.second_?.close();
    this.gone = true;
  },
  methods: {
    say(text) {
      return this.texts[text] ?? text;
    },
    called(label) { // others are as people named them
      return label === "anomaly" ? this.say(label) : label;
    },
    figure(value) {
      return Number(value.toPrecision(3)).toLocaleString(document.documentElement.lang || undefined);
    },

    // what is shown
    close() {
      this.asked?.abort();
      this.first?.close();
      this.layer?.close();
      Object.assign(this, { first: null, layer: null, map: null, tint: null });
    },
    open() {
      if (this.known && this.opened === this.layers()) return this.refill();
      this.opened = this.layers();
      this.close();
      this.told = "";
      const failed = (reason) => (this.told = reason);
      this.first = this.picture ? new Pyramid(this.picture, () => this.arrived(), failed) : null;
      this.layer = this.overlay ? new Pyramid(this.overlay, () => this.arrived(), failed) : null;
      this.fits = false;
      this.known = false;
      this.start(this.stored);
      this.cross = this.hover = null;
      if (this.mapped) this.slideMap();
      this.redraw();
    },
    layers() {
      return `${this.picture} ${this.overlay ?? ""}`;
    },
    start(shapes) {
      this.drawing.start(shapes.map((shape) => ({ ...shape })));
      this.count = this.drawing.shapes.length;
      this.undoable = this.chosen = false;
    },
    /** The same picture with what the server made of the shapes: what it had not taken by then stays. */
    refill() {
      const { shapes, draft } = this.drawing;
      const answered = this.taken !== null;
      const late = answered ? shapes.filter((shape) => !shape.id && this.numbers.get(shape) > this.taken) : [];
      this.start([...this.stored, ...late]);
      if (answered) this.drawing.draft = draft;
      this.redraw();
    },
    openSecond(now, before) {
      if (before && now?.picture === before.picture) return; // props come anew with each change of any
      this.second_?.close();
      this.second_ = this.second
        ? new Pyramid(this.second.picture, () => this.redraw(), (reason) => (this.told = reason))
        : null;
      this.lay();
    },
    /** A picture's size is known, or a tile came. */
    arrived() {
      if (this.first.width && !this.known) {
        const same = this.view.width === this.first.width && this.view.height === this.first.height;
        Object.assign(this.view, { width: this.first.width, height: this.first.height });
        if (!same) this.fit(); // the next part is seen where one looked at the last one
        this.known = true;
      }
      if (this.known && this.layer?.width && !this.fits) {
        const apart = (this.layer.width * this.view.height) / (this.layer.height * this.view.width);
        this.fits = Math.abs(apart - 1) < 0.02;
        if (!this.fits) this.told = this.say("The overlay has another shape than the picture, and is not shown.");
      }
      this.redraw();
    },
    /** Divide the stage among the pictures. */
    lay() {
      const { clientWidth: width, clientHeight: height } = this.$refs.stage;
      const ratio = window.devicePixelRatio || 1;
      Object.assign(this.$refs.canvas, { width: Math.round(width * ratio), height: Math.round(height * ratio) });
      const wide = width >= height;
      const pane = !this.second ? [width, height] : wide ? [(width - GAP) / 2, height] : [width, (height - GAP) / 2];
      const next = wide ? [pane[0] + GAP, 0] : [0, pane[1] + GAP];
      this.panes = this.second ? [[0, 0], next] : [[0, 0]];
      this.secondAt = { left: `${next[0]}px`, top: `${next[1]}px` };
      this.view.resize(...pane);
      this.redraw();
    },
    redraw() {
      if (this.frame || this.gone) return;
      this.frame = requestAnimationFrame(() => {
        this.frame = 0;
        if (!this.gone && this.$refs.canvas) this.draw();
      });
    },
    draw() {
      const ratio = window.devicePixelRatio || 1;
      const canvas = this.$refs.canvas;
      const context = canvas.getContext("2d");
      context.clearRect(0, 0, canvas.width, canvas.height);
      [this.first, this.second_].slice(0, this.panes.length).forEach((pyramid, at) => {
        const [left, top] = this.panes[at];
        context.save();
        context.translate(Math.round(left * ratio), Math.round(top * ratio));
        context.beginPath();
        context.rect(0, 0, this.view.paneWidth * ratio, this.view.paneHeight * ratio);
        context.clip();
        pyramid?.draw(context, this.view, ratio);
        if (!at && this.known) this.drawOver(context, ratio);
        context.restore();
      });
      this.percent = `${Number((this.view.scale * ratio * 100).toPrecision(this.view.scale * ratio < 1 ? 2 : 3))} %`;
      this.tellPlace();
    },
    /** Where the picture is on the screen, for whoever looks from outside. */
    tellPlace() {
      const { x, y } = this.view.toScreen(0, 0);
      Object.assign(this.$refs.canvas.dataset, { scale: this.view.scale, left: x, top: y, ready: this.known });
      const still = this.view.fitted && this.tool === "move"; // then a finger scrolls the page
      this.$refs.canvas.style.touchAction = still ? "pan-y" : "none";
    },
    drawOver(context, ratio) {
      if (this.fits && this.overlaid) this.drawLayer(context, ratio);
      if (this.tint && this.mapped) {
        const from = this.view.toScreen(0, 0);
        const { scale, width, height } = this.view;
        context.imageSmoothingEnabled = true;
        context.globalAlpha = this.mapped;
        context.drawImage(this.tint, from.x * ratio, from.y * ratio, width * scale * ratio, height * scale * ratio);
        context.globalAlpha = 1;
      }
      const show = (shape, more) => paint(context, this.view, ratio, shape, { colour: colourOf(shape.label, this.labels), ...more });
      if (this.boxed) for (const box of this.boxes) show(box, { name: this.called(box.label) });
      this.drawing.shapes.forEach((shape, at) => show(shape, { name: this.called(shape.label), selected: at === this.drawing.selected }));
      const draft = this.drawing.draft;
      if (draft?.kind === "polygon") {
        const points = this.hover ? [...draft.points, this.hover] : draft.points;
        show({ ...draft, kind: "line", points }, { selected: true });
      } else if (draft) show(draft, { selected: true });
      if (this.cross && this.tool !== "move")
        paintCross(context, this.view, ratio, this.cross, this.tool === "brush" ? this.width : 0);
    },
    /** On a canvas of its own first: where levels lie over each other it would be denser. */
    drawLayer(context, ratio) {
      const { paneWidth, paneHeight } = this.view;
      const [width, height] = [Math.ceil(paneWidth * ratio), Math.ceil(paneHeight * ratio)];
      if (this.scratch.width !== width || this.scratch.height !== height) Object.assign(this.scratch, { width, height });
      const scratch = this.scratch.getContext("2d");
      scratch.clearRect(0, 0, width, height);
      this.layer.draw(scratch, this.view, ratio, this.view.width / this.layer.width);
      context.globalAlpha = this.overlaid;
      context.drawImage(this.scratch, 0, 0);
      context.globalAlpha = 1;
    },
    async slideMap() {
      this.redraw();
      if (!this.mapped || this.map || this.asking) return;
      this.told = this.say("The model looks at the picture …");
      this.asked = new AbortController();
      this.asking = true;
      const { picture, turn } = this;
      try {
        const map = await loadMap(picture, this.model, this.product, this.asked.signal);
        if (turn !== this.turn) return;
        this.map = Object.freeze(map);
        this.told = "";
        this.recolour();
      } catch (error) {
        if (error.name !== "AbortError") this.told = error.message;
        if (turn === this.turn) this.mapped = 0;
      } finally {
        this.asking = false;
        if (turn !== this.turn && this.mapped && !this.gone) this.slideMap();
      }
    },
    recolour() {
      this.tint = this.map ? coloured(this.map, this.colours) : null;
      this.redraw();
    },

    // looking
    zoom(factor, at) {
      this.view.zoom(factor, at);
      this.redraw();
    },
    fit() {
      this.view.fit();
      this.redraw();
    },
    single(at) {
      this.zoom(1 / (window.devicePixelRatio || 1) / this.view.scale, at);
    },
    async fullScreen() {
      if (document.fullscreenElement === this.$el) return document.exitFullscreen();
      if (this.whole) return (this.whole = false);
      try {
        await this.$el.requestFullscreen();
      } catch {
        this.whole = true; // a phone that knows none
      }
    },
    key(event) {
      if (/^(input|select|textarea)$/i.test(event.target.tagName) || event.altKey) return;
      const call = keysOf(this)[(event.ctrlKey || event.metaKey ? "Ctrl+" : "") + (event.key.length === 1 ? event.key.toLowerCase() : event.key)];
      if (!call || (/^(Enter| )$/.test(event.key) && event.target.tagName === "BUTTON")) return;
      event.preventDefault();
      event.stopPropagation();
      call(event);
    },
    wheel(event) {
      const factor = Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015));
      if (factor < 1 && this.view.fitted && !event.ctrlKey) return; // the page scrolls
      event.preventDefault();
      this.zoom(factor, this.spot(event));
    },

    // pointers: one draws or moves, two pinch
    spot(event) {
      const box = this.$refs.canvas.getBoundingClientRect();
      const at = { x: event.clientX - box.left, y: event.clientY - box.top };
      const [left, top] = this.panes[1] ?? [Infinity, Infinity];
      if (left && at.x >= left) at.x -= left; // in the other picture: the same place of both
      if (top && at.y >= top) at.y -= top;
      return at;
    },
    down(event) {
      if (event.button === 2) return;
      this.$refs.stage.focus({ preventScroll: true });
      this.$refs.canvas.setPointerCapture(event.pointerId);
      const at = this.spot(event);
      this.cross = null; // the pointer draws now
      this.pointers.set(event.pointerId, at);
      this.begun = at;
      if (this.pointers.size === 2 && this.drawing.draft?.kind !== "polygon") this.drop();
      if (this.pointers.size === 1 && this.draws(event)) this.begin(this.inPicture(at));
    },
    draws(event) {
      return this.editable && this.known && this.tool !== "move" && event.button !== 1;
    },
    move(event) {
      const at = this.spot(event);
      this.tell(at);
      const before = this.pointers.get(event.pointerId);
      const draft = this.drawing.draft;
      this.hover = draft?.kind === "polygon" && !before ? this.inPicture(at) : null; // where its next corner would be
      if (this.hover) this.redraw();
      if (!before) return;
      this.pointers.set(event.pointerId, at);
      if (this.pointers.size === 2) return this.pinch(event.pointerId, before, at);
      if (this.pointers.size > 2) return;
      if (draft && draft.kind !== "polygon" && this.tool !== "move") {
        const events = draft.kind === "brush" ? (event.getCoalescedEvents?.() ?? []) : [];
        for (const one of events.length ? events : [event]) this.extend(this.inPicture(this.spot(one)));
      } else if (!this.draws(event) || event.buttons === 4) {
        this.view.pan(at.x - before.x, at.y - before.y);
        this.redraw();
      }
    },
    pinch(id, before, at) {
      const [, other] = [...this.pointers].find(([one]) => one !== id);
      const middle = { x: (at.x + other.x) / 2, y: (at.y + other.y) / 2 };
      const apart = (one) => Math.max(1, Math.hypot(one.x - other.x, one.y - other.y));
      this.view.pan((at.x - before.x) / 2, (at.y - before.y) / 2);
      this.zoom(apart(at) / apart(before), middle);
    },
    up(event) {
      const alone = this.pointers.size === 1;
      if (!this.pointers.delete(event.pointerId) || !alone) return;
      const at = this.spot(event);
      const tapped = Math.hypot(at.x - this.begun.x, at.y - this.begun.y) <= TAP;
      const draft = this.drawing.draft;
      if (draft && draft.kind !== "polygon") this.finish();
      else if (tapped && this.editable && this.tool === "move") {
        this.drawing.select(this.view.toPicture(at), this.view);
        this.choose(this.drawing.selected);
      }
    },
    cancel(event) {
      this.pointers.delete(event.pointerId);
      if (this.drawing.draft && this.drawing.draft.kind !== "polygon") this.drop();
    },
    twice(event) {
      if (this.drawing.draft?.kind === "polygon") return this.finish();
      if (this.tool === "move") this.zoom(2, this.spot(event));
    },
    tell(at) {
      const { x, y } = this.view.toPicture(at);
      const inside = this.known && x >= 0 && y >= 0 && x < this.view.width && y < this.view.height;
      this.at = inside ? `${Math.floor(x)}, ${Math.floor(y)}` : "";
    },

    // drawing
    inPicture(at) {
      const { x, y } = this.view.toPicture(at);
      const round = (value, most) => Math.round(10 * Math.max(0, Math.min(most, value))) / 10;
      return [round(x, this.view.width), round(y, this.view.height)];
    },
    begin(point) {
      const { drawing } = this;
      if (!drawing.room) return (this.told = this.say("There is no room for more shapes; save them first."));
      const draft = drawing.draft;
      if (this.tool === "polygon" && draft) {
        const [x, y] = point;
        if (closes(draft, { x, y }, this.view)) return this.finish();
        const [lastX, lastY] = draft.points.at(-1);
        if (Math.hypot(x - lastX, y - lastY) * this.view.scale > 1) draft.points = [...draft.points, point];
      } else {
        const points = this.tool === "box" ? [point, point] : [point];
        drawing.draft = { kind: this.tool, points, label: this.label, width: this.tool === "brush" ? this.width : 0 };
      }
      drawing.selected = -1;
      this.redraw();
    },
    extend(point) {
      const draft = this.drawing.draft;
      if (draft.kind === "box") {
        draft.points = [draft.points[0], point];
        draft.moved = true;
      } else {
        const [x, y] = draft.points.at(-1);
        const far = Math.hypot(point[0] - x, point[1] - y) >= Math.max(0.5, draft.width / 8);
        if (far && this.drawing.room) draft.points.push(point);
      }
      this.redraw();
    },
    finish() {
      if (this.drawing.finish()) this.changed();
      this.redraw();
    },
    drop() {
      this.drawing.draft = null;
      this.redraw();
    },
    choose(at) {
      this.drawing.selected = at;
      this.chosen = at >= 0;
      const label = this.drawing.shapes[at]?.label;
      if (this.labels.includes(label)) this.label = label;
      this.redraw();
    },
    setTool(tool) {
      if (!this.allTools.includes(tool)) return;
      this.drawing.draft = null;
      if (tool !== this.tool) this.told = "";
      this.tool = tool;
      this.cross = this.hover = null;
      this.choose(-1);
      const on = document.activeElement;
      if (tool !== "move" && (on === document.body || this.$el?.contains?.(on))) this.$refs.stage?.focus({ preventScroll: true });
    },
    setLabel(label) {
      this.label = label;
      if (this.drawing.rename(label)) this.changed();
    },
    widen(step) {
      this.width = Math.max(1, Math.min(WIDEST, this.width + step * Math.max(1, Math.round(this.width / 5))));
    },
    undo() {
      const draft = this.drawing.draft;
      if (draft?.kind === "polygon" && draft.points.length > 1) draft.points = draft.points.slice(0, -1);
      else if (draft) this.drawing.draft = null;
      else if (this.drawing.undo()) this.changed();
      this.redraw();
    },
    remove() {
      if (this.drawing.remove()) this.changed();
    },
    clear() {
      this.drawing.draft = null;
      if (this.drawing.shapes.length) this.drawing.change([]);
      this.changed();
    },
    changed() {
      this.undoable = this.drawing.undoable;
      this.count = this.drawing.shapes.length;
      this.chosen = this.drawing.selected >= 0;
      this.number += 1;
      const { shapes } = this.drawing;
      for (const shape of shapes) if (!this.numbers.has(shape)) this.numbers.set(shape, this.number);
      this.$emit("shapes", { turn: this.turn, picture: this.picture, number: this.number, shapes });
      this.redraw();
    },
    /** What the server wants chosen, once; several wishes may come together. */
    obey() {
      const { tool, label } = this.wanted;
      if (tool && tool.turn !== this.obeyed.tool) this.setTool(tool.name);
      if (label && label.turn !== this.obeyed.label) this.setLabel(label.name);
      this.obeyed = { tool: tool?.turn, label: label?.turn };
    },
  },
};
