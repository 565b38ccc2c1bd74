"""Opening the classifier for a command, with an error in words where it cannot be opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin.cli.failure import WRONG_CALL, CommandFailed
from tocsin.contracts.settings.services import ClassifierSettings
from tocsin.network_card import read_network_card

if TYPE_CHECKING:
    from services.alert.detection.observations import HarmfulRates
    from services.classify.labelling import Labeller


def open_labeller(settings: ClassifierSettings) -> Labeller:
    """The labeller over the configured classifier."""
    from services.classify.classifiers.port import ClassifierUnavailableError
    from services.classify.classifiers.shipped import classifier_of
    from services.classify.labelling import Labeller

    try:
        classifier = classifier_of(settings)
    except ClassifierUnavailableError as error:
        raise CommandFailed(str(error), WRONG_CALL) from error
    return Labeller(classifier, settings.cache_size)


def rates_of_network(settings: ClassifierSettings) -> HarmfulRates:
    """The configured classifier's thresholds and error rates, as detection wants them. Raises NetworkCardUnreadable."""
    from services.alert.rates import harmful_rates

    return harmful_rates(read_network_card(settings.name))
