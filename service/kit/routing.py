"""Litestar, starting in half the time."""

from litestar import Litestar
from litestar.routes import BaseRoute, HTTPRoute, WebSocketRoute
from litestar.types.internal_types import RouteHandlerMapItem


class Service(Litestar):
    """Remembers which methods each route has.

    With each of its hundreds of handlers Litestar asks anew which methods all the others have, and that was half of what
    it takes to start.
    """

    @property
    def route_handler_method_map(self) -> dict[str, RouteHandlerMapItem]:
        """The methods of each path, and who handles them; a route never changes, a further method makes another one."""
        known: dict[BaseRoute, RouteHandlerMapItem] = self.__dict__.setdefault("_methods_of_routes", {})
        found: dict[str, RouteHandlerMapItem] = {}
        for route in self.routes:
            methods = known.get(route)
            if methods is None:
                methods = known[route] = _methods(route)
            found[route.path] = {**found[route.path], **methods} if route.path in found else methods
        return found


def _methods(route: BaseRoute) -> RouteHandlerMapItem:
    if isinstance(route, HTTPRoute):
        return {method: handler for handler in route.route_handlers for method in handler.http_methods}
    return {"websocket" if isinstance(route, WebSocketRoute) else "asgi": route.route_handler}  # type: ignore[attr-defined]
