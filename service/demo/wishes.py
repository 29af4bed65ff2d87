"""Wishes: at least one in every state, so that every screen of the wall has something to show."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from service.demo.stage import Stage
from service.records import ServiceClass
from service.wishes import actions
from service.wishes.classes import class_of
from service.wishes.kinds import Warmth, WishCategory, WishKind


@dataclass(frozen=True, slots=True)
class Scene:
    """One wish: who asks for what, and how far it has come."""

    asker: str
    category: WishCategory
    title: str
    text: str
    minutes: int
    days_ago: int
    end: str
    helper: str = "chen"
    reward: int = 0
    kind: WishKind = WishKind.TIME


SCENES = (
    Scene(
        "li", WishCategory.CHORES, "帮忙把旧沙发抬下楼", "四楼没有电梯，两个人抬得动，周末都在家。", 60, 78, "expired"
    ),
    Scene(
        "granny",
        WishCategory.COMPANY,
        "陪我去医院复查",
        "下周二上午，要挂号、取药，我走路慢。",
        180,
        60,
        "confirmed",
        reward=20,
    ),
    Scene(
        "li",
        WishCategory.DIGITAL,
        "教我用手机挂号",
        "老是点错，想有人在旁边看着我点一遍。",
        60,
        45,
        "confirmed",
        "sun",
        15,
    ),
    Scene("granny", WishCategory.ERRANDS, "代买两袋米", "楼下超市的就行，钱到了给。", 45, 30, "confirmed", reward=10),
    Scene(
        "tang",
        WishCategory.CHORES,
        "楼道的堆物请帮忙清一清",
        "三单元一楼到三楼，已经和邻居说好了。",
        90,
        20,
        "confirmed",
        "wei",
        10,
    ),
    Scene("granny", WishCategory.CARE, "陪聊天，读读报", "眼睛不好，想听听新闻。每次一个小时就好。", 60, 3, "served"),
    Scene("li", WishCategory.REPAIRS, "阳台的晾衣杆掉了一头", "需要一个会打孔的师傅看看。", 60, 4, "claimed", "sun"),
    Scene("zhao", WishCategory.ERRANDS, "帮独居老人送一周的报纸", "三户，都在二号楼。", 30, 9, "disputed", "sun"),
    Scene(
        "li",
        WishCategory.THINGS,
        "想要一辆旧轮椅",
        "给母亲临时用一个月，用完归还。",
        30,
        2,
        "approved",
        kind=WishKind.GOODS,
    ),
    Scene(
        "tang",
        WishCategory.LESSONS,
        "教孩子们写春联",
        "元旦前的一个下午，纸墨社区准备。",
        120,
        2,
        "approved",
        reward=30,
    ),
    Scene("zhao", WishCategory.DIGITAL, "帮几位老人装反诈软件", "五位老人，一起在活动室。", 90, 1, "approved"),
    Scene("granny", WishCategory.CHORES, "擦高处的窗户", "我够不着，怕摔。", 60, 1, "approved", reward=5),
    Scene("li", WishCategory.ERRANDS, "帮忙取个快递", "周五到，我在外地。", 15, 6, "withdrawn"),
    Scene("tang", WishCategory.THINGS, "借个电钻", "请写清楚什么时候用。", 30, 5, "returned"),
    Scene("zhao", WishCategory.COMPANY, "接老人去活动室", "每周三下午，三号楼的周奶奶。", 60, 0, "posted"),
)


async def season(stage: Stage) -> None:
    """Every scene as far as it has come, then what the day brings: one by phone, one urgent."""
    for scene in SCENES:
        await _play(stage, scene)
    by_phone = actions.Draft(
        WishKind.TIME,
        WishCategory.REPAIRS,
        "家里的灯一闪一闪",
        "李奶奶打电话来说的，请会电的师傅看看。",
        "上午都在",
        60,
    )
    await actions.post_wish(
        stage.session,
        actor=stage.cast["wu"],
        draft=by_phone,
        now=stage.now - timedelta(hours=3),
        asked_by=stage.cast["granny"].member_id,
    )
    urgent = actions.Draft(
        WishKind.URGENT, WishCategory.CARE, "老人摔倒要人扶一把", "已经打过 120，人清醒，在一楼大厅等。", "现在", 30
    )
    await actions.post_wish(
        stage.session, actor=stage.cast["tang"], draft=urgent, now=stage.now - timedelta(minutes=20)
    )
    await actions.expire_old_wishes(stage.session, stage.now)


async def _play(stage: Stage, scene: Scene) -> None:
    asker, staff = stage.cast[scene.asker], stage.cast["wu"]
    began = stage.at(scene.days_ago, 9) if scene.days_ago else stage.now - timedelta(hours=5)
    draft = actions.Draft(scene.kind, scene.category, scene.title, scene.text, "周末和晚上都可以", scene.minutes)
    wish_id = (await actions.post_wish(stage.session, actor=asker, draft=draft, now=began)).wish_id
    if scene.end == "posted":
        return
    seen = began + timedelta(hours=1)
    if scene.end == "returned":
        await actions.return_wish(
            stage.session, actor=staff, wish_id=wish_id, reason="请写清楚哪天用、用多久，再发一次。", now=seen
        )
        return
    if scene.end == "withdrawn":
        await actions.withdraw_wish(stage.session, actor=asker, wish_id=wish_id, now=seen)
        return
    terms = actions.Terms(_class_of(scene), scene.reward, stage.organisations["sponsor"] if scene.reward else None)
    await actions.approve_wish(stage.session, actor=staff, wish_id=wish_id, terms=terms, now=seen)
    if scene.end in ("approved", "expired"):
        return
    await _help(stage, scene, wish_id, seen)


def _class_of(scene: Scene) -> ServiceClass:
    return class_of(scene.category)


async def _help(stage: Stage, scene: Scene, wish_id: UUID, seen: datetime) -> None:
    """Taken on, done, and what the asker says of it."""
    asker, helper = stage.cast[scene.asker], stage.cast[scene.helper]
    await actions.claim_wish(stage.session, actor=helper, wish_id=wish_id, now=seen + timedelta(hours=2))
    if scene.end == "claimed":
        return
    start = seen + timedelta(hours=4)
    done = start + timedelta(minutes=scene.minutes)
    await actions.serve_wish(
        stage.session,
        actor=helper,
        wish_id=wish_id,
        started_at=start,
        minutes=scene.minutes,
        note="办好了，一切顺利。",
        now=done,
    )
    said = done + timedelta(hours=1)
    if scene.end == "confirmed":
        await actions.confirm_wish(
            stage.session,
            actor=asker,
            wish_id=wish_id,
            now=said,
            warmth=Warmth.VERY_GLAD,
            thanks="太谢谢了，帮了大忙。",
        )
    elif scene.end == "disputed":
        await actions.dispute_wish(
            stage.session, actor=asker, wish_id=wish_id, note="还有两户没有送到，麻烦再跑一趟。", now=said
        )
