"""From the neural network's card to what detection corrects its counts by."""

from __future__ import annotations

from services.alert.detection.observations import HarmfulRates, Rate
from tocsin.network_card import NetworkCard


def harmful_rates(card: NetworkCard) -> HarmfulRates:
    """The card's thresholds and error rates; a language that was never measured has the card's default."""
    rates = {language: Rate(tpr=item.tpr, fpr=item.fpr) for language, item in card.rates.items()}
    return HarmfulRates(
        risk_threshold=card.risk_threshold,
        relevance_threshold=card.relevance_threshold,
        toxicity_threshold=card.toxicity_threshold,
        default=rates.pop("default", Rate()),
        by_language=rates,
    )
