// Translates a picture with a network of the run, in onnxruntime-web. The arithmetic before and after is
// that of ganprune.images.values, in float32: (p / 255 - 0.5) / 0.5, and (y + 1) / 2 * 255 truncated.
import * as ort from "/ort/ort.wasm.min.mjs";

const LONGEST = 512; // pixels, for networks that take any size
const f = Math.fround;
const at = (id) => document.getElementById(id);
const sessions = new Map();
const fresh = new Set(); // names of networks that have not run yet: a first run takes longer
let models = [];
let picture = null; // an ImageBitmap

ort.env.wasm.wasmPaths = "/ort/";
ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(4, navigator.hardwareConcurrency || 1) : 1;

function say(text, failed = false) {
  at("status").textContent = text;
  at("status").classList.toggle("failed", failed);
}

function sizeFor(model, bitmap) {
  if (model.height && model.width) return [model.height, model.width];
  const scale = Math.min(1, LONGEST / Math.max(bitmap.width, bitmap.height));
  const fit = (side) => Math.max(16, 4 * Math.round((side * scale) / 4));
  return [fit(bitmap.height), fit(bitmap.width)];
}

function draw(bitmap, height, width) {
  const canvas = at("before");
  canvas.height = height;
  canvas.width = width;
  const pen = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
  pen.imageSmoothingQuality = "high";
  pen.drawImage(bitmap, 0, 0, width, height);
  return pen.getImageData(0, 0, width, height).data; // RGBA, row by row
}

function grey(rgba, at) { // as Pillow reckons it
  return (rgba[at] * 19595 + rgba[at + 1] * 38470 + rgba[at + 2] * 7471 + 0x8000) >> 16;
}

function toTensor(model, rgba, height, width) {
  const n = height * width;
  const channels = model.channels;
  const values = model.dtype === "uint8" ? new Uint8Array(channels * n) : new Float32Array(channels * n);
  for (let i = 0; i < n; i++) {
    for (let c = 0; c < channels; c++) {
      const p = channels === 1 ? grey(rgba, 4 * i) : rgba[4 * i + c];
      const place = model.channels_last ? channels * i + c : c * n + i;
      values[place] = model.dtype === "uint8" ? p : f(f(f(p / 255) - 0.5) / 0.5);
    }
  }
  const shape = model.channels_last ? [1, height, width, channels] : [1, channels, height, width];
  return new ort.Tensor(model.dtype, values, shape);
}

function show(model, tensor, height, width) {
  const canvas = at("after");
  canvas.height = height;
  canvas.width = width;
  const pen = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
  const image = pen.createImageData(width, height);
  const n = height * width;
  const channels = tensor.dims[model.channels_last ? 3 : 1];
  for (let i = 0; i < n; i++) {
    for (let c = 0; c < 3; c++) { // of one or two channels the first, in grey; of more the first three
      const from = channels < 3 ? 0 : c;
      const y = tensor.data[model.channels_last ? channels * i + from : from * n + i];
      const p = tensor.type === "uint8" ? y : f(f(f(y + 1) / 2) * 255);
      image.data[4 * i + c] = Math.trunc(Math.min(255, Math.max(0, p)));
    }
    image.data[4 * i + 3] = 255;
  }
  pen.putImageData(image, 0, 0);
  canvas.toBlob((blob) => {
    const link = at("save");
    if (link.href) URL.revokeObjectURL(link.href);
    link.href = URL.createObjectURL(blob);
    link.hidden = false;
  });
}

async function sessionFor(model) {
  if (!sessions.has(model.name)) {
    say(`Loading ${model.name}, ${(model.bytes / 2 ** 20).toFixed(1)} MiB.`);
    sessions.set(model.name, await ort.InferenceSession.create(model.url, { executionProviders: ["wasm"] }));
    fresh.add(model.name);
  }
  return sessions.get(model.name);
}

async function translate() {
  const model = models[at("model").selectedIndex];
  if (!picture || !model) return;
  document.body.dataset.state = "busy";
  try {
    const session = await sessionFor(model);
    const [height, width] = sizeFor(model, picture);
    const tensor = toTensor(model, draw(picture, height, width), height, width);
    say(`Translating with ${model.name}.`);
    const start = performance.now();
    const found = await session.run({ [session.inputNames[0]]: tensor });
    const ms = performance.now() - start;
    show(model, found[session.outputNames[0]], height, width);
    const threads = ort.env.wasm.numThreads;
    const first = fresh.delete(model.name) ? " A first run; the next are faster." : "";
    const how = `${width}×${height} pixels, ${threads} thread${threads > 1 ? "s" : ""}`;
    say(`${model.name}: ${ms.toFixed(0)} ms for ${how}.${first}`);
    document.body.dataset.state = "done";
  } catch (error) {
    say(`${model.name}: ${error.message}`, true);
    document.body.dataset.state = "failed";
  }
}

let waiting = Promise.resolve();
const next = () => (waiting = waiting.then(translate)); // one at a time

async function take(blob) {
  try {
    picture = await createImageBitmap(blob, { colorSpaceConversion: "none" });
  } catch {
    say("That is no picture this browser can read.", true);
    return;
  }
  await next();
}

at("model").addEventListener("change", next);
at("file").addEventListener("change", (event) => event.target.files[0] && take(event.target.files[0]));
at("sample").addEventListener("click", async () => {
  const model = models[at("model").selectedIndex];
  if (model?.sample) await take(await (await fetch(model.sample)).blob());
});
addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("over");
});
addEventListener("dragleave", () => document.body.classList.remove("over"));
addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("over");
  if (event.dataTransfer.files[0]) take(event.dataTransfer.files[0]);
});
addEventListener("paste", (event) => event.clipboardData.files[0] && take(event.clipboardData.files[0]));

models = await (await fetch("/models.json")).json();
for (const model of models) at("model").add(new Option(model.name));
at("sample").hidden = !models.some((model) => model.sample);
say("Ready.");
document.body.dataset.state = "ready";
