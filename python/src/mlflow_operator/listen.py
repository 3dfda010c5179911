"""Addresses to listen on, and `python -m mlflow_operator.listen OPTIONS`: uvicorn on all addresses of the IP families that the node has.

Without a host, uvicorn and asyncio try both families. Where IPv6 is compiled in but turned off (`net.ipv6.conf.all.disable_ipv6`), Python before
3.13 then fails to start, so it is tried first.
"""

from __future__ import annotations

import socket
import sys

import mlflow_late_imports

#: All addresses of IPv4.
ALL_OF_IPV4 = "0.0.0.0"


def has_ipv6() -> bool:
    """Returns whether a socket can have the addresses of both families."""
    try:
        with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True):
            return True
    except (OSError, ValueError):
        return False


def all_addresses() -> str:
    """Returns the host that stands for all addresses: an empty one for both families."""
    return "" if has_ipv6() else ALL_OF_IPV4


def main(options: list[str]) -> None:
    import uvicorn

    mlflow_late_imports.install()
    uvicorn.main(["--host", all_addresses(), *options])


if __name__ == "__main__":
    main(sys.argv[1:])
