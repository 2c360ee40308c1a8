// The page: an input, the original's picture and the slim network's beside each other, with their times.
import { gpu, how, load, pixelsOf, sizeFor, translate } from "/network.js";
import { closeCamera, frames, openCamera, openVideo } from "/sources.js";

const ROUNDS = 5; // a picture is translated up to so many times,
const PATIENCE = 1500; // as long as that takes no longer than this, in milliseconds
const MOST = 300; // frames of a video
const MEMORY = 256 * 2 ** 20; // bytes for the frames that are kept
const ENGINES = { webgpu: "WebGPU", wasm: "WebAssembly" };
const WHY = {
  real: "",
  software: "; WebGPU has no graphics card here, the processor imitates one",
  none: "; this browser has no WebGPU",
};
const at = (id) => document.getElementById(id);
let page = null; // what the server knows of the run
let source = null; // an ImageBitmap
let film = []; // the canvases of every frame that was translated
let stopped = false;

function say(text, state = document.body.dataset.state) {
  at("status").textContent = text;
  at("status").classList.toggle("failed", state === "failed");
  document.body.dataset.state = state;
}

const told = (error) => (error.message ?? String(error)).split("\n")[0];
const milliseconds = (ms) => `${ms < 10 ? ms.toFixed(1) : ms.toFixed(0)} ms`;
const chosen = (id) => page.models.find((model) => model.name === at(id).value);
const networks = () => [chosen("model"), chosen("beside")].filter(Boolean);

function put(id, pixels) {
  const canvas = at(id);
  [canvas.height, canvas.width] = [pixels.height, pixels.width];
  canvas.getContext("2d", { alpha: false, willReadFrequently: true }).putImageData(pixels, 0, 0);
}

const capital = (text) => text[0].toUpperCase() + text.slice(1);

function names(slim, other) { // "the slim network" and "the original", or what tells them apart
  const kind = (label) => label.split(",")[0];
  if (kind(slim.label) === kind(other.label)) return [slim.label, other.label];
  return [slim, other].map(({ label }) => ({ slim: "the slim network", original: "the original" })[kind(label)] ?? label);
}

function sentence([slim, other]) {
  if (!other) return `${capital(slim.label)}: ${milliseconds(slim.ms)} on ${slim.how}, ${slim.size}.`;
  const [first, second] = names(slim, other);
  const times = other.ms / slim.ms;
  let words = `${first} is ${times.toFixed(1)} times as fast as ${second}`;
  if (times < 0.95) words = `${first} takes ${(1 / times).toFixed(1)} times as long as ${second}`;
  else if (times < 1.05) words = `${first} takes as long as ${second}`;
  const where = slim.how === other.how ? slim.how : `${slim.how}, and ${other.how}`;
  return `${capital(words)}: ${milliseconds(slim.ms)} and ${milliseconds(other.ms)} on ${where}, ${slim.size}.`;
}

async function one(bitmap) { // translate a picture and show it; the milliseconds of each network
  const places = ["after", "original"];
  const found = [];
  for (const [i, model] of networks().entries()) {
    const pixels = pixelsOf(bitmap, ...sizeFor(model, bitmap));
    if (i === 0) put("before", pixels);
    const made = await translate(model, pixels);
    put(places[i], made.pixels);
    found.push({ label: model.label, ms: made.ms, how: how(model), size: `${pixels.width}×${pixels.height} pixels` });
    at(`${places[i]}-told`).textContent = `${capital(model.label)}: ${milliseconds(made.ms)}`;
  }
  return found;
}

function middle(rounds) { // of several runs, the median of each network
  return rounds[0].map((_, i) => {
    const sorted = rounds.map((round) => round[i].ms).sort((a, b) => a - b);
    return { ...rounds[0][i], ms: sorted[sorted.length >> 1] };
  });
}

async function picture() {
  if (!source || !chosen("model")) return;
  film = [];
  at("video").hidden = true;
  say(`Translating with ${networks().map((model) => model.label).join(" and ")}.`, "busy");
  try {
    const start = performance.now();
    const rounds = [];
    do { // in turns: one run alone tells little of a busy machine
      rounds.push(await one(source));
      say(sentence(middle(rounds)));
    } while (rounds.length < ROUNDS && performance.now() - start < PATIENCE);
    document.body.dataset.state = "done";
    at("after").toBlob((blob) => {
      if (at("save").href) URL.revokeObjectURL(at("save").href);
      at("save").href = URL.createObjectURL(blob);
      at("save").hidden = false;
    });
  } catch (error) {
    say(`${told(error)} ${at("engine").value === "webgpu" ? "Choose WebAssembly and try again." : ""}`, "failed");
  }
}

async function video(blob) {
  film = [];
  stopped = false;
  at("save").hidden = true;
  try {
    const opened = await openVideo(blob);
    const rate = Number(at("rate").value);
    const [height, width] = sizeFor(chosen("model"), { height: opened.videoHeight, width: opened.videoWidth });
    const most = Math.min(MOST, Math.floor(MEMORY / (12 * height * width)));
    const whole = Math.max(1, Math.floor(opened.duration * rate));
    const number = Math.min(whole, most);
    const cut = number < whole ? `, the first ${(number / rate).toFixed(0)} s of the video` : "";
    Object.assign(at("progress"), { max: number, value: 0 });
    at("video").hidden = at("stop").hidden = false;
    at("play").hidden = true;
    say(`Frame 1 of ${number}${cut}.`, "busy");
    film.rate = rate;
    const times = [];
    const start = performance.now();
    for await (const bitmap of frames(opened, rate, number)) {
      times.push(await one(bitmap));
      film.push(await Promise.all(shown().map((canvas) => createImageBitmap(canvas))));
      at("progress").value = film.length;
      const left = (number - film.length) * (performance.now() - start) / film.length / 1000;
      say(`Frame ${film.length} of ${number}${cut}, ${left.toFixed(0)} s left.`);
      if (stopped) break;
    }
    const kept = film.length < number ? `Stopped after ${film.length} of ${number} frames` : `${number} frames${cut}`;
    say(`${kept}. ${sentence(middle(times))}`, "done");
    at("stop").hidden = true;
    at("play").hidden = false;
  } catch (error) {
    say(told(error), "failed");
    at("video").hidden = true;
  }
}

const shown = () => ["before", "after", ...(chosen("beside") ? ["original"] : [])].map(at);

async function play() {
  const [started, mine] = [performance.now(), film];
  at("play").disabled = true;
  const places = shown();
  for (let i = 0; i < mine.length && mine === film; i++) {
    for (const [k, frame] of mine[i].entries()) {
      [places[k].height, places[k].width] = [frame.height, frame.width];
      places[k].getContext("2d", { alpha: false, willReadFrequently: true }).drawImage(frame, 0, 0);
    }
    at("progress").value = i + 1;
    await new Promise((resolve) => setTimeout(resolve, started + ((i + 1) * 1000) / mine.rate - performance.now()));
  }
  at("play").disabled = false;
}

let waiting = Promise.resolve();
const next = (work) => (waiting = waiting.then(work)); // one at a time

async function take(blob) {
  stopped = true; // a video that is being translated ends
  if (blob.type.startsWith("video/")) return next(() => video(blob));
  try {
    source = await createImageBitmap(blob, { colorSpaceConversion: "none" });
  } catch {
    return say("That is no picture this browser can read.", "failed");
  }
  await next(picture);
}

function options(id, entries) { // keeps what was chosen, where it is still there
  const before = at(id).length ? at(id).value : null;
  at(id).replaceChildren(...entries.map(([value, text]) => new Option(text, value)));
  if (entries.some(([value]) => value === before)) at(id).value = before;
}

function offer() { // the networks of the chosen direction
  const these = page.models.filter((model) => model.side === at("direction").value);
  options("model", these.map((model) => [model.name, model.label]));
  const others = these.filter((model) => model.name !== at("model").value);
  others.sort((a, b) => b.original - a.original);
  options("beside", [...others.map((model) => [model.name, model.label]), ["", "nothing"]]);
  at("other").hidden = !chosen("beside");
  at("sample").hidden = !chosen("model")?.sample;
}

async function fetchRuntime(engine) {
  at("fetch").disabled = true;
  say("Fetching; this may take a minute.", "busy");
  const answer = await fetch(`/fetch/${engine}`, { method: "POST" });
  if (answer.ok) return begin();
  at("fetch").disabled = false;
  say(await answer.text(), "failed");
}

async function begin() {
  page = await (await fetch("/page.json")).json();
  const found = await gpu();
  const asked = new URLSearchParams(location.search).get("engine") ?? (found === "real" ? "webgpu" : "wasm");
  const engine = found === "none" ? "wasm" : asked;
  options("engine", (found === "none" ? ["wasm"] : ["webgpu", "wasm"]).map((name) => [name, ENGINES[name]]));
  at("engine").value = engine;
  at("runtime").textContent = page.runtime;
  at("mirror").textContent = page.mirror;
  at("megabytes").textContent = `${(page.engines[engine] / 1e6).toFixed(0)} MB`;
  at("fetch").onclick = () => fetchRuntime(engine);
  at("consent").hidden = page.engines[engine] === 0;
  at("tool").hidden = at("shown").hidden = page.engines[engine] !== 0;
  if (page.engines[engine]) return say("", "asks");
  await load(engine);
  const { A, B } = page.domains;
  const sides = ["A", "B"].filter((side) => page.models.some((model) => model.side === side));
  options("direction", sides.map((side) => [side, side === "A" ? `${A} → ${B}` : `${B} → ${A}`]));
  offer();
  at("camera").hidden = !navigator.mediaDevices;
  say(`Ready, on ${ENGINES[engine]}${WHY[found]}.`, "ready");
}

for (const id of ["direction", "model", "beside"]) {
  at(id).addEventListener("change", () => {
    offer();
    next(picture);
  });
}
at("engine").addEventListener("change", () => (location.search = `?engine=${at("engine").value}`));
at("file").addEventListener("change", (event) => event.target.files[0] && take(event.target.files[0]));
at("sample").addEventListener("click", async () => take(await (await fetch(chosen("model").sample)).blob()));
at("stop").addEventListener("click", () => (stopped = true));
at("play").addEventListener("click", play);
at("camera").addEventListener("click", async () => {
  try {
    await openCamera(at("preview"));
    at("live").hidden = false;
    at("take").focus();
  } catch (error) {
    say(`The camera cannot be used: ${told(error)}.`, "failed");
  }
});
at("close").addEventListener("click", () => {
  closeCamera(at("preview"));
  at("live").hidden = true;
});
at("take").addEventListener("click", async () => {
  source = await createImageBitmap(at("preview"));
  at("close").click();
  await next(picture);
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

begin().catch((error) => say(told(error), "failed"));
