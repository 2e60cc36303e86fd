import { describe, expect, it } from "vitest";
import type { Analysis, Sidecar } from "./host";
import { canAsk, chip, complaint, initial, next, problem, type Event, type Screen } from "./screen";

const after = (...events: Event[]): Screen => events.reduce(next, initial);
const sidecar = (state: Sidecar): Event => ({ type: "sidecar", sidecar: state });
const ready = sidecar({ state: "ready", version: "0.1.0" });
const failed = sidecar({ state: "failed", reason: "It ended", stderr: ["Traceback", "boom", ""] });
const analysis = { name: "a.wav" } as Analysis;

describe("the chip", () => {
  it.each<[string, Event[], string, string]>([
    ["at first", [], "sidecar starting", "wait"],
    ["ready", [ready], "sidecar ready 0.1.0", "good"],
    ["ready, unnamed", [sidecar({ state: "ready", version: null })], "sidecar ready", "good"],
    ["busy", [ready, { type: "asked" }], "analysing…", "wait"],
    ["failed while busy", [ready, { type: "asked" }, failed], "sidecar failed", "bad"],
    ["starting again", [failed, sidecar({ state: "starting" })], "sidecar starting", "wait"],
    ["stopped", [sidecar({ state: "stopped" })], "sidecar stopped", "wait"],
  ])("%s", (_, events, text, tone) => {
    expect(chip(after(...events))).toEqual({ text, tone });
  });
});

describe("the buttons", () => {
  it("work only while the sidecar is ready and idle", () => {
    expect(canAsk(after())).toBe(false);
    expect(canAsk(after(ready))).toBe(true);
    expect(canAsk(after(ready, { type: "asked" }))).toBe(false);
    expect(canAsk(after(ready, { type: "asked" }, { type: "refused", message: "no" }))).toBe(true);
    expect(canAsk(after(ready, failed))).toBe(false);
  });
});

describe("the result", () => {
  it("stays when the next request fails or is given up", () => {
    const shown = after(ready, { type: "asked" }, { type: "answered", analysis });
    expect(shown.analysis).toBe(analysis);
    const cancelled = next(next(shown, { type: "asked" }), { type: "answered", analysis: null });
    expect(cancelled.analysis).toBe(analysis);
    const refused = next(next(shown, { type: "asked" }), { type: "refused", message: "no" });
    expect([refused.analysis, complaint(refused)]).toEqual([analysis, "no"]);
  });

  it("clears the last complaint as soon as the user asks again", () => {
    const asked = after(ready, { type: "refused", message: "no" }, { type: "asked" });
    expect(complaint(asked)).toBeNull();
  });
});

describe("a lost sidecar", () => {
  it("shows its last words until it starts again", () => {
    expect(problem(after(ready))).toBeNull();
    expect(problem(after(failed))).toEqual({ reason: "It ended", stderr: "Traceback\nboom" });
    expect(problem(after(failed, sidecar({ state: "starting" })))).toBeNull();
  });

  // As the host words them: each is shown with the standard error, and offers a restart.
  it.each([
    "The analyzer could not be started: /usr/bin/tonelens-analyzer: No such file or directory",
    "The analyzer ended before it was ready (exit status: 3)",
    "The analyzer was not ready within 30 s",
    "The analyzer wrote something that is not an answer: <b>debug</b>",
    "The analyzer said twice that it is ready",
  ])("shows why: %s", (reason) => {
    const broken = sidecar({ state: "failed", reason, stderr: ["one", "two"] });
    const shown = after(ready, broken);
    expect(problem(shown)).toEqual({ reason, stderr: "one\ntwo" });
    expect(canAsk(shown)).toBe(false);
    const restarted = after(ready, broken, sidecar({ state: "starting" }), ready);
    expect([problem(restarted), canAsk(restarted)]).toEqual([null, true]);
  });

  it("says so when it left none", () => {
    const silent = after(sidecar({ state: "failed", reason: "It ended", stderr: [] }));
    expect(problem(silent)?.stderr).toMatch(/wrote nothing/);
  });

  it("is reported once, not again as a refused request", () => {
    expect(complaint(after(ready, { type: "refused", message: "lost" }, failed))).toBeNull();
  });
});
