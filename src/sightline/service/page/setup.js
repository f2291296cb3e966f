"use strict";

const form = document.getElementById("form");
const told = document.getElementById("told");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const given = Object.fromEntries(new FormData(form));
  if (given.password !== given.again) {
    told.textContent = "The two passwords differ.";
    return;
  }
  const body = JSON.stringify({ token: location.hash.slice(1), name: given.name, password: given.password });
  try {
    const answer = await fetch("/api/v1/setup", { method: "POST", headers: { "Content-Type": "application/json" }, body });
    const said = await answer.json();
    told.textContent = answer.ok ? `Done: ${said.name} is the administrator and may log in.` : said.detail;
    if (answer.ok) {
      form.remove();
      history.replaceState(null, "", location.pathname);
    }
  } catch {
    told.textContent = "The server does not answer. Try again.";
  }
});
