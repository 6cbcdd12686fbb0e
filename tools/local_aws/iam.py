"""IAM as AWS enforces it, on top of moto's: everyone but the administrator may do what a policy allows, and no more."""

import re
from typing import Any

from moto.core import authorization
from moto.core.exceptions import AccessDeniedError
from moto.iam import access_control
from moto.iam.access_control import PermissionResult, S3IAMRequest
from moto.iam.models import iam_backends
from moto.s3.exceptions import S3AccessDeniedError
from moto.s3.models import FakeDeleteMarker, s3_backends
from moto.sts.models import sts_backends

# Any, for they are patched.
ActionAuthenticatorMixin: Any = authorization.ActionAuthenticatorMixin
IAMPolicyStatement: Any = access_control.IAMPolicyStatement

ACTIONS = {"HeadBucket": "ListBucket", "HeadObject": "GetObject"}
"""S3 operations whose permission has another name than moto takes for it."""


class AccessControl:
    """Decides about every request.

    Args:
        administrator: The access key that stands for the account's root: it may do everything.
        account_id: Of the account.

    """

    def __init__(self, administrator: str, account_id: str) -> None:
        self.administrator = administrator
        self._account_id = account_id

    def install(self) -> None:
        """Take the place of moto's own decision, which would also refuse Terraform: it computes signatures wrongly."""
        control = self

        def authorize(request: Any, iam_request_class: type, resource: str = "*") -> None:
            control.authorize(request, iam_request_class, resource)

        ActionAuthenticatorMixin._authenticate_and_authorize_action = authorize
        original = IAMPolicyStatement.is_action_permitted

        def is_action_permitted(statement: Any, *args: Any, **kwargs: Any) -> PermissionResult:
            # moto takes a statement whose condition is not met as a denial; to AWS it is as if it were not there.
            if not _conditions_met(statement._statement.get("Condition", {})):
                return PermissionResult.NEUTRAL
            result: PermissionResult = original(statement, *args, **kwargs)
            return result

        IAMPolicyStatement.is_action_permitted = is_action_permitted

    def is_administrator(self, authorization: str) -> bool:
        """Whether a request with this Authorization header is the administrator's."""
        return f"Credential={self.administrator}/" in authorization

    def authorize(self, request: Any, iam_request_class: type, resource: str) -> None:
        """Let a request pass, or raise what AWS would answer."""
        authorization = request.headers.get("Authorization", "")
        if self.is_administrator(authorization):
            return
        if not authorization:
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
        checked.check_action_permitted(resource)
        if checked._action == "s3:GetObject" and self._is_missing(resource):
            # Whoever may not list a bucket is not told what it lacks.
            checked._action = "s3:ListBucket"
            checked.check_action_permitted(resource.partition("/")[0])

    def role_variables(self, role_arn: str, region: str) -> dict[str, str]:
        """Assume a function's role, as Lambda does: the environment variables with its credentials.

        Raises:
            PermissionError: The role's trust policy does not let Lambda.

        """
        role = iam_backends[self._account_id]["aws"].get_role_by_arn(role_arn)
        document = role.assume_role_policy_document
        if not re.search(r"\blambda\.amazonaws\.com\b", document):
            raise PermissionError(
                f"Lambda may not assume {role_arn}: its trust policy does not name lambda.amazonaws.com"
            )
        backend: Any = sts_backends[self._account_id]["aws"]
        assumed = backend.assume_role(
            region_name=region,
            role_session_name="function",
            role_arn=role_arn,
            policy=None,
            duration=12 * 60 * 60,
            external_id=None,
        )
        return {
            "AWS_ACCESS_KEY_ID": assumed.access_key_id,
            "AWS_SECRET_ACCESS_KEY": assumed.secret_access_key,
            "AWS_SESSION_TOKEN": assumed.session_token,
        }

    def _is_missing(self, object_arn: str) -> bool:
        bucket_name, _, key = object_arn.rpartition(":::")[2].partition("/")
        bucket = s3_backends[self._account_id]["aws"].buckets.get(bucket_name)
        return bucket is not None and isinstance(bucket.keys.get(key), FakeDeleteMarker | None)


def _conditions_met(conditions: dict[str, dict[str, Any]]) -> bool:
    """Whether a statement applies. What is on loopback cannot be overheard, so it counts as TLS; all else is moto's."""
    secure = conditions.get("Bool", {}).get("aws:SecureTransport")
    return secure is None or str(secure).lower() == "true"
