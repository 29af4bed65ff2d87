"""What holds without script, for impatient fingers, and for large letters on the smallest phone."""

import pytest
from playwright.sync_api import Browser, Page, Response, expect

from service.kit.edge import SESSION_COOKIE
from tests.browser.conftest import DESK, PHONE, Visitor, shot
from tests.browser.judge import small
from tests.browser.live import Live
from tests.browser.steps import HAIRCUT, give_points, publish_haircut, take_haircut

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SMALLEST = {"width": 320, "height": 640}
CUT = """() => {
  const wrong = [], hidden = ['hidden', 'clip'];
  // innerWidth grows with a page that is too wide; the width of the layout does not.
  const screen = document.documentElement.clientWidth, wide = document.documentElement.scrollWidth - screen;
  if (wide > 1) wrong.push(wide + ' px wider than the screen');
  for (const box of document.querySelectorAll('body *')) {
    if (box.closest('svg, .vh, [hidden], .skip, option') || !box.getClientRects().length) continue;
    const own = [...box.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    const style = getComputedStyle(box), place = box.getBoundingClientRect();
    const text = box.textContent.trim().replace(/\\s+/g, ' ').slice(0, 30);
    if (own && (place.right > screen + 1 || place.left < -1)) wrong.push('off the screen: ' + text);
    for (let frame = box.parentElement; own && frame; frame = frame.parentElement) {
      const cuts = hidden.includes(getComputedStyle(frame).overflowX);
      if (cuts && place.right > frame.getBoundingClientRect().right + 1) wrong.push('cut by its frame: ' + text);
    }
    if (own && hidden.includes(style.overflowX) && box.scrollWidth > box.clientWidth + 1) wrong.push('cut at the side: ' + text);
    if (own && hidden.includes(style.overflowY) && box.scrollHeight > box.clientHeight + 1) wrong.push('cut below: ' + text);
  }
  return wrong;
}"""

SPACED = """() => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync('* { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important; }');
  document.adoptedStyleSheets = [sheet];
}"""


def plain(chromium: Browser, live: Live, name: str | None, *, desk: bool = False) -> Page:
    """A browser in which no script runs."""
    size = DESK if desk else PHONE
    context = chromium.new_context(
        viewport=size,  # type: ignore[arg-type] # playwright's own typed dict
        java_script_enabled=False,
        locale="zh-CN",
    )
    context.set_default_timeout(10_000)
    if name:
        context.add_cookies([{"name": SESSION_COOKIE, "value": live.town.cookies[name], "url": live.origin}])
    return context.new_page()


def test_everything_that_matters_is_a_plain_form(chromium: Browser, visit: Visitor) -> None:
    live, origin = visit.live, visit.live.origin
    li = plain(chromium, live, "li")
    li.goto(f"{origin}/wishes/new")
    li.get_by_label("一句话说说要帮什么").fill("请人念一封信")
    li.get_by_label("再说细一点").fill("眼睛看不清，想请人念一封老家来的信。")
    li.get_by_label("哪一类").select_option(index=2)
    li.get_by_role("button", name="下一步：看一遍").click()
    li.get_by_role("button", name="提交心愿").click()
    expect(li.get_by_role("main")).to_contain_text("请人念一封信")

    wu = plain(chromium, live, "wu", desk=True)
    wu.goto(f"{origin}/desk/wishes")
    wu.get_by_role("row", name="请人念一封信").get_by_role("button", name="通过").click()
    expect(wu.get_by_role("main")).to_contain_text("已通过 1 条")
    shot(wu, "plain-desk")

    chen = plain(chromium, live, "chen")
    chen.goto(f"{origin}/wishes")
    chen.get_by_role("link", name="请人念一封信").click()
    chen.get_by_role("button", name="我来帮").click()
    expect(chen.get_by_role("main")).to_contain_text("我帮完了")

    publish_haircut(visit)
    give_points(live, "chen", 100)
    take_haircut(chen, origin)
    expect(chen.locator("#voucher-code .qr svg")).to_be_visible()
    expect(chen.get_by_role("button", name="放大")).to_be_hidden()
    shot(chen, "plain-voucher")

    barber = plain(chromium, live, "barber")
    barber.goto(f"{origin}/shop")
    shot(barber, "plain-shop")
    barber.get_by_label("或者输入券码").fill(chen.locator("#voucher-code .code").inner_text())
    barber.get_by_role("button", name="核销", exact=True).click()
    expect(barber.get_by_role("main")).to_contain_text("核销成功")
    shot(barber, "plain-scanned")


def test_signing_up_and_reviewing_need_no_script(chromium: Browser, visit: Visitor) -> None:
    live, origin = visit.live, visit.live.origin
    wu = plain(chromium, live, "wu", desk=True)
    wu.goto(f"{origin}/desk/activities/new")
    wu.get_by_label("活动名称").fill("社区食堂帮厨")
    wu.get_by_label("集合地点").fill("社区食堂")
    wu.get_by_label("联系电话").fill("029-0000-0002")
    wu.get_by_label("卫领队").check()
    wu.get_by_role("button", name="存成草稿").click()
    wu.get_by_label("日期").fill("2026-11-22")
    wu.get_by_label("开始").fill("10:10")
    wu.get_by_label("结束").fill("12:10")
    wu.get_by_role("button", name="加上").click()
    wu.get_by_role("button", name="开放报名").click()

    chen = plain(chromium, live, "chen")
    chen.goto(f"{origin}/activities")
    chen.get_by_role("link", name="社区食堂帮厨").click()
    chen.get_by_role("button", name="报名").click()
    expect(chen.get_by_role("main")).to_contain_text("报名成功")

    wei = plain(chromium, live, "wei")
    for minutes, button in ((10, "到了"), (120, "签退")):
        live.clock.move(minutes=minutes)
        wei.goto(f"{origin}/lead")
        wei.get_by_role("link", name="社区食堂帮厨").click()
        wei.get_by_role("button", name=button, exact=True).click()

    wu.goto(f"{origin}/desk/hours")
    wu.get_by_role("checkbox", name="陈助人").check()
    wu.get_by_role("button", name="通过所选").click()
    expect(wu.get_by_role("link", name="已通过 1")).to_be_visible()
    chen.goto(f"{origin}/home")
    expect(chen.locator(".book")).to_contain_text("2小时")


def test_neither_back_nor_refresh_nor_a_double_tap_acts_twice(visit: Visitor) -> None:
    live, origin = visit.live, visit.live.origin
    publish_haircut(visit)
    give_points(live, "chen", 100)
    chen = visit.page("chen")
    posts: list[str] = []

    def note(answer: Response) -> None:
        if answer.request.method == "POST":
            posts.append(answer.url)

    chen.on("response", note)
    chen.goto(f"{origin}/home")
    chen.get_by_role("link", name=HAIRCUT).click()
    chen.get_by_role("button", name="用 20 分换").dblclick()
    chen.wait_for_url("**/vouchers/*")
    assert len(posts) == 1
    for move in (chen.reload, chen.go_back, chen.go_forward, chen.reload):
        move()
    assert len(posts) == 1

    # Even a page that was sent twice behind the button's back, key and all, is one act.
    chen.goto(f"{origin}/offers")
    chen.get_by_role("link", name="用 20 分换").click()
    twice = chen.locator("form[action$='/take']").evaluate(
        """async (form) => {
          const send = () => fetch(form.action, { method: 'POST', body: new URLSearchParams(new FormData(form)) });
          return (await Promise.all([send(), send()])).map((answer) => answer.url);
        }"""
    )
    assert twice[0] == twice[1]
    chen.goto(f"{origin}/vouchers")
    expect(chen.get_by_role("link", name="给店员看")).to_have_count(2)
    chen.goto(f"{origin}/home")
    expect(chen.locator(".book")).to_contain_text("60分")


@pytest.mark.slow
@pytest.mark.parametrize("way", ["xl", "doubled", "xl and spaced"])
def test_the_largest_letters_fit_the_smallest_phone(demo_live: Live, chromium: Browser, way: str) -> None:
    visitor = Visitor(chromium, demo_live)
    page = visitor.page("chen", viewport=SMALLEST, elder=way != "doubled")
    if way == "doubled":
        page.context.add_init_script(
            "addEventListener('DOMContentLoaded', () => document.documentElement.style.fontSize = '200%')"
        )
    else:
        page.context.add_cookies([{"name": "size", "value": "xl", "url": demo_live.origin}])
    page.goto(f"{demo_live.origin}/vouchers")
    ways_on = page.get_by_role("link", name="给店员看")
    vouchers = [ways_on.first.get_attribute("href")] if ways_on.count() else []
    wrong = []
    for path in ["/home", "/passbook", "/wishes", "/activities", "/offers", "/check-in", "/me", "/vouchers", *vouchers]:
        page.goto(f"{demo_live.origin}{path}")
        if "spaced" in way:
            page.evaluate(SPACED)
        kind = (path or "").rsplit("/", 1)[0] if path in vouchers else path
        shot(page, f"large/{way.replace(' ', '-')}{(kind or '').replace('/', '_')}{'_one' if path in vouchers else ''}")
        found = page.evaluate(CUT) + (small(page) if way != "doubled" else [])
        wrong += [f"{path}: {item}" for item in found]
    visitor.close()
    assert wrong == []
    assert visitor.troubles == []


def test_a_strangers_first_page_is_light(visit: Visitor) -> None:
    answers: list[Response] = []
    page = visit.page(None)
    page.on("response", lambda answer: answers.append(answer))  # noqa: PLW0108  (playwright marks what it calls)
    page.goto(f"{visit.live.origin}/sign-in", wait_until="networkidle")
    weight = sum(
        sizes["responseBodySize"] + sizes["responseHeadersSize"] for sizes in (a.request.sizes() for a in answers)
    )
    assert len(answers) <= 5
    assert weight <= 30_000
    assert "content-encoding" not in answers[0].headers
