import { defineConfig } from "vitest/config";

export default defineConfig({
  // Keep the compiler's messages of `tauri dev` on the screen.
  clearScreen: false,
  // The port is written down in tauri.conf.json, too.
  server: { port: 1420, strictPort: true, watch: { ignored: ["**/src-tauri/**"] } },
  test: { include: ["src/**/*.test.ts"] },
});
