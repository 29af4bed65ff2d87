"""What people see and press, and the same by API; and what nobody is shown."""

import asyncio
import re
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

import ledger
from service import chart
from service.chart import Reason
from service.clearing.actions import agreements
from service.clearing.rules import LOOKS_MAX, Unit, code_of
from tests.cast import ELSEWHERE, HERE, Client, client_of
from tests.clearing.conftest import Pair, give

pytestmark = pytest.mark.anyio

STRANGER = {"partner": str(ELSEWHERE), "card": "0001-0001", "name": "外乡人", "unit": "minute", "amount": "1.5"}


async def test_a_member_looks_sends_and_sees_it_arrive(pair: Pair, chen: Client) -> None:
    form = await chen.get("/clearing/new")
    assert "民乐社区" in form.text
    seen = await chen.post("/clearing/check", data=STRANGER)
    assert seen.status_code == 200
    assert "外**" in seen.text
    assert "8.5" in seen.text, "what is left afterwards"

    sent = await chen.post("/clearing", data={**STRANGER, "_key": "once"})
    again = await chen.post("/clearing", data={**STRANGER, "_key": "once"})
    assert sent.status_code == 303
    assert sent.headers["location"] == again.headers["location"]
    assert await pair.balance("chen") == 510
    path = sent.headers["location"].split("?")[0]
    assert "在路上" in (await chen.get(path)).text

    await pair.settle()

    assert "已到账" in (await chen.get(path)).text
    book = (await chen.get("/passbook?unit=minute")).text
    assert "转到别的社区" in book
    assert "民乐社区" in book
    async with client_of(pair.app, pair.town.cookies["stranger"]) as stranger:
        theirs = (await stranger.get("/passbook?unit=minute")).text
        assert f"兴乐社区 {code_of(UUID(path.rsplit('/', 1)[1]))}" in theirs
        page = (await stranger.get(path)).text
        assert "0012-0003" in page
        assert "陈助人" not in page


async def test_what_was_typed_is_kept_when_it_is_refused(pair: Pair, chen: Client) -> None:
    refused = await chen.post("/clearing/check", data={**STRANGER, "name": "外乡客"})
    assert refused.status_code == 404
    assert "姓名对不上" in refused.text
    assert 'value="外乡客"' in refused.text
    unknown = await chen.post("/clearing/check", data={**STRANGER, "card": "0001-9999"})
    assert "姓名对不上" in unknown.text, "a wrong card and a wrong name look the same"
    odd = await chen.post("/clearing/check", data={**STRANGER, "amount": "一小时"})
    assert odd.status_code == 422
    back = await chen.post("/clearing/new", data=STRANGER)
    assert 'value="1.5"' in back.text
    assert await pair.owed() == (0, 0)


@pytest.mark.parametrize("amount", ["0.001", "-1", "0", "1e9", "NaN", "Infinity", "99999999999999999999", ""])
async def test_an_odd_amount_is_named(pair: Pair, chen: Client, amount: str) -> None:
    for path in ("/clearing/check", "/clearing"):
        answer = await chen.post(path, data={**STRANGER, "amount": amount})
        assert answer.status_code == 422, answer.text


async def test_nobody_tries_out_names(pair: Pair, chen: Client) -> None:
    asked = {"partner": ELSEWHERE, "card": "0001-0001", "name": "外某某"}
    answers = [(await chen.post("/api/clearing/receivers", json=asked)).status_code for _ in range(LOOKS_MAX + 1)]

    assert answers[:LOOKS_MAX] == [404] * LOOKS_MAX
    assert answers[-1] == 429
    assert (await chen.post("/clearing", data=STRANGER)).status_code == 429
    pair.clock.move(minutes=16)
    assert (await chen.post("/api/clearing/receivers", json={**asked, "name": "外乡人"})).json() == {
        "card": "0001-0001",
        "masked": "外**",
    }


async def test_staff_send_for_somebody_and_both_names_stand_there(pair: Pair, wu: Client, chen: Client) -> None:
    member = str(pair.town.actors["chen"].member_id)
    found = await wu.get("/desk/clearing/send?q=0012-0003")
    assert member in found.text
    data = {**STRANGER, "member": member, "unit": "point", "amount": "12.5"}
    seen = await wu.post("/desk/clearing/send/check", data=data)
    assert "外**" in seen.text
    sent = await wu.post("/desk/clearing/send", data={**data, "_key": "once"})
    assert sent.status_code == 303
    assert await pair.balance("chen", Unit.POINT) == 8750

    listed = (await chen.get("/api/clearing")).json()["items"]
    assert listed[0]["by_staff"] is True
    page = (await chen.get(f"/clearing/{listed[0]['transfer_id']}")).text
    assert "由工作人员 吴** 代办" in page
    async with pair.app.state.sessions() as session:
        noted = await session.execute(
            sa.text("SELECT actor_id, on_behalf_of FROM audit WHERE action = 'clearing.sent'")
        )
        assert tuple(noted.one()) == (wu.actor.member_id, chen.actor.member_id)


async def test_the_api_sends_once_and_calls_back(pair: Pair, chen: Client, sun: Client) -> None:
    body = {"partner": ELSEWHERE, "card": "0001-0001", "name": "外乡人", "unit": "minute", "amount": 60}
    key = {"idempotency-key": str(uuid4())}
    first = await chen.post("/api/clearing", json=body, headers=key)
    second = await chen.post("/api/clearing", json=body, headers=key)
    assert first.status_code == second.status_code == 201
    assert first.json() == second.json()
    number = first.json()["transfer_id"]
    assert (await sun.get(f"/api/clearing/{number}")).status_code == 404
    assert (await sun.post(f"/api/clearing/{number}/recall")).status_code == 404

    back = await chen.post(f"/api/clearing/{number}/recall")
    assert back.json()["state"] == "recalled"
    assert (await chen.post(f"/api/clearing/{number}/recall")).status_code == 409
    for fact in reversed(await pair.recorded()):
        await pair.tell(fact)
    await pair.settle()

    assert (await chen.get(f"/api/clearing/{number}")).json()["refused"] == "recalled"
    assert await pair.balance("chen") == 600


async def test_the_desk_compares_both_sides_and_shows_nobody_of_theirs(pair: Pair, qian: Client) -> None:
    number = await pair.send("chen", "stranger", 60)
    await pair.send("stranger", "sun", 30)
    await pair.settle()
    late = await pair.send("sun", "stranger", 15)

    overview = (await qian.get("/desk/clearing")).text
    assert "我们欠对方" in overview
    assert "对得上" in overview
    page = (await qian.get(f"/desk/clearing/{ELSEWHERE}")).text
    assert code_of(number) in page
    assert "0001-0001" in page
    assert "外乡" not in page
    pair.clock.move(hours=2)
    assert code_of(late) in (await qian.get(f"/desk/clearing/{ELSEWHERE}?shown=stuck")).text
    assert "没有回音" in (await qian.get("/desk")).text
    for text in (code_of(number).lower(), "0012-0003", "0001-0001"):
        assert code_of(number) in (await qian.get(f"/desk/clearing/{ELSEWHERE}?q={text}")).text
    compared = (await qian.get(f"/api/clearing/partners/{ELSEWHERE}")).json()
    assert [one["owed"] for one in compared["positions"]] == [45, 0]
    assert compared["difference"] is None
    file = await qian.get(f"/desk/clearing/{ELSEWHERE}/transfers.csv")
    assert file.text.startswith("\ufeff编号")
    assert len(file.text.strip().splitlines()) == 4
    assert (await qian.get("/desk/clearing/7")).status_code == 404


async def test_the_first_transfer_that_differs_is_named(pair: Pair, qian: Client, he: Client) -> None:
    first = await pair.send("chen", "stranger", 60)
    pair.clock.move(minutes=1)
    await pair.send("chen", "stranger", 30)
    await pair.settle()
    async with pair.app.state.sessions.begin() as session:
        await session.execute(
            sa.text("UPDATE clearing_transfer SET state = 'refused', refused = 'left' WHERE direction = 'in'")
        )

    page = (await he.get(f"/desk/clearing/{ELSEWHERE}")).text
    assert f"第一笔两边说法不一样的是 {code_of(first)}" in page
    faults = await pair.faults()
    assert any("clearing.account_differs" in fault for fault in faults)
    assert any("clearing.transfers_differ" in fault and code_of(first) in fault for fault in faults)


async def test_a_list_costs_the_same_for_one_row_and_for_fifty(pair: Pair, qian: Client, statements) -> None:
    await pair.send("chen", "stranger", 1)
    counts = []
    for more in (0, 49):
        for _ in range(more):
            await pair.send("chen", "stranger", 1)
        with statements() as seen:
            assert (await qian.get(f"/desk/clearing/{ELSEWHERE}")).status_code == 200
        counts.append(len(seen))

    assert counts[0] == counts[1]


async def test_pages_lead_on(pair: Pair, qian: Client, chen: Client) -> None:
    for _ in range(55):
        await pair.send("chen", "stranger", 1)
    codes = set()
    for start, client in ((f"/desk/clearing/{ELSEWHERE}", qian), ("/clearing", chen)):
        first = await client.get(start)
        link = re.search(r'href="([^"]+)" rel="next"', first.text)
        assert link is not None
        second = await client.get(link[1].replace("&amp;", "&"))
        assert second.status_code == 200
        if client is qian:
            codes = set(re.findall(r"[2-9A-Z]{5}-[2-9A-Z]{5}", first.text + second.text))
    assert len(codes) == 55


async def test_agreement_and_netting_by_page_and_by_paper(apart: Pair, jiang: Client, qian: Client) -> None:
    proposed = await jiang.post(
        "/desk/clearing/agreements", data={"partner": str(ELSEWHERE), "hours_max": "100", "points_max": "100"}
    )
    assert proposed.status_code == 303
    await apart.settle()
    async with client_of(apart.app, apart.town.cookies["stranger_staff"]) as elsewhere:
        # The one who may do nearly everything there is no administrator: accept by hand, as theirs would.
        assert (await elsewhere.post(f"/desk/clearing/{HERE}/accept")).status_code == 403
        await apart.do(agreements.accept, actor=apart.town.actors["stranger_staff"], partner_id=HERE)
        await apart.settle()
        await give(apart, "chen", 600, 100)
        await apart.send("chen", "stranger", 60)
        await apart.settle()
        apart.clock.move(days=10)

        made = await qian.post(f"/desk/clearing/{ELSEWHERE}/nettings", data={"_key": "net"})
        page = made.headers["location"].split("?")[0]
        assert "等对方社区的财务确认" in (await qian.get(page)).text
        await apart.settle()
        theirs = (await elsewhere.get(page)).text
        assert "两边的数一样" in theirs
        assert "0012-0003" in (await elsewhere.get(f"{page}/print")).text
        done = await elsewhere.post(f"{page}/confirm", data={"_key": "yes"})
        assert done.status_code == 303
        await apart.settle()
        paper = (await qian.get(f"{page}/print")).text
        assert "社区间轧差单" in paper
        assert "0001-0001" in paper
        assert "外办事" not in paper
        assert "外办事" in (await elsewhere.get(f"{page}/print")).text
    assert await apart.owed() == (0, 0)
    ended = await jiang.post(f"/desk/clearing/{ELSEWHERE}/end", data={"_key": "end"})
    assert ended.status_code == 303


async def test_staff_see_where_it_is_and_call_it_back_for_them(pair: Pair, wu: Client, chen: Client) -> None:
    number = await pair.send("chen", "stranger", 60)
    other = await pair.send("sun", "stranger", 60)
    member = str(chen.actor.member_id)
    page = (await wu.get(f"/desk/clearing/send?member={member}")).text
    assert code_of(number) in page
    assert code_of(other) not in page

    wrong = await wu.post(f"/desk/clearing/send/{other}/recall", data={"member": member, "_key": "a"})
    assert wrong.status_code == 404
    done = await wu.post(f"/desk/clearing/send/{number}/recall", data={"member": member, "_key": "b"})
    assert done.status_code == 303
    later = await wu.post(f"/api/clearing/members/{member}/{number}/recall")
    assert later.status_code == 409
    for fact in reversed(await pair.recorded()):
        await pair.tell(fact)
    await pair.settle()

    assert await pair.balance("chen") == 600
    assert "已退回" in (await wu.get(f"/desk/clearing/send?member={member}")).text


async def test_two_taps_at_the_same_moment_send_once(pair: Pair, chen: Client) -> None:
    taps = [chen.post("/clearing", data={**STRANGER, "_key": "the same"}) for _ in range(4)]
    answers = await asyncio.gather(*taps)

    assert {answer.status_code for answer in answers} == {303}
    assert len({answer.headers["location"] for answer in answers}) == 1
    assert await pair.balance("chen") == 510


async def test_books_that_differ_stand_in_the_inbox_of_finance(pair: Pair, qian: Client) -> None:
    await pair.send("chen", "stranger", 60)
    await pair.settle()
    assert "对不上" not in (await qian.get("/desk")).text
    async with pair.app.state.sessions.begin() as session:
        account = chart.clearing(HERE)
        legs = (ledger.Leg(chart.ISSUED, account, Unit.MINUTE, 1),)
        await ledger.post(
            session, ELSEWHERE, ledger.Journal("by-hand", Reason.CORRECTION, legs, None), now=pair.clock()
        )

    assert "和这个社区的账对不上" in (await qian.get("/desk")).text
    faults = await pair.faults()
    assert any("clearing.positions_differ" in fault for fault in faults)
    assert any("clearing.account_differs" in fault for fault in faults)
