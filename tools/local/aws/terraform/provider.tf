# Sends the module to the local AWS; endpoint, region and keys come from the environment (AWS_ENDPOINT_URL and so on).

provider "aws" {
  # On loopback a bucket is a part of the path: there is no name service that would know it as a host.
  s3_use_path_style = true

  # A user's own profiles must not lead elsewhere.
  shared_config_files      = ["/dev/null"]
  shared_credentials_files = ["/dev/null"]

  # There is no account to look up and no machine in EC2 to ask.
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_region_validation      = true

  # The default of 25 would turn one failing call into a long silence.
  max_retries = 5
}
