"""Install pip into the running virtual environment from the package index, for a Python that comes without ensurepip."""

import html.parser
import os
import re
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request

INDEX = (os.environ.get("PIP_INDEX_URL") or "https://pypi.org/simple").rstrip("/")


class Links(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.wheels = {}

    def handle_starttag(self, tag, attributes):
        address = dict(attributes).get("href") or ""
        found = re.search(r"/pip-(\d+)\.(\d+)(?:\.(\d+))?-py3-none-any\.whl", address)
        if found:
            self.wheels[tuple(int(part or 0) for part in found.groups())] = address


def main():
    page = f"{INDEX}/pip/"
    links = Links()
    with urllib.request.urlopen(page, timeout=60) as answer:
        links.feed(answer.read().decode())
    newest = urllib.parse.urljoin(page, links.wheels[max(links.wheels)])
    with tempfile.TemporaryDirectory() as folder:
        wheel = os.path.join(folder, os.path.basename(urllib.parse.urlparse(newest).path))
        with urllib.request.urlopen(newest, timeout=60) as answer, open(wheel, "wb") as file:
            file.write(answer.read())
        return subprocess.call([sys.executable, f"{wheel}/pip", "install", "-q", "--disable-pip-version-check", wheel])


if __name__ == "__main__":
    sys.exit(main())
