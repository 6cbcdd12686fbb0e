"""The README's badges, support matrix and costs agree with the module, the build and docs/cost.md."""

import re

from tools.build.target import AWS_PYTHONS, PROVIDERS
from tools.common.paths import ROOT

README = (ROOT / "README.md").read_text()
MODULE = "\n".join(path.read_text() for path in (ROOT / "terraform").glob("*.tf"))
FUNCTION_MODULE = (ROOT / "terraform" / "modules" / "function" / "main.tf").read_text().replace("\\", "")
SUPPORT = dict(re.findall(r"^\| ([^|]+?) \| ([^|]+?) \|", README.partition("## Support")[2], re.MULTILINE))


def test_terraform_and_provider_match_the_modules_requirements() -> None:
    terraform = re.search(r'required_version = ">= ([\d.]+)"', MODULE)
    provider = re.search(r'version = ">= ([\d.]+), < (\d+)"', MODULE)
    assert terraform
    assert provider
    assert f"badge/Terraform-{terraform[1]}%2B-" in README
    assert SUPPORT["Terraform"].startswith(f"{terraform[1]} or newer; tests use ")
    assert SUPPORT["provider `hashicorp/aws`"].startswith(f"{provider[1]} or newer, below {provider[2]};")


def test_runtimes_match_the_builds_targets() -> None:
    runtimes = [f"python{version}" for version, obstacle in AWS_PYTHONS.items() if not obstacle]
    supported = [runtime for runtime in runtimes if runtime.removeprefix("python") not in PROVIDERS]
    assert f"badge/Lambda-{'_%7C_'.join(supported)}-" in README
    assert re.findall(r"`(python[\d.]+)`", SUPPORT["Lambda runtimes"]) == supported
    for version, provider in PROVIDERS.items():
        assert f"`python{version}`, which needs provider {provider} or newer" in README
        assert f'">= {provider}"' in FUNCTION_MODULE


def test_costs_match_the_cost_document() -> None:
    document = (ROOT / "docs" / "cost.md").read_text()
    monitoring = re.findall(r"^\| `monitoring.* \| \+([\d.]+) \|$", document, re.MULTILINE)
    total = re.search(r"^\| total \| ([\d.]+) \|(?:[^|]*\|){2} ([\d.]+) \|", document, re.MULTILINE)
    assert len(monitoring) == 3
    assert total
    text = " ".join(README.split())
    ours, usual = (f"{float(dollars):.0f}" for dollars in total.groups())
    assert f"about US$ {ours} for a million" in text
    assert f"add about US$ {sum(map(float, monitoring)):.0f} a month" in text
    assert f"cost US$ {ours} at list prices" in text
    assert f"with the usual handler they cost {usual}." in text
