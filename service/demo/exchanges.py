"""Neighbours who exchange: one that is paid and thanked for, one that was agreed, one that staff have to decide."""

from datetime import datetime, timedelta
from uuid import UUID

from service.demo.stage import Stage
from service.exchange.actions import answering
from service.exchange.actions.door import Asked, accepting, confirming, inside, through
from service.exchange.actions.listing import Draft, post_listing
from service.exchange.rules import Category, Kind

HEM = Draft(Kind.OFFER, Category.CHORES, "缝裤边、换拉链", "自己有缝纫机，拿到我家来就行。", 30)
PHONE = Draft(Kind.OFFER, Category.DIGITAL, "教用手机拍照", "一步一步教，学会为止。", 60)
DOG = Draft(Kind.REQUEST, Category.PETS, "周六遛狗", "小狗，不咬人。", 60)
CHESS = Draft(Kind.REQUEST, Category.COMPANY, "陪下一盘棋", "晚饭以后都可以。", 60)
SHELF = Draft(Kind.REQUEST, Category.REPAIRS, "帮忙装一个书架", "零件都有，缺一个会看图的。", 90)


async def season(stage: Stage) -> None:
    """Those who have coins from helping; Chen and Sun live behind one door, so never the two of them."""
    paid = await _agreed(stage, "sun", HEM, "wei", 12)
    await answering.finish(stage.session, actor=stage.cast["sun"], exchange_id=paid, now=(done := stage.at(11, 16)))
    await stage.session.flush()
    asked = await confirming(stage.session, actor=stage.cast["wei"], exchange_id=paid)
    await _post(stage, asked, done + timedelta(hours=1))
    words = "拉链换得又快又好，谢谢！"
    thanked = done + timedelta(hours=2)
    await answering.thank(stage.session, actor=stage.cast["wei"], exchange_id=paid, words=words, now=thanked)
    await _agreed(stage, "chen", DOG, "wei", 2)
    disputed = await _agreed(stage, "sun", CHESS, "wang", 6)
    why = "等了一个晚上没有来。"
    at = stage.at(4, 20)
    await answering.dispute(stage.session, actor=stage.cast["sun"], exchange_id=disputed, reason=why, now=at)
    await post_listing(stage.session, actor=stage.cast["wei"], draft=PHONE, now=stage.at(3, 9))
    waiting = await post_listing(stage.session, actor=stage.cast["chen"], draft=SHELF, now=stage.at(1, 9))
    note = "我会看图，周日上午来。"
    await answering.answer(
        stage.session, actor=stage.cast["wei"], listing_id=waiting, note=note, now=stage.now - timedelta(hours=3)
    )


async def _agreed(stage: Stage, owner: str, draft: Draft, asker: str, days_ago: int) -> UUID:
    listing_id = await post_listing(stage.session, actor=stage.cast[owner], draft=draft, now=stage.at(days_ago, 9))
    exchange_id = await answering.answer(
        stage.session, actor=stage.cast[asker], listing_id=listing_id, note="", now=stage.at(days_ago, 10)
    )
    await stage.session.flush()
    now = stage.at(days_ago, 11)
    asked = await accepting(stage.session, actor=stage.cast[owner], exchange_id=exchange_id, now=now)
    await _post(stage, asked, now)
    return exchange_id


async def _post(stage: Stage, asked: Asked, now: datetime) -> None:
    """One after another in the demo's one transaction, with the same functions as at the door."""
    await through(inside(stage.session), asked, now=now)
