"""The pages of residents, repairers and whoever dispatches, without a script."""

import io
import re
from uuid import uuid4

import pytest
from PIL import Image

from service.households.rules import HouseholdKind
from tests.repairs.conftest import TAP
from tests.repairs.test_photos import jpeg
from tests.wishes.acts import counted

HTML = {"accept": "text/html"}


async def press(client, url, given=None, photo=None):
    """A form, sent as a browser does; answers the page that it leads to."""
    fields = {"_key": uuid4().hex, "_csrf_token": client.headers["x-csrftoken"], **(given or {})}
    if photo is not None:
        answer = await client.post(url, data=fields, files={"photo": ("a.jpg", photo, "image/jpeg")}, headers=HTML)
    else:
        answer = await client.post(url, data=fields, headers=HTML)
    return answer


async def led(client, url, given=None, photo=None):
    answer = await press(client, url, given, photo)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"].split("?")[0]


async def text(client, url):
    answer = await client.get(url, headers=HTML)
    assert answer.status_code == 200, answer.text
    return answer.text


def agreeing(page):
    """What the button of the yes sends along."""
    form = re.search(r'name="revision" value="(\d+)"', page)
    assert form, page
    return {"revision": form[1]}


async def test_from_the_report_to_the_warranty_on_pages(jobs, zheng, classify):
    granny, wang, wu = (jobs.clients[who] for who in ("granny", "wang", "wu"))
    given = {"kind": "lonely", "team": str(jobs.team), "percent": 50}
    assert (await zheng.post("/api/entitlements/discounts", json=given)).status_code == 201
    await classify()
    path = await led(granny, "/repairs", {"text": "水龙头漏水", "trade": "water", "is_urgent": "1"}, jpeg())
    assert "水龙头漏水" in await text(granny, "/repairs")
    assert "水龙头漏水" in await text(wu, "/desk/repairs?shown=waiting&trade=water")
    shown = await text(wu, f"/desk{path}")
    choice = re.search(r'name="who" value="([^"]+)"', shown)
    assert choice, shown
    await led(wu, f"/desk{path}/assign", {"who": choice[1]})
    assert "水龙头漏水" in await text(wang, "/repairs/jobs")
    await led(wang, f"{path}/take")
    form = await text(wang, f"{path}/quote")
    number = re.search(r'<h2>维修水龙头</h2>.*?name="quantity_(\d+)"', form, re.DOTALL)
    assert number, form
    dear = await press(wang, f"{path}/quote", {f"quantity_{number[1]}": "1", f"yuan_{number[1]}": "20.05"})
    assert dear.status_code == 422
    assert "价钱不在价目表的范围里" in dear.text
    await led(wang, f"{path}/quote", {f"quantity_{number[1]}": "1", f"yuan_{number[1]}": "20"})
    await led(granny, f"{path}/agree", agreeing(await text(granny, path)))
    for step in ("go", "arrive"):
        await led(wang, f"{path}/{step}")
    early = await press(wang, f"{path}/finish", {"minutes": "40"}, jpeg("blue"))
    assert early.status_code == 422
    assert "比到了以后的时间还长" in early.text
    jobs.clock.move(minutes=39)
    assert 'name="minutes" type="number" inputmode="decimal" value="40"' in await text(wang, path)
    without = await press(wang, f"{path}/finish", {"minutes": "40"})
    assert without.status_code == 409
    assert "请拍一张修好以后的照片" in without.text
    await led(wang, f"{path}/finish", {"minutes": "40"}, jpeg("blue"))
    done = await text(granny, path)
    code = re.search(r'<p class="code">([^<]+)</p>', done)
    assert code, done
    assert 'class="code"' not in await text(wang, path)
    wrong = await press(wang, f"{path}/accept", {"code": "2222-2222-2222", "nonce": str(uuid4())})
    assert wrong.status_code in (404, 409, 422)
    await led(wang, f"{path}/accept", {"code": code[1], "nonce": str(uuid4())})
    for client, url in ((granny, path), (wang, path), (wu, f"/desk{path}")):
        page = await text(client, url)
        assert "已验收" in page
        assert not any(f'"{kind.value}"' in page or f">{kind.value}<" in page for kind in HouseholdKind)
    await led(granny, f"{path}/claim", {"reason": "又漏了"})
    assert "又漏了" in await text(zheng, f"/desk{path}")
    await led(zheng, f"/desk{path}/uphold", {"reason": "看过了"})
    repair = (await jobs.look(f"/api{path}"))["repair"]
    assert (repair["warranty"], repair["minutes"]) == ("given_back", 40)


async def test_a_yes_is_to_the_price_that_was_on_the_page(jobs):
    path = (await jobs.taken()).removeprefix("/api")
    granny, wu = jobs.clients["granny"], jobs.clients["wu"]
    await jobs.post("wang", f"/api{path}/quote", {"lines": [TAP]})
    seen = agreeing(await text(granny, path))
    await jobs.post("wang", f"/api{path}/quote", {"lines": [TAP | {"quantity": 3}]})

    pages = []
    for client, url in ((granny, path), (wu, f"/desk{path}")):
        late = await press(client, f"{url}/agree", seen)
        assert late.status_code == 409
        assert "价钱刚刚改过" in late.text
        assert "60.00" in late.text
        pages.append(agreeing(late.text))
    assert (await press(granny, f"{path}/agree")).status_code == 422
    assert (await jobs.look(f"/api{path}"))["repair"]["state"] == "quoted"

    assert seen not in pages
    await led(granny, f"{path}/agree", pages[0])

    assert (await jobs.look(f"/api{path}"))["repair"]["cash_fen"] == 6000


async def test_a_photo_that_is_none_gives_the_form_back(jobs):
    granny = jobs.clients["granny"]
    answer = await press(granny, "/repairs", {"text": "水龙头漏水", "trade": "water"}, "不是照片".encode())
    assert answer.status_code == 422
    assert "这不是能用的照片" in answer.text
    assert "水龙头漏水" in answer.text
    assert "还没有报过修" in await text(granny, "/repairs")


async def test_pressed_twice_it_is_one_order(jobs):
    granny = jobs.clients["granny"]
    given = {"text": "灯不亮", "trade": "power", "_key": uuid4().hex}
    first, second = await led(granny, "/repairs", given), await led(granny, "/repairs", given)
    assert first == second
    assert len((await jobs.look("/api/repairs/mine"))["items"]) == 1


async def test_a_call_is_written_down_and_the_resident_says_yes_on_the_phone(jobs):
    wu, wang = jobs.clients["wu"], jobs.clients["wang"]
    assert "李奶奶" in await text(wu, "/desk/repairs/new?q=李奶奶")
    member = str(jobs.clients["granny"].actor.member_id)
    assert "李奶奶" in await text(wu, f"/desk/repairs/new?member={member}")
    desk = await led(wu, "/desk/repairs", {"asked_by": member, "text": "门锁打不开", "trade": "lock"})
    path = desk.removeprefix("/desk")
    await jobs.post("wu", f"/api{path}/assignment", {"team": str(jobs.team), "repairer": str(wang.actor.member_id)})
    await led(wang, f"{path}/take")
    await led(wang, f"{path}/quote")
    await led(wu, f"{desk}/agree", agreeing(await text(wu, desk)))
    assert (await jobs.look(f"/api{path}"))["repair"]["state"] == "agreed"
    assert "上门维修证" in await text(wang, f"{path}/badge")
    assert "李奶奶" not in await text(wang, f"{path}/badge")


async def test_whoever_can_do_it_comes_first_and_the_reasons_are_shown(jobs, li):
    wu, wang = jobs.clients["wu"], jobs.clients["wang"]
    granny = str(jobs.clients["granny"].actor.member_id)
    made = await jobs.post("wu", "/api/desk/repairs", {"text": "水管", "trade": "water", "asked_by": granny}, 201)
    url = f"/api/desk/repairs/{made['order_id']}/candidates"
    before = (await wu.get(url)).json()["items"]
    assert [(one["name"], one["can_do"]) for one in before] == [("王扳手", False)]
    await led(wu, f"/desk/repairs/skills/{wang.actor.member_id}", {"trades": "water"})
    after = (await wu.get(url)).json()["items"]
    assert [(one["can_do"], one["trades"]) for one in after] == [(True, ["water"])]
    assert "会修这一类" in await text(wu, f"/desk/repairs/{made['order_id']}")
    nobody = await wu.put(f"/api/desk/repairers/{li.actor.member_id}/skills", json={"trades": ["lock"]})
    assert nobody.json()["code"] == "repairs.no_repairer"


async def test_a_repairer_declines_on_the_page_and_sees_it_no_more(jobs):
    path = (await jobs.taken()).removeprefix("/api")
    wang = jobs.clients["wang"]
    assert await led(wang, f"{path}/decline", {"reason": "too_far"}) == "/repairs/jobs"
    assert (await wang.get(path, headers=HTML)).status_code == 404
    assert "太远了" in await text(jobs.clients["wu"], f"/desk{path}")


async def test_the_list_as_a_file_and_the_months_sheet_in_numbers(jobs):
    await jobs.accepted(await jobs.done())
    wu = jobs.clients["wu"]
    file = (await wu.get("/desk/repairs/list.csv?shown=all")).content.decode("utf-8-sig")
    assert "水龙头漏水" in file
    assert "20.00" in file
    sheet = (await wu.get("/api/desk/repairs/month")).json()["items"]
    assert sheet == [
        {
            "repairer": "王扳手", "jobs": 1, "normal": 1, "reduced": 0, "free": 0, "minutes": 40,
            "cash_fen": 2000, "payable_fen": 0, "claimed": 0,
        }
    ]  # fmt: skip
    page, table = await text(wu, "/desk/repairs/month"), (await wu.get("/desk/repairs/month.csv")).text
    assert "王扳手" in page
    assert "王扳手" in table
    assert "李奶奶" not in page + table


async def test_messages_go_to_whom_the_step_concerns(jobs, told):
    path = await jobs.done()
    await jobs.accepted(path)
    await told()
    assert [sorted(await texts(jobs.clients[who])) for who in ("granny", "wang")] == [
        sorted(
            [
                "师傅接了您的报修，会先报个价。",
                "师傅报了价，请您看看同意不同意。",
                "师傅已经出发，往您家来。",
                "师傅说修好了。请看一看，再出示验收码。",
                "您的报修已经验收，谢谢您。",
            ]
        ),
        sorted(["有一单维修派给您，请看看接不接。", "居民同意了价钱，可以上门了。"]),
    ]
    assert "来了一张新的报修单，请安排师傅。" in await texts(jobs.clients["wu"])


async def texts(client):
    return [item["text"] for item in (await client.get("/api/messages")).json()["items"] if "repairs" in item["url"]]


@pytest.mark.parametrize("who", ["li", "he"])
async def test_others_open_nothing(jobs, who):
    path = (await jobs.taken()).removeprefix("/api")
    for url in (path, f"{path}/code", f"{path}/badge", f"/desk{path}"):
        assert (await jobs.clients[who].get(url, headers=HTML)).status_code in (403, 404)


async def test_the_desk_costs_the_same_for_one_and_for_many(app, jobs):
    granny = str(jobs.clients["granny"].actor.member_id)
    wu = jobs.clients["wu"]

    async def cost():
        with counted(app) as seen:
            await text(wu, "/desk/repairs")
        return len(seen)

    await jobs.post("wu", "/api/desk/repairs", {"text": "灯不亮", "asked_by": granny}, 201)
    one = await cost()
    for _ in range(9):
        await jobs.post("wu", "/api/desk/repairs", {"text": "灯不亮", "asked_by": granny}, 201)
    assert await cost() == one


def test_the_picture_of_the_tests_is_one():
    assert Image.open(io.BytesIO(jpeg())).size == (60, 40)
