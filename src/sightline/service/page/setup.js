"use strict";

const form = document.getElementById("form");
const told = document.getElementById("told");
const german = navigator.language.startsWith("de");
const SAID = {
  differ: ["The two passwords differ.", "Die beiden Passwörter sind verschieden."],
  done: ["Done. The administrator is", "Erledigt. Der Administrator ist"],
  away: ["The server does not answer. Try again.", "Der Server antwortet nicht. Versuchen Sie es noch einmal."],
};

function say(text, wrong) {
  told.textContent = text;
  told.classList.toggle("wrong", wrong);
}

const text = (key) => SAID[key][german ? 1 : 0];

if (german) {
  document.documentElement.lang = "de";
  for (const element of document.querySelectorAll("[data-de]")) element.textContent = element.dataset.de;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const given = Object.fromEntries(new FormData(form));
  if (given.password !== given.again) {
    say(text("differ"), true);
    return;
  }
  const body = JSON.stringify({ token: location.hash.slice(1), name: given.name, password: given.password });
  try {
    const answer = await fetch("/api/v1/setup", { method: "POST", headers: { "Content-Type": "application/json" }, body });
    const said = await answer.json();
    say(answer.ok ? `${text("done")} ${said.name}.` : said.detail, !answer.ok);
    if (answer.ok) {
      form.remove();
      document.getElementById("next").hidden = false;
      history.replaceState(null, "", location.pathname);
    }
  } catch {
    say(text("away"), true);
  }
});
