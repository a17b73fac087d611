# Written by mainstem deploy aws, and yours: what you edit is never overwritten.

variable "region" {
  description = "Where everything is"
  type        = string
  default     = "eu-west-1"
}

variable "bucket" {
  description = "The lake's bucket"
  type        = string
  default     = "shop-lake"
}

variable "vpc_id" {
  description = "The network from which the source can be reached"
  type        = string
}

variable "subnet_id" {
  description = "A private subnet in it, with a way to AWS's services (NAT or endpoints)"
  type        = string
}

variable "source_cidr_blocks" {
  description = "Where the sources are, as narrow as can be"
  type        = list(string)
}

variable "source_ports" {
  description = "The sources' ports"
  type        = list(number)
  default = [
    3306,
    5432,
  ]
}

variable "service_cidr_blocks" {
  description = "Where Glue, Secrets Manager and S3 are reached by HTTPS: with endpoints, the VPC's own block"
  type        = list(string)
  default     = ["0.0.0.0/0"]
}

variable "route_table_ids" {
  description = "Where to put a route to S3 that leaves no network of AWS"
  type        = list(string)
  default     = []
}

variable "worker_type" {
  description = "The size of a worker"
  type        = string
  default     = "G.1X"
}

variable "workers" {
  description = "How many at most"
  type        = number
  default     = 2
}

variable "timeout_minutes" {
  description = "After which a run is stopped"
  type        = number
  default     = 120
}

variable "scan_limit" {
  description = "Bytes that one query may read"
  type        = number
  default     = 10000000000
}

variable "schedule" {
  description = "When the job runs, like cron(0 4 * * ? *) in UTC; empty: by hand"
  type        = string
  default     = "cron(0 4 * * ? *)"
}

variable "alarm_email" {
  description = "Who is told; empty: nobody"
  type        = string
  default     = "data@example.com"
}

variable "reader_principals" {
  description = "ARNs that may take the reader's role"
  type        = list(string)
  default     = []
}

variable "tags" {
  description = "On everything"
  type        = map(string)
  default = {
    project = "mainstem-shop"
  }
}
