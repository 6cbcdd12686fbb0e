// sharp as its README shows it, or with `careful` as its documentation says to keep more:
// node sharp.js plain|careful SOURCE TARGET WIDTH HEIGHT
const sharp = require("sharp");

const [mode, source, target, width, height] = process.argv.slice(2);
const isCareful = mode === "careful";

let image = sharp(source, isCareful ? { animated: true } : {});
if (isCareful) image = image.autoOrient().keepMetadata();
image
  .resize(Number(width), Number(height), { fit: "inside" })
  .toFile(target)
  .catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
