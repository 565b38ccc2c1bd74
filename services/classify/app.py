"""The composition root of the classify process."""

from __future__ import annotations

from services.classify.classifiers.shipped import classifier_of
from services.classify.handler import ClassifyHandler
from services.classify.labelling import Labeller
from tocsin.bus.worker import Worker, WorkerLimits
from tocsin.contracts.topics import CLASSIFIED, MENTIONS
from tocsin.matching import BrandMatcher
from tocsin.process import Component, Surroundings

GROUP = "classify"
LONGEST_BATCH_SECONDS = 300.0
"""A worker that has not come round for so long is taken for dead; a batch of long texts on a slow machine takes a while."""
PROOF_OF_LIFE = "All is well."


def components(given: Surroundings) -> list[Component]:
    """The worker that labels mentions. Raises ClassifierUnavailableError where the network cannot be opened."""
    settings = given.configuration.classifier
    classifier = classifier_of(settings)
    labeller = Labeller(classifier, settings.cache_size)
    given.health.require("network", lambda: _classifies(labeller))
    handler = ClassifyHandler(
        labeller,
        BrandMatcher.of_brands(given.configuration.brands),
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
    return [worker]


def _classifies(labeller: Labeller) -> None:
    labeller.pass_through(PROOF_OF_LIFE)
