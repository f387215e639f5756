"""Escalation findings beside those of cloudsplaining 0.9.1: all it finds is found, or the difference is explained.

Its answers stand here as a table of our own, made by running that version; where it can be imported the table is held
against it once more.
"""

from __future__ import annotations

import importlib
import json
import logging
from functools import cache
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from lineage_analytics.graphs.access import AccessLineage, access_lineage
from lineage_analytics.permissions.aws.catalogue import catalogue
from lineage_analytics.permissions.aws.datafiles import escalations, sensitive
from tests.test_access_lineage import ANN, APP, EVERYONE, A, allows, arn, build, identity, opened, row, trusts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Each method of cloudsplaining, the actions it asks for, and the line of escalations.csv (or control of the account)
# that answers it; "nothing": explained in UNANSWERED.
METHODS = """
CreateAccessKey: iam:createaccesskey = account
CreateLoginProfile: iam:createloginprofile = account
UpdateLoginProfile: iam:updateloginprofile = account
AddUserToGroup: iam:addusertogroup = account
CreateNewPolicyVersion: iam:createpolicyversion = account
SetExistingDefaultPolicyVersion: iam:setdefaultpolicyversion = account
AttachUserPolicy: iam:attachuserpolicy = account
AttachGroupPolicy: iam:attachgrouppolicy = account
AttachRolePolicy: iam:attachrolepolicy = account
PutUserPolicy: iam:putuserpolicy = account
PutGroupPolicy: iam:putgrouppolicy = account
PutRolePolicy: iam:putrolepolicy = account
UpdateRolePolicyToAssumeIt: iam:updateassumerolepolicy = account
CreateEC2WithExistingIP: iam:passrole ec2:runinstances = ec2.run
PassExistingRoleToNewLambdaThenInvoke: iam:passrole lambda:createfunction lambda:invokefunction = lambda.invoke
PassExistingRoleToNewLambdaThenTriggerWithNewDynamo: iam:passrole lambda:createfunction lambda:createeventsourcemapping \
dynamodb:createtable dynamodb:putitem = lambda.trigger
PassExistingRoleToNewLambdaThenTriggerWithExistingDynamo: iam:passrole lambda:createfunction \
lambda:createeventsourcemapping = lambda.trigger
PassExistingRoleToNewGlueDevEndpoint: iam:passrole glue:createdevendpoint = glue.endpoint
PassExistingRoleToCloudFormation: iam:passrole cloudformation:createstack = cloudformation.stack
PassExistingRoleToNewDataPipeline: iam:passrole datapipeline:createpipeline = nothing
UpdateExistingGlueDevEndpoint: glue:updatedevendpoint = glue.endpoint_key
EditExistingLambdaFunctionWithRole: lambda:updatefunctioncode = lambda.existing
AccessExistingBedrockCodeInterpreterSession: bedrock-agentcore:startcodeinterpretersession \
bedrock-agentcore:invokecodeinterpreter = agentcore.existing
ExecuteCloudFormationChangeSet: cloudformation:createchangeset cloudformation:executechangeset \
= cloudformation.existing_changes
ModifyEC2InstanceUserDataThenRestart: ec2:modifyinstanceattribute ec2:stopinstances ec2:startinstances = ec2.user_data
ModifyExistingEC2LaunchTemplate: ec2:createlaunchtemplateversion ec2:modifylaunchtemplate = ec2.launch_template
EC2InstanceConnectSendSSHPublicKey: ec2-instance-connect:sendsshpublickey ec2:describeinstances = ec2.connect
ECSExecuteCommandOnRunningTask: ecs:executecommand ecs:describetasks = ecs.exec
UpdateAndInvokeLambdaFunction: lambda:updatefunctioncode lambda:invokefunction = lambda.existing
UpdateLambdaFunctionAndAddPermission: lambda:updatefunctioncode lambda:addpermission = lambda.existing
CreatePresignedSageMakerNotebookUrl: sagemaker:createpresignednotebookinstanceurl = sagemaker.existing_url
UpdateSageMakerNotebookLifecycleConfig: sagemaker:createnotebookinstancelifecycleconfig sagemaker:stopnotebookinstance \
sagemaker:updatenotebookinstance sagemaker:startnotebookinstance = sagemaker.existing_start
PassExistingRoleToNewAppRunnerService: iam:passrole apprunner:createservice = apprunner.service
PassExistingRoleToNewBedrockCodeInterpreter: iam:passrole bedrock-agentcore:createcodeinterpreter \
bedrock-agentcore:startcodeinterpretersession bedrock-agentcore:invokecodeinterpreter = agentcore.interpreter
PassExistingRoleToNewCloudFormationStackSet: iam:passrole cloudformation:createstackset \
cloudformation:createstackinstances = cloudformation.set
PassRoleToUpdateCloudFormationStackSet: iam:passrole cloudformation:updatestackset = cloudformation.set_change
PassExistingRoleToNewCodeBuildProjectThenBuild: iam:passrole codebuild:createproject codebuild:startbuild \
= codebuild.build
PassExistingRoleToNewCodeBuildProjectThenBuildBatch: iam:passrole codebuild:createproject codebuild:startbuildbatch \
= codebuild.batch
PassExistingRoleToNewEC2SpotInstance: iam:passrole ec2:requestspotinstances = ec2.spot
PassExistingRoleToNewECSClusterServiceTask: iam:passrole ecs:createcluster ecs:registertaskdefinition \
ecs:createservice = ecs.cluster_service
PassExistingRoleToNewECSClusterRunTask: iam:passrole ecs:createcluster ecs:registertaskdefinition ecs:runtask \
= ecs.cluster_task
PassExistingRoleToNewECSService: iam:passrole ecs:registertaskdefinition ecs:createservice = ecs.service
PassExistingRoleToNewECSTaskViaRunTask: iam:passrole ecs:registertaskdefinition ecs:runtask = ecs.task
PassExistingRoleToNewECSTaskViaStartTask: iam:passrole ecs:registertaskdefinition ecs:starttask = ecs.start_task
PassExistingRoleToNewGlueJobThenRun: iam:passrole glue:createjob glue:startjobrun = glue.job
PassExistingRoleToNewGlueJobViaTrigger: iam:passrole glue:createjob glue:createtrigger = glue.job_trigger
PassExistingRoleToUpdatedGlueJobThenRun: iam:passrole glue:updatejob glue:startjobrun = glue.job_change
PassExistingRoleToUpdatedGlueJobViaTrigger: iam:passrole glue:updatejob glue:createtrigger = glue.job_change_trigger
PassExistingRoleToNewLambdaThenAddPermission: iam:passrole lambda:createfunction lambda:addpermission \
= lambda.permission
PassExistingRoleToNewSageMakerNotebookInstance: iam:passrole sagemaker:createnotebookinstance = sagemaker.notebook
PassExistingRoleToNewSageMakerTrainingJob: iam:passrole sagemaker:createtrainingjob = sagemaker.training
PassExistingRoleToNewSageMakerProcessingJob: iam:passrole sagemaker:createprocessingjob = sagemaker.processing
CreateAndRotateAccessKey: iam:createaccesskey iam:deleteaccesskey = account
AttachUserPolicyThenCreateAccessKey: iam:attachuserpolicy iam:createaccesskey = account
CreatePolicyVersionThenAssumeRole: iam:createpolicyversion sts:assumerole = account
PutUserPolicyThenCreateAccessKey: iam:putuserpolicy iam:createaccesskey = account
AttachRolePolicyThenUpdateAssumeRolePolicy: iam:attachrolepolicy iam:updateassumerolepolicy = account
CreatePolicyVersionThenUpdateAssumeRolePolicy: iam:createpolicyversion iam:updateassumerolepolicy = account
PutRolePolicyThenUpdateAssumeRolePolicy: iam:putrolepolicy iam:updateassumerolepolicy = account
"""
ACTIONS, OURS = {}, {}
for _line in METHODS.strip().splitlines():
    _name, _rest = _line.split(": ", 1)
    ACTIONS[_name], OURS[_name] = _rest.split(" = ")[0].split(), _rest.split(" = ")[1]

UNANSWERED = {
    "PassExistingRoleToNewDataPipeline": "a pipeline that is only created does nothing: it also takes "
                                         "datapipeline:PutPipelineDefinition and datapipeline:ActivatePipeline",
}
EVERY = tuple(ACTIONS)

# What it finds in the accounts, nothing excluded: file, sort and name of the principal, policy, methods.
RECORDED: dict[tuple[str, str, str, str], tuple[str, ...]] = {
    ("example-authz-details.json", "group", "admin", "AdministratorAccess"): EVERY,
    ("example-authz-details.json", "user", "obama", "AdministratorAccess"): EVERY,
    ("example-authz-details.json", "user", "userwithlotsofpermissions", "AdministratorAccess"): EVERY,
    ("example-authz-details.json", "role", "OverprivilegedEC2", "SupYo"): ("CreateAccessKey",),
    ("example-authz-details.json", "user", "biden", "AWSLambdaFullAccess"): (
        "PassExistingRoleToNewLambdaThenInvoke", "PassExistingRoleToNewLambdaThenTriggerWithNewDynamo",
        "PassExistingRoleToNewLambdaThenTriggerWithExistingDynamo", "EditExistingLambdaFunctionWithRole",
        "UpdateAndInvokeLambdaFunction", "UpdateLambdaFunctionAndAddPermission",
        "PassExistingRoleToNewLambdaThenAddPermission"),
    ("example_authz_details_for_overrides_complete.json", "group", "GOATGroup", "AdministratorAccess"): EVERY,
    ("example_authz_details_for_overrides_complete.json", "role", "GOATRole", "AdministratorAccess"): EVERY,
    ("example_authz_details_for_overrides_complete.json", "user", "BlakeBortles", "AdministratorAccess"): EVERY,
}
NO_LAMBDA_ROLE = "no role of this account trusts lambda.amazonaws.com, so there is none that a function could run as"
EXPLAINED = {
    ("example-authz-details.json", "biden", "PassExistingRoleToNewLambdaThenInvoke"): NO_LAMBDA_ROLE,
    ("example-authz-details.json", "biden", "PassExistingRoleToNewLambdaThenTriggerWithNewDynamo"): NO_LAMBDA_ROLE,
    ("example-authz-details.json", "biden", "PassExistingRoleToNewLambdaThenTriggerWithExistingDynamo"): NO_LAMBDA_ROLE,
    ("example-authz-details.json", "biden", "EditExistingLambdaFunctionWithRole"): NO_LAMBDA_ROLE,
    ("example-authz-details.json", "biden", "UpdateAndInvokeLambdaFunction"): NO_LAMBDA_ROLE,
    ("example-authz-details.json", "biden", "UpdateLambdaFunctionAndAddPermission"): NO_LAMBDA_ROLE,
    ("example-authz-details.json", "biden", "PassExistingRoleToNewLambdaThenAddPermission"): NO_LAMBDA_ROLE,
}
FILES = {
    "cloudsplaining": ("example-authz-details.json", "example_authz_details_for_overrides_complete.json",
                       "example_authz_v2.json", "managed_policy_mismatch.json"),
    "cloudmapper_demo": ("iam-get-account-authorization-details.json",),
    "iamspy": ("allow-testing-s3.json", "basic-allow.json", "basic-deny.json", "batch-allow.json", "role-boundary-deny.json",
               "role-boundary-no-policies.json", "user-boundary-allow.json", "user-boundary-deny.json"),
}
# Managed policies of AWS in which it finds something, of the 25 beside the accounts.
MANAGED = {
    "AWSCloudFormationFullAccess": ("ExecuteCloudFormationChangeSet",),
    "AWSLambda_FullAccess": ("EditExistingLambdaFunctionWithRole", "UpdateAndInvokeLambdaFunction",
                             "UpdateLambdaFunctionAndAddPermission"),
    "AmazonEC2FullAccess": ("ModifyEC2InstanceUserDataThenRestart", "ModifyExistingEC2LaunchTemplate"),
    "DataScientist": ("EditExistingLambdaFunctionWithRole", "UpdateAndInvokeLambdaFunction"),
    "IAMFullAccess": (
        "CreateAccessKey", "CreateLoginProfile", "UpdateLoginProfile", "AddUserToGroup", "CreateNewPolicyVersion",
        "SetExistingDefaultPolicyVersion", "AttachUserPolicy", "AttachGroupPolicy", "AttachRolePolicy", "PutUserPolicy",
        "PutGroupPolicy", "PutRolePolicy", "UpdateRolePolicyToAssumeIt", "CreateAndRotateAccessKey",
        "AttachUserPolicyThenCreateAccessKey", "PutUserPolicyThenCreateAccessKey",
        "AttachRolePolicyThenUpdateAssumeRolePolicy", "CreatePolicyVersionThenUpdateAssumeRolePolicy",
        "PutRolePolicyThenUpdateAssumeRolePolicy"),
    "SecretsManagerReadWrite": ("ExecuteCloudFormationChangeSet",),
    "SystemAdministrator": ("EditExistingLambdaFunctionWithRole", "ModifyEC2InstanceUserDataThenRestart",
                            "ModifyExistingEC2LaunchTemplate", "UpdateAndInvokeLambdaFunction"),
}

SERVICES = sorted({service for way in escalations() for service in way.services})
ROLES = [identity(f"AROAS{i:03}", f"service{i}") for i in range(len(SERVICES))]


def trusting() -> Iterator[list[dict[str, Any]]]:
    """A role for every service that a way knows."""
    for role, service in zip(ROLES, SERVICES, strict=True):
        yield [{**trust, "record_id": f"rec-{role['id']}"} for trust in trusts(role, f"aws:service:{service}")]


def profiles() -> pl.DataFrame:
    return pl.DataFrame([{"id": f"aws:{A}:arn:aws:iam::{A}:instance-profile/{i}", "kind": "instance_profile", "tenant": A,
                          "provider": "aws", "record_id": f"rec-{role['id']}"} for i, role in enumerate(ROLES)])


def estate(*grants: list[dict[str, Any]]) -> AccessLineage:
    return build(*trusting(), *grants, identities=[*EVERYONE, *ROLES], resources=profiles())


@cache
def techniques() -> dict[str, str]:
    """By our ids: how it reads in an edge."""
    return {way.id: f"{way.technique}: " for way in escalations()}


def controls_account(lineage: AccessLineage, principal: str) -> bool:
    return lineage.edges.filter((pl.col("src") == principal) & pl.col("dst").str.ends_with(":account")
                                & (pl.col("state") == "proved")).height > 0


def answers(lineage: AccessLineage, principal: str, ours: str) -> str | None:
    """State of the edge whose reason is one line of ours, or of control of the account; None when there is none."""
    if controls_account(lineage, principal):
        return "proved"
    found = lineage.edges.filter((pl.col("src") == principal) & pl.col("followed")
                                 & pl.col("reason").str.contains(techniques().get(ours, "(none)"), literal=True))
    return min(found["state"], key=("proved", "conditional").index, default=None)


def comes_to(lineage: AccessLineage, principal: str, ours: str) -> bool:
    """Does the principal control the account, or come to every role a line of ours is about, by this line or a surer one?"""
    if ours in {"account", "nothing"} or controls_account(lineage, principal):
        return controls_account(lineage, principal)
    (way,) = (way for way in escalations() if way.id == ours)
    roles = {role for service in way.services for role in lineage.edges.filter(
        (pl.col("src") == f"aws:service:{service}") & (pl.col("rel") == "may_assume"))["dst"]}
    return bool(roles) and roles <= set(lineage.blast_radius(principal)["node_id"])


# --- every method ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ACTIONS)
def test_who_holds_exactly_what_a_method_asks_for_has_the_edge(method: str) -> None:
    lineage = estate(allows(ANN, ACTIONS[method]))
    if OURS[method] == "nothing":
        assert UNANSWERED[method]
        assert lineage.blast_radius(ANN["id"]).height == 0
        return
    sure = OURS[method] == "account" or not next(way.besides for way in escalations() if way.id == OURS[method])
    assert answers(lineage, ANN["id"], OURS[method]) == ("proved" if sure else "conditional")


@pytest.mark.parametrize("way", escalations(), ids=lambda way: way.id)
def test_every_way_of_ours_is_an_edge_for_who_holds_exactly_its_actions_and_for_nobody_who_lacks_one(way: Any) -> None:
    made = identity("AROAR1", "AWSReservedSSO_Admins_0123456789abcdef")
    needs = [catalogue().actions(bit)[0] for bit in way.needs] + (["iam:PassRole"] if way.over in {"passed", "profile"} else [])
    resources = ["arn:aws:sso:::*", "arn:aws:identitystore:::*", "arn:aws:identitystore::*:*"] if way.over == "sets" else ["*"]

    def held(actions: list[str]) -> AccessLineage:
        return build(*trusting(), allows(ANN, actions, resources), identities=[*EVERYONE, *ROLES, made], resources=profiles())

    if way.over == "sets" and catalogue().mask(needs[0]) & catalogue().resourceless:
        resources = ["*"]  # of weight ten on everything, so it counts as control of the account
        assert controls_account(held(needs), ANN["id"])
        return
    assert answers(held(needs), ANN["id"], way.id) == ("conditional" if way.besides else "proved")
    for lacking in needs:
        left = [action for action in needs if action != lacking]
        if not catalogue().union(left) & sensitive().by_weight[10]:
            assert answers(held(left), ANN["id"], way.id) is None


def test_a_way_is_answered_once_whatever_methods_ask_for_it() -> None:
    assert set(OURS.values()) <= {way.id for way in escalations()} | {"account", "nothing"}
    assert {method for method, ours in OURS.items() if ours == "nothing"} == set(UNANSWERED)


# --- accounts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted({file for file, *_ in RECORDED}))
def test_all_it_finds_in_an_account_is_found_or_the_difference_explained(
    name: str, shared_data: Path, tmp_path: Path
) -> None:
    facts = opened(shared_data / "aws_iam" / "cloudsplaining" / name, tmp_path)
    lineage = access_lineage(facts)
    ids = {alt["value"].split(":", 5)[-1]: who for who, alts in facts.frame("identities").select("id", "alt_ids").rows()
           for alt in alts or () if alt["kind"] == "arn"}
    missing = {(file, who, method) for (file, sort, who, _), methods in RECORDED.items() if file == name
               for method in methods if not comes_to(lineage, ids[f"{sort}/{who}"], OURS[method])}
    assert missing == {key for key in EXPLAINED if key[0] == name}
    trusted = lineage.edges.filter((pl.col("rel") == "may_assume") & (pl.col("src") == "aws:service:lambda.amazonaws.com"))
    assert trusted.is_empty(), "the explanation says that no role trusts the service"


@pytest.mark.parametrize("name", sorted(MANAGED))
def test_all_it_finds_in_a_managed_policy_is_found_where_roles_trust_the_services(name: str, shared_data: Path) -> None:
    lineage = estate(holding(shared_data, name))
    assert [method for method in MANAGED[name] if not comes_to(lineage, APP["id"], OURS[method])] == []


@pytest.mark.parametrize("name", ["ReadOnlyAccess", "ViewOnlyAccess", "SecurityAudit", "IAMReadOnlyAccess", "SupportUser"])
def test_a_managed_policy_for_reading_gives_no_edge(name: str, shared_data: Path) -> None:
    assert estate(holding(shared_data, name)).blast_radius(APP["id"]).height == 0


def holding(shared_data: Path, name: str) -> list[dict[str, Any]]:
    """The role app holding a managed policy as the file has it."""
    return [row("attachment", APP["id"], privilege=name, scope=name),
            *(row("statement", name, effect=s["Effect"].lower(), condition=json.dumps(s["Condition"]) if "Condition" in s else None,
                  record_id=f"rec-{at}", **{column: [s[key]] if isinstance(s[key], str) else s[key] for key, column in (
                      ("Action", "actions"), ("NotAction", "not_actions"), ("Resource", "resources"),
                      ("NotResource", "not_resources")) if key in s})
              for at, s in enumerate(document(shared_data, name)["Statement"]))]


def document(shared_data: Path, name: str) -> dict[str, Any]:
    read = json.loads((shared_data / "aws_iam" / "aws_managed_policies_iam-dataset" / f"{name}.json").read_text())
    return dict(read.get("document") or read.get("Document") or read)


# --- its false positives -------------------------------------------------------------------------------------------------

PAIR = ["iam:PassRole", "lambda:CreateFunction", "lambda:InvokeFunction"]
DENIED = allows(ANN, ["*"], policy="no", effect="deny")


@pytest.mark.parametrize("grants", [
    [allows(ANN, ["*"], policy="star"), DENIED],
    [allows(ANN, PAIR, policy="pair"), DENIED],
    [allows(ANN, ["iam:CreateAccessKey"], policy="keys"), DENIED],
    [allows(ANN, PAIR, policy="pair"), allows(ANN, ["iam:PassRole"], ["arn:aws:iam::*:role/*"], policy="no", effect="deny")],
    [allows(ANN, PAIR, policy="pair"), [row("boundary", ANN["id"], privilege="limit", scope="limit"),
                                        row("statement", "limit", actions=["s3:*"], resources=["*"])]]])
def test_what_another_policy_or_a_boundary_takes_away_is_no_escalation(grants: list[list[dict[str, Any]]]) -> None:
    """Each of the allowing policies is an escalation to it, which looks at one policy at a time."""
    assert estate(*grants).blast_radius(ANN["id"]).height == 0


# --- what it does not see ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("grants", [
    [allows(ANN, PAIR[:1], policy="a"), allows(ANN, PAIR[1:], policy="b")],
    [allows(ANN, ["iam:Pass?ole", "lambda:*Function"])],
    [allows(ANN, PAIR[:1], [arn(ROLES[SERVICES.index("lambda.amazonaws.com")])], policy="a"), allows(ANN, PAIR[1:], policy="b")],
    [[row("attachment", ANN["id"], privilege="own", scope="own"),
      row("statement", "own", actions=PAIR, not_resources=["arn:aws:s3:::logs/*"])]]])
def test_two_policies_a_question_mark_one_role_and_everything_but_are_found(grants: list[list[dict[str, Any]]]) -> None:
    assert answers(estate(*grants), ANN["id"], "lambda.invoke") == "proved"


# --- the table beside the program ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def peer() -> Iterator[Any]:
    pytest.importorskip("cloudsplaining", reason="cloudsplaining is not installed; its recorded answers are used")
    logging.disable(logging.CRITICAL)
    yield importlib.import_module
    logging.disable(logging.NOTSET)


def test_the_table_of_methods_is_the_programs(peer: Any) -> None:
    assert peer("cloudsplaining.shared.constants").PRIVILEGE_ESCALATION_METHODS == ACTIONS


def test_the_recorded_findings_are_what_the_program_finds(peer: Any, shared_data: Path) -> None:
    found = {key: methods for folder, names in FILES.items() for name in names
             for key, methods in findings(peer, shared_data / "aws_iam" / folder / name)}
    assert {key: set(methods) for key, methods in found.items()} == {k: set(v) for k, v in RECORDED.items()}


def test_the_recorded_managed_policies_are_what_the_program_finds(peer: Any, shared_data: Path) -> None:
    files = sorted((shared_data / "aws_iam" / "aws_managed_policies_iam-dataset").glob("*.json"))
    read = peer("cloudsplaining.scan.policy_document").PolicyDocument
    found = {file.stem: tuple(f["type"] for f in read(document(shared_data, file.stem)).allows_privilege_escalation)
             for file in files}
    assert len(files) == 25
    assert {name: set(methods) for name, methods in found.items() if methods} == {k: set(v) for k, v in MANAGED.items()}


def findings(peer: Any, path: Path) -> Iterator[tuple[tuple[str, str, str, str], set[str]]]:
    """What the program finds per principal: in its policies and those of its groups."""
    nothing = peer("cloudsplaining.shared.exclusions").Exclusions({key: [""] for key in (
        "policies", "roles", "users", "groups", "include-actions", "exclude-actions")})
    details = peer("cloudsplaining.scan.authorization_details").AuthorizationDetails(json.loads(path.read_text()), nothing)
    kinds = ("inline_policies", "customer_managed_policies", "aws_managed_policies")
    methods = {policy: {f["type"] for f in said["PrivilegeEscalation"]["findings"]}
               for kind in kinds for policy, said in details.results[kind].items()}
    for sort in ("user", "role", "group"):
        for who in details.results[f"{sort}s"].values():
            for holder in (who, *(who.get("groups") or {}).values()):
                for policy, name in [item for kind in kinds for item in holder[kind].items()]:
                    if methods.get(policy):
                        yield (path.name, sort, who["name"], name), methods[policy]
