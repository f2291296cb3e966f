// Files on their way to the API: chosen or dropped, shown before they are sent, sent with progress.
const MOST_PICTURES = 500; // at once
const MOST_PLACES = 12; // folders of an archive that are listed
const PICTURE = /\.(png|jpe?g|bmp|tiff?|webp)$/i;

/** What lies in a ZIP, by its list of contents at the end: [folder, pictures], the fullest first. */
async function contents(file) {
  const tail = new DataView(await file.slice(Math.max(0, file.size - 65557)).arrayBuffer());
  let at = tail.byteLength - 22;
  while (at >= 0 && tail.getUint32(at, true) !== 0x06054b50) at -= 1;
  if (at < 0) throw new Error("no archive");
  const [length, start] = [tail.getUint32(at + 12, true), tail.getUint32(at + 16, true)];
  const list = new DataView(await file.slice(start, start + length).arrayBuffer());
  const text = new TextDecoder();
  const folders = new Map();
  for (let place = 0; place + 46 <= list.byteLength && list.getUint32(place, true) === 0x02014b50; ) {
    const size = list.getUint16(place + 28, true);
    const name = text.decode(new Uint8Array(list.buffer, place + 46, size));
    if (PICTURE.test(name) && !name.startsWith("__MACOSX")) {
      const folder = name.includes("/") ? name.slice(0, name.lastIndexOf("/")) : "/";
      folders.set(folder, (folders.get(folder) ?? 0) + 1);
    }
    place += 46 + size + list.getUint16(place + 30, true) + list.getUint16(place + 32, true);
  }
  return [...folders].sort((one, other) => other[1] - one[1]);
}

export default {
  template: `
  <div class="intake">
    <label class="drop" :class="{ over }" @dragover.prevent="over = true" @dragleave="over = false" @drop.prevent="drop">
      <input type="file" :accept="archive ? '.zip,application/zip' : 'image/*'" :multiple="!archive"
        :aria-label="texts.choose" :disabled="busy" @change="choose($event.target.files); $event.target.value = ''">
      <span class="strong">{{ texts.choose }}</span><span class="muted">{{ texts.drop }}</span>
    </label>
    <p v-if="fault" class="refusal" role="alert">{{ fault }}</p>
    <div v-if="archive && files.length" class="before">
      <span class="strong">{{ files[0].file.name }}</span> <span class="muted">{{ size(files[0].file.size) }}</span>
      <ul v-if="folders.length">
        <li v-for="[folder, pictures] in folders.slice(0, most)"><code>{{ folder }}</code> {{ pictures }}</li>
        <li v-if="folders.length > most">…</li>
      </ul>
    </div>
    <div v-if="!archive && files.length" class="before thumbs">
      <figure v-for="(one, number) in files">
        <img :src="one.shown" :alt="one.file.name">
        <button type="button" :disabled="busy" :aria-label="texts.remove + ' ' + one.file.name" @click="leave(number)">×</button>
      </figure>
    </div>
    <div v-if="busy" class="sending" role="status">
      <progress :value="done" max="1" :aria-label="texts.sending"></progress> {{ texts.sending }} {{ Math.round(100 * done) }} %
    </div>
  </div>`,
  props: { archive: Boolean, texts: Object },
  data: () => ({ files: [], folders: [], fault: "", over: false, busy: false, done: 0, most: MOST_PLACES }),
  beforeUnmount() {
    this.files.forEach((one) => URL.revokeObjectURL(one.shown));
  },
  methods: {
    size: (bytes) => (bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`),
    drop(event) {
      this.over = false;
      this.choose(event.dataTransfer.files);
    },
    async choose(found) {
      this.fault = "";
      if (this.busy || !found.length) return;
      const usable = [...found].filter((file) => this.archive || PICTURE.test(file.name));
      if (!usable.length) return void (this.fault = this.texts.none);
      if (this.archive) return this.look(usable[0]);
      const room = MOST_PICTURES - this.files.length;
      if (usable.length > room) this.fault = this.texts.many;
      this.files.push(...usable.slice(0, room).map((file) => ({ file, shown: URL.createObjectURL(file) })));
      this.$emit("chosen", this.files.length);
    },
    async look(file) {
      this.files = [];
      this.folders = [];
      try {
        this.folders = await contents(file);
      } catch {
        this.fault = this.texts.broken;
      }
      if (!this.fault && !this.folders.length) this.fault = this.texts.none;
      if (!this.fault) this.files = [{ file, shown: "" }];
      this.$emit("chosen", this.files.length);
    },
    leave(number) {
      URL.revokeObjectURL(this.files.splice(number, 1)[0].shown);
      this.$emit("chosen", this.files.length);
    },
    clear() {
      this.files.forEach((one) => URL.revokeObjectURL(one.shown));
      this.files = [];
      this.folders = [];
    },
    /** Send what was chosen to a path of the API; `sent` brings [{name, answer}]. */
    async send(path) {
      if (this.busy || !this.files.length) return;
      [this.busy, this.done, this.fault] = [true, 0, ""];
      const [sent, all] = [[], this.files.reduce((sum, one) => sum + one.file.size, 0) || 1];
      let before = 0;
      try {
        for (const { file } of this.files) {
          const answer = await this.post(path, file, (bytes) => (this.done = Math.min(1, (before + bytes) / all)));
          sent.push({ name: file.name, answer });
          before += file.size;
        }
        this.clear();
        this.$emit("sent", sent);
      } catch (error) {
        this.fault = error.message;
      } finally {
        this.busy = false;
      }
    },
    post(path, file, progress) {
      return new Promise((done, failed) => {
        const request = new XMLHttpRequest(); // fetch tells nothing of how much has gone
        request.open("POST", `/api/v1${path}`);
        const headers = sightline.headers({ "Content-Type": file.type || "application/octet-stream" });
        for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
        request.upload.onprogress = (event) => progress(event.loaded);
        request.onerror = () => failed(new Error(`${file.name}: ${this.texts.away}`));
        request.onload = () => {
          let told = null;
          try {
            told = JSON.parse(request.responseText);
          } catch {
            told = { detail: request.statusText };
          }
          if (request.status < 300) done(told);
          else failed(new Error(`${file.name}: ${told.detail ?? request.statusText}`));
        };
        request.send(file);
      });
    },
  },
};
