# Written by mainstem deploy aws, and yours: what you edit is never overwritten.

data "aws_subnet" "job" {
  id = var.subnet_id
}

resource "aws_security_group" "job" {
  name        = "mainstem-shop-job"
  description = "The Glue job: to the sources, to AWS, among its workers"
  vpc_id      = var.vpc_id
}

# Glue asks for this rule: Spark's workers talk to each other on any port.
resource "aws_vpc_security_group_ingress_rule" "workers" {
  security_group_id            = aws_security_group.job.id
  description                  = "Among the job's workers"
  ip_protocol                  = "tcp"
  from_port                    = 0
  to_port                      = 65535
  referenced_security_group_id = aws_security_group.job.id
}

resource "aws_vpc_security_group_egress_rule" "workers" {
  security_group_id            = aws_security_group.job.id
  description                  = "Among the job's workers"
  ip_protocol                  = "tcp"
  from_port                    = 0
  to_port                      = 65535
  referenced_security_group_id = aws_security_group.job.id
}

resource "aws_vpc_security_group_egress_rule" "source" {
  for_each          = { for pair in setproduct(var.source_cidr_blocks, var.source_ports) : "${pair[0]}:${pair[1]}" => { block = pair[0], port = pair[1] } }
  security_group_id = aws_security_group.job.id
  description       = "To the sources"
  ip_protocol       = "tcp"
  from_port         = each.value.port
  to_port           = each.value.port
  cidr_ipv4         = each.value.block
}

resource "aws_vpc_security_group_egress_rule" "services" {
  for_each          = toset(var.service_cidr_blocks)
  security_group_id = aws_security_group.job.id
  description       = "To the services of AWS"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = each.value
}

# The lake's rows take this way, which costs nothing and leaves no network of AWS.
resource "aws_vpc_endpoint" "s3" {
  count           = length(var.route_table_ids) == 0 ? 0 : 1
  vpc_id          = var.vpc_id
  service_name    = "com.amazonaws.${var.region}.s3"
  route_table_ids = var.route_table_ids
}
