"""No packet leaves the machine that nobody configured, a question for a name included. What browsers send is theirs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

UNSHARE = ["unshare", "--net", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]


@pytest.mark.timeout(280)
def test_enrolling_serving_and_calling_send_nothing_out_of_the_machine(tmp_path: Path) -> None:
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        pytest.skip("unshare or ip is not installed (apt-get install util-linux iproute2): nobody watched what leaves")
    probe = subprocess.run([*UNSHARE, "ip", "link", "add", "near0", "type", "veth", "peer", "name", "far0"], capture_output=True)
    if probe.returncode != 0:
        pytest.skip("this system lets nobody make a network namespace: nobody watched what leaves")
    command = [*UNSHARE, sys.executable, "-m", "tests.network.quiet", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=270)
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["on_purpose"] >= 3, "the watcher sees what leaves"
    assert told["left"] == [] and told["job"] == "done"
