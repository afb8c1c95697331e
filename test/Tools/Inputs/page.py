# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Looks at a page of a report.

  page.py file PAGE JSON         it is one file that loads nothing and carries
                                 the JSON of that file, whatever text is in it
  page.py show PAGE HEAD TEXT..  a browser draws it in light and in dark without
                                 complaint, with this heading and these texts
"""
import html.parser
import json
import re
import struct
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

LOADS = re.compile(r"@import|url\(|fetch\(|import\(|XMLHttpRequest|WebSocket")


class Page(html.parser.HTMLParser):
    """Elements with their attributes, and texts by the element they are in."""

    VOID = {"meta", "link", "br", "img", "input", "hr"}

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.texts = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag in self.open:
            while self.open.pop() != tag:
                pass

    def handle_data(self, data):
        self.texts.append((self.open[-1] if self.open else "", data))

    def visible(self):
        words = (t for e, t in self.texts if e not in ("script", "style"))
        # Digits are grouped by thin spaces.
        return " ".join("".join(words).replace("\u2009", "").split())


def check_file(page_path, json_path):
    text = Path(page_path).read_text()
    page = Page(text)
    for tag, attributes in page.elements:
        for key in ("src", "href", "action", "srcset", "data"):
            value = attributes.get(key)
            assert value is None or value.startswith("data:"), (tag, key, value)
        assert not any(key.startswith("on") for key in attributes), attributes
    found = LOADS.search(text)
    assert not found, found
    scripts = [a for tag, a in page.elements if tag == "script"]
    assert [a.get("type") for a in scripts] == ["application/json", None], scripts
    held = [t for e, t in page.texts if e == "script"][0]
    assert "<" not in held
    assert json.loads(held) == json.loads(Path(json_path).read_text())


def browse(url, *options):
    with tempfile.TemporaryDirectory() as profile:
        done = subprocess.run(
            ["chromium", "--headless", "--no-sandbox", "--disable-gpu",
             "--hide-scrollbars", "--disable-dev-shm-usage",
             f"--user-data-dir={profile}", "--enable-logging=stderr",
             "--window-size=1000,900", "--virtual-time-budget=2000",
             "--host-resolver-rules=MAP * ~NOTFOUND", *options, url],
            capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    complaints = [l for l in done.stderr.splitlines() if "CONSOLE" in l]
    assert not complaints, complaints
    return done.stdout


def picture(url, *options):
    """The corner's colour, and the share of bytes that differ from what the
    filters of PNG expect: almost none where all is one colour."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "page.png"
        browse(url, f"--screenshot={path}", *options)
        data = path.read_bytes()
    at, packed = 8, b""
    while at < len(data):
        (length,), kind = struct.unpack(">I", data[at:at + 4]), data[at + 4:at + 8]
        if kind == b"IDAT":
            packed += data[at + 8:at + 8 + length]
        at += 12 + length
    raw = zlib.decompress(packed)
    return tuple(raw[1:4]), 1 - raw.count(0) / len(raw)


def check_shown(page_path, head, texts):
    url = Path(page_path).resolve().as_uri()
    page = Page(browse(url, "--dump-dom"))
    heads = [t for e, t in page.texts if e == "h1"]
    assert heads == [head], heads
    seen = page.visible()
    for text in texts:
        assert text in seen, (text, seen)
    assert not any(tag == "img" for tag, _ in page.elements)
    light, drawn = picture(url)
    dark, drawn_dark = picture(url, "--blink-settings=preferredColorScheme=0")
    assert min(light) > 200 and max(dark) < 60, (light, dark)
    assert min(drawn, drawn_dark) > 0.02, (drawn, drawn_dark)


if sys.argv[1] == "file":
    check_file(*sys.argv[2:])
else:
    check_shown(sys.argv[2], sys.argv[3], sys.argv[4:])
