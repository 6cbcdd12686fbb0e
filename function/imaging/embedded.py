"""XMP, IPTC and Photoshop's resources of a source: read once, and selected for each output."""

import bisect
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from imaging import iptc, photoshop, xmp, xmp_selection
from imaging.change import Blocks, Capacity, Change
from imaging.losses import NO_CREDENTIALS, Loss, Lost
from renditions import MetadataPolicy

OVERHEAD = 64
"""Bytes of a JPEG's segment for the headers around IPTC and Photoshop's resources, rounded up."""

MOST_NAMES, MOST_NAME = 5, 40
"""The most properties in a sentence, and the most characters of each."""


class Embedded(NamedTuple):
    """What could be read of the blocks of a source.

    Attributes:
        packet: The properties of XMP.
        data_sets: The data sets of IPTC.
        iim: The data sets, as they are stored.
        resources: Photoshop's, by number.
        losses: What could not be read.

    """

    packet: xmp.Packet
    data_sets: Sequence[iptc.DataSet]
    iim: bytes
    resources: Mapping[int, bytes]
    losses: tuple[Loss, ...]

    @property
    def source_type(self) -> str:
        """How the image came to be, as a URI of IPTC's list; empty if XMP does not say."""
        return xmp.read_text(self.packet.properties.get((xmp.IPTC_EXT, "DigitalSourceType"), ""))

    def select(
        self, policy: MetadataPolicy, change: Change, capacity: Capacity, losses: list[Loss]
    ) -> dict[str, bytes]:
        """Return the blocks ``xmp``, ``iptc`` and ``photoshop`` of an output; some may be empty.

        IPTC becomes XMP in a format that only has XMP. Add to ``losses`` what XMP has no place for.
        """
        is_all = policy is MetadataPolicy.ALL
        losses += self.losses
        packet = xmp_selection.correct(self.packet, change) if is_all else xmp_selection.select_credits(self.packet)
        data_sets = iptc.select(self.data_sets, is_all=is_all)
        iim = iptc.write(data_sets)
        resources = photoshop.correct(self.resources, change, has_whole_iim=iim == self.iim) if is_all else {}
        if Lost.IPTC not in capacity.kinds and Lost.XMP in capacity.kinds:
            packet = _translate(packet, data_sets, losses)
            iim, resources = b"", _drop(resources, losses)
        if len(iim) + len(photoshop.write(resources)) > capacity.most_bytes - OVERHEAD:
            resources = _drop(resources, losses)
        written, left_out = xmp_selection.fit(packet, capacity.most_bytes)
        if left_out:
            names = ", ".join(name[:MOST_NAME] for name in left_out[:MOST_NAMES])
            losses.append(Loss(Lost.XMP, f"{len(left_out)} properties of XMP are too long for the format: {names}"))
        return {"xmp": written, "iptc": iim, "photoshop": photoshop.write(resources)}


def read(blocks: Blocks) -> Embedded:
    """Read the blocks, as far as they aren't damaged."""
    losses: list[Loss] = []
    packet = xmp.EMPTY
    if blocks.xmp:
        packet, problem = xmp_selection.read(blocks.xmp, blocks.extensions)
        if problem:
            losses.append(Loss(Lost.XMP, f"the XMP can't be read: {problem}"))
    if (xmp.DC_TERMS, "provenance") in packet.properties:
        # The manifest store is elsewhere (C2PA 2.1, 11.5).
        losses += NO_CREDENTIALS
    # Some writers wrap IPTC in a resource everywhere.
    is_wrapped = blocks.iptc.startswith(photoshop.SIGNATURE)
    resources, are_whole = photoshop.read(blocks.iptc if is_wrapped else blocks.photoshop)
    iim = (b"" if is_wrapped else blocks.iptc) or resources.get(photoshop.IIM, b"")
    data_sets, is_whole = iptc.read(iim)
    if not (are_whole and is_whole):
        losses.append(Loss(Lost.IPTC, "the IPTC is damaged, and was read up to the damage"))
    return Embedded(packet, data_sets, iim, resources, tuple(losses))


def _translate(packet: xmp.Packet, data_sets: Sequence[iptc.DataSet], losses: list[Loss]) -> xmp.Packet:
    """Add IPTC's data sets to XMP, whose own properties count if both have one."""
    translated, is_partial = iptc.to_xmp(data_sets)
    differing = [
        name
        for name, value in translated.items()
        if name in packet.properties and not _repeats(value, packet.properties[name])
    ]
    if is_partial:
        losses.append(Loss(Lost.IPTC, "XMP has no property for some data sets of the IPTC"))
    if differing:
        names = ", ".join(name[1] for name in differing)
        losses.append(Loss(Lost.IPTC, f"the XMP has other values than the IPTC: {names}"))
    return packet.merge(xmp.Packet(translated, {}))


def _repeats(value: xmp.Value, other: xmp.Value) -> bool:
    """Tell whether each text of IPTC is among those of XMP, or begins one: IPTC limits their length."""
    texts = sorted(text.strip() for text in xmp.list_texts(other))
    wanted = [text.strip() for text in xmp.list_texts(value)]
    # The first text that is not less than a beginning of it.
    places = [bisect.bisect_left(texts, text) for text in wanted]
    return all(place < len(texts) and texts[place].startswith(text) for place, text in zip(places, wanted, strict=True))


def _drop(resources: Mapping[int, bytes], losses: list[Loss]) -> dict[int, bytes]:
    """Return no resources; add to ``losses`` if something of worth is among them."""
    if any(number in photoshop.RIGHTS or number in photoshop.PATHS for number in resources):
        losses.append(Loss(Lost.IPTC, "Photoshop's paths and copyright flag were left out: the format has no place"))
    return {}
