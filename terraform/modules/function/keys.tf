# The keys that each rendition can write, so that a plan rejects two renditions that could write the same key.
# The function applies the same rule in key_template.py.

locals {
  # The parts of prefix{dir}infix{name}suffix.
  key_pattern = "^((?:[^{}]*/)?)\\{dir\\}((?:[^{}]|\\{stem\\}|\\{ext\\})*)\\{name\\}((?:[^{}/]|\\{stem\\}|\\{ext\\})*)$"

  # The function gets each key with the destination's prefix, and need not know the prefix itself.
  keys = { for name, one in local.renditions : name => "${var.destination_bucket.prefix}${one.key}" }

  # A validation of var.renditions rejects keys of any other form.
  key_parts = {
    for name, key in local.keys :
    name => try(regex(local.key_pattern, replace(key, "{rendition}", name)), ["", name, ""])
  }

  # What a key has after the name of the source.
  key_suffixes = { for name, parts in local.key_parts : name => "${parts[2]}${try(local.extensions[local.renditions[name].format], "")}" }

  extensions = { jpeg = ".jpg", png = ".png", webp = ".webp", avif = ".avif" }

  # Placeholders may stand for any text. Only the literal text at both ends of the folder and of the file name can keep two
  # keys apart.
  key_ends = [
    for name, parts in local.key_parts : {
      rendition    = name
      folder_start = parts[0]
      folder_end   = try(regex("([^}]*/)[^/]*$", parts[1])[0], "")
      name_start   = regex("([^{/]*)[^/]*$", parts[1])[0]
      name_end     = regex("[^}]*$", local.key_suffixes[name])
    }
  ]

  colliding_renditions = flatten([
    for i, one in local.key_ends : [
      for j, other in local.key_ends : "${one.rendition} and ${other.rendition}"
      if i < j
      && (startswith(one.folder_start, other.folder_start) || startswith(other.folder_start, one.folder_start))
      && (endswith(one.folder_end, other.folder_end) || endswith(other.folder_end, one.folder_end))
      && (startswith(one.name_start, other.name_start) || startswith(other.name_start, one.name_start))
      && (endswith(one.name_end, other.name_end) || endswith(other.name_end, one.name_end))
    ]
  ])

  manifest_suffix = ".renditions.json"
  manifest_key    = var.manifest ? "${var.destination_bucket.prefix}{dir}{name}${local.manifest_suffix}" : null

  # No upload's key ends in the suffix, because the function ignores such keys. A rendition's key that ends in the upload's
  # name can then only be a manifest's if text before the name begins the suffix, with its dot.
  manifest_collisions = [
    for ends in local.key_ends : ends.rendition
    if var.manifest && (
      local.key_suffixes[ends.rendition] == ""
      ? can(regex("[.][^/]*$", local.key_parts[ends.rendition][1]))
      : endswith(ends.name_end, local.manifest_suffix) || endswith(local.manifest_suffix, ends.name_end)
    )
  ]
}
