import { expect, it } from "vitest";
import { channels, decibels, duration, facts, hertz } from "./format";
import type { Analysis } from "./host";

it("writes durations", () => {
  expect([0, 4, 59.999, 83.4, 1800].map(duration)).toEqual([
    "0:00.00",
    "0:04.00",
    "1:00.00",
    "1:23.40",
    "30:00.00",
  ]);
});

it("writes frequencies", () => {
  expect([0, 440.2, 999.6, 3520, 44_100].map(hertz)).toEqual([
    "0 Hz",
    "440 Hz",
    "1 kHz",
    "3.52 kHz",
    "44.1 kHz",
  ]);
});

it("writes levels and channels", () => {
  expect([-6.02, -0.01, 0].map(decibels)).toEqual(["−6.0 dB", "0.0 dB", "0.0 dB"]);
  expect([1, 2, 6].map(channels)).toEqual(["mono", "stereo", "6 channels"]);
});

it("has a word for silence", () => {
  const silence = { duration: 1, peakDb: -90, rmsDb: -90, dominantHz: null } as Analysis;
  expect(facts(silence)).toContainEqual(["Dominant", "silence"]);
});
