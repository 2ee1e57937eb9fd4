"""Give a SARIF file to GitHub's code scanning, as its REST interface takes it.

``python upload_sarif.py FILE`` in a workflow, with the token in TOKEN. A token that may not
write, as in pull requests from forks, is a warning and not a failure: the verdict stands.
"""

import gzip
import json
import os
import sys
from base64 import b64encode
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

PATIENCE = 60.0  # seconds


def upload(file: Path) -> str:
    """Where GitHub says that the upload is worked on."""
    content = {
        "commit_sha": os.environ["GITHUB_SHA"],
        "ref": os.environ["GITHUB_REF"],
        "sarif": b64encode(gzip.compress(file.read_bytes(), mtime=0)).decode(),
        "tool_name": "Auditor",
    }
    place = f"{os.environ['GITHUB_API_URL']}/repos/{os.environ['GITHUB_REPOSITORY']}"
    request = Request(  # noqa: S310 - the address is GitHub's own, from the runner
        f"{place}/code-scanning/sarifs",
        data=json.dumps(content).encode(),
        headers={
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {os.environ['TOKEN']}",
            "Content-Type": "application/json",
        },
    )
    with urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310 - as above
        return str(json.load(answer).get("url", ""))


if __name__ == "__main__":
    try:
        print(f"uploaded: {upload(Path(sys.argv[1]))}")
    except URLError as error:
        print(f"::warning::the findings were not uploaded: {error}")
