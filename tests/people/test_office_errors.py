"""A no inside the office: whoever works there keeps the sidebar, and every sentence stands once."""

import pytest

from tests.cast import Client


@pytest.mark.parametrize(
    ("path", "status", "sentence"),
    [
        ("/desk/people?after=xyz", 422, "翻页的位置不对，请从头看起"),
        ("/desk/passbooks/00000000-0000-7000-8000-000000000000", 404, "没有找到"),
    ],
)
async def test_an_error_of_the_office_keeps_the_sidebar(wu: Client, path: str, status: int, sentence: str) -> None:
    page = await wu.get(path, headers={"accept": "text/html"})

    assert page.status_code == status
    assert '<body class="desk">' in page.text
    assert 'href="/desk/people"' in page.text
    assert sentence in page.text
    assert 'href="/desk">回工作台</a>' in page.text


async def test_others_get_the_plain_page(li: Client) -> None:
    page = await li.get("/desk/people", headers={"accept": "text/html"})

    assert page.status_code == 403
    assert '<body class="desk">' not in page.text


async def test_a_heading_is_not_said_again_below_it(li: Client) -> None:
    page = await li.get("/passbook?unit=xyz", headers={"accept": "text/html"})

    assert page.status_code == 422
    assert page.text.count("有些内容要改一下") == 2  # the tab and the heading
    assert "请返回上一页，改好再提交。" in page.text
