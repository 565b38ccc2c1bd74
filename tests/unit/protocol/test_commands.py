"""What people can do with an incident: raise, lower, give back, escalate, assign, silence, declare, split, merge, review."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from services.alert.protocol.closing import REOPEN_WITHIN
from services.alert.protocol.commands import (
    Acknowledge,
    AcknowledgementDue,
    Assign,
    ChangeLevel,
    Command,
    Declare,
    Escalate,
    Merge,
    Mitigate,
    Open,
    Reopen,
    Resolve,
    Review,
    SetLevel,
    SilenceDue,
    SilenceUntil,
    Split,
    StepDue,
    Unacknowledge,
    Unsilence,
)
from services.alert.protocol.decide import decide
from services.alert.protocol.dividing import merge
from services.alert.protocol.opening import LONGEST_SENTENCE
from services.alert.protocol.silencing import LONGEST_SILENCE
from tests.team import DIRECTORY, INCIDENT, START, judged, opening, policy
from tocsin.contracts.decisions import Decision, NotificationKind, RefusalKind
from tocsin.contracts.incidents import (
    Declaration,
    Incident,
    IncidentEventType,
    IncidentState,
    Level,
    Silence,
    TimerKind,
    Verdict,
)

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
OTHER = UUID("99999999-2222-4333-8444-555555555555")
SILENCE = UUID("77777777-2222-4333-8444-555555555555")


def ask(incident: Incident, *commands: Command, at: datetime = START) -> Incident:
    for command in commands:
        decision = decide(incident, command, at, DIRECTORY)
        assert decision.refused is None, decision.refused
        incident = decision.incident
    return incident


def opened(level: Level = Level.ORANGE) -> Incident:
    return decide(None, opening(level), START, DIRECTORY).incident


def called(decision: Decision) -> list[str]:
    return [item.name for item in decision.notifications if item.kind is NotificationKind.PAGE and item.round == 0]


def kinds(decision: Decision) -> list[str]:
    return [event.type.value.removeprefix("incident.") for event in decision.events]


def declaration(sentence: str = "A journalist asks about glass in our jars.", by: str = "person:lea") -> Declaration:
    return Declaration(by=by, at=START, sentence=sentence)


def declared(level: Level = Level.ORANGE, *brands: str) -> Declare:
    return Declare(OTHER, brands or ("lunea",), level, declaration(), policy())


class TestLevelsThatAPersonSets:
    def test_raised_by_a_person_it_escalates_anew_and_detection_does_not_lower_it(self) -> None:
        decision = decide(opened(), SetLevel("person:lea", Level.RED), START, DIRECTORY)
        assert kinds(decision) == ["level_changed", "escalated"]
        assert called(decision)[:1] == ["Léa"]
        calm = ask(decision.incident, ChangeLevel(judged(Level.GREEN)))
        assert calm.level is Level.RED
        assert calm.judged_level is Level.GREEN

    def test_lowered_by_a_person_it_stays_until_detection_rises_anew(self) -> None:
        lowered = ask(opened(Level.RED), SetLevel("person:lea", Level.YELLOW))
        assert ask(lowered, ChangeLevel(judged(Level.RED))).level is Level.YELLOW
        fallen = ask(lowered, ChangeLevel(judged(Level.ORANGE)))
        assert fallen.level is Level.YELLOW
        risen = decide(fallen, ChangeLevel(judged(Level.RED)), START, DIRECTORY)
        assert (risen.incident.level, risen.incident.set_level) == (Level.RED, None)
        assert called(risen)

    def test_lowered_by_a_person_it_still_falls_with_detection(self) -> None:
        lowered = ask(opened(Level.RED), SetLevel("person:lea", Level.ORANGE))
        assert ask(lowered, ChangeLevel(judged(Level.GREEN))).level is Level.GREEN

    def test_set_to_what_detection_says_it_is_detections_again(self) -> None:
        raised = ask(opened(), SetLevel("person:lea", Level.RED), SetLevel("person:lea", Level.ORANGE))
        assert (raised.level, raised.set_level) == (Level.ORANGE, None)

    def test_lowered_to_green_it_stops_the_calls(self) -> None:
        calm = ask(opened(), SetLevel("person:lea", Level.GREEN))
        assert (calm.pages, calm.timers) == (False, ())

    def test_of_several_brands_the_worst_counts(self) -> None:
        both = ask(opened(), declared(Level.ORANGE, "lunea", "other"))
        worse = ask(both, ChangeLevel(judged(Level.RED, 90.0), "other"))
        assert (worse.level, worse.score) == (Level.RED, 90.0)
        still = ask(worse, ChangeLevel(judged(Level.GREEN, 1.0), "lunea"))
        assert (still.level, still.score) == (Level.RED, 90.0)
        assert ask(still, ChangeLevel(judged(Level.YELLOW), "other")).level is Level.YELLOW


class TestHolding:
    def test_whoever_gives_it_back_lets_the_calls_begin_again(self) -> None:
        held = ask(opened(), Acknowledge("person:sam"))
        decision = decide(held, Unacknowledge("person:sam"), START + MINUTE, DIRECTORY)
        assert kinds(decision) == ["unacknowledged", "escalated"]
        assert decision.events[0].data["why"] == "given_back"
        assert called(decision)

    def test_mitigating_holds_off_the_calls_and_times_out_like_an_acknowledgement(self) -> None:
        acting = ask(opened(), Mitigate("person:sam"))
        assert (acting.state, acting.pages) == (IncidentState.MITIGATING, False)
        assert [timer.kind for timer in acting.timers] == [TimerKind.ACKNOWLEDGEMENT]
        assert ask(acting, Acknowledge("person:sam"), at=START + MINUTE).state is IncidentState.MITIGATING
        out = decide(acting, AcknowledgementDue(), START + 30 * MINUTE, DIRECTORY)
        assert (out.incident.state, kinds(out)) == (IncidentState.TRIGGERED, ["unacknowledged", "escalated"])

    def test_a_level_that_rises_takes_it_out_of_the_hands_of_whoever_mitigates(self) -> None:
        risen = ask(ask(opened(), Mitigate("person:sam")), ChangeLevel(judged(Level.RED)))
        assert risen.state is IncidentState.TRIGGERED

    def test_an_assignment_tells_that_person_and_stops_no_call(self) -> None:
        decision = decide(opened(), Assign("person:lea", "sam"), START, DIRECTORY)
        assert {(item.kind, item.target) for item in decision.notifications} == {
            (NotificationKind.ASSIGNED, "person:sam")
        }
        assert decision.incident.pages
        again = decide(decision.incident, Assign("person:lea", "sam"), START, DIRECTORY)
        assert again.events == ()
        back = ask(decision.incident, Assign("person:lea", None))
        assert back.assigned is None

    def test_an_assignment_to_nobody_known_says_who_is_known(self) -> None:
        refused = decide(opened(), Assign("person:lea", "zoe"), START, DIRECTORY).refused
        assert refused is not None
        assert refused.kind is RefusalKind.INVALID
        assert "ines, lea, sam" in refused.reason


class TestEscalatingByHand:
    def test_the_next_step_rings_at_once_and_the_one_after_waits_its_time(self) -> None:
        decision = decide(opened(), Escalate("person:lea"), START + MINUTE, DIRECTORY)
        assert called(decision) == ["Sam", "Sam"]
        assert decision.events[0].actor == "person:lea"
        pending = decision.incident.pending
        assert pending is not None
        assert (pending.loop, pending.due_at) == (1, START + 11 * MINUTE)

    def test_it_is_taken_out_of_whosever_hands_it_is_in_and_goes_on_where_it_was(self) -> None:
        held = ask(opened(), Acknowledge("person:lea"))
        decision = decide(held, Escalate("person:lea"), START + MINUTE, DIRECTORY)
        assert kinds(decision) == ["unacknowledged", "escalated"]
        assert called(decision) == ["Sam", "Sam"]
        assert decision.incident.start == held.start + 1

    def test_after_the_last_step_it_begins_again(self) -> None:
        incident = opened()
        at = START
        while incident.pending is not None:
            at = incident.pending.due_at
            incident = ask(incident, StepDue(), at=at)
        decision = decide(incident, Escalate("person:lea"), at, DIRECTORY)
        assert "Léa" in called(decision)

    def test_a_silence_ends_where_a_person_wants_others_called(self) -> None:
        silenced = ask(opened(), SilenceUntil("person:lea", START + HOUR))
        decision = decide(silenced, Escalate("person:sam"), START + MINUTE, DIRECTORY)
        assert decision.incident.silence is None
        assert called(decision)

    def test_at_yellow_a_person_may_still_have_people_called(self) -> None:
        yellow = ask(opened(), SetLevel("person:lea", Level.YELLOW))
        assert called(decide(yellow, Escalate("person:lea"), START, DIRECTORY))

    def test_nobody_is_called_at_green_or_without_a_policy(self) -> None:
        green = ask(opened(), SetLevel("person:lea", Level.GREEN))
        without = decide(None, Open(INCIDENT, "lunea", judged(), None), START, DIRECTORY).incident
        for incident in (green, without):
            refused = decide(incident, Escalate("person:lea"), START, DIRECTORY).refused
            assert refused is not None
            assert refused.kind is RefusalKind.ILLEGAL


class TestSilences:
    def test_nobody_is_called_until_its_end_and_then_whoever_is_on_call_at_that_level(self) -> None:
        silenced = ask(opened(), SilenceUntil("person:lea", START + HOUR))
        assert not silenced.pages
        assert [(timer.kind, timer.due_at) for timer in silenced.timers] == [(TimerKind.SILENCE, START + HOUR)]
        assert ask(silenced, StepDue(), at=START + 10 * MINUTE) == silenced
        early = decide(silenced, SilenceDue(), START + 59 * MINUTE, DIRECTORY)
        assert early.incident == silenced
        decision = decide(silenced, SilenceDue(), START + HOUR, DIRECTORY)
        assert kinds(decision) == ["unsilenced", "escalated"]
        assert called(decision)

    def test_it_never_mutes_a_higher_level(self) -> None:
        silenced = ask(opened(), SilenceUntil("person:lea", START + HOUR))
        decision = decide(silenced, ChangeLevel(judged(Level.RED)), START + MINUTE, DIRECTORY)
        assert kinds(decision) == ["level_changed", "unsilenced", "escalated"]
        assert called(decision)

    def test_a_level_that_falls_and_comes_back_stays_silenced(self) -> None:
        silenced = ask(opened(), SilenceUntil("person:lea", START + HOUR))
        back = decide(ask(silenced, ChangeLevel(judged(Level.GREEN))), ChangeLevel(judged()), START, DIRECTORY)
        assert called(back) == []

    def test_it_ends_quietly_where_it_is_calm_or_somebody_has_it_in_hand(self) -> None:
        silenced = ask(opened(), SilenceUntil("person:lea", START + HOUR))
        for quiet in (ChangeLevel(judged(Level.GREEN)), Acknowledge("person:sam")):
            over = decide(ask(silenced, quiet), SilenceDue(), START + HOUR, DIRECTORY)
            assert kinds(over) == ["unsilenced"]

    def test_an_acknowledgement_that_times_out_in_a_silence_calls_nobody_before_its_end(self) -> None:
        silenced = ask(opened(), Acknowledge("person:sam"), SilenceUntil("person:lea", START + HOUR))
        out = decide(silenced, AcknowledgementDue(), START + 30 * MINUTE, DIRECTORY)
        assert called(out) == []
        assert called(decide(out.incident, SilenceDue(), START + HOUR, DIRECTORY))

    def test_a_person_may_end_it_before(self) -> None:
        silenced = ask(opened(), SilenceUntil("person:lea", START + HOUR))
        assert called(decide(silenced, Unsilence("person:sam"), START + MINUTE, DIRECTORY))

    @pytest.mark.parametrize("until", [START, START - HOUR, START + LONGEST_SILENCE + MINUTE])
    def test_it_ends_in_the_future_and_soon_enough(self, until: datetime) -> None:
        refused = decide(opened(), SilenceUntil("person:lea", until), START, DIRECTORY).refused
        assert refused is not None
        assert refused.kind is RefusalKind.INVALID

    def test_an_incident_that_opens_while_its_brand_is_silenced_calls_nobody_unless_it_is_worse(self) -> None:
        silence = Silence(until=START + HOUR, level=Level.ORANGE, by="person:lea", at=START, brand_silence=SILENCE)
        quiet = decide(None, Open(INCIDENT, "lunea", judged(), policy(), silence=silence), START, DIRECTORY)
        assert called(quiet) == []
        assert called(decide(quiet.incident, SilenceDue(), START + HOUR, DIRECTORY))
        loud = decide(None, Open(INCIDENT, "lunea", judged(Level.RED), policy(), silence=silence), START, DIRECTORY)
        assert called(loud)

    def test_ending_the_brands_silence_leaves_one_that_somebody_gave_the_incident_itself(self) -> None:
        of_brand = ask(opened(), SilenceUntil("person:lea", START + HOUR, brand_silence=SILENCE))
        assert ask(of_brand, Unsilence("person:lea", brand_silence=SILENCE)).silence is None
        own = ask(of_brand, SilenceUntil("person:sam", START + 2 * HOUR))
        assert ask(own, Unsilence("person:lea", brand_silence=SILENCE)) == own


class TestDeclaring:
    def test_a_declared_incident_runs_the_same_policy_and_clocks(self) -> None:
        decision = decide(None, declared(Level.RED, "lunea", "other"), START, DIRECTORY)
        incident = decision.incident
        assert kinds(decision) == ["opened", "escalated"]
        assert incident.brands == ("lunea", "other")
        assert incident.reasons["fr"] == declaration().sentence
        assert called(decision)[:1] == ["Léa"]
        assert ask(incident, ChangeLevel(judged(Level.GREEN))).level is Level.RED

    def test_at_yellow_it_calls_nobody(self) -> None:
        assert called(decide(None, declared(Level.YELLOW), START, DIRECTORY)) == []

    def test_its_messages_say_up_to_when_the_data_is_complete(self) -> None:
        command = replace(declared(), complete_up_to=START - MINUTE)
        (page, *_) = decide(None, command, START, DIRECTORY).notifications
        assert page.content.complete_up_to == START - MINUTE

    def test_beside_an_open_one_it_joins_and_is_told_as_one_update(self) -> None:
        decision = decide(opened(), declared(Level.ORANGE, "lunea", "other"), START + MINUTE, DIRECTORY)
        assert kinds(decision) == ["joined"]
        assert decision.incident.id == INCIDENT
        assert decision.incident.brands == ("lunea", "other")
        assert decision.incident.declarations == (declaration(),)
        assert {item.kind for item in decision.notifications} == {NotificationKind.JOINED}

    def test_a_worse_one_raises_the_open_one(self) -> None:
        decision = decide(opened(), declared(Level.RED), START + MINUTE, DIRECTORY)
        assert kinds(decision) == ["joined", "level_changed", "escalated"]

    @pytest.mark.parametrize("sentence", ["", "  ", "x" * (LONGEST_SENTENCE + 1)])
    def test_it_needs_a_sentence(self, sentence: str) -> None:
        command = Declare(OTHER, ("lunea",), Level.ORANGE, declaration(sentence), policy())
        for incident in (None, opened()):
            refused = decide(incident, command, START, DIRECTORY).refused
            assert refused is not None
            assert refused.kind is RefusalKind.INVALID


class TestSplittingAndMerging:
    def test_a_story_that_is_split_off_is_in_the_hands_of_whoever_did_it(self) -> None:
        decision = decide(opened(), Split("person:sam", "story-7", OTHER, "The strike"), START, DIRECTORY)
        assert kinds(decision) == ["split"]
        new = decision.opened
        assert new is not None
        assert (new.incident.id, new.incident.main, new.incident.split_from) == (OTHER, False, INCIDENT)
        assert (new.incident.state, new.incident.level) == (IncidentState.ACKNOWLEDGED, Level.ORANGE)
        assert new.incident.reasons["en"] == "The strike"
        out = decide(new.incident, AcknowledgementDue(), START + 30 * MINUTE, DIRECTORY)
        assert called(out)

    def test_a_story_is_split_off_once(self) -> None:
        once = ask(opened(), Split("person:sam", "story-7", OTHER))
        refused = decide(once, Split("person:sam", "story-7", INCIDENT), START, DIRECTORY).refused
        assert refused is not None
        assert str(OTHER) in refused.reason

    def other(self, level: Level = Level.ORANGE, brand: str = "other") -> Incident:
        return decide(None, Open(OTHER, brand, judged(level), policy()), START, DIRECTORY).incident

    def test_the_one_that_goes_on_takes_over_brands_and_the_worse_level(self) -> None:
        gone, kept = merge(self.other(Level.RED), opened(), Merge("person:lea"), START, DIRECTORY)
        assert (gone.incident.state, gone.incident.merged_into) == (IncidentState.RESOLVED, INCIDENT)
        assert kept.incident.brands == ("lunea", "other")
        assert kept.incident.level is Level.RED
        assert kinds(kept) == ["joined", "level_changed", "escalated"]
        calm = ask(kept.incident, ChangeLevel(judged(Level.GREEN), "other"))
        assert calm.level is Level.ORANGE

    def test_what_was_merged_is_neither_reopened_nor_reviewed_nor_merged_again(self) -> None:
        gone, kept = merge(self.other(), opened(), Merge("person:lea"), START, DIRECTORY)
        for command in (Reopen("person:lea"), Review("person:lea", Verdict.BUZZ)):
            refused = decide(gone.incident, command, START, DIRECTORY).refused
            assert refused is not None
            assert str(INCIDENT) in refused.reason
        again, _ = merge(gone.incident, kept.incident, Merge("person:lea"), START, DIRECTORY)
        assert again.refused is not None

    def test_a_resolved_one_joins_another_that_opened_since_without_its_old_level(self) -> None:
        resolved = ask(self.other(Level.RED), Resolve("person:lea"))
        _, kept = merge(resolved, opened(), Merge("person:lea"), START + MINUTE, DIRECTORY)
        assert kept.incident.level is Level.ORANGE
        late, _ = merge(resolved, opened(), Merge("person:lea"), START + REOPEN_WITHIN + MINUTE, DIRECTORY)
        assert late.refused is not None

    def test_what_cannot_be_merged_changes_neither(self) -> None:
        resolved = ask(opened(), Resolve("person:lea"))
        for source, into, command in (
            (opened(), opened(), Merge("person:lea")),
            (self.other(), resolved, Merge("person:lea")),
            (self.other(), opened(), Merge("person:lea", version=1)),
        ):
            gone, kept = merge(source, into, command, START, DIRECTORY)
            assert gone.refused is not None
            assert kept.refused is not None


class TestReviewing:
    def test_a_resolved_incident_is_reviewed_with_a_verdict(self) -> None:
        resolved = ask(opened(), Resolve("person:lea", verdict=Verdict.BUZZ))
        decision = decide(resolved, Review("person:sam", Verdict.CRISIS, "We were late."), START, DIRECTORY)
        assert (decision.incident.state, decision.incident.verdict) == (IncidentState.REVIEWED, Verdict.CRISIS)
        assert decision.events[0].data == {"verdict": "crisis", "text": "We were late."}
        assert decision.events[0].type is IncidentEventType.REVIEWED
        again = decide(decision.incident, Review("person:sam"), START, DIRECTORY)
        assert (again.refused, again.events) == (None, ())
        assert ask(decision.incident, Reopen("person:sam")).state is IncidentState.TRIGGERED

    def test_a_review_needs_a_verdict(self) -> None:
        refused = decide(ask(opened(), Resolve("person:lea")), Review("person:sam"), START, DIRECTORY).refused
        assert refused is not None
        assert refused.kind is RefusalKind.INVALID
