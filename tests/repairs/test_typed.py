"""What people may type into an address or a field: each is answered in words, never by a fault."""

import re
from datetime import date
from uuid import uuid4

import pytest

from service.kit import photos
from service.repairs.queries.month import month_of
from tests.repairs.test_jobs import half_price
from tests.repairs.test_pages import HTML, press, text, texts
from tests.repairs.test_photos import jpeg, send


@pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01", "3000-01-01", "1899-12-31"])
async def test_a_month_out_of_all_reason_is_refused(jobs, day):
    wu = jobs.clients["wu"]
    for url in ("/desk/repairs/month", "/desk/repairs/month.csv"):
        assert (await wu.get(f"{url}?day={day}", headers=HTML)).status_code == 422
    answer = await wu.get(f"/api/desk/repairs/month?day={day}")
    assert (answer.status_code, answer.json()["code"]) == (422, "kit.invalid")


@pytest.mark.parametrize("day", ["1900-01-01", "2999-12-31"])
async def test_the_first_and_the_last_month_are_shown(jobs, day):
    wu = jobs.clients["wu"]
    assert "这个月还没有验收的维修" in await text(wu, f"/desk/repairs/month?day={day}")
    assert (await wu.get(f"/api/desk/repairs/month?day={day}")).json()["begins"] == day[:8] + "01"


def test_a_month_ends_where_the_next_begins():
    assert month_of(date(2026, 12, 31)) == (date(2026, 12, 1), date(2027, 1, 1))


async def quoted(jobs, **given):
    path = (await jobs.taken()).removeprefix("/api")
    form = await text(jobs.clients["wang"], f"{path}/quote")
    number = re.search(r'<h2>维修水龙头</h2>.*?name="quantity_(\d+)"', form, re.DOTALL)
    assert number, form
    fields = {f"{name}_{number[1]}": value for name, value in given.items()}
    return await press(jobs.clients["wang"], f"{path}/quote", fields)


@pytest.mark.parametrize("quantity", ["9" * 5_000, "1" + "0" * 4_299, "100", "-1", "一"])
async def test_a_number_that_is_none_is_named(jobs, quantity):
    answer = await quoted(jobs, quantity=quantity)
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.text


async def test_a_price_goes_in_steps_of_five_fen_and_the_field_says_so(jobs):
    answer = await quoted(jobs, quantity="1", yuan="15.03")
    assert answer.status_code == 422
    assert "价钱要是五分的整倍数" in answer.text
    assert 'aria-invalid="true"' in answer.text
    assert (await quoted(jobs, quantity="001", yuan="15.05")).status_code == 303


@pytest.mark.parametrize("words", ["  ", "\u3000\u3000\u3000", " 水 ", "\n\t"])
async def test_spaces_are_no_words(jobs, words):
    granny = str(jobs.clients["granny"].actor.member_id)
    for who, url, given in (
        ("granny", "/api/repairs", {"text": words}),
        ("wu", "/api/desk/repairs", {"text": words, "asked_by": granny}),
    ):
        assert (await jobs.clients[who].post(url, json=given)).status_code == 422
    assert (await press(jobs.clients["granny"], "/repairs", {"text": words, "trade": "water"})).status_code == 422
    made = await jobs.post("granny", "/api/repairs", {"text": "  漏水\n很急 "}, 201)
    assert made["text"] == "漏水\n很急"


async def test_a_claim_that_was_refused_still_counts_in_the_month(jobs, zheng, classify):
    await half_price(zheng, jobs)
    await classify()
    path = await jobs.done()
    await jobs.accepted(path)
    await jobs.post("granny", f"{path}/warranty-claim", {"reason": "又漏了"})
    await jobs.post("zheng", f"{path}/warranty-claim/refusal", {"reason": "看过了，没有坏"})
    [line] = (await jobs.clients["wu"].get("/api/desk/repairs/month")).json()["items"]
    assert (line["jobs"], line["claimed"]) == (1, 1)


async def test_a_warranty_is_promised_where_there_is_one(jobs, zheng, classify, told):
    first = await jobs.done(minutes=0)
    await jobs.accepted(first)
    await half_price(zheng, jobs)
    await classify()
    second = await jobs.done()
    await jobs.accepted(second)
    await told()
    said = [each for each in await texts(jobs.clients["granny"]) if "验收。" in each or "验收，" in each]
    assert sorted(said) == ["您的报修已经验收。又坏了，质保期内可以说。", "您的报修已经验收，谢谢您。"]


async def test_the_sheet_for_the_door_is_there_while_there_is_something_to_do(clock, jobs):
    wang = jobs.clients["wang"]
    given = {"team": str(jobs.team), "repairer": str(wang.actor.member_id)}
    reported = await jobs.post("granny", "/api/repairs", {"text": "水管漏水"}, 201)
    await jobs.post("wu", f"/api/repairs/{reported['order_id']}/assignment", given)
    path = f"/repairs/{reported['order_id']}"
    assert (await wang.get(f"{path}/badge", headers=HTML)).status_code == 409
    assert f"{path}/badge" not in await text(wang, path)
    await jobs.post("wang", f"/api{path}/taking")
    clock.move(days=1)
    assert f"{path}/badge" in await text(wang, path)
    assert "11 月 23 日" in await text(wang, f"{path}/badge")

    done = (await jobs.done()).removeprefix("/api")
    assert "上门维修证" in await text(wang, f"{done}/badge")
    await jobs.accepted(f"/api{done}")
    assert (await wang.get(f"{done}/badge", headers=HTML)).status_code == 409
    assert f"{done}/badge" not in await text(wang, done)


async def test_another_photo_under_the_same_key_is_refused(jobs):
    path = await jobs.taken()
    granny = jobs.clients["granny"]
    granny.headers["idempotency-key"] = uuid4().hex
    first = await send(granny, path, jpeg("red"))
    again = await send(granny, path, jpeg("red"))
    assert (first.status_code, again.json()) == (201, first.json())
    other = await send(granny, path, jpeg("blue"))
    assert (other.status_code, other.json()["code"]) == (422, "kit.key_reused")


async def test_another_photo_in_the_same_form_is_refused(jobs):
    given = {"text": "灯不亮", "trade": "power", "_key": uuid4().hex}
    granny = jobs.clients["granny"]
    assert (await press(granny, "/repairs", given, jpeg("red"))).status_code == 303
    assert (await press(granny, "/repairs", given, jpeg("red"))).status_code == 303
    assert (await press(granny, "/repairs", given, jpeg("blue"))).status_code == 422


async def test_no_connection_waits_for_a_photo(app, jobs, monkeypatch):
    """Two photos are drawn at once, and many may wait for that: nobody else may wait with them."""
    held, redraw = [], photos.redraw

    def watched(content):
        held.append(app.state.engine.pool.checkedout())
        return redraw(content)

    monkeypatch.setattr(photos, "redraw", watched)
    granny, wang, wu = (jobs.clients[who] for who in ("granny", "wang", "wu"))
    asked = str(granny.actor.member_id)
    path = await jobs.agreed()
    for step in ("departure", "arrival"):
        await jobs.post("wang", f"{path}/{step}")
    page = path.removeprefix("/api")
    sent = [
        await press(granny, "/repairs", {"text": "灯不亮", "trade": "power"}, jpeg("red")),
        await press(wu, "/desk/repairs", {"asked_by": asked, "text": "灯不亮", "trade": "power"}, jpeg("green")),
        await press(granny, f"{page}/photos", {}, jpeg("white")),
        await press(wang, f"{page}/finish", {"minutes": "5"}, jpeg("blue")),
        await send(granny, path, jpeg("black")),
    ]
    assert [answer.status_code for answer in sent] == [303, 303, 303, 303, 201]
    assert held == [0] * 5
