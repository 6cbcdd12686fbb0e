"""IAM as AWS enforces it, on top of moto's. Everyone but the administrator needs a policy that allows the request."""

import json
import re
from collections.abc import Mapping
from typing import Any

import moto.awslambda.responses
import moto.dynamodb.responses
import moto.events.responses
import moto.kms.responses
import moto.secretsmanager.responses
import moto.sns.responses
from moto.core import authorization
from moto.core.exceptions import AccessDeniedError
from moto.iam import access_control
from moto.iam.access_control import PermissionResult, S3IAMRequest
from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends
from moto.s3.exceptions import S3AccessDeniedError
from moto.s3.models import FakeDeleteMarker, s3_backends
from moto.sts.models import sts_backends

from tools.local.aws.kms import key_use
from tools.local.aws.policy import as_list, decide, trusts
from tools.local.aws.versions import qualify

# Any, because they are patched.
ActionAuthenticatorMixin: Any = authorization.ActionAuthenticatorMixin
DynamoHandler: Any = moto.dynamodb.responses.DynamoHandler
EventsHandler: Any = moto.events.responses.EventsHandler
SNSResponse: Any = moto.sns.responses.SNSResponse
LambdaResponse: Any = moto.awslambda.responses.LambdaResponse
KmsResponse: Any = moto.kms.responses.KmsResponse
SecretsManagerResponse: Any = moto.secretsmanager.responses.SecretsManagerResponse
IAMPolicy: Any = access_control.IAMPolicy
IAMPolicyStatement: Any = access_control.IAMPolicyStatement
AssumedRoleAccessKey: Any = access_control.AssumedRoleAccessKey

LAMBDA = "lambda.amazonaws.com"

ACTIONS = {
    "ChangeMessageVisibilityBatch": "ChangeMessageVisibility",
    "HeadBucket": "ListBucket",
    "HeadObject": "GetObject",
    "Invoke": "InvokeFunction",
    "SendMessageBatch": "SendMessage",
}
"""Operations whose permission moto calls by the wrong name."""


class AccessControl:
    """Authorizes every request.

    Args:
        administrator: The access key of the account's root user, who may do everything.
        account_id: The account's ID.
        region: The region of all services.

    """

    def __init__(self, administrator: str, account_id: str, region: str) -> None:
        self.administrator = administrator
        self._account_id = account_id
        self._region = region

    def install(self) -> None:
        """Replace moto's own authorization, which computes signatures wrongly and so rejects Terraform."""
        control = self

        def authorize(request: Any, iam_request_class: type, resource: str = "*") -> None:
            control.authorize(request, iam_request_class, resource)

        ActionAuthenticatorMixin._authenticate_and_authorize_action = authorize

        check_trust = IAMPolicyStatement.is_action_permitted

        def is_action_permitted(
            statement: Any, action: str, resource: str = "*", principal: str | None = None, values: Any = None
        ) -> PermissionResult:
            if principal is None:
                return decide(statement._statement, action, resource, frozenset())
            result: PermissionResult = check_trust(statement, action, resource, principal, values)
            return result

        def determine_resource(response: Any) -> str:
            # moto checks the permission for all functions.
            found = re.search(r"/functions/([^/]+)", response.path)
            return control._function_arn(qualify(found[1], response.querystring.get("Qualifier", []))) if found else "*"

        def determine_key(response: Any) -> str:
            return response._get_param("KeyId") or "*"

        def determine_secret(response: Any) -> str:
            return response._get_param("SecretId") or "*"

        KmsResponse._determine_resource = determine_key
        SecretsManagerResponse._determine_resource = determine_secret
        IAMPolicyStatement.is_action_permitted = is_action_permitted
        LambdaResponse._determine_resource = determine_resource
        DynamoHandler._determine_resource = lambda response: control._table_arn(response._get_param("TableName"))
        EventsHandler._determine_resource = _find_bus
        SNSResponse._determine_resource = lambda response: response._get_param("TopicArn") or "*"

    def is_administrator(self, authorization: str) -> bool:
        """Whether a request with this Authorization header is the administrator's."""
        return f"Credential={self.administrator}/" in authorization

    def authorize(self, request: Any, iam_request_class: type, resource: str) -> None:
        """Return if the request is allowed; else raise the error that AWS would answer."""
        authorization = request.headers.get("Authorization", "")
        if not authorization:
            # A presigned URL has the key in its query.
            authorization = f"Credential={request.querystring.get('X-Amz-Credential', [''])[0]}"
        if self.is_administrator(authorization):
            return
        if "Authorization" not in request.headers:
            raise S3AccessDeniedError if iam_request_class is S3IAMRequest else AccessDeniedError("anonymous", "any")
        action = request._get_action()
        checked = iam_request_class(
            account_id=request.current_account,
            method=request.method,
            path=request.raw_path,
            data=request.data,
            body=request.raw_body,
            headers=request.headers,
            action=ACTIONS.get(action, action),
        )
        if iam_request_class is not S3IAMRequest:
            checked.check_action_permitted(resource)
        else:
            self._check_s3(checked._access_key, checked._action, resource)
            if checked._action == "s3:GetObject" and self._is_missing(resource):
                # Without permission to list the bucket, S3 answers 403 for a missing key.
                self._check_s3(checked._access_key, "s3:ListBucket", resource.partition("/")[0])
        if not (
            self._is_within_boundary(checked._access_key, checked._action, resource)
            and self._may_use_keys(checked._access_key, checked._action, resource, request)
        ):
            checked._raise_access_denied()

    def role_keys(self, role_arn: str, service: str = LAMBDA) -> tuple[str, str, str]:
        """Assume a role for an AWS service; returns access key id, secret access key and session token.

        Raises:
            PermissionError: The role does not exist, or its trust policy does not allow the service.

        """
        try:
            role = iam_backends[self._account_id]["aws"].get_role_by_arn(role_arn)
        except NotFoundException:
            raise PermissionError(f"{service} may not assume {role_arn}: there is no such role") from None
        if not trusts(json.loads(role.assume_role_policy_document), service):
            raise PermissionError(f"{service} may not assume {role_arn}: its trust policy does not let it")
        backend: Any = sts_backends[self._account_id]["aws"]
        assumed = backend.assume_role(
            region_name=self._region,
            role_session_name="local",
            role_arn=role_arn,
            policy=None,
            duration=12 * 60 * 60,
            external_id=None,
        )
        return assumed.access_key_id, assumed.secret_access_key, assumed.session_token

    def role_may(self, role_arn: str, action: str, resource: str) -> bool:
        """Whether a role allows an action that a service takes on its own, without a request of the role."""
        try:
            role = iam_backends[self._account_id]["aws"].get_role_by_arn(role_arn)
        except NotFoundException:
            return False
        policies = (*role.policies.values(), *role.managed_policies.values())
        documents = [IAMPolicy(policy)._policy_json for policy in policies]
        return _allow(documents, action, resource) and self._boundary_allows(role, action, resource)

    def _check_s3(self, caller: Any, action: str, resource: str) -> None:
        """Raise unless a policy of caller or bucket allows the action, none denies it, and the boundary allows it."""
        documents = _documents(caller)
        bucket = s3_backends[self._account_id]["aws"].buckets.get(resource.rpartition(":::")[2].partition("/")[0])
        if bucket is not None and bucket.policy:
            documents.append(json.loads(bucket.policy))
        # Conditions see an assumed role as the role.
        principal = self._role(caller).arn if isinstance(caller, AssumedRoleAccessKey) else caller.arn
        context = {"aws:principalarn": principal}
        may = _allow(documents, action, resource, callers=frozenset({caller.arn, principal}), context=context)
        if not may or not self._is_within_boundary(caller, action, resource):
            raise S3AccessDeniedError

    def _is_within_boundary(self, caller: Any, action: str, resource: str) -> bool:
        """Whether the caller's permissions boundary, if any, allows the action; moto does not check it."""
        return not isinstance(caller, AssumedRoleAccessKey) or self._boundary_allows(
            self._role(caller), action, resource
        )

    def _boundary_allows(self, role: Any, action: str, resource: str) -> bool:
        arn = role.permissions_boundary_arn
        if not arn:
            return True
        boundary = IAMPolicy(iam_backends[self._account_id]["aws"].get_policy(arn))._policy_json
        return _allow([boundary], action, resource)

    def _may_use_keys(self, caller: Any, action: str, resource: str, request: Any) -> bool:
        """Whether the caller's policies allow the KMS actions that the service takes for the request.

        Key policies are not evaluated: each is assumed to leave the decision to the account's IAM policies.

        Raises:
            S3ClientError, JsonRESTError: They may, but the key is disabled or pending deletion.

        """
        use = key_use(action, resource, request, self._account_id, self._region)
        if use is None:
            return True
        documents = _documents(caller)
        may = all(
            _allow(documents, key_action, use.key_arn, context={"kms:viaservice": use.via})
            and self._is_within_boundary(caller, key_action, use.key_arn)
            for key_action in use.actions
        )
        if may and use.error:
            raise use.error
        return may

    def _function_arn(self, name: str) -> str:
        return f"arn:aws:lambda:{self._region}:{self._account_id}:function:{name}"

    def _table_arn(self, name: str | None) -> str:
        return f"arn:aws:dynamodb:{self._region}:{self._account_id}:table/{name}" if name else "*"

    def _role(self, caller: Any) -> Any:
        return iam_backends[self._account_id]["aws"].get_role(caller._owner_role_name)

    def _is_missing(self, object_arn: str) -> bool:
        bucket_name, _, key = object_arn.rpartition(":::")[2].partition("/")
        bucket = s3_backends[self._account_id]["aws"].buckets.get(bucket_name)
        return bucket is not None and isinstance(bucket.keys.get(key), FakeDeleteMarker | None)


def _find_bus(response: Any) -> str:
    """Return the bus of a request to put events; moto would check the permission for all buses."""
    buses = {entry.get("EventBusName", "*") for entry in response._get_param("Entries") or ()}
    return str(buses.pop()) if len(buses) == 1 else "*"


def _documents(caller: Any) -> list[dict[str, Any]]:
    """Return the policies of a user or a role."""
    return [IAMPolicy(policy)._policy_json for policy in caller.collect_policies()]


def _allow(
    documents: list[dict[str, Any]],
    action: str,
    resource: str,
    *,
    callers: frozenset[str] = frozenset(),
    context: Mapping[str, str] | None = None,
) -> bool:
    """Whether a statement allows the action and none denies it."""
    decisions = {
        decide(statement, action, resource, callers, context)
        for document in documents
        for statement in as_list(document["Statement"])
    }
    return PermissionResult.PERMITTED in decisions and PermissionResult.DENIED not in decisions
