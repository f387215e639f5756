"""Archetypes of service accounts: what each sort may do, what it really uses, and why it exists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lineage_analytics.simulation.model import AWS_ACCOUNT, Policy, Statement

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Archetype:
    """``statements`` gives the inline policy of one application, ``managed`` names shared policies."""

    name: str
    weight: float
    purpose: str
    uses: tuple[str, ...]
    statements: Callable[[str], tuple[Statement, ...]] = lambda _: ()
    managed: tuple[str, ...] = ()
    boundary: str = ""


def _arn(service: str, rest: str, region: str = "eu-west-1") -> str:
    return f"arn:aws:{service}:{region}:{AWS_ACCOUNT}:{rest}"


def _deployer(app: str) -> tuple[Statement, ...]:
    return (Statement(("ecs:DescribeServices", "ecs:UpdateService", "ecs:DescribeTasks"),
                      (_arn("ecs", f"service/main/{app}"),)),)


def _snapshots(app: str) -> tuple[Statement, ...]:
    return (Statement(("rds:CreateDBSnapshot", "rds:DescribeDBSnapshots", "rds:DeleteDBSnapshot",
                       "rds:CopyDBSnapshot", "rds:RestoreDBInstanceFromDBSnapshot"), (_arn("rds", f"db:{app}"),)),)


def _parameters(app: str) -> tuple[Statement, ...]:
    return (Statement(("ssm:GetParameter", "ssm:GetParametersByPath"), (_arn("ssm", f"parameter/{app}"),)),)


def _mover(app: str) -> tuple[Statement, ...]:
    return (Statement(("s3:GetObject", "s3:PutObject"), (f"arn:aws:s3:::northwind-synthetic-{app}/data",)),
            Statement(("s3:GetBucketLocation",), (f"arn:aws:s3:::northwind-synthetic-{app}",)))


def _queue(app: str) -> tuple[Statement, ...]:
    return (Statement(("sqs:ReceiveMessage", "sqs:SendMessage", "sqs:DeleteMessage"), (_arn("sqs", app),)),)


def _etl(app: str) -> tuple[Statement, ...]:
    return (
        Statement(("glue:StartJobRun", "glue:GetJobRun"), (_arn("glue", f"job/{app}"),)),
        Statement(("athena:StartQueryExecution", "athena:GetQueryExecution", "athena:StopQueryExecution"),
                  (_arn("athena", f"workgroup/{app}"),)),
    )


def _rotator(app: str) -> tuple[Statement, ...]:
    return (Statement(("secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue",
                       "secretsmanager:PutSecretValue", "secretsmanager:DeleteSecret"),
                      (_arn("secretsmanager", f"secret:{app}"),)),)


def _tables(app: str) -> tuple[Statement, ...]:
    return (Statement(("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:DescribeTable"),
                      (_arn("dynamodb", f"table/{app}"),)),)


ARCHETYPES = (
    Archetype("deployer", 15, "Rolls out {app} to the cluster", ("ecs:DescribeServices", "ecs:UpdateService",
              "ecs:DescribeTasks"), _deployer),
    Archetype("snapshots", 12, "Nightly snapshots of the {app} database", ("rds:CreateDBSnapshot",
              "rds:DescribeDBSnapshots"), _snapshots),
    Archetype("parameters", 13, "Reads the configuration of {app} at start", ("ssm:GetParameter",
              "ssm:GetParametersByPath"), _parameters),
    Archetype("mover", 9, "Moves files of {app} between buckets", ("s3:GetBucketLocation",), _mover),
    Archetype("queue", 6, "Works off the {app} queue", (), _queue),
    Archetype("etl", 10, "Loads {app} into the warehouse", ("glue:StartJobRun", "glue:GetJobRun",
              "athena:StartQueryExecution", "athena:GetQueryExecution"), _etl),
    Archetype("rotator", 6, "Rotates the secrets of {app}", ("secretsmanager:DescribeSecret",
              "secretsmanager:GetSecretValue"), _rotator),
    Archetype("tables", 6, "Reads and writes the {app} table", ("dynamodb:DescribeTable",), _tables),
    Archetype("reader", 8, "Inventory and cost reports for {app}", ("ec2:DescribeInstances", "rds:DescribeDBInstances",
              "ec2:DescribeVolumes"), managed=("synthetic-wide-reader",)),
    Archetype("operator", 4, "Operates the virtual machines of {app}", ("ec2:DescribeInstances",
              "ec2:StartInstances", "ec2:StopInstances"), managed=("synthetic-compute-operator",)),
    Archetype("regional", 3, "Builds images of {app} in one region", ("ec2:DescribeImages", "ec2:CreateImage"),
              managed=("synthetic-regional-builder",)),
    Archetype("power", 2, "Runs experiments for {app}", ("ec2:DescribeInstances", "ec2:RunInstances",
              "cloudwatch:DescribeAlarms"), managed=("synthetic-power-user",), boundary="synthetic-boundary"),
    Archetype("iam", 1.2, "Provisions accounts for {app}", ("iam:ListUsers", "iam:GetUser", "iam:ListRoles"),
              managed=("synthetic-iam-manager",)),
    Archetype("admin", 0.8, "Emergency automation of {app}", ("ec2:DescribeInstances", "iam:ListRoles",
              "cloudformation:DescribeStacks"), managed=("AdministratorAccess",)),
    Archetype("opaque", 2, "Agent of the monitoring vendor for {app}", ("ec2:DescribeInstances",),
              managed=("CloudWatchAgentServerPolicy",)),
    Archetype("bare", 2, "Left over after {app} moved", ()),
)

_WIDE = ("ec2:Describe*", "rds:Describe*", "elasticloadbalancing:Describe*", "autoscaling:Describe*", "ecs:List*")

STATEMENTS: dict[str, tuple[Statement, ...]] = {
    "AdministratorAccess": (Statement(("*",), ("*",)),),
    "synthetic-wide-reader": (Statement(_WIDE, ("*",)),),
    "synthetic-compute-operator": (
        Statement(("ec2:*",), ("*",)),
        Statement(("ec2:Delete*", "ec2:Terminate*", "ec2:CreateVpc*"), ("*",), effect="Deny"),
    ),
    "synthetic-regional-builder": (
        Statement(("ec2:Describe*", "ec2:CreateImage", "ec2:CopyImage", "ec2:DeregisterImage"), ("*",),
                  condition=(("StringEquals", "aws:RequestedRegion", "eu-west-1"),)),
    ),
    "synthetic-power-user": (Statement((), ("*",), not_actions=("iam:*", "organizations:*", "account:*")),),
    "synthetic-boundary": (Statement(("ec2:*", "cloudwatch:*", "logs:*", "s3:*"), ("*",)),),
    "synthetic-iam-manager": (Statement(("iam:*",), ("*",)),),
    "synthetic-self-service": (Statement(("iam:GetUser", "iam:ListAccessKeys", "iam:ListMFADevices"), ("*",)),),
    "synthetic-developers": (Statement(("ec2:Describe*", "cloudformation:Describe*", "cloudformation:List*",
                                        "logs:Describe*"), ("*",)),),
}
"""Statements of the managed policies whose documents the export holds."""

UNREADABLE = ("CloudWatchAgentServerPolicy",)
"""Attached, but the export holds no document of it: what it allows is unknown."""


def managed_arn(name: str) -> str:
    owner = "aws" if name in ("AdministratorAccess", *UNREADABLE) else AWS_ACCOUNT
    return f"arn:aws:iam::{owner}:policy/{name}"


def inline(archetype: Archetype, app: str) -> list[Policy]:
    statements = archetype.statements(app)
    return [Policy(f"{archetype.name}-{app}", statements)] if statements else []
