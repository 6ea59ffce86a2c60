"""`visavis doctor --call LINK`."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import asdict
from typing import TYPE_CHECKING

from server.console import report

if TYPE_CHECKING:
    from server.call_check.findings import Finding
    from server.call_check.link import RoomLink


def check(text: str, as_json: bool) -> None:
    """Print a line for each check of the way to the room `text`, and what follows. Raises `VisavisError` for what is no link, and
    `SystemExit` with status 2 where a call does not work."""
    from server.call import ice
    from server.call_check.link import read_link
    from server.call_check.run import summary, works

    link = read_link(text)
    ice.install()
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)  # that a connection fails is told by the check, not by its libraries
    try:
        findings = asyncio.run(_findings(link, as_json))
    finally:
        logging.disable(before)
    call_works, sentence = works(findings), summary(findings)
    result = {"works": call_works, "summary": sentence, "checks": [asdict(finding) for finding in findings]}
    report(result, [sentence], as_json)
    if not call_works:
        raise SystemExit(2)


async def _findings(link: RoomLink, as_json: bool) -> list[Finding]:
    from server.call_check.run import check_call

    findings = []
    async for finding in check_call(link):
        findings.append(finding)
        if not as_json:
            print(finding.line, flush=True)
    return findings
