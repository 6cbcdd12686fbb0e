// sharp in one warm process, with one thread and no cache; speaks worker.py's protocol.
const fs = require("node:fs");
const path = require("node:path");
const readline = require("node:readline");
const sharp = require("sharp");

const job = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
const source = fs.readFileSync(job.source);
sharp.concurrency(1);
sharp.cache(false);

const lossy = { quality: job.quality };
const chroma = { chromaSubsampling: job.subsampling };
const encode = {
  JPEG: (image) => image.jpeg({ ...lossy, ...chroma }),
  PNG: (image) =>
    image.png(
      job.has_palette ? { palette: true } : { adaptiveFiltering: true, compressionLevel: job.deflate_level },
    ),
  WEBP: (image) => image.webp(lossy),
  AVIF: (image) => image.avif({ ...lossy, ...chroma, effort: 4 }),
  GIF: (image) => image.gif(),
  TIFF: (image) => image.tiff({ compression: job.tiff_compression === "lzw" ? "lzw" : "none" }),
};

function resize({ format, width, height }) {
  const image = sharp(source, { animated: format === "GIF", autoOrient: true });
  return encode[format](image.resize(width, height, { fit: "fill" })).toBuffer();
}

function status(field) {
  const found = new RegExp(`${field}:\\s+(\\d+) kB`).exec(fs.readFileSync("/proc/self/status", "utf8"));
  return Number(found[1]) * 1024;
}

async function run(isFirst) {
  fs.writeFileSync("/proc/self/clear_refs", "5");
  const before = status("VmRSS");
  const start = process.cpuUsage();
  const bodies = [];
  for (const wanted of job.outputs) bodies.push(await resize(wanted));
  const { user, system } = process.cpuUsage(start);
  const peak = status("VmHWM") - before;
  if (isFirst) bodies.forEach((body, number) => fs.writeFileSync(path.join(job.directory, String(number)), body));
  return { cpu: (user + system) / 1e6, peak };
}

async function main() {
  let isFirst = true;
  for await (const _ of readline.createInterface({ input: process.stdin })) {
    const reply = await run(isFirst).catch((error) => ({ error: error.message }));
    isFirst = false;
    console.log(JSON.stringify(reply));
  }
}

main();
