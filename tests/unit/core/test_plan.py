from __future__ import annotations

import msgspec
import pytest

from ecotone.core.errors import InputError
from ecotone.core.plan import (
    Assignment,
    ComponentPrediction,
    PathPrediction,
    Plan,
    decode_plan,
    encode_plan,
    plan_differences,
)


def _plan() -> Plan:
    return Plan(
        application="street",
        continuum="three-sites",
        fingerprint="f" * 16,
        assignments=(Assignment(component="camera", variant="default", node="edge-1", replicas=2),),
        components=(
            ComponentPrediction(
                component="camera",
                rate_per_s=25.0,
                service_mean_s=0.004,
                predicted_p50_s=0.004,
                predicted_p95_s=0.0061,
                low_s=0.005,
                high_s=0.0072,
                utilisation=0.1,
                memory_bytes=1e8,
                energy_j=0.02,
            ),
        ),
        paths=(
            PathPrediction(
                components=("camera", "count"), percentile=95, promised_s=0.1, predicted_s=0.06, low_s=0.05, high_s=0.07
            ),
        ),
        cost_eur_per_h=0.12,
        lower_bound_eur_per_h=0.12,
        optimal=True,
        gap=0.0,
        wall_s=0.4,
        parameters={"period_s": 3.0},
    )


def test_what_was_encoded_is_decoded() -> None:
    assert decode_plan(encode_plan(_plan())) == _plan()


def test_json_has_latencies_in_milliseconds_and_durations_in_seconds() -> None:
    document = msgspec.json.decode(encode_plan(_plan()))

    assert document["paths"][0]["promised_ms"] == 100.0
    assert document["components"][0]["predicted_p95_ms"] == 6.1
    assert document["components"][0]["rate_per_s"] == 25.0
    assert document["wall_s"] == 0.4
    assert document["parameters"] == {"period_s": 3.0}, "what the user named stays as it is"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "not a plan"),
        (b"[1, 2]", "not a plan"),
        (b'{"schema_version": 99}', "schema_version is 99"),
        (b'{"schema_version": 1, "application": 3}', "Expected `str`"),
        (b'{"schema_version": 1, "surprise": 3}', "not a plan"),
    ],
)
def test_a_file_that_is_no_plan_is_named_with_what_is_wrong(data: bytes, says: str) -> None:
    with pytest.raises(InputError, match=r"mine\.json") as caught:
        decode_plan(data, "mine.json")
    assert says in str(caught.value)


def test_costs_that_look_the_same_are_no_difference():
    before = _plan()
    after = msgspec.structs.replace(before, cost_eur_per_h=before.cost_eur_per_h * (1 + 1e-6))
    assert plan_differences(before, after) == []
    dearer = msgspec.structs.replace(before, cost_eur_per_h=0.5)
    assert plan_differences(before, dearer)[-1].endswith("to 0.5 EUR/h")
