"""What the resources of `infra/` do to an account: created by boto3 in an emulator of AWS."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

ACCOUNT = "000000000000"
State = Mapping[str, Any]


class Refused(Exception):
    """The account said no."""


def camel(value: Any) -> Any:
    """Terraform's names as AWS writes them (`job_name` → `JobName`), what is not set left out. A block of
    which there is one becomes a structure."""
    if isinstance(value, Mapping):
        return {
            "".join(part.capitalize() for part in key.split("_")): camel(inner)
            for key, inner in value.items()
            if inner not in (None, [], {})
        }
    return [camel(inner) for inner in value] if isinstance(value, list) else value


def one(blocks: Any) -> Any:
    """The only block of a list; an empty one if there is none."""
    return blocks[0] if blocks else {}


class Cloud:
    """One account."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.region = "eu-west-1"

    def client(self, service: str) -> Any:
        """A client of one of the account's services."""
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=self.region,
            config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
        )

    def arn(self, service: str, what: str, region: str | None = None) -> str:
        """An ARN in this account."""
        return f"arn:aws:{service}:{self.region if region is None else region}:{ACCOUNT}:{what}"

    def look_up(self, type_: str, config: State) -> dict[str, Any]:
        """The values of a data source."""
        if type_ == "aws_caller_identity":
            return {"account_id": ACCOUNT, "id": ACCOUNT, "arn": self.arn("iam", "root", ""), "user_id": "u"}
        if type_ == "aws_partition":
            return {"partition": "aws", "id": "aws", "dns_suffix": "amazonaws.com"}
        if type_ == "aws_subnet":
            (found,) = self.client("ec2").describe_subnets(SubnetIds=[config["id"]])["Subnets"]
            return {"availability_zone": found["AvailabilityZone"], "vpc_id": found["VpcId"]}
        raise Refused(f"nobody looks up {type_} here")

    def create(self, type_: str, wanted: State, prior: State | None) -> dict[str, Any]:
        """Create (or, with `prior`, change) a resource; what AWS chose: id, arn."""
        try:
            return CREATE[type_](self, wanted, prior) if type_ in CREATE else {"id": f"{type_}-kept-in-state"}
        except (ClientError, BotoCoreError, OSError) as error:
            raise Refused(f"{type_}: {error}") from error

    def delete(self, type_: str, state: State) -> None:
        """Delete a resource."""
        try:
            if type_ in DELETE:
                DELETE[type_](self, state)
        except (ClientError, BotoCoreError) as error:
            raise Refused(f"{type_}: {error}") from error

    def exists(self, type_: str, state: State) -> bool:
        """Whether the account has what Terraform remembers."""
        if type_ not in LOOK:
            return True
        try:
            LOOK[type_](self, state)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 404):
                return False
            raise
        return True


def _bucket(cloud: Cloud, v: State, prior: State | None) -> dict[str, Any]:
    place = {"LocationConstraint": cloud.region}
    cloud.client("s3").create_bucket(Bucket=v["bucket"], CreateBucketConfiguration=place)
    return {"id": v["bucket"], "arn": f"arn:aws:s3:::{v['bucket']}"}


def _versioning(cloud: Cloud, v: State, prior: State | None) -> dict[str, Any]:
    setting = {"Status": one(v["versioning_configuration"])["status"]}
    cloud.client("s3").put_bucket_versioning(Bucket=v["bucket"], VersioningConfiguration=setting)
    return {"id": v["bucket"]}


def _public(cloud: Cloud, v: State, prior: State | None) -> dict[str, Any]:
    keys = ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets")
    setting = camel({key: v[key] for key in keys})
    cloud.client("s3").put_public_access_block(Bucket=v["bucket"], PublicAccessBlockConfiguration=setting)
    return {"id": v["bucket"]}


def _bucket_policy(cloud: Cloud, v: State, prior: State | None) -> dict[str, Any]:
    # An emulator speaks HTTP: the statement that refuses that is put, looked at, and would lock us out.
    policy = json.loads(v["policy"])
    statements = [s for s in policy["Statement"] if s["Sid"] != "EncryptedTransportOnly"]
    assert len(statements) < len(policy["Statement"])
    if statements:
        text = json.dumps({**policy, "Statement": statements})
        cloud.client("s3").put_bucket_policy(Bucket=v["bucket"], Policy=text)
    return {"id": v["bucket"]}


def _encryption(cloud: Cloud, v: State, prior: State | None) -> dict[str, Any]:
    rules = []
    for rule in v["rule"]:
        default = one(rule["apply_server_side_encryption_by_default"])
        setting = {"SSEAlgorithm": default["sse_algorithm"]}
        if default["kms_master_key_id"]:
            setting["KMSMasterKeyID"] = default["kms_master_key_id"]
        rules.append({"ApplyServerSideEncryptionByDefault": setting})
    cloud.client("s3").put_bucket_encryption(
        Bucket=v["bucket"], ServerSideEncryptionConfiguration={"Rules": rules}
    )
    return {"id": v["bucket"]}


def _lifecycle(cloud: Cloud, v: State, prior: State | None) -> dict[str, Any]:
    rules = []
    for rule in v["rule"]:
        made = {
            "ID": rule["id"],
            "Status": rule["status"],
            "Filter": {"Prefix": one(rule["filter"])["prefix"] or ""},
        }
        for name in ("abort_incomplete_multipart_upload", "noncurrent_version_expiration", "expiration"):
            if rule[name]:
                made.update(camel({name: one(rule[name])}))
        rules.append(made)
    cloud.client("s3").put_bucket_lifecycle_configuration(
        Bucket=v["bucket"], LifecycleConfiguration={"Rules": rules}
    )
    return {"id": v["bucket"]}


def _object(cloud: Cloud, v: State, prior: State | None) -> dict[str, Any]:
    body = Path(v["source"]).read_bytes()
    cloud.client("s3").put_object(Bucket=v["bucket"], Key=v["key"], Body=body)
    return {"id": v["key"]}


def _empty_object(cloud: Cloud, v: State) -> None:
    s3 = cloud.client("s3")
    for version in s3.list_object_versions(Bucket=v["bucket"], Prefix=v["key"]).get("Versions", []):
        s3.delete_object(Bucket=v["bucket"], Key=version["Key"], VersionId=version["VersionId"])


def _key(cloud: Cloud, v: State, prior: State | None) -> dict[str, Any]:
    made = cloud.client("kms").create_key(Description=v["description"], Policy=v["policy"])["KeyMetadata"]
    return {"id": made["KeyId"], "key_id": made["KeyId"], "arn": made["Arn"]}


def _role(cloud: Cloud, v: State, prior: State | None) -> dict[str, Any]:
    made = cloud.client("iam").create_role(
        RoleName=v["name"], AssumeRolePolicyDocument=v["assume_role_policy"], Description=v["description"]
    )["Role"]
    return {"id": v["name"], "arn": made["Arn"], "unique_id": made["RoleId"], "managed_policy_arns": []}


def _role_policy(cloud: Cloud, v: State, prior: State | None) -> dict[str, Any]:
    cloud.client("iam").put_role_policy(RoleName=v["role"], PolicyName=v["name"], PolicyDocument=v["policy"])
    return {"id": f"{v['role']}:{v['name']}"}


def _policy(cloud: Cloud, v: State, prior: State | None) -> dict[str, Any]:
    made = cloud.client("iam").create_policy(PolicyName=v["name"], PolicyDocument=v["policy"])["Policy"]
    return {"id": made["Arn"], "arn": made["Arn"]}


def _attachment(cloud: Cloud, v: State, prior: State | None) -> dict[str, Any]:
    cloud.client("iam").attach_role_policy(RoleName=v["role"], PolicyArn=v["policy_arn"])
    return {"id": f"{v['role']}-{v['policy_arn']}"}


def _database(cloud: Cloud, v: State, prior: State | None) -> dict[str, Any]:
    setting = {"Name": v["name"], "Description": v["description"], "LocationUri": v["location_uri"]}
    cloud.client("glue").create_database(DatabaseInput=setting)
    return {"id": v["name"], "arn": cloud.arn("glue", f"database/{v['name']}"), "catalog_id": ACCOUNT}


def _connection(cloud: Cloud, v: State, prior: State | None) -> dict[str, Any]:
    place = camel(one(v["physical_connection_requirements"]))
    setting = {
        "Name": v["name"],
        "ConnectionType": v["connection_type"],
        "ConnectionProperties": v["connection_properties"] or {},
        "PhysicalConnectionRequirements": place,
    }
    cloud.client("glue").create_connection(ConnectionInput=setting)
    return {"id": v["name"], "arn": cloud.arn("glue", f"connection/{v['name']}")}


def _job(cloud: Cloud, v: State, prior: State | None) -> dict[str, Any]:
    setting = {
        "Role": v["role_arn"],
        "Command": camel(one(v["command"])),
        "DefaultArguments": v["default_arguments"],
        "Connections": {"Connections": v["connections"]},
        "MaxRetries": v["max_retries"],
        "Timeout": v["timeout"],
        "GlueVersion": v["glue_version"],
        "WorkerType": v["worker_type"],
        "NumberOfWorkers": v["number_of_workers"],
        "SecurityConfiguration": v["security_configuration"],
    }
    if prior:
        cloud.client("glue").update_job(JobName=v["name"], JobUpdate=setting)
    else:
        cloud.client("glue").create_job(Name=v["name"], **setting)
    return {"id": v["name"], "arn": cloud.arn("glue", f"job/{v['name']}")}


def _workgroup(cloud: Cloud, v: State, prior: State | None) -> dict[str, Any]:
    c = one(v["configuration"])
    result = one(c["result_configuration"])
    encryption = one(result["encryption_configuration"])
    setting = {
        "EnforceWorkGroupConfiguration": c["enforce_workgroup_configuration"],
        "PublishCloudWatchMetricsEnabled": c["publish_cloudwatch_metrics_enabled"],
        "BytesScannedCutoffPerQuery": c["bytes_scanned_cutoff_per_query"],
        "ResultConfiguration": {
            "OutputLocation": result["output_location"],
            "EncryptionConfiguration": {
                "EncryptionOption": encryption["encryption_option"],
                "KmsKey": encryption["kms_key_arn"],
            },
        },
    }
    if prior:
        cloud.client("athena").delete_work_group(WorkGroup=v["name"])
    cloud.client("athena").create_work_group(
        Name=v["name"], Description=v["description"], Configuration=setting
    )
    return {"id": v["name"], "arn": cloud.arn("athena", f"workgroup/{v['name']}")}


def _security_group(cloud: Cloud, v: State, prior: State | None) -> dict[str, Any]:
    made = cloud.client("ec2").create_security_group(
        GroupName=v["name"], Description=v["description"], VpcId=v["vpc_id"]
    )
    return {"id": made["GroupId"], "arn": cloud.arn("ec2", f"security-group/{made['GroupId']}")}


def _topic(cloud: Cloud, v: State, prior: State | None) -> dict[str, Any]:
    arn = cloud.client("sns").create_topic(Name=v["name"])["TopicArn"]
    return {"id": arn, "arn": arn}


def _event_rule(cloud: Cloud, v: State, prior: State | None) -> dict[str, Any]:
    made = cloud.client("events").put_rule(Name=v["name"], EventPattern=v["event_pattern"], State="ENABLED")
    return {"id": v["name"], "arn": made["RuleArn"]}


CREATE: dict[str, Callable[[Cloud, State, State | None], dict[str, Any]]] = {
    "aws_s3_bucket": _bucket,
    "aws_s3_bucket_versioning": _versioning,
    "aws_s3_bucket_public_access_block": _public,
    "aws_s3_bucket_policy": _bucket_policy,
    "aws_s3_bucket_server_side_encryption_configuration": _encryption,
    "aws_s3_bucket_lifecycle_configuration": _lifecycle,
    "aws_s3_object": _object,
    "aws_kms_key": _key,
    "aws_iam_role": _role,
    "aws_iam_role_policy": _role_policy,
    "aws_iam_policy": _policy,
    "aws_iam_role_policy_attachment": _attachment,
    "aws_glue_catalog_database": _database,
    "aws_glue_connection": _connection,
    "aws_glue_job": _job,
    "aws_athena_workgroup": _workgroup,
    "aws_security_group": _security_group,
    "aws_sns_topic": _topic,
    "aws_cloudwatch_event_rule": _event_rule,
}
DELETE: dict[str, Callable[[Cloud, State], Any]] = {
    "aws_s3_bucket": lambda c, v: c.client("s3").delete_bucket(Bucket=v["bucket"]),
    "aws_s3_object": _empty_object,
    "aws_iam_role": lambda c, v: c.client("iam").delete_role(RoleName=v["name"]),
    "aws_iam_role_policy": lambda c, v: c.client("iam").delete_role_policy(
        RoleName=v["role"], PolicyName=v["name"]
    ),
    "aws_iam_policy": lambda c, v: c.client("iam").delete_policy(PolicyArn=v["arn"]),
    "aws_iam_role_policy_attachment": lambda c, v: c.client("iam").detach_role_policy(
        RoleName=v["role"], PolicyArn=v["policy_arn"]
    ),
    "aws_glue_catalog_database": lambda c, v: c.client("glue").delete_database(Name=v["name"]),
    "aws_glue_connection": lambda c, v: c.client("glue").delete_connection(ConnectionName=v["name"]),
    "aws_glue_job": lambda c, v: c.client("glue").delete_job(JobName=v["name"]),
    "aws_athena_workgroup": lambda c, v: c.client("athena").delete_work_group(WorkGroup=v["name"]),
    "aws_security_group": lambda c, v: c.client("ec2").delete_security_group(GroupId=v["id"]),
    "aws_sns_topic": lambda c, v: c.client("sns").delete_topic(TopicArn=v["arn"]),
    "aws_cloudwatch_event_rule": lambda c, v: c.client("events").delete_rule(Name=v["name"]),
}
LOOK: dict[str, Callable[[Cloud, State], Any]] = {
    "aws_s3_bucket": lambda c, v: c.client("s3").head_bucket(Bucket=v["bucket"]),
    "aws_s3_object": lambda c, v: c.client("s3").head_object(Bucket=v["bucket"], Key=v["key"]),
    "aws_iam_role": lambda c, v: c.client("iam").get_role(RoleName=v["name"]),
    "aws_glue_catalog_database": lambda c, v: c.client("glue").get_database(Name=v["name"]),
    "aws_glue_job": lambda c, v: c.client("glue").get_job(JobName=v["name"]),
    "aws_athena_workgroup": lambda c, v: c.client("athena").get_work_group(WorkGroup=v["name"]),
}
