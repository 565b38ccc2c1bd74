"""From the neural network's card to what detection corrects its counts by."""

from __future__ import annotations

from pydantic import ValidationError

from services.alert.detection.observations import HarmfulRates, Rate
from tocsin.network_card import NetworkCard, NetworkCardUnreadable


def harmful_rates(card: NetworkCard) -> HarmfulRates:
    """The card's thresholds and error rates; a language that was never measured has the card's default.

    Raises NetworkCardUnreadable where no count can be corrected by them.
    """
    rates = {}
    for language, item in card.rates.items():
        try:
            rates[language] = Rate(tpr=item.tpr, fpr=item.fpr)
        except ValidationError as error:
            raise NetworkCardUnreadable(
                f"metrics.json of {card.name}, `harmful_rates` of {language}: {error.errors()[0]['msg'].removeprefix('Value error, ')}"
            ) from error
    return HarmfulRates(
        risk_threshold=card.risk_threshold,
        relevance_threshold=card.relevance_threshold,
        toxicity_threshold=card.toxicity_threshold,
        default=rates.pop("default", Rate()),
        by_language=rates,
    )
