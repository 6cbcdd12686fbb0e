# The renditions that the function gets: one for each width and each format of a rendition with widths or formats.
# tools/common/rendition_sets.py expands settings files by the same rule.

locals {
  # A list first: in a map, one of two renditions with the same name would be lost without an error.
  members = flatten([
    for name, one in var.renditions : [
      for pair in setproduct(coalesce(one.widths, [one.width]), coalesce(one.formats, [one.format])) : {
        name = join("-", concat([name], one.widths == null ? [] : [pair[0]], one.formats == null ? [] : [pair[1]]))
        options = merge(
          { for option, value in one : option => value if !contains(["widths", "formats"], option) },
          { width = pair[0], format = pair[1] },
        )
      }
    ]
  ])

  members_by_name = { for one in local.members : one.name => one.options... }
  renditions      = { for name, all in local.members_by_name : name => all[0] }
  repeated_names  = [for name, all in local.members_by_name : name if length(all) > 1]
}
