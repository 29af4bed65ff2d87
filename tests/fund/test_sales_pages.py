"""The pages of shops and of the desk."""

from datetime import timedelta

import pytest

from service.kit.clock import local_day
from tests.cast import START
from tests.fund.conftest import line, owed, sent

pytestmark = pytest.mark.anyio
TODAY = local_day(START)
DAY = {"sold_on": TODAY.isoformat(), "sales": "12", "amount_yuan": "345.6"}


async def test_the_owner_types_a_day_once_and_after_taking_it_back_again(app, zhou, bakery):
    here = f"/shop/fund/{bakery}"
    assert (await zhou.get("/shop/fund")).headers["location"] == here

    first = await zhou.post(f"{here}/sales", data=DAY)
    same = await zhou.post(f"{here}/sales", data=DAY)
    other = await zhou.post(f"{here}/sales", data=DAY | {"sales": "13"})

    assert first.headers["location"] == f"{here}?done=fund.sent"
    assert same.headers["location"] == f"{here}?done=fund.known"
    assert other.status_code == 409
    assert "这个编号报过别的内容" in other.text
    assert 'value="13"' in other.text
    assert await owed(app, bakery) == [120]

    back = {"number": f"day:{TODAY}", "reason": "少算了一笔"}
    assert (await zhou.post(f"{here}/corrections", data=back)).status_code == 303
    assert (await zhou.post(f"{here}/sales", data=DAY | {"sales": "13"})).headers["location"].endswith("fund.sent")
    assert await owed(app, bakery) == [130]
    page = (await zhou.get(here)).text
    assert "少算了一笔" in page
    assert "1.30" in page


async def test_what_cannot_be_read_comes_back_with_what_was_typed(zhou, bakery):
    answer = await zhou.post(f"/shop/fund/{bakery}/sales", data=DAY | {"amount_yuan": "十块"})

    assert answer.status_code == 422
    assert "十块" in answer.text


async def test_staff_enter_for_a_shop_and_see_who_sent_what(wu, he, zhou, bakery):
    here = f"/desk/fund/shops/{bakery}"

    assert (await wu.post(f"{here}/sales", data=DAY)).headers["location"] == f"{here}?done=fund.sent"
    await zhou.post(sent(bakery), json={"lines": [line("=1+1")]})

    page = (await he.get(here)).text
    assert "居委会代报" in page
    assert "收银机报的" in page
    assert "替这家店报一天" not in page
    assert (await he.post(f"{here}/sales", data=DAY)).status_code == 403
    overview = (await he.get("/desk/fund")).text
    assert "1.30" in overview


async def test_a_rate_is_proposed_and_agreed_on_the_desk(wu, qian, zhou, town):
    shop = town.organisations["bakery"]
    tomorrow = (TODAY + timedelta(days=1)).isoformat()
    form = {"shop": str(shop), "basis": "per_mille", "value": "5", "effective_from": tomorrow}

    assert (await wu.post("/desk/fund/rates", data=form)).headers["location"] == "/desk/fund?done=fund.rate_proposed"
    again = await wu.post("/desk/fund/rates", data=form)
    assert again.status_code == 409
    waiting = (await qian.get("/api/fund/shops")).json()["waiting"]
    where = f"/desk/fund/shops/{shop}/rates/{waiting[0]['rate_id']}"
    assert (await qian.get("/desk")).text.count("/desk/fund") > 1
    assert (await wu.post(f"{where}/agree")).status_code == 403
    assert (await qian.post(f"{where}/agree")).status_code == 303
    assert "营业额的千分之 5" in (await zhou.get(f"/shop/fund/{shop}")).text


async def test_a_page_costs_the_same_for_one_line_and_for_fifty(app, wu, zhou, bakery, statements):
    async def cost() -> int:
        with statements() as seen:
            assert (await wu.get(f"/desk/fund/shops/{bakery}")).status_code == 200
        return len(seen)

    await zhou.post(sent(bakery), json={"lines": [line(0)]})
    one = await cost()
    await zhou.post(sent(bakery), json={"lines": [line(number) for number in range(1, 50)]})
    assert await cost() == one
