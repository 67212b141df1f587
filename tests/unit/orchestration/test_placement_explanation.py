"""Explanations say what binds, what is against each node, and what the next best would cost."""

from __future__ import annotations

import msgspec
import pytest
from tests.support.applications import continuum, mobility, mobility_samples

from ecotone.core.errors import InputError
from ecotone.core.plan import Assignment
from ecotone.frontends.words import time_text
from ecotone.orchestration.placement import ComponentExplanation, Explanation, explain, plan


@pytest.fixture(scope="module")
def explained() -> Explanation:
    application, where, samples = mobility(accuracy_min=0.9), continuum(), mobility_samples()
    return explain(application, where, samples, plan(application, where, samples))


def of(explained: Explanation, name: str) -> ComponentExplanation:
    return next(each for each in explained.components if each.component == name)


def test_what_binds_is_what_would_be_cheaper_without(explained: Explanation) -> None:
    binding = {(each.subject, each.what): each.saving_eur_per_h for each in explained.promises if each.binds}
    assert ("detect", "accuracy") in binding
    assert ("statistics", "layers") in binding
    assert binding["statistics", "layers"] > 0.19
    path = next(each for each in explained.promises if each.what == "path latency")
    assert path.binds is False
    assert path.judged > path.predicted  # pyright: ignore
    assert path.slack == pytest.approx(1 - path.judged / 0.1)  # pyright: ignore


def test_each_node_has_its_reason(explained: Explanation) -> None:
    device, edge, cloud = of(explained, "detect").nodes
    assert edge.chosen
    assert device.admissible
    assert any("busy" in reason for reason in device.reasons)
    assert not cloud.admissible
    assert "private" in cloud.reasons[0]
    assert of(explained, "detect").variants_refused == ("accuracy of small is 0.82, at least 0.9 is required",)


def test_the_next_best_costs_at_least_as_much(explained: Explanation) -> None:
    for component in explained.components:
        for alternative in component.alternatives:
            if alternative.found:
                assert alternative.extra_eur_per_h is not None
                assert alternative.extra_eur_per_h >= -1e-6
            else:
                assert alternative.reasons
    analytics = of(explained, "analytics").alternatives[0]
    assert analytics.found
    assert analytics.assignments[0].node != "edge"
    assert analytics.paths_s[0] <= 0.1


def test_a_variant_has_an_alternative_of_its_own() -> None:
    application, where, samples = mobility(promise_s=0.2), continuum(), mobility_samples()
    explained = explain(application, where, samples, plan(application, where, samples))
    alternative = of(explained, "detect").alternatives[1]
    assert alternative.instead_of == "variant"
    assert alternative.assignments[0].variant == "large"
    assert alternative.extra_eur_per_h > 0.01  # pyright: ignore


def test_the_stages_of_a_path_add_up(explained: Explanation) -> None:
    path = explained.paths[0]
    stages = sum(each.service_s + each.waiting_s + each.link_s + each.hop_s for each in path.stages)
    assert stages == pytest.approx(path.mean_s, rel=0.02)
    assert path.mean_s + path.spread_s == pytest.approx(path.predicted_s)
    assert path.judged_s == path.high_s
    assert path.slack_s == pytest.approx(path.promised_s - path.high_s)


def test_what_is_taken_as_expected_is_explained_so() -> None:
    where, samples = continuum(), mobility_samples()
    (best,) = plan(mobility(accuracy_min=0.9), where, samples).paths
    application = mobility(accuracy_min=0.9, promise_s=(best.predicted_s + best.high_s) / 2)
    explained = explain(application, where, samples, plan(application, where, samples, confidence="expected"))
    assert explained.violations == ()
    assert explained.paths[0].judged_s == explained.paths[0].predicted_s
    careful = msgspec.structs.replace(plan(application, where, samples, confidence="expected"), confidence="upper")
    (broken,) = explain(application, where, samples, careful).violations
    assert f"p95 would be {time_text(best.predicted_s)}, perhaps {time_text(best.high_s)}, promised " in broken


def test_a_plan_for_something_else_is_refused_or_shown_broken() -> None:
    application, where, samples = mobility(accuracy_min=0.9), continuum(), mobility_samples()
    found = plan(application, where, samples)
    other = msgspec.structs.replace(
        found, assignments=(Assignment(component="camera", variant="default", node="moon"),)
    )
    with pytest.raises(InputError, match="no node moon"):
        explain(application, where, samples, other)
    slower = explain(application, where, mobility_samples(detect_s=0.08), found)
    assert any("detect" in text for text in slower.violations)
