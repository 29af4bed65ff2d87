"""The service starts faster than Litestar alone and has the same routes."""

from litestar import Litestar


def test_the_methods_of_every_path_are_those_that_litestar_finds(the_app: Litestar) -> None:
    slowly = Litestar.route_handler_method_map.fget  # type: ignore[attr-defined] # a property of the class

    assert the_app.route_handler_method_map == slowly(the_app)
    assert len(the_app.route_handler_method_map) > 500
    assert any(len(methods) > 2 for methods in the_app.route_handler_method_map.values())
