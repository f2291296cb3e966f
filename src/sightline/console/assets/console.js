// What pages of the console do in the browser itself.
"use strict";

window.sightline = {
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
