/** The host's commands and events, with types. */
import { invoke } from "@tauri-apps/api/core";
import { listen } from "@tauri-apps/api/event";

/** What the sidecar found in a sound. */
export interface Analysis {
  name: string;
  /** Seconds. */
  duration: number;
  sampleRate: number;
  channels: number;
  peakDb: number;
  rmsDb: number;
  /** `null` for silence. */
  dominantHz: number | null;
  /** Lowest and highest sample of each stretch of the sound. */
  outline: [number, number][];
  spectrogram: Spectrogram;
}

/** Levels on a logarithmic frequency axis. */
export interface Spectrogram {
  columns: number;
  rows: number;
  lowestHz: number;
  highestHz: number;
  floorDb: number;
  /** One byte each, column by column, lowest frequency first, as base64. */
  levels: string;
}

/** The sidecar's state as the host reports it. */
export type Sidecar =
  | { state: "stopped" | "starting" }
  | { state: "ready"; version: string | null }
  | { state: "failed"; reason: string; stderr: string[] };

export const host = {
  sidecarState: () => invoke<Sidecar>("sidecar_state"),
  restartSidecar: () => invoke<void>("restart_sidecar"),
  /** `null` when the user chose no file. */
  openAudio: () => invoke<Analysis | null>("open_audio"),
  analyzeSample: () => invoke<Analysis>("analyze_sample"),
  onSidecarState: (take: (sidecar: Sidecar) => void) =>
    listen<Sidecar>("sidecar-state", (event) => take(event.payload)),
};
