"""What links and hashtags say by themselves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.storage.link_parts import CampaignTag, campaign_tags, hashtags_of, links_of, plain


def test_links_end_where_the_sentence_goes_on() -> None:
    text = "Voir https://acme.example/a?x=1, (http://acme.example/b). «https://acme.example/c» ftp://no HTTPS://ACME.example/D!"
    assert links_of(text) == [
        "https://acme.example/a?x=1",
        "http://acme.example/b",
        "https://acme.example/c",
        "HTTPS://ACME.example/D",
    ]


@pytest.mark.parametrize(
    ("link", "tag"),
    [
        ("https://a.example/?utm_campaign=spring&utm_source=mail&utm_medium=email", ("spring", "mail", "email")),
        ("https://a.example/?x=1&UTM_Campaign=Soldes%20d%27%C3%A9t%C3%A9", ("Soldes d'été", "", "")),
        ("https://a.example/?utm_source=x+y#f", ("", "x y", "")),
        ("https://a.example/?utm_campaign=%00a", ("a", "", "")),
    ],
)
def test_campaigns_are_told_by_utm_parameters(link: str, tag: tuple[str, str, str]) -> None:
    assert campaign_tags(f"look: {link}", None) == [CampaignTag(*tag)]
    assert campaign_tags("", link) == [CampaignTag(*tag)]


def test_a_link_without_utm_parameters_belongs_to_no_campaign_and_twice_the_same_is_one() -> None:
    assert campaign_tags("https://a.example/?q=utm https://a.example/utm_campaign=x", None) == []
    link = "https://a.example/?utm_campaign=x"
    assert len(campaign_tags(f"{link} {link}&b=1", link)) == 1


def test_links_are_alike_where_only_the_click_differs() -> None:
    assert (
        plain("http://www.Acme.example/Recall/?utm_source=x&id=7&fbclid=abc#top") == "https://acme.example/Recall?id=7"
    )
    assert plain("https://acme.example/Recall?id=7") == "https://acme.example/Recall?id=7"


def test_hashtags_are_folded_and_numbers_are_none() -> None:
    assert hashtags_of("#Été #ete #1 #_ a#b ＃退款 #BoycottAcme!") == ["ete", "退款", "boycottacme"]


@given(st.text())
def test_no_text_breaks_it(text: str) -> None:
    for link in links_of(f"https://{text} http://[{text}", text):
        assert plain(plain(link)) == plain(link)
    campaign_tags(f"https://a.example/?utm_campaign={text}", text)
    plain(text)
    assert all(tag for tag in hashtags_of(text))
