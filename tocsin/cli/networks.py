"""Opening the classifier for a command, with an error in words where it cannot be opened."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tocsin.cli.failure import WRONG_CALL, CommandFailed
from tocsin.contracts.settings.services import ClassifierSettings
from tocsin.network_card import SHIPPED, NetworkCardUnreadable, read_network_card, shipped_folder

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


def network_findings(settings: ClassifierSettings) -> Iterator[tuple[str, str]]:
    """What keeps the configured network from starting, as far as its folder tells: (severity, message).

    A folder that is not there is a warning, because a configuration is often checked on another machine than it runs on.
    Networks of Hugging Face are left to the start: to open one takes torch.
    """
    from services.classify.classifiers.folder import read_folder
    from services.classify.classifiers.port import ClassifierUnavailableError

    if settings.kind != "onnx":
        return
    if settings.name != SHIPPED and not Path(settings.name).exists():
        yield (
            "warning",
            f"there is no folder {settings.name} on this machine, and classify does not start without it; for a network of "
            "Hugging Face write `kind: transformers` beside `model`",
        )
        return
    try:
        read_folder(shipped_folder() if settings.name == SHIPPED else Path(settings.name), settings.revision)
        rates_of_network(settings)
    except (ClassifierUnavailableError, NetworkCardUnreadable) as error:
        yield "error", str(error)
