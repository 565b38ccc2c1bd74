"""Writes a model's card from `card.template.md` and its metrics.json and config.json: no figure in it is typed by hand.

The template is plain Markdown with `{…}` where a figure belongs: `{metrics[sentiment_macro_f1][fr]:.1f}` as Python's formatting
reads it, and the tables that this module makes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from models.data import LANGUAGES
from models.sets import SECOND_READINGS, SOURCES

TEMPLATE = Path(__file__).parent / "card.template.md"
PERMISSIVE = "permissive.json"
"""Beside metrics.json: the figures of the same training without the sets that are for research use only."""


def write_card(folder: Path) -> None:
    """Write `card.md` into a model's folder."""
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    beside = folder / PERMISSIVE
    permissive = json.loads(beside.read_text(encoding="utf-8")) if beside.exists() else None
    (folder / "card.md").write_text(card(metrics, config, permissive), encoding="utf-8")


def card(metrics: dict[str, Any], config: dict[str, Any], permissive: dict[str, Any] | None) -> str:
    """The card's text."""
    return TEMPLATE.read_text(encoding="utf-8").format(
        metrics=metrics,
        config=config,
        languages=by_language(metrics, permissive),
        sets=sets(),
        beside=beside(metrics, permissive),
        crossed=_games(metrics["at_the_fitting"].get("review_bombing_by_a_head_that_saw_the_other_game", {})),
        bombed=_games(metrics["review_bombing_auroc"]),
        held_out=held_out(metrics["auroc_on_held_out_parts"]),
        behaviour=behaviour(metrics["hand_written"]["failure_rates"]),
    )


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])


def by_language(metrics: dict[str, Any], permissive: dict[str, Any] | None) -> str:
    """Sentiment and harmful rates of each language."""
    known, harmful = metrics["sentiment_macro_f1"], metrics["harmful_rates"]
    columns = ["mean", *LANGUAGES]
    rows = [
        ["macro-F1", *(f"{known[each]:.1f}" for each in columns)],
        ["negatives called harmful", *(_percent(harmful.get(each, harmful["default"])["tpr"]) for each in columns)],
        ["others called harmful", *(_percent(harmful.get(each, harmful["default"])["fpr"]) for each in columns)],
    ]
    if permissive is not None:
        beside = permissive["sentiment_macro_f1"]
        rows.append(["macro-F1 of the permissive training", *(f"{beside[each]:.1f}" for each in columns)])
    return table(["", *columns], rows)


def sets() -> str:
    """What went in, and under which licence."""
    rows = [[s.title, s.used_for, s.licence, "yes" if s.permissive else "no"] for s in (*SOURCES, SECOND_READINGS)]
    return table(["set", "used for", "licence", "in `--permissive`"], rows)


COMPARED = (
    ("sentiment: macro-F1, mean of eight languages", ("sentiment_macro_f1", "mean"), ".1f"),
    ("posts about Deutsche Bahn: macro-F1", ("brand_posts_held_out", "macro_f1"), ".1f"),
    ("airlines: accuracy of sentiment", ("streams", "airlines", "sentiment_accuracy"), ".3f"),
    ("risk on complaints held out: AUROC", ("auroc_on_held_out_parts", "risk", "complaints"), ".3f"),
    ("relevance on posts held out (Deutsche Bahn): AUROC", ("auroc_on_held_out_parts", "relevance", "germeval"), ".3f"),
    ("offensive, TweetEval: AUROC", ("toxicity_auroc", "tweeteval_offensive_validation"), ".3f"),
    ("toxic French, MLMA: AUROC", ("toxicity_auroc", "mlma_french_held_out"), ".3f"),
    ("kinds on our examples: macro-F1", ("hand_written", "kinds", "macro_f1"), ".3f"),
    ("stories: AUROC", ("hand_written", "stories", "auroc"), ".3f"),
)
"""What the card tells of the permissive training beside the shipped one: a name, its place in metrics.json, how it is written."""


def beside(metrics: dict[str, Any], permissive: dict[str, Any] | None) -> str:
    """The permissive training's figures beside those of the shipped one, and how long it had."""
    if permissive is None:
        return "The permissive training was not run."

    def at(figures: dict[str, Any], place: tuple[str, ...]) -> Any:
        for name in place:
            figures = figures[name]
        return figures

    rows = [[name, *(f"{at(each, place):{form}}" for each in (metrics, permissive))] for name, place, form in COMPARED]
    had = permissive["training"]
    told = f"The permissive training had {had['step']:,} steps in {had['minutes']:.0f} minutes, and begins at the backbone; "
    return told + "the shipped weights come from several runs.\n\n" + table(["", "shipped", "permissive"], rows)


def held_out(figures: dict[str, Any]) -> str:
    """AUROC of each head on the held-out part of each set."""
    rows = [
        [head, name, f"{value:.3f}"]
        for head in ("risk", "toxicity", "relevance")
        for name, value in sorted(figures[head].items())
    ]
    return table(["score", "held-out part of", "AUROC"], rows)


def behaviour(capabilities: dict[str, dict[str, Any]]) -> str:
    """Failure rate of each capability of the behavioural suite, in all and by language."""
    languages = [name for name in LANGUAGES if any(name in each for each in capabilities.values())]
    rows = [
        [
            name,
            str(each["cases"]),
            _percent(each["failed"]),
            *(_percent(each[language]) if language in each else "" for language in languages),
        ]
        for name, each in capabilities.items()
    ]
    return table(["capability", "cases", "failures", *languages], rows)


def _games(figures: dict[str, float]) -> str:
    return "; ".join(f"{game} {value:.3f}" for game, value in figures.items())


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
