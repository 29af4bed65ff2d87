"""What a member's own phone keeps: seeds of at most a day, of the own vouchers, for one session, never on a shared device."""

import base64
import hashlib
from datetime import UTC, datetime, timedelta

import redemption
from service import identity
from service.kit.edge import WALLET_COOKIE
from service.kit.issuers import code_keys
from tests.cast import HERE, KEYRING
from tests.vouchers.conftest import scan_of

KEPT = "/api/vouchers/kept"
LETTERS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"


async def taken(client, give, offer_of, **terms):
    await give(client, 40)
    answer = await client.post(f"/api/offers/{await offer_of(**terms)}/vouchers", json={})
    return answer.json()["voucher_id"]


def phone_shows(kept, voucher, moment):
    """The code that a phone makes of what it keeps, written without the library's own maker."""
    window, minute = divmod(int(moment.timestamp()) // 60, 240)
    place = window - kept["first_window"]
    value = base64.urlsafe_b64decode(voucher["seeds"][place] + "=")
    for _ in range(239 - minute):
        value = hashlib.sha256(int(voucher["id"]).to_bytes(8, "big") + value).digest()[:8]
    number = (voucher["keys"][place] << 80 | int(voucher["id"]) << 16 | voucher["code_seq"]) << 64
    number |= int.from_bytes(value, "big")
    code = ""
    while len(code) < 31:
        number, letter = divmod(number, 31)
        code = LETTERS[letter] + code
    return f"{kept['origin']}R{code}"


async def test_a_phone_makes_the_codes_of_a_day_and_no_longer(li, give, offer_of, clock):
    voucher_id = await taken(li, give, offer_of)
    kept = (await li.get(KEPT)).json()
    [voucher] = kept["vouchers"]
    assert voucher["id"] == voucher_id
    keys = code_keys(KEYRING, clock.now)
    for hours in (0, 3, 11, 19):
        moment = clock.now + timedelta(hours=hours)
        read = redemption.read_code(phone_shows(kept, voucher, moment), keys, community_id=HERE, now=moment)
        assert (read.verdict, read.voucher_id) == (redemption.CodeVerdict.PHONE, int(voucher_id))
    until = datetime.fromtimestamp(kept["until"] / 1000, UTC)
    assert clock.now + timedelta(hours=20) <= until <= clock.now + timedelta(hours=24)
    assert len(voucher["seeds"]) == len(voucher["keys"]) == 6
    # The typed code lives as long as the voucher: a phone does not keep it.
    assert "short_code" not in voucher


async def test_it_is_ones_own_and_only_what_can_be_used(li, chen, phone, give, offer_of):
    used, left = await taken(li, give, offer_of), await taken(li, give, offer_of)
    assert (await chen.get(KEPT)).json()["vouchers"] == []
    qr = (await li.get(f"/api/vouchers/{used}")).json()["qr"]
    assert (await phone.post("/api/scans", json=scan_of(qr))).status_code == 200
    assert [each["id"] for each in (await li.get(KEPT)).json()["vouchers"]] == [left]


async def test_it_belongs_to_a_session_and_says_so_in_a_cookie_that_opens_nothing(li, chen):
    first, second = await li.get(KEPT), await chen.get(KEPT)
    assert first.headers["cache-control"] == "no-store"
    cookie = first.headers["set-cookie"]
    assert cookie.startswith(f"{WALLET_COOKIE}={first.json()['session']};")
    assert "HttpOnly" not in cookie
    assert "SameSite=strict" in cookie
    assert first.json()["session"] != second.json()["session"]
    assert li.actor.session_id.hex not in cookie


async def test_signing_out_ends_it(li):
    await li.get(KEPT)
    answer = await li.post("/sign-out", data={})
    [ended] = [each for each in answer.headers.get_list("set-cookie") if each.startswith(f"{WALLET_COOKIE}=")]
    assert "Max-Age=0" in ended
    assert (await li.get(KEPT)).status_code == 401


async def test_a_shared_device_keeps_nothing(app, li, give, offer_of, clock):
    await taken(li, give, offer_of)
    async with app.state.sessions.begin() as session:
        entered = await identity.enter(session, HERE, li.actor.member_id, device="test", is_shared=True, now=clock.now)
    li.cookies.set("linli_session", entered.cookie)
    answer = await li.get(KEPT)
    assert answer.json()["session"] is None
    assert answer.json()["vouchers"] == []
    assert "Max-Age=0" in answer.headers["set-cookie"]
