// Pictures tried on a model. They go to the API as they are; what comes back is shown, and nothing is kept.
import { coloured, gradient, NAMES } from "sightline-viewer/colours.js";

const MOST = 24; // pictures on the page; the oldest goes
const PIECE = 192; // px of a piece that explains, sightline.explaining.SHOWN_PX
const GENTLE = "application/octet-stream"; // the API finds out what it is

let numbers = 0;

export default {
  template: `
  <div class="trial">
    <div class="card drop" :class="{ over }" @dragover.prevent="over = true" @dragleave="over = false" @drop.prevent="dropped">
      <div class="actions">
        <span class="strong">{{ say("Drop pictures here, paste them, or") }}</span>
        <label class="file"><input type="file" multiple accept="image/*,.tif,.tiff,.bmp" @change="picked">{{ say("Choose pictures") }}</label>
        <label class="file"><input type="file" accept="image/*" capture="environment" @change="picked">{{ say("Take a picture") }}</label>
        <span class="grow"></span>
        <label>{{ say("Model") }} <select v-model="model" @change="product = products[0] ?? ''">
          <option v-for="one in models" :value="one.name">{{ one.name || say("The server's model") }}</option></select></label>
        <label v-if="products.length">{{ say("Product") }} <select v-model="product">
          <option v-for="one in products">{{ one }}</option></select></label>
      </div>
      <div role="status" class="muted">{{ told }}</div>
    </div>
    <div v-if="!tries.length" class="empty">{{ say("Drop a picture of a part to see what the model says of it.") }}</div>
    <div v-else class="split">
      <section class="card" :aria-label="shown.name">
        <div class="headline"><h2>{{ shown.name }}</h2>
          <span v-if="shown.reply" class="verdict" :class="shown.reply.verdict.toLowerCase()">{{ say(shown.reply.verdict) }}</span></div>
        <div v-if="shown.error" role="alert" class="told">{{ shown.error }}</div>
        <div v-if="shown.error" class="actions"><button class="plain" @click="again(shown)">{{ say("Try again") }}</button></div>
        <div v-if="shown.state === 'waiting'" class="muted">{{ say("The model is at work …") }}</div>
        <div v-show="!shown.error" class="layers" :style="{ aspectRatio: shown.ratio, maxWidth: 'calc(66vh * ' + shown.ratio + ')' }">
          <img v-if="!shown.broken" :src="shown.url" :alt="shown.name" @error="unseen(shown)" @load="sized">
          <img v-else-if="shown.drawn" :src="shown.drawn" :alt="shown.name" @load="sized">
          <canvas ref="heat" aria-hidden="true" :style="{ opacity: shown.drawn ? 0 : strength }"></canvas>
          <svg v-if="shown.reply?.width && regions && !shown.drawn" :viewBox="'0 0 ' + shown.reply.width + ' ' + shown.reply.height" aria-hidden="true">
            <g v-for="one in shown.reply.defects"><rect class="dark" :x="one.box.x" :y="one.box.y" :width="one.box.width" :height="one.box.height"/>
              <rect :x="one.box.x" :y="one.box.y" :width="one.box.width" :height="one.box.height"/></g></svg>
        </div>
        <div v-if="shown.reply?.map && !shown.drawn" class="actions">
          <label class="slide">{{ say("Heat map") }} <input type="range" min="0" max="1" step="0.05" v-model.number="strength"></label>
          <label>{{ say("Colours") }} <select v-model="colours"><option v-for="one in names" :value="one">{{ say(one) }}</option></select></label>
          <label class="slide"><input type="checkbox" v-model="regions"> {{ say("Regions") }}</label>
        </div>
        <div v-if="shown.reply?.map && !shown.drawn" class="scale"><div :style="{ background: ramp }"><i></i></div>
          <div class="gauged muted"><span>{{ figure(shown.reply.map.start) }}</span><span>{{ say("Threshold") }} {{ figure(shown.reply.threshold) }}</span>
          <span>{{ figure(shown.reply.map.full) }}</span></div></div>
      </section>
      <div class="aside">
        <section v-if="shown.reply" class="card">
          <div v-if="shown.reply.fault" role="alert" class="told">{{ shown.reply.fault }}</div>
          <template v-if="shown.reply.score !== null">
            <div class="gauge" :class="{ over: shown.reply.score >= shown.reply.threshold }"><span :style="{ width: filled }"></span><i></i></div>
            <div class="gauged"><span>{{ say("Score") }} <strong>{{ figure(shown.reply.score) }}</strong></span>
              <span>{{ say("Threshold") }} <strong>{{ figure(shown.reply.threshold) }}</strong></span></div>
          </template>
          <dl class="facts">
            <dt>{{ say("Confidence") }}</dt><dd>{{ percent(shown.reply.confidence) }}</dd>
            <dt>{{ say("Kind of defect") }}</dt><dd><ul class="kinds"><li v-for="one in shown.reply.defects">{{ one.label === "anomaly" ? say("anomaly") : one.label }}
              <span class="muted">{{ one.confidence === null ? "" : percent(one.confidence) }} {{ one.area_px.toLocaleString(language) }} px</span></li>
              <li v-if="!shown.reply.defects.length">{{ say("No defect was found.") }}</li></ul></dd>
            <dt>{{ say("Model") }}</dt><dd>{{ shown.reply.model }} {{ shown.reply.version }}</dd>
            <template v-if="shown.product"><dt>{{ say("Product") }}</dt><dd>{{ shown.product }}</dd></template>
            <template v-if="shown.reply.width"><dt>{{ say("Size") }}</dt><dd>{{ shown.reply.width }} × {{ shown.reply.height }} px</dd></template>
            <template v-for="[name, took] in timings"><dt>{{ say(name) }}</dt><dd>{{ figure(took) }} ms</dd></template>
          </dl>
        </section>
        <section v-if="alike" class="card" :aria-label="say('What it looked most like')">
          <h3>{{ say("What it looked most like") }}</h3>
          <p v-if="alike.reason" class="muted">{{ say(capital(alike.reason)) }}</p>
          <figure v-for="one in alike.regions" class="alike">
            <figcaption>{{ say("This looked most like {source}", { source: one.source }) }}</figcaption>
            <div v-for="[piece, name] in [[one.part, say('This part')], [one.good, say('Good part')]]">
              <span><img :src="'data:image/jpeg;base64,' + piece.jpeg" :alt="name"><i :style="placed(piece.place)"></i></span>{{ name }}</div>
            <p class="muted">{{ say("Value {peak}, distance {distance}", { peak: figure(one.peak), distance: figure(one.distance) }) }}</p>
          </figure>
        </section>
        <section class="card">
          <h3>{{ say("Pictures tried") }}</h3>
          <ul class="tried"><li v-for="one in tries" :key="one.number">
            <button :aria-current="one === shown" @click="shown = one"><img :src="one.broken ? one.drawn : one.url" alt=""><span>{{ one.name }}</span>
              <span v-if="one.reply" class="verdict" :class="one.reply.verdict.toLowerCase()">{{ say(one.reply.verdict) }}</span>
              <span v-else-if="one.error" class="told">!</span><span v-else class="muted">…</span></button></li></ul>
        </section>
      </div>
    </div>
  </div>`,
  props: { models: Array, chosen: String, texts: Object, language: String },
  data() {
    const model = this.models.find((one) => one.name === this.chosen) ?? this.models[0];
    return {
      ...{ tries: [], shown: null, over: false, told: "", model: model.name, product: model.products[0] ?? "" },
      ...{ strength: 0.6, regions: true, colours: NAMES[0], names: NAMES },
    };
  },
  computed: {
    products() {
      return this.models.find((one) => one.name === this.model).products;
    },
    ramp() {
      return gradient(this.colours);
    },
    filled() {
      const { score, threshold } = this.shown.reply;
      const share = threshold > 0 ? score / (2 * threshold) : Number(score >= threshold);
      return `${100 * Math.max(0, Math.min(1, share))}%`;
    },
    timings() {
      const { queued_ms, decode_ms, graph_ms } = this.shown.reply.timings;
      const all = [["Waiting", queued_ms], ["Decoding", decode_ms], ["Model at work", graph_ms]];
      return [...all, ["In all, with the way there and back", this.shown.took]].filter(([, took]) => took !== null);
    },
    /** What was found is explained; of a good part, and of a model that cannot, there is nothing to tell. */
    alike() {
      const { nearest, defects } = this.shown?.reply ?? {};
      return nearest && defects.length && (nearest.regions.length || nearest.reason) ? nearest : null;
    },
    painted() {
      return [this.shown?.reply?.map, this.colours];
    },
  },
  watch: {
    painted: { handler: "paint", flush: "post" },
  },
  mounted() {
    this.paste = (event) => {
      if (event.target.closest?.("input, textarea")) return;
      this.add(event.clipboardData?.files ?? []);
    };
    document.addEventListener("paste", this.paste);
  },
  beforeUnmount() {
    document.removeEventListener("paste", this.paste);
    for (const one of this.tries) URL.revokeObjectURL(one.url);
  },
  methods: {
    say(text, values = {}) {
      return Object.entries(values).reduce((said, [name, value]) => said.replace(`{${name}}`, value), this.texts[text] ?? text);
    },
    figure(value) {
      return Number(value.toPrecision(4)).toLocaleString(this.language);
    },
    percent(value) {
      return value.toLocaleString(this.language, { style: "percent", maximumFractionDigits: 1 });
    },
    capital(text) {
      return text.charAt(0).toUpperCase() + text.slice(1);
    },
    /** A place in a piece, as shares of the piece. */
    placed({ x, y, width, height }) {
      const share = (length) => `${(100 * length) / PIECE}%`;
      return { left: share(x), top: share(y), width: share(width), height: share(height) };
    },
    dropped(event) {
      this.over = false;
      this.add(event.dataTransfer.files);
    },
    picked(event) {
      this.add(event.target.files);
      event.target.value = ""; // so that the same file can be chosen again
    },
    /** One after the other, in their order. */
    async add(files) {
      const all = [...files];
      this.told = all.length > MOST ? this.say("Only the first {number} pictures are tried at once.", { number: MOST }) : "";
      const added = all.slice(0, MOST).map((file) => this.begin(file));
      for (const one of added) await this.ask(one);
    },
    begin(file) {
      const url = URL.createObjectURL(file);
      const { model, product } = this;
      this.tries.unshift({ number: ++numbers, file, name: file.name, url, model, product, state: "waiting", ratio: 1 });
      for (const one of this.tries.splice(MOST)) URL.revokeObjectURL(one.url);
      return this.tries[0]; // as Vue watches it
    },
    async ask(one) {
      this.shown = one;
      const began = performance.now();
      try {
        one.reply = await this.judged(one, { map: true, nearest: true });
        one.took = performance.now() - began;
      } catch (error) {
        one.error = error.message;
      }
      one.state = "done";
    },
    again(one) {
      Object.assign(one, { error: "", state: "waiting", model: this.model, product: this.product });
      return this.ask(one);
    },
    judged({ file, model, product }, wish) {
      const query = new URLSearchParams(product ? { ...wish, product } : wish);
      const path = model ? `/models/${encodeURIComponent(model)}/inspect` : "/inspect";
      return window.sightline.ask("POST", `${path}?${query}`, file, { "Content-Type": GENTLE });
    },
    sized({ target }) {
      this.shown.ratio = target.naturalWidth / target.naturalHeight;
    },
    /** The browser cannot show it, say a TIFF: the server draws it. */
    async unseen(one) {
      one.broken = true;
      try {
        const { overlay } = await this.judged(one, { overlay: true });
        if (overlay) one.drawn = `data:image/png;base64,${overlay}`;
      } catch {
        // why it cannot be judged is told already
      }
    },
    paint() {
      const canvas = this.$refs.heat;
      const map = this.shown?.reply?.map;
      if (!canvas) return;
      canvas.width = canvas.height = 1;
      if (!map) return;
      const picture = coloured({ width: map.width, height: map.height, values: scaled(map, this.shown.reply.threshold) }, this.colours);
      Object.assign(canvas, { width: map.width, height: map.height });
      canvas.getContext("2d").drawImage(picture, 0, 0);
    },
  },
};

/** Values on the scale of the colours: 0 where the tint begins, the middle the threshold, 255 where it is strongest. */
function scaled({ values, start, full }, threshold) {
  const bytes = Uint8Array.from(atob(values), (letter) => letter.charCodeAt(0));
  const found = new Uint8ClampedArray(bytes.length / 4);
  new Float32Array(bytes.buffer).forEach((value, at) => {
    const low = value < threshold;
    const share = low ? (value - start) / (threshold - start) : (value - threshold) / (full - threshold);
    found[at] = Number.isFinite(value) ? (low ? 127.5 * share : 127.5 + 127.5 * share) : 255;
  });
  return found;
}
