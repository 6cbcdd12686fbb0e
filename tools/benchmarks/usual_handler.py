"""The usual handler, as in AWS's tutorial on thumbnails; the benchmark deploys it beside this function."""

import os
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import boto3
from PIL import Image

s3 = boto3.client("s3")


def handler(event: Any, _: Any) -> None:
    """Resize each upload of an event."""
    for record in event["Records"]:
        key = unquote_plus(record["s3"]["object"]["key"])
        with tempfile.TemporaryDirectory() as folder:
            source, output = (Path(folder) / f"{name}-{Path(key).name}" for name in ("source", "output"))
            s3.download_file(record["s3"]["bucket"]["name"], key, str(source))
            with Image.open(source) as image:
                image.thumbnail((image.width / 2, image.height / 2))
                image.save(output)
            s3.upload_file(str(output), os.environ["DESTINATION_BUCKET"], f"resized-{key}")
