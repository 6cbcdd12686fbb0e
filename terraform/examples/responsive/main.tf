# A set of sizes and formats of every photo, its manifest, and a CDN for both. The bucket stays private.

module "image_resize" {
  source = "../.."

  name               = "resize-responsive"
  package            = { path = "../../../dist/function.zip" }
  source_bucket      = "${var.bucket_prefix}-in"
  destination_bucket = "${var.bucket_prefix}-out"

  # Twelve outputs of every upload. A new upload keeps its URLs: browsers show it after 5 minutes at the latest.
  renditions = {
    photo = {
      widths        = [320, 640, 1280, 1920]
      formats       = ["avif", "webp", "jpeg"]
      cache_control = "max-age=300"
    }
  }

  # The page learns from it which outputs there are, and their sizes.
  manifest = true

  destination_bucket_options = {
    # Not a policy of your own: a bucket has one policy, and the two would replace each other at every apply.
    policy_statements = [{
      sid        = "CloudFrontMayRead"
      principals = { Service = ["cloudfront.amazonaws.com"] }
      actions    = ["s3:GetObject"]
      conditions = { StringEquals = { "aws:SourceArn" = [aws_cloudfront_distribution.images.arn] } }
    }]
  }
}

# CloudFront signs its requests to the bucket.
resource "aws_cloudfront_origin_access_control" "images" {
  name                              = "resize-responsive"
  description                       = "Reads resized images."
  origin_access_control_origin_type = "s3"
  signing_behavior                  = "always"
  signing_protocol                  = "sigv4"
}

resource "aws_cloudfront_distribution" "images" {
  # checkov:skip=CKV_AWS_68,CKV2_AWS_47:Static files need no web application firewall.
  # checkov:skip=CKV_AWS_86:Access logs need a bucket of their own: the account decides.
  # checkov:skip=CKV_AWS_174,CKV2_AWS_42:The example has no domain name, and CloudFront's own certificate allows old TLS versions.
  # checkov:skip=CKV_AWS_305:A bucket of images has no start page.
  # checkov:skip=CKV_AWS_310:The bucket is the only origin.
  # checkov:skip=CKV_AWS_374:Images are for every country.
  # checkov:skip=CKV2_AWS_32:It has AWS's policy, which checkov does not know by its ID.
  comment         = "Images that resize-responsive made."
  enabled         = true
  is_ipv6_enabled = true
  http_version    = "http2and3"

  origin {
    origin_id                = "images"
    domain_name              = module.image_resize.destination_bucket_regional_domain_name
    origin_access_control_id = aws_cloudfront_origin_access_control.images.id
  }

  default_cache_behavior {
    target_origin_id       = "images"
    viewer_protocol_policy = "redirect-to-https"
    allowed_methods        = ["GET", "HEAD"]
    cached_methods         = ["GET", "HEAD"]

    # Managed-CachingOptimized: no cookies and no query strings in the cache key. It obeys Cache-Control, from a second to a
    # year, and keeps objects without it for a day.
    # https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-cache-policies.html
    cache_policy_id = "658327ea-f89d-4fab-a63d-7e88639e58f6"

    # Managed-SecurityHeadersPolicy: with nosniff, among others, no browser runs an image as a script.
    # https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-response-headers-policies.html
    response_headers_policy_id = "67f7725c-6f97-4210-82d7-5512b31e9d03"
  }

  # S3 answers 403 for a missing image, because CloudFront may not list the bucket. The image may appear any second.
  custom_error_response {
    error_code            = 403
    error_caching_min_ttl = 1
  }

  restrictions {
    geo_restriction {
      restriction_type = "none"
    }
  }

  viewer_certificate {
    cloudfront_default_certificate = true
  }
}
