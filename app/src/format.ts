/** Numbers as a person reads them. */
import type { Analysis } from "./host";

/** `83.4` seconds as `1:23.40`. */
export function duration(seconds: number): string {
  const hundredths = Math.round(seconds * 100);
  const minutes = Math.floor(hundredths / 6000);
  const rest = ((hundredths % 6000) / 100).toFixed(2).padStart(5, "0");
  return `${minutes}:${rest}`;
}

export function hertz(value: number): string {
  // 999.6 rounds to a thousand, which is written the other way.
  if (Math.round(value) < 1000) return `${Math.round(value)} Hz`;
  return `${Number((value / 1000).toFixed(2))} kHz`;
}

export function decibels(value: number): string {
  const rounded = value.toFixed(1);
  return `${rounded === "-0.0" ? "0.0" : rounded.replace("-", "−")} dB`;
}

export function channels(count: number): string {
  return count === 1 ? "mono" : count === 2 ? "stereo" : `${count} channels`;
}

/** Name and value of each number below the title. */
export function facts(analysis: Analysis): [string, string][] {
  return [
    ["Duration", duration(analysis.duration)],
    ["Peak", decibels(analysis.peakDb)],
    ["RMS", decibels(analysis.rmsDb)],
    ["Dominant", analysis.dominantHz === null ? "silence" : hertz(analysis.dominantHz)],
    ["Format", `${hertz(analysis.sampleRate)} ${channels(analysis.channels)}`],
  ];
}
