# The keys that either trigger reports to the function. None of the function's own outputs may be among them.

locals {
  # Filters are relative to the source's prefix.
  filters = [
    for filter in var.filters : { prefix = "${var.source_bucket.prefix}${filter.prefix}", suffix = filter.suffix }
  ]

  # S3 rejects two notifications for the same key, but only half-way through an apply.
  overlapping_filters = flatten([
    for i, one in var.filters : [
      for j, other in var.filters : "${jsonencode(one)} and ${jsonencode(other)}"
      if i < j
      && (startswith(one.prefix, other.prefix) || startswith(other.prefix, one.prefix))
      && (endswith(one.suffix, other.suffix) || endswith(other.suffix, one.suffix))
    ]
  ])

  folder_starts = merge(
    { for ends in local.key_ends : ends.rendition => ends.folder_start },
    var.manifest ? { "the manifest" = var.destination_bucket.prefix } : {},
  )

  # Every output's key begins with the literal text before {dir}. With one bucket for both, no upload's key may.
  looping_outputs = flatten([
    for writer, folder in local.folder_starts : [
      for filter in local.filters : "${writer} writes under \"${folder}\" and uploads are resized under \"${filter.prefix}\""
      if var.source_bucket.name == var.destination_bucket.name
      && (startswith(folder, filter.prefix) || startswith(filter.prefix, folder))
    ]
  ])

  # The function's part of the bucket's notification configuration. S3 expects form-encoded prefixes and suffixes, with
  # plain slashes: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-filtering.html
  lambda_notification = [
    for i, filter in local.filters : {
      id                  = "${var.name}-${i}"
      lambda_function_arn = local.target_arn
      # All kinds of ObjectCreated: the CLI and the SDKs upload more than 8 MB in parts, and a copy is an upload, too. An
      # archived object is readable only once it is restored. A lifecycle rule's deletions are not among ObjectRemoved:
      # https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-event-types-and-destinations.html
      events        = concat(["s3:ObjectCreated:*", "s3:ObjectRestore:Completed"], var.mirror_deletes ? ["s3:ObjectRemoved:*", "s3:LifecycleExpiration:*"] : [])
      filter_prefix = filter.prefix == "" ? null : replace(urlencode(filter.prefix), "%2F", "/")
      filter_suffix = filter.suffix == "" ? null : replace(urlencode(filter.suffix), "%2F", "/")
    }
    if var.trigger != "eventbridge"
  ]

  # The filters as EventBridge patterns: only a wildcard can match both ends, and it needs its backslashes escaped.
  # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html#eb-filtering-wildcard-matching
  key_patterns = [
    for filter in local.filters : (
      filter.suffix == "" ? { prefix = filter.prefix } :
      filter.prefix == "" ? { suffix = filter.suffix } :
      { wildcard = replace("${filter.prefix}*${filter.suffix}", "\\", "\\\\") }
    )
    if filter.prefix != "" || filter.suffix != ""
  ]
}
