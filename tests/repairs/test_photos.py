"""Photos of the fault and of the work: who adds them, who sees them, and that done is shown."""

import asyncio
import io

import pytest
from PIL import Image

from tests.repairs.conftest import TAP


def jpeg(colour="red", **how):
    out = io.BytesIO()
    Image.new("RGB", (60, 40), colour).save(out, "JPEG", **how)
    return out.getvalue()


async def send(client, path, content, moment="before", name="a.jpg"):
    return await client.post(f"{path}/photos", files={"photo": (name, content, "image/jpeg")}, data={"moment": moment})


async def test_a_photo_is_seen_by_whom_the_order_concerns_and_by_nobody_else(jobs, li, he):
    path = await jobs.taken()
    made = Image.Exif()
    made[0x010F] = "SECRETPHONE"
    answer = await send(jobs.clients["granny"], path, jpeg(exif=made))
    assert answer.status_code == 201
    shown = f"{path}/photos/{answer.json()['photo_id']}"

    for who in ("granny", "wang", "wu"):
        picture = await jobs.clients[who].get(shown)
        assert picture.status_code == 200
        assert picture.headers["content-type"] == "image/jpeg"
        assert picture.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in picture.headers["content-security-policy"]
        assert Image.open(io.BytesIO(picture.content)).size == (60, 40)
        assert b"SECRET" not in picture.content
    for other in (li, he):
        assert (await other.get(shown)).status_code == 404
        assert (await send(other, path, jpeg())).status_code == 404
    listed = (await jobs.look(path))["photos"]
    assert [(each["moment"], each["width"], each["height"]) for each in listed] == [("before", 60, 40)]
    assert (await jobs.clients["granny"].get(shown[:-4] + "0000")).json()["code"] == "repairs.photo_not_found"


async def test_a_photo_is_seen_under_its_own_order_only(jobs):
    first, second = await jobs.taken(), await jobs.taken()
    photo = (await send(jobs.clients["granny"], first, jpeg())).json()["photo_id"]
    assert (await jobs.clients["granny"].get(f"{second}/photos/{photo}")).status_code == 404


@pytest.mark.parametrize(
    ("content", "code"),
    [("不是照片".encode(), "kit.not_a_photo"), (b"", "kit.photo_empty"), (jpeg()[:-200], "kit.photo_broken")],
)
async def test_what_is_no_photo_is_refused_in_words(jobs, content, code):
    path = await jobs.taken()
    answer = await send(jobs.clients["granny"], path, content)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert (await jobs.look(path))["photos"] == []


async def test_done_is_shown_by_a_photo_or_a_note_says_why_not(jobs):
    path = await jobs.agreed(TAP)
    early = await send(jobs.clients["wang"], path, jpeg(), "after")
    assert early.json()["code"] == "repairs.in_other_state"
    for step in ("departure", "arrival"):
        await jobs.post("wang", f"{path}/{step}")
    jobs.clock.move(minutes=40)
    without = await jobs.clients["wang"].post(f"{path}/completion", json={"minutes": 40})
    assert without.json()["code"] == "repairs.photo_missing"
    granny = await send(jobs.clients["granny"], path, jpeg(), "after")
    assert granny.json()["code"] == "repairs.not_yours"
    assert (await send(jobs.clients["wang"], path, jpeg("blue"), "after")).status_code == 201

    await jobs.post("wang", f"{path}/completion", {"minutes": 40})

    assert (await jobs.look(path))["repair"]["state"] == "done"


async def test_the_same_photo_is_kept_once_and_six_are_enough_even_at_once(jobs):
    path = await jobs.taken()
    granny = jobs.clients["granny"]
    answers = await asyncio.gather(*(send(granny, path, jpeg()) for _ in range(3)))
    assert len({answer.json()["photo_id"] for answer in answers}) == 1

    many = await asyncio.gather(*(send(granny, path, jpeg((shade, 0, 0))) for shade in range(0, 160, 20)))

    assert sorted(answer.status_code for answer in many) == [201] * 5 + [409] * 3
    assert {answer.json()["code"] for answer in many if answer.status_code == 409} == {"repairs.too_many_photos"}
    assert len((await jobs.look(path))["photos"]) == 6


async def test_a_closed_order_takes_no_photo(jobs):
    path = await jobs.taken()
    await jobs.post("granny", f"{path}/cancellation", {})
    assert (await send(jobs.clients["granny"], path, jpeg())).json()["code"] == "repairs.in_other_state"


async def test_a_price_says_what_it_is_made_of(jobs):
    path = await jobs.agreed(TAP | {"quantity": 2}, {"item": "装灯", "fen_each": 1500})
    parts = (await jobs.look(path))["parts"]
    assert [(part["item"], part["unit"], part["quantity"], part["fen_each"], part["is_current"]) for part in parts] == [
        ("维修水龙头", "次", 2, 2000, True), ("装灯", "盏", 1, 1500, True),
    ]  # fmt: skip
    await jobs.post("wang", f"{path}/changes", {"lines": [TAP], "reason": "灯不用装了"}, 201)
    parts = (await jobs.look(path))["parts"]
    assert [(part["item"], part["is_current"]) for part in parts] == [
        ("维修水龙头", False), ("装灯", False), ("维修水龙头", True),
    ]  # fmt: skip


async def current(jobs, path):
    parts = (await jobs.look(path))["parts"]
    return [(part["item"], part["quantity"]) for part in parts if part["is_current"]]


async def test_a_dearer_price_shows_its_parts_when_it_was_agreed_to(jobs):
    path = await jobs.agreed(TAP)
    for answer in ("refusal", "agreement"):
        asked = {"lines": [TAP | {"quantity": 2}], "reason": "还有一个也坏了"}
        change = (await jobs.post("wang", f"{path}/changes", asked, 201))["change_id"]
        assert await current(jobs, path) == [("维修水龙头", 1)]
        await jobs.post("granny", f"{path}/changes/{change}/{answer}")
    assert await current(jobs, path) == [("维修水龙头", 2)]
    form = await jobs.clients["wang"].get(f"{path.removeprefix('/api')}/quote", headers={"accept": "text/html"})
    assert 'name="quantity_0" type="number" inputmode="decimal" value="2"' in form.text

    await jobs.post("wang", f"{path}/changes", {"lines": [], "reason": "不收钱了"}, 201)

    assert await current(jobs, path) == []
