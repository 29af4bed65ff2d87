"""Who plays in the demo. The same names, cards and roles as the people of the tests."""

from dataclasses import dataclass

from service.communities import OrganisationKind
from service.kit.access import Role

HERE, ELSEWHERE = 610102001012, 610102001001
PIN = "135790"
"""Everybody's. The demo is refused on any address but a local one."""
DEMO_MARK = "demo people (公开的口令 135790)"


@dataclass(frozen=True, slots=True)
class Part:
    """One person of the cast. `sheet_roles` come with the imported sheet, `roles` are granted afterwards."""

    handle: str
    card_no: str
    name: str
    sheet_roles: str
    roles: tuple[Role, ...] = ()
    organisation: str | None = None
    has_phone: bool = True


CAST = (
    Part("li", "0012-0001", "李心愿", "居民"),
    Part("granny", "0012-0002", "李奶奶", "居民", has_phone=False),
    Part("chen", "0012-0003", "陈助人", "居民、志愿者"),
    Part("sun", "0012-0004", "孙乐助", "居民、志愿者"),
    Part("wang", "0012-0005", "王扳手", "居民", (Role.REPAIRER,), "team"),
    Part("zhou", "0012-0006", "周面包", "居民", (Role.MERCHANT_OWNER,), "bakery"),
    Part("barber", "0012-0007", "李理发", "居民", (Role.CLERK,), "barbershop"),
    Part("zhao", "0012-0008", "赵网格", "居民、网格员"),
    Part("wu", "0012-0009", "吴办事", "居民", (Role.STAFF,)),
    Part("zheng", "0012-0010", "郑复核", "居民", (Role.STAFF, Role.APPROVER)),
    Part("qian", "0012-0011", "钱结算", "居民", (Role.FINANCE,)),
    Part("feng", "0012-0012", "冯复算", "居民", (Role.FINANCE, Role.APPROVER)),
    Part("he", "0012-0013", "何查账", "居民", (Role.AUDITOR,)),
    Part("wei", "0012-0014", "卫领队", "居民、志愿者", (Role.LEADER,)),
    Part("jiang", "0012-0015", "蒋管家", "居民", (Role.ADMIN,)),
    Part("tang", "0012-0016", "唐楼长", "居民、楼门长"),
)
"""蒋管家 is enrolled first and imports all the others."""

ELSEWHERE_CAST: tuple[tuple[str, str, tuple[Role, ...]], ...] = (
    ("0001-0001", "外乡人", (Role.RESIDENT, Role.VOLUNTEER)),
    ("0001-0002", "外办事", (Role.STAFF, Role.APPROVER, Role.FINANCE)),
    ("0001-0003", "外店主", (Role.MERCHANT_OWNER,)),
    ("0001-0004", "外邻居", (Role.RESIDENT,)),
)

ORGANISATIONS: dict[str, tuple[OrganisationKind, str, str]] = {
    "bakery": (OrganisationKind.MERCHANT, "周记面包坊", "1号楼底商 3 号"),
    "barbershop": (OrganisationKind.MERCHANT, "小李理发店", "5号楼底商 1 号"),
    "sponsor": (OrganisationKind.PARTNER, "西一路爱心联盟", "党群服务中心二楼"),
    "team": (OrganisationKind.REPAIR_TEAM, "乐修匠", "社区便民点"),
    "social": (OrganisationKind.SOCIAL, "邻里互助社", "党群服务中心一楼"),
}

_PARTS = {
    "li": "居民",
    "chen": "志愿者",
    "wei": "活动领队",
    "zhou": "店主",
    "wang": "维修师傅",
    "wu": "工作人员",
    "zheng": "复核",
    "qian": "结算",
    "feng": "结算复核",
    "he": "审计",
    "jiang": "管理员",
}

SIGN_INS = (
    f"演示社区，口令都是 {PIN}：",
    *(f"{part.card_no}  {part.name}  {_PARTS[part.handle]}" for part in CAST if part.handle in _PARTS),
    "0001-0002  外办事  另一个社区的工作人员",
)
"""What `./dev run` prints below the address."""
