"""A whole street to try things out in: real places, official codes and published prices, and invented people.

西一路街道 has its eight communities with their official numbers; one of them, 兴乐社区, has about six thousand people, who
come in the way any community's people come in: as a sheet, checked and applied. Their names count through the hundred
surnames and the sixty 干支, so that nobody can be mistaken for a person. A small cast with one PIN acts out what a
community does in a season: shifts and hours, wishes, vouchers, the first settlement to be. Loaded whole or not at all,
into an empty database only, and the same every time but for ids and dates.
"""

from service.demo.cast import DEMO_MARK, SIGN_INS
from service.demo.load import is_demo, load_demo

__all__ = ["DEMO_MARK", "SIGN_INS", "is_demo", "load_demo"]
