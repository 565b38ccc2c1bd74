"""Which sets the network learns from, and under which licence each is.

The card's table of what went in is written from here, and `--permissive` reads from here what it may use.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """Where labels come from. `permissive`: anybody may use it for anything, if need be with attribution (docs/adr/0006)."""

    name: str
    title: str
    used_for: str
    licence: str
    permissive: bool


@dataclass(frozen=True)
class SentimentSet:
    """A set with sentiments; `share` weighs how often it is drawn against the square root of its size."""

    name: str
    path: str
    share: float
    task: str = "sentiment"
    mapping: dict[str, str] | None = None
    about_a_brand: bool = False
    """Its texts speak about a company or a product: a negative one is weak evidence of risk, a positive one against."""


TARGET = "umsab"
"""The set that the exported sentiment head speaks for: its classes are balanced and it has all eight languages."""

POSTS = "germeval"
"""The set of posts about a brand that human readers judged by how they speak of it, with as few positive ones as there are."""

_EMOTIONS = {
    "joy": "positive",
    "optimism": "positive",
    "trust": "positive",
    "anger": "negative",
    "disgust": "negative",
    "fear": "negative",
    "sadness": "negative",
}

SENTIMENT_SETS = (
    SentimentSet("semeval", "sentiment/semeval2013_2016_en.jsonl", 1.0),
    SentimentSet("deft", "sentiment/deft2017_fr.jsonl", 1.6),
    SentimentSet("germeval", "sentiment/germeval2017_db_de.jsonl", 1.0),
    SentimentSet("arsarcasm", "sentiment/arsarcasm_v2_ar.jsonl", 1.0),
    SentimentSet("sentimix", "sentiment/sentimix_hinglish.jsonl", 1.6),
    SentimentSet("goemotions", "sentiment/goemotions_sentiment_en.jsonl", 0.5),
    SentimentSet("brand_entity", "sentiment/brand_entity_tweets_en.jsonl", 0.5, about_a_brand=True),
    SentimentSet("sanders", "sentiment/sanders_brands_en.jsonl", 0.6, about_a_brand=True),
    SentimentSet("sxsw", "sentiment/brand_products_sxsw_en.jsonl", 0.5, about_a_brand=True),
    SentimentSet("apple", "sentiment/apple_twitter_en.jsonl", 0.6, about_a_brand=True),
    SentimentSet("cesamard", "risk/cesamard_reviews_en.jsonl", 0.5, about_a_brand=True),
    SentimentSet("emoevent", "risk/emoevent_es.jsonl", 1.2, "emotion", {**_EMOTIONS, "others": "neutral"}),
    SentimentSet("tweeteval_emotion", "risk/tweeteval_emotion_train.jsonl", 0.5, "emotion", _EMOTIONS),
    SentimentSet("xed", "risk/xed_emotion_multi.jsonl", 0.6, "emotion", _EMOTIONS),
)

TOXICITY_SETS = (
    ("tweeteval_offensive", "risk/tweeteval_offensive_train.jsonl", "offensive", 2.5),
    ("mlma", "risk/mlma_train.jsonl", "toxicity", 2.0),
    ("germeval2018", "risk/germeval2018_de.jsonl", "toxicity", 1.0),
    ("germeval2021", "risk/germeval2021_de.jsonl", "toxicity", 1.0),
    ("toldbr", "risk/toldbr_pt.jsonl", "toxicity", 1.0),
    ("hasoc", "risk/hasoc2019_hi_de_en.jsonl", "toxicity", 1.0),
    ("lhsab", "risk/lhsab_ar.jsonl", "toxicity", 1.0),
)
"""Name, file, task, share."""

_TERMS = "its task's and Twitter's terms"

SOURCES = (
    Source(
        TARGET, "UMSAB train (cardiffnlp/xlm-t)", "sentiment; calm for risk", "Apache-2.0, and its sources' terms", True
    ),
    Source("semeval", "SemEval 2013–2016, English tweets", "sentiment", _TERMS, False),
    Source("deft", "DEFT 2017, French tweets", "sentiment", "CeCILL", True),
    Source("germeval", "GermEval 2017, Deutsche Bahn", "sentiment, relevance, risk", "research use", False),
    Source("arsarcasm", "ArSarcasm v2, Arabic tweets", "sentiment", "MIT", True),
    Source("sentimix", "SentiMix, Hindi and English", "sentiment", _TERMS, False),
    Source("goemotions", "GoEmotions", "sentiment, relevance", "Apache-2.0", True),
    Source("brand_entity", "brand entity tweets", "sentiment, risk, relevance", "research use", False),
    Source("sanders", "Sanders, tweets about four companies", "sentiment, risk, relevance", "research use", False),
    Source("sxsw", "products at SXSW, tweets", "sentiment, risk, relevance", "research use", False),
    Source("apple", "tweets about Apple", "sentiment, risk, relevance", "research use", False),
    Source("cesamard", "CESAMARD reviews", "sentiment, risk, relevance", "MIT", True),
    Source("emoevent", "EmoEvent, Spanish tweets", "sentiment, from emotions", "research use", False),
    Source("tweeteval_emotion", "TweetEval emotion", "sentiment, from emotions", "its sources' terms", False),
    Source("xed", "XED, subtitles", "sentiment, from emotions", "CC BY 4.0", True),
    Source("tweeteval_offensive", "TweetEval offensive", "toxicity", "its sources' terms", False),
    Source("mlma", "MLMA hate speech", "toxicity", "MIT", True),
    Source("germeval2018", "GermEval 2018", "toxicity", "CC BY 4.0", True),
    Source("germeval2021", "GermEval 2021", "toxicity", "CC BY-SA 4.0", True),
    Source("toldbr", "ToLD-Br", "toxicity", "CC BY-SA 4.0", True),
    Source("hasoc", "HASOC 2019", "toxicity", "research use", False),
    Source("lhsab", "L-HSAB", "toxicity", "research use", False),
    Source(
        "complaints",
        "complaints on Twitter",
        "risk, relevance",
        "to be cited: Preoţiuc-Pietro, Gaman and Aletras 2019",
        False,
    ),
    Source("review_bombing", "review bombing of two games", "risk (the fitted head)", "MIT", True),
    Source("crisislex", "CrisisLex T26", "calm for risk, relevance", "MIT", True),
    Source("own_sentiments", "sentences of our own, `models/sentiments.tsv`", "sentiment", "as the project", True),
    Source("prototypes", "sentences of our own, `models/prototypes.tsv`", "kinds, risk", "as the project", True),
)

SECOND_READINGS = Source(
    "readings",
    "20,705 texts of these sets, read again by a language model, `models/readings.tsv`",
    "sentiment, as soft labels",
    "as the project; each text is its set's",
    True,
)
"""No set of its own, with no bias: what else is known of texts of the others."""

SET_NAMES = tuple(source.name for source in SOURCES)
"""Each set has a bias of its own in the sentiment and toxicity heads, because class priors and annotators differ."""

JUDGED_AS_TARGET = frozenset({POSTS, "own_sentiments"})
"""Sets whose texts learn with the target's bias: posts about a brand are what the head is asked about in service, and our own
sentences were written with its three classes in mind."""


def judged_as(source: str) -> str:
    """The set whose sentiment and toxicity bias a text of `source` learns with."""
    return TARGET if source in JUDGED_AS_TARGET else source


LINEAR_SETS = {
    TARGET: 1.0,
    "semeval": 0.3,
    "deft": 0.3,
    "germeval": 0.3,
    "arsarcasm": 0.3,
    "sentimix": 0.3,
    "emoevent": 0.3,
    "own_sentiments": 0.5,
}
"""What linear models of sentiment learn from, and how much a text of each set weighs."""

PERMISSIVE_SETS = frozenset(source.name for source in SOURCES if source.permissive)
