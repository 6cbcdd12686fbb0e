# A bucket with secure defaults: private, encrypted, TLS only, versioned, with lifecycle rules.

resource "aws_s3_bucket" "this" {
  # checkov:skip=CKV_AWS_18:Access logs need another bucket, and CloudTrail's data events say more: the account decides.
  # checkov:skip=CKV_AWS_144:The function can make outputs again from their sources; the owner decides whether to replicate those.
  # checkov:skip=CKV2_AWS_62:modules/notification configures the source bucket; the destination bucket notifies no one.
  bucket        = var.name
  force_destroy = var.force_destroy
  tags          = var.tags
}

# Everything below depends on this block: when Terraform destroys the bucket, the block goes last.
resource "aws_s3_bucket_public_access_block" "this" {
  bucket = aws_s3_bucket.this.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }

  depends_on = [aws_s3_bucket_public_access_block.this]
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key_arn == null ? "AES256" : "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }

    # One request to KMS for many objects instead of one per object.
    bucket_key_enabled = var.kms_key_arn != null
  }

  depends_on = [aws_s3_bucket_public_access_block.this]
}

resource "aws_s3_bucket_versioning" "this" {
  bucket = aws_s3_bucket.this.id

  versioning_configuration {
    # The function also needs versions to order two uploads within one second.
    status = "Enabled"
  }

  depends_on = [aws_s3_bucket_public_access_block.this]
}

resource "aws_s3_bucket_policy" "this" {
  bucket = aws_s3_bucket.this.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "OnlyOverTls"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [aws_s3_bucket.this.arn, "${aws_s3_bucket.this.arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })

  # S3 answers 409 to concurrent changes of a bucket's access.
  depends_on = [aws_s3_bucket_public_access_block.this]
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    id     = "tidy"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }

    noncurrent_version_expiration {
      noncurrent_days = 30
    }

    # A deleted object's delete marker stays when its last version is gone, and slows every listing down.
    expiration {
      expired_object_delete_marker = true
    }
  }

  # S3 rejects a rule for noncurrent versions on a bucket without versioning.
  depends_on = [aws_s3_bucket_versioning.this]
}
