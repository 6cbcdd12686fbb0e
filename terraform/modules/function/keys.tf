# Which keys renditions can write, so that two that could write the same one are refused while planning.
# The function decides by the same rule, in key_template.py.

locals {
  key_pattern = "^((?:[^{}]*/)?)\\{dir\\}((?:[^{}]|\\{stem\\}|\\{ext\\})*)\\{name\\}((?:[^{}/]|\\{stem\\}|\\{ext\\})*)$"

  # The destination's prefix is the beginning of every rendition's key: the function need not know of it.
  keys = { for name, one in var.renditions : name => "${var.destination_bucket.prefix}${one.key}" }

  extensions = { jpeg = ".jpg", png = ".png", webp = ".webp", avif = ".avif" }

  # prefix{dir}infix{name}suffix; a key that is not of this form has its own error.
  key_parts = {
    for name, key in local.keys :
    name => try(regex(local.key_pattern, replace(key, "{rendition}", name)), ["", name, ""])
  }

  # What is literal at the ends of a key's folder and of its file name; {stem} and {ext} may stand for anything.
  key_ends = {
    for name, parts in local.key_parts : name => {
      folder_start = parts[0]
      folder_end   = replace(try(regex("^.*/", parts[1]), ""), "/^.*\\}/", "")
      name_start   = replace(replace(parts[1], "/^.*\\//", ""), "/\\{.*$/", "")
      name_end     = replace("${parts[2]}${try(local.extensions[var.renditions[name].format], "")}", "/^.*\\}/", "")
    }
  }

  colliding_renditions = flatten([
    for i, one in keys(var.renditions) : [
      for j, other in keys(var.renditions) : "${one} and ${other}"
      if i < j
      && (startswith(local.key_ends[one].folder_start, local.key_ends[other].folder_start) || startswith(local.key_ends[other].folder_start, local.key_ends[one].folder_start))
      && (endswith(local.key_ends[one].folder_end, local.key_ends[other].folder_end) || endswith(local.key_ends[other].folder_end, local.key_ends[one].folder_end))
      && (startswith(local.key_ends[one].name_start, local.key_ends[other].name_start) || startswith(local.key_ends[other].name_start, local.key_ends[one].name_start))
      && (endswith(local.key_ends[one].name_end, local.key_ends[other].name_end) || endswith(local.key_ends[other].name_end, local.key_ends[one].name_end))
    ]
  ])
}
