"""What the roles of `infra/` may do and, mostly, may not: decided by IAM's own simulation, then done for real
in an account that enforces it."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloud.conftest import Account
from servers.ministack import CLOUD

LINT = CLOUD.parents[1] / "lint" / "bin"
JOB = ("aws_iam_role_policy.job", "aws_iam_role_policy.job_runtime")
READER = ("aws_iam_policy.reader",)
PUBLISHER = ("aws_iam_policy.publisher",)
BUCKET = "arn:aws:s3:::shop-lake"
GLUE = "arn:aws:glue:eu-west-1:000000000000"
METRIC = [{"MetricName": "m", "Value": 1.0}]
SECRET = "arn:aws:secretsmanager:eu-west-1:000000000000:secret"
ATHENA = "arn:aws:athena:eu-west-1:000000000000:workgroup"
EC2 = "arn:aws:ec2:eu-west-1:000000000000"

# Whose policies, the action, the resource, whether it is allowed. (The emulator's simulation knows no
# context: statements with conditions are tried below.)
Case = tuple[tuple[str, ...], str, str, bool]
CASES: list[Case] = [
    # The job: the lake
    (JOB, "s3:GetObject", f"{BUCKET}/lake/raw/orders/data/a.parquet", True),
    (JOB, "s3:PutObject", f"{BUCKET}/lake/raw/orders/data/a.parquet", True),
    (JOB, "s3:DeleteObject", f"{BUCKET}/lake/mart/fact_orders/metadata/0.json", True),
    (JOB, "s3:PutObject", f"{BUCKET}/lake/mart/fact_orders/data/a.parquet", True),
    (JOB, "s3:AbortMultipartUpload", f"{BUCKET}/lake/mart/fact_orders/data/a.parquet", True),
    (JOB, "s3:GetObject", f"{BUCKET}/job/plan.json", True),
    (JOB, "s3:PutObject", f"{BUCKET}/runs/result.json", True),
    (JOB, "s3:PutObject", f"{BUCKET}/job/mainstem_job.py", False),  # it cannot change what it runs
    (JOB, "s3:DeleteObject", f"{BUCKET}/job/plan.json", False),
    (JOB, "s3:GetObject", f"{BUCKET}/other/secret.csv", False),
    (JOB, "s3:GetObject", f"{BUCKET}/lakeside/raw/a", False),
    (JOB, "s3:GetObject", f"{BUCKET}/athena-results/a.csv", False),
    (JOB, "s3:PutObject", f"{BUCKET}-logs/access/a", False),
    (JOB, "s3:GetObject", "arn:aws:s3:::another-bucket/lake/raw/a", False),
    (JOB, "s3:PutBucketPolicy", BUCKET, False),
    (JOB, "s3:DeleteBucket", BUCKET, False),
    (JOB, "s3:PutEncryptionConfiguration", BUCKET, False),
    (JOB, "s3:GetObjectVersion", f"{BUCKET}/lake/raw/a", False),
    # The job: the catalog
    (JOB, "glue:GetTable", f"{GLUE}:table/shop_raw/orders", True),
    (JOB, "glue:UpdateTable", f"{GLUE}:table/shop_mart/fact_orders", True),
    (JOB, "glue:CreateTable", f"{GLUE}:database/shop_mart", True),
    (JOB, "glue:CreateTable", f"{GLUE}:catalog", True),
    (JOB, "glue:GetTable", f"{GLUE}:table/finance/salaries", False),
    (JOB, "glue:UpdateTable", f"{GLUE}:table/shop_rawer/orders", False),
    (JOB, "glue:DeleteDatabase", f"{GLUE}:database/shop_raw", False),
    (JOB, "glue:CreateDatabase", f"{GLUE}:catalog", False),
    (JOB, "glue:UpdateJob", f"{GLUE}:job/mainstem-shop-run", False),
    (JOB, "glue:GetConnection", f"{GLUE}:connection/mainstem-shop-source", True),
    (JOB, "glue:GetConnection", f"{GLUE}:connection/another", False),
    # The job: secrets, the key, logs, the network
    (JOB, "secretsmanager:GetSecretValue", f"{SECRET}:shop/reader-a1B2c3", True),
    (JOB, "secretsmanager:GetSecretValue", f"{SECRET}:shop/reader-admin-a1B2c3", False),
    (JOB, "secretsmanager:GetSecretValue", f"{SECRET}:shop/writer-a1B2c3", False),
    (JOB, "secretsmanager:PutSecretValue", f"{SECRET}:shop/reader-a1B2c3", False),
    (JOB, "logs:PutLogEvents", "arn:aws:logs:eu-west-1:000000000000:log-group:/aws-glue/jobs/output", True),
    (JOB, "logs:PutLogEvents", "arn:aws:logs:eu-west-1:000000000000:log-group:/audit", False),
    (JOB, "ec2:CreateNetworkInterface", f"{EC2}:subnet/subnet-elsewhere", False),
    (JOB, "ec2:RunInstances", f"{EC2}:instance/*", False),
    (JOB, "iam:PassRole", "arn:aws:iam::000000000000:role/mainstem-shop-job", False),
    (JOB, "sts:AssumeRole", "arn:aws:iam::000000000000:role/admin", False),
    (JOB, "athena:StartQueryExecution", f"{ATHENA}/mainstem-shop", False),
    # The reader
    (READER, "athena:StartQueryExecution", f"{ATHENA}/mainstem-shop", True),
    (READER, "athena:GetQueryResults", f"{ATHENA}/mainstem-shop", True),
    (READER, "athena:StartQueryExecution", f"{ATHENA}/primary", False),
    (READER, "athena:UpdateWorkGroup", f"{ATHENA}/mainstem-shop", False),  # it cannot raise its limit
    (READER, "glue:GetTable", f"{GLUE}:table/shop_mart/fact_orders", True),
    (READER, "glue:GetTable", f"{GLUE}:table/shop_raw/customers", False),
    (READER, "glue:UpdateTable", f"{GLUE}:table/shop_mart/fact_orders", False),
    (READER, "s3:GetObject", f"{BUCKET}/lake/mart/fact_orders/data/a.parquet", True),
    (READER, "s3:GetObject", f"{BUCKET}/lake/raw/customers/data/a.parquet", False),
    (READER, "s3:PutObject", f"{BUCKET}/lake/mart/fact_orders/data/a.parquet", False),
    (READER, "s3:DeleteObject", f"{BUCKET}/lake/mart/fact_orders/data/a.parquet", False),
    (READER, "s3:PutObject", f"{BUCKET}/athena-results/a.csv", True),
    (READER, "secretsmanager:GetSecretValue", f"{SECRET}:shop/reader-a1B2c3", False),
    (READER, "kms:ScheduleKeyDeletion", "arn:aws:kms:eu-west-1:000000000000:key/any", False),
]


@pytest.mark.parametrize(
    ("policies", "action", "resource", "allowed"),
    CASES,
    ids=[f"{'job' if c[0] is JOB else 'reader'} {c[1]} {c[2].rpartition(':')[2]} {c[3]}" for c in CASES],
)
def test_what_a_role_may_do(
    account: Account,
    policies: tuple[str, ...],
    action: str,
    resource: str,
    allowed: bool,
) -> None:
    assert decided(account, policies, action, resource) is allowed


def decided(account: Account, policies: tuple[str, ...], action: str, resource: str) -> bool:
    """IAM's answer."""
    answer = account.aws.client("iam").simulate_custom_policy(
        PolicyInputList=[json.dumps(account.policy(address)) for address in policies],
        ActionNames=[action],
        ResourceArns=[resource],
    )
    return bool(answer["EvaluationResults"][0]["EvalDecision"] == "allowed")


def test_the_key_may_be_used_and_not_administered(account: Account) -> None:
    key = account.values("aws_kms_key.lake")["arn"]
    for policies in (JOB, READER):
        assert decided(account, policies, "kms:Decrypt", key)
        assert decided(account, policies, "kms:GenerateDataKey", key)
        assert not decided(account, policies, "kms:Decrypt", key[:-1] + "x")
        assert not decided(account, policies, "kms:PutKeyPolicy", key)


def test_no_statement_of_a_role_names_every_action_or_without_need_every_resource(account: Account) -> None:
    for address in (*JOB, *READER, *PUBLISHER):
        for statement in account.policy(address)["Statement"]:
            assert all("*" not in action for action in statement["Action"])
            if "*" in statement["Resource"]:
                assert statement["Condition"]
                assert statement["Sid"] in ("PutMetrics", "LookAtNetwork")


class Identity:
    """Somebody with the policies of a role, whose every call the account decides."""

    def __init__(self, account: Account, name: str, policies: tuple[str, ...]) -> None:
        iam = account.aws.client("iam")
        iam.create_user(UserName=name)
        for number, address in enumerate(policies):
            document = json.dumps(account.policy(address))
            iam.put_user_policy(UserName=name, PolicyName=f"p{number}", PolicyDocument=document)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        self.account = account
        self.keys = (key["AccessKeyId"], key["SecretAccessKey"])

    def may(self, service: str, operation: str, **arguments: Any) -> bool:
        """Do it: whether the account let it happen. Any other failure is one of the test."""
        client = self.account.aws.client(service, *self.keys)
        try:
            getattr(client, operation)(**arguments)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            assert code in ("AccessDenied", "AccessDeniedException"), code
            return False
        return True


@pytest.fixture(scope="module")
def job(account: Account) -> Identity:
    """Somebody with the job's policies."""
    account.aws.client("secretsmanager").create_secret(Name="shop/reader", SecretString="mysql://…")
    account.aws.client("secretsmanager").create_secret(Name="shop/writer", SecretString="mysql://…")
    account.aws.client("glue").create_database(DatabaseInput={"Name": "finance"})
    account.aws.client("s3").put_object(Bucket="shop-lake", Key="other/a", Body=b"a")
    return Identity(account, "as-job", JOB)


@pytest.fixture(scope="module")
def reader(account: Account) -> Identity:
    """Somebody with the reader's policies."""
    return Identity(account, "as-reader", READER)


def table(name: str) -> dict[str, Any]:
    return {"Name": name, "StorageDescriptor": {"Columns": [], "Location": f"s3://shop-lake/lake/raw/{name}"}}


def test_the_job_can_do_its_work(job: Identity) -> None:
    body = {"Bucket": "shop-lake", "Key": "lake/raw/orders/data/a.parquet"}
    assert job.may("secretsmanager", "get_secret_value", SecretId="shop/reader")
    assert job.may("s3", "get_object", Bucket="shop-lake", Key="job/plan.json")
    assert job.may("s3", "put_object", **body, Body=b"rows")
    assert job.may("s3", "get_object", **body)
    assert job.may("s3", "list_objects_v2", Bucket="shop-lake", Prefix="lake/raw/")
    assert job.may("s3", "list_objects_v2", Bucket="shop-lake", Prefix="job/")
    assert job.may("glue", "get_tables", DatabaseName="shop_raw")
    assert job.may("glue", "create_table", DatabaseName="shop_raw", TableInput=table("orders"))
    assert job.may("glue", "update_table", DatabaseName="shop_raw", TableInput=table("orders"))
    assert job.may("glue", "get_table", DatabaseName="shop_raw", Name="orders")
    assert job.may("glue", "delete_table", DatabaseName="shop_raw", Name="orders")
    assert job.may("s3", "delete_object", **body)


def test_the_job_can_do_nothing_else(job: Identity) -> None:
    assert not job.may("secretsmanager", "get_secret_value", SecretId="shop/writer")
    assert not job.may("secretsmanager", "put_secret_value", SecretId="shop/reader", SecretString="x")
    assert not job.may("s3", "get_object", Bucket="shop-lake", Key="other/a")
    assert not job.may("s3", "put_object", Bucket="shop-lake", Key="job/mainstem_job.py", Body=b"evil")
    assert not job.may("s3", "list_objects_v2", Bucket="shop-lake", Prefix="other/")
    assert not job.may("s3", "list_objects_v2", Bucket="shop-lake")
    assert not job.may("s3", "list_objects_v2", Bucket="shop-lake-logs")
    assert not job.may("s3", "delete_bucket_policy", Bucket="shop-lake-logs")
    assert not job.may("glue", "create_table", DatabaseName="finance", TableInput=table("t"))
    assert not job.may("glue", "get_tables", DatabaseName="finance")
    assert not job.may("glue", "delete_database", Name="shop_raw")
    # (The emulator does not know cloudwatch:namespace, so that it refuses the job's own metrics as well.)
    assert not job.may("cloudwatch", "put_metric_data", Namespace="Billing", MetricData=METRIC)
    assert not job.may("iam", "create_user", UserName="another")
    assert not job.may("athena", "list_work_groups")
    assert not job.may("kms", "list_keys")


def test_the_reader_reads_the_mart_alone(account: Account, reader: Identity) -> None:
    s3 = account.aws.client("s3")
    for namespace in ("raw", "mart"):
        s3.put_object(Bucket="shop-lake", Key=f"lake/{namespace}/a", Body=b"a")
    assert reader.may("s3", "get_object", Bucket="shop-lake", Key="lake/mart/a")
    assert reader.may("glue", "get_tables", DatabaseName="shop_mart")
    assert reader.may("athena", "start_query_execution", QueryString="select 1", WorkGroup="mainstem-shop")
    assert not reader.may("s3", "get_object", Bucket="shop-lake", Key="lake/raw/a")
    assert not reader.may("s3", "put_object", Bucket="shop-lake", Key="lake/mart/a", Body=b"b")
    assert reader.may("s3", "list_objects_v2", Bucket="shop-lake", Prefix="lake/mart/")
    assert not reader.may("s3", "list_objects_v2", Bucket="shop-lake", Prefix="lake/raw/")
    assert not reader.may("glue", "get_tables", DatabaseName="shop_raw")
    assert not reader.may("athena", "start_query_execution", QueryString="select 1", WorkGroup="primary")
    assert not reader.may("secretsmanager", "get_secret_value", SecretId="shop/reader")


def test_parliament_knows_every_action_and_resource(account: Account) -> None:
    for address in (*JOB, *READER, *PUBLISHER):
        assert linted(account.policy(address)) == []


def test_parliament_finds_what_is_wrong(account: Account) -> None:
    """The negative control: an action that does not exist, a resource that is not the action's."""
    policy = account.policy(JOB[0])
    policy["Statement"][0]["Action"] = ["secretsmanager:ReadSecret"]
    policy["Statement"][1]["Resource"] = [BUCKET]
    assert set(linted(policy)) >= {"UNKNOWN_ACTION", "RESOURCE_MISMATCH"}


def linted(policy: dict[str, Any]) -> list[str]:
    """The issues that parliament finds."""
    done = subprocess.run(
        [str(LINT / "parliament"), "--json"],
        input=json.dumps(policy),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return [json.loads(line)["issue"] for line in done.stdout.splitlines()]
