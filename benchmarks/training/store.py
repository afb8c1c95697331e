# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The file of results, which a kill at any time leaves whole."""

import json
import os


def key_of(point):
    return json.dumps(point, sort_keys=True)


def line_of(entry):
    return json.dumps(entry, sort_keys=True) + "\n"


class Results:
    """The lines of the file; each point once."""

    def __init__(self, path):
        self.path = path
        data = path.read_bytes() if path.exists() else b""
        *lines, last = data.split(b"\n")
        self.entries = [json.loads(line) for line in lines]
        if last:
            # A kill cut it off, or cut off its end alone.
            try:
                self.entries.append(json.loads(last))
            except ValueError:
                pass
            self._rewrite()
        self.known = {key_of(entry["point"]) for entry in self.entries}

    def _rewrite(self):
        """The old file is there until the new one is complete."""
        other = self.path.with_name(self.path.name + ".new")
        with other.open("w") as file:
            file.write("".join(map(line_of, self.entries)))
            file.flush()
            os.fsync(file.fileno())
        os.replace(other, self.path)

    def add(self, point, result):
        """Takes the place of what was known of the point."""
        entry = {"point": point, "result": result}
        if key_of(point) in self.known:
            kept = [other for other in self.entries if other["point"] != point]
            self.entries = [*kept, entry]
            self._rewrite()
            return
        self.entries.append(entry)
        self.known.add(key_of(point))
        with self.path.open("a") as file:
            file.write(line_of(entry))

    def of(self, point):
        """The result of a point, or None."""
        if key_of(point) not in self.known:
            return None
        return next(e["result"] for e in self.entries if e["point"] == point)

    def accuracies(self, **wanted):
        return [entry["result"]["accuracy"] for entry in self.entries
                if "accuracy" in entry["result"]
                and all(entry["point"].get(n) == v for n, v in wanted.items())]
