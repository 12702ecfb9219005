"""Who asks by a browser: the server's own page, and no page of another site that its reader happens to look at."""

import ipaddress
from urllib.parse import urlsplit

from aiohttp import web


def own_pages_only(listening: str):
    """A middleware that refuses what a page of another site asks, with 403.

    A browser sends any site's POST to any address, 127.0.0.1 too, and names the site in `Origin`: that must be this
    server. Whoever owns a name may let it point to 127.0.0.1 while his page is open; so a server that listens there
    takes no names but `localhost`. Programs send no `Origin`.

    Args:
        listening: the address or name that the server listens on.
    """

    @web.middleware
    async def middleware(request: web.Request, handler) -> web.StreamResponse:
        origin = request.headers.get("Origin")
        if origin is not None and not _is_own(origin, request.headers.get("Host", ""), listening):
            raise web.HTTPForbidden(reason="A page of another site may not ask")
        return await handler(request)

    return middleware


def _is_own(origin: str, host: str, listening: str) -> bool:
    try:
        parts = urlsplit(origin)
        return parts.netloc == host and (not _loops_back(listening) or _has_no_owner(parts.hostname or ""))
    except ValueError:
        return False


def _loops_back(host: str) -> bool:
    return host == "localhost" or (_has_no_owner(host) and ipaddress.ip_address(host).is_loopback)


def _has_no_owner(host: str) -> bool:
    """Whether nobody can let it point elsewhere: `localhost`, or an address."""
    try:
        return host == "localhost" or bool(ipaddress.ip_address(host))
    except ValueError:
        return False
