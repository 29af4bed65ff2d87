"""What imports offer the app."""

from service.imports import api, api_person, pages, pages_person
from service.imports.actions_undo import forget_rows
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
    ],
    timed=[Timed("imports.forget_rows", 3600, forget_rows)],
    nav=[Nav("导入人员", "/desk/imports", "upload", frozenset({Role.STAFF, Role.ADMIN}), 72)],
)
