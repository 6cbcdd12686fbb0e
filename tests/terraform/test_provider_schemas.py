"""The module and its examples use only arguments and attributes that versions 5 and 6 of the provider share."""

import io
import sys
import tarfile
from pathlib import Path

import pytest

from tools.common import npm
from tools.common.paths import TERRAFORM
from tools.dev import provider_schemas


def test_terraform_uses_what_both_versions_have() -> None:
    assert list(provider_schemas.find_objections()) == []


def test_the_table_is_of_the_locked_version() -> None:
    locked, newest = provider_schemas.VERSIONS
    assert f'version     = "{locked}"' in (TERRAFORM / ".terraform.lock.hcl").read_text()
    assert provider_schemas.TABLE.read_text().splitlines()[0] == f"name,{locked},{newest}"


CODE = """
data "aws_region" "current" {
  lifecycle {
    postcondition {
      condition     = self.name != ""
      error_message = "No name."
    }
  }
}
resource "aws_vpc" "this" {
  count = 1
  tags  = { region = data.aws_region.current.id }
  dynamic "rule" {
    for_each = [1]
    content {
      ports = aws_vpc.this[0].ports
    }
  }
}
"""

SCHEMA = {
    "provider_schemas": {
        "aws": {
            "data_source_schemas": {
                "aws_region": {
                    "block": {"attributes": {"id": {"type": "string"}, "name": {"type": "string", "deprecated": True}}}
                }
            },
            "resource_schemas": {
                "aws_vpc": {
                    "block": {
                        "attributes": {
                            "tags": {"type": ["map", "string"]},
                            "rule": {"type": ["set", ["object", {"ports": ["list", "number"]}]]},
                        }
                    }
                }
            },
        }
    }
}

REGION = """
class DataAwsRegion {
    static tfResourceType = "aws_region";
    // name - computed: true, optional: false, required: false
    get name() {
        return this.getStringAttribute('name');
    }
    synthesizeHclAttributes() {
            id: {
                value: cdktn.stringToHclTerraform(this._id),
                isBlock: false,
                type: "simple",
                storageClassType: "string",
            },
"""

VPC = """
function vpcRuleToHclTerraform(struct) {
        ports: {
            value: cdktn.listMapperHcl(cdktn.numberToHclTerraform, false)(struct.ports),
            isBlock: false,
            type: "set",
            storageClassType: "numberList",
        },
}
class Vpc {
    static tfResourceType = "aws_vpc";
    // ports - computed: true, optional: false, required: false
    get ports() {
        return cdktn.Fn.tolist(this.getListAttribute('ports'));
    }
    synthesizeHclAttributes() {
            rule: {
                value: cdktn.listMapperHcl(vpcRuleToHclTerraform, true)(this._rule.internalValue),
                isBlock: true,
                type: "list",
                storageClassType: "VpcRuleList",
            },
"""


def test_the_task_writes_each_use_and_its_kinds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Terraform and npm are stand-ins; the code around them is real."""
    archive = tmp_path / "bindings.tgz"
    with tarfile.open(archive, "w:gz") as packed:
        for name, text in (("data-aws-region", REGION), ("vpc", VPC)):
            member = tarfile.TarInfo(f"package/lib/{name}/index.js")
            member.size = len(text)
            packed.addfile(member, io.BytesIO(text.encode()))
    terraform = tmp_path / "terraform"
    answers = {"version": {"terraform_version": "1.11.4"}, "providers": SCHEMA, "init": {}}
    terraform.write_text(f"#!{sys.executable}\nimport json, sys\nprint(json.dumps({answers!r}[sys.argv[1]]))\n")
    terraform.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(npm, "fetch", lambda *_: archive)
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "main.tf").write_text(CODE)
    monkeypatch.setattr(provider_schemas, "TERRAFORM", tmp_path / "code")
    monkeypatch.setattr(provider_schemas, "TABLE", tmp_path / "table.csv")
    assert provider_schemas.write().read_text().splitlines() == [
        "name,5.100.0,6.66.0",
        "aws_vpc.ports,missing,set",
        "aws_vpc.rule,block,block",
        "aws_vpc.rule.ports,list,set",
        "aws_vpc.tags,map,missing",
        "data.aws_region.id,string,deprecated string",
        "data.aws_region.name,deprecated string,deprecated string",
    ]


@pytest.mark.parametrize(
    ("code", "row", "objection"),
    [
        (
            'resource "aws_vpc" "a" {\n  fast = true\n}\n',
            "aws_vpc.tags,map,map",
            "aws_vpc.fast is not in table.csv: run `invoke provider-schemas`",
        ),
        (
            'output "region" {\n  value = data.aws_region.current.id\n}\n',
            "data.aws_region.id,string,deprecated string",
            "data.aws_region.id is string in 5.100.0 and deprecated string in 6.66.0: use what both have",
        ),
        (
            'resource "aws_vpc" "a" {\n  rule {\n    ports = [1]\n  }\n}\n',
            "aws_vpc.rule,block,block\naws_vpc.rule.ports,list,set",
            "aws_vpc.rule.ports is list in 5.100.0 and set in 6.66.0: use what both have",
        ),
        (
            'resource "aws_vpc" "a" {\n  tags = {}\n}\n',
            "aws_vpc.tags,map,missing",
            "aws_vpc.tags is map in 5.100.0 and missing in 6.66.0: use what both have",
        ),
        (
            'resource "aws_vpc" "a" {\n  tags = {}\n}\n',
            "aws_vpc.tags,missing,missing",
            "aws_vpc.tags is missing in 5.100.0 and missing in 6.66.0: use what both have",
        ),
    ],
    ids=["not in the table", "deprecated", "another kind", "missing in one", "missing in both"],
)
def test_a_use_that_the_versions_do_not_share_is_named(tmp_path: Path, code: str, row: str, objection: str) -> None:
    (tmp_path / "main.tf").write_text(code)
    (tmp_path / "table.csv").write_text(f"name,5.100.0,6.66.0\n{row}\n")
    assert list(provider_schemas.find_objections(tmp_path, tmp_path / "table.csv")) == [objection]
