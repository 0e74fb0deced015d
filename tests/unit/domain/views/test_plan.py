"""A plan is the loop's own answer to the request, with the steps and their deadlines."""

from __future__ import annotations

from dataclasses import replace

from builders import (
    EC1,
    PLATFORM,
    a_group,
    a_member,
    a_request,
    a_silent_slot,
    a_slot,
    an_observation,
    decided,
)
from picoha.domain.model import Unknown
from picoha.domain.policy import Policy
from picoha.domain.record import Mode, RequestVerb
from picoha.domain.views.plan import plan, preview, refusal

SWITCHOVER = a_request(RequestVerb.SWITCHOVER)
FAILOVER = a_request(RequestVerb.FAILOVER)


def test_a_preview_decides_as_the_loop_does_with_the_request_in_the_table() -> None:
    for request in (SWITCHOVER, FAILOVER):
        waiting = replace(a_slot(EC1), requests=(request,))
        assert preview(an_observation(a_slot(EC1)), request, Policy()) == decided(waiting)


def test_a_refusal_is_the_rules_sentence_and_a_holding_guards_too() -> None:
    refused = preview(an_observation(mode=Mode.OBSERVE), FAILOVER, Policy())
    assert refusal(refused) == refused.sentence and "is refused" in refused.sentence
    held = preview(an_observation(a_slot(EC1, hosts=Unknown("throttled"))), FAILOVER, Policy())
    assert (held.rule, refusal(held)) == (111, held.sentence)
    assert refusal(preview(an_observation(), FAILOVER, Policy())) == ""


def test_a_plan_names_the_steps_in_order_with_their_deadlines() -> None:
    found = plan(an_observation(), SWITCHOVER, Policy(), [])
    assert found.begins and found.refused == "" and found.automatic == ()
    words = [step.what.split("(")[0].strip() for step in found.steps]
    assert words[0] == "i-ec1 stops its picos"
    assert words[1] == "i-ec1 is terminated and seen terminated"
    assert [step.within_s for step in found.steps[:3]] == [300, 600, 900]
    assert found.expected.startswith("not known yet")
    assert len(plan(an_observation(), FAILOVER, Policy(), []).steps) == len(found.steps) - 1


def test_the_expected_outage_is_the_median_of_what_was_seen() -> None:
    found = plan(an_observation(), SWITCHOVER, Policy(), [90.0, 300.0, 120.0])
    assert found.expected == "about 120 s (median of 3 ended operations of this slot)"


def test_a_plan_of_the_platform_moves_its_address_and_a_warm_host_is_named() -> None:
    group = a_group(PLATFORM, a_member("i-platform1"), a_member("i-warm", "Warmed:Running"))
    seen = an_observation(a_slot(PLATFORM, group=group), a_slot(EC1))
    found = plan(seen, a_request(RequestVerb.FAILOVER, PLATFORM), Policy(), [])
    whats = " ".join(step.what for step in found.steps)
    assert "203.0.113.10 is associated with it" in whats and "the warm host is launched" in whats


def test_a_plan_says_what_picoha_itself_would_wait_for() -> None:
    observed = a_silent_slot(EC1, 95, group=a_group(EC1, max_size=2))
    found = plan(an_observation(observed), FAILOVER, Policy(), [])
    assert found.automatic[0].startswith("shape: ")
    assert "shape" not in found.refused and "not 1/1/1" in found.refused
