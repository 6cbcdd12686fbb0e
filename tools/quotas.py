"""What AWS says that it allows, and how long it takes; each figure with the page that says so."""

from dataclasses import dataclass

KNOWN_ON = "2026-11-26"


@dataclass(frozen=True)
class Known:
    """A figure of AWS's.

    Attributes:
        what: It is, with its unit.
        value: Of a quota its default, in us-east-1 where regions differ.
        url: The page that says so.
        remark: What else has to be known of it; empty where there is nothing.

    """

    what: str
    value: int
    url: str
    remark: str = ""


LAMBDA, S3, SQS = (
    "https://docs.aws.amazon.com/lambda/latest/dg/",
    "https://docs.aws.amazon.com/AmazonS3/latest/userguide/",
    "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/",
)

CONCURRENCY = Known(
    "Lambda: environments at once, of an account in a region",
    1_000,
    f"{LAMBDA}gettingstarted-limits.html",
    "tens of thousands on request; a new account has fewer",
)
UNRESERVED = Known(
    "Lambda: of these, those that no function may reserve",
    100,
    "https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionConcurrency.html",
)
STEP = Known(
    "Lambda: environments that a function gains in 10 s",
    1_000,
    f"{LAMBDA}scaling-behavior.html",
    "each function by itself",
)
SYNCHRONOUS = Known(
    "Lambda: synchronous invocations a second of an environment",
    10,
    f"{LAMBDA}gettingstarted-limits.html",
    "asynchronous ones have no limit but the environments",
)
EVENT_AGE = Known(
    "Lambda: seconds that an asynchronous event waits at most",
    21_600,
    f"{LAMBDA}invocation-async-error-handling.html",
    "throttled, it is tried again after 1 s, later after up to 5 min; long queues are read slowly, and may lose some",
)
GETS = Known(
    "S3: GET and HEAD a second of a partitioned prefix",
    5_500,
    f"{S3}optimizing-performance.html",
    "at least; S3 divides prefixes by itself where the load stays, and answers 503 meanwhile",
)
PUTS = Known(
    "S3: PUT and DELETE a second of a partitioned prefix", 3_500, f"{S3}optimizing-performance.html", "at least"
)
ANSWER = Known(
    "S3: milliseconds until it answers, at most", 200, f"{S3}optimizing-performance.html", "roughly 100 to 200"
)
LIST_KEYS = Known(
    "S3: keys of a listing's page",
    1_000,
    "https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html",
)
INVENTORY_HOURS = Known("S3: hours until the first Inventory, at most", 48, f"{S3}configure-inventory.html")
JOB_OBJECTS = Known(
    "S3 Batch Operations: objects of a job that invokes a function",
    20_000_000_000,
    f"{S3}batch-ops.html",
)
MAPPING = Known(
    "Lambda: invocations at once by a mapping of an SQS queue",
    1_250,
    f"{LAMBDA}services-sqs-scaling.html",
    "`maximum_concurrency` is 2 to 1,000; more on request, or in provisioned mode",
)
MAPPING_STEP = Known("Lambda: such invocations gained in a minute", 300, f"{LAMBDA}services-sqs-scaling.html", "from 5")
IN_FLIGHT = Known(
    "SQS: messages of a queue that are received and not deleted, about",
    120_000,
    f"{SQS}quotas-queues.html",
    "what waits has no limit",
)
RETENTION = Known("SQS: seconds that it keeps a message at most", 1_209_600, f"{SQS}quotas-messages.html")
EVENTBRIDGE = Known(
    "EventBridge: invocations a second",
    18_750,
    "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html",
    "1,100 in most regions; what is more is delayed, not lost",
)
PUT_LOGS = Known(
    "CloudWatch Logs: PutLogEvents a second",
    5_000,
    "https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html",
    "more on request",
)
KMS = Known(
    "KMS: requests a second with symmetric keys",
    100_000,
    "https://docs.aws.amazon.com/kms/latest/developerguide/requests-per-second.html",
    "10,000 in most regions; more on request",
)
BUCKET_KEY_PERCENT = Known(
    "KMS: percent of its requests that a bucket key saves, at most",
    99,
    f"{S3}bucket-key.html",
    "the buckets of this module have it where they have a key",
)

ALL = tuple(one for one in tuple(globals().values()) if isinstance(one, Known))
"""In their order here."""
