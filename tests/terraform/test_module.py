"""The module: its own tests (``terraform test``), the order of its resources, and the messages of its validations."""

import json
import os
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from aws.settings import EVENT_TARGETS
from tests import hcl
from tests.terraform.modules import MODULES
from tools.common.errors import ToolError
from tools.common.paths import TERRAFORM
from tools.common.terraform import Terraform

ROOT, FUNCTION, BUCKET, NOTIFICATION, MONITORING = "", "function", "bucket", "notification", "monitoring"

SETTINGS = {
    ROOT: {
        "source_bucket": '"src-bucket-image-in"',
        "destination_bucket": '"dest-bucket-image-out"',
        "package": '{ path = "./tests/package/function.zip" }',
    },
    FUNCTION: {
        "source_bucket": '{ name = "src-bucket-image-in" }',
        "destination_bucket": '{ name = "dest-bucket-image-out" }',
        "package": '{ path = "./tests/package/function.zip" }',
    },
    BUCKET: {"name": '"bucket"'},
    NOTIFICATION: {"bucket": '"bucket"'},
    MONITORING: {
        "function_name": '"Lambda-image"',
        "log_group_name": '"/aws/lambda/Lambda-image"',
        "failure_queue_name": '"Lambda-image-failures"',
        "architecture": '"arm64"',
        "memory_size": "1769",
        "timeout": "120",
    },
}
"""The required settings of the root module and of those in ``modules/``."""

ZIP = 'path = "./tests/package/function.zip"'
IN_S3 = 's3 = { bucket = "artifacts", key = "function.zip" }'
SHA256, PYTHON, ARM64 = f'sha256 = "{43 * "e"}="', 'runtime = "python3.13"', 'architecture = "arm64"'
DESCRIPTION = f"{SHA256}, {PYTHON}, {ARM64}"
X86_64_KEY = f"a/image-resize-python3.13-x86_64-{64 * 'e'}.zip"
KEY = "arn:aws:kms:eu-west-2:123456789012"
BUS, TOPIC = "arn:aws:events:eu-west-2:123456789012:event-bus", "arn:aws:sns:eu-west-2:123456789012:media"
SECRETS = "arn:aws:secretsmanager:eu-west-2:123456789012:secret"
CHAIN = '"-----BEGIN CERTIFICATE-----\\nMIIB\\n-----END CERTIFICATE-----\\n"'
SIGNING = "arn:aws:lambda:eu-west-2:123456789012:code-signing-config:csc-0f6c334abcdea4d8b"
LAYER = "arn:aws:lambda:eu-west-2:123456789012:layer:otel"
ROLE = "arn:aws:iam::123456789012:role/resize"

KEY_ARN = "must be the ARN of a key, arn:aws:kms:REGION:ACCOUNT:key/ID, not of an alias: IAM policies identify a key by"
ALL_THREE = "package.s3 needs package.sha256, package.runtime and package.architecture: paste what"


def statement(
    others: str = "", *, sid: str = "A", principals: str = '{ Service = ["a.com"] }', actions: str = '["s3:GetObject"]'
) -> str:
    """Return one of ``policy_statements``."""
    return f'{{ sid = "{sid}", principals = {principals}, actions = {actions}, {others} }}'


def transition(days: str, storage_class: str, others: str = "") -> str:
    """Return one of ``lifecycle_rules``."""
    return f'{{ id = "a", transitions = [{{ days = {days}, storage_class = "{storage_class}" }}], {others} }}'


REFUSED: dict[str, list[tuple[str, str, list[str]]]] = {
    ROOT: [
        ("destination_bucket", "itself be an upload to resize, in an endless and costly", ['"src-bucket-image-in"']),
        (
            "log_group",
            "has no metric filters, which monitoring needs: use STANDARD",
            ['{ class = "INFREQUENT_ACCESS" }'],
        ),
        (
            "log_levels",
            "The level WARN hides lines that monitoring counts, so its alarms would be",
            ['{ application = "WARN" }', '{ system = "WARN" }'],
        ),
    ],
    BUCKET: [
        ("name", "3 to 63 lower-case letters, digits, dots and hyphens", ['"ab"', f'"{64 * "a"}"', '"a-bucket."']),
        ("name", 'and begin and end with a letter or digit: change "UPPER".', ['"UPPER"']),
        ("name", "not have two dots in a row or be an IP address: use", ['"a..bucket"', '"192.168.0.1"']),
        (
            "name",
            "begins or ends with a string that S3 reserves",
            ['"xn--bucket"', '"a-bucket--x-s3"', '"a-123456789012-eu-west-2-an"'],
        ),
        ("kms_key_arn", f"kms_key_arn {KEY_ARN}", ['"alias/a"']),
        *(
            ("policy_statements", message, [f"[{one}]" for one in wrong])
            for message, wrong in (
                (
                    'must be letters and digits, such as "CloudFrontMayRead"',
                    (statement(sid="May read"), statement(sid="")),
                ),
                ('"OnlyOverTls" is the module\'s own: rename one of OnlyOverTls.', (statement(sid="OnlyOverTls"),)),
                ("must be unique, and", (f"{statement()}, {statement()}",)),
                ("Each effect in policy_statements must be Allow or Deny.", (statement('effect = "allow"'),)),
                (
                    "must have the keys AWS, Service, Federated or CanonicalUser",
                    (statement(principals='{ "*" = ["*"] }'), statement(principals="{}")),
                ),
                (
                    'needs actions that begin with "s3:", such as "s3:GetObject".',
                    (statement(actions='["GetObject"]'), statement(actions="[]")),
                ),
                (
                    "must begin with a slash or be empty: it is added to the bucket's",
                    (statement('resources = ["arn:aws:s3:::bucket/*"]'), statement("resources = []")),
                ),
                ("allows everyone, which the bucket's public access", (statement(principals='{ AWS = ["*"] }'),)),
            )
        ),
        *(
            ("lifecycle_rules", message, [f"[{one}]" for one in wrong])
            for message, wrong in (
                (
                    'must be unique, and "tidy" is the module\'s own rule: rename one of',
                    (
                        '{ id = "tidy", expiration_days = 1 }',
                        '{ id = "a", expiration_days = 1 }, { id = "a", expiration_days = 2 }',
                    ),
                ),
                ("Each of lifecycle_rules needs expiration_days or transitions.", ('{ id = "a" }',)),
                (
                    "expiration_days must be a whole number from 1, and the days of each transition",
                    (
                        '{ id = "a", expiration_days = 0 }',
                        '{ id = "a", expiration_days = 1.5 }',
                        transition("-1", "GLACIER"),
                        transition("0.5", "GLACIER"),
                        transition("9", "GLACIER", "expiration_days = 9"),
                    ),
                ),
                (
                    "must be STANDARD_IA or ONEZONE_IA, both after at least 30 days",
                    (transition("29", "STANDARD_IA"), transition("29", "ONEZONE_IA"), transition("30", "STANDARD")),
                ),
            )
        ),
        *(
            ("cors_rules", message, [f"[{{ allowed_origins = {origins}, allowed_methods = {methods} }}]"])
            for message, origins, methods in (
                ("out of GET, HEAD, PUT, POST and DELETE; S3", '["*"]', '["OPTIONS"]'),
                ("out of GET, HEAD, PUT, POST and DELETE; S3", '["*"]', "[]"),
                ('needs allowed_origins, such as "https://www.example.com".', "[]", '["GET"]'),
            )
        ),
    ],
    FUNCTION: [
        ("name", "name must be 1 to 59 letters, digits", ['""', '"has spaces"', f'"{60 * "a"}"']),
        ("package", "package must set either path, the zip", ["{}", f"{{ {ZIP}, {IN_S3}, {DESCRIPTION} }}"]),
        ("package", "package.path must end in .zip: give the path", ['{ path = "./tests/package/function.json" }']),
        ("package", ALL_THREE, [f"{{ {IN_S3}, {PYTHON}, {ARM64} }}", f"{{ {IN_S3}, {SHA256}, {ARM64} }}"]),
        ("package", ALL_THREE, [f"{{ {IN_S3}, {SHA256}, {PYTHON} }}", f"{{ {ZIP}, {PYTHON} }}"]),
        (
            "package",
            "package.sha256 must be the zip's SHA-256 in base64, 44 characters",
            [f'{{ {IN_S3}, sha256 = "{64 * "e"}", {PYTHON}, {ARM64} }}'],
        ),
        (
            "package",
            "package.runtime must be python3.12, python3.13 or python3.14",
            [f'{{ {IN_S3}, {SHA256}, runtime = "python3.11", {ARM64} }}'],
        ),
        (
            "package",
            "package.architecture must be arm64 or x86_64.",
            [f'{{ {IN_S3}, {SHA256}, {PYTHON}, architecture = "aarch64" }}'],
        ),
        (
            "package",
            "package.s3.bucket must be the bucket's name alone, without s3://, and package.s3.key the",
            [
                f'{{ s3 = {{ bucket = "s3://artifacts", key = "a.zip" }}, {DESCRIPTION} }}',
                f'{{ s3 = {{ bucket = "artifacts", key = "/a.zip" }}, {DESCRIPTION} }}',
            ],
        ),
        (
            "package",
            "package.runtime and package.architecture must match package.s3.key: paste all",
            [f'{{ s3 = {{ bucket = "artifacts", key = "{X86_64_KEY}" }}, {DESCRIPTION} }}'],
        ),
        (
            "alias",
            "alias.name must be 1 to 128 letters, digits, hyphens and underscores, and not only",
            ['{ name = "12" }', '{ name = "a b" }', '{ name = "" }', "{ name = null }"],
        ),
        (
            "alias",
            "alias.version must be the number of a published version, such as",
            ['{ name = "live", version = "$LATEST" }', '{ name = "live", version = "01" }'],
        ),
        (
            "alias",
            "alias.weights must have at most one entry, the number of a version and its share",
            [
                f'{{ name = "live", weights = {{ {weights} }} }}'
                for weights in ('"12" = 0.1, "13" = 0.1', '"12" = 1.1', '"12" = -0.1', '"$LATEST" = 0.1', '"12" = null')
            ],
        ),
        ("trigger", "trigger must be s3, eventbridge or both.", ['"sns"']),
        (
            "filters",
            "filters must be 1 to 100 objects, S3's limit for a bucket: leave it out",
            ["[]", "[null]", '[for i in range(101) : { prefix = format("%03d/", i) }]'],
        ),
        ("filters", 'is literal, and "*" is no wildcard: suffix = ".jpg" matches', ['[{ suffix = "*.jpg" }]']),
        ("source_bucket", "source_bucket.name must be the bucket's name alone", ['{ name = "arn:aws:s3:::in" }']),
        ("destination_bucket", "destination_bucket.name must be the bucket's name", ['{ name = "s3://out" }']),
        ("source_bucket", "source_bucket.account_id must be the 12 digits", ['{ name = "one", account_id = "123" }']),
        *(
            (
                bucket,
                f"{bucket}.name must be a general purpose bucket",
                [
                    f'{{ name = "one{end}" }}'
                    for end in ("--use1-az4--x-s3", "-s3alias", "--ol-s3", ".mrap", "--table-s3")
                ],
            )
            for bucket in ("source_bucket", "destination_bucket")
        ),
        *(
            (bucket, message, [f'{{ name = "one", {option} = "{value}" }}' for value in values])
            for bucket in ("source_bucket", "destination_bucket")
            for option, message, values in (
                (
                    "prefix",
                    f"{bucket}.prefix must be a folder, such as",
                    ("uploads", "/uploads/", "/", "up*/", "{dir}/", r"a\n/", "фото/"),
                ),
                (
                    "kms_key_arn",
                    f"{bucket}.kms_key_arn {KEY_ARN}",
                    (f"{KEY}:alias/a", f"{KEY}:key/*", "arn:aws:kms:*:123456789012:key/a"),
                ),
            )
        ),
        (
            "kms_key_arns",
            f"Each of kms_key_arns {KEY_ARN}",
            ['{ queues = "alias/a" }', f'{{ queues = "{KEY}:key/" }}', f'{{ queues = "{KEY}:key/*" }}'],
        ),
        (
            "kms_key_arns",
            "Set the buckets' keys in source_bucket.kms_key_arn and destination_bucket.kms_key_arn",
            [f'{{ source_bucket = "{KEY}:key/a" }}'],
        ),
        (
            "role",
            "role.arn must be set if role.create is false, and only then",
            ["{ create = false }", f'{{ arn = "{ROLE}" }}'],
        ),
        (
            "role",
            "role.arn must be the ARN of a role, arn:aws:iam::ACCOUNT:role/NAME.",
            ['{ create = false, arn = "resize" }'],
        ),
        ("role", 'role.path must begin and end with a slash, such as "/images/".', ['{ path = "images" }']),
        (
            "role",
            "role.permissions_boundary_arn must be the ARN of a policy, arn:aws:iam::ACCOUNT:policy/NAME.",
            [
                '{ permissions_boundary_arn = "b" }',
                '{ permissions_boundary_arn = "arn:aws:iam::123456789012:policy/*" }',
            ],
        ),
        *(
            ("function", f"function.{option} must be {range_}", [f"{{ {option} = {value} }}" for value in values])
            for option, range_, values in (
                ("memory_size", "a whole number of MiB from 256, the least that an image", ("255", "10241", "1024.5")),
                ("timeout", "a whole number of seconds from 1 to 900", ("0", "901", "60.5")),
                ("ephemeral_storage_size", "a whole number of MiB from 512 to 10240", ("511", "10241", "512.5")),
                ("reserved_concurrent_executions", "a whole number from 0, which stops", ("-1", "0.5")),
            )
        ),
        (
            "function",
            'function.vpc must have 1 to 16 subnet_ids, such as "subnet-0a1b", and 1 to 5 security_group_ids',
            [
                f"{{ vpc = {{ subnet_ids = {subnets}, security_group_ids = {groups} }} }}"
                for subnets, groups in (
                    ("[]", '["sg-1"]'),
                    ('["subnet-1"]', "[]"),
                    ('["sg-1"]', '["sg-1"]'),
                    ('["subnet-1"]', '["subnet-1"]'),
                )
            ],
        ),
        *(
            ("function", message, [f"{{ {option} = {value} }}" for value in values])
            for option, message, values in (
                (
                    "environment_variables",
                    "Each name in function.environment_variables must be a letter and then letters,",
                    ('{ "1A" = "" }', '{ A = "" }', '{ AWS_REGION = "" }', "{ ONE = null }"),
                ),
                (
                    "layers",
                    "function.layers must be at most 5 ARNs of layer versions, arn:aws:lambda:REGION",
                    (f'["{LAYER}"]', f'[for i in range(6) : "{LAYER}:1"]'),
                ),
                (
                    "code_signing_config_arn",
                    "function.code_signing_config_arn must be the ARN of a code signing configuration",
                    ('"csc-0f6c334abcdea4d8b"',),
                ),
            )
        ),
        ("log_group", "log_group.name must be the log group's name, not its ARN", ['{ name = "arn:aws:logs:a" }']),
        ("log_group", "log_group.class must be STANDARD or INFREQUENT_ACCESS.", ['{ class = "DELIVERY" }']),
        (
            "log_group",
            "With log_group.create = false, leave out log_group.class: the log group's owner",
            ['{ create = false, class = "STANDARD" }'],
        ),
        (
            "log_levels",
            "log_levels.application and log_levels.system must be INFO or WARN.",
            ['{ application = "DEBUG" }', '{ system = "ERROR" }'],
        ),
        ("metadata", "metadata must be none, copyright or all.", ['"some"']),
        ("max_pixels", "max_pixels must be a whole number from 1", ["0"]),
        *(
            ("content_credentials", f"content_credentials{message}", [f"{{ {value} }}" for value in values])
            for message, values in (
                (
                    " must set either kms_key_arn with certificate_chain, or secret_arn.",
                    ("", f'kms_key_arn = "{KEY}:key/a", certificate_chain = {CHAIN}, secret_arn = "{SECRETS}:a"'),
                ),
                (
                    ".certificate_chain belongs to kms_key_arn: set both, or neither.",
                    (f'kms_key_arn = "{KEY}:key/a"', f'secret_arn = "{SECRETS}:a", certificate_chain = {CHAIN}'),
                ),
                (
                    f".kms_key_arn {KEY_ARN}",
                    tuple(f'kms_key_arn = "{arn}", certificate_chain = {CHAIN}' for arn in ("alias/a", f"{KEY}:key/*")),
                ),
                (
                    '.certificate_chain must be certificates in PEM, the key\'s own first, such as file("chain.pem").',
                    tuple(f'kms_key_arn = "{KEY}:key/a", certificate_chain = "{text}"' for text in ("", "chain.pem")),
                ),
                (
                    ".secret_arn must be the ARN of a secret, arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME.",
                    ('secret_arn = "signer"', f'secret_arn = "{SECRETS}:*"'),
                ),
            )
        ),
        (
            "events",
            "events must set either eventbridge_bus_arn or sns_topic_arn.",
            ["{}", f'{{ eventbridge_bus_arn = "{BUS}/media", sns_topic_arn = "{TOPIC}" }}'],
        ),
        *(
            # The function refuses the same values with the same message.
            (
                "events",
                f"events.{option} must be {EVENT_TARGETS[option][1]}",
                [f'{{ {option} = "{arn}" }}' for arn in arns],
            )
            for option, arns in (
                ("eventbridge_bus_arn", ("media", f"{BUS}/*", f"{BUS}/aws.partner/example.com/media", TOPIC)),
                ("sns_topic_arn", (f"{TOPIC}.fifo", f"{TOPIC}:a", f"{BUS}/media")),
            )
        ),
        ("asynchronous", "asynchronous.maximum_retry_attempts must be 0, 1 or 2", ["{ maximum_retry_attempts = 3 }"]),
        (
            "asynchronous",
            "asynchronous.maximum_event_age_in_seconds must be a whole number from 60 to 21600 (6 hours)",
            [f"{{ maximum_event_age_in_seconds = {seconds} }}" for seconds in ("59", "21601", "60.5")],
        ),
        (
            "log_retention_days",
            "log_retention_days must be a number that CloudWatch Logs accepts: 0, 1, 3,",
            ["-1", "2", "30.5", "3654"],
        ),
        ("tags", 'No key in tags may begin with "aws:", which AWS reserves', ['{ "AWS:team" = "images" }']),
        (
            "tags",
            "Keys and values of tags must be letters, digits, spaces and _ . : / = + - @",
            ['{ team = "R&D" }', '{ "a,b" = "c" }', r'{ team = "a\nb" }'],
        ),
        ("tags", "tags must be at most 50, each with a key of 1 to 128 characters", ["{ team = null }"]),
        ("renditions", "renditions must have at least one entry, such as { resized = { scale = 0.5 } }.", ["{}"]),
        ("renditions", "Each rendition must be an object such as { scale = 0.5 }, not null.", ["{ a = null }"]),
        (
            "renditions",
            "Each name in renditions must be lower-case letters, digits and single hyphens",
            ['{ "Upper/Case" = { scale = 1 } }', "{ a- = { scale = 1 } }"],
        ),
        *(
            ("renditions", message, [f"{{ a = {{ {options} }} }}" for options in wrong])
            for message, wrong in (
                (
                    "Each rendition must set either scale, or width, height or both; widths",
                    ("", "scale = 1, width = 1", "scale = 1, widths = [1]"),
                ),
                (
                    "Each rendition may set width or widths, not both, and format or formats, not both.",
                    ("width = 1, widths = [1]", 'width = 1, format = "png", formats = ["png"]'),
                ),
                (
                    "Each widths in renditions must be different whole numbers of pixels from 1 to 65535,",
                    tuple(f"widths = {one}" for one in ("[]", "[0]", "[1.5]", "[65536]", "[2, 2]", "[null]")),
                ),
                (
                    "Each formats in renditions must be different ones of jpeg, png, webp and avif, such as",
                    tuple(f"width = 1, formats = {one}" for one in ("[]", '["gif"]', '["png", "png"]', "[null]")),
                ),
                (
                    "Each key of a rendition with widths or formats must contain {rendition}, such as",
                    (
                        'widths = [1], key = "{dir}{name}"',
                        'width = 1, formats = ["png"], key = "{dir}{name}"',
                    ),
                ),
                ("Each scale in renditions must be from 0.0001 to 1:", ("scale = 0.00009", "scale = 1.01")),
                (
                    "Each width and height in renditions must be a whole number of pixels from 1 to 65535",
                    ("width = 0", "width = 1.5", "width = 65536", "height = 0"),
                ),
                (
                    'Each fit in renditions must be "inside", or "cover" or "contain" with both width and height.',
                    ('width = 1, fit = "fill"', 'width = 1, fit = "cover"', 'height = 1, fit = "contain"'),
                ),
                (
                    'Each focus in renditions must be "center", "entropy" or "metadata".',
                    ('width = 1, height = 1, fit = "cover", focus = "face"', 'width = 1, focus = ""'),
                ),
                (
                    'Each rendition with a focus other than "center" must set fit to "cover"',
                    ('width = 1, focus = "entropy"', 'width = 1, height = 1, fit = "contain", focus = "metadata"'),
                ),
                (
                    "Each format in renditions must be jpeg, png, webp or avif, or null for the source's format.",
                    ('width = 1, format = "gif"', 'width = 1, format = ""'),
                ),
                (
                    "Each quality in renditions must be a whole number from 1 to 100",
                    ("width = 1, quality = 0", "width = 1, quality = 101"),
                ),
                (
                    "Each ssimulacra2 in renditions must be a number from 30 to 90",
                    ("width = 1, ssimulacra2 = 29.9", "width = 1, ssimulacra2 = 90.1"),
                ),
                (
                    "Each rendition may set quality or ssimulacra2, not both.",
                    ("width = 1, quality = 80, ssimulacra2 = 70",),
                ),
                (
                    'Each hdr in renditions must be "keep" or "drop", or null for "keep".',
                    ('width = 1, hdr = "on"', 'width = 1, hdr = ""'),
                ),
                ("Each background in renditions must be a colour such as", ('width = 1, background = "red"',)),
                ("Each cache_control in renditions must be printable ASCII", ('width = 1, cache_control = "é"',)),
                (
                    "Each storage_class in renditions must be STANDARD, STANDARD_IA,",
                    ('width = 1, storage_class = "GLACIER"', 'width = 1, storage_class = ""'),
                ),
                (
                    "Each key in renditions must contain {dir} once and then {name} once",
                    tuple(
                        f'width = 1, key = "{key}"'
                        for key in ("{name}", "{dir}x", "{dir}{size}-{name}", "x{dir}{name}")
                    ),
                ),
            )
        ),
    ],
    MONITORING: [
        (
            "alarm_topic_arns",
            "must be at most 5 ARNs of standard SNS topics, arn:aws:sns:REGION",
            ['["arn:aws:sqs:eu-west-2:1:a"]', '[for i in range(6) : "arn:aws:sns:eu-west-2:123456789012:a${i}"]'],
        ),
        ("architecture", "architecture must be arm64 or x86_64: use the output", ['"aarch64"']),
        ("failure_queue_name", "failure_queue_name must be the queue's name, not its URL", ['"https://sqs/q"']),
        ("function_name", "function_name must be the function's name, not its ARN: use", ['"arn:aws:lambda:a"']),
        ("log_group_name", "log_group_name must be the log group's name, not its ARN: use", ['"arn:aws:logs:a"']),
        ("runbook", 'without spaces and without "#": each alarm adds its own heading.', ['""', '"runbook.md#top"']),
        ("undelivered_queue_name", "undelivered_queue_name must be the queue's name, not", ['""', '"arn:aws:sqs:a"']),
        ("thresholds", "thresholds.errors must be a whole number of failed invocations from 1.", ["{ errors = 0 }"]),
        (
            "thresholds",
            "thresholds.throttled_minutes must be a multiple of 5 from 5 to 1440: an",
            ["{ throttled_minutes = 7 }", "{ throttled_minutes = 1445 }"],
        ),
        ("thresholds", "timeout_percent must be above 0 and at most 100,", ["{ timeout_percent = 101 }"]),
        (
            "thresholds",
            "failure_age_hours must be a whole number of hours",
            [f"{{ failure_age_hours = {n} }}" for n in (0, 169)],
        ),
        ("thresholds", "rejected_percent must be above 0, where the alarm would", ["{ rejected_percent = 0 }"]),
        ("thresholds", "rejected_uploads must be a whole number of uploads", ["{ rejected_uploads = 0.5 }"]),
    ],
}
"""For each module: a variable, part of the message that refuses a value, and such values."""

TOGETHER: list[tuple[str, dict[str, str], str]] = [
    *(
        (FUNCTION, {"filters": filters}, f"A key could match two filters ({both}), which S3 rejects")
        for filters, both in (
            (
                '[{ prefix = "a/" }, { prefix = "b/" }, { prefix = "a/b/", suffix = ".jpg" }]',
                '{"prefix":"a/","suffix":""} and {"prefix":"a/b/","suffix":".jpg"}',
            ),
            (
                '[{ suffix = ".jpg" }, { prefix = "a/", suffix = "x.jpg" }]',
                '{"prefix":"","suffix":".jpg"} and {"prefix":"a/","suffix":"x.jpg"}',
            ),
            ('[{}, { prefix = "a/" }]', '{"prefix":"","suffix":""} and {"prefix":"a/","suffix":""}'),
        )
    ),
    (
        FUNCTION,
        {"alias": '{ name = "live", version = "12", weights = { "12" = 0.1 } }'},
        "alias.weights names version 12, which the alias already invokes: name another version there",
    ),
    *(
        (
            ROOT,
            {f"{bucket}_bucket_options": '{ logging = { target_bucket = "src-bucket-image-in" } }'},
            "must not be source_bucket: each log file would be an upload",
        )
        for bucket in ("source", "destination")
    ),
    (BUCKET, {"logging": '{ target_bucket = "bucket" }'}, "logging.target_bucket must differ from the bucket itself"),
    (
        NOTIFICATION,
        {
            "lambda_notification": '[for i in range(101) : { id = "${i}", lambda_function_arn = "a", '
            'events = ["s3:ObjectCreated:*"], filter_prefix = format("%03d/", i) }]'
        },
        "lambda_notification has 101 entries, and S3 allows 100 for a bucket",
    ),
    *(
        (FUNCTION, {"source_bucket": '{ name = "one", account_id = "210987654321" }', option: value}, message)
        for option, value, message in (
            ("trigger", '"eventbridge"', 'With source_bucket.account_id, trigger must be "s3"'),
            ("trigger", '"both"', 'With source_bucket.account_id, trigger must be "s3"'),
            ("batch_operations", "true", "With source_bucket.account_id, batch_operations must be false"),
        )
    ),
    *(
        (NOTIFICATION, {"lambda_notification": notifications}, "A key could match two of lambda_notification (a and b)")
        for notifications in (
            """[
              { id = "a", lambda_function_arn = "a", events = ["s3:ObjectCreated:Put"], filter_suffix = ".jpg" },
              { id = "b", lambda_function_arn = "b", events = ["s3:ObjectCreated:*"], filter_prefix = "b/" },
            ]""",
            """[
              { id = "a", lambda_function_arn = "a", events = ["s3:LifecycleExpiration:Delete"] },
              { id = "b", lambda_function_arn = "b", events = ["s3:ObjectCreated:*", "s3:LifecycleExpiration:*"] },
            ]""",
        )
    ),
    *(
        (
            FUNCTION,
            {
                "source_bucket": f'{{ name = "one", prefix = "{source}" }}',
                "destination_bucket": f'{{ name = "one", prefix = "{destination}" }}',
            }
            | others,
            f"in an endless and costly loop ({loop})",
        )
        for source, destination, others, loop in (
            ("", "", {}, 'resized writes under "" and uploads are resized under ""'),
            ("a/", "a/", {}, 'resized writes under "a/" and uploads are resized under "a/"'),
            ("a/", "a/b/", {}, 'resized writes under "a/b/" and uploads are resized under "a/"'),
            ("a/b/", "a/", {}, 'resized writes under "a/" and uploads are resized under "a/b/"'),
            (
                "",
                "resized/",
                {"filters": '[{ prefix = "uploads/" }, { prefix = "resi" }]'},
                'resized writes under "resized/" and uploads are resized under "resi"',
            ),
            (
                "uploads/",
                "",
                {
                    "renditions": '{ good = { scale = 1, key = "out/{dir}{name}" }, '
                    'bad = { scale = 0.5, key = "{dir}b-{name}" } }'
                },
                'bad writes under "" and uploads are resized under "uploads/"',
            ),
        )
    ),
    *(
        (
            FUNCTION,
            {
                "source_bucket": '{ name = "one" }',
                "destination_bucket": '{ name = "one" }',
                "filters": f'[{{ prefix = "{prefix}" }}]',
                "renditions": '{ thumb = { scale = 1, key = "t/{dir}{name}" } }',
                "batch_operations": "true",
            },
            f'of jobs under "batch-operations/Lambda-image/" would be uploads (resized under "{prefix}"): set',
        )
        for prefix in ("b", "batch-operations/Lambda-image/reports/")
    ),
    *(
        (FUNCTION, {"renditions": renditions}, f"Two renditions could write the same key ({both})")
        for renditions, both in (
            ("{ a = { scale = 1 }, a-b = { scale = 1 }, c = { scale = 1 } }", "a and a-b"),
            ('{ a = { scale = 1, key = "x/{dir}{name}" }, b = { scale = 1, key = "x/{dir}{name}" } }', "a and b"),
            ('{ a = { scale = 1, key = "x/{dir}t-{name}" }, b = { scale = 1, key = "{dir}t-{name}" } }', "a and b"),
            ('{ a = { scale = 1, key = "{dir}{stem}-{name}" }, b = { scale = 1 } }', "a and b"),
            ('{ a = { scale = 1, key = "{dir}t-x-{name}" }, b = { scale = 1, key = "{dir}t-{name}" } }', "a and b"),
        )
    ),
    (
        FUNCTION,
        {"placeholders": "true"},
        "placeholders needs manifest or events, which contain them: set either, or remove placeholders.",
    ),
    *(
        (
            FUNCTION,
            {"manifest": "true", "renditions": f'{{ a = {{ scale = 1 }}, b = {{ scale = 1, key = "{key}" }} }}'},
            "A rendition and the manifest could write the same key (b): set the rendition's format, or end its key in",
        )
        for key in (
            "{dir}b-{name}.json",
            "{dir}b-{name}-{ext}",
            "{dir}b-{name}.renditions.json",
            "{dir}b-{name}.prefix.renditions.json",
            "{dir}b.{name}",
            "{dir}b.x-{name}",
        )
    ),
    (
        FUNCTION,
        {
            "source_bucket": '{ name = "one", prefix = "uploads/" }',
            "destination_bucket": '{ name = "one" }',
            "manifest": "true",
            "renditions": '{ thumb = { scale = 1, key = "t/{dir}{name}" } }',
        },
        'the manifest writes under "" and uploads are resized under "uploads/"',
    ),
    (
        FUNCTION,
        {"renditions": '{ a = { widths = [2, 3] }, a-2 = { scale = 1, key = "b/{dir}{name}" } }'},
        "Two renditions have one name (a-2): widths and formats make NAME-WIDTH-FORMAT, so rename the rendition",
    ),
    (
        FUNCTION,
        {"renditions": "{ a = { widths = [2, 3] }, a-3-b = { scale = 1 } }"},
        "Two renditions could write the same key (a-3 and a-3-b)",
    ),
    (
        FUNCTION,
        {"renditions": '{ photo = { widths = range(100, 120), formats = ["avif", "webp"] } }'},
        "The function's settings, with 40 renditions, take ",
    ),
    (
        FUNCTION,
        {
            "renditions": '{ for i in range(34) : "r${i}x" => { width = 100, key = "{dir}${i}x-{rendition}-{name}" } }',
            "max_pixels": "1000000",
        },
        "bytes, and Lambda allows 4096 for all environment variables: use fewer renditions, shorter keys,",
    ),
    (
        FUNCTION,
        {"content_credentials": f'{{ secret_arn = "{SECRETS}:a" }}'},
        'content_credentials needs a package that can sign: run "invoke build --c2pa", or remove content_credentials.',
    ),
    (
        FUNCTION,
        {"log_group": "{ create = false }", "kms_key_arns": f'{{ log_group = "{KEY}:key/a" }}'},
        "With log_group.create = false, leave out kms_key_arns.log_group: the log group's",
    ),
    *(
        (
            FUNCTION,
            {"function": f'{{ environment_variables = {{ {name} = "" }} }}'},
            f"function.environment_variables must not set {name}: the module sets",
        )
        for name in ("MALLOC_ARENA_MAX", "FAILURE_QUEUE_URL", "MANIFEST", "MIRROR_DELETES")
    ),
    (
        FUNCTION,
        {"function": '{ environment_variables = { LONG = join("", [for i in range(400) : "0123456789"]) } }'},
        "bytes, and Lambda allows 4096 for all environment variables: use fewer renditions, shorter keys,",
    ),
    (
        FUNCTION,
        {
            "trigger": '"eventbridge"',
            "filters": '[for i in range(61) : { prefix = format("photos/%03d/", i), suffix = ".jpg" }]',
        },
        "characters, and EventBridge allows 2048: use fewer filters, or a wider prefix.",
    ),
    (
        FUNCTION,
        {"function": f'{{ code_signing_config_arn = "{SIGNING}" }}'},
        "function.code_signing_config_arn needs a zip that AWS Signer signed, which is in S3: set package.s3",
    ),
    (
        FUNCTION,
        {"package": f'{{ {IN_S3}, {SHA256}, runtime = "python3.14", {ARM64} }}'},
        'is for python3.14, which version 5 of the provider hashicorp/aws does not know: require ">= 6.21" and run',
    ),
    (MONITORING, {"dashboard": "true"}, "dashboard = true needs region: use the output region of modules/function."),
    (
        MONITORING,
        {"dashboard": "true", "metrics": "false"},
        "dashboard = true needs metrics = true: most of its widgets",
    ),
    *(
        (
            ROOT,
            {"package": package},
            f"No built function at {path}, or the manifest beside it belongs to another zip. In a clone, run",
        )
        for package, path in (
            ("{}", "./../dist/function.zip"),
            ('{ path = "./tests/none/function.zip" }', "./tests/none/function.zip"),
            *((f'{{ path = "./tests/wrong/{n}.zip" }}', f"./tests/wrong/{n}.zip") for n in range(3)),
        )
    ),
]
"""Settings that a plan refuses only in combination, or without a zip: a module, the settings, part of the message."""


@dataclass(frozen=True)
class Plan:
    """A module, its settings, and the messages that refuse some of them."""

    module: str
    settings: dict[str, str]
    messages: list[str]

    def test(self) -> str:
        """Return a Terraform test that plans the module."""
        source = f'module {{\n source = "./modules/{self.module}"\n }}' if self.module else ""
        lines = "\n".join(f"{name} = {value}" for name, value in (SETTINGS[self.module] | self.settings).items())
        return f"""
            mock_provider "aws" {{
              source = "./tests/mocks"
            }}
            run "plan" {{
              command = plan
              {source}
              variables {{
                {lines}
              }}
            }}
        """


def plans() -> list[Plan]:
    """Return as few plans as possible: one plan reports the errors of all its variables."""
    cases = [
        (module, name, value, message)
        for module, refused in REFUSED.items()
        for name, message, values in refused
        for value in values
    ]
    found: list[Plan] = []
    for module, name, value, message in cases:
        free = (one for one in found if one.module == module and name not in one.settings)
        plan = next(free, None)
        if plan is None:
            plan = Plan(module, {}, [])
            found.append(plan)
        plan.settings[name] = value
        plan.messages.append(message)
    return found + [Plan(module, settings, [message]) for module, settings, message in TOGETHER]


PLANS = plans()


@pytest.fixture(scope="module")
def refusals(module_copy: Path, provider: dict[str, str]) -> dict[str, str]:
    """Return all error messages of each plan, by its test file."""
    folder = module_copy / "tests" / "wrong"
    folder.mkdir()
    for number, manifest in enumerate(('{ "sha256": "of another file" }', "[]", "not JSON")):
        (folder / f"{number}.zip").write_text("a package")
        (folder / f"{number}.json").write_text(manifest)
    # One file per plan: Terraform skips the runs after a failed one in the same file.
    for number, plan in enumerate(PLANS):
        (folder / f"{number}.tftest.hcl").write_text(plan.test())
    terraform, options = Terraform(module_copy, environment=provider), ("-test-directory=tests/wrong",)
    lines: list[str] = []
    terraform.init(*options)
    with pytest.raises(ToolError):
        terraform.run("test", "-json", *options, show=lines.append)
    messages: dict[str, str] = defaultdict(str)
    for one in map(json.loads, lines):
        if "diagnostic" in one:
            messages[Path(one["@testfile"]).name] += " ".join(one["diagnostic"]["detail"].split())
    return messages


@pytest.mark.parametrize(
    ("number", "message"), [(number, message) for number, plan in enumerate(PLANS) for message in plan.messages]
)
def test_a_plan_refuses_a_wrong_setting_and_names_the_fix(refusals: dict[str, str], number: int, message: str) -> None:
    assert message in refusals[f"{number}.tftest.hcl"]


def find_messages(block: hcl.Block, text: str) -> Iterator[str]:
    """Yield the message of each condition in a block, as far as it is the same for every value."""
    for inner in block.blocks:
        if inner.kind in {"validation", "precondition"}:
            message = text[inner.arguments["error_message"]].strip('"')
            # Before the first or behind the last value in the message, whichever is longer.
            parts = [message.partition("${")[0], message.rpartition("}")[2] if "${" in message else ""]
            yield max(parts, key=len).replace(r"\"", '"')
        yield from find_messages(inner, text)


MESSAGES = [
    message
    for module in MODULES
    for path in sorted(module.glob("*.tf"))
    for message in find_messages(hcl.parse(path.read_text(), path.name), path.read_text())
]


@pytest.mark.parametrize("message", MESSAGES)
def test_every_message_of_a_refusal_has_a_case(refusals: dict[str, str], message: str) -> None:
    assert any(message in found for found in refusals.values())


def test_the_module_is_formatted_and_valid_without_a_package(module_copy: Path, provider: dict[str, str]) -> None:
    assert Terraform(TERRAFORM).run("fmt", "-check", "-diff", "-recursive") == ""
    assert "The configuration is valid." in Terraform(module_copy, environment=provider).run("validate")


def test_the_lock_file_matches_the_installed_provider(module_copy: Path) -> None:
    assert (module_copy / ".terraform.lock.hcl").read_bytes() == (TERRAFORM / ".terraform.lock.hcl").read_bytes()


@pytest.mark.parametrize("name", sorted(path.name for path in (TERRAFORM / "tests").glob("*.tftest.hcl")))
def test_the_modules_own_tests_pass(module_copy: Path, provider: dict[str, str], name: str) -> None:
    assert "0 failed." in Terraform(module_copy, environment=provider).run("test", f"-filter=tests/{name}")


@pytest.fixture(scope="module")
def needs(module_copy: Path, provider: dict[str, str]) -> dict[str, set[str]]:
    """Return, for each resource and output, what Terraform creates before it and destroys after it."""
    direct: dict[str, set[str]] = {}
    node = r'"\[root\] (?:module\.)?(.+?)(?: \(expand\))?"'
    graph = Terraform(module_copy, environment=provider).run("graph", "-type=apply")
    for later, earlier in re.findall(f"{node} -> {node}", graph):
        direct.setdefault(later, set()).add(earlier)

    @cache
    def find_earlier(node: str) -> set[str]:
        return {node}.union(*(find_earlier(earlier) for earlier in direct.get(node, ())))

    return {node: find_earlier(node) - {node} for node in direct}


@pytest.mark.parametrize(
    ("later", "earlier"),
    [
        # An invocation fails before its role has the policy, and cannot log before the log group exists.
        ("function.aws_lambda_function.this", "function.aws_iam_role_policy_attachment.this"),
        ("function.aws_lambda_function.this", "function.aws_cloudwatch_log_group.this"),
        # Events may arrive only once failed events have a destination. S3 tests the permission.
        ("function.aws_lambda_permission.source_bucket", "function.aws_lambda_function_event_invoke_config.this"),
        ("notification.aws_s3_bucket_notification.this", "function.aws_lambda_permission.source_bucket"),
        (
            "function.aws_lambda_permission.source_bucket_alias",
            "function.aws_lambda_function_event_invoke_config.alias",
        ),
        ("notification.aws_s3_bucket_notification.this", "function.aws_lambda_permission.source_bucket_alias"),
        ("function.aws_cloudwatch_event_target.function", "function.aws_lambda_permission.eventbridge_alias"),
        ("function.aws_cloudwatch_event_target.function", "function.aws_lambda_function_event_invoke_config.alias"),
        # A version with the wrong code never receives events.
        ("function.aws_lambda_alias.this", "function.data.aws_lambda_function.deployed"),
        # IAM and CloudWatch Logs reject a name that is taken. SQS would return another pipeline's queue.
        *(
            (f"function.{resource}", f"function.{unique}")
            for resource in ("aws_sqs_queue.failures", "aws_sqs_queue.undelivered", "aws_cloudwatch_event_rule.uploads")
            for unique in ("aws_iam_role.this", "aws_cloudwatch_log_group.this")
        ),
        ("function.aws_cloudwatch_event_target.function", "function.aws_lambda_permission.eventbridge"),
        ("function.aws_cloudwatch_event_target.function", "function.aws_lambda_function_event_invoke_config.this"),
        ("function.aws_cloudwatch_event_target.function", "function.aws_sqs_queue_policy.undelivered"),
        # CloudWatch would overwrite another pipeline's alarms and dashboard.
        ("monitoring.aws_cloudwatch_metric_alarm.this", "function.aws_iam_role.this"),
        ("monitoring.aws_cloudwatch_metric_alarm.rejected_rate", "function.aws_iam_role.this"),
        ("monitoring.aws_cloudwatch_dashboard.this", "function.aws_iam_role.this"),
        ("monitoring.aws_cloudwatch_log_metric_filter.this", "function.aws_cloudwatch_log_group.this"),
        # Nothing may write to a bucket that is still open, unencrypted or without versions.
        *(
            ("function.aws_lambda_function.this", f"{bucket}.aws_s3_bucket_{protection}.this")
            for bucket in ("source_bucket", "destination_bucket")
            for protection in (
                "ownership_controls",
                "policy",
                "public_access_block",
                "server_side_encryption_configuration",
                "versioning",
            )
        ),
        # An output is of use as soon as Terraform returns it.
        ("output.source_bucket_name", "notification.aws_s3_bucket_notification.this"),
        ("output.source_bucket_name", "function.aws_cloudwatch_event_target.function"),
        ("function.output.batch_operations_role_arn", "function.aws_iam_role_policy_attachment.jobs"),
        ("function.output.log_group_name", "function.aws_cloudwatch_log_group.this"),
        ("function.output.undelivered_queue_name", "function.aws_sqs_queue.undelivered"),
        # S3 rejects concurrent changes of a bucket's access, and rules for versions in a bucket without them.
        ("source_bucket.aws_s3_bucket_policy.this", "source_bucket.aws_s3_bucket_public_access_block.this"),
        ("source_bucket.aws_s3_bucket_lifecycle_configuration.this", "source_bucket.aws_s3_bucket_versioning.this"),
        # A destroy that fails half-way leaves no bucket that could be made public.
        *(
            (f"source_bucket.aws_s3_bucket_{setting}.this", "source_bucket.aws_s3_bucket_public_access_block.this")
            for setting in (
                "lifecycle_configuration",
                "ownership_controls",
                "server_side_encryption_configuration",
                "versioning",
            )
        ),
    ],
)
def test_resources_are_created_in_the_order_that_aws_needs(
    needs: dict[str, set[str]], later: str, earlier: str
) -> None:
    assert earlier in needs[later]


def test_the_module_configures_no_provider_and_no_backend() -> None:
    code = "\n".join(path.read_text() for path in TERRAFORM.rglob("*.tf") if ".terraform" not in path.parts)
    assert not re.search(r"^\s*(provider|backend|cloud)\s", code, re.MULTILINE)


@pytest.mark.parametrize(
    ("environment", "error"),
    [
        ({"AWS_REGION": "eu-west-2"}, "No valid credential sources found"),
        ({"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}, "invalid AWS Region"),
    ],
)
def test_the_readme_quotes_the_error_of_a_plan_without_credentials_or_region(
    module_copy: Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], error: str
) -> None:
    for name in (name for name in os.environ if name.startswith("AWS_")):
        monkeypatch.delenv(name)
    away = {"AWS_CONFIG_FILE": "/none", "AWS_SHARED_CREDENTIALS_FILE": "/none", "AWS_EC2_METADATA_DISABLED": "true"}
    options = [f"-var={name}={value}" for name, value in (("source_bucket", "a-in"), ("destination_bucket", "a-out"))]
    options.append('-var=package={ path = "./tests/package/function.zip" }')
    with pytest.raises(ToolError, match=error):
        Terraform(module_copy, environment=away | environment).run("plan", "-input=false", *options)
    assert f"`{error}`" in (TERRAFORM.parent / "README.md").read_text()
