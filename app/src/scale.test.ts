import { describe, expect, it } from "vitest";
import {
  bytes,
  frequencyTicks,
  gain,
  niceStep,
  octavePosition,
  PALETTE,
  pixels,
  timeLabel,
  timeTicks,
} from "./scale";

describe("time", () => {
  it("is marked at round places that keep their distance", () => {
    expect(timeTicks(4, 900)).toEqual([0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4]);
    expect(timeTicks(0.01, 300).map(timeLabel)).toEqual(["0 s", "0.005 s", "0.01 s"]);
    for (const duration of [0.003, 0.7, 12, 61, 1799]) {
      const [, first] = timeTicks(duration, 800);
      expect((first! / duration) * 800).toBeGreaterThanOrEqual(90 - 1e-6);
    }
  });

  it("has no marks where there is nothing to mark", () => {
    expect(timeTicks(0, 900)).toEqual([]);
    expect(timeTicks(4, 0)).toEqual([]);
  });

  it.each([
    [0.9, 1],
    [1, 1],
    [1.1, 2],
    [4, 5],
    [51, 100],
    [0.03, 0.05],
  ])("steps of at least %d are %d", (least, step) => {
    expect(niceStep(least)).toBeCloseTo(step);
  });
});

describe("frequency", () => {
  it("has equal space for each octave", () => {
    expect(octavePosition(40, 40, 640)).toBe(0);
    expect(octavePosition(80, 40, 640)).toBeCloseTo(0.25);
    expect(octavePosition(640, 40, 640)).toBe(1);
  });

  it("is labelled within the picture only", () => {
    expect(frequencyTicks(40, 4000)).toEqual([50, 100, 200, 500, 1000, 2000]);
  });
});

describe("pixels", () => {
  it("turn columns into rows with the highest on top", () => {
    const [dark, light] = [PALETTE[0]!, PALETTE[255]!];
    const rgba = pixels(bytes(btoa("\x00\xff\x00\x00")), 2, 2);
    expect([...rgba]).toEqual([...light, 255, ...dark, 255, ...dark, 255, ...dark, 255]);
  });

  it("refuse a picture of another size", () => {
    expect(() => pixels(new Uint8Array(3), 2, 2)).toThrow("3 levels for 2 x 2");
  });

  it("get lighter with every level", () => {
    const light = PALETTE.map(([r, g, b]) => 0.3 * r + 0.6 * g + 0.1 * b);
    expect(light.every((value, k) => k === 0 || value >= light[k - 1]!)).toBe(true);
  });
});

describe("gain", () => {
  it("fills the height, but leaves near silence flat", () => {
    expect(gain([[-0.5, 0.25]])).toBe(2);
    expect(gain([[-0.001, 0]])).toBe(20);
    expect(gain([[0, 0]])).toBe(1);
  });
});
