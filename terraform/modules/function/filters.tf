# Which objects the function is told of, by either trigger, and that none of its own outputs are among them.

locals {
  # With the source's prefix, which nobody has to write twice.
  filters = [
    for filter in var.filters : { prefix = "${var.source_bucket.prefix}${filter.prefix}", suffix = filter.suffix }
  ]

  # S3 refuses to notify of one key twice, but only when it is told to, half-way through an apply.
  overlapping_filters = flatten([
    for i, one in var.filters : [
      for j, other in var.filters : "${jsonencode(one)} and ${jsonencode(other)}"
      if i < j
      && (startswith(one.prefix, other.prefix) || startswith(other.prefix, one.prefix))
      && (endswith(one.suffix, other.suffix) || endswith(other.suffix, one.suffix))
    ]
  ])

  # Every output's key begins with what is literal before {dir}. In one bucket that must lead away from all uploads.
  looping_outputs = flatten([
    for name, ends in local.key_ends : [
      for filter in local.filters : "${name} writes below \"${ends.folder_start}\" and uploads are resized below \"${filter.prefix}\""
      if var.source_bucket.name == var.destination_bucket.name
      && (startswith(ends.folder_start, filter.prefix) || startswith(filter.prefix, ends.folder_start))
    ]
  ])

  # What an owner of the bucket's notification configuration puts into it. S3 wants what it is to compare form-encoded,
  # with slashes as they are: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-filtering.html
  lambda_notification = [
    for i, filter in local.filters : {
      id                  = "${var.name}-${i}"
      lambda_function_arn = aws_lambda_function.this.arn
      # Not only Put: uploads over 8 MB by the CLI and the SDKs are multipart, and copies are uploads too. What is restored
      # from an archive can be read only now. What a lifecycle rule removes is no ObjectRemoved:
      # https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-event-types-and-destinations.html
      events        = concat(["s3:ObjectCreated:*", "s3:ObjectRestore:Completed"], var.mirror_deletes ? ["s3:ObjectRemoved:*", "s3:LifecycleExpiration:*"] : [])
      filter_prefix = filter.prefix == "" ? null : replace(urlencode(filter.prefix), "%2F", "/")
      filter_suffix = filter.suffix == "" ? null : replace(urlencode(filter.suffix), "%2F", "/")
    }
    if var.trigger != "eventbridge"
  ]

  # The same for EventBridge, where one pattern must hold both ends; a backslash in a wildcard escapes what follows it.
  # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html#eb-filtering-wildcard-matching
  key_patterns = [
    for filter in local.filters : merge(
      filter.prefix != "" && filter.suffix == "" ? { prefix = filter.prefix } : {},
      filter.prefix == "" && filter.suffix != "" ? { suffix = filter.suffix } : {},
      filter.prefix != "" && filter.suffix != "" ? { wildcard = replace("${filter.prefix}*${filter.suffix}", "\\", "\\\\") } : {},
    )
    if filter.prefix != "" || filter.suffix != ""
  ]
}
