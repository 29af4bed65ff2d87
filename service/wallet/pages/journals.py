"""The auditor's journal: many filters, any size of book, and what was found as a file."""

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from litestar import Request, get
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Stream, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from service.chart import Reason
from service.kit.access import Actor, allow
from service.kit.db import sessions_of_app
from service.kit.i18n import _, translate
from service.kit.pages import Typed, page
from service.kit.refusals import Invalid
from service.wallet.actions import note_journals_export
from service.wallet.journal_files import FIELDS, JournalsForm, asked_of, journals_file, typed_query
from service.wallet.queries.journals import Found, journals
from service.wallet.rules import READERS, BookUnit, check_asked

AnyRequest = Request[Any, Any, Any]


@get("/desk/books/journals", opt=allow(*READERS), include_in_schema=False)
async def journals_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    after: FromQuery[str | None] = None,
) -> Template:
    """Journals by whatever is known of them; an account may be given by a person's card number."""
    typed = typed_query(request)
    problems = Typed()
    try:
        found = await journals(session, actor.community_id, asked_of(typed), after=after)
    except Invalid as wrong:
        if "after" in wrong.problems:
            raise
        problems.update({name: translate(f"problem.{code}") for name, code in wrong.problems.items()})
        found = Found((), {}, None, None)
    given = urlencode({name: value for name, value in typed.items() if value})
    further = "&".join(part for part in (given, urlencode({"after": found.next})) if part) if found.next else None
    return page(
        request,
        "wallet/journals.html",
        status_code=422 if problems else 200,
        title=_("凭证"),
        lines=found.rows,
        people=found.people,
        searched_to=found.searched_to,
        asked=typed,
        problems=problems,
        errors=dict(problems),
        is_open=any(typed[name] for name in FIELDS[3:]),
        reasons=_choices([reason.value for reason in Reason], "reason."),
        units=_choices([unit.value for unit in BookUnit], "unit."),
        next_url=f"/desk/books/journals?{further}" if further else None,
        first_url=f"/desk/books/journals?{given}" if after else None,
        file_query=given,
    )


def _choices(values: list[str], words: str) -> list[tuple[str, str]]:
    return [(value, translate(words + value)) for value in values]


@get("/desk/books/journals/file/{form:str}", opt=allow(*READERS), include_in_schema=False)
async def journals_export(
    request: AnyRequest,
    form: FromPath[JournalsForm],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    state: State,
) -> Stream:
    """What the filter finds, a row for every transfer, with a last line that says who took it away and when."""
    asked = asked_of(typed_query(request))
    check_asked(unit=asked.unit, amount_min=asked.amount_min, amount_max=asked.amount_max)
    note_journals_export(session, actor=actor, form=form.value, given=asked.given(), now=now)
    return journals_file(sessions_of_app(state), actor, asked, form, now)
