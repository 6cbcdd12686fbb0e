"""How the figures of a page came about, in words for its reader."""

from aws.settings import Settings
from tools.common.pricing import PRICES_AS_KNOWN_ON, REGION, SLOWNESS
from tools.preview.cost import ARCHITECTURE, MOST_RUNS

NO_LIKENESS = "This page does not compare pixels: `invoke preview` measures SSIM and PSNR."

CPU = (
    f"CPU is the median of up to {MOST_RUNS} runs on this machine, of the variant alone; all renditions at once take "
    "less than their sum, for the photo is decoded once. A tenth more or less means nothing."
)

RENDER = (
    "The times are the function's own, from its log: it ran once, on a local AWS on this machine. Render is the time "
    "to decode, resize, encode and prove."
)

BYTES = "Outputs are here byte for byte, where nothing else is said; a scaled source never is an output."


def million(settings: Settings) -> str:
    """What a million costs, and what that rests on."""
    memory = settings.limits.memory_bytes >> 20
    speed = "as fast as" if SLOWNESS == 1 else f"{SLOWNESS:g} times as slow as"
    return (
        f"A million: what Lambda on {ARCHITECTURE} with {memory:,} MiB and the requests to S3 cost for a million such "
        f"photos, by list prices of {REGION} as known on {PRICES_AS_KNOWN_ON}, its processor being taken to be {speed} "
        "this one. docs/benchmarks.md says what else is taken as given. To keep a million: in S3 Standard, for a month."
    )
