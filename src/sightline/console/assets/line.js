// Live parts, drawn without a framework: at 20 parts a second a page has a few nodes to change, and no more.
import { scatter } from "/console/line_chart.js";

const KEPT = 100; // parts; what is older is let go
const CELLS = 12; // in each strip
const FAULTS = 4;
const SYMBOLS = { PASS: "✓", REJECT: "✕", REVIEW: "?", FAULT: "!" };
const HOLD_MS = { PASS: 400, REJECT: 2500, REVIEW: 2500, FAULT: 2500 }; // that a part stays the large one at least
const PICTURES = { most: 16, perSecond: 3 }; // that a page loads, so that many pages do not hold up the server
const TRIES = 3; // of a picture that does not come: the server may have much to do
const QUIET_S = 60; // after which a station is said to be quiet
const STALE_S = 6; // after which the database is said to be away, as nothing came

const made = (tag, kind, ...inner) => {
  const node = document.createElement(tag);
  if (kind) node.className = kind;
  node.append(...inner);
  return node;
};
const say = (node, words) => {
  if (node.textContent !== words) node.textContent = words;
};
const quantile = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];

class Line {
  constructor(root, given) {
    Object.assign(this, { root, given, parts: new Map(), state: null, away: false });
    this.tokens = PICTURES.most;
    this.filled = this.heard = performance.now();
    this.ahead_s = 0; // the server's clock less ours
    this.number = new Intl.NumberFormat(given.language);
    this.percent = new Intl.NumberFormat(given.language, { style: "percent", maximumFractionDigits: 1 });
    this.score = new Intl.NumberFormat(given.language, { maximumSignificantDigits: 3 });
    this.clock = new Intl.DateTimeFormat(given.language, { timeStyle: "medium", timeZone: given.zone });
    this.build();
    this.merge(given.first?.parts ?? []);
    if (given.first?.state) this.settle(given.first.state);
    this.timer = setInterval(() => this.tick(), 1000);
    this.ask();
  }

  close() {
    clearInterval(this.timer);
    clearTimeout(this.held);
    cancelAnimationFrame(this.asked);
    this.closed = true;
  }

  /** News of the server. */
  take(news) {
    this.heard = performance.now();
    this.away = Boolean(news.away);
    this.merge(news.parts ?? []);
    if (news.state) this.settle(news.state);
    this.ask();
  }

  settle(state) {
    this.state = state;
    this.ahead_s = state.at - Date.now() / 1000;
  }

  /** Parts by number, oldest first; those that did not pass are kept longer than the others. */
  merge(parts) {
    if (!parts.length) return;
    let behind = false;
    for (const part of parts) {
      behind ||= !this.parts.has(part.number) && part.number < (this.newest ?? 0);
      this.parts.set(part.number, part);
      this.newest = Math.max(this.newest ?? 0, part.number);
    }
    if (behind) this.parts = new Map([...this.parts].sort(([a], [b]) => a - b));
    const all = [...this.parts.values()];
    const late = new Set(all.filter((part) => part.verdict !== "PASS").slice(-CELLS).map((part) => part.number));
    for (const part of all.slice(0, -KEPT)) if (!late.has(part.number)) this.parts.delete(part.number);
  }

  /** Draw with the next frame; a page that nobody sees draws nothing. */
  ask() {
    if (this.closed) return;
    this.asked ??= requestAnimationFrame(() => {
      this.asked = undefined;
      this.draw();
    });
  }

  tick() {
    this.drawTrouble();
    this.drawStations();
    this.drawTiles();
    this.fillPictures();
  }

  text(name, values = {}) {
    return this.given.texts[name].replace(/\{(\w+)\}/g, (_, key) => values[key]);
  }

  now_s() {
    return Date.now() / 1000 + this.ahead_s;
  }

  time(at_s) {
    return this.clock.format(new Date(at_s * 1000));
  }

  span(seconds) {
    const [name, length] = [["days", 86400], ["hours", 3600], ["minutes", 60]].find(([, s]) => seconds >= 2 * s) ?? ["seconds", 1];
    return this.text(name, { n: this.number.format(Math.floor(seconds / length)) });
  }

  // --- made once

  build() {
    const { root } = this;
    root.classList.add("live");
    root.classList.toggle("kiosk", this.given.kiosk);
    this.trouble = made("div", "trouble");
    this.trouble.setAttribute("role", "alert");
    this.alarms = made("ul", "alarms");
    this.alarms.setAttribute("aria-label", this.text("alarms"));
    this.stage = this.buildStage();
    this.tiles = made("div", "tiles");
    this.tile = Object.fromEntries(
      [["yield", ""], ["PASS", "pass", "passed"], ["REJECT", "reject", "rejected"], ["REVIEW", "review", "review"],
        ["FAULT", "fault", "faults"], ["late", "reject"], ["rate", ""], ["latency", ""]].map(([key, kind, name]) => [key, this.buildTile(kind, name ?? key)]),
    );
    this.tiles.append(...Object.values(this.tile).map((tile) => tile.root));
    this.scores = this.buildChart("scores");
    this.latencies = this.buildChart("latencies");
    const side = made("div", "side", this.tiles, made("div", "charts", this.scores.root, this.latencies.root));
    this.last = this.buildStrip("lastParts");
    this.stopped = this.buildStrip("stopped");
    this.faults = made("ul", "faults");
    this.stations = made("ul", "stations");
    const lower = made("div", "lower", this.card("lastFaults", this.faults), this.card("stations", this.stations));
    root.append(this.trouble, this.alarms, made("div", "upper", this.stage.root, side), this.last.root, this.stopped.root, lower);
  }

  card(title, ...inner) {
    return made("section", "card", made("h2", "", this.text(title)), ...inner);
  }

  buildStage() {
    const stage = { picture: made("img"), symbol: made("span", "symbol"), word: made("span", "word") };
    stage.picture.hidden = true;
    Object.assign(stage, { name: made("span", "name"), what: made("span", "noted"), facts: made("dl", "facts") });
    stage.symbol.setAttribute("aria-hidden", "true");
    const none = made("span", "none", this.text("none"));
    stage.none = none;
    const band = made("div", "band", made("div", "said", stage.symbol, stage.word), made("div", "which", stage.name, stage.what));
    stage.link = made("a", "now", made("div", "seen", stage.picture, none), band, stage.facts);
    stage.root = made("section", "stage", stage.link);
    stage.root.setAttribute("aria-label", this.text("last"));
    return stage;
  }

  buildTile(kind, name) {
    const [value, detail] = [made("div", "value", "–"), made("div", "detail")];
    return { value, detail, root: made("div", `tile ${kind}`, made("div", "name", this.text(name)), value, detail) };
  }

  buildChart(name) {
    const canvas = made("canvas");
    canvas.setAttribute("role", "img");
    return { canvas, root: made("figure", "chart", made("figcaption", "", this.text(name)), canvas) };
  }

  buildStrip(title) {
    const cells = made("div", "strip");
    const empty = made("p", "muted", title === "stopped" ? this.text("noneStopped") : this.text("none"));
    return { cells, empty, root: made("section", `reel ${title}`, made("h2", "", this.text(title)), empty, cells), byNumber: new Map() };
  }

  // --- drawn with each change

  draw() {
    const all = [...this.parts.values()];
    this.recent = all.slice(-KEPT);
    this.drawStage();
    this.drawStrip(this.last, all.slice(-CELLS));
    this.drawStrip(this.stopped, all.filter((part) => part.verdict !== "PASS").slice(-CELLS));
    this.fillPictures();
    this.drawCharts();
    this.drawTiles();
    this.drawFaults(all);
    this.drawTrouble();
    this.drawAlarms();
    this.drawStations();
  }

  /** The newest part, or one that did not pass among those that came since; what it shows stays long enough to be read. */
  drawStage() {
    const shown = this.parts.get(this.shown?.number) ?? this.shown;
    const since = this.recent.filter((part) => part.number > (shown?.number ?? -1));
    if (!since.length && shown === this.shown) return;
    const wait = shown && since.length ? HOLD_MS[shown.verdict] - (performance.now() - this.shownAt) : 0;
    if (wait > 0) {
      clearTimeout(this.held);
      this.held = setTimeout(() => this.ask(), wait);
    }
    const next = wait > 0 || !since.length ? shown : (this.shown && since.findLast((part) => part.verdict !== "PASS")) || since.at(-1);
    if (next === this.shown) return;
    if (next.number !== this.shown?.number) this.shownAt = performance.now();
    this.shown = next;
    this.fillStage(next);
  }

  fillStage(part) {
    const { stage } = this;
    stage.link.className = `now ${part.verdict.toLowerCase()}`;
    stage.link.href = `/inspections/${part.id}`;
    stage.none.textContent = part.picture ? "" : this.text("noPicture");
    stage.picture.hidden = !part.picture;
    stage.picture.alt = this.text("picture", { name: part.name });
    if (part.picture) stage.picture.src = `/api/v1/pictures/${part.picture}?size=medium`;
    say(stage.symbol, SYMBOLS[part.verdict]);
    say(stage.word, this.text(part.verdict));
    say(stage.name, part.name);
    say(stage.what, part.label || (part.cause && this.cause(part).cause) || "");
    const facts = [[this.text("threshold"), part.threshold], [this.text("score"), part.score]].filter(([, value]) => value !== null).reverse();
    const rows = facts.map(([name, value]) => [name, this.score.format(value)]);
    if (part.ms !== null) rows.push([this.text("latency"), `${this.number.format(Math.round(part.ms))} ms`]);
    rows.push([part.station, `${this.time(part.at)}${part.late ? ` · ${this.text("wasLate")}` : ""}`]);
    stage.facts.replaceChildren(...rows.map(([name, value]) => made("div", "", made("dt", "", name), made("dd", "", value))));
  }

  drawStrip(strip, parts) {
    const there = strip.byNumber;
    strip.byNumber = new Map();
    for (const part of parts) {
      const old = there.get(part.number);
      const cell = old?.part === part ? old : old && old.part.picture === part.picture ? { ...old, part } : this.cell(part);
      if (cell.node !== old?.node) {
        if (old) old.node.replaceWith(cell.node);
        else strip.cells.prepend(cell.node);
      }
      strip.byNumber.set(part.number, cell);
      there.delete(part.number);
    }
    for (const { node } of there.values()) node.remove();
    strip.empty.hidden = parts.length > 0;
  }

  cell(part) {
    const symbol = made("span", "none", SYMBOLS[part.verdict]);
    symbol.setAttribute("aria-hidden", "true");
    const verdict = made("span", `verdict ${part.verdict.toLowerCase()}`, this.text(part.verdict));
    const what = part.label || (part.cause ? this.cause(part).cause : "");
    const node = made("a", "part", symbol, made("span", "below", verdict, made("span", "name", part.name), made("span", "noted", what)));
    node.href = `/inspections/${part.id}`;
    node.dataset.serial = part.name;
    node.setAttribute("aria-label", [this.text("part", { name: part.name, verdict: this.text(part.verdict) }), what].filter(Boolean).join(", "));
    return { part, node, symbol, picture: null };
  }

  /** Load pictures as far as they may be: those that did not pass first, then the newest. */
  fillPictures() {
    const now = performance.now();
    this.tokens = Math.min(PICTURES.most, this.tokens + ((now - this.filled) / 1000) * PICTURES.perSecond);
    this.filled = now;
    const cells = [this.stopped, this.last].flatMap((strip) => [...strip.byNumber.values()].reverse());
    for (const cell of cells) {
      if (this.tokens < 1) return;
      if (cell.picture || !cell.part.picture) continue;
      this.tokens -= 1;
      cell.picture = made("img");
      cell.picture.alt = "";
      cell.picture.onerror = () => {
        cell.picture.replaceWith(cell.symbol);
        cell.tries = (cell.tries ?? 0) + 1;
        if (cell.tries < TRIES) cell.picture = null;
      };
      cell.picture.src = `/api/v1/pictures/${cell.part.picture}?size=thumb`;
      cell.symbol.replaceWith(cell.picture);
    }
  }

  drawCharts() {
    const judged = this.recent.filter((part) => part.score !== null && part.threshold > 0);
    const ratio = (value) => this.percent.format(value);
    scatter(this.scores.canvas, judged.map((part) => [part.score / part.threshold, part.verdict]), { line: 1, format: ratio });
    const timed = this.recent.filter((part) => part.ms !== null);
    scatter(this.latencies.canvas, timed.map((part) => [part.ms, part.verdict]), { format: (value) => this.number.format(value) });
    this.latency = timed.map((part) => part.ms).sort((a, b) => a - b);
    const told = judged.at(-1);
    this.scores.canvas.setAttribute("aria-label", `${this.text("scores")}${told ? `: ${ratio(told.score / told.threshold)}` : ""}`);
    this.latencies.canvas.setAttribute("aria-label", this.text("latencies"));
  }

  drawTiles() {
    const { tile, state } = this;
    if (state) {
      const counts = Object.values(state.counts);
      const sum = (key) => counts.reduce((total, count) => total + count[key], 0);
      const parts = sum("PASS") + sum("REJECT") + sum("REVIEW") + sum("FAULT");
      for (const key of ["PASS", "REJECT", "REVIEW", "FAULT", "late"]) {
        say(tile[key].value, this.number.format(sum(key)));
        say(tile[key].detail, parts && key !== "PASS" ? this.percent.format(sum(key) / parts) : "");
      }
      say(tile.PASS.detail, this.text("share", { share: parts ? this.percent.format(sum("PASS") / parts) : "–", parts: this.number.format(parts) }));
      say(tile.yield.value, parts ? this.percent.format(sum("PASS") / parts) : "–");
      say(tile.yield.detail, this.text("shift", { time: this.time(state.shift.begin).replace(/:00(?=$|\s)/, "") }));
    }
    const now = this.now_s();
    const minute = (this.recent ?? []).filter((part) => part.received > now - 60);
    const span = this.recent?.length === minute.length && minute.length === KEPT ? now - minute[0].received : 60;
    say(tile.rate.value, this.number.format(Math.round((minute.length * 60) / Math.max(1, span))));
    const latency = this.latency ?? [];
    say(tile.latency.value, latency.length ? `${this.number.format(Math.round(quantile(latency, 0.5)))} ms` : "–");
    const p95 = latency.length ? this.number.format(Math.round(quantile(latency, 0.95))) : "–";
    say(tile.latency.detail, latency.length ? this.text("latencyDetail", { p95 }) : "");
  }

  cause(part) {
    return this.given.causes[part.cause] ?? { ...this.given.causes[""], cause: part.reason || part.cause };
  }

  drawFaults(all) {
    const faults = all.filter((part) => part.verdict === "FAULT").slice(-FAULTS).reverse();
    const key = faults.map((part) => part.number).join();
    if (key === this.faultsKey) return;
    this.faultsKey = key;
    this.faults.replaceChildren(...faults.map((part) => {
      const { cause, cure } = this.cause(part);
      const link = made("a", "", part.name);
      link.href = `/inspections/${part.id}`;
      const words = made("span", "", link, ` · ${part.station} · ${this.time(part.at)}`);
      return made("li", "", made("strong", "", cause), made("span", "cure", cure), made("span", "muted", words));
    }));
    if (!faults.length) this.faults.append(made("li", "muted", this.text("noFaults")));
  }

  drawStations() {
    if (!this.state) return;
    const rows = this.state.stations.map(({ name, seen }) => {
      const quiet = this.now_s() - seen;
      const counts = this.state.counts[name] ?? { PASS: 0, REJECT: 0, REVIEW: 0, FAULT: 0 };
      const parts = counts.PASS + counts.REJECT + counts.REVIEW + counts.FAULT;
      const told = quiet < QUIET_S ? this.text("reports") : this.text("quiet", { time: this.span(quiet) });
      return { name, told, quiet: quiet >= QUIET_S, share: parts ? this.text("share", { share: this.percent.format(counts.PASS / parts), parts: this.number.format(parts) }) : "" };
    });
    const key = JSON.stringify(rows);
    if (key === this.stationsKey) return;
    this.stationsKey = key;
    this.stations.replaceChildren(...rows.map((row) => {
      const link = made("a", "", row.name);
      link.href = `/?${new URLSearchParams({ station: row.name, ...(this.given.kiosk && { kiosk: "1" }) })}`;
      return made("li", row.quiet ? "quiet" : "", link, made("span", "standing", row.told), made("span", "muted", row.share));
    }));
  }

  drawTrouble() {
    const silent = performance.now() - this.heard > STALE_S * 1000;
    const lost = window.sightline?.lost;
    const seen = Date.now() / 1000 - (performance.now() - this.heard) / 1000;
    say(this.trouble, (this.away || silent) && !lost ? this.text("away", { time: this.time(this.away ? (this.state?.at ?? seen) : seen + this.ahead_s) }) : "");
  }

  drawAlarms() {
    const alerts = this.state?.alerts ?? [];
    const key = JSON.stringify(alerts);
    if (key === this.alarmsKey) return;
    this.alarmsKey = key;
    this.alarms.replaceChildren(...alerts.map((alert) => this.alarm(alert)));
  }

  alarm(alert) {
    const known = alert.by !== null;
    const more = [this.time(alert.raised), ...(known ? [this.text("acknowledged", { name: alert.by })] : [])].join(" · ");
    const words = made("span", "words", made("strong", "", alert.subject), ` ${alert.message} `, made("span", "muted", more));
    const row = made("li", known ? "known" : "open", words);
    if (!known && this.given.acknowledges) {
      const button = made("button", "", this.text("acknowledge"));
      button.setAttribute("aria-label", `${this.text("acknowledge")}: ${alert.subject}`);
      button.onclick = () => this.acknowledge(alert, button);
      row.append(button);
    }
    return row;
  }

  async acknowledge(alert, button) {
    button.disabled = true;
    try {
      const found = await window.sightline.ask("POST", `/alerts/${alert.id}/acknowledge`);
      alert.by = found.acknowledged_by;
      this.drawAlarms();
    } catch (error) {
      button.disabled = false;
      window.Quasar.Notify.create({ message: error.message, type: "negative", position: "top" });
    }
  }
}

export default {
  template: "<div></div>",
  props: ["first", "texts", "causes", "language", "zone", "station", "kiosk", "acknowledges"],
  mounted() {
    this.line = new Line(this.$el, this.$props);
  },
  unmounted() {
    this.line.close();
  },
  methods: {
    take(news) {
      this.line.take(news);
    },
  },
};
