/** The two pictures. Sizes are CSS pixels; the canvas has as many as the screen. */
import type { Analysis } from "./host";
import {
  bytes,
  frequencyLabel,
  frequencyTicks,
  gain,
  octavePosition,
  pixels,
  timeLabel,
  timeTicks,
} from "./scale";

const LEFT = 44;
const BOTTOM = 22;
const INK = "#8f8bb3";
const GRID = "rgba(143, 139, 179, 0.16)";

interface Frame {
  context: CanvasRenderingContext2D;
  x: number;
  width: number;
  height: number;
}

export function drawWaveform(canvas: HTMLCanvasElement, analysis: Analysis): void {
  const frame = prepare(canvas);
  if (!frame) return;
  const { context, x, width, height } = frame;
  drawTimes(frame, analysis.duration);
  const middle = height / 2;
  const reach = gain(analysis.outline) * (middle - 4);
  const step = width / analysis.outline.length;
  const fill = context.createLinearGradient(x, 0, x + width, 0);
  fill.addColorStop(0, "#ffb054");
  fill.addColorStop(1, "#6aa9ff");
  context.fillStyle = fill;
  analysis.outline.forEach(([low, high], k) => {
    const top = middle - high * reach;
    // Silence is a thin line, not nothing.
    const size = Math.max(1, (high - low) * reach);
    context.fillRect(x + k * step, top, Math.max(step * 0.72, 0.6), size);
  });
}

export function drawSpectrogram(canvas: HTMLCanvasElement, analysis: Analysis): void {
  const frame = prepare(canvas);
  if (!frame) return;
  const { context, x, width, height } = frame;
  const picture = analysis.spectrogram;
  context.imageSmoothingQuality = "high";
  context.drawImage(asImage(picture), x, 0, width, height);
  drawTimes(frame, analysis.duration);
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (const hertz of frequencyTicks(picture.lowestHz, picture.highestHz)) {
    const y = height * (1 - octavePosition(hertz, picture.lowestHz, picture.highestHz));
    context.fillStyle = GRID;
    context.fillRect(x, y, width, 1);
    context.fillStyle = INK;
    context.fillText(frequencyLabel(hertz), x - 8, Math.max(7, y));
  }
}

function asImage({ levels, columns, rows }: Analysis["spectrogram"]): HTMLCanvasElement {
  const image = document.createElement("canvas");
  image.width = columns;
  image.height = rows;
  const data = new ImageData(columns, rows);
  data.data.set(pixels(bytes(levels), columns, rows));
  image.getContext("2d")?.putImageData(data, 0, 0);
  return image;
}

function prepare(canvas: HTMLCanvasElement): Frame | null {
  const context = canvas.getContext("2d");
  const { clientWidth, clientHeight } = canvas;
  // Hidden, or smaller than its own labels.
  if (!context || clientWidth <= LEFT || clientHeight <= BOTTOM) return null;
  const ratio = window.devicePixelRatio;
  canvas.width = Math.round(clientWidth * ratio);
  canvas.height = Math.round(clientHeight * ratio);
  context.scale(ratio, ratio);
  context.font = '11px system-ui, "DejaVu Sans", sans-serif';
  return { context, x: LEFT, width: clientWidth - LEFT, height: clientHeight - BOTTOM };
}

function drawTimes({ context, x, width, height }: Frame, duration: number): void {
  context.textBaseline = "alphabetic";
  for (const seconds of timeTicks(duration, width)) {
    const place = x + (seconds / duration) * width;
    context.fillStyle = GRID;
    context.fillRect(place, 0, 1, height);
    context.fillStyle = INK;
    // The last label would hang over the edge.
    context.textAlign = place > x + width - 20 ? "right" : seconds === 0 ? "left" : "center";
    context.fillText(timeLabel(seconds), place, height + 16);
  }
}
