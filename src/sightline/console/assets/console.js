// What pages of the console do in the browser itself.
"use strict";

window.sightline = {
  lost: false, // whether the server does not answer

  /** Headers by which the API takes a change from this page. */
  headers(more = {}) {
    const csrf = document.querySelector('meta[name="csrf"]')?.content;
    return csrf ? { "X-CSRF-Token": csrf, ...more } : more;
  },

  /** Ask the API: JSON of the answer, or an Error with its own words. */
  async ask(method, path, body, headers = {}) {
    const answer = await fetch(`/api/v1${path}`, { method, body, headers: this.headers(headers) });
    const found = answer.headers.get("content-type")?.includes("json") ? await answer.json() : null;
    if (!answer.ok) throw new Error(found?.detail ?? `${answer.status} ${answer.statusText}`);
    return found;
  },

  /** Click a button as soon as it comes into view: what it leads to is loaded while one scrolls. */
  whenSeen(id) {
    const button = getHtmlElement(id);
    if (!button) return;
    new IntersectionObserver((seen, observer) => {
      if (!seen.some((one) => one.isIntersecting)) return;
      observer.disconnect();
      button.click();
    }, { rootMargin: "400px" }).observe(button);
  },

  /** Empty when it worked, else why it did not. */
  async logIn(credentials) {
    try {
      await this.ask("POST", "/login", JSON.stringify(credentials), { "Content-Type": "application/json" });
      return "";
    } catch (error) {
      return error.message;
    }
  },
};

// somebody went back or forward within the page; those that take steps of their own show what was chosen then
addEventListener("popstate", () => {
  if (window.did_handshake) emitEvent("returned", location.search);
  else location.reload(); // before the page could be told
});

// --- whether the server is there: told over the page at once, and mended without losing what is on it
{
  const EVERY_MS = 1000;
  const PATIENCE_MS = 1500;
  let tamed = null; // the socket that was
  let timer = 0;

  /** NiceGUI loads the page anew where a connection takes too long; with no server there, the page would be gone. */
  const tame = (socket) => {
    if (!socket || tamed === socket) return;
    tamed = socket;
    socket.io.timeout(5000);
    socket.io.reconnectionDelayMax(EVERY_MS);
    socket.off("connect_error");
    socket.on("connect_error", (error) => {
      if (error.message === "Implicit handshake failed") location.reload(); // the server was started anew
    });
    socket.on("disconnect", look);
  };

  const answers = async () => {
    try {
      return (await fetch("/healthz", { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) })).ok;
    } catch {
      return false;
    }
  };

  const show = (there) => {
    if (there === !sightline.lost) return;
    sightline.lost = !there;
    const words = document.querySelector('meta[name="lost"]')?.content ?? "";
    const time = new Date().toLocaleTimeString(document.documentElement.lang || undefined);
    document.getElementById("lost").textContent = there ? "" : words.replace("{time}", time);
  };

  const look = async () => {
    clearTimeout(timer);
    tame(window.socket);
    if (!document.hidden) show(await answers());
    clearTimeout(timer);
    timer = setTimeout(look, EVERY_MS);
  };

  addEventListener("offline", look);
  addEventListener("online", look);
  document.addEventListener("visibilitychange", look);
  addEventListener("DOMContentLoaded", () => {
    const banner = document.createElement("div");
    banner.id = "lost";
    banner.setAttribute("role", "alert");
    document.body.append(banner);
    look();
  });
}
