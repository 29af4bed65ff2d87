"""The second factor: enrolled in two steps, asked for before money and role acts, good once, and taken away by two others."""

import asyncio
import re
from datetime import date

import pytest
import sqlalchemy as sa
from litestar import Litestar

from service import communities, identity
from service.identity.rules_factor import RECOVERY_CODES, RECOVERY_LENGTH, CodeWrong, read_code
from service.kit.clock import local_day
from service.kit.edge import SESSION_COOKIE
from tests.cast import HERE, Client, Town, TownClock, client_of
from tests.identity.conftest import PIN
from tests.identity.factors import code, enrol

pytestmark = pytest.mark.anyio
ROLE = {"role": "volunteer"}
"""An act that gives a right: asked for a code wherever anything is."""


async def require(app: Litestar, jiang: Client, on: date) -> None:
    async with app.state.sessions.begin() as session:
        await communities.change_setting(
            session, actor=jiang.actor, name="second_factor_required", value=1, effective_from=on, now=app.state.clock()
        )


async def give_role(whom: Client, to: Client) -> tuple[int, str]:
    answer = await whom.post(f"/api/people/{to.actor.member_id}/roles", json=ROLE)
    return answer.status_code, "" if answer.status_code < 300 else answer.json()["code"]


async def end_role(whom: Client, of: Client) -> None:
    answer = await whom.post(f"/api/people/{of.actor.member_id}/roles/end", json=ROLE)
    assert answer.status_code < 300, answer.text


async def test_nobody_is_locked_out_by_the_upgrade(jiang: Client, li: Client) -> None:
    assert (await give_role(jiang, li))[0] < 300

    page = (await jiang.get("/desk/second-factors")).text
    assert "第二道锁没有开" in page
    assert "/desk/settings/second_factor_required" in page


async def test_from_the_day_it_is_required_acts_wait_for_an_authenticator(
    app: Litestar, jiang: Client, li: Client, pins: None, clock: TownClock
) -> None:
    await require(app, jiang, local_day(clock.now).replace(day=24))
    assert (await give_role(jiang, li))[0] < 300
    await end_role(jiang, li)
    clock.move(days=2)

    refused = await jiang.post(f"/api/people/{li.actor.member_id}/roles", json=ROLE)
    assert (refused.status_code, refused.json()["code"]) == (403, "identity.factor_needed")
    assert refused.json()["next"] == "POST /api/me/second-factor"
    assert (await jiang.get("/api/people")).status_code == 200  # looking goes on

    await enrol(jiang, clock)
    assert (await give_role(jiang, li))[0] < 300


async def test_whoever_enrolled_is_asked_and_asked_again_after_the_hours(
    app: Litestar, jiang: Client, li: Client, pins: None, clock: TownClock
) -> None:
    secret, _ = await enrol(jiang, clock)
    assert (await give_role(jiang, li))[0] < 300
    await end_role(jiang, li)

    clock.move(hours=11)
    assert (await give_role(jiang, li))[0] < 300
    await end_role(jiang, li)
    clock.move(hours=1)
    refused = await jiang.post(f"/api/people/{li.actor.member_id}/roles", json=ROLE)
    assert (refused.status_code, refused.json()["code"]) == (403, "identity.code_needed")
    assert refused.json()["next"] == "POST /api/me/second-factor/proof"

    assert (await jiang.post("/api/me/second-factor/proof", json={"code": code(secret, clock)})).status_code == 204
    assert (await give_role(jiang, li))[0] < 300


async def test_another_session_of_the_same_person_is_asked_for_itself(
    app: Litestar, jiang: Client, li: Client, pins: None, clock: TownClock
) -> None:
    """A thief with the PIN has a session, and no code."""
    await enrol(jiang, clock)
    async with client_of(app, None) as thief:
        assert (await thief.post("/api/session", json={"number": "0012-0015", "secret": PIN})).status_code == 204
        assert (await thief.get("/api/me")).json()["card_no"] == "0012-0015"
        assert await give_role(thief, li) == (403, "identity.code_needed")
        again = await thief.post("/api/me/second-factor", json={"secret": PIN})
        assert (again.status_code, again.json()["code"]) == (409, "identity.factor_held")


async def test_a_new_pin_by_a_slip_does_not_pass_the_second_lock(
    app: Litestar, jiang: Client, li: Client, pins: None, clock: TownClock
) -> None:
    """One of the staff alone can print a slip for anybody, and becomes nobody of the office by it."""
    await enrol(jiang, clock)
    async with app.state.sessions.begin() as session:
        codes = await identity.issue_activations(
            session, community_id=HERE, actor=None, member_ids=[jiang.actor.member_id], now=clock.now
        )
    async with client_of(app, None) as thief:
        entered = await thief.post("/api/activation", json={"code": codes[jiang.actor.member_id], "secret": "246813"})
        assert entered.status_code == 204
        assert await give_role(thief, li) == (403, "identity.code_needed")


async def test_a_secret_is_shown_to_whoever_knows_the_pin_only(jiang: Client, pins: None, clock: TownClock) -> None:
    refused = await jiang.post("/api/me/second-factor", json={"secret": "999999"})
    assert (refused.status_code, refused.json()["code"]) == (401, "identity.sign_in_refused")

    begun = await jiang.post("/me/second-factor/begin", data={"secret": PIN})
    assert (begun.status_code, begun.text.count("<svg ") > 1) == (200, True)
    secret = _secret_on(begun.text)
    assert secret not in (await jiang.get("/me/second-factor")).text
    wrong = await jiang.post("/me/second-factor/confirm", data={"code": "000000"})
    assert wrong.status_code == 403
    assert secret not in wrong.text.replace(" ", "")

    clock.move(minutes=15)
    late = await jiang.post("/api/me/second-factor/confirmation", json={"code": code(secret, clock)})
    assert (late.status_code, late.json()["code"]) == (410, "identity.enrolment_over")


def _secret_on(page: str) -> str:
    found = re.search(r'<p class="code" data-said>([A-Z2-7 ]+)</p>', page)
    assert found is not None
    return found[1].replace(" ", "")


async def test_the_page_leads_through_in_two_steps_and_shows_the_recovery_codes_once(
    app: Litestar, jiang: Client, pins: None, clock: TownClock
) -> None:
    secret = _secret_on((await jiang.post("/me/second-factor/begin", data={"secret": PIN})).text)
    shown = await jiang.post("/me/second-factor/confirm", data={"code": code(secret, clock)})
    assert shown.status_code == 200
    codes = re.findall(r'<li class="code">([0-9A-Z-]+)</li>', shown.text)
    assert len(codes) == len(set(codes)) == RECOVERY_CODES
    after = (await jiang.get("/me/second-factor")).text
    assert "已经登记" in after
    assert codes[0] not in after

    async with app.state.sessions.begin() as session:
        stored = str((await session.execute(sa.text("SELECT f::text FROM second_factor f"))).scalars().all())
        hashes = (await session.execute(sa.text("SELECT code_hash FROM recovery_code"))).scalars().all()
    assert secret not in stored
    assert len(hashes) == RECOVERY_CODES
    assert all(one.startswith("$argon2id$") for one in hashes)


async def test_a_code_is_good_once(jiang: Client, pins: None, clock: TownClock) -> None:
    secret, _ = await enrol(jiang, clock)
    now = {"code": code(secret, clock)}

    assert (await jiang.post("/api/me/second-factor/proof", json=now)).status_code == 204
    replayed = await jiang.post("/api/me/second-factor/proof", json=now)
    assert (replayed.status_code, replayed.json()["code"]) == (409, "identity.code_used")
    earlier = await jiang.post("/api/me/second-factor/proof", json={"code": code(secret, clock, steps=-1)})
    assert (earlier.status_code, earlier.json()["code"]) == (409, "identity.code_used")
    # The next one is taken already: clocks of phones differ by half a minute.
    assert (
        await jiang.post("/api/me/second-factor/proof", json={"code": code(secret, clock, steps=1)})
    ).status_code == 204
    far = await jiang.post("/api/me/second-factor/proof", json={"code": code(secret, clock, steps=3)})
    assert (far.status_code, far.json()["code"]) == (403, "identity.code_wrong")


@pytest.mark.parametrize("is_printed", [False, True])
async def test_of_many_who_bring_one_code_at_once_one_passes(
    app: Litestar, jiang: Client, pins: None, clock: TownClock, *, is_printed: bool
) -> None:
    """The row lets one pass: without the condition in its update every one of these would."""
    secret, recovery = await enrol(jiang, clock)
    typed = recovery[3] if is_printed else code(secret, clock)
    browsers = []
    for _ in range(4):
        async with app.state.sessions.begin() as session:
            entrance = await identity.enter(
                session, HERE, jiang.actor.member_id, device="test", is_shared=False, now=clock.now
            )
        browsers.append(client_of(app, entrance.cookie))
    answers = await asyncio.gather(*(one.post("/api/me/second-factor/proof", json={"code": typed}) for one in browsers))
    assert sorted(answer.status_code for answer in answers) == [204, 409, 409, 409]
    for one in browsers:
        await one.aclose()


async def test_a_recovery_code_stands_for_the_phone_once(jiang: Client, pins: None, clock: TownClock) -> None:
    _, codes = await enrol(jiang, clock)
    clock.move(hours=13)

    typed = codes[7].lower().replace("-", " ")
    assert (await jiang.post("/api/me/second-factor/proof", json={"code": typed})).status_code == 204
    assert (await jiang.get("/api/me/second-factor")).json()["recovery_codes_left"] == 9
    again = await jiang.post("/api/me/second-factor/proof", json={"code": codes[7]})
    assert (again.status_code, again.json()["code"]) == (409, "identity.code_used")

    renewed = await jiang.post("/api/me/second-factor/recovery-codes", json={"code": codes[8]})
    assert renewed.status_code == 200
    old = await jiang.post("/api/me/second-factor/proof", json={"code": codes[1]})
    assert (old.status_code, old.json()["code"]) == (403, "identity.code_wrong")
    fresh = renewed.json()["codes"][1]
    assert (await jiang.post("/api/me/second-factor/proof", json={"code": fresh})).status_code == 204


async def test_wrong_codes_wait_longer_and_longer_and_never_for_good(
    app: Litestar, jiang: Client, pins: None, clock: TownClock
) -> None:
    secret, _ = await enrol(jiang, clock)
    async with client_of(app, None) as thief:
        await thief.post("/api/session", json={"number": "0012-0015", "secret": PIN})

        async def guess(typed: str = "000000") -> tuple[int, str]:
            answer = await thief.post("/api/me/second-factor/proof", json={"code": typed})
            return answer.status_code, answer.json()["code"]

        # Sixteen at once are looked at five times at most.
        at_once = await asyncio.gather(*(guess() for _ in range(16)))
        assert sorted(at_once) == [(403, "identity.code_wrong")] * 5 + [(429, "identity.codes_too_many")] * 11
        # Not even the right one, until the minute is over; the next wrong one costs two, then four.
        assert (await guess(code(secret, clock)))[0] == 429
        for minutes in (1, 2, 4):
            clock.move(minutes=minutes)
            assert (await guess())[0] == 403
            assert (await guess())[0] == 429
        for _ in range(8):
            clock.move(hours=4)
            assert (await guess())[0] == 403
            assert (await guess())[0] == 429

        # The owner's session is known and waits for nothing of this; the owner was told.
        assert (await jiang.post("/api/me/second-factor/proof", json={"code": code(secret, clock)})).status_code == 204
        await app.state.worker.drain()
        assert "连着输错了好几次验证码" in (await jiang.get("/messages")).text
        # A new PIN puts the thief out, and hours later a new session is looked at again.
        assert (await jiang.put("/api/me/secret", json={"old": PIN, "secret": "246813"})).status_code == 204
        assert (await thief.get("/api/me")).status_code == 401
    clock.move(hours=4)
    async with client_of(app, None) as phone:
        await phone.post("/api/session", json={"number": "0012-0015", "secret": "246813"})
        assert (await phone.post("/api/me/second-factor/proof", json={"code": code(secret, clock)})).status_code == 204


async def test_a_known_session_has_its_own_count(jiang: Client, pins: None, clock: TownClock) -> None:
    secret, _ = await enrol(jiang, clock)
    wrong = [(await jiang.post("/api/me/second-factor/proof", json={"code": "000000"})).status_code for _ in range(6)]
    assert wrong == [403] * 5 + [429]
    late = await jiang.post("/api/me/second-factor/proof", json={"code": code(secret, clock)})
    assert (late.status_code, late.headers["retry-after"]) == (429, "60")
    clock.move(minutes=1)
    assert (await jiang.post("/api/me/second-factor/proof", json={"code": code(secret, clock)})).status_code == 204


async def test_a_code_changes_the_token_and_the_old_one_is_dead(
    app: Litestar, jiang: Client, town: Town, pins: None, clock: TownClock
) -> None:
    secret, _ = await enrol(jiang, clock)
    before = jiang.cookies.get(SESSION_COOKIE, domain="linli.example.org")
    answer = await jiang.post("/api/me/second-factor/proof", json={"code": code(secret, clock)})
    fresh = answer.headers["set-cookie"].split(";")[0].partition("=")[2]

    assert "Max-Age=" in answer.headers["set-cookie"]
    assert len({fresh, before, town.cookies["jiang"]}) == 3
    assert before
    for cookie, status in ((fresh, 200), (before, 401), (town.cookies["jiang"], 401)):
        async with client_of(app, cookie) as browser:
            assert (await browser.get("/api/me")).status_code == status


async def test_a_stopped_form_goes_on_with_what_was_typed(
    app: Litestar, jiang: Client, li: Client, pins: None, clock: TownClock
) -> None:
    secret, _ = await enrol(jiang, clock)
    clock.move(hours=13)
    url = f"/desk/people/{li.actor.member_id}/roles"

    asked = await jiang.post(url, data={"role": "volunteer", "_key": "once", "secret": "not-kept"})
    assert asked.status_code == 403
    assert "not-kept" not in asked.text
    kept = re.search(r'name="kept" value="([^"]*)"', asked.text)
    assert kept is not None
    form = {"url": url, "kept": kept[1].replace("&#34;", '"'), "code": code(secret, clock)}
    going_on = await jiang.post("/me/second-factor/proof", data=form)
    assert going_on.status_code == 200
    assert f'<form action="{url}" method="post">' in going_on.text
    fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', going_on.text))
    assert (fields["role"], fields["_key"]) == ("volunteer", "once")
    done = await jiang.post(url, data={name: fields[name] for name in ("role", "_key")})
    assert done.status_code == 303
    assert "volunteer" in (await li.get("/api/me")).json()["roles"]


@pytest.mark.parametrize("kept", ["[", "{}", '[["a"]]', "[[1, 2]]", "null", "\x00"])
async def test_a_form_that_cannot_be_read_is_simply_not_kept(
    jiang: Client, pins: None, clock: TownClock, kept: str
) -> None:
    secret, _ = await enrol(jiang, clock)
    form = {"url": "https://evil.example", "kept": kept, "code": code(secret, clock)}

    answer = await jiang.post("/me/second-factor/proof", data=form)

    assert answer.status_code == 200
    assert "evil.example" not in answer.text


async def test_ones_own_is_ended_with_a_code_and_enrolled_anew(jiang: Client, pins: None, clock: TownClock) -> None:
    secret, _ = await enrol(jiang, clock)
    assert (await jiang.post("/api/me/second-factor/end", json={"code": "000000"})).status_code == 403
    assert (await jiang.post("/me/second-factor/end", data={"code": code(secret, clock)})).status_code == 303
    gone = await jiang.post("/api/me/second-factor/proof", json={"code": code(secret, clock, steps=1)})
    assert (gone.status_code, gone.json()["code"]) == (404, "identity.no_factor")
    await enrol(jiang, clock)


@pytest.mark.parametrize(
    "typed", ["", "12345", "1234567", "１２３４５", "A" * 13, "0" + "O" * 12, "0" + "A" * 11, "\x00" * 6, "9" * 64]
)
def test_what_is_no_code_is_refused_before_anything_is_counted(typed: str) -> None:
    with pytest.raises(CodeWrong):
        read_code(typed)


def test_codes_are_read_as_people_type_them() -> None:
    assert read_code(" １２３ ４５６ ").digits == "123456"
    read = read_code("3-abcd-efgh-jkmn")
    assert (read.number, read.letters) == (3, "ABCDEFGHJKMN")
    assert len(read.letters) == RECOVERY_LENGTH
