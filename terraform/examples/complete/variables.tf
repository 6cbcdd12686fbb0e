# What differs between accounts.

variable "availability_zone" {
  type        = string
  description = "Zone of the subnet, for example \"eu-west-2a\". Not every zone of a region has Lambda and the VPC endpoints of network.tf, and AWS would choose any zone."
  nullable    = false
}

variable "bucket_prefix" {
  type        = string
  description = "Beginning of the bucket names, which are unique across all of AWS."
  nullable    = false
}
