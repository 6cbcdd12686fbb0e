"""Versions and aliases of functions. moto ignores the qualifier of permissions and of event invoke configs."""

import copy
import random
import re
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import unquote

import moto.awslambda.models
import moto.awslambda.responses
from moto.awslambda.policy import Policy

# Any, because they are patched.
LambdaAlias: Any = moto.awslambda.models.LambdaAlias
LambdaBackend: Any = moto.awslambda.models.LambdaBackend
LambdaResponse: Any = moto.awslambda.responses.LambdaResponse
LambdaStorage: Any = moto.awslambda.models.LambdaStorage

QUALIFIED = (
    "add_permission",
    "delete_function_event_invoke_config",
    "get_function_event_invoke_config",
    "invoke",
    "put_function_event_invoke_config",
    "remove_permission",
    "update_function_event_invoke_config",
)
"""Requests whose qualifier moto ignores."""


def separate_qualifiers() -> None:
    """Give every version and every alias a policy and an event invoke config of its own."""
    create, find, publish = (
        LambdaAlias.__init__,
        LambdaStorage.get_function_by_name_with_qualifier,
        LambdaStorage.publish_version,
    )

    def init(alias: Any, **arguments: Any) -> None:
        create(alias, **arguments)
        alias.function_arn = alias.arn
        alias.policy, alias.event_invoke_config = Policy(alias), []

    def get_function_by_name_with_qualifier(storage: Any, name: str, qualifier: str | None = None) -> Any:
        function = find(storage, name, qualifier)
        latest = storage._functions[function.function_name]["latest"]
        alias = storage._aliases[latest.function_arn].get(name.partition(":")[2] or qualifier)
        return _make_view(function, alias) if alias else function

    def publish_version(storage: Any, name_or_arn: str, description: str = "") -> Any:
        version = publish(storage, name_or_arn, description)
        if version.policy.parent is not version:
            version.policy, version.event_invoke_config = Policy(version), []
        return version

    def delete_function_event_invoke_config(backend: Any, function_name: str) -> None:
        # Raises an error if there is none.
        backend.get_function_event_invoke_config(function_name)
        backend.get_function(function_name).event_invoke_config.clear()

    LambdaAlias.__init__ = init
    LambdaStorage.get_function_by_name_with_qualifier = get_function_by_name_with_qualifier
    LambdaStorage.publish_version = publish_version
    LambdaBackend.delete_function_event_invoke_config = delete_function_event_invoke_config
    for name in QUALIFIED:
        setattr(LambdaResponse, name, _qualify_name(getattr(LambdaResponse, name)))


def qualify(name: str, qualifiers: Sequence[str]) -> str:
    """Return a function's name with its version or alias, from the path and the query of a request."""
    name = unquote(name).rpartition("function:")[2]
    return name if ":" in name else ":".join([name, *qualifiers])


def unqualify(arn: str) -> str:
    """Return a function's ARN without a version or an alias."""
    return ":".join(arn.split(":")[:7])


def choose_version(function: Any) -> Any:
    """Return the version that an invocation runs. For an alias with weights, chance decides."""
    alias = getattr(function, "alias", None)
    weights = (alias.routing_config or {}).get("AdditionalVersionWeights", {}) if alias else {}
    for version, weight in weights.items():
        if random.random() < weight:  # noqa: S311 - not for cryptography
            backend = moto.awslambda.models.lambda_backends[function.account_id][function.region]
            return backend.get_function(function.function_name, version)
    return function


def _make_view(function: Any, alias: Any) -> Any:
    """Return the version that an alias invokes, with what belongs to the alias."""
    view = copy.copy(function)
    view.alias = alias
    view.function_arn, view.policy, view.event_invoke_config = alias.arn, alias.policy, alias.event_invoke_config
    return view


def _qualify_name(answer: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Move the qualifier from a request's query to the function's name, where moto reads it."""

    def answer_qualified(response: Any) -> Any:
        qualifiers = response.querystring.pop("Qualifier", [])
        response.path = re.sub("(?<=/functions/)[^/]+", lambda name: qualify(name[0], qualifiers), response.path)
        return answer(response)

    return answer_qualified
