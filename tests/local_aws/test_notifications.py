"""S3's notifications: what they say, when they come, and who may receive them."""

import io
import json
from pathlib import Path
from typing import Any

from tests.local_aws.conftest import Account, awaited
from tools.local_aws import start, stop

ECHO = "import json\ndef handler(event, context):\n    print('EVENT', json.dumps(event))\n"


def events(account: Account, function: str, count: int = 1) -> list[dict[str, Any]]:
    """Await so many events in the function's log."""

    def ask() -> list[dict[str, Any]] | None:
        found = [line.removeprefix("EVENT ") for line in account.log(function) if line.startswith("EVENT ")]
        return [json.loads(line)["Records"][0] for line in found] if len(found) >= count else None

    return awaited(ask)


def test_an_upload_is_told_as_s3_tells_it(account: Account) -> None:
    function = account.function(ECHO)
    bucket = account.bucket(function)
    put = account.client("s3").put_object(Bucket=bucket, Key="a/b c+d%é.jpg", Body=b"12345")
    (record,) = events(account, function)
    assert record["eventVersion"] == "2.1"
    assert record["eventName"] == "ObjectCreated:Put"
    assert record["s3"]["bucket"]["arn"] == f"arn:aws:s3:::{bucket}"
    described = record["s3"]["object"]
    assert described["key"] == "a/b+c%2Bd%25%C3%A9.jpg"
    assert (described["size"], described["versionId"]) == (5, put["VersionId"])
    assert int(described["sequencer"], 16)
    assert {"userIdentity", "requestParameters", "responseElements"} <= record.keys()


def test_a_multipart_upload_is_told_once(account: Account) -> None:
    function = account.function(ECHO)
    bucket = account.bucket(function)
    account.client("s3").upload_fileobj(io.BytesIO(bytes(20 << 20)), bucket, "large")
    account.client("s3").put_object(Bucket=bucket, Key="after")
    names = [(one["s3"]["object"]["key"], one["eventName"]) for one in events(account, function, 2)]
    assert sorted(names) == [("after", "ObjectCreated:Put"), ("large", "ObjectCreated:CompleteMultipartUpload")]


def test_without_permission_nothing_is_delivered_and_the_server_says_so(tmp_path: Path) -> None:
    log = tmp_path / "log"
    aws = start(log_file=log)
    account = Account(aws)
    function = account.function(ECHO)
    unpermitted = [
        account.bucket(function, permit=False),
        account.bucket(function, SourceArn="arn:aws:s3:::another"),
        account.bucket(function, SourceAccount="210987654321"),
        account.bucket(function, Principal="sns.amazonaws.com"),
        account.bucket(function, Action="lambda:GetFunction"),
    ]
    for bucket in unpermitted:
        account.client("s3").put_object(Bucket=bucket, Key="refused")
    permitted = [account.bucket(function), account.bucket(function, SourceArn="arn:aws:s3:::buck*")]
    for bucket in permitted:
        account.client("s3").put_object(Bucket=bucket, Key="told")
    assert {record["s3"]["bucket"]["name"] for record in events(account, function, 2)} == set(permitted)
    stop(aws.pid)
    for bucket in unpermitted:
        assert f"arn:aws:s3:::{bucket} may not invoke" in log.read_text()
