// An anomaly map in colours. Its values are on the scale of the model: 0 where the tint begins, the middle the
// threshold, 255 where it is strongest; the same value has the same colour in every picture.
const STOPS = {
  viridis: ["440154", "482878", "3e4989", "31688e", "26828e", "1f9e89", "35b779", "6ece58", "b5de2b", "fde725"],
  inferno: ["3b0f6f", "57106e", "7b1d6d", "9c2964", "bc3754", "d84c3e", "ed6925", "f98e09", "fbba1f", "fcffa4"],
  "blue-orange": ["2166ac", "4393c3", "92c5de", "d1e5f0", "f7f7f7", "fee0b6", "fdb863", "e08214", "b35806"],
  grey: ["202020", "ffffff"],
};
export const NAMES = Object.keys(STOPS);

const parsed = (hex) => [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16));

/** (256 * 4) RGBA. Opaque from the threshold on, and nothing at the beginning: a good place looks as it is. */
function table(name) {
  const stops = STOPS[name].map(parsed);
  const found = new Uint8ClampedArray(1024);
  for (let value = 0; value < 256; value++) {
    const at = (value / 255) * (stops.length - 1);
    const low = Math.min(Math.floor(at), stops.length - 2);
    for (let channel = 0; channel < 3; channel++)
      found[4 * value + channel] = stops[low][channel] + (at - low) * (stops[low + 1][channel] - stops[low][channel]);
    found[4 * value + 3] = 255 * Math.min(1, value / 127.5);
  }
  return found;
}

/** A canvas with the map in colours. */
export function coloured(map, name) {
  const canvas = document.createElement("canvas");
  canvas.width = map.width;
  canvas.height = map.height;
  const picture = new ImageData(map.width, map.height);
  const colours = table(name);
  map.values.forEach((value, at) => picture.data.set(colours.subarray(4 * value, 4 * value + 4), 4 * at));
  canvas.getContext("2d").putImageData(picture, 0, 0);
  return canvas;
}

/** The colours in a row, for the legend. */
export const gradient = (name) => `linear-gradient(90deg, ${STOPS[name].map((stop) => `#${stop}`).join(", ")})`;

/** Ask for the map of a picture; an Error with the API's own words. */
export async function loadMap(digest, model, product, signal) {
  const answer = await fetch(`/api/v1/pictures/${digest}/map?${new URLSearchParams({ model, product })}`, { signal });
  if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).detail ?? `${answer.status} ${answer.statusText}`);
  const told = JSON.parse(answer.headers.get("Sightline-Map"));
  const bitmap = await createImageBitmap(await answer.blob());
  const canvas = document.createElement("canvas");
  const { width, height } = bitmap;
  Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const values = context.getImageData(0, 0, width, height).data.filter((_, at) => at % 4 === 0);
  return { ...told, width, height, values };
}
