"""Has the deployed function look at objects, and waits for what it says of them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from botocore.config import Config
from botocore.exceptions import ClientError, ReadTimeoutError

from tools.operations import CONCURRENCY
from tools.operations.deployment import Deployment

PATIENCE_SECONDS = 30
"""How long Lambda may take beside the function's own timeout."""

ATTEMPTS = 8
"""How often an invocation is tried that Lambda throttles; the last ones are up to 20 s apart."""

THROTTLED = {"TooManyRequestsException", "429"}


@dataclass(frozen=True)
class Look:
    """What became of the objects of one event.

    Attributes:
        statuses: The function's word for each object: ``written``, ``rejected``, ``removed``, ``gone`` or ``ignored``.
        error: Why it is not known; empty where it is.

    """

    statuses: tuple[str, ...] = ()
    error: str = ""


@dataclass(frozen=True)
class Function:
    """The deployed function.

    Attributes:
        concurrency: How many threads use this at a time.

    """

    deployment: Deployment
    concurrency: int = CONCURRENCY

    def look_at(self, key: str) -> Look:
        """Have the function look at an object of the source bucket.

        Raises:
            botocore.exceptions.BotoCoreError, ClientError: It may not be invoked, or not be reached.

        """
        about = {"bucket": {"name": self.deployment.settings.source_bucket}, "object": {"key": key}}
        # Of all envelopes that with the key as it is.
        return self.send({"source": "aws.s3", "detail": about})

    def send(self, event: Mapping[str, object]) -> Look:
        """Send any event.

        Raises:
            botocore.exceptions.BotoCoreError, ClientError: The same.

        """
        try:
            response = self._client.invoke(FunctionName=self.deployment.function_arn, Payload=json.dumps(event))
        except ReadTimeoutError:
            return Look(error="no answer within the function's timeout")
        except ClientError as error:
            if error.response["Error"]["Code"] not in THROTTLED:
                raise
            return Look(error="throttled: as many functions run as may")
        reply = json.loads(response["Payload"].read())
        if "FunctionError" in response:
            return Look(error=str(reply.get("errorMessage", reply)))
        if "outcomes" not in reply:
            return Look(error="an event of a queue or of a job, to which the function answers otherwise")
        return Look(tuple(outcome["status"] for outcome in reply["outcomes"]))

    @cached_property
    def _client(self) -> Any:
        timeout = self.deployment.settings.timeout_seconds + PATIENCE_SECONDS
        retries: Any = {"mode": "standard", "total_max_attempts": ATTEMPTS}
        config = Config(read_timeout=timeout, retries=retries, max_pool_connections=self.concurrency)
        return self.deployment.client("lambda", config)
