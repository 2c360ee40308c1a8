// Networks of the run in onnxruntime-web. The arithmetic before and after is that of ganprune.images.values, in
// float32: (p / 255 - 0.5) / 0.5, and (y + 1) / 2 * 255 truncated.
const LONGEST = 512; // pixels, for networks that take any size
const f = Math.fround;
const sessions = new Map();
const scratch = new OffscreenCanvas(1, 1);
let ort = null;
let engine = "wasm";

export async function gpu() { // what WebGPU of this browser computes on
  const adapter = await navigator.gpu?.requestAdapter().catch(() => null);
  if (!adapter) return "none";
  return adapter.info?.isFallbackAdapter ? "software" : "real";
}

export async function load(name) {
  engine = name;
  ort = await import(`/ort/ort.${engine}.min.mjs`);
  ort.env.wasm.wasmPaths = "/ort/";
  ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(4, navigator.hardwareConcurrency || 1) : 1;
  ort.env.logLevel = "error";
}

export function how(model) {
  if (onGpu(model)) return "WebGPU";
  const threads = ort.env.wasm.numThreads;
  return `WebAssembly, ${threads} thread${threads > 1 ? "s" : ""}`;
}

function onGpu(model) { // WebGPU has no 8-bit convolutions: those would go back and forth
  return engine === "webgpu" && !model.name.includes(".int8");
}

export function sizeFor(model, source) {
  if (model.height && model.width) return [model.height, model.width];
  const scale = Math.min(1, LONGEST / Math.max(source.width, source.height));
  const fit = (side) => Math.max(16, 4 * Math.round((side * scale) / 4));
  return [fit(source.height), fit(source.width)];
}

export function pixelsOf(source, height, width) { // ImageData of a picture, resized
  [scratch.height, scratch.width] = [height, width];
  const pen = scratch.getContext("2d", { alpha: false, willReadFrequently: true });
  pen.imageSmoothingQuality = "high";
  pen.drawImage(source, 0, 0, width, height);
  return pen.getImageData(0, 0, width, height);
}

// ImageData, and the milliseconds that it took. The first run of a network, which prepares it, is not measured.
export async function translate(model, pixels) {
  const fresh = !sessions.has(model.name);
  if (fresh) {
    const settings = { executionProviders: onGpu(model) ? ["webgpu", "wasm"] : ["wasm"] };
    sessions.set(model.name, await ort.InferenceSession.create(model.url, settings));
  }
  const session = sessions.get(model.name);
  const inputs = { [session.inputNames[0]]: toTensor(model, pixels) };
  if (fresh) await session.run(inputs);
  const start = performance.now();
  const found = await session.run(inputs);
  const ms = performance.now() - start;
  return { pixels: toPixels(model, found[session.outputNames[0]]), ms };
}

function grey(rgba, at) { // as Pillow reckons it
  return (rgba[at] * 19595 + rgba[at + 1] * 38470 + rgba[at + 2] * 7471 + 0x8000) >> 16;
}

function toTensor(model, { data: rgba, height, width }) {
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

function toPixels(model, tensor) {
  const [height, width, channels] = model.channels_last ? tensor.dims.slice(1) : [...tensor.dims.slice(2), tensor.dims[1]];
  const image = new ImageData(width, height);
  const n = height * width;
  for (let i = 0; i < n; i++) {
    for (let c = 0; c < 3; c++) { // of one or two channels the first, in grey; of more the first three
      const from = channels < 3 ? 0 : c;
      const y = tensor.data[model.channels_last ? channels * i + from : from * n + i];
      const p = tensor.type === "uint8" ? y : f(f(f(y + 1) / 2) * 255);
      image.data[4 * i + c] = Math.trunc(Math.min(255, Math.max(0, p)));
    }
    image.data[4 * i + 3] = 255;
  }
  return image;
}
