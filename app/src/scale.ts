/** From numbers to places and colours, without a canvas. */

/** Round times from zero that keep at least `gap` pixels between them. */
export function timeTicks(duration: number, width: number, gap = 90): number[] {
  if (!(duration > 0) || !(width > 0)) return [];
  const step = niceStep((duration * gap) / width);
  // Multiplied, not added up: a sum of many steps drifts.
  return Array.from({ length: Math.floor(duration / step + 1e-9) + 1 }, (_, k) => k * step);
}

/** The smallest of 1, 2, 5 times a power of ten that is not below `least`. */
export function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  const factor = [1, 2, 5, 10].find((f) => f * power >= least * (1 - 1e-9)) ?? 10;
  return factor * power;
}

export function timeLabel(seconds: number): string {
  return `${Number(seconds.toPrecision(3))} s`;
}

/** Where a frequency is between the lowest (0) and the highest (1), by octaves. */
export function octavePosition(hertz: number, lowest: number, highest: number): number {
  return Math.log(hertz / lowest) / Math.log(highest / lowest);
}

/** Frequencies worth a label: 1, 2, 5 times powers of ten within the range. */
export function frequencyTicks(lowest: number, highest: number): number[] {
  const all = [10, 100, 1000, 10_000].flatMap((power) => [power, 2 * power, 5 * power]);
  return all.filter((hertz) => hertz >= lowest && hertz <= highest);
}

export function frequencyLabel(hertz: number): string {
  return hertz < 1000 ? `${hertz}` : `${hertz / 1000}k`;
}

type Colour = [number, number, number];

// Dark to light all the way, so that the picture also reads without its hues.
const STOPS: Colour[] = [
  [18, 16, 31],
  [40, 30, 88],
  [88, 44, 140],
  [178, 62, 130],
  [244, 120, 88],
  [255, 196, 104],
  [255, 246, 214],
];

/** The colour of each level from 0 to 255. */
export const PALETTE: Colour[] = Array.from({ length: 256 }, (_, level) => {
  const place = (level / 255) * (STOPS.length - 1);
  const index = Math.min(Math.floor(place), STOPS.length - 2);
  const from = STOPS[index]!;
  const to = STOPS[index + 1]!;
  return from.map((f, k) => Math.round(f + (to[k]! - f) * (place - index))) as Colour;
});

/** RGBA pixels, top row highest, from levels that come column by column, lowest first. */
export function pixels(levels: Uint8Array, columns: number, rows: number): Uint8ClampedArray {
  if (levels.length !== columns * rows) {
    throw new Error(`${levels.length} levels for ${columns} x ${rows}`);
  }
  const rgba = new Uint8ClampedArray(4 * columns * rows);
  for (let column = 0; column < columns; column++) {
    for (let row = 0; row < rows; row++) {
      const [r, g, b] = PALETTE[levels[column * rows + row]!]!;
      rgba.set([r, g, b, 255], 4 * ((rows - 1 - row) * columns + column));
    }
  }
  return rgba;
}

export function bytes(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

/** How far to magnify an outline so that quiet sounds are seen; never beyond 20 times. */
export function gain(outline: [number, number][]): number {
  const peak = outline.reduce((most, [low, high]) => Math.max(most, -low, high), 0);
  return peak > 0 ? Math.min(20, 1 / peak) : 1;
}
