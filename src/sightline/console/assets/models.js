// What the pages of models and of a new product do in the browser: files on their way to the server, and a camera.
"use strict";

Object.assign(window.sightline, {
  /** Send a file with progress; `told` gets a share of 0..1. */
  send(path, file, told) {
    return new Promise((done, failed) => {
      const request = new XMLHttpRequest();
      request.open("POST", `/api/v1${path}`);
      for (const [name, value] of Object.entries(this.headers())) request.setRequestHeader(name, value);
      request.upload.onprogress = (event) => told(event.total ? event.loaded / event.total : 0);
      request.onerror = () => failed(new Error("The connection was lost."));
      request.onload = () => {
        let found = null;
        try { found = JSON.parse(request.responseText); } catch { /* it is told by its status */ }
        if (request.status < 400) done(found);
        else failed(new Error(found?.detail ?? `${request.status} ${request.statusText}`));
      };
      request.send(file);
    });
  },

  /** A model's file as the next version of a name; events `model-progress`, then `model-sent` or `model-refused`. */
  async sendModel(input, name, note) {
    const file = document.querySelector(input).files[0];
    if (!file) return emitEvent("model-refused", "");
    try {
      const path = `/models/${encodeURIComponent(name)}/versions?note=${encodeURIComponent(note)}`;
      const found = await this.send(path, file, (share) => emitEvent("model-progress", share));
      emitEvent("model-sent", { name: found.name, version: found.version });
    } catch (error) {
      emitEvent("model-refused", error.message);
    }
  },

  /** Pictures into a data set, a dozen at a time; events `sending` with a share, and `collected` with what has come. */
  async collect(files, { dataset, label = "good", split = "" }) {
    const wanted = [...files].filter((file) => /\.(png|jpe?g|bmp|tiff?|webp)$/i.test(file.name));
    const faults = files.length && !wanted.length ? ["-"] : [];
    let items = [];
    for (const [place, file] of wanted.entries()) {
      try {
        const { digest } = await this.send("/pictures", file, () => {});
        items.push({ picture: digest, name: (file.webkitRelativePath || file.name).replace(/^\/+/, ""), label, split });
      } catch (error) {
        faults.push(`${file.name}: ${error.message}`);
      }
      emitEvent("sending", (place + 1) / wanted.length);
      if (items.length >= 12 || (place === wanted.length - 1 && items.length)) {
        try {
          const body = JSON.stringify({ product: dataset, add: items });
          await this.ask("POST", `/datasets/${dataset}/versions/from-newest`, body, { "Content-Type": "application/json" });
        } catch (error) {
          faults.push(error.message);
        }
        items = [];
        emitEvent("collected", { done: place + 1, total: wanted.length, faults: faults.splice(0) });
      }
    }
    emitEvent("collected", { done: wanted.length, total: wanted.length, faults });
  },

  /** An archive as a version of its own, by a job; events `sending` with a share, and `archived` with the job or a fault. */
  async collectArchive(file, { dataset }) {
    try {
      const told = (share) => emitEvent("sending", share);
      const { job } = await this.send(`/datasets/${dataset}/imports?product=${dataset}`, file, told);
      emitEvent("archived", { job });
    } catch (error) {
      emitEvent("archived", { fault: error.message });
    }
  },

  /** Whatever was chosen or dropped. */
  async take(files, options) {
    const archive = [...files].find((file) => /\.zip$/i.test(file.name));
    await (archive ? this.collectArchive(archive, options) : this.collect(files, options));
  },

  /** Files of a drop, those in folders as well. */
  async dropped(event) {
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    const found = [];
    const walk = async (entry) => {
      if (found.length >= 5000) return;
      if (entry.isFile) found.push(await new Promise((done, failed) => entry.file(done, failed)));
      else {
        const reader = entry.createReader();
        for (;;) {
          const some = await new Promise((done, failed) => reader.readEntries(done, failed));
          if (!some.length) break;
          for (const one of some) await walk(one);
        }
      }
    };
    for (const entry of entries) await walk(entry);
    return entries.length ? found : [...event.dataTransfer.files];
  },

  camera: null,

  /** Show the browser's camera; "" when it runs, "insecure", "none" or "refused" when not. */
  async openCamera(selector) {
    if (!navigator.mediaDevices?.getUserMedia) return window.isSecureContext ? "none" : "insecure";
    try {
      const wish = { facingMode: "environment", width: { ideal: 1920 }, height: { ideal: 1080 } };
      this.camera = await navigator.mediaDevices.getUserMedia({ video: wish });
    } catch (error) {
      return ["NotAllowedError", "SecurityError"].includes(error.name) ? "refused" : "none";
    }
    const video = document.querySelector(selector);
    video.srcObject = this.camera;
    await video.play();
    return "";
  },

  closeCamera() {
    for (const track of this.camera?.getTracks() ?? []) track.stop();
    this.camera = null;
  },

  /** Take pictures, one a second. */
  async shoot(selector, count, options) {
    const video = document.querySelector(selector);
    if (!this.camera || !video.videoWidth) return;
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
    const files = [];
    for (let taken = 0; taken < count; taken++) {
      if (taken) await new Promise((done) => setTimeout(done, 1000));
      canvas.getContext("2d").drawImage(video, 0, 0);
      const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
      files.push(new File([blob], `camera-${Date.now()}.png`, { type: "image/png" }));
    }
    await this.collect(files, options);
  },

  /** Have a picture judged by a version; its overlay is shown, the rest is told by the event `judged`. */
  async tryOne(file, path, shown) {
    try {
      const found = await this.send(`${path}?overlay=true`, file, () => {});
      const image = document.querySelector(shown);
      image.src = found.overlay ? `data:image/png;base64,${found.overlay}` : URL.createObjectURL(file);
      image.hidden = false;
      emitEvent("judged", { verdict: found.verdict, score: found.score, ms: found.timings.total_ms, fault: found.fault });
    } catch (error) {
      emitEvent("judged", { refused: error.message });
    }
  },
});

// Places that take files say what becomes of them: data-collect has the options of `take`, data-try those of `tryOne`.
{
  const place = (event) => event.target.closest?.("[data-collect], [data-try]");
  const take = (where, files) => {
    if (!files.length) return;
    if (where.dataset.collect) sightline.take(files, JSON.parse(where.dataset.collect));
    else sightline.tryOne(files[0], where.dataset.try, where.dataset.shown);
  };
  document.addEventListener("dragover", (event) => {
    if (!place(event)) return;
    event.preventDefault();
    place(event).classList.add("over");
  });
  document.addEventListener("dragleave", (event) => place(event)?.classList.remove("over"));
  document.addEventListener("drop", async (event) => {
    const where = place(event);
    if (!where) return;
    event.preventDefault();
    where.classList.remove("over");
    take(where, await sightline.dropped(event));
  });
  document.addEventListener("change", (event) => {
    if (event.target.type !== "file" || !place(event)) return;
    const files = [...event.target.files];
    event.target.value = "";
    take(place(event), files);
  });
}
