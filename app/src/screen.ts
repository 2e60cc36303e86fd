/** What the window shows, as data: events go in, the next screen comes out. */
import type { Analysis, Sidecar } from "./host";

export interface Screen {
  sidecar: Sidecar;
  /** An analysis is under way. */
  busy: boolean;
  /** The last sound that was analysed; it stays while the next one is. */
  analysis: Analysis | null;
  /** Why the last request had no result. */
  complaint: string | null;
}

export type Event =
  | { type: "sidecar"; sidecar: Sidecar }
  | { type: "asked" }
  | { type: "answered"; analysis: Analysis | null }
  | { type: "refused"; message: string };

export const initial: Screen = {
  sidecar: { state: "starting" },
  busy: false,
  analysis: null,
  complaint: null,
};

export function next(screen: Screen, event: Event): Screen {
  switch (event.type) {
    case "sidecar":
      return { ...screen, sidecar: event.sidecar };
    case "asked":
      return { ...screen, busy: true, complaint: null };
    case "answered":
      // No analysis: the user closed the file dialog, and sees what was there before.
      return { ...screen, busy: false, analysis: event.analysis ?? screen.analysis };
    case "refused":
      return { ...screen, busy: false, complaint: event.message };
  }
}

export type Tone = "wait" | "good" | "bad";

/** The state chip in the header. */
export function chip({ sidecar, busy }: Screen): { text: string; tone: Tone } {
  switch (sidecar.state) {
    case "ready":
      if (busy) return { text: "analysing…", tone: "wait" };
      return { text: ["sidecar ready", sidecar.version].filter(Boolean).join(" "), tone: "good" };
    case "failed":
      return { text: "sidecar failed", tone: "bad" };
    default:
      return { text: `sidecar ${sidecar.state}`, tone: "wait" };
  }
}

export function canAsk({ sidecar, busy }: Screen): boolean {
  return sidecar.state === "ready" && !busy;
}

/** The panel for a sidecar that is gone, or `null` while there is none to show. */
export function problem({ sidecar }: Screen): { reason: string; stderr: string } | null {
  if (sidecar.state !== "failed") return null;
  const stderr = sidecar.stderr.join("\n").trim();
  return { reason: sidecar.reason, stderr: stderr || "It wrote nothing to its standard error." };
}

/** A lost sidecar has its own panel; the request that went down with it needs no second one. */
export function complaint(screen: Screen): string | null {
  return screen.sidecar.state === "failed" ? null : screen.complaint;
}
