"""IAM as AWS enforces it, on top of moto's: everyone but the administrator may do what a policy allows, and no more."""

import json
import re
from typing import Any

from moto.core import authorization
from moto.core.exceptions import AccessDeniedError
from moto.iam import access_control
from moto.iam.access_control import PermissionResult, S3IAMRequest
from moto.iam.exceptions import NotFoundException
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

        check_trust = IAMPolicyStatement.is_action_permitted

        def is_action_permitted(
            statement: Any, action: str, resource: str = "*", principal: str | None = None, values: Any = None
        ) -> PermissionResult:
            if principal is None:
                return decide(statement._statement, action, resource)
            result: PermissionResult = check_trust(statement, action, resource, principal, values)
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

    def role_keys(self, role_arn: str, region: str) -> tuple[str, str, str]:
        """Assume a function's role, as Lambda does: access key id, secret access key and session token.

        Raises:
            PermissionError: The role's trust policy does not let Lambda, or there is no such role.

        """
        try:
            role = iam_backends[self._account_id]["aws"].get_role_by_arn(role_arn)
        except NotFoundException:
            raise PermissionError(f"Lambda may not assume {role_arn}: there is no such role") from None
        if not _trusts_lambda(json.loads(role.assume_role_policy_document)):
            raise PermissionError(
                f"Lambda may not assume {role_arn}: its trust policy does not let lambda.amazonaws.com"
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
        return assumed.access_key_id, assumed.secret_access_key, assumed.session_token

    def _is_missing(self, object_arn: str) -> bool:
        bucket_name, _, key = object_arn.rpartition(":::")[2].partition("/")
        bucket = s3_backends[self._account_id]["aws"].buckets.get(bucket_name)
        return bucket is not None and isinstance(bucket.keys.get(key), FakeDeleteMarker | None)


def _trusts_lambda(document: dict[str, Any]) -> bool:
    decisions = {
        one["Effect"]
        for one in _listed(document["Statement"])
        if "lambda.amazonaws.com" in _listed(one.get("Principal", {}).get("Service", []))
        and _matches_any(one["Action"], "sts:AssumeRole")
    }
    return decisions == {"Allow"}


def decide(statement: dict[str, Any], action: str, resource: str) -> PermissionResult:
    """Tell what a policy's statement says, as AWS reads it; moto's reading of patterns and conditions is another.

    A principal other than everybody is not looked at: moto does not tell whose request it is.
    """
    applies = (
        statement.get("Principal", "*") in ("*", {"AWS": "*"})
        and _applies(statement, "Action", action, re.IGNORECASE)
        and _applies(statement, "Resource", resource)
        and _conditions_met(statement.get("Condition", {}))
    )
    if not applies:
        return PermissionResult.NEUTRAL
    return PermissionResult.PERMITTED if statement["Effect"] == "Allow" else PermissionResult.DENIED


def _applies(statement: dict[str, Any], element: str, value: str, flags: int = 0) -> bool:
    if f"Not{element}" in statement:
        return not _matches_any(statement[f"Not{element}"], value, flags)
    return _matches_any(statement.get(element, []), value, flags)


def _matches_any(patterns: str | list[str], value: str, flags: int = 0) -> bool:
    """Whether one of the patterns fits: ``*`` and ``?`` are wildcards and all else is literal."""
    return any(
        re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), value, re.DOTALL | flags)
        for pattern in _listed(patterns)
    )


def _conditions_met(conditions: dict[str, dict[str, Any]]) -> bool:
    """Whether all conditions are met.

    What is on loopback cannot be overheard, so it counts as TLS. Nothing else is known of a request here: any other
    condition is not met, and its statement as if it were not there.
    """
    return all(
        operator in {"Bool", "BoolIfExists"}
        and key.lower() == "aws:securetransport"
        and "true" in (str(one).lower() for one in _listed(value))
        for operator, keys in conditions.items()
        for key, value in keys.items()
    )


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
