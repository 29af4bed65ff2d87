import os
import pytest
from tests.browser.conftest import DESK, shot
pytestmark = pytest.mark.browser
PAGES = [("welcome", None, "/", {}), ("signin", None, "/sign-in", {}), ("home", "chen", "/home", {}), ("home-elder", "chen", "/home", {"elder": True}), ("wishes", "chen", "/wishes", {}), ("wish-new", "li", "/wishes/new", {}), ("me","chen","/me",{}), ("passbook","chen","/passbook",{}), ("desk","wu","/desk",{"viewport":DESK}), ("desk-wishes","wu","/desk/wishes",{"viewport":DESK}), ("books","he","/desk/books",{"viewport":DESK}), ("verify","he","/desk/books/verify",{"viewport":DESK}), ("imports","wu","/desk/imports",{"viewport":DESK}), ("messages-en","chen","/messages",{"english":True}), ("err","chen","/nowhere",{}), ("403","chen","/desk",{})]
def test_shots(visit):
    only = os.environ.get("ONLY")
    for name, who, path, how in PAGES:
        if only and name not in only.split(","): continue
        page = visit.page(who, **how)
        answer = page.goto(visit.live.origin + path)
        print(name, answer.status, page.title())
        shot(page, name)
