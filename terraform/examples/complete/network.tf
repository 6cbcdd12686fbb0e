# A network without internet access. VPC endpoints lead to the services that the function calls.

resource "aws_vpc" "this" {
  # checkov:skip=CKV2_AWS_11:The network's owner decides about flow logs; this network only serves the example.
  cidr_block           = "10.0.0.0/24"
  enable_dns_hostnames = true
}

# No rules: resources without a security group of their own reach nothing.
resource "aws_default_security_group" "this" {
  vpc_id = aws_vpc.this.id
}

resource "aws_subnet" "this" {
  vpc_id            = aws_vpc.this.id
  cidr_block        = aws_vpc.this.cidr_block
  availability_zone = var.availability_zone
}

resource "aws_route_table" "this" {
  vpc_id = aws_vpc.this.id
}

resource "aws_route_table_association" "this" {
  subnet_id      = aws_subnet.this.id
  route_table_id = aws_route_table.this.id
}

resource "aws_vpc_endpoint" "s3" {
  vpc_id          = aws_vpc.this.id
  service_name    = "com.amazonaws.${local.region}.s3"
  route_table_ids = [aws_route_table.this.id]
}

resource "aws_vpc_endpoint" "interfaces" {
  for_each = toset(["logs", "sns", "sqs", "xray"])

  vpc_id              = aws_vpc.this.id
  vpc_endpoint_type   = "Interface"
  service_name        = "com.amazonaws.${local.region}.${each.key}"
  private_dns_enabled = true
  subnet_ids          = [aws_subnet.this.id]
  security_group_ids  = [aws_security_group.endpoints.id]
}

resource "aws_security_group" "function" {
  name        = "resize-complete-function"
  description = "The function, which only makes outbound calls."
  vpc_id      = aws_vpc.this.id

  egress {
    description = "TLS to any routed destination."
    from_port   = 443
    to_port     = 443
    protocol    = "tcp"
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_security_group" "endpoints" {
  name        = "resize-complete-endpoints"
  description = "The VPC endpoints, which only the function calls."
  vpc_id      = aws_vpc.this.id

  ingress {
    description     = "TLS from the function."
    from_port       = 443
    to_port         = 443
    protocol        = "tcp"
    security_groups = [aws_security_group.function.id]
  }
}
