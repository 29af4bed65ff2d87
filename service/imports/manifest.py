"""What imports offer the app."""

from service.imports import api, api_person, pages, pages_person
from service.imports.actions_undo import forget_rows
from service.imports.openings import api as openings_api
from service.imports.openings import pages as openings_pages
from service.imports.openings.posting import forget_typed, post_piece, return_piece
from service.imports.openings.queries import unfinished
from service.kit.access import Role
from service.kit.manifest import Manifest, Nav, Timed

MANIFEST = Manifest(
    name="imports",
    handlers=[
        pages.imports_page,
        pages.template,
        pages.upload,
        pages.import_page,
        pages.apply,
        pages.check_again,
        pages.undo,
        pages.errors,
        pages.slips,
        pages_person.new_person,
        pages_person.add_person,
        pages_person.edit_person,
        pages_person.change_person,
        api.imports,
        api.check,
        api.one_import,
        api.rows,
        api.apply,
        api.check_again,
        api.undo,
        api.slips,
        api_person.add_person,
        api_person.particulars,
        api_person.change_person,
        *openings_pages.HANDLERS,
        *openings_api.HANDLERS,
    ],
    timed=[
        Timed("imports.forget_rows", 3600, forget_rows),
        Timed("openings.forget_typed", 3600, forget_typed),
        Timed("openings.post", 2, post_piece),
        Timed("openings.return", 2, return_piece),
    ],
    staff_inbox=[openings_pages.inbox],
    unfinished=[unfinished],
    nav=[Nav("导入人员", "/desk/imports", "upload", frozenset({Role.STAFF, Role.ADMIN}), 72, also=("/desk/openings",))],
)
