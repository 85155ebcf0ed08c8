"""Programs from PyPI read our XML: python converters.py ADDRESS FOLDER, after players.mjs. They run from this Python's venv."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen
from xml.etree import ElementTree

address, folder = sys.argv[1], Path(sys.argv[2])
programs = Path(sys.executable).parent
COMMANDS = {
    "biliass": ["-s", "640x360", "-o", "{ass}", "{xml}"],
    "dmconvert": ["-i", "{xml}", "-o", "{ass}"],
}

with urlopen(f"{address}/api/v1/videos?limit=100", timeout=20) as answer:
    # biliass leaves out what finds no room among thousands at once.
    videos = [video for video in json.load(answer)["items"] if 0 < video["danmaku_count"] < 1000]
assert videos, "no video has danmaku"
for video in videos:
    with urlopen(f"{address}/api/v1/videos/{video['id']}/danmaku.xml", timeout=20) as answer:
        (folder / "danmaku.xml").write_bytes(answer.read())
    texts = [row.text or "" for row in ElementTree.parse(folder / "danmaku.xml").getroot().iter("d")]
    # Braces mean something in .ass, and dmconvert writes a dot for an emoji.
    texts = [text for text in texts if not {"{", "\\"} & set(text) and max(text) <= "\uffff"]
    for name, arguments in COMMANDS.items():
        files = {"xml": folder / "danmaku.xml", "ass": folder / f"{name}.ass"}
        files["ass"].unlink(missing_ok=True)
        command = [programs / name, *(argument.format(**files) for argument in arguments)]
        subprocess.run(command, check=True, timeout=60, stdout=subprocess.DEVNULL)
        lines = [line for line in files["ass"].read_text("utf-8").splitlines() if line.startswith("Dialogue:")]
        assert len(lines) == video["danmaku_count"], f"{name}: {len(lines)} of {video['danmaku_count']} danmaku"
        missing = [text for text in texts if not any(line.endswith(text) for line in lines)]
        assert not missing, f"{name} shows not as they are: {missing}"
print(f"{' and '.join(COMMANDS)} read the danmaku of {len(videos)} videos.")
