// The station's own page: asks the station once a second, and says at once when it does not answer.
const EVERY_MS = 1000;
const PATIENCE_MS = 1500;
const PICTURES = 4; // that are asked for at once; a fast line has other work than to draw them
const SYMBOLS = { PASS: "✓", REJECT: "✕", REVIEW: "?", FAULT: "!" };
const COUNTS = [["triggers", "parts", ""], ["PASS", "passed", "pass"], ["REJECT", "rejected", "reject"],
  ["REVIEW", "to review", "review"], ["FAULT", "faults", "fault"], ["late", "late", "reject"],
  ["missed", "missed triggers", "reject"], ["p50_ms", "ms, median", ""], ["p99_ms", "ms, slowest 1 %", ""]];
const LANGUAGE = "sightline-station-language";

const byId = (id) => document.getElementById(id);
const made = (tag, kind, ...inner) => {
  const node = document.createElement(tag);
  if (kind) node.className = kind;
  node.append(...inner);
  return node;
};

let language = localStorage.getItem(LANGUAGE) ?? (navigator.language.startsWith("de") ? "de" : "en");
let german = {};
let status = null;
let cards = new Map();

/** In the reader's language: the whole, with its numbers left out, or else piece by piece. */
function text(english) {
  if (language !== "de" || !english) return english;
  if (german[english]) return german[english];
  const found = /^(\D*)(\d(?:[\d.,]*\d)?)(\D*)$/.exec(english);
  const filled = found && german[`${found[1]}{}${found[3]}`];
  if (filled) return filled.replace("{}", found[2]);
  const named = /^(camera|model) (.+)$/.exec(english);
  if (named) return `${named[1] === "camera" ? "Kamera" : "Modell"} ${named[2]}`;
  const pieces = english.split(/(; |, |: )/);
  return pieces.length > 1 ? pieces.map((piece, place) => (place % 2 ? piece : text(piece))).join("") : english;
}

const number = (value) => (value === null || value === undefined ? "–" : value.toLocaleString(language));
const time = (at_s) => new Date(at_s * 1000).toLocaleTimeString(language);

function show() {
  byId("state").className = `state ${status.state}`;
  byId("word").textContent = text(status.word);
  byId("cause").textContent = text(status.cause);
  byId("cure").textContent = text(status.cure);
  byId("station").textContent = status.station;
  byId("product").textContent = status.product.replace(/\(recipe (\d+)\)|no recipe/, (whole, recipe) =>
    recipe ? `(${text(`recipe ${recipe}`)})` : text(whole));
  const origin = [["lot", "Lot"], ["tool", "Tool"]].filter(([key]) => status[key]);
  showOrigin();
  byId("origin").textContent = origin.map(([key, name]) => `${text(name)} ${status[key]}`).join(" · ");
  document.title = `${text(status.word)} · ${status.station}`;
  byId("counts").replaceChildren(...COUNTS.map(([key, words, kind]) => tile(number(status.counts[key]), text(words), kind)), ...backlog());
  byId("alarms").hidden = !status.alarms.length;
  byId("alarm-list").replaceChildren(...status.alarms.map((alarm) => made("li", "", text(alarm))));
  byId("faults").replaceChildren(...status.faults.map(fault));
  if (!status.faults.length) byId("faults").replaceChildren(made("li", "muted", text("None since the start.")));
  byId("devices").replaceChildren(...status.devices.flatMap(({ name, state }) => [made("dt", "", text(name)), made("dd", "", text(state))]));
  byId("since").textContent = `${text("counters since")} ${new Date(status.since_s * 1000).toLocaleString(language)}`;
  showParts();
}

function tile(value, name, kind) {
  return made("div", `tile ${kind}`, made("b", "", value), made("span", "", name));
}

function backlog() {
  if (!status.backlog) return [];
  const { records, pictures, error } = status.backlog;
  const kind = error ? "review" : "";
  const tiles = [tile(number(records), text("records wait for the plant server"), kind)];
  if (pictures !== null) tiles.push(tile(number(pictures), text("pictures wait for the plant server"), kind));
  return tiles;
}

function fault({ what, cure, count, last_s }) {
  return made("li", "", made("b", "", number(count)), made("strong", "", text(what)), made("span", "", text(cure)),
    made("span", "muted", time(last_s)));
}

function showParts() {
  const before = cards;
  cards = new Map(status.parts.map((part) => [part.number, before.get(part.number) ?? card(part)]));
  byId("parts").replaceChildren(...[...cards.values()].map(({ node }) => node));
  if (!status.parts.length) byId("parts").replaceChildren(made("p", "muted", text("No part has come yet.")));
  const waiting = [...cards.values()].filter(({ part, drawn }) => part.picture && !drawn);
  waiting.sort((a, b) => (a.part.verdict === "PASS") - (b.part.verdict === "PASS"));
  waiting.slice(0, PICTURES).forEach(picture);
}

function card(part) {
  const seen = made("div", "seen", SYMBOLS[part.verdict]);
  const facts = [];
  if (part.score !== null && part.threshold !== null) facts.push(`${part.score.toLocaleString(language, { maximumSignificantDigits: 3 })} / ${part.threshold.toLocaleString(language, { maximumSignificantDigits: 3 })}`);
  if (part.ms !== null) facts.push(`${number(Math.round(part.ms))} ms`);
  if (part.late) facts.push(text("late"));
  const below = made("div", "below", made("span", `verdict ${part.verdict.toLowerCase()}`, text(part.verdict)),
    made("span", "", part.serial || (part.part_id ? text(`part ${part.part_id}`) : text("no part number"))),
    made("span", "", part.label ? text(part.label) : "\u00a0"), made("small", "", facts.join(" · ") || "\u00a0"));
  return { part, node: made("article", "part", seen, below), seen };
}

function picture(shown) {
  shown.drawn = true;
  const image = made("img");
  image.alt = text(`part ${shown.part.part_id}, with what stands out`);
  image.onload = () => shown.seen.replaceChildren(image);
  image.src = `/parts/${shown.part.number}.jpg`;
}

/** Lot and tool as the station has them, in fields that nobody is about to change. */
function showOrigin() {
  for (const key of ["lot", "tool"]) {
    const field = byId(key);
    const said = status[key] ?? "";
    if (field.value === field.dataset.said || field.dataset.said === undefined) field.value = said;
    field.dataset.said = said;
  }
}

async function sayOrigin(event) {
  event.preventDefault();
  const said = { lot: byId("lot").value.trim(), tool: byId("tool").value.trim() };
  const told = byId("told");
  told.textContent = "";
  try {
    const answer = await fetch("/origin", { method: "PUT", body: JSON.stringify(said), headers: { "Content-Type": "application/json" } });
    if (!answer.ok) throw new Error(await answer.text());
    Object.assign(status, await answer.json());
    for (const key of ["lot", "tool"]) byId(key).value = byId(key).dataset.said = status[key];
    told.className = "";
    told.textContent = text("Parts are of these from now on.");
    show();
  } catch (error) {
    told.className = "refused";
    told.textContent = error instanceof TypeError ? text("The station does not answer. Nothing was changed.") : error.message;
  }
}

function lost() {
  byId("state").className = "state lost";
  byId("word").textContent = text("NO CONNECTION");
  byId("cause").textContent = text("The station does not answer. Its process may be down; this page tries again by itself.");
  byId("cure").textContent = "";
  document.title = text("NO CONNECTION");
}

async function refresh() {
  let answered = false;
  try {
    const answer = await fetch("/status.json", { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
    status = await answer.json();
    answered = answer.ok;
  } catch {
    // told below
  }
  if (answered) show();
  else lost();
  setTimeout(refresh, EVERY_MS);
}

async function speak(chosen) {
  language = chosen;
  if (language === "de" && !Object.keys(german).length) german = await (await fetch("/german.json")).json();
  document.documentElement.lang = language;
  for (const node of document.querySelectorAll("[data-text]")) node.textContent = text(node.dataset.text);
  for (const name of ["en", "de"]) byId(name).setAttribute("aria-pressed", String(name === language));
  cards.clear();
  if (status) show();
}

for (const name of ["en", "de"]) {
  byId(name).onclick = () => {
    localStorage.setItem(LANGUAGE, name);
    speak(name);
  };
}
byId("origin-form").onsubmit = sayOrigin;
byId("origin-card").hidden = !/^(localhost|127(\.\d+){3}|\[::1\])$/.test(location.hostname); // others are refused
speak(language).finally(refresh);
