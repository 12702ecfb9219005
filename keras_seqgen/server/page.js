"use strict";
// The page of `keras-seqgen serve`: asks the server's own REST interface, as any other client would.

const el = (id) => document.getElementById(id);
const CHUNK = 48; // points or tokens of one request
let models = {}; // name -> {signatures: {name: {input: shape}}, unit: length of a step or null, labels: [name]}

// ---- asking -------------------------------------------------------------------------------------------------------

async function ask(model, signature, inputs) {
  let answer, content;
  try {
    answer = await fetch(`v1/models/${encodeURIComponent(model)}:predict`, {
      method: "POST",
      body: JSON.stringify({ signature_name: signature, inputs }),
    });
  } catch {
    throw new Error("The server does not answer. Is it still running?");
  }
  try {
    const text = await answer.text();
    // A row with an error has NaN for its numbers, which JSON.parse does not know; what stands in a text stays.
    content = JSON.parse(text.replace(/"[^"\\]*(?:\\.[^"\\]*)*"|\bNaN\b/g, (part) => (part === "NaN" ? "null" : part)));
  } catch {
    throw new Error("The server's answer cannot be read.");
  }
  if (!answer.ok) throw new Error(content.error || `The server answers ${answer.status}.`);
  const said = (content.outputs.error || []).find((message) => message);
  if (said) throw new Error(said);
  return content.outputs;
}

async function guarded(work, status) {
  el("alert").textContent = "";
  try {
    await work();
  } catch (error) {
    el("alert").textContent = error.message.replaceAll("`", "");
    if (status) el(status).textContent = "";
  }
}

// The models that have a signature with an input of one of these names.
const having = (signature, ...inputs) =>
  Object.keys(models).filter((model) => inputs.some((input) => input in (models[model].signatures[signature] || {})));

function offer(select, names) {
  select.replaceChildren(...names.map((name) => new Option(name, name)));
}

// ---- tabs ---------------------------------------------------------------------------------------------------------

const TABS = [
  ["handwriting", "Handwriting", "generate_primed", "primer_strokes"],
  ["text", "Text", "step", "prime"],
  ["segmentation", "Pictures", "segment", "image"],
  ["recognition", "Reading", "recognise", "points", "image", "wav"],
];

function openTab(name, focus) {
  for (const tab of el("tabs").children) {
    const chosen = tab.id === `tab-${name}`;
    tab.setAttribute("aria-selected", chosen);
    tab.tabIndex = chosen ? 0 : -1;
    el(tab.getAttribute("aria-controls")).hidden = !chosen;
    if (chosen && focus) tab.focus();
  }
  el("alert").textContent = "";
}

function makeTabs(available) {
  for (const [name, title] of available) {
    const tab = document.createElement("button");
    Object.assign(tab, { type: "button", id: `tab-${name}`, textContent: title });
    tab.setAttribute("role", "tab");
    tab.setAttribute("aria-controls", `panel-${name}`);
    tab.addEventListener("click", () => openTab(name));
    el("tabs").append(tab);
  }
  el("tabs").addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const names = available.map(([name]) => name);
    const now = names.findIndex((name) => el(`tab-${name}`).getAttribute("aria-selected") === "true");
    openTab(names[(now + step + names.length) % names.length], true);
  });
  if (available.length) openTab(available[0][0]);
}

// ---- ink ----------------------------------------------------------------------------------------------------------

const SVG = "http://www.w3.org/2000/svg";

class Sheet {
  // An SVG that grows with the ink: add() takes rows (dx, dy, pen), pen 1 on the last point of a stroke.
  constructor(place, title) {
    this.x = this.y = 0;
    this.box = [0, 0, 0, 0];
    this.path = "M0 0";
    this.up = false;
    this.svg = document.createElementNS(SVG, "svg");
    this.svg.setAttribute("xmlns", SVG);
    this.svg.setAttribute("role", "img");
    const name = document.createElementNS(SVG, "title");
    name.textContent = title;
    this.ink = document.createElementNS(SVG, "path");
    for (const [key, value] of Object.entries({
      fill: "none", stroke: "#112233", "stroke-linecap": "round", "stroke-linejoin": "round" })) {
      this.ink.setAttribute(key, value);
    }
    this.svg.append(name, this.ink);
    place.replaceChildren(this.svg);
  }

  add(rows) {
    for (const [dx, dy, pen] of rows) {
      this.x += dx;
      this.y += dy;
      const [left, top, right, bottom] = this.box;
      this.box = [Math.min(left, this.x), Math.min(top, this.y), Math.max(right, this.x), Math.max(bottom, this.y)];
      this.path += `${this.up ? "M" : "L"}${this.x.toFixed(2)} ${this.y.toFixed(2)}`;
      this.up = pen > 0.5;
    }
    const [left, top, right, bottom] = this.box;
    const height = Math.max(bottom - top, 1e-6);
    const edge = 0.25 * height;
    this.size = [Math.max(right - left, height) + 2 * edge, height + 2 * edge];
    this.svg.setAttribute("viewBox", [left - edge, top - edge, ...this.size].map((n) => n.toFixed(2)).join(" "));
    this.ink.setAttribute("stroke-width", (height / 40).toFixed(2));
    this.ink.setAttribute("d", this.path);
  }

  file() {
    return new Blob([new XMLSerializer().serializeToString(this.svg)], { type: "image/svg+xml" });
  }

  async picture() {
    const image = new Image();
    const scale = 1600 / this.size[0];
    const text = await this.file().text();
    image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text.replace("<svg ",
      `<svg width="1600" height="${Math.ceil(this.size[1] * scale)}" `))}`;
    await image.decode();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [1600, Math.ceil(this.size[1] * scale)];
    const paint = canvas.getContext("2d");
    paint.fillStyle = "#fff";
    paint.fillRect(0, 0, canvas.width, canvas.height);
    paint.drawImage(image, 0, 0, canvas.width, canvas.height);
    return new Promise((done) => canvas.toBlob(done, "image/png"));
  }
}

class Pad {
  // A canvas to draw on with a finger, a pen or a mouse; points() are rows (x, y, pen).
  constructor(canvas) {
    this.canvas = canvas;
    this.clear();
    const here = (event) => {
      const frame = canvas.getBoundingClientRect();
      const scale = canvas.width / frame.width;
      return [(event.clientX - frame.left) * scale, (event.clientY - frame.top) * scale];
    };
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.strokes.push([here(event)]);
      this.drawing = true;
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!this.drawing) return;
      const stroke = this.strokes.at(-1);
      stroke.push(here(event));
      const paint = canvas.getContext("2d");
      Object.assign(paint, { lineWidth: 3, lineCap: "round", strokeStyle: "#112233" });
      paint.beginPath();
      paint.moveTo(...stroke.at(-2));
      paint.lineTo(...stroke.at(-1));
      paint.stroke();
    });
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => (this.drawing = false));
  }

  clear() {
    this.strokes = [];
    this.drawing = false;
    this.canvas.getContext("2d").clearRect(0, 0, this.canvas.width, this.canvas.height);
  }

  points() {
    return this.strokes.flatMap((stroke) => stroke.map(([x, y], n) => [x, y, n === stroke.length - 1 ? 1 : 0]));
  }

  offsets(unit) {
    // Rows (dx, dy, pen), their steps scaled to `unit`, the model's, in root mean square; unit null: as drawn.
    const points = this.points();
    const rows = points.slice(1).map(([x, y, pen], n) => [x - points[n][0], y - points[n][1], pen]);
    const own = Math.sqrt(rows.reduce((sum, [dx, dy]) => sum + dx * dx + dy * dy, 0) / Math.max(rows.length, 1));
    const scale = unit && own ? unit / own : 1;
    return rows.map(([dx, dy, pen]) => [dx * scale, dy * scale, pen]);
  }
}

// ---- handwriting --------------------------------------------------------------------------------------------------

let sheet = null;
let run = 0; // the writing that may go on; another number stops it

async function write(sample) {
  const mine = ++run;
  const model = el("write-model").value;
  const text = el("text").value.normalize("NFC");
  const asked = { text: [text], bias: [Number(el("bias").value)], seed: [[Number(el("seed").value), 0]] };
  sheet = new Sheet(el("sheet"), text);
  el("write-stop").disabled = false;
  el("write-status").textContent = "Writing";
  let points = 0;
  const add = (rows) => {
    points += rows.length;
    if (rows.length) sheet.add(rows);
  };
  try {
    const drawn = sample.offsets(models[model].unit);
    if (drawn.length) {
      const says = el("sample-text").value.normalize("NFC");
      if (!says) throw new Error("Say what the sample says: the model reads along as it writes.");
      // No signature hands out the state behind a primer. But a line that may take more points begins with the one
      // that may take fewer, so it is asked for again and again, twice as long each time.
      for (let limit = 0, most = 50 * [...text].length + 150; points === limit && limit < most && run === mine;) {
        limit = Math.min(limit ? 2 * limit : CHUNK, most);
        const { strokes, length } = await ask(model, "generate_primed", {
          ...asked, text: [` ${text}`], max_points: [limit], primer_strokes: [drawn], primer_length: [drawn.length],
          primer_text: [says],
        });
        while (points < length[0] && run === mine) {
          add(strokes[0].slice(points, Math.min(points + 8, length[0])));
          await new Promise(requestAnimationFrame);
        }
      }
    } else {
      let state = [new Array(models[model].signatures.step.state[1]).fill(0)];
      for (let finished = false, most = 50 * [...text].length + 100; !finished && points < most && run === mine;) {
        const part = await ask(model, "step", { ...asked, points: [Math.min(CHUNK, most - points)], state });
        if (run !== mine) break;
        add(part.strokes[0].slice(0, part.length[0]));
        [state, finished] = [part.state, part.finished[0]];
      }
    }
  } finally {
    if (run === mine) {
      el("write-stop").disabled = true;
      el("write-status").textContent = points ? `${points} points` : "";
      el("save-svg").disabled = el("save-png").disabled = !points;
    }
  }
}

async function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

// ---- text ---------------------------------------------------------------------------------------------------------

let story = 0;

async function goOn() {
  const mine = ++story;
  const model = el("text-model").value;
  const prime = el("prime").value;
  const wishes = { temperature: [Number(el("temperature").value)], top_k: [0], top_p: [1.0],
    seed: [[Number(el("text-seed").value), 0]], stop: [""] };
  let state = [new Array(models[model].signatures.step.state[1]).fill(0)];
  el("story").textContent = prime;
  el("text-stop").disabled = false;
  try {
    for (let left = Number(el("tokens").value), first = true; left > 0 && story === mine; first = false) {
      const part = await ask(model, "step", {
        ...wishes, prime: [first ? prime : ""], max_tokens: [Math.min(CHUNK, left)], state });
      if (story !== mine) break;
      el("story").textContent += part.text[0];
      [state, left] = [part.state, part.length[0] ? left - part.length[0] : 0];
    }
  } finally {
    if (story === mine) el("text-stop").disabled = true;
  }
}

// ---- files --------------------------------------------------------------------------------------------------------

async function content(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let text = "";
  for (let n = 0; n < bytes.length; n += 8192) text += String.fromCharCode(...bytes.subarray(n, n + 8192));
  return { b64: btoa(text) };
}

function takeFiles(place, input, status, work) {
  const take = (file) => file && guarded(() => work(file), status);
  el(input).addEventListener("change", () => take(el(input).files[0]));
  el(place).addEventListener("dragover", (event) => event.preventDefault());
  el(place).addEventListener("drop", (event) => {
    event.preventDefault();
    take(event.dataTransfer.files[0]);
  });
}

// ---- pictures -----------------------------------------------------------------------------------------------------

async function asStored(file) {
  // A browser turns a JPEG as its camera noted (Exif, in APP1), the model's decoder does not. As APP15 nobody reads it.
  const bytes = new Uint8Array(await file.arrayBuffer());
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) return file;
  for (let at = 2; bytes[at] === 0xff && bytes[at + 1] !== 0xda; at += 2 + 256 * bytes[at + 2] + bytes[at + 3]) {
    if (bytes[at + 1] === 0xe1) bytes[at + 1] = 0xef;
  }
  return new Blob([bytes]);
}

async function label(file) {
  const model = el("picture-model").value;
  el("legend").textContent = "Labelling";
  const found = await ask(model, "segment", { image: [await content(file)] });
  const [height, width, rows] = [found.height[0], found.width[0], found.labels[0]];
  const canvas = el("labels");
  [canvas.width, canvas.height] = [width, height];
  const paint = canvas.getContext("2d");
  paint.drawImage(await createImageBitmap(await asStored(file)), 0, 0, width, height);
  const pixels = paint.getImageData(0, 0, width, height);
  const seen = new Map();
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const number = rows[y][x];
      seen.set(number, (seen.get(number) || 0) + 1);
      const hue = (number * 137.5) % 360;
      for (let c = 0; c < 3; c++) {
        const colour = 127 + 127 * Math.cos(((hue - 120 * c) * Math.PI) / 180);
        const place = 4 * (y * width + x) + c;
        pixels.data[place] = (pixels.data[place] + colour) / 2;
      }
    }
  }
  paint.putImageData(pixels, 0, 0);
  el("legend").textContent = [...seen].sort((a, b) => b[1] - a[1])
    .map(([number, count]) =>
      `${models[model].labels[number] || `label ${number}`}: ${((100 * count) / (width * height)).toFixed(1)} %`)
    .join(", ");
}

// ---- reading ------------------------------------------------------------------------------------------------------

const FILES = {
  image: ["A PNG or JPEG of one line, chosen or dropped here", "image/png,image/jpeg"],
  wav: ["A WAV file, chosen or dropped here", ".wav,audio/wav"],
};

const readerInput = () => {
  const inputs = models[el("reader-model").value].signatures.recognise;
  return ["points", ...Object.keys(FILES)].find((name) => name in inputs);
};

function showReader() {
  const [what, kinds] = FILES[readerInput()] || ["", ""];
  el("reader-pen").hidden = Boolean(what);
  el("reader-drop").hidden = !what;
  el("reader-what").textContent = what;
  el("reader-file").accept = kinds;
  el("reading").textContent = "";
}

async function read(inputs) {
  el("reading").textContent = "Reading";
  const found = await ask(el("reader-model").value, "recognise", inputs);
  el("reading").textContent = found.text[0] || "Nothing was read.";
}

function readInk(pad) {
  const points = pad.points();
  if (points.length < 2) throw new Error("Draw a line first.");
  return read({ points: [points], length: [points.length] });
}

// ---- the page -----------------------------------------------------------------------------------------------------

async function begin() {
  models = await (await fetch("page/models.json")).json();
  const available = TABS.filter(([, , ...wanted]) => having(...wanted).length);
  makeTabs(available);
  if (!available.length) throw new Error("The server has no model that this page can show.");
  const selects = ["write-model", "text-model", "picture-model", "reader-model"];
  TABS.forEach(([, , ...wanted], n) => offer(el(selects[n]), having(...wanted)));

  const sample = new Pad(el("sample"));
  const line = new Pad(el("line"));
  el("write-form").addEventListener("submit", (event) => {
    event.preventDefault();
    guarded(() => write(sample));
  });
  el("write-stop").addEventListener("click", () => {
    run++;
    el("write-stop").disabled = true;
    el("write-status").textContent = "Stopped";
    el("save-svg").disabled = el("save-png").disabled = !sheet.size;
  });
  el("sample-clear").addEventListener("click", () => sample.clear());
  el("save-svg").addEventListener("click", () => guarded(() => download(sheet.file(), "line.svg")));
  el("save-png").addEventListener("click", () => guarded(() => download(sheet.picture(), "line.png")));
  el("text-form").addEventListener("submit", (event) => {
    event.preventDefault();
    guarded(goOn);
  });
  el("text-stop").addEventListener("click", () => {
    story++;
    el("text-stop").disabled = true;
  });
  takeFiles("drop", "picture", "legend", label);
  takeFiles("reader-drop", "reader-file", "reading", async (file) => read({ [readerInput()]: [await content(file)] }));
  el("reader-model").addEventListener("change", showReader);
  if (el("reader-model").value) showReader();
  el("read").addEventListener("click", () => guarded(() => readInk(line), "reading"));
  el("line-clear").addEventListener("click", () => line.clear());
  document.body.dataset.ready = "yes";
}

guarded(begin);
