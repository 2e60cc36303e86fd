/** Wires the host, the screen and the page together. */
import { drawSpectrogram, drawWaveform } from "./draw";
import { facts, hertz } from "./format";
import { host, type Analysis } from "./host";
import { canAsk, chip, complaint, initial, next, problem, type Event } from "./screen";

function element<T extends HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found as T;
}

const waveform = element<HTMLCanvasElement>("waveform");
const spectrogram = element<HTMLCanvasElement>("spectrogram");

let screen = initial;
let drawn: Analysis | null = null;

function happened(event: Event): void {
  screen = next(screen, event);
  render();
}

function render(): void {
  const { text, tone } = chip(screen);
  element("chip").textContent = text;
  element("chip").dataset.tone = tone;
  for (const id of ["open", "sample"]) element<HTMLButtonElement>(id).disabled = !canAsk(screen);

  const failure = problem(screen);
  element("problem").hidden = !failure;
  element("problem-reason").textContent = failure?.reason ?? "";
  element("problem-stderr").textContent = failure?.stderr ?? "";

  const refusal = complaint(screen);
  element("complaint").hidden = !refusal;
  element("complaint").textContent = refusal ?? "";

  element("empty").hidden = screen.analysis !== null || failure !== null;
  element("result").hidden = screen.analysis === null;
  if (screen.analysis && screen.analysis !== drawn) show(screen.analysis);
}

function show(analysis: Analysis): void {
  drawn = analysis;
  const { lowestHz, highestHz, floorDb } = analysis.spectrogram;
  element("name").textContent = analysis.name;
  element("legend").textContent =
    `${hertz(lowestHz)} to ${hertz(highestHz)}, down to ${-floorDb} dB below full scale`;
  element("facts").replaceChildren(...facts(analysis).map(fact));
  draw();
}

function fact([name, value]: [string, string]): HTMLElement {
  const card = document.createElement("div");
  const term = card.appendChild(document.createElement("dt"));
  term.textContent = name;
  const detail = card.appendChild(document.createElement("dd"));
  detail.textContent = value;
  return card;
}

function draw(): void {
  if (!drawn) return;
  drawWaveform(waveform, drawn);
  drawSpectrogram(spectrogram, drawn);
}

async function ask(request: () => Promise<Analysis | null>): Promise<void> {
  happened({ type: "asked" });
  try {
    happened({ type: "answered", analysis: await request() });
  } catch (error) {
    happened({ type: "refused", message: String(error) });
  }
}

element("open").addEventListener("click", () => void ask(host.openAudio));
element("sample").addEventListener("click", () => void ask(host.analyzeSample));
element("restart").addEventListener("click", () => void host.restartSidecar());
new ResizeObserver(draw).observe(element("result"));

render();
// Listening comes first: a change between the two calls would be missed otherwise.
await host.onSidecarState((sidecar) => happened({ type: "sidecar", sidecar }));
happened({ type: "sidecar", sidecar: await host.sidecarState() });
