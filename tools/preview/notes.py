"""Sentences for the page that say how its figures were measured."""

from aws.settings import Settings
from tools.common.pricing import PRICES_AS_KNOWN_ON, REGION, S3_PUT
from tools.preview.price import ARCHITECTURE, MOST_RUNS

NOT_MEASURED = (
    "This page has no score, PSNR or cost: `invoke preview` measures them. Here, the first uploads start the function, "
    "and all share this machine's processors."
)

CPU = (
    f"CPU is the median of up to {MOST_RUNS} runs of the variant alone on this machine, without the first "
    "run. All renditions together take less than the sum, because the photo is decoded once. Differences of a tenth "
    "are noise."
)

TIMELINE = "The times come from the function's log of one run on a local AWS on this machine."

BYTES = "The page holds outputs byte for byte unless it says otherwise. The scaled source is for comparison only."

UNSIGNED = (
    "The outputs here are not signed: the deployed function gives them Content Credentials, whose bytes and time "
    "docs/images.md states."
)

MANIFEST = (
    f"With `manifest`, each photo also has a manifest: one more request, US$ {1e6 * S3_PUT:.2f} a million, which the "
    "figures here leave out."
)


def explain_million(settings: Settings) -> str:
    """Explain the cost of a million and its assumptions."""
    memory = settings.limits.memory_bytes >> 20
    return (
        f"A million: the cost of a million such photos on Lambda, with {ARCHITECTURE} and {memory:,} MiB, and of their "
        f"requests to S3, at list prices of {REGION} as known on {PRICES_AS_KNOWN_ON}. Lambda's CPU is assumed to be "
        "as fast as this machine's. docs/cost.md lists the other assumptions. Storage is a month in S3 Standard."
    )
