"""Hours from the office's plan to the volunteer's passbook: three ways to check in, one of them on paper, and a review by keys."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Playwright, expect

from tests.browser.camera import code_in, filming, keep, needs_poppler, needs_zbar, sheets_of
from tests.browser.conftest import DESK, Visitor, shot

pytestmark = [pytest.mark.browser, pytest.mark.slow, needs_zbar, needs_poppler]

MONDAY = "2026-11-23"
TO_MONDAY_855 = {"hours": 22, "minutes": 55}


def plan(wu: Page, origin: str, title: str, starts: str, ends: str, places: int) -> None:
    """The office plans an activity with one shift on Monday and opens it."""
    wu.goto(f"{origin}/desk/activities")
    wu.get_by_role("link", name="新活动").first.click()
    wu.get_by_label("活动名称").fill(title)
    wu.get_by_label("集合地点").fill("社区食堂")
    wu.get_by_label("联系电话").fill("029-0000-0002")
    wu.get_by_label("卫领队").check()
    wu.get_by_role("button", name="存成草稿").click()
    wu.get_by_label("日期").fill(MONDAY)
    wu.get_by_label("开始").fill(starts)
    wu.get_by_label("结束").fill(ends)
    wu.get_by_role("spinbutton", name="名额", exact=True).fill(str(places))
    wu.get_by_role("button", name="加上").click()
    wu.get_by_role("button", name="开放报名").click()
    expect(wu.get_by_role("main")).to_contain_text("打印海报")


def open_shift(page: Page, origin: str, title: str) -> None:
    """From home to a shift by the tab and the list."""
    page.goto(f"{origin}/home")
    page.get_by_role("navigation").get_by_role("link", name="活动").click()
    page.get_by_role("link", name=title).click()


@dataclass
class Stage:
    """Everybody's page, kept from scene to scene, and the address of the canteen's plan."""

    visit: Visitor
    wu: Page
    chen: Page
    sun: Page
    wei: Page
    canteen: str = ""

    @property
    def origin(self) -> str:
        return self.visit.live.origin

    def passes(self, **by: float) -> None:
        self.visit.live.clock.move(**by)

    def shown_code(self) -> str:
        """What the leader's phone shows now, read off its screen."""
        return code_in(self.wei.locator(".plate").screenshot())

    def next_code(self) -> None:
        """Wait until the leader's phone has renewed its code by itself."""
        typed = self.wei.locator("#kiosk-code .code")
        expect(typed).not_to_have_text(typed.inner_text(), timeout=15_000)


def test_hours_are_planned_signed_up_for_proved_approved_and_credited(
    visit: Visitor, playwright: Playwright, chromium: Browser, tmp_path: Path
) -> None:
    stage = Stage(
        visit,
        visit.page("wu", viewport=DESK),
        visit.page("chen", elder=True),
        visit.page("sun"),
        visit.page("wei"),
    )
    planned(stage)
    signed_up(stage)
    checked_in_by_the_leaders_code(stage)
    claimed_by_the_poster(stage)
    stage.passes(hours=2, minutes=5)
    stage.next_code()
    with filming(playwright, chromium, visit.live, tmp_path) as (camera, with_camera):
        camera.show(stage.wei.locator(".plate").screenshot())
        left_through_the_camera(stage, with_camera.page("chen", elder=True))
    left_by_typing(stage)
    confirmed_by_the_leader(stage)
    reviewed_with_keys(stage)
    found_in_the_passbook(stage)


def planned(stage: Stage) -> None:
    """The office plans two activities at almost the same time, one of them with one place."""
    plan(stage.wu, stage.origin, "社区食堂帮厨", "09:00", "11:00", 1)
    stage.canteen = stage.wu.url
    shot(stage.wu, "hours-plan")
    plan(stage.wu, stage.origin, "楼道清扫", "10:00", "12:00", 3)


def signed_up(stage: Stage) -> None:
    """One has the place, is told of a clash, and the other waits until the office finds one more place."""
    chen, sun, wu = stage.chen, stage.sun, stage.wu
    open_shift(chen, stage.origin, "社区食堂帮厨")
    shot(chen, "hours-shift-elder")
    chen.get_by_role("button", name="报名").click()
    expect(chen.get_by_role("main")).to_contain_text("报名成功")
    shot(chen, "hours-signed-up-elder")
    open_shift(chen, stage.origin, "楼道清扫")
    expect(chen.get_by_role("main")).to_contain_text("这个时间您已经报了《社区食堂帮厨》")
    expect(chen.get_by_role("button", name="报名")).to_be_disabled()
    shot(chen, "hours-clash-elder")
    open_shift(sun, stage.origin, "社区食堂帮厨")
    expect(sun.get_by_role("main")).to_contain_text("名额已满，可以候补")
    sun.get_by_role("button", name="排候补").click()
    expect(sun.get_by_role("main")).to_contain_text("排上候补了")
    shot(sun, "hours-waiting")
    wu.goto(stage.canteen)
    wu.get_by_role("spinbutton", name=re.compile("^名额 .+")).fill("2")
    wu.get_by_role("button", name="改", exact=True).click()
    sun.goto(f"{stage.origin}/activities/mine")
    expect(sun.get_by_role("main")).to_contain_text("已报名")


def checked_in_by_the_leaders_code(stage: Stage) -> None:
    """The code changes; an old one opens nothing and says what to do; the one of the moment takes one tap."""
    chen, wei = stage.chen, stage.wei
    wei.goto(f"{stage.origin}/lead")
    wei.get_by_role("link", name="社区食堂帮厨").click()
    expect(wei.get_by_role("main")).to_contain_text("起可以签到")
    stage.passes(**TO_MONDAY_855)
    wei.reload()
    wei.get_by_role("link", name="打开签到码").click()
    shot(wei, "hours-kiosk")
    old = stage.shown_code()
    assert old.startswith(stage.origin.upper() + "/C/")
    stage.passes(minutes=2)
    stage.next_code()
    chen.goto(old)
    expect(chen.get_by_role("main")).to_contain_text("没有签上")
    shot(chen, "hours-old-code-elder")
    chen.goto(stage.shown_code())
    shot(chen, "hours-door-elder")
    chen.get_by_role("button", name="签到").click()
    expect(chen.get_by_role("main")).to_contain_text("8:57 已签到")
    shot(chen, "hours-checked-in-elder")


def claimed_by_the_poster(stage: Stage) -> None:
    """Printed, read from paper, and no more than a claim until the leader has seen the person."""
    wu, sun = stage.wu, stage.sun
    wu.goto(stage.canteen)
    wu.get_by_role("link", name="打印海报").click()
    [sheet] = sheets_of(wu)
    keep(sheet, "hours-poster")
    sun.goto(code_in(sheet))
    sun.get_by_role("button", name="签到").click()
    expect(sun.get_by_role("main")).to_contain_text("等负责人确认您到了")
    shot(sun, "hours-poster-claim")


def left_through_the_camera(stage: Stage, phone: Page) -> None:
    """From home to the camera in the page, which reads the leader's phone; then one tap."""
    phone.goto(f"{stage.origin}/home")
    phone.get_by_role("link", name="要走了，扫码签退").click()
    phone.wait_for_url("**/C/*")
    shot(phone, "hours-scanned-elder")
    phone.get_by_role("button", name="签退").click()
    expect(phone.get_by_role("main")).to_contain_text("审核通过以后存入 2 小时")
    shot(phone, "hours-checked-out-elder")


def left_by_typing(stage: Stage) -> None:
    """Without a camera the six characters below the code do."""
    sun = stage.sun
    sun.goto(f"{stage.origin}/check-in")
    sun.get_by_label("或者输入码下面的 6 位字").fill(stage.wei.locator("#kiosk-code .code").inner_text())
    shot(sun, "hours-scan-page")
    sun.get_by_role("button", name="下一步").click()
    sun.get_by_role("button", name="签退").click()
    expect(sun.get_by_role("main")).to_contain_text("已签退")


def confirmed_by_the_leader(stage: Stage) -> None:
    """What nobody has confirmed does not lie among what can be approved."""
    wu, wei = stage.wu, stage.wei
    wu.goto(f"{stage.origin}/desk/hours")
    expect(wu.get_by_role("main")).to_contain_text("陈助人")
    expect(wu.get_by_role("main")).not_to_contain_text("孙乐助")
    wei.get_by_role("link", name="看名单").click()
    shot(wei, "hours-list")
    wei.get_by_role("button", name="确认到了").click()
    expect(wei.get_by_role("button", name="确认到了")).to_have_count(0)


def reviewed_with_keys(stage: Stage) -> None:
    """Pick two, approve, undo, approve one, and all that is left; the volunteer's home follows each step."""
    wu, chen = stage.wu, stage.chen
    wu.goto(f"{stage.origin}/desk/hours")
    expect(wu.locator("[data-row]")).to_have_count(2)
    for key in ("j", "x", "j", "x"):
        wu.keyboard.press(key)
    shot(wu, "hours-review-picked")
    wu.keyboard.press("a")
    expect(wu.locator("[data-toast]")).to_contain_text("已通过 2 条")
    shot(wu, "hours-review-done")
    chen.goto(f"{stage.origin}/home")
    expect(chen.locator(".book")).to_contain_text("2小时")
    wu.keyboard.press("u")
    expect(wu.get_by_role("main")).to_contain_text("已经撤销")
    chen.goto(f"{stage.origin}/home")
    expect(chen.locator(".book").get_by_text(re.compile(r"^0小时"))).to_have_count(2)
    wu.keyboard.press("j")
    wu.keyboard.press("a")
    expect(wu.locator("[data-toast]")).to_contain_text("已通过 1 条")
    wu.get_by_role("link", name="通过全部一致的 1 条").click()
    wu.get_by_role("button", name="通过这 1 条").click()
    expect(wu.get_by_role("main")).to_contain_text("大家的时长都处理完了")


def found_in_the_passbook(stage: Stage) -> None:
    """The record, the coins and the points; what was undone and done again counts once."""
    chen = stage.chen
    chen.goto(f"{stage.origin}/home")
    expect(chen.get_by_role("main")).to_contain_text("本月存入 2 小时")
    shot(chen, "hours-home-after-elder")
    for tab in ("时间币", "积分", "服务时长"):
        chen.goto(f"{stage.origin}/passbook")
        chen.get_by_role("navigation", name="存折").get_by_role("link", name=tab).click()
        shot(chen, f"hours-passbook-{tab}-elder")
        expect(chen.get_by_role("main")).to_contain_text("社区食堂帮厨")
