"""The composition root of the classify process."""

from __future__ import annotations

from services.classify.classifiers.shipped import classifier_of
from services.classify.handler import ClassifyHandler
from services.classify.labelling import Labeller
from tocsin.bus.worker import Worker, WorkerLimits
from tocsin.contracts.topics import CLASSIFIED, MENTIONS
from tocsin.live_settings import Following, LiveSettings
from tocsin.matching import BrandMatcher
from tocsin.process import Component, Surroundings

GROUP = "classify"
LONGEST_BATCH_SECONDS = 300.0
"""A worker that has not come round for so long is taken for dead; a batch of long texts on a slow machine takes a while."""
PROOF_OF_LIFE = "All is well."


def components(given: Surroundings) -> list[Component]:
    """The worker that labels mentions, and what keeps up with the settings of run time.

    Raises ClassifierUnavailableError where the network cannot be opened.
    """
    settings = given.configuration.classifier
    classifier = classifier_of(settings)
    labeller = Labeller(classifier, settings.cache_size)
    given.health.require("network", lambda: _classifies(labeller))
    live = LiveSettings(given.configuration, given.database, given.clock)
    live.refresh()
    handler = ClassifyHandler(
        labeller,
        Following(live, lambda overlay: BrandMatcher.of_brands(overlay.configuration.brands)),
        given.clock,
        given.bus.partitions(CLASSIFIED),
        settings.explanations_a_second,
    )
    worker = Worker(
        given.bus,
        GROUP,
        [MENTIONS],
        handler.handle,
        given.clock,
        limits=WorkerLimits.of(given.configuration.bus, settings.batch_size),
        beat=lambda: given.health.beat(GROUP, LONGEST_BATCH_SECONDS),
    )
    return [worker, live]


def _classifies(labeller: Labeller) -> None:
    labeller.pass_through(PROOF_OF_LIFE)
