"""A zip's bill of materials (SBOM) in CycloneDX: its packages, and their native libraries."""

import base64
import hashlib
import json
import re
import uuid
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.parser import Parser
from typing import Any

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, Property, XsUri
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from tools.build import Package
from tools.build.wheels import Wheel

LIBRARY = re.compile(r"[\w.-]+\.libs/(\w+)-[0-9a-f]{8}\.so[.\d]*")
"""A shared library as auditwheel names it: the library's name, and a digest."""

FILES = {"littlecms2": "liblcms2", "openjpeg": "libopenjp2"}
"""Name in Pillow's own SBOM to file name, of each library whose names differ."""

BUNDLED = re.compile(
    r"^Name: (?P<name>.+)\nLicense: (?P<licence>.+)\nFiles: .*\n.*\n +Source code: (?P<source>.+/v?(?P<version>.+))$",
    re.MULTILINE,
)
"""A library in the text file that pillow-heif has in place of an SBOM."""


@dataclass(frozen=True)
class Origin:
    """What a zip was built from.

    Attributes:
        version: The release's, such as ``1.0.0``.
        commit: The commit's full hash.
        time: The commit's.

    """

    version: str
    commit: str
    time: datetime


def make_sbom(package: Package, origin: Origin, wheels: Mapping[str, Wheel]) -> str:
    """Return a zip's SBOM as JSON; the same zip and commit give the same bytes.

    Args:
        package: The zip.
        origin: What it was built from.
        wheels: Wheel by package.

    """
    digest = base64.b64decode(package.sha256).hex()
    function = Component(
        name="image-resize",
        version=origin.version,
        type=ComponentType.APPLICATION,
        bom_ref=f"image-resize@{origin.version}",
        hashes=[_make_hash(digest)],
        licenses=[LicenseFactory().make_from_string("Apache-2.0")],
        properties=[
            Property(name="image-resize:commit", value=origin.commit),
            Property(name="image-resize:runtime", value=package.runtime),
            Property(name="image-resize:architecture", value=package.architecture),
        ],
    )
    made = Bom(
        serial_number=uuid.uuid5(uuid.NAMESPACE_OID, f"{origin.commit} {digest}"),
        metadata=BomMetaData(component=function, timestamp=origin.time),
    )
    with zipfile.ZipFile(package.path) as archive:
        packages = [_add(made, archive, folder, wheels) for folder in _find_folders(archive)]
    made.register_dependency(function, packages)
    return JsonV1Dot6(made).output_as_string(indent=2) + "\n"


def _find_folders(archive: zipfile.ZipFile) -> list[str]:
    """Return each package's ``.dist-info`` folder."""
    return sorted({name.partition("/")[0] for name in archive.namelist() if ".dist-info/" in name})


def _add(made: Bom, archive: zipfile.ZipFile, folder: str, wheels: Mapping[str, Wheel]) -> Component:
    """Add a package with the parts of its wheel that are in the zip."""
    metadata = Parser().parsestr(archive.read(f"{folder}/METADATA").decode())
    name, version = metadata["Name"], metadata["Version"]
    purl = PackageURL("pypi", None, name, version, {"file_name": wheels[name].file})
    package = Component(
        name=name,
        version=version,
        type=ComponentType.LIBRARY,
        bom_ref=str(purl),
        purl=purl,
        hashes=[_make_hash(wheels[name].sha256)],
        licenses=[LicenseFactory().make_from_string(metadata["License-Expression"] or metadata["License"])],
        components=[*_read_bundled(archive, folder), *_find_libraries(archive, name)],
    )
    made.components.add(package)
    made.register_dependency(package, package.components)
    for sbom in _read_sboms(archive, folder):
        _add_components(made, package, sbom, archive.namelist())
    return package


def _read_sboms(archive: zipfile.ZipFile, folder: str) -> Iterator[Bom]:
    """Yield the SBOMs in a wheel (PEP 770)."""
    # A decorator adds this method; mypy does not see it.
    read: Callable[[Any], Bom] = Bom.from_json  # type: ignore[attr-defined]
    for path in sorted(archive.namelist()):
        if path.startswith(f"{folder}/sboms/") and path.endswith(".cdx.json"):
            with warnings.catch_warnings():
                # auditwheel writes an old version of the format.
                warnings.simplefilter("ignore", DeprecationWarning)
                sbom = read(json.loads(archive.read(path)))
            yield sbom


def _add_components(made: Bom, package: Component, sbom: Bom, paths: list[str]) -> None:
    """Add the components of a wheel's SBOM, except those that are not in the zip and those that only they need."""
    parts = {str(part.bom_ref): part for part in sbom.components}
    needs = {str(one.ref): {str(needed.ref) for needed in one.dependencies} for one in sbom.dependencies}
    itself = str(sbom.metadata.component and sbom.metadata.component.bom_ref)
    gone = {ref for ref, part in parts.items() if not _is_there(part, paths)}
    while alone := {ref for ref in parts.keys() - gone if (users := _find_users(ref, needs)) and users <= gone}:
        gone |= alone
    there = {ref: part for ref, part in parts.items() if ref not in gone} | {itself: package}
    for ref, part in there.items():
        # The scope "optional" means that Pillow can be built without the part, not that the zip lacks it.
        part.scope = None
        if part is not package:
            package.components.add(part)
        made.register_dependency(part, [there[needed] for needed in sorted(needs.get(ref, set()) & there.keys())])


def _find_users(ref: str, needs: Mapping[str, set[str]]) -> set[str]:
    return {user for user, needed in needs.items() if ref in needed}


def _is_there(part: Component, paths: list[str]) -> bool:
    """Whether a component is in the zip: Pillow's SBOM has everything that it can be built with."""
    kind, _, name = str(part.bom_ref).rpartition("/")
    if kind.endswith("#c-ext"):
        return any(path.startswith(name.replace(".", "/") + ".") for path in paths)
    if part.scope is ComponentScope.OPTIONAL:
        names = {found[1] for path in paths if (found := LIBRARY.fullmatch(path))}
        return bool(names & {name, f"lib{name}", FILES.get(name)})
    return part.scope is not ComponentScope.EXCLUDED


def _read_bundled(archive: zipfile.ZipFile, folder: str) -> Iterator[Component]:
    """Yield the libraries in pillow-heif's text file."""
    path = f"{folder}/licenses/LICENSES_bundled.txt"
    if path not in archive.namelist():
        return
    for found in BUNDLED.finditer(archive.read(path).decode()):
        yield Component(
            name=found["name"],
            version=found["version"],
            type=ComponentType.LIBRARY,
            bom_ref=f"{folder}/{found['name']}",
            licenses=[LicenseFactory().make_from_string(found["licence"])],
            external_references=[ExternalReference(type=ExternalReferenceType.VCS, url=XsUri(found["source"]))],
        )


def _find_libraries(archive: zipfile.ZipFile, name: str) -> Iterator[Component]:
    """Yield a package's shared libraries as files; no SBOM names all of them."""
    for path in archive.namelist():
        if path.startswith((f"{name}.libs/", f"{name.removesuffix('-python')}/libs/")):
            digest = hashlib.sha256(archive.read(path)).hexdigest()
            yield Component(name=path, type=ComponentType.FILE, bom_ref=path, hashes=[_make_hash(digest)])


def _make_hash(digest: str) -> HashType:
    return HashType(alg=HashAlgorithm.SHA_256, content=digest)
