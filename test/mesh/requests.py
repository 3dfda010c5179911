"""Sends the requests that come as JSON by standard input, each on a separate connection, with paths as they are written.

Prints the result of each: a status, `refused` if the mesh denied it, `none` without an answer.
"""

import http.client
import json
import sys
from concurrent.futures import ThreadPoolExecutor


def outcome(request: dict) -> str:
    connection = http.client.HTTPConnection(request["host"], request["port"], timeout=30)
    try:
        headers = request.get("headers", {})
        connection.putrequest(
            request["method"], request["path"], skip_host="host" in headers, skip_accept_encoding=True
        )
        body = request.get("body", "").encode()
        for name, value in {"content-length": str(len(body)), **headers}.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        response = connection.getresponse()
        text = response.read(100)
    except (OSError, http.client.HTTPException):
        return "none"
    finally:
        connection.close()
    if response.status == 403 and text == b"RBAC: access denied":
        return "refused"
    return str(response.status)


with ThreadPoolExecutor(8) as pool:
    print(json.dumps(list(pool.map(outcome, json.load(sys.stdin)))))
