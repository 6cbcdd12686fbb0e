// Makes the HTML of a <picture> from the manifest of an upload: in a page, or with Node while a page is built.

// A browser takes the first source whose type it knows. All others, such as JPEG, are for the <img>.
const PREFERRED = ["image/avif", "image/webp"];

/** The URL of an object, relative to that of its bucket. */
export const encodeKey = (key) => key.split("/").map(encodeURIComponent).join("/");

const escape = (text) => text.replace(/[&<>"]/g, (letter) => `&#${letter.charCodeAt(0)};`);

/**
 * @param manifest  The parsed manifest, NAME.renditions.json.
 * @param set       Name of the rendition in Terraform, which has widths, formats, both or neither.
 * @param alt       What the picture shows, for those who don't see it.
 * @param sizes     How wide the page shows the picture: https://developer.mozilla.org/docs/Web/HTML/Element/img#sizes
 * @param base      URL of the bucket, with a slash at its end.
 */
export function makePicture(manifest, { set = "photo", alt = "", sizes = "100vw", base = "" } = {}) {
  // Not all that begin like it: another set may be named photo-wide.
  const isMember = new RegExp(`^${set}(-[0-9]+)?(-(jpeg|png|webp|avif))?$`);
  const members = manifest.renditions.filter((one) => isMember.test(one.name));
  if (members.length === 0) {
    const names = manifest.renditions.map((one) => one.name).join(", ");
    throw new Error(`${manifest.source.key} has no rendition of the set ${set}, only ${names}: pass another set.`);
  }
  const url = (key) => base + encodeKey(key);

  // Widths above the photo's own give equal images: a browser needs only one of them.
  const listCandidates = (type) => {
    const byWidth = new Map(members.filter((one) => one.media_type === type).map((one) => [one.width, one]));
    return [...byWidth.values()].sort((one, other) => one.width - other.width);
  };
  const writeAttributes = (type) => {
    const candidates = listCandidates(type).map((one) => `${url(one.key)} ${one.width}w`);
    return `srcset="${escape(candidates.join(", "))}" sizes="${escape(sizes)}"`;
  };

  const types = new Set(members.map((one) => one.media_type));
  const sources = PREFERRED.filter((type) => types.has(type));
  const fallback = [...types].find((type) => !PREFERRED.includes(type)) ?? sources.pop();
  const largest = listCandidates(fallback).at(-1);
  return [
    "<picture>",
    ...sources.map((type) => `<source type="${type}" ${writeAttributes(type)}>`),
    // Width and height let the browser reserve the space before the picture arrives.
    `<img ${writeAttributes(fallback)} src="${escape(url(largest.key))}" width="${largest.width}"` +
      ` height="${largest.height}" alt="${escape(alt)}">`,
    "</picture>",
  ].join("");
}
